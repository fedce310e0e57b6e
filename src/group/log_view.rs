//! The log as Raft reads it: all in memory (etcd's arrangement), so that raft-rs's `Storage`
//! can neither block nor fail. Disk is written elsewhere, and read only at the start. This
//! module must never hold more than its bound when followers do not need it.

use crate::wire::NodeId;
use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};
use std::cell::Cell;
use std::collections::VecDeque;

/// What an entry costs in memory beside its data.
const ENTRY_OVERHEAD_BYTES: usize = 192;
/// One that shares its buffer with few others.
const LONG_ENTRY_BYTES: usize = 16 << 10;

/// A point of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogPoint {
    /// The entry's index.
    pub index: u64,
    /// The entry's term.
    pub term: u64,
}

/// The newest snapshot on disk, as far as Raft has to know it.
#[derive(Debug, Clone, Default)]
pub struct SnapshotPoint {
    /// The last entry that it holds.
    pub point: LogPoint,
    /// The membership there.
    pub conf_state: ConfState,
}

/// The in-memory log.
pub struct LogView {
    hard_state: HardState,
    conf_state: ConfState,
    /// The log starts after this point.
    base: LogPoint,
    entries: VecDeque<Entry>,
    bytes: usize,
    snapshot: SnapshotPoint,
    /// A follower needs entries that are gone, and no snapshot on disk reaches what is left.
    snapshot_wanted: Cell<bool>,
}

fn holds(conf_state: &ConfState, node: NodeId) -> bool {
    let ids = [&conf_state.voters, &conf_state.learners, &conf_state.voters_outgoing];
    ids.iter().any(|ids| ids.contains(&node))
}

/// A long entry has the buffer that it came in for itself, which is some larger.
fn cost_bytes(entry: &Entry) -> usize {
    let len = entry.data.len() + entry.context.len();
    let spare = if len < LONG_ENTRY_BYTES { 0 } else { len / 4 };
    len + spare + ENTRY_OVERHEAD_BYTES
}

impl LogView {
    /// The log that follows `snapshot`. `conf_state` is the membership at that point.
    pub fn new(hard_state: HardState, snapshot: SnapshotPoint, entries: Vec<Entry>) -> Self {
        let mut view = Self {
            hard_state,
            conf_state: snapshot.conf_state.clone(),
            base: snapshot.point,
            entries: VecDeque::new(),
            bytes: 0,
            snapshot,
            snapshot_wanted: Cell::new(false),
        };
        view.append(&entries);
        let last = view.last();
        view.hard_state.commit = view.hard_state.commit.max(view.base.index).min(last.index);
        view.hard_state.term = view.hard_state.term.max(last.term);
        view
    }

    /// The last entry, or the base when there is none.
    pub fn last(&self) -> LogPoint {
        self.entries.back().map_or(self.base, |entry| LogPoint { index: entry.index, term: entry.term })
    }

    /// The index of the first entry still here.
    pub fn first(&self) -> u64 {
        self.base.index + 1
    }

    /// The newest snapshot on disk.
    pub fn snapshot_point(&self) -> &SnapshotPoint {
        &self.snapshot
    }

    /// Memory that the entries take, about.
    pub fn size_bytes(&self) -> usize {
        self.bytes
    }

    /// What the log's hard state is now.
    pub fn hard_state(&self) -> &HardState {
        &self.hard_state
    }

    /// Replaces the hard state.
    pub fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    /// The membership as of the last applied entry.
    pub fn conf_state(&self) -> &ConfState {
        &self.conf_state
    }

    /// Replaces the membership.
    pub fn set_conf_state(&mut self, conf_state: ConfState) {
        self.conf_state = conf_state;
    }

    /// Whether a snapshot was asked for and could not be given; clears the question.
    pub fn take_snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.take()
    }

    /// Appends entries, replacing everything from the first one's index on.
    pub fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            if let Some(entry) = self.entries.pop_back() {
                self.bytes -= cost_bytes(&entry);
            }
        }
        debug_assert_eq!(self.last().index + 1, first.index, "a gap in the log");
        for entry in entries {
            self.bytes += cost_bytes(entry);
            self.entries.push_back(entry.clone());
        }
    }

    /// Forgets entries up to `through`, which must be in the log.
    pub fn trim(&mut self, through: u64) {
        while self.entries.front().is_some_and(|entry| entry.index <= through) {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= cost_bytes(&entry);
                self.base = LogPoint { index: entry.index, term: entry.term };
            }
        }
    }

    /// Forgets entries up to `through` until no more than `keep_bytes` are left.
    pub fn trim_to_size(&mut self, through: u64, keep_bytes: usize) {
        let mut size_bytes = self.bytes;
        let mut last = self.base.index;
        for entry in self.entries.iter().take_while(|entry| entry.index <= through) {
            if size_bytes <= keep_bytes {
                break;
            }
            size_bytes -= cost_bytes(entry);
            last = entry.index;
        }
        self.trim(last);
    }

    /// A snapshot of this node's own is on disk now.
    pub fn snapshot_stored(&mut self, snapshot: SnapshotPoint) {
        if snapshot.point.index >= self.snapshot.point.index {
            self.snapshot = snapshot;
        }
    }

    /// A leader's snapshot takes the place of everything.
    pub fn install(&mut self, snapshot: SnapshotPoint) {
        self.entries.clear();
        self.bytes = 0;
        self.base = snapshot.point;
        self.conf_state = snapshot.conf_state.clone();
        self.hard_state.commit = self.hard_state.commit.max(snapshot.point.index);
        self.snapshot = snapshot;
    }

    /// Terms of entries, for the tests' comparison of logs.
    pub fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        let offset = index.checked_sub(self.first())?;
        self.entries.get(usize::try_from(offset).ok()?).map(|entry| entry.term)
    }
}

impl Storage for LogView {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard_state.clone(), conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low < self.first() {
            return Err(StorageError::Compacted.into());
        }
        if high > self.last().index + 1 {
            return Err(StorageError::Unavailable.into());
        }
        let start = (low - self.first()) as usize;
        let end = (high - self.first()) as usize;
        let limit = max_size.into().unwrap_or(u64::MAX);
        let mut taken = Vec::new();
        let mut size = 0u64;
        for entry in self.entries.range(start..end) {
            size += (entry.data.len() + entry.context.len() + 32) as u64;
            if size > limit && !taken.is_empty() {
                break;
            }
            taken.push(entry.clone());
        }
        Ok(taken)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.base.index {
            return Err(StorageError::Compacted.into());
        }
        self.term_at(index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.first())
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last().index)
    }

    fn snapshot(&self, request_index: u64, to: u64) -> raft::Result<Snapshot> {
        let SnapshotPoint { point, conf_state } = &self.snapshot;
        // It serves only when the log that is left follows it without a gap.
        let follows = point.index != 0 && point.index >= request_index && point.index >= self.base.index;
        // And a node takes none that is older than its own membership.
        if !follows || !holds(conf_state, to) {
            self.snapshot_wanted.set(true);
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        metadata.index = point.index;
        metadata.term = point.term;
        metadata.set_conf_state(conf_state.clone());
        Ok(snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64) -> Entry {
        Entry { index, term, data: vec![0; 10].into(), ..Default::default() }
    }

    fn indexes(view: &LogView, low: u64, high: u64, max: u64) -> Vec<(u64, u64)> {
        let entries = view.entries(low, high, max, GetEntriesContext::empty(false)).unwrap();
        entries.iter().map(|e| (e.index, e.term)).collect()
    }

    #[test]
    fn a_conflict_replaces_the_tail_and_the_bytes_follow() {
        let mut view = LogView::new(HardState::default(), SnapshotPoint::default(), vec![]);
        view.append(&[entry(1, 1), entry(2, 1), entry(3, 1)]);
        view.append(&[entry(2, 2)]);
        assert_eq!(indexes(&view, 1, 3, u64::MAX), [(1, 1), (2, 2)]);
        assert_eq!(view.size_bytes(), 2 * (10 + ENTRY_OVERHEAD_BYTES));
        view.trim(1);
        assert_eq!((view.first(), view.term(1).unwrap()), (2, 1));
        assert!(view.term(0).is_err());
        assert!(view.entries(1, 2, None, GetEntriesContext::empty(false)).is_err());
        assert_eq!(view.size_bytes(), 10 + ENTRY_OVERHEAD_BYTES);
    }

    #[test]
    fn a_size_limit_still_gives_one_entry() {
        let entries = (1..=5).map(|i| entry(i, 1)).collect();
        let view = LogView::new(HardState::default(), SnapshotPoint::default(), entries);
        assert_eq!(indexes(&view, 2, 6, 0), [(2, 1)]);
        assert_eq!(indexes(&view, 2, 6, 90), [(2, 1), (3, 1)]);
    }

    #[test]
    fn a_snapshot_behind_the_log_is_asked_for_anew() {
        let entries = (1..=5).map(|i| entry(i, 1)).collect();
        let mut view = LogView::new(HardState::default(), SnapshotPoint::default(), entries);
        assert!(view.snapshot(0, 2).is_err());
        assert!(view.take_snapshot_wanted());
        let conf_state = ConfState { voters: vec![1, 2], ..Default::default() };
        let at = |index| SnapshotPoint { point: LogPoint { index, term: 1 }, conf_state: conf_state.clone() };
        view.snapshot_stored(at(3));
        assert_eq!(view.snapshot(0, 2).unwrap().get_metadata().index, 3);
        assert!(view.snapshot(0, 3).is_err(), "node 3 was added later, and would not take it");
        assert!(view.take_snapshot_wanted());
        view.trim(4);
        assert!(view.snapshot(0, 2).is_err(), "entry 4 is neither in the snapshot nor in the log");
        view.snapshot_stored(at(4));
        assert!(view.snapshot(0, 2).is_ok());
        view.install(at(9));
        assert_eq!((view.first(), view.last().index, view.hard_state().commit), (10, 9, 9));
    }
}
