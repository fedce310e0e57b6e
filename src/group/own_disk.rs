//! What this node's own disk has of the log, and how a leader gets ahead of it: what a majority of the others hold on
//! theirs is committed, whether or not the leader's own write has ended (Raft thesis, section 10.2.1). So it is applied
//! and answered, and nobody waits for the leader's write, which can share its sync with those that follow.
//! This module must never count towards a majority what is not on this disk, nor let the leader get so far ahead
//! that what waits for its disk has no bound.

use super::{Group, Persist};
use crate::limits;
use std::collections::VecDeque;

/// A persist that is not on disk yet.
#[derive(Debug)]
struct Waiting {
    number: u64,
    /// It holds a new term or vote.
    is_new_term: bool,
    /// Where the log ends once it is written, if it changes that.
    ends_at: Option<u64>,
    bytes: usize,
}

/// See the module's text.
#[derive(Debug)]
pub struct OwnDisk {
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// As far as the log that this node holds now is on its disk.
    durable: u64,
}

impl OwnDisk {
    /// Of a node whose disk holds a log up to `durable`.
    pub fn new(durable: u64) -> Self {
        Self { waiting: VecDeque::new(), waiting_bytes: 0, durable }
    }

    /// This goes to the disk now.
    pub fn asked(&mut self, persist: &Persist, is_new_term: bool) {
        let log = &persist.log;
        let first = log.entries.first().map(|entry| entry.index);
        // What was there from here on is no part of the log any more.
        let kept = if log.reset.is_some() { Some(0) } else { first.map(|first| first - 1) };
        if let Some(kept) = kept {
            self.durable = self.durable.min(kept);
            self.waiting.iter_mut().for_each(|it| it.ends_at = it.ends_at.map(|end| end.min(kept)));
        }
        let last = log.entries.last().map(|entry| entry.index);
        let ends_at = last.or(log.reset.map(|point| point.index));
        let bytes = log.entries.iter().map(|entry| size_of_val(entry) + entry.data.len()).sum();
        self.waiting_bytes += bytes;
        self.waiting.push_back(Waiting { number: persist.number, is_new_term, ends_at, bytes });
    }

    /// Everything up to this number is on disk.
    pub fn written(&mut self, number: u64) {
        while let Some(first) = self.waiting.front()
            && first.number <= number
        {
            self.waiting_bytes -= first.bytes;
            self.durable = first.ends_at.unwrap_or(self.durable);
            self.waiting.pop_front();
        }
    }

    /// Whether everything is on disk.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether a term or vote is not on disk yet.
    pub fn awaits_new_term(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.is_new_term)
    }

    /// The last entry of the log that is on disk, with all before it.
    pub fn durable(&self) -> u64 {
        self.durable
    }
}

impl Group {
    /// Whether this leader's disk need not keep up with the others'.
    fn may_be_ahead(&self) -> bool {
        let is_near = self.own_disk.waiting_bytes <= limits::AHEAD_OF_DISK_BYTES;
        self.is_leader() && is_near && !self.snapshots.waits_for_disk()
    }

    /// Lets raft-rs hand out what is committed without this node's disk; it waits for that otherwise. What this
    /// node itself counts for in a majority stays what its disk has.
    pub(super) fn get_ahead_of_disk(&mut self) {
        if self.may_be_ahead() {
            let log = &mut self.raft.raft.raft_log;
            let given_out = log.unstable.offset.saturating_sub(1);
            log.persisted = log.persisted.max(log.committed.min(given_out));
        }
    }

    /// Whether nobody waits for what this leader writes now.
    pub(super) fn own_write_can_wait(&self) -> bool {
        self.may_be_ahead() && self.others_suffice()
    }

    /// raft-rs has not counted what it took for persisted before it was.
    pub(super) fn count_own_disk(&mut self) {
        if !self.is_leader() {
            return;
        }
        let (me, durable) = (self.config.node_id, self.own_disk.durable());
        if let Some(progress) = self.raft.raft.mut_prs().get_mut(me) {
            progress.maybe_update(durable);
        }
    }
}
