//! Reads all segments of a log and tells a torn tail, which a crash may leave, from damage,
//! which nothing may leave. This module must never write: `inspect` runs it on a live log.
//!
//! Why a tail may be cut: every record is synced before the next is written, so a crash can
//! only tear the last one, and nothing valid can follow it. Every segment says how long the
//! one before it was, so a cut there is always noticed.

use super::super::disk::{Disk, read_all};
use super::super::{LoadedLog, LogBase, LogBatch, StoreError};
use super::record::{self, Found, Item, Seed};
use super::{SEGMENT_SUFFIX, SPARE_PREFIX};
use crate::wire::GroupId;
use bytes::Bytes;
use raft::eraftpb::{Entry, HardState};
use std::collections::{BTreeMap, VecDeque};

/// A segment with at least one valid record.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) id: u64,
    pub(super) name: String,
    /// Length of the file.
    pub(super) capacity: u64,
    /// Where the next record goes.
    pub(super) used: u64,
    /// The highest index of each group that is still needed from here.
    pub(super) last_index: BTreeMap<GroupId, u64>,
}

impl Segment {
    pub(super) fn new(id: u64, capacity: u64) -> Self {
        Self { id, name: segment_name(id), capacity, used: 0, last_index: BTreeMap::new() }
    }
}

/// The name of a segment's file.
pub(super) fn segment_name(id: u64) -> String {
    format!("{id:016x}{SEGMENT_SUFFIX}")
}

/// Everything that a log directory holds.
#[derive(Default)]
pub(super) struct Replayed {
    pub(super) segments: VecDeque<Segment>,
    /// Newest segments without a valid record: prepared, or torn in their first write.
    pub(super) empty: Vec<String>,
    /// Files for later segments.
    pub(super) spares: Vec<String>,
    /// Offset and bytes of the last record.
    pub(super) tail: Option<(u64, Bytes)>,
    pub(super) groups: BTreeMap<GroupId, Group>,
}

/// A group's log as far as it has been read.
#[derive(Default)]
pub(super) struct Group {
    hard_state: Option<HardState>,
    base: LogBase,
    entries: VecDeque<Entry>,
}

impl Group {
    /// The finished log.
    pub(super) fn into_log(self) -> LoadedLog {
        LoadedLog { hard_state: self.hard_state, base: self.base, entries: self.entries.into() }
    }

    fn apply_state(&mut self, state: LogBatch) {
        self.hard_state = state.hard_state.or(self.hard_state.take());
        self.base = state.reset.unwrap_or(self.base);
        while self.entries.front().is_some_and(|entry| entry.index <= self.base.index) {
            self.entries.pop_front();
        }
    }

    fn apply_batch(&mut self, batch: LogBatch) {
        self.hard_state = batch.hard_state.or(self.hard_state.take());
        if let Some(base) = batch.reset {
            self.entries.clear();
            self.base = base;
        }
        let Some(first) = batch.entries.first().map(|entry| entry.index) else { return };
        while self.entries.back().is_some_and(|entry| entry.index >= first) {
            self.entries.pop_back();
        }
        // Segments from the front are dropped once they are compacted: what is left may start
        // anywhere up to the base. `check` sees to it that it does.
        if self.entries.back().is_some_and(|entry| entry.index + 1 != first) {
            self.entries.clear();
        }
        self.entries.extend(batch.entries);
        while self.entries.front().is_some_and(|entry| entry.index <= self.base.index) {
            self.entries.pop_front();
        }
    }
}

/// Reads the log of a directory, whose records were written with `salt`.
pub(super) fn replay(disk: &dyn Disk, salt: &[u8]) -> Result<Replayed, StoreError> {
    let mut log = Replayed::default();
    let names = disk.list().map_err(|source| StoreError::io("list", disk.path(), source))?;
    let mut live: Vec<(u64, String)> = Vec::new();
    for name in names {
        if name.starts_with(SPARE_PREFIX) {
            log.spares.push(name);
        } else if let Some(id) =
            name.strip_suffix(SEGMENT_SUFFIX).and_then(|id| u64::from_str_radix(id, 16).ok())
        {
            live.push((id, name));
        }
    }
    live.sort();
    let mut empty_path = None;
    for (id, name) in live {
        let path = disk.path().join(&name);
        if let Some(before) =
            log.segments.back().filter(|before| before.id + 1 + log.empty.len() as u64 != id)
        {
            let what = format!("a segment file is missing between segment {} and segment {id}", before.id);
            return Err(StoreError::corrupt(&path, 0, what));
        }
        let read = disk.open(&name, false).and_then(|file| read_all(&*file));
        let bytes = Bytes::from(read.map_err(|source| StoreError::io("read", &path, source))?);
        if !read_segment(disk, salt, id, &bytes, &mut log)? {
            log.empty.push(name);
            empty_path.get_or_insert(path);
        } else if let Some(empty) = empty_path {
            return Err(StoreError::corrupt(
                &empty,
                0,
                "its first record is bad, and a later segment has records",
            ));
        }
    }
    check_end(disk, &log)?;
    for (group, found) in &log.groups {
        if let Some(first) = found.entries.front().filter(|first| first.index != found.base.index + 1) {
            let what = format!(
                "the log of group {group} starts after entry {}, but the first entry found is {}",
                found.base.index, first.index
            );
            return Err(StoreError::corrupt(disk.path(), 0, what));
        }
    }
    Ok(log)
}

/// Applies the records of one segment; `false` when its first record is bad.
fn read_segment(
    disk: &dyn Disk,
    salt: &[u8],
    id: u64,
    bytes: &Bytes,
    log: &mut Replayed,
) -> Result<bool, StoreError> {
    let seed = Seed::of_segment(salt, id);
    let mut segment = Segment::new(id, bytes.len() as u64);
    let path = disk.path().join(&segment.name);
    let mut offset = 0;
    let mut tail = None;
    while let Found::Payload(payload) = record::read(bytes, seed, offset) {
        let end = offset + record::HEADER_BYTES + payload.len();
        for item in record::items(&path, offset, bytes, payload)? {
            match item {
                Item::Before(used) => check_before(disk, used, log)?,
                Item::State(group, state) => log.groups.entry(group).or_default().apply_state(state),
                Item::Batch(group, batch) => {
                    note_entries(&mut log.segments, &mut segment, group, &batch);
                    log.groups.entry(group).or_default().apply_batch(batch);
                }
            }
        }
        tail = Some((offset as u64, bytes.slice(offset..end)));
        offset = end.next_multiple_of(8);
    }
    if let Some(valid) = record::find_behind(bytes, seed, offset) {
        let what = format!("a bad record, and a valid one behind it at byte {valid}");
        return Err(StoreError::corrupt(&path, offset as u64, what));
    }
    if tail.is_none() {
        return Ok(false);
    }
    // A segment made for one large record ends with it, wherever that is.
    segment.used = (offset as u64).min(segment.capacity);
    log.tail = tail;
    log.segments.push_back(segment);
    Ok(true)
}

fn check_before(disk: &dyn Disk, used: u64, log: &Replayed) -> Result<(), StoreError> {
    match log.segments.back() {
        Some(before) if before.used != used => {
            let what = format!("a bad record; the segment was {used} bytes long when the next one was begun");
            Err(StoreError::corrupt(&disk.path().join(&before.name), before.used, what))
        }
        _ => Ok(()),
    }
}

/// A log that once had segments cannot have none: only the newest may be without records.
fn check_end(disk: &dyn Disk, log: &Replayed) -> Result<(), StoreError> {
    match log.empty.first() {
        Some(name) if log.segments.is_empty() && *name != segment_name(1) => {
            let what = "no valid record, though segments before it have been used up";
            Err(StoreError::corrupt(&disk.path().join(name), 0, what))
        }
        Some(name) if log.empty.len() > 1 => {
            let what = "no valid record, and neither has the segment after it";
            Err(StoreError::corrupt(&disk.path().join(name), 0, what))
        }
        _ => Ok(()),
    }
}

/// Keeps account of which segments still hold entries that are needed.
pub(super) fn note_entries(
    older: &mut VecDeque<Segment>,
    newest: &mut Segment,
    group: GroupId,
    batch: &LogBatch,
) {
    let (Some(first), Some(last)) = (batch.entries.first(), batch.entries.last()) else {
        if batch.reset.is_some() {
            for segment in older.iter_mut().chain([newest]) {
                segment.last_index.remove(&group);
            }
        }
        return;
    };
    for segment in older.iter_mut().chain([&mut *newest]) {
        if let Some(index) = segment.last_index.get_mut(&group) {
            *index = if batch.reset.is_some() { 0 } else { (*index).min(first.index - 1) };
        }
    }
    newest.last_index.insert(group, last.index);
}
