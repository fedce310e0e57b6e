//! The log in sled 0.34.7, behind a wrapper that trusts it with nothing it does not do: its
//! `flush` syncs no file, so we sync its one data file on a descriptor of our own; its large
//! values lie in files it never syncs, so there are none ([`pack`]); after a power cut it may
//! open as an older database, so a file beside it remembers the votes ([`sentinel`]).
//!
//! This module must never acknowledge before that sync, and never repair what sled lost.

mod open;
mod pack;
mod sentinel;

#[cfg(test)]
mod tests;

use super::codec::read_batch;
use super::disk::sync_directory;
use super::shape::Shape;
use super::{LoadedLog, LogBatch, LogStore, StoreError, StoreStatus};
use crate::wire::{GroupId, NodeId};
use ::sled::{Batch, Db};
use bytes::Bytes;
use open::{clear, open_db, settle, sync_tree};
use pack::{Changes, Pack};
use raft::eraftpb::Entry;
use sentinel::Sentinel;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Where sled lies in a data directory.
pub(super) const DIRECTORY: &str = "sled";
/// The sentinel's file in a data directory.
pub(super) const SENTINEL: &str = "sentinel";
/// sled's data file.
const DATA_FILE: &str = "db";
const SLED_SEGMENT_BYTES: usize = 8 << 20;
const CACHE_BYTES: u64 = 64 << 20;
/// Keys that a compaction removes at once: more would stall the writes behind it.
const COMPACTED_KEYS: usize = 500;
/// Keys left by a compaction that each later write takes along. Every write adds a key or two.
const COMPACTED_KEYS_PER_WRITE: usize = 16;

/// A log in sled.
pub(super) struct SledLog {
    path: PathBuf,
    db: Db,
    data_file: File,
    sentinel: Sentinel,
    groups: BTreeMap<GroupId, Group>,
    /// Keys of compacted packs, still to be removed. They are below the base: not part of the log.
    compacted: BTreeSet<Vec<u8>>,
    poison: Option<StoreError>,
    writes: u64,
    syncs: u64,
    written_bytes: u64,
}

/// A group's outline and where its packs lie, by first index.
#[derive(Default)]
struct Group {
    shape: Shape,
    packs: BTreeMap<u64, Pack>,
}

impl SledLog {
    /// Opens or makes the log in a data directory.
    pub(super) fn open(directory: &Path, node: NodeId) -> Result<Self, StoreError> {
        let path = directory.join(DIRECTORY);
        let sentinel = match Sentinel::read(directory, node)? {
            Some(sentinel) => sentinel,
            None => {
                let mut names =
                    fs::read_dir(&path).map_err(|source| StoreError::io("list", &path, source))?;
                if names.next().is_some() {
                    return Err(StoreError::forgotten(
                        &path,
                        "there is a database, but no file `sentinel` beside it",
                    ));
                }
                Sentinel::create(directory, node)?
            }
        };
        if sentinel.groups().next().is_none() {
            clear(&path)?;
        }
        settle(&path)?;
        let db = open_db(&path)?;
        sync_tree(&path)?;
        sync_directory(directory)?;
        let data_path = path.join(DATA_FILE);
        let data_file = File::options().read(true).write(true).open(&data_path);
        let data_file = data_file.map_err(|source| StoreError::io("open", &data_path, source))?;
        let mut log = Self {
            path,
            db,
            data_file,
            sentinel,
            groups: BTreeMap::new(),
            compacted: BTreeSet::new(),
            poison: None,
            writes: 0,
            syncs: 0,
            written_bytes: 0,
        };
        for group in log.known_groups()? {
            let loaded = log.read_group(group)?;
            let last_index = loaded.entries.last().map_or(loaded.base.index, |entry| entry.index);
            log.sentinel.check(group, loaded.hard_state.as_ref(), last_index)?;
        }
        Ok(log)
    }

    fn known_groups(&self) -> Result<BTreeSet<GroupId>, StoreError> {
        let mut groups: BTreeSet<GroupId> = self.sentinel.groups().collect();
        let mut probe = Vec::new();
        loop {
            let found = self.db.get_gt(&probe).map_err(|error| self.failed("read", error))?;
            let Some(group) = found.as_ref().and_then(|(key, _)| key.first_chunk::<8>()) else { break };
            groups.insert(u64::from_be_bytes(*group));
            probe = [group.as_slice(), &[u8::MAX]].concat();
        }
        Ok(groups)
    }

    fn failed(&self, action: &'static str, error: ::sled::Error) -> StoreError {
        failed(&self.path, action, error)
    }

    fn read_state(&self, group: GroupId) -> Result<LogBatch, StoreError> {
        let found = self.db.get(pack::state_key(group)).map_err(|error| self.failed("read", error))?;
        let Some(value) = found else { return Ok(LogBatch::default()) };
        let bytes = Bytes::copy_from_slice(&value);
        let state = read_batch(&bytes, &bytes).map_err(|error| self.corrupt(group, &error.to_string()))?;
        Ok(state.1)
    }

    fn corrupt(&self, group: GroupId, what: &str) -> StoreError {
        StoreError::forgotten(&self.path, format!("the log of group {group} is damaged: {what}"))
    }

    /// Reads a group's log and notes where its packs lie.
    fn read_group(&mut self, group: GroupId) -> Result<LoadedLog, StoreError> {
        let state = self.read_state(group)?;
        let base = state.reset.unwrap_or_default();
        let mut entries: Vec<Entry> = Vec::new();
        let mut packs = BTreeMap::new();
        let mut values = Vec::new();
        let mut parts = 0;
        for item in self.db.scan_prefix(pack::entries_prefix(group)) {
            let (key, value) = item.map_err(|error| self.failed("read", error))?;
            let (first, part) =
                pack::parse_pack_key(&key).ok_or_else(|| self.corrupt(group, "a key is malformed"))?;
            let Some((&follows, value)) = value.split_first() else {
                return Err(self.corrupt(group, &format!("entry {first} is empty")));
            };
            if first <= base.index && (part > 0 || follows != 0) {
                // One entry in parts, compacted; some of them may be gone already.
                self.compacted.insert(key.to_vec());
                continue;
            }
            if part != parts {
                return Err(self.corrupt(group, &format!("a part of entry {first} is missing")));
            }
            values.extend_from_slice(value);
            parts += 1;
            if follows != 0 {
                continue;
            }
            let bytes = Bytes::from(std::mem::take(&mut values));
            let packed =
                read_batch(&bytes, &bytes).map_err(|error| self.corrupt(group, &error.to_string()))?.1;
            let last_index = packed.entries.last().map_or(0, |entry| entry.index);
            let pack = Pack { last_index, parts: std::mem::take(&mut parts) };
            if last_index <= base.index {
                self.compacted
                    .extend((0..pack.parts).map(|part| pack::pack_key(group, first, part).to_vec()));
                continue;
            }
            packs.insert(first, pack);
            entries.extend(packed.entries.into_iter().filter(|entry| entry.index > base.index));
        }
        if parts != 0 {
            return Err(self.corrupt(group, "the parts of the last entry are not all there"));
        }
        let mut expected = base.index + 1..;
        if let Some(wrong) = entries.iter().find(|entry| Some(entry.index) != expected.next()) {
            return Err(self.corrupt(group, &format!("entries before {} are missing", wrong.index)));
        }
        let outline = entries.iter().map(|entry| (entry.index, entry.term));
        let shape = Shape::of(state.hard_state.clone(), base, outline);
        self.groups.insert(group, Group { shape, packs });
        Ok(LoadedLog { hard_state: state.hard_state, base, entries })
    }

    fn append(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        if batches.iter().all(|(_, batch)| batch.is_empty()) {
            return Ok(());
        }
        let mut changes = Changes::default();
        for (group, batch) in batches {
            let before = self.groups.entry(*group).or_default();
            before.shape.apply(*group, batch)?;
            if batch.hard_state.is_some() || batch.reset.is_some() {
                changes.put_state(*group, &before.shape);
            }
            if batch.reset.is_some() {
                for (first, pack) in std::mem::take(&mut before.packs) {
                    changes.remove_pack(*group, first, pack);
                }
            }
            if let Some(first) = batch.entries.first().map(|entry| entry.index) {
                self.cut_from(*group, first, &mut changes)?;
            }
            let Some(known) = self.groups.get_mut(group) else { continue };
            for (first, pack, values) in pack::pack(&batch.entries) {
                changes.insert_pack(*group, first, values);
                known.packs.insert(first, pack);
            }
        }
        self.commit(changes, COMPACTED_KEYS_PER_WRITE)?;
        let votes = batches.iter().filter_map(|(group, batch)| {
            let shape = &self.groups.get(group)?.shape;
            let mut hard_state = batch.hard_state.clone();
            if hard_state.is_none() && !self.sentinel.knows(*group) {
                hard_state = Some(shape.hard_state.clone().unwrap_or_default());
            }
            let mut hard_state = hard_state?;
            hard_state.commit = hard_state.commit.min(shape.last_index);
            Some((*group, hard_state))
        });
        if self.sentinel.note(&votes.collect::<Vec<_>>())? {
            self.syncs += 1;
        }
        Ok(())
    }

    /// Removes the entries from `index` on; a pack that reaches across is written again.
    fn cut_from(&mut self, group: GroupId, index: u64, changes: &mut Changes) -> Result<(), StoreError> {
        let Some(known) = self.groups.get_mut(&group) else { return Ok(()) };
        for (first, pack) in known.packs.split_off(&index) {
            changes.remove_pack(group, first, pack);
        }
        let Some((&first, &pack)) = known.packs.last_key_value() else { return Ok(()) };
        if pack.last_index < index {
            return Ok(());
        }
        // Several entries in one pack: it has one part.
        let key = pack::pack_key(group, first, 0).to_vec();
        let value = match changes.puts.get(&key) {
            Some(Some(value)) => value.clone(),
            _ => {
                let found = self.db.get(&key).map_err(|error| failed(&self.path, "read", error))?;
                found.ok_or_else(|| self.corrupt(group, &format!("entry {first} is missing")))?.to_vec()
            }
        };
        let bytes = Bytes::from(value);
        let packed = bytes.get(1..).unwrap_or_default();
        let mut kept =
            read_batch(&bytes, packed).map_err(|error| self.corrupt(group, &error.to_string()))?.1.entries;
        kept.truncate((index - first) as usize);
        for (first, pack, values) in pack::pack(&kept) {
            changes.insert_pack(group, first, values);
            if let Some(known) = self.groups.get_mut(&group) {
                known.packs.insert(first, pack);
            }
        }
        Ok(())
    }

    fn drop_through(&mut self, group: GroupId, through: u64) -> Result<(), StoreError> {
        let known = self.groups.entry(group).or_default();
        if known.shape.compact(group, through)?.is_none() {
            return Ok(());
        }
        let mut changes = Changes::default();
        changes.put_state(group, &known.shape);
        while let Some((&first, &pack)) =
            known.packs.first_key_value().filter(|(_, it)| it.last_index <= through)
        {
            known.packs.remove(&first);
            self.compacted.extend((0..pack.parts).map(|part| pack::pack_key(group, first, part).to_vec()));
        }
        self.commit(changes, COMPACTED_KEYS)
    }

    /// Applies the changes atomically, with some removals that are due, and makes them durable.
    fn commit(&mut self, changes: Changes, compacted_keys: usize) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for _ in 0..compacted_keys {
            let Some(key) = self.compacted.pop_first() else { break };
            if !changes.puts.contains_key(&key) {
                batch.remove(key);
            }
        }
        for (key, value) in changes.puts {
            // A key that lives again must not be removed by an old compaction.
            self.compacted.remove(&key);
            match value {
                Some(value) => {
                    self.written_bytes += (key.len() + value.len()) as u64;
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(|error| self.failed("write", error))?;
        self.sync()
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| self.failed("flush", error))?;
        let synced = self.data_file.sync_data();
        synced.map_err(|source| StoreError::io("sync", &self.path.join(DATA_FILE), source))?;
        self.writes += 1;
        self.syncs += 1;
        Ok(())
    }

    fn guarded<T>(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(first) = &self.poison {
            return Err(first.clone());
        }
        change(self).inspect_err(|error| self.poison = Some(error.clone()))
    }
}

impl LogStore for SledLog {
    fn load(&mut self, group: GroupId) -> Result<LoadedLog, StoreError> {
        self.guarded(|log| log.read_group(group))
    }

    fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        self.guarded(|log| log.append(batches))
    }

    fn compact(&mut self, group: GroupId, through: u64) -> Result<(), StoreError> {
        self.guarded(|log| log.drop_through(group, through))
    }

    fn status(&self) -> StoreStatus {
        StoreStatus {
            kind: "sled",
            disk_bytes: self.data_file.metadata().map_or(0, |metadata| metadata.len()),
            spare_bytes: 0,
            files: 1,
            writes: self.writes,
            syncs: self.syncs,
            written_bytes: self.written_bytes,
            error: self.poison.as_ref().map(ToString::to_string),
        }
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.guarded(Self::sync)
    }
}

fn failed(path: &Path, action: &'static str, error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(source) => StoreError::io(action, path, source),
        error => StoreError::forgotten(path, format!("sled cannot {action}: {error}")),
    }
}

/// Reads all groups of a copy of a sled log, for `inspect`.
pub(super) fn read_copy(directory: &Path, node: NodeId) -> Result<BTreeMap<GroupId, LoadedLog>, StoreError> {
    let mut log = SledLog::open(directory, node)?;
    let groups = log.known_groups()?;
    groups.into_iter().map(|group| Ok((group, log.read_group(group)?))).collect()
}
