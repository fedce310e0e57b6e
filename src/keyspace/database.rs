//! One of the numbered databases. It must never know its number: `SWAPDB` moves it to another.

use super::deadlines::Deadlines;
use super::discard::Discarded;
use super::hash::KeyHash;
use super::partition::{Entry, Occupied, PARTITIONS, Partition};

/// What a database holds. One that never had a key takes no memory.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// None until the first key comes.
    pub(super) partitions: Box<[Partition]>,
    pub(super) occupied: Occupied,
    pub(super) deadlines: Deadlines,
    pub(super) len: usize,
    /// Its number when the running snapshot began.
    pub(super) walked_as: usize,
}

impl Database {
    pub(super) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<&Entry> {
        self.partitions.get(hash.partition())?.find(hash, key)
    }

    /// Before the first key, or tombstone.
    pub(super) fn allocate(&mut self) {
        if self.partitions.is_empty() {
            self.partitions = (0..PARTITIONS).map(|_| Partition::default()).collect();
            self.occupied = Occupied::new();
        }
    }

    /// Puts all keys aside, and the memory that they take; see [`Partition::flush`].
    pub(super) fn flush(&mut self, swapped: u64, discarded: &mut Discarded) {
        if self.partitions.is_empty() {
            return;
        }
        for partition in &mut self.partitions {
            discarded.add_table(partition.flush(swapped));
        }
        discarded.add_deadlines(std::mem::take(&mut self.deadlines));
        self.occupied = Occupied::new();
        self.len = 0;
    }
}
