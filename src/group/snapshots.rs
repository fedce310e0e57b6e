//! When a snapshot is taken, what it means that one is stored, fetched or sent, and how much
//! of the log is kept. Walking the keys costs the caller a chunk at a time.

use super::{Group, LogPoint, SnapshotPoint};
use crate::limits;
use crate::machine::Machine;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer;
use raft::eraftpb::{ConfState, Entry, Message};
use raft::{ProgressState, SnapshotStatus};

/// What the group knows of its snapshots.
pub struct Snapshots {
    /// The one being walked.
    walking: Option<SnapshotPoint>,
    /// The state's revision in it.
    walking_revision: u64,
    first_chunk: Option<Vec<u8>>,
    /// The newest on disk.
    stored_index: u64,
    /// The state's revision in it.
    stored_revision: u64,
    stored_bytes: u64,
    /// Log since the last one was due.
    log_bytes: i64,
    /// A leader's, restored, while Raft decides whether to take it.
    fetched: Option<(u64, Machine, u64)>,
    total: u64,
    /// By an operator.
    demanded: bool,
    /// One is due, of entries that are not all on this node's disk.
    waits_for_disk: bool,
    /// Values of this length come in pieces.
    pub long_bytes: usize,
}

impl Snapshots {
    pub fn new(stored_index: u64, stored_revision: u64, stored_bytes: u64, log_bytes: u64) -> Self {
        Self {
            walking: None,
            walking_revision: 0,
            first_chunk: None,
            stored_index,
            stored_revision,
            stored_bytes,
            log_bytes: log_bytes as i64,
            fetched: None,
            total: 0,
            demanded: false,
            waits_for_disk: false,
            long_bytes: limits::SNAPSHOT_LONG_BYTES,
        }
    }

    /// One is wanted now, however short the log is.
    pub fn demand(&mut self) {
        self.demanded = true;
    }

    pub fn is_walking(&self) -> bool {
        self.walking.is_some()
    }

    /// Whether the next one waits for this node's disk to have what it would hold.
    pub fn waits_for_disk(&self) -> bool {
        self.waits_for_disk
    }

    pub fn stored_index(&self) -> u64 {
        self.stored_index
    }

    /// The state's revision in the newest on disk.
    pub fn stored_revision(&self) -> u64 {
        self.stored_revision
    }

    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn log_grew(&mut self, entries: &[Entry]) {
        self.log_bytes += entries.iter().map(|entry| entry.data.len() as i64 + 32).sum::<i64>();
    }

    pub fn failed(&mut self, machine: &mut Machine) {
        if self.walking.take().is_some() {
            machine.snapshot_abort();
        }
    }

    pub fn take_fetched(&mut self, index: u64) -> Option<(Machine, u64)> {
        let (_, machine, size_bytes) = self.fetched.take_if(|(fetched, ..)| *fetched == index)?;
        Some((machine, size_bytes))
    }

    pub fn installed(&mut self, index: u64, revision: u64, size_bytes: u64) {
        self.walking = None;
        self.first_chunk = None;
        self.stored_index = index;
        self.stored_revision = revision;
        self.stored_bytes = size_bytes;
        self.log_bytes = 0;
    }
}

impl Group {
    /// Begins a snapshot when the log has grown by more than the last one's size (and by the
    /// least that makes one worth while), or when a follower needs one.
    pub(super) fn maybe_snapshot(&mut self) {
        let wanted = self.raft.store().take_snapshot_wanted();
        let due_bytes = self.snapshot_due_bytes();
        let is_due = self.snapshots.log_bytes >= due_bytes / 2
            && self.snapshots.log_bytes >= due_bytes - self.snapshot_earlier_bytes(due_bytes);
        let index = self.applied();
        let wanted = wanted || (self.snapshots.demanded && !self.snapshots.is_walking());
        self.snapshots.waits_for_disk = false;
        if (is_due || wanted) && !self.snapshots.is_walking() && index > self.snapshots.stored_index {
            // Its log must not end before it.
            self.snapshots.waits_for_disk = self.own_disk.durable() < index;
            if self.snapshots.waits_for_disk {
                self.snapshots.demanded |= wanted;
                return;
            }
            // Who was early is not earlier still with the next.
            let rest_bytes = if is_due { (self.snapshots.log_bytes - due_bytes).min(0) } else { 0 };
            self.begin_snapshot(index);
            self.snapshots.log_bytes = rest_bytes;
        }
    }

    /// Log after which a snapshot is due.
    fn snapshot_due_bytes(&self) -> i64 {
        self.config.snapshot_min_log_bytes.max(self.snapshots.stored_bytes) as i64
    }

    /// By how much less log this node begins: the members of a group have the same log, and would all
    /// be slower at the same time. The leader, for which every write waits, is the last.
    fn snapshot_earlier_bytes(&self, due_bytes: i64) -> i64 {
        if self.is_leader() {
            return 0;
        }
        let conf_state = self.raft.store().conf_state();
        let leader = self.leader();
        let others = conf_state.voters.iter().chain(&conf_state.learners);
        let before = others.filter(|&&node| node != leader && node < self.config.node_id).count();
        due_bytes / 8 * (before as i64 + 1).min(4)
    }

    /// Whether the log has grown so much since the snapshot under way has begun that the next is due.
    pub fn snapshot_is_late(&self) -> bool {
        self.snapshots.is_walking() && self.snapshots.log_bytes >= self.snapshot_due_bytes()
    }

    fn begin_snapshot(&mut self, index: u64) {
        let Some(term) = self.raft.store().term_at(index) else { return };
        let mut conf_state = self.raft.store().conf_state().clone();
        if mutant::is(Mutant::SnapshotWithoutMembership) {
            conf_state = ConfState::default();
        }
        let begun = SnapshotPoint { point: LogPoint { index, term }, conf_state };
        self.snapshots.demanded = false;
        self.snapshots.walking_revision = self.machine.keyspace().revision();
        self.machine.set_long_values(self.snapshots.long_bytes);
        self.snapshots.first_chunk = Some(self.machine.snapshot_begin());
        self.snapshots.walking = Some(begun.clone());
        self.effects.start_snapshot = Some(begun);
    }

    /// Makes the state anew from a snapshot of it, which is held in memory; see [`Machine::reload`].
    pub fn reload(&mut self) -> Result<(), String> {
        self.note_events(0);
        self.machine.reload()?;
        self.machine.set_touches(self.touches_wanted);
        self.machine.set_propagates(self.propagates_wanted);
        Ok(())
    }

    /// The next chunk of the snapshot begun last, of about `target_bytes`; none after its last.
    pub fn snapshot_chunk(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        self.snapshots.walking.as_ref()?;
        self.snapshots.first_chunk.take().or_else(|| self.machine.snapshot_next(target_bytes))
    }

    pub(super) fn snapshot_stored(&mut self, index: u64, size_bytes: u64) {
        let Some(stored) = self.snapshots.walking.take_if(|walking| walking.point.index == index) else {
            return;
        };
        self.snapshots.stored_index = index;
        self.snapshots.stored_revision = self.snapshots.walking_revision;
        self.snapshots.stored_bytes = size_bytes;
        self.snapshots.total += 1;
        self.raft.mut_store().snapshot_stored(stored);
        self.effects.compact = Some(index + u64::from(mutant::is(Mutant::CompactionOffByOne)));
    }

    pub(super) fn snapshot_fetched(&mut self, message: Message, machine: Machine, size_bytes: u64) {
        let index = message.get_snapshot().get_metadata().index;
        let is_ours = index > self.applied() && message.to == self.config.node_id;
        if is_ours {
            let _ = self.raft.step(message);
        }
        if is_ours && self.raft.snap().is_some_and(|taken| taken.get_metadata().index == index) {
            self.snapshots.fetched = Some((index, machine, size_bytes));
        } else {
            self.effects.retired.push(machine);
        }
    }

    pub(super) fn snapshot_sent(&mut self, to: NodeId, ok: bool) {
        let status = if ok { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raft.report_snapshot(to, status);
    }

    /// Keeps the log in memory within its bound. What followers that answer still lack stays, and what a
    /// snapshot on its way to them does not hold, up to a second bound; beyond that they get a newer one.
    pub(super) fn trim_log(&mut self) {
        let size_bytes = self.raft.store().size_bytes();
        if size_bytes <= self.config.log_cache_bytes {
            return;
        }
        let mut through = self.applied();
        if self.is_leader() && size_bytes <= self.log_held_bytes() {
            for (&node, progress) in self.raft.raft.prs().iter() {
                if progress.state == ProgressState::Snapshot {
                    through = through.min(progress.pending_snapshot);
                } else if self.has_answered_within(node, limits::LOG_HELD_ELECTIONS) {
                    // Also while a snapshot is made for it: that serves only if the log follows it without a gap.
                    through = through.min(progress.matched);
                }
            }
        }
        // Half at a time, so that not every entry trims.
        let keep_bytes = self.config.log_cache_bytes / 2;
        self.raft.mut_store().trim_to_size(through, keep_bytes);
    }

    /// To make a snapshot, to send it and to restore it takes as long as it is large, and the log goes on meanwhile.
    fn log_held_bytes(&self) -> usize {
        self.config.log_held_bytes.max(self.snapshots.stored_bytes as usize)
    }

    /// Asks the leader, this node or another, to hand leadership to `to`; in vain if it is no voter.
    pub(super) fn transfer_leader(&mut self, to: NodeId) {
        let leader = self.leader();
        if self.is_leader() {
            if self.raft.store().conf_state().voters.contains(&to) {
                self.raft.transfer_leader(to);
            }
        } else if leader != 0 {
            let message = peer::TransferLeader { to, ..Default::default() };
            self.effects.send_now.push((leader, PeerMessage::TransferLeader(message)));
        }
    }

    /// Hands leadership to the voter that has most of the log.
    pub(super) fn step_down(&mut self) {
        if !self.is_leader() {
            return;
        }
        if let Some(successor) = self.successor() {
            self.raft.transfer_leader(successor);
        }
    }
}
