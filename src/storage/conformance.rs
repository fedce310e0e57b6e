//! What every backend must do, asked of each through the traits alone, on real files.

use super::{
    DataDir, Expectations, LoadedLog, LogBase, LogBatch, LogStore, SnapshotStore, StorageKind, StoreError,
    Stores, open,
};
use crate::wire::proto::snapshot::Meta;
use bytes::Bytes;
use raft::eraftpb::{Entry, EntryType, HardState};

/// A node's storage in a temporary directory.
struct Bench {
    kind: StorageKind,
    root: tempfile::TempDir,
    open: Option<(DataDir, Stores)>,
}

impl Bench {
    fn new(kind: StorageKind) -> Self {
        let mut bench = Self { kind, root: tempfile::tempdir().unwrap(), open: None };
        bench.reopen();
        bench
    }

    fn is_durable(&self) -> bool {
        self.kind != StorageKind::Memory
    }

    fn reopen(&mut self) {
        if let Some((_, (log, _))) = self.open.take() {
            log.close().unwrap();
        }
        let expected = Expectations { node: 1, storage: self.kind, ..Default::default() };
        let dir = DataDir::open(&self.root.path().join("data"), &expected).unwrap();
        let stores = open(self.kind, &dir).unwrap();
        self.open = Some((dir, stores));
    }

    fn log(&mut self) -> &mut dyn LogStore {
        &mut *self.open.as_mut().unwrap().1.0
    }

    fn snapshots(&self) -> &dyn SnapshotStore {
        &*self.open.as_ref().unwrap().1.1
    }

    fn write(&mut self, batch: LogBatch) {
        self.log().write(&[(1, batch)]).unwrap();
    }

    /// The log is `expected`, now and, where it is durable, after a restart.
    fn check(&mut self, expected: &LoadedLog) {
        assert_eq!(self.log().load(1).unwrap(), *expected, "{}", self.kind);
        if self.is_durable() {
            self.reopen();
            assert_eq!(self.log().load(1).unwrap(), *expected, "{} after a restart", self.kind);
            assert_eq!(self.log().load(1).unwrap(), *expected, "{} when loaded again", self.kind);
        }
    }
}

fn on_all(test: impl Fn(&mut Bench)) {
    for kind in [StorageKind::File, StorageKind::Sled, StorageKind::Memory] {
        test(&mut Bench::new(kind));
    }
}

fn entry(index: u64, term: u64, size: usize) -> Entry {
    let data = Bytes::from(vec![(index * 31 + term) as u8; size]);
    Entry { index, term, data, ..Entry::default() }
}

fn entries(range: std::ops::RangeInclusive<u64>, term: u64) -> Vec<Entry> {
    range.map(|index| entry(index, term, 20)).collect()
}

fn batch(entries: Vec<Entry>) -> LogBatch {
    LogBatch { entries, ..LogBatch::default() }
}

fn hard_state(term: u64, vote: u64, commit: u64) -> HardState {
    HardState { term, vote, commit, ..HardState::default() }
}

fn log(entries: Vec<Entry>) -> LoadedLog {
    LoadedLog { entries, ..LoadedLog::default() }
}

#[test]
fn an_unknown_group_is_empty() {
    on_all(|bench| bench.check(&LoadedLog::default()));
}

#[test]
fn entries_come_back_as_they_were() {
    on_all(|bench| {
        let mut all = entries(1..=3, 1);
        all.push(Entry {
            entry_type: EntryType::EntryConfChangeV2,
            context: Bytes::from_static(b"context"),
            ..entry(4, 2, 0)
        });
        bench.write(batch(all[..2].to_vec()));
        bench.write(LogBatch { hard_state: Some(hard_state(2, 3, 1)), ..batch(all[2..].to_vec()) });
        bench.write(LogBatch::default());
        bench.check(&LoadedLog { hard_state: Some(hard_state(2, 3, 1)), ..log(all) });
    });
}

#[test]
fn a_hard_state_alone_and_again() {
    on_all(|bench| {
        for (term, vote, commit) in [(1, 0, 0), (1, 2, 0), (5, 0, 0), (5, 3, 9)] {
            let hard_state = hard_state(term, vote, commit);
            bench.write(LogBatch { hard_state: Some(hard_state.clone()), ..LogBatch::default() });
            bench.check(&LoadedLog { hard_state: Some(hard_state), ..LoadedLog::default() });
        }
    });
}

#[test]
fn a_conflict_replaces_the_rest_of_the_log() {
    on_all(|bench| {
        bench.write(batch(entries(1..=10, 1)));
        bench.write(batch(entries(11..=20, 1)));
        let mut expected = entries(1..=14, 1);
        expected.extend(entries(15..=16, 2));
        bench.write(batch(entries(15..=16, 2)));
        bench.check(&log(expected));
        // In the middle of the first pack, at its first entry, and twice in one write.
        let (first, second) = (batch(entries(5..=30, 3)), batch(entries(7..=8, 4)));
        bench.log().write(&[(1, first), (1, second)]).unwrap();
        let mut expected = entries(1..=4, 1);
        expected.extend(entries(5..=6, 3));
        expected.extend(entries(7..=8, 4));
        bench.check(&log(expected));
        bench.write(batch(entries(1..=1, 5)));
        bench.check(&log(entries(1..=1, 5)));
    });
}

#[test]
fn a_reset_forgets_the_log_and_keeps_the_hard_state() {
    on_all(|bench| {
        bench.write(LogBatch { hard_state: Some(hard_state(3, 1, 5)), ..batch(entries(1..=9, 3)) });
        let base = LogBase { index: 100, term: 3 };
        bench.write(LogBatch { reset: Some(base), ..LogBatch::default() });
        let hard_state = Some(hard_state(3, 1, 5));
        bench.check(&LoadedLog { hard_state: hard_state.clone(), base, entries: Vec::new() });
        bench.write(batch(entries(101..=103, 3)));
        let base = LogBase { index: 102, term: 3 };
        bench.write(LogBatch { reset: Some(base), ..batch(entries(103..=104, 4)) });
        bench.check(&LoadedLog { hard_state, base, entries: entries(103..=104, 4) });
    });
}

#[test]
fn compaction_moves_the_base() {
    on_all(|bench| {
        bench.write(LogBatch { hard_state: Some(hard_state(2, 1, 5)), ..batch(entries(1..=50, 1)) });
        bench.write(batch(entries(51..=60, 2)));
        let expected = |index, term| {
            let mut entries = entries(1..=50, 1);
            entries.extend(self::entries(51..=60, 2));
            entries.drain(..index as usize);
            LoadedLog { hard_state: Some(hard_state(2, 1, 5)), base: LogBase { index, term }, entries }
        };
        bench.log().compact(1, 0).unwrap();
        bench.check(&expected(0, 0));
        for (through, term) in [(1, 1), (37, 1), (50, 1), (55, 2), (60, 2)] {
            bench.log().compact(1, through).unwrap();
            bench.log().compact(1, through - 1).unwrap();
            bench.check(&expected(through, term));
        }
        bench.write(batch(entries(61..=62, 2)));
        let base = LogBase { index: 60, term: 2 };
        bench.check(&LoadedLog { hard_state: Some(hard_state(2, 1, 5)), base, entries: entries(61..=62, 2) });
    });
}

#[test]
fn many_small_writes_with_compaction() {
    on_all(|bench| {
        for index in 1..=3000 {
            bench.write(batch(vec![entry(index, 1, 50)]));
            if index % 700 == 0 {
                bench.log().compact(1, index - 20).unwrap();
            }
        }
        let base = LogBase { index: 2780, term: 1 };
        let entries = (2781..=3000).map(|index| entry(index, 1, 50)).collect();
        bench.check(&LoadedLog { hard_state: None, base, entries });
    });
}

#[test]
fn large_entries_over_the_borders_of_segments() {
    on_all(|bench| {
        let mut all: Vec<Entry> = (1..=40).map(|index| entry(index, 1, (1 << 20) + index as usize)).collect();
        for entry in &all {
            bench.write(batch(vec![entry.clone()]));
        }
        all.push(entry(41, 1, 70 << 20));
        all.push(entry(42, 1, 10));
        bench.write(batch(all[40..].to_vec()));
        all.push(entry(43, 1, 10));
        bench.write(batch(all[42..].to_vec()));
        bench.check(&log(all.clone()));
        // A conflict right behind, and then right at, an entry that is split.
        bench.write(batch(vec![entry(42, 2, 7)]));
        all.truncate(41);
        all.push(entry(42, 2, 7));
        bench.check(&log(all.clone()));
        bench.write(batch(vec![entry(41, 3, 7)]));
        all.truncate(40);
        all.push(entry(41, 3, 7));
        bench.check(&log(all.clone()));
        bench.log().compact(1, 39).unwrap();
        bench.check(&LoadedLog {
            hard_state: None,
            base: LogBase { index: 39, term: 1 },
            entries: all[39..].to_vec(),
        });
    });
}

#[test]
fn groups_do_not_mix() {
    on_all(|bench| {
        let other = LogBatch { hard_state: Some(hard_state(9, 9, 9)), ..batch(entries(1..=5, 9)) };
        bench.log().write(&[(1, batch(entries(1..=3, 1))), (2, other.clone()), (256, other)]).unwrap();
        bench.log().compact(2, 4).unwrap();
        bench.check(&log(entries(1..=3, 1)));
        let second = bench.log().load(2).unwrap();
        if bench.is_durable() {
            bench.reopen();
        }
        assert_eq!(bench.log().load(2).unwrap(), second);
        assert_eq!((second.base.index, second.entries.len()), (4, 1));
        assert_eq!(bench.log().load(256).unwrap().entries, entries(1..=5, 9));
    });
}

#[test]
fn an_impossible_write_poisons() {
    on_all(|bench| {
        bench.write(batch(entries(1..=3, 1)));
        let error = bench.log().write(&[(1, batch(entries(5..=5, 1)))]).unwrap_err();
        assert!(matches!(error, StoreError::Impossible { group: 1, .. }));
        let again = bench.log().write(&[(1, batch(entries(4..=4, 1)))]).unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
        assert_eq!(bench.log().status().error, Some(error.to_string()));
    });
}

fn meta(group: u64, index: u64) -> Meta {
    let mut meta = Meta::default();
    meta.set_group(group);
    meta.set_index(index);
    meta.set_term(2);
    meta.set_voters(vec![1, 2, 3]);
    meta
}

fn latest(bench: &Bench, group: u64) -> Option<(Meta, Vec<Vec<u8>>)> {
    let mut reader = bench.snapshots().open_latest(group).unwrap()?;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next_chunk().unwrap() {
        chunks.push(chunk);
    }
    Some((reader.meta().clone(), chunks))
}

#[test]
fn snapshots() {
    on_all(|bench| {
        assert!(latest(bench, 1).is_none());
        let chunks = [vec![1; 300 << 10], vec![2; 1], vec![3; 9 << 20]];
        let mut writer = bench.snapshots().begin(&meta(1, 10)).unwrap();
        chunks.iter().for_each(|chunk| writer.append(chunk).unwrap());
        assert!(latest(bench, 1).is_none(), "not finished");
        writer.finish().unwrap();
        assert_eq!(latest(bench, 1), Some((meta(1, 10), chunks.to_vec())));

        let mut abandoned = bench.snapshots().begin(&meta(1, 20)).unwrap();
        abandoned.append(&[1]).unwrap();
        drop(abandoned);
        let mut reader = bench.snapshots().open_latest(1).unwrap().unwrap();
        let mut late = bench.snapshots().begin(&meta(1, 25)).unwrap();
        late.append(&[25]).unwrap();
        let mut writer = bench.snapshots().begin(&meta(1, 30)).unwrap();
        writer.append(&[4]).unwrap();
        writer.finish().unwrap();
        late.finish().unwrap();
        bench.snapshots().begin(&meta(2, 5)).unwrap().finish().unwrap();
        assert_eq!(reader.next_chunk().unwrap().as_ref(), Some(&chunks[0]), "readable after it was replaced");
        for _ in 0..2 {
            assert_eq!(latest(bench, 1), Some((meta(1, 30), vec![vec![4]])));
            assert_eq!(latest(bench, 2), Some((meta(2, 5), Vec::new())));
            if bench.is_durable() {
                bench.reopen();
            }
        }
    });
}
