//! The log on disk. Whatever lies there, it is a log without gaps or it is refused. After a
//! flipped bit it is the log that was written, or that without its last write (and without what
//! that let go of, if it was a compaction), or refused; after more damage everything in it was
//! at least there once: an end that is gone as a whole looks like one that was never written.

use crate::memory::MemoryDisk;
use crate::source::Source;
use bowline::storage::{Disk as _, LoadedLog, LogBase, LogBatch, LogStore, StoreError, open_on};
use bowline::wire::FIRST_GROUP;
use raft::eraftpb::{Entry, HardState};
use std::sync::Arc;

const INCARNATION: [u8; 16] = *b"fuzzed directory";
const SEGMENT_BYTES: u64 = 2048;
const HEADER_BYTES: u64 = 16;

fn open(disk: &MemoryDisk) -> Result<Box<dyn LogStore>, StoreError> {
    let snapshots = Arc::new(MemoryDisk::default());
    open_on(Box::new(disk.clone()), snapshots, &INCARNATION, SEGMENT_BYTES).map(|(log, _)| log)
}

fn segment_name(id: u64) -> String {
    format!("{id:016x}.segment")
}

/// Appends a record with any payload, whose checksums are right: see `storage/file/record.rs`.
fn put_record(segment: &mut Vec<u8>, id: u64, payload: &[u8]) {
    let seed = crc32c::crc32c_append(crc32c::crc32c(&INCARNATION), &id.to_le_bytes());
    let seed = crc32c::crc32c_append(seed, &(segment.len() as u64).to_le_bytes());
    let mut header = Vec::new();
    for word in [payload.len() as u32, crc32c::crc32c_append(seed, payload), 1] {
        header.extend_from_slice(&word.to_le_bytes());
    }
    header.extend_from_slice(&crc32c::crc32c_append(seed, &header).to_le_bytes());
    segment.extend_from_slice(&header);
    segment.extend_from_slice(payload);
    segment.resize(segment.len().next_multiple_of(8), 0);
}

/// Segments of records that nobody would write.
fn strange_segments(source: &mut Source<'_>) {
    let disk = MemoryDisk::default();
    let mut id = 1 + source.up_to(1) as u64;
    while !source.is_empty() && id < 6 {
        let mut segment = Vec::new();
        for _ in 0..source.up_to(4) {
            match source.up_to(9) {
                0 => segment.extend_from_slice(source.some_bytes()),
                1 => put_record(&mut segment, id + 1, source.some_bytes()),
                _ => put_record(&mut segment, id, source.some_bytes()),
            }
            segment.resize(segment.len().next_multiple_of(8), 0);
        }
        if source.up_to(3) == 0 {
            segment.resize(segment.len().max(SEGMENT_BYTES as usize), 0);
        }
        disk.put(&segment_name(id), segment);
        id += 1 + (source.byte() / 250) as u64;
    }
    let Ok(mut log) = open(&disk) else { return };
    let Ok(found) = log.load(FIRST_GROUP) else { return };
    let mut expected = found.base.index + 1..;
    assert!(found.entries.iter().all(|entry| Some(entry.index) == expected.next()), "a gap: {found:?}");
    drop(log);
    let mut log = open(&disk).expect("what was opened can be opened");
    assert_eq!(log.load(FIRST_GROUP).expect("read once"), found, "opened twice");
}

/// The log as it has to be.
#[derive(Clone, Default)]
struct Model {
    log: LoadedLog,
}

impl Model {
    fn last(&self) -> (u64, u64) {
        let base = (self.log.base.index, self.log.base.term);
        self.log.entries.last().map_or(base, |entry| (entry.index, entry.term))
    }

    fn batch(&self, source: &mut Source<'_>) -> LogBatch {
        let mut batch = LogBatch::default();
        let what = source.byte();
        let (last, term) = self.last();
        let mut first = last + 1;
        if what & 1 != 0 {
            let term = self.log.hard_state.as_ref().map_or(0, |it| it.term) + u64::from(what >> 6);
            batch.hard_state = Some(HardState { term, vote: source.number(), ..HardState::default() });
        }
        if what & 14 == 14 {
            let base = LogBase { index: last + source.number() % 1000, term };
            first = base.index + 1;
            batch.reset = Some(base);
        } else if what & 48 == 48 {
            first -= (source.up_to(20) as u64).min(last - self.log.base.index);
        }
        let count = source.up_to(5) as u64;
        batch.entries = (first..first + count)
            .map(|index| {
                let data = source.some_bytes().repeat(1 + source.up_to(1) * source.up_to(40));
                Entry { index, term: term + 1, data: data.into(), ..Entry::default() }
            })
            .collect();
        batch
    }

    fn apply(&mut self, batch: &LogBatch) {
        self.log.hard_state = batch.hard_state.clone().or(self.log.hard_state.take());
        if let Some(base) = batch.reset {
            self.log.base = base;
            self.log.entries.clear();
        }
        if let Some(first) = batch.entries.first() {
            self.log.entries.retain(|entry| entry.index < first.index);
            self.log.entries.extend(batch.entries.iter().cloned());
        }
    }

    fn compact(&mut self, through: u64) {
        let term = self.log.entries.iter().find(|entry| entry.index == through).expect("an entry").term;
        self.log.base = LogBase { index: through, term };
        self.log.entries.retain(|entry| entry.index > through);
    }
}

/// Writes, compacts, opens again; then damages a file.
fn written_log(source: &mut Source<'_>) {
    let disk = MemoryDisk::default();
    let mut log = open(&disk).expect("an empty directory");
    let mut model = Model::default();
    let mut history = vec![model.clone()];
    let mut ends_compacted = false;
    for _ in 0..60 {
        match source.up_to(11) {
            0 => {
                log = open(&disk).expect("nothing is wrong with it");
                assert_eq!(log.load(FIRST_GROUP).expect("nor with that"), model.log, "opened again");
            }
            1 | 2 if !model.log.entries.is_empty() => {
                let through = model.log.base.index + 1 + source.up_to(model.log.entries.len() - 1) as u64;
                log.compact(FIRST_GROUP, through).expect("it is in the log");
                model.compact(through);
                history.push(model.clone());
                ends_compacted = true;
            }
            _ if source.is_empty() => break,
            _ => {
                let batch = model.batch(source);
                if !batch.is_empty() {
                    log.write(&[(FIRST_GROUP, batch.clone())]).expect("it follows");
                    model.apply(&batch);
                    history.push(model.clone());
                    ends_compacted = false;
                }
            }
        }
    }
    assert_eq!(log.load(FIRST_GROUP).expect("nothing is wrong with it"), model.log, "while it is open");
    drop(log);
    let names = disk.list().expect("memory");
    let name = &names[source.up_to(names.len() - 1)];
    let how = source.byte();
    let (at, len) = (source.number() as usize, source.up_to(600));
    disk.change(name, |bytes| {
        let at = at % bytes.len().max(1);
        let to = bytes.len().min(at + len);
        match how % 4 {
            0 => bytes[at..to].fill(0),
            1 if at < bytes.len() => bytes[at] ^= 1 << (how >> 5),
            2 => bytes.truncate(at.max(HEADER_BYTES as usize)),
            _ => {}
        }
    });
    let Ok(mut log) = open(&disk) else { return };
    let found = log.load(FIRST_GROUP).expect("it was opened");
    if how % 4 == 1 {
        let mut possible: Vec<LoadedLog> = history.iter().rev().take(2).map(|it| it.log.clone()).collect();
        if let Some(before) = possible.get(1).filter(|_| ends_compacted) {
            // The files of what was let go of are gone: there is a snapshot in its place.
            possible.push(LoadedLog { entries: Vec::new(), ..before.clone() });
        }
        assert!(possible.contains(&found), "{found:?} was not at the end: {:?}", model.log);
    }
    let was_there = |part: &dyn Fn(&LoadedLog) -> bool| history.iter().any(|model| part(&model.log));
    assert!(was_there(&|log| log.hard_state == found.hard_state && log.base == found.base), "{found:?}");
    for (entry, index) in found.entries.iter().zip(found.base.index + 1..) {
        assert!(entry.index == index && was_there(&|log| log.entries.contains(entry)), "{entry:?}");
    }
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    if source.byte() & 1 == 0 { strange_segments(&mut source) } else { written_log(&mut source) }
}
