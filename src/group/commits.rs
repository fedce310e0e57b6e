//! Who is told of commits, and when. A follower hears of the commit index with the next
//! append or heartbeat; a message of its own goes only to a follower that waits for it: one
//! whose batch was committed, or one that was given a read index.

use super::Group;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use raft::eraftpb::{Message, MessageType};
use std::collections::{BTreeMap, BTreeSet};

/// The leader's account, of its present term.
#[derive(Debug, Default)]
pub struct Commits {
    told: BTreeMap<NodeId, u64>,
    waiting: BTreeSet<NodeId>,
}

impl Commits {
    /// This follower waits for the present commit index.
    pub fn wait(&mut self, node: NodeId) {
        self.waiting.insert(node);
    }

    /// A message is about to leave, and tells its receiver of a commit index.
    pub fn note(&mut self, message: &Message) {
        if matches!(message.get_msg_type(), MessageType::MsgAppend | MessageType::MsgHeartbeat) {
            let told = self.told.entry(message.to).or_insert(0);
            *told = (*told).max(message.commit);
        }
    }
}

impl Group {
    /// Tells those who wait and were not told by what left in this turn. Whether there is
    /// something to send.
    pub(super) fn tell_commits(&mut self) -> bool {
        if mutant::is(Mutant::CommitOfStaleTerm) && self.is_leader() {
            let (held_by_majority, _) = self.raft.raft.mut_prs().maximal_committed_index();
            self.raft.raft.raft_log.commit_to(held_by_majority);
            if self.raft.has_ready() {
                return true;
            }
        }
        if mutant::is(Mutant::AcknowledgeBeforeCommit) && self.is_leader() {
            let held = self.raft.raft.raft_log.last_index();
            self.raft.raft.raft_log.commit_to(held);
            if self.raft.has_ready() {
                return true;
            }
        }
        if self.commits.waiting.is_empty() {
            return false;
        }
        let waiting = std::mem::take(&mut self.commits.waiting);
        if !self.is_leader() {
            return false;
        }
        let committed = self.raft.raft.raft_log.committed;
        for node in waiting {
            let told = self.commits.told.get(&node).copied().unwrap_or(0);
            // Who asked may have been removed since, or never have been a member.
            let is_known = self.raft.raft.prs().get(node).is_some();
            if is_known && told < committed && node != self.config.node_id {
                // A follower that is being probed is told by a heartbeat instead.
                self.raft.raft.send_append(node);
            }
        }
        self.raft.has_ready()
    }
}
