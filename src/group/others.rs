//! How the other voters keep up with their leader: whether they commit without its disk, and how much later than
//! with it. Where that is about the same time, the leader's own write need not hurry (`own_disk.rs`); where one of
//! them is slow or far away, the leader's disk and the first of them are a majority sooner. This module must never
//! decide what is committed: that is raft-rs's.

use super::Group;
use crate::limits;
use crate::wire::NodeId;
use std::collections::VecDeque;

/// The leader's account, of its present term.
#[derive(Debug, Default)]
pub struct Others {
    /// Up to where each of the other voters has the log, the most first.
    matched: Vec<u64>,
    /// The last entry that a majority with the leader has; that the others alone have.
    with_leader: u64,
    alone: u64,
    /// Entries that a majority with the leader had at this time, in microseconds, and the others alone have not yet.
    late: VecDeque<(u64, u64)>,
    /// How much later the others alone had them, in microseconds: a moving mean.
    lag_us: f64,
}

impl Others {
    /// Of a group of so many voters, in `matched`; the leader is one of them.
    fn look(&mut self, voters: usize, now_us: u64) {
        self.matched.sort_unstable_by(|a, b| b.cmp(a));
        let majority = voters / 2 + 1;
        let held_by =
            |count: usize| count.checked_sub(1).and_then(|i| self.matched.get(i)).copied().unwrap_or(0);
        let with_leader = held_by(majority - 1);
        self.alone = held_by(majority);
        while let Some(&(index, since_us)) = self.late.front()
            && index <= self.alone
        {
            self.late.pop_front();
            self.lagged(now_us.saturating_sub(since_us));
        }
        if with_leader <= self.with_leader {
            return;
        }
        self.with_leader = with_leader;
        if with_leader <= self.alone {
            self.lagged(0);
        } else if self.late.len() < limits::LATE_ENTRIES {
            self.late.push_back((with_leader, now_us));
        }
    }

    fn lagged(&mut self, by_us: u64) {
        // One that was away must not count for long after it has come back.
        let by_us = by_us.min(limits::OTHERS_LAG_US * 16);
        self.lag_us += (by_us as f64 - self.lag_us) / 8.0;
    }
}

impl Group {
    /// This voter has said how far it is.
    pub(super) fn look_at_others(&mut self) {
        if !self.is_leader() {
            return;
        }
        let (me, raft) = (self.config.node_id, &self.raft.raft);
        let voters = &self.raft.store().conf_state().voters;
        let matched = |node: &NodeId| raft.prs().get(*node).map_or(0, |progress| progress.matched);
        self.others.matched.clear();
        self.others.matched.extend(voters.iter().filter(|node| **node != me).map(matched));
        let count = voters.len();
        self.others.look(count, self.now.mono_us);
    }

    /// Whether what this leader appends will be committed without it, and not much later, if all goes on as it
    /// does: the others alone have everything that is committed.
    pub(super) fn others_suffice(&self) -> bool {
        let conf_state = self.raft.store().conf_state();
        let is_joint = !conf_state.voters_outgoing.is_empty();
        let is_even = self.others.lag_us <= self.config.others_lag_us as f64;
        !is_joint && is_even && self.others.alone >= self.raft.raft.raft_log.committed
    }
}
