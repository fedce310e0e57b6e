//! What a node tells about itself, and what it needs of whoever holds the clients.

use crate::command::Reply;
use crate::group::GroupStatus;
use crate::group::Notice;
use crate::limits::DATABASES;
use crate::machine::{Machine, Member, Wanted};
use crate::storage::FirstMember;
use crate::wire::NodeId;
use raft::eraftpb::ConfState;
use std::collections::BTreeSet;

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
    /// What it is meant to be: `voter`, `learner`, `removed`.
    pub wanted: &'static str,
    /// Whether a node has come under this id.
    pub registered: bool,
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
    /// Up to here the log is on this node's disk.
    pub persisted_index: u64,
    /// Of a leader: whether its entries go one at a time now, or overlap.
    pub one_at_a_time: bool,
    /// The oldest entry still in memory.
    pub first_index: u64,
    pub snapshot_index: u64,
    pub snapshot_in_progress: bool,
    /// Unix time at which the last snapshot was on disk; if there was none, of the start.
    pub last_snapshot_s: u64,
    /// Of Raft's configuration: voters and learners.
    pub members: Vec<MemberStatus>,
    /// Asked for, and not in the configuration yet.
    pub wished: Vec<MemberStatus>,
    /// Raft is between two configurations.
    pub is_joint: bool,
    /// On the leader: why a change of the members is not made yet; empty: nothing waits.
    pub waits: String,
    /// Ids that were removed.
    pub removed: Vec<NodeId>,
    /// The voters of the log's beginning.
    pub first_voters: Vec<NodeId>,
    /// Keys of each database, and how many of them have a deadline.
    pub keys: [(u64, u64); DATABASES],
    pub expired_keys_total: u64,
    /// The log's clock.
    pub clock_ms: u64,
    pub storage: &'static str,
    pub log_bytes: u64,
    pub disk_syncs_total: u64,
    /// Changes of keys since the snapshot that is on disk.
    pub unsaved_changes: u64,
    pub snapshots_total: u64,
    /// Attempts that ended without one.
    pub snapshots_failed_total: u64,
    /// How the last attempt ended.
    pub last_snapshot_failed: bool,
    pub entries_applied_total: u64,
    pub pending_bytes: u64,
    /// To and from peers.
    pub messages_sent_total: u64,
    pub messages_received_total: u64,
}

/// What becomes of this node's snapshots, each by its last entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotNews {
    /// It holds what is applied now, and nothing of what is told after this.
    Begun(u64),
    /// It is on disk.
    Stored(u64),
    /// The one that was begun will not be.
    Failed,
    /// A leader's has taken the place of the node's state.
    Installed,
}

/// Who holds the clients of a node: the server.
pub trait Clients {
    /// The answer to the next step of the job of `ticket`. A ticket that is gone is ignored.
    fn reply(&self, ticket: u64, reply: Reply);
    /// Many of them, and nothing that happened between them.
    fn replies(&self, replies: Vec<(u64, Reply)>) {
        replies.into_iter().for_each(|(ticket, reply)| self.reply(ticket, reply));
    }
    /// Something happened that clients which listen want to hear.
    fn notice(&self, notice: Notice);
    /// Something became of this node's snapshots, in its place among replies and notices.
    fn snapshot(&self, news: SnapshotNews);
    /// No more replies in this turn: everything touched may be written out.
    fn flush(&self);
}

pub(super) fn of(shared: &super::Shared) -> NodeStatus {
    let group = shared.group.borrow();
    let status = group.status();
    let machine = group.machine();
    let disk = shared.disk.borrow().status();
    let conf_state = group.log().conf_state();
    let (mut members, wished) = members_of(shared, &status, machine, conf_state);
    let messages = messages_total(shared);
    let mut removed: Vec<NodeId> = machine.members().removed().iter().copied().collect();
    if shared.told_removed.get().is_some() {
        members.retain(|member| member.id != shared.node_id);
        removed.push(shared.node_id);
    }
    NodeStatus {
        node_id: shared.node_id,
        cluster_id: machine.cluster_id(),
        role: role_of(&status, shared.node_id),
        term: status.term,
        leader_id: status.leader,
        commit_index: status.commit_index,
        applied_index: status.applied_index,
        last_index: status.last_index,
        persisted_index: status.persisted_index,
        one_at_a_time: status.one_at_a_time,
        first_index: status.first_index,
        snapshot_index: status.snapshot_index,
        snapshot_in_progress: status.snapshot_in_progress,
        last_snapshot_s: shared.last_snapshot_ms.get() / 1000,
        members,
        wished,
        is_joint: !status.voters_outgoing.is_empty(),
        waits: status.membership_waits.unwrap_or_default(),
        removed,
        first_voters: machine.members().first_voters().to_vec(),
        keys: std::array::from_fn(|db| {
            let keyspace = machine.keyspace();
            (keyspace.len(db) as u64, keyspace.len_with_deadline(db) as u64)
        }),
        expired_keys_total: machine.expired_total(),
        clock_ms: machine.clock_ms(),
        storage: shared.storage,
        log_bytes: disk.disk_bytes,
        disk_syncs_total: disk.syncs,
        unsaved_changes: status.unsaved_changes,
        snapshots_total: status.snapshots_total,
        snapshots_failed_total: shared.snapshots_failed.get().0,
        last_snapshot_failed: shared.snapshots_failed.get().1,
        entries_applied_total: status.entries_applied_total,
        pending_bytes: status.pending_bytes,
        messages_sent_total: messages.0,
        messages_received_total: messages.1,
    }
}

/// Sent to and received from all peers.
fn messages_total(shared: &super::Shared) -> (u64, u64) {
    let links = shared.transport.get().map_or_else(Vec::new, |transport| transport.status());
    let sent = links.iter().map(|link| link.control.sent_messages + link.data.sent_messages).sum();
    (sent, links.iter().map(|link| link.received_messages).sum())
}

fn role_of(status: &GroupStatus, node_id: NodeId) -> Role {
    match status.role {
        _ if status.learners.contains(&node_id) => Role::Learner,
        "leader" => Role::Leader,
        "candidate" => Role::Candidate,
        "precandidate" => Role::PreCandidate,
        _ => Role::Follower,
    }
}

/// Those of Raft's configuration, and those that are to come into it; by id.
fn members_of(
    shared: &super::Shared,
    status: &GroupStatus,
    machine: &Machine,
    conf_state: &ConfState,
) -> (Vec<MemberStatus>, Vec<MemberStatus>) {
    let links = shared.transport.get().map_or_else(Vec::new, |transport| transport.status());
    let configured =
        [&conf_state.voters, &conf_state.learners, &conf_state.voters_outgoing, &conf_state.learners_next];
    let present: BTreeSet<NodeId> = configured.into_iter().flatten().copied().collect();
    let row = |id: NodeId| {
        let first = shared.first_members.iter().find(|member| member.node == id);
        let known = machine.members().all().get(&id);
        let peer = status.peers.iter().find(|peer| peer.id == id);
        let link = links.iter().find(|link| link.id == id);
        let addr = |of_log: fn(&Member) -> &String, of_first: fn(&FirstMember) -> &String| {
            let logged = known.map(of_log).filter(|addr| !addr.is_empty());
            logged.or_else(|| first.map(of_first)).cloned().unwrap_or_default()
        };
        MemberStatus {
            id,
            client_addr: addr(|member| &member.client_addr, |first| &first.client_addr),
            peer_addr: addr(|member| &member.peer_addr, |first| &first.peer_addr),
            voter: conf_state.voters.contains(&id),
            wanted: known.map_or("voter", |member| match member.wanted {
                Wanted::VOTER => "voter",
                Wanted::LEARNER => "learner",
                Wanted::REMOVED => "removed",
            }),
            registered: known.is_some_and(|member| member.incarnation.is_some()),
            connected: id == shared.node_id || link.is_some_and(|link| link.control.is_connected),
            match_index: peer.map(|peer| peer.match_index),
            progress: peer.map(|peer| peer.progress),
        }
    };
    let to_come = machine.members().all().keys().filter(|id| !present.contains(id));
    (present.iter().map(|id| row(*id)).collect(), to_come.map(|id| row(*id)).collect())
}
