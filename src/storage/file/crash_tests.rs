//! The file log and the snapshots on a disk that loses power, fills up and fails to sync.

use super::super::disk::sim::{Failure, SimDisk};
use super::super::memory::MemoryLog;
use super::super::snapshot_file::SnapshotFiles;
use super::super::{LoadedLog, LogBase, LogBatch, LogStore, SnapshotStore, StoreError};
use super::FileLog;
use crate::wire::GroupId;
use crate::wire::proto::snapshot::Meta;
use bytes::Bytes;
use raft::eraftpb::{Entry, HardState};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::Arc;

const SALT: &[u8] = b"an incarnation..";
const SEGMENT_BYTES: u64 = 8 << 10;
const GROUPS: [GroupId; 2] = [1, 7];

fn open(disk: &SimDisk) -> Result<FileLog, StoreError> {
    FileLog::open(Box::new(disk.clone()), SALT, SEGMENT_BYTES)
}

fn logs(store: &mut dyn LogStore) -> Vec<LoadedLog> {
    GROUPS.iter().map(|&group| store.load(group).unwrap()).collect()
}

#[derive(Debug)]
enum Operation {
    Write(Vec<(GroupId, LogBatch)>),
    Compact(GroupId, u64),
}

fn perform(store: &mut dyn LogStore, operation: &Operation) -> Result<(), StoreError> {
    match operation {
        Operation::Write(batches) => store.write(batches),
        Operation::Compact(group, through) => store.compact(*group, *through),
    }
}

fn entries(rng: &mut SmallRng, first: u64, term: u64) -> Vec<Entry> {
    let count = rng.random_range(1..6);
    let size = [10, 200, 1000, 5000, 12_000][rng.random_range(0..5)];
    let entry = |index| {
        let data = vec![rng.random(); rng.random_range(0..size)];
        Entry { index, term, data: Bytes::from(data), ..Entry::default() }
    };
    (first..first + count).map(entry).collect()
}

/// Something that Raft might write to a log that looks like `log`.
fn batch(rng: &mut SmallRng, log: &LoadedLog) -> LogBatch {
    let last = log.base.index + log.entries.len() as u64;
    let hard_state = log.hard_state.clone().unwrap_or_default();
    let last_term = log.entries.last().map_or(log.base.term, |entry| entry.term);
    let term = hard_state.term.max(last_term) + rng.random_range(0..2);
    let mut batch = LogBatch::default();
    if rng.random_bool(0.4) {
        let commit = hard_state.commit + rng.random_range(0..3);
        batch.hard_state =
            Some(HardState { term, vote: rng.random_range(0..4), commit, ..HardState::default() });
    }
    let mut first = last + 1;
    if rng.random_bool(0.03) {
        let base = LogBase { index: last + rng.random_range(0..20), term };
        batch.reset = Some(base);
        first = base.index + 1;
    } else if rng.random_bool(0.1) {
        first = rng.random_range(log.base.index + 1..=last + 1);
    }
    if rng.random_bool(0.85) {
        batch.entries = entries(rng, first, term.max(1));
    }
    batch
}

fn operation(rng: &mut SmallRng, model: &mut MemoryLog) -> Operation {
    let group = GROUPS[rng.random_range(0..2)];
    let log = model.load(group).unwrap();
    if rng.random_bool(0.08) && !log.entries.is_empty() {
        let through = log.base.index + rng.random_range(1..=log.entries.len() as u64);
        return Operation::Compact(group, through);
    }
    let mut batches = vec![(group, batch(rng, &log))];
    if rng.random_bool(0.3) {
        let other = GROUPS.into_iter().find(|it| *it != group).unwrap();
        batches.push((other, batch(rng, &model.load(other).unwrap())));
    }
    Operation::Write(batches)
}

/// Runs one disk through several lives; every life ends with a failure at a random operation.
fn run(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let disk = SimDisk::new(seed);
    let mut model = MemoryLog::default();
    for life in 0..6 {
        let mut store = match open(&disk) {
            Ok(store) => store,
            Err(error) => panic!("seed {seed}, life {life}: {error}"),
        };
        assert_eq!(logs(&mut store), logs(&mut model), "seed {seed}, life {life}: just opened");
        let failure =
            [Failure::Crash, Failure::Crash, Failure::NoSpace, Failure::SyncFails][rng.random_range(0..4)];
        disk.plan(rng.random_range(1..120), failure);
        let mut pending = model.clone();
        let error = loop {
            let operation = operation(&mut rng, &mut model);
            perform(&mut pending, &operation).unwrap();
            match perform(&mut store, &operation) {
                Ok(()) => model = pending.clone(),
                Err(error) => break error,
            }
        };
        // Poisoned: whatever comes next gets the first error.
        let again =
            store.write(&[(1, LogBatch { hard_state: Some(HardState::default()), ..LogBatch::default() })]);
        assert_eq!(again.unwrap_err().to_string(), error.to_string(), "seed {seed}, life {life}");
        assert_eq!(store.load(1).unwrap_err().to_string(), error.to_string());
        drop(store);
        if failure == Failure::Crash || rng.random_bool(0.5) {
            disk.restart();
        } else {
            // Only the process ends; the page cache stays.
            disk.reopen();
        }
        // Sometimes the next start is interrupted as well.
        if rng.random_bool(0.3) {
            disk.plan(rng.random_range(1..6), Failure::Crash);
            drop(open(&disk));
            disk.restart();
        }
        let mut store = match open(&disk) {
            Ok(store) => store,
            Err(error) => panic!("seed {seed}, life {life}: {error}"),
        };
        let found = logs(&mut store);
        if found != logs(&mut model) {
            assert_eq!(
                found,
                logs(&mut pending),
                "seed {seed}, life {life}: neither before nor after the last write"
            );
            model = pending;
        }
        // What was found once stays: also if the power goes now.
        drop(store);
        disk.restart();
    }
}

#[test]
fn whatever_was_acknowledged_is_there_after_any_crash() {
    let seeds = std::env::var("SEEDS").map_or(300, |seeds| seeds.parse().unwrap());
    (0..seeds).for_each(run);
}

fn numbered(range: std::ops::RangeInclusive<u64>, size: usize) -> LogBatch {
    let entry =
        |index| Entry { index, term: 1, data: Bytes::from(vec![index as u8; size]), ..Entry::default() };
    LogBatch { entries: range.map(entry).collect(), ..LogBatch::default() }
}

/// 40 records in several segments: the disk, and where each record begins (segment, offset).
fn filled() -> (SimDisk, Vec<(String, usize)>) {
    let disk = SimDisk::new(1);
    let mut store = open(&disk).unwrap();
    let mut places = Vec::new();
    for index in 1..=40 {
        let before = store.active.as_ref().map(|(segment, _)| (segment.name.clone(), segment.used as usize));
        store.write(&[(1, numbered(index..=index, 700))]).unwrap();
        let name = store.active.as_ref().unwrap().0.name.clone();
        places.push(before.filter(|before| before.0 == name).unwrap_or((name, 0)));
    }
    drop(store);
    (disk, places)
}

#[test]
fn a_flipped_bit_before_the_last_record_is_refused_and_told_where() {
    let (_, places) = filled();
    assert!(places.iter().filter(|place| place.1 == 0).count() > 2, "several segments");
    for (index, (name, start)) in places.iter().enumerate().take(39) {
        for offset in [0, 3, 4, 8, 12, 16, 20, 400, 715] {
            let (disk, _) = filled();
            disk.flip(name, start + offset, (index % 8) as u8);
            let Err(error) = open(&disk) else { panic!("entry {}, byte {offset} went unnoticed", index + 1) };
            let StoreError::Corrupt { path, offset: told, .. } = &error else { panic!("{error}") };
            assert!(path.ends_with(name), "{error}");
            assert_eq!(*told, *start as u64, "{error}");
        }
    }
}

#[test]
fn a_bad_last_record_is_cut_and_written_over() {
    let (_, places) = filled();
    let (name, start) = places.last().unwrap();
    for offset in (0..716).step_by(5) {
        let (disk, _) = filled();
        disk.flip(name, start + offset, (offset % 8) as u8);
        let mut store = open(&disk).unwrap();
        assert_eq!(store.load(1).unwrap().entries.len(), 39);
        store.write(&[(1, numbered(40..=41, 10))]).unwrap();
        drop(store);
        disk.restart();
        let log = open(&disk).unwrap().load(1).unwrap();
        assert_eq!(log.entries[39..], numbered(40..=41, 10).entries);
    }
}

#[test]
fn a_missing_segment_is_refused() {
    let (_, places) = filled();
    let firsts: Vec<_> = places.iter().filter(|place| place.1 == 0).collect();
    for (name, _) in &firsts[..firsts.len() - 1] {
        let (disk, _) = filled();
        super::Disk::remove(&disk, name).unwrap();
        assert!(matches!(open(&disk), Err(StoreError::Corrupt { .. })), "{name}");
    }
}

#[test]
fn segments_of_another_directory_are_not_read() {
    let (disk, _) = filled();
    assert!(FileLog::open(Box::new(disk), b"another salt", SEGMENT_BYTES).is_err());
}

#[test]
fn compaction_recycles_segments_and_keeps_the_hard_state() {
    let (disk, _) = filled();
    let mut store = open(&disk).unwrap();
    let hard_state = HardState { term: 1, vote: 2, commit: 30, ..HardState::default() };
    store.write(&[(7, LogBatch { hard_state: Some(hard_state.clone()), ..LogBatch::default() })]).unwrap();
    for index in 41..=2000 {
        store.write(&[(1, numbered(index..=index, 300))]).unwrap();
        if index % 50 == 0 {
            store.compact(1, index - 10).unwrap();
        }
    }
    let status = store.status();
    assert!(status.files <= 10, "{status:?}");
    drop(store);
    disk.restart();
    let mut store = open(&disk).unwrap();
    assert_eq!(store.load(7).unwrap().hard_state, Some(hard_state));
    let log = store.load(1).unwrap();
    assert_eq!((log.base, log.entries.len()), (LogBase { index: 1990, term: 1 }, 10));
}

fn meta(index: u64) -> Meta {
    let mut meta = Meta::default();
    meta.set_group(1);
    meta.set_index(index);
    meta.set_term(3);
    meta
}

/// The latest snapshot's index and the number of its chunks, all of them verified.
fn latest(store: &SnapshotFiles) -> Result<Option<(u64, u64)>, StoreError> {
    let Some(mut reader) = store.open_latest(1)? else { return Ok(None) };
    let mut chunks = 0;
    while let Some(chunk) = reader.next_chunk()? {
        assert_eq!(chunk, vec![chunks as u8; 700]);
        chunks += 1;
    }
    Ok(Some((reader.meta().get_index(), chunks)))
}

fn write_snapshot(store: &SnapshotFiles, index: u64) -> Result<(), StoreError> {
    let mut writer = store.begin(&meta(index))?;
    for chunk in 0..index {
        writer.append(&vec![chunk as u8; 700])?;
    }
    writer.finish()
}

#[test]
fn a_finished_snapshot_survives_a_crash_at_any_operation_of_the_next() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let store = SnapshotFiles::open(Arc::new(disk.clone())).unwrap();
        write_snapshot(&store, 5).unwrap();
        let failure = [Failure::Crash, Failure::NoSpace, Failure::SyncFails][seed as usize % 3];
        disk.plan(1 + seed / 5, failure);
        let written = write_snapshot(&store, 8);
        drop(store);
        disk.restart();
        let store = SnapshotFiles::open(Arc::new(disk.clone())).unwrap();
        let found = latest(&store).unwrap().unwrap();
        assert!(found == (8, 8) || (found == (5, 5) && written.is_err()), "seed {seed}: {found:?}");
        assert_eq!(super::Disk::list(&disk).unwrap().len(), 1, "leftovers are removed");
    }
}

#[test]
fn every_flipped_bit_of_a_snapshot_is_an_error() {
    let disk = SimDisk::new(9);
    let store = SnapshotFiles::open(Arc::new(disk.clone())).unwrap();
    write_snapshot(&store, 3).unwrap();
    let name = super::Disk::list(&disk).unwrap().remove(0);
    let len = super::Disk::open(&disk, &name, false).unwrap().len().unwrap() as usize;
    let before = disk.operations();
    for offset in 0..len {
        disk.flip(&name, offset, (offset % 8) as u8);
        let error = latest(&store).expect_err("a flipped bit went unnoticed").to_string();
        assert!(error.contains(&name), "{error}");
        disk.flip(&name, offset, (offset % 8) as u8);
    }
    assert_eq!(disk.operations(), before, "reading changes nothing");
    assert_eq!(latest(&store).unwrap(), Some((3, 3)));
}
