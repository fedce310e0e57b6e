//! One of the keyspace's partitions, and the entries in it. It must never do anything that
//! depends on the order of its table.

use super::hash::{KeyHash, table_hash};
use super::usage::Usage;
use super::{Blob, Swap, Value};
use hashbrown::HashTable;

/// Partitions of a keyspace; also the granularity of snapshots and of `SCAN`.
pub const PARTITIONS: usize = 1 << 14;

/// What is kept of a key.
#[derive(Debug)]
pub struct Item {
    /// Its value.
    pub value: Value,
    /// 1 when created, one more with each change.
    pub version: u64,
    /// The number of its last change among all changes of the group.
    pub revision: u64,
    /// Unix time from which on it no longer exists; 0: never.
    pub deadline_ms: u64,
}

impl Item {
    /// Whether the deadline has passed.
    pub fn has_expired(&self, now_ms: u64) -> bool {
        self.deadline_ms != 0 && self.deadline_ms <= now_ms
    }
}

/// A key in its table. With its hash, which saves hashing it again when the table grows.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: u32, // KeyHash::kept
    pub(super) usage: Usage,
    pub(super) key: Blob,
    pub(super) item: Item,
}

pub(super) type Table = HashTable<Box<Entry>>;

#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) table: Table,
    /// The highest revision of any key ever deleted from here, or of the swap that brought it.
    pub(super) tombstone: u64,
    /// The highest revision of any key ever here: what `tombstone` becomes in a flush.
    pub(super) newest: u64,
}

impl Entry {
    pub(super) fn new(hash: KeyHash, key: Blob, item: Item, now_ms: u64) -> Self {
        Self { hash: hash.kept(), usage: Usage::new(now_ms), key, item }
    }
}

impl Partition {
    pub(super) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<&Entry> {
        let kept = hash.kept();
        self.table.find(hash.in_table(), |entry| entry.hash == kept && *entry.key == *key).map(|b| &**b)
    }

    /// Where the key is, until the next insertion or removal.
    pub(super) fn position(&self, hash: KeyHash, key: &[u8]) -> Option<usize> {
        let kept = hash.kept();
        self.table.find_bucket_index(hash.in_table(), |entry| entry.hash == kept && *entry.key == *key)
    }

    /// All keys of one hash: one, but for a collision of all of its bits.
    pub(super) fn with_hash(&self, hash: KeyHash) -> impl Iterator<Item = &Entry> {
        let kept = hash.kept();
        self.table.iter_hash(hash.in_table()).map(|b| &**b).filter(move |entry| entry.hash == kept)
    }

    /// Whether a key of this hash has this deadline.
    pub(super) fn has_deadline(&self, hash: KeyHash, deadline_ms: u64) -> bool {
        self.with_hash(hash).any(|entry| entry.item.deadline_ms == deadline_ms)
    }

    /// Adds a key that is not there. Returns its position.
    pub(super) fn insert(&mut self, entry: Entry) -> usize {
        self.newest = self.newest.max(entry.item.revision);
        let hash = table_hash(entry.hash);
        self.table.insert_unique(hash, Box::new(entry), |entry| table_hash(entry.hash)).bucket_index()
    }

    /// Removes what is at `position`; `swap` is the last of its database.
    pub(super) fn remove(&mut self, position: usize, swap: &Swap) -> Option<Box<Entry>> {
        let (entry, _) = self.table.get_bucket_entry(position).ok()?.remove();
        self.tombstone = self.tombstone.max(swap.arrival(&entry.item));
        // A table keeps its size when keys go: give back what a burst has left behind.
        if self.table.len() < self.table.capacity() / 8 {
            self.table.shrink_to(self.table.len() * 2, |entry| table_hash(entry.hash));
        }
        Some(entry)
    }

    /// Empties the partition as if each key had been deleted: `swapped` is the revision of the
    /// last swap of its database.
    pub(super) fn flush(&mut self, swapped: u64) -> Table {
        let arrival = if self.table.is_empty() { 0 } else { swapped };
        self.tombstone = self.tombstone.max(self.newest).max(arrival);
        std::mem::take(&mut self.table)
    }

    pub(super) fn for_each(&self, mut f: impl FnMut(&Entry)) {
        self.table.iter().for_each(|entry| f(entry));
    }
}

/// Which partitions hold keys: a walk over a nearly empty database looks at 256 words. The
/// default has no room for any.
#[derive(Debug, Default)]
pub(super) struct Occupied(Box<[u64]>);

impl Occupied {
    pub(super) fn new() -> Self {
        Self(Box::new([0; PARTITIONS / 64]))
    }

    pub(super) fn set(&mut self, partition: usize, occupied: bool) {
        let bit = 1 << (partition % 64);
        let word = &mut self.0[partition / 64];
        *word = if occupied { *word | bit } else { *word & !bit };
    }

    pub(super) fn contains(&self, partition: usize) -> bool {
        self.0[partition / 64] & (1 << (partition % 64)) != 0
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The `n`th of them, from 0.
    pub(super) fn nth(&self, mut n: usize) -> Option<usize> {
        for (i, &word) in self.0.iter().enumerate() {
            let ones = word.count_ones() as usize;
            if n < ones {
                let rest = (0..n).fold(word, |word, _| word & (word - 1)); // without the lowest `n`
                return Some(i * 64 + rest.trailing_zeros() as usize);
            }
            n -= ones;
        }
        None
    }

    /// The first occupied partition at or after `from`.
    pub(super) fn next(&self, from: usize) -> Option<usize> {
        let mut first_mask = u64::MAX << (from % 64);
        for (i, word) in self.0.iter().enumerate().skip(from / 64) {
            let word = word & std::mem::replace(&mut first_mask, u64::MAX);
            if word != 0 {
                return Some(i * 64 + word.trailing_zeros() as usize);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::Set;

    #[test]
    fn an_entry_fits_the_allocators_80_bytes() {
        assert_eq!(size_of::<Value>(), 24);
        assert_eq!(size_of::<Entry>(), 80);
        assert!(size_of::<Partition>() <= 48);
        assert!(size_of::<Set>() <= 32);
    }

    #[test]
    fn occupied_partitions_are_found_in_order() {
        let mut occupied = Occupied::new();
        assert_eq!(occupied.next(0), None);
        for partition in [0, 63, 64, 5000, PARTITIONS - 1] {
            occupied.set(partition, true);
        }
        assert_eq!(occupied.next(0), Some(0));
        assert_eq!(occupied.next(1), Some(63));
        assert_eq!(occupied.next(64), Some(64));
        assert_eq!(occupied.next(65), Some(5000));
        assert_eq!(occupied.next(5001), Some(PARTITIONS - 1));
        assert_eq!(occupied.next(PARTITIONS), None);
        assert_eq!(occupied.count(), 5);
        let all: Vec<_> = (0..6).map(|n| occupied.nth(n)).collect();
        assert_eq!(all, [Some(0), Some(63), Some(64), Some(5000), Some(PARTITIONS - 1), None]);
        occupied.set(64, false);
        assert_eq!(occupied.next(64), Some(5000));
    }
}
