//! A consistent snapshot while writes go on, without a copy of the data: partitions are
//! serialized one after another, and one that is about to be written before its turn is
//! serialized first. A snapshot must never hold anything later than its begin.

use super::Keyspace;
use super::codec::{self, Row};
use super::partition::{Entry, Occupied, PARTITIONS, Partition, partition_of};
use crate::limits::SNAPSHOT_CHUNK_BYTES;
use crate::wire::WireError;
use std::collections::VecDeque;

/// A snapshot under way.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    /// The partitions below it are done.
    next: usize,
    /// Those at or above `next` that are done as well.
    ahead: Occupied,
    /// Their bytes, in chunks.
    pending: VecDeque<Vec<u8>>,
    /// What was not yet walked when everything was flushed.
    kept: Vec<(usize, Partition)>,
}

impl Snapshot {
    /// To be called before anything in the partition changes.
    pub(super) fn before_write(&mut self, number: usize, partition: &Partition) {
        if number < self.next || self.ahead.contains(number) {
            return;
        }
        self.ahead.set(number, true);
        let chunk = match self.pending.pop_back() {
            Some(last) if last.len() < SNAPSHOT_CHUNK_BYTES => Some(last),
            Some(last) => {
                self.pending.push_back(last);
                None
            }
            None => None,
        };
        let mut chunk = chunk.unwrap_or_default();
        codec::put_partition(&mut chunk, number, partition);
        if !chunk.is_empty() {
            self.pending.push_back(chunk);
        }
    }

    /// Before a flush: takes the tables that are not yet walked, as they are.
    pub(super) fn keep_unwalked(&mut self, partitions: &mut [Partition]) {
        for (number, partition) in partitions.iter_mut().enumerate().skip(self.next) {
            let is_blank = partition.table.is_empty() && partition.tombstone == 0;
            if is_blank || self.ahead.contains(number) {
                continue;
            }
            let tombstone = partition.tombstone;
            let table = partition.flush();
            self.kept.push((number, Partition { table, tombstone, newest: 0 }));
        }
        self.next = PARTITIONS;
    }

    fn next_chunk(&mut self, target_bytes: usize, partitions: &[Partition]) -> Option<Vec<u8>> {
        // Any of these bytes put together are one `Keys`: its fields are all repeated.
        let mut chunk = self.pending.pop_front().unwrap_or_default();
        while chunk.len() < target_bytes {
            if let Some(pending) = self.pending.pop_front() {
                chunk.extend_from_slice(&pending);
            } else if let Some((number, partition)) = self.kept.pop() {
                codec::put_partition(&mut chunk, number, &partition);
            } else if let Some(partition) = partitions.get(self.next) {
                if !self.ahead.contains(self.next) {
                    codec::put_partition(&mut chunk, self.next, partition);
                }
                self.next += 1;
            } else {
                break;
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Keyspace {
    /// Starts a snapshot of what there is now; one that was under way is given up.
    pub fn snapshot_begin(&mut self) {
        self.snapshot = Some(Box::default());
    }

    /// The next piece, a `snapshot.Keys` of about `target_bytes` (more if a partition is
    /// larger, or was written meanwhile); `None` when the snapshot is complete, or there is none.
    pub fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        let chunk = self.snapshot.as_mut()?.next_chunk(target_bytes.max(1), &self.partitions);
        if chunk.is_none() {
            self.snapshot = None;
        }
        chunk
    }

    /// Gives the snapshot up, if one is under way.
    pub fn snapshot_abort(&mut self) {
        self.snapshot = None;
    }

    /// Adds the keys and tombstones of one piece of a snapshot to a keyspace that holds
    /// nothing but earlier pieces of it. After an error the keyspace is of no use.
    pub fn restore(&mut self, mut keys: &[u8]) -> Result<(), WireError> {
        while let Some(row) = codec::next_row(&mut keys)? {
            match row {
                Row::Tombstone { partition, revision } => {
                    let partition = &mut self.partitions[partition];
                    partition.tombstone = partition.tombstone.max(revision);
                    partition.newest = partition.newest.max(revision);
                }
                Row::Key(key, item) => {
                    let hash = self.hasher.hash(&key);
                    let number = partition_of(hash);
                    if self.partitions[number].find(hash, &key).is_some() {
                        return Err(WireError::new("snapshot: a key twice"));
                    }
                    self.deadlines.add(item.deadline_ms, hash);
                    self.occupied.set(number, true);
                    self.partitions[number].insert(Entry { hash, key, item });
                    self.len += 1;
                }
            }
        }
        Ok(())
    }
}
