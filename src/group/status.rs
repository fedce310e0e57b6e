//! What a group tells about itself.

use super::Group;
use crate::wire::NodeId;
use raft::{ProgressState, StateRole};

/// A replica at one moment.
#[derive(Debug, Clone, Default)]
pub struct GroupStatus {
    pub role: &'static str,
    pub term: u64,
    /// 0: none known.
    pub leader: NodeId,
    pub commit_index: u64,
    pub applied_index: u64,
    pub last_index: u64,
    /// Up to here the log is on this node's disk.
    pub persisted_index: u64,
    /// Of a leader: whether its entries go one at a time now.
    pub one_at_a_time: bool,
    pub first_index: u64,
    pub snapshot_index: u64,
    pub snapshot_in_progress: bool,
    /// Changes of keys since the snapshot that is on disk.
    pub unsaved_changes: u64,
    pub snapshots_total: u64,
    pub entries_applied_total: u64,
    pub pending_bytes: u64,
    pub voters: Vec<NodeId>,
    pub learners: Vec<NodeId>,
    /// Not empty: the configuration is changing, and these vote too.
    pub voters_outgoing: Vec<NodeId>,
    /// Voters that will be learners when the change is over.
    pub learners_next: Vec<NodeId>,
    /// On the leader: which wish is not carried out yet, and why.
    pub membership_waits: Option<String>,
    /// This node was removed, and is about to stop.
    pub is_removed: bool,
    /// On the leader.
    pub peers: Vec<PeerStatus>,
}

/// What a leader knows of a peer's log.
#[derive(Debug, Clone, Default)]
pub struct PeerStatus {
    pub id: NodeId,
    pub match_index: u64,
    pub progress: &'static str,
}

/// What is looked at after every turn: numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    pub leads: bool,
    pub term: u64,
    pub applied: u64,
    pub committed: u64,
    pub last: u64,
    /// The newest snapshot on disk.
    pub snapshot: u64,
}

pub(super) fn role_name(role: StateRole) -> &'static str {
    match role {
        StateRole::Follower => "follower",
        StateRole::PreCandidate => "precandidate",
        StateRole::Candidate => "candidate",
        StateRole::Leader => "leader",
    }
}

/// What a node says of itself while it cannot look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Raft's term.
    pub term: u64,
    /// Who leads in it, as far as this node knows; 0: nobody.
    pub leader: NodeId,
}

impl Group {
    /// See [`Standing`].
    pub fn standing(&self) -> Standing {
        Standing { term: self.raft.raft.term, leader: self.raft.raft.leader_id }
    }

    /// The replica as it is now.
    pub fn status(&self) -> GroupStatus {
        let log = self.raft.store();
        let mut peers = Vec::new();
        if self.is_leader() {
            peers = self
                .raft
                .raft
                .prs()
                .iter()
                .map(|(&id, progress)| {
                    let progress_name = match progress.state {
                        ProgressState::Probe => "probe",
                        ProgressState::Replicate => "replicate",
                        ProgressState::Snapshot => "snapshot",
                    };
                    PeerStatus { id, match_index: progress.matched, progress: progress_name }
                })
                .collect();
            peers.sort_by_key(|peer| peer.id);
        }
        GroupStatus {
            role: role_name(self.raft.raft.state),
            term: self.raft.raft.term,
            leader: self.leader(),
            commit_index: self.raft.raft.raft_log.committed,
            applied_index: self.applied(),
            last_index: self.raft.raft.raft_log.last_index(),
            persisted_index: self.own_disk.durable(),
            one_at_a_time: self.is_leader() && self.rhythm.one_at_a_time(),
            first_index: log.first(),
            snapshot_index: self.snapshots.stored_index(),
            snapshot_in_progress: self.snapshots.is_walking(),
            unsaved_changes: self
                .machine
                .keyspace()
                .revision()
                .saturating_sub(self.snapshots.stored_revision()),
            snapshots_total: self.snapshots.total(),
            entries_applied_total: self.entries_applied_total,
            pending_bytes: self.stream.pending_bytes() as u64,
            voters: log.conf_state().voters.clone(),
            learners: log.conf_state().learners.clone(),
            voters_outgoing: log.conf_state().voters_outgoing.clone(),
            learners_next: log.conf_state().learners_next.clone(),
            membership_waits: self.membership.waits().cloned(),
            is_removed: self.membership.is_removed(),
            peers,
        }
    }

    /// The replica's place in the log.
    pub fn glance(&self) -> Glance {
        Glance {
            leads: self.is_leader(),
            term: self.raft.raft.term,
            applied: self.applied(),
            committed: self.raft.raft.raft_log.committed,
            last: self.raft.raft.raft_log.last_index(),
            snapshot: self.snapshots.stored_index(),
        }
    }

    /// Bytes of the newest snapshot on disk.
    pub fn snapshot_bytes(&self) -> u64 {
        self.snapshots.stored_bytes()
    }

    /// Bytes of entries in one append from now on, in place of [`crate::limits::MAX_APPEND_BYTES`].
    pub fn limit_appends(&mut self, bytes: u64) {
        self.raft.raft.max_msg_size = bytes;
    }

    /// From now on jobs longer than `least_bytes` leave in parts of `part_bytes`, in place of
    /// [`crate::limits::LONG_JOB_BYTES`] and [`crate::limits::PART_BYTES`].
    pub fn split_jobs(&mut self, least_bytes: usize, part_bytes: usize) {
        self.stream.set_long_jobs(least_bytes, part_bytes);
    }

    /// From now on snapshots write values of this length in pieces, in place of
    /// [`crate::limits::SNAPSHOT_LONG_BYTES`].
    pub fn cut_values(&mut self, least_bytes: usize) {
        self.snapshots.long_bytes = least_bytes;
    }

    /// Whether nothing that was submitted here waits for its answer.
    pub fn is_idle(&self) -> bool {
        self.stream.is_idle() && self.reads.is_idle()
    }
}
