//! Nothing survives: for tests, and for clusters that can lose everything at once. A node that
//! forgets its votes must never come back under its old id; [`super::DataDir`] makes a new
//! incarnation at each start, which the cluster refuses. This module must never touch a disk.

use super::shape::Shape;
use super::{
    LoadedLog, LogBatch, LogStore, SnapshotReader, SnapshotStore, SnapshotWriter, StoreError, StoreStatus,
};
use crate::wire::GroupId;
use crate::wire::proto::snapshot::Meta;
use raft::eraftpb::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Logs in memory.
#[derive(Debug, Default, Clone)]
pub(super) struct MemoryLog {
    groups: BTreeMap<GroupId, (Shape, VecDeque<Entry>)>,
    poison: Option<StoreError>,
    writes: u64,
}

impl MemoryLog {
    fn guarded(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let Some(first) = &self.poison {
            return Err(first.clone());
        }
        self.writes += 1;
        change(self).inspect_err(|error| self.poison = Some(error.clone()))
    }
}

impl LogStore for MemoryLog {
    fn load(&mut self, group: GroupId) -> Result<LoadedLog, StoreError> {
        let Some((shape, entries)) = self.groups.get(&group) else { return Ok(LoadedLog::default()) };
        let entries = entries.iter().cloned().collect();
        Ok(LoadedLog { hard_state: shape.hard_state.clone(), base: shape.base, entries })
    }

    fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        self.guarded(|log| {
            for (group, batch) in batches {
                let (shape, entries) = log.groups.entry(*group).or_default();
                shape.apply(*group, batch)?;
                if batch.reset.is_some() {
                    entries.clear();
                }
                if let Some(first) = batch.entries.first() {
                    entries.truncate(first.index.saturating_sub(shape.base.index + 1) as usize);
                    entries.extend(batch.entries.iter().cloned());
                }
            }
            Ok(())
        })
    }

    fn compact(&mut self, group: GroupId, through: u64) -> Result<(), StoreError> {
        self.guarded(|log| {
            let (shape, entries) = log.groups.entry(group).or_default();
            let before = shape.base.index;
            if let Some(base) = shape.compact(group, through)? {
                entries.drain(..(base.index - before) as usize);
            }
            Ok(())
        })
    }

    fn status(&self) -> StoreStatus {
        let error = self.poison.as_ref().map(ToString::to_string);
        StoreStatus { kind: "memory", writes: self.writes, error, ..StoreStatus::default() }
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        self.guarded(|_| Ok(()))
    }
}

#[derive(Debug)]
struct Snapshot {
    meta: Meta,
    chunks: Vec<Vec<u8>>,
}

type Latest = Arc<Mutex<BTreeMap<GroupId, Arc<Snapshot>>>>;

/// Snapshots in memory.
#[derive(Debug, Default)]
pub(super) struct MemorySnapshots {
    latest: Latest,
}

impl SnapshotStore for MemorySnapshots {
    fn begin(&self, meta: &Meta) -> Result<Box<dyn SnapshotWriter>, StoreError> {
        let snapshot = Snapshot { meta: meta.clone(), chunks: Vec::new() };
        Ok(Box::new(MemoryWriter { latest: Arc::clone(&self.latest), snapshot }))
    }

    fn open_latest(&self, group: GroupId) -> Result<Option<Box<dyn SnapshotReader>>, StoreError> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = latest.get(&group).cloned();
        Ok(snapshot.map(|snapshot| Box::new(MemoryReader { snapshot, next: 0 }) as Box<dyn SnapshotReader>))
    }
}

struct MemoryWriter {
    latest: Latest,
    snapshot: Snapshot,
}

impl SnapshotWriter for MemoryWriter {
    fn append(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        self.snapshot.chunks.push(chunk.to_vec());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), StoreError> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let group = self.snapshot.meta.get_group();
        if latest.get(&group).is_none_or(|old| old.meta.get_index() <= self.snapshot.meta.get_index()) {
            latest.insert(group, Arc::new(self.snapshot));
        }
        Ok(())
    }
}

struct MemoryReader {
    snapshot: Arc<Snapshot>,
    next: usize,
}

impl SnapshotReader for MemoryReader {
    fn meta(&self) -> &Meta {
        &self.snapshot.meta
    }

    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        let chunk = self.snapshot.chunks.get(self.next).cloned();
        self.next += 1;
        Ok(chunk)
    }
}
