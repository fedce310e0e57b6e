//! The default log: segments of 16 MiB, zeroed before use and used again, of checksummed
//! records ([`record`]), whole sectors each; one record and one fdatasync a write. Segments are numbered without
//! a gap. The first record of each holds the hard state and the base of every group, so
//! older segments can go as soon as their entries are compacted.
//!
//! It must never write behind a record that is not yet synced (that is what makes a torn
//! tail recognisable), and never go on after a failed write or sync.

mod record;
mod replay;
mod sectors;

#[cfg(test)]
mod crash_tests;

use super::codec::Pieces;
use super::disk::{Disk, DiskFile};
use super::shape::Shape;
use super::{LoadedLog, LogBatch, LogStore, StoreError, StoreStatus};
use crate::limits::SPARE_SEGMENTS;
use crate::wire::GroupId;
use crate::wire::entry::put_varint_field;
use record::{BATCH, BEFORE, HEADER_BYTES, STATE, Seed};
use replay::{Segment, note_entries, replay};
use sectors::Sectors;
use std::collections::{BTreeMap, VecDeque};
use std::io;

/// Where the log lies in a data directory.
pub(super) const LOG_DIRECTORY: &str = "log";
const SEGMENT_SUFFIX: &str = ".segment";
const SPARE_PREFIX: &str = "spare-";
const ZEROES_BYTES: usize = 1 << 20;

/// A log in segment files.
pub(super) struct FileLog {
    disk: Box<dyn Disk>,
    salt: Vec<u8>,
    segment_bytes: u64,
    /// All but the active one, oldest first.
    older: VecDeque<Segment>,
    active: Option<(Segment, Box<dyn DiskFile>)>,
    spares: Vec<String>,
    shapes: BTreeMap<GroupId, Shape>,
    /// Read when the log was opened and not asked for yet.
    loaded: BTreeMap<GroupId, LoadedLog>,
    pieces: Pieces,
    sectors: Sectors,
    poison: Option<StoreError>,
    writes: u64,
    syncs: u64,
    written_bytes: u64,
}

impl FileLog {
    /// Opens or makes the log in `disk`. `salt` is the data directory's own; `segment_bytes`
    /// may differ from last time.
    pub(super) fn open(disk: Box<dyn Disk>, salt: &[u8], segment_bytes: u64) -> Result<Self, StoreError> {
        let replayed = replay(&*disk, salt)?;
        let mut log = Self {
            disk,
            salt: salt.to_vec(),
            segment_bytes,
            older: replayed.segments,
            active: None,
            spares: replayed.spares,
            shapes: BTreeMap::new(),
            loaded: BTreeMap::new(),
            pieces: Pieces::default(),
            sectors: Sectors::default(),
            poison: None,
            writes: 0,
            syncs: 0,
            written_bytes: 0,
        };
        for (group, found) in replayed.groups {
            let found = found.into_log();
            let outline = found.entries.iter().map(|entry| (entry.index, entry.term));
            log.shapes.insert(group, Shape::of(found.hard_state.clone(), found.base, outline));
            log.loaded.insert(group, found);
        }
        log.settle(replayed.empty, replayed.tail.as_ref().map(|(offset, bytes)| (*offset, &bytes[..])))?;
        Ok(log)
    }

    /// Makes durable what was found: a process that was killed may have left its last record,
    /// and the names of its files, in the page cache only.
    fn settle(&mut self, empty: Vec<String>, tail: Option<(u64, &[u8])>) -> Result<(), StoreError> {
        for name in empty {
            self.retire(&name, None)?;
        }
        let spares = std::mem::take(&mut self.spares);
        for name in spares {
            // A spare may have been torn while it was zeroed.
            let len = self.disk.open(&name, false).and_then(|file| file.len());
            if len.map_err(|source| self.failed("open", &name, source))? == self.segment_bytes {
                self.spares.push(name);
            } else {
                self.disk.remove(&name).map_err(|source| self.failed("remove", &name, source))?;
            }
        }
        if let Some(segment) = self.older.pop_back() {
            let settled = (|| {
                let file = self.disk.open(&segment.name, false)?;
                if let Some((offset, bytes)) = tail {
                    // Written again, not only synced: pages whose sync once failed are clean.
                    file.write_at(bytes, offset)?;
                }
                file.sync_data()?;
                Ok(file)
            })();
            let file = settled.map_err(|source| self.failed("write", &segment.name, source))?;
            self.active = Some((segment, file));
        }
        if self.spares.is_empty() {
            let spare = self.make_spare()?;
            self.spares.push(spare);
        }
        self.sync_directory()
    }

    fn failed(&self, action: &'static str, name: &str, source: io::Error) -> StoreError {
        StoreError::io(action, &self.disk.path().join(name), source)
    }

    fn sync_directory(&self) -> Result<(), StoreError> {
        self.disk
            .sync_directory()
            .map_err(|source| StoreError::io("sync the directory", self.disk.path(), source))
    }

    /// Zeroed, so that its blocks are there: a sync of a record then writes no metadata.
    fn make_spare(&mut self) -> Result<String, StoreError> {
        let taken = |number: &u64| self.spares.contains(&format!("{SPARE_PREFIX}{number}"));
        let number = (0..).find(|number| !taken(number)).expect("the numbers do not end");
        let name = format!("{SPARE_PREFIX}{number}");
        let made = (|| {
            let file = self.disk.open(&name, true)?;
            let zeroes = vec![0; ZEROES_BYTES.min(self.segment_bytes as usize)];
            let mut offset = 0;
            while offset < self.segment_bytes {
                let len = (self.segment_bytes - offset).min(zeroes.len() as u64);
                file.write_at(&zeroes[..len as usize], offset)?;
                offset += len;
            }
            file.sync_data()
        })();
        made.map_err(|source| self.failed("make the segment", &name, source))?;
        Ok(name)
    }

    /// Takes a segment out of the log, durably, and keeps its file when it is of use.
    fn retire(&mut self, name: &str, capacity: Option<u64>) -> Result<(), StoreError> {
        let keep = capacity == Some(self.segment_bytes) && self.spares.len() < SPARE_SEGMENTS;
        if keep {
            let taken = |number: &u64| self.spares.contains(&format!("{SPARE_PREFIX}{number}"));
            let number = (0..).find(|number| !taken(number)).expect("the numbers do not end");
            let spare = format!("{SPARE_PREFIX}{number}");
            self.disk.rename(name, &spare).map_err(|source| self.failed("rename", name, source))?;
            self.spares.push(spare);
        } else {
            self.disk.remove(name).map_err(|source| self.failed("remove", name, source))?;
        }
        // One by one: the segments that are left must be numbered without a gap.
        self.sync_directory()
    }

    /// Begins the next segment, for a record of `need` bytes.
    fn roll(&mut self, need: u64) -> Result<(), StoreError> {
        let id = self.active.as_ref().map_or(1, |(segment, _)| segment.id + 1);
        let (capacity, spare) = if need > self.segment_bytes {
            (need, None)
        } else {
            let spare = if let Some(spare) = self.spares.pop() { spare } else { self.make_spare()? };
            (self.segment_bytes, Some(spare))
        };
        let segment = Segment::new(id, capacity);
        let opened = (|| {
            if let Some(spare) = &spare {
                self.disk.rename(spare, &segment.name)?;
            }
            let file = self.disk.open(&segment.name, spare.is_none())?;
            self.disk.sync_directory()?;
            Ok(file)
        })();
        let file = opened.map_err(|source| self.failed("begin", &segment.name, source))?;
        if let Some((full, _)) = self.active.replace((segment, file)) {
            self.older.push_back(full);
        }
        Ok(())
    }

    /// Writes one record, made by `put`, and syncs it.
    fn put_record(&mut self, put: impl Fn(&mut Pieces)) -> Result<(), StoreError> {
        self.pieces.reset(HEADER_BYTES);
        put(&mut self.pieces);
        sectors::pad(&mut self.pieces, self.active.as_ref().map_or(0, |(segment, _)| segment.used));
        let room = self.active.as_ref().map_or(0, |(segment, _)| segment.capacity - segment.used);
        if self.pieces.len() as u64 > room {
            self.pieces.reset(HEADER_BYTES);
            self.put_head();
            put(&mut self.pieces);
            sectors::pad(&mut self.pieces, 0);
            self.roll(self.pieces.len() as u64)?;
        }
        let (segment, file) = self.active.as_mut().expect("put_record has rolled when there was no segment");
        let total = self.pieces.len() as u64;
        let Ok(len) = u32::try_from(total - HEADER_BYTES as u64) else {
            let what = format!("one write of {total} bytes");
            return Err(StoreError::Impossible { group: 0, what });
        };
        let seed = Seed::of_segment(&self.salt, segment.id);
        let payload = self.pieces.slices().enumerate();
        let payload = payload.map(|(i, slice)| if i == 0 { &slice[HEADER_BYTES..] } else { slice });
        let header = record::header(seed, segment.used, len, payload);
        self.pieces.buffer()[..HEADER_BYTES].copy_from_slice(&header);
        let written = self.sectors.write(&**file, segment.used, total as usize, self.pieces.slices());
        let path = || self.disk.path().join(&segment.name);
        let end = written.map_err(|source| StoreError::io("write", &path(), source))?;
        file.sync_data().map_err(|source| StoreError::io("sync", &path(), source))?;
        segment.used = end;
        self.writes += 1;
        self.syncs += 1;
        self.written_bytes += total;
        Ok(())
    }

    /// What makes the segments before this one dispensable, but for their entries.
    fn put_head(&mut self) {
        if let Some((segment, _)) = &self.active {
            put_varint_field(self.pieces.buffer(), BEFORE, segment.used);
        }
        for (&group, shape) in &self.shapes {
            let state = LogBatch {
                hard_state: shape.hard_state.clone(),
                reset: Some(shape.base),
                entries: Vec::new(),
            };
            self.pieces.put_batch(STATE, group, &state);
        }
    }

    fn append(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        if batches.iter().all(|(_, batch)| batch.is_empty()) {
            return Ok(());
        }
        for (group, batch) in batches {
            self.loaded.remove(group);
            self.shapes.entry(*group).or_default().apply(*group, batch)?;
        }
        self.put_record(|pieces| {
            for (group, batch) in batches.iter().filter(|(_, batch)| !batch.is_empty()) {
                pieces.put_batch(BATCH, *group, batch);
            }
        })?;
        if let Some((active, _)) = &mut self.active {
            for (group, batch) in batches {
                note_entries(&mut self.older, active, *group, batch);
            }
        }
        Ok(())
    }

    /// Moves the start of the log, and takes out one segment before it. Whether there is another.
    fn drop_some(&mut self, group: GroupId, through: u64) -> Result<bool, StoreError> {
        let shape = self.shapes.entry(group).or_default();
        if let Some(base) = shape.compact(group, through)? {
            let hard_state = shape.hard_state.clone();
            let state = LogBatch { hard_state, reset: Some(base), entries: Vec::new() };
            self.loaded.remove(&group);
            self.put_record(|pieces| pieces.put_batch(STATE, group, &state))?;
        }
        if self.oldest_is_needed() {
            return Ok(false);
        }
        if let Some(oldest) = self.older.pop_front() {
            self.retire(&oldest.name, Some(oldest.capacity))?;
        }
        Ok(!self.oldest_is_needed())
    }

    /// False only if there is a segment behind it as well: the active one stays.
    fn oldest_is_needed(&self) -> bool {
        let base = |group: &GroupId| self.shapes.get(group).map_or(0, |it| it.base.index);
        let is_needed = |oldest: &Segment| oldest.last_index.iter().any(|(group, last)| *last > base(group));
        self.older.front().is_none_or(is_needed)
    }

    /// Runs a change, unless an earlier one failed.
    fn guarded(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(first) = &self.poison {
            return Err(first.clone());
        }
        change(self).inspect_err(|error| self.poison = Some(error.clone()))
    }
}

impl LogStore for FileLog {
    fn load(&mut self, group: GroupId) -> Result<LoadedLog, StoreError> {
        if let Some(first) = &self.poison {
            return Err(first.clone());
        }
        if let Some(found) = self.loaded.remove(&group) {
            return Ok(found);
        }
        let mut replayed = replay(&*self.disk, &self.salt)?;
        Ok(replayed.groups.remove(&group).unwrap_or_default().into_log())
    }

    fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        self.guarded(|log| log.append(batches))
    }

    fn compact(&mut self, group: GroupId, through: u64) -> Result<(), StoreError> {
        while self.compact_some(group, through)? {}
        Ok(())
    }

    fn compact_some(&mut self, group: GroupId, through: u64) -> Result<bool, StoreError> {
        let mut has_more = false;
        self.guarded(|log| {
            has_more = log.drop_some(group, through)?;
            Ok(())
        })?;
        Ok(has_more)
    }

    fn status(&self) -> StoreStatus {
        let active = self.active.iter().map(|(segment, _)| segment.capacity);
        let live: u64 = self.older.iter().map(|segment| segment.capacity).chain(active).sum();
        let files = self.older.len() + usize::from(self.active.is_some()) + self.spares.len();
        let spare_bytes = self.spares.len() as u64 * self.segment_bytes;
        StoreStatus {
            kind: "file",
            disk_bytes: live + spare_bytes,
            spare_bytes,
            files: files as u64,
            writes: self.writes,
            syncs: self.syncs,
            written_bytes: self.written_bytes,
            error: self.poison.as_ref().map(ToString::to_string),
        }
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.guarded(|_| Ok(()))
    }
}

/// Reads all groups of a log without changing anything, for `inspect`.
pub(super) fn read_only(disk: &dyn Disk, salt: &[u8]) -> Result<BTreeMap<GroupId, LoadedLog>, StoreError> {
    let replayed = replay(disk, salt)?;
    Ok(replayed.groups.into_iter().map(|(group, found)| (group, found.into_log())).collect())
}
