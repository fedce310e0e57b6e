//! What a node tells about itself, and what it needs of whoever holds the clients.

use crate::command::Reply;
use crate::wire::NodeId;

/// A replica's part in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Follows a leader, or waits for one.
    #[default]
    Follower,
    /// Asks whether an election would be won.
    PreCandidate,
    /// Asks for votes.
    Candidate,
    /// Leads its term.
    Leader,
    /// Receives the log and has no vote.
    Learner,
}

impl Role {
    /// As `INFO raft` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Follower => "follower",
            Self::PreCandidate => "precandidate",
            Self::Candidate => "candidate",
            Self::Leader => "leader",
            Self::Learner => "learner",
        }
    }
}

/// A member as this node sees it.
#[derive(Debug, Clone, Default)]
pub struct MemberStatus {
    /// Its id.
    pub id: NodeId,
    /// Where clients reach it, `host:port`.
    pub client_addr: String,
    /// Where peers reach it.
    pub peer_addr: String,
    /// Whether it votes.
    pub voter: bool,
    /// Whether this node is connected to it (always, for itself).
    pub connected: bool,
    /// On the leader: the last index known to be on its disk.
    pub match_index: Option<u64>,
    /// On the leader: `replicate`, `probe` or `snapshot`.
    pub progress: Option<&'static str>,
}

/// A node at one moment.
#[derive(Debug, Clone, Default)]
pub struct NodeStatus {
    pub node_id: NodeId,
    pub cluster_id: Option<[u8; 16]>,
    pub role: Role,
    pub term: u64,
    /// 0: none known.
    pub leader_id: NodeId,
    pub commit_index: u64,
    pub applied_index: u64,
    pub last_index: u64,
    /// The oldest entry still in memory.
    pub first_index: u64,
    pub snapshot_index: u64,
    pub snapshot_in_progress: bool,
    pub members: Vec<MemberStatus>,
    pub keys: u64,
    pub keys_with_deadline: u64,
    pub expired_keys_total: u64,
    /// The log's clock.
    pub clock_ms: u64,
    pub storage: &'static str,
    pub log_bytes: u64,
    pub disk_syncs_total: u64,
    pub snapshots_total: u64,
    pub entries_applied_total: u64,
    pub pending_bytes: u64,
}

/// Who holds the clients of a node: the server.
pub trait Clients {
    /// The answer to the next step of the job of `ticket`. A ticket that is gone is ignored.
    fn reply(&self, ticket: u64, reply: Reply);
    /// No more replies in this turn: everything touched may be written out.
    fn flush(&self);
}
