//! One replica's keys. This module must never ask a clock or a random source: time comes
//! in with each call, and everything it does is the same on every replica.
//!
//! 16,384 partitions by a keyed hash of the whole key, each a hash table of boxed entries
//! (the table then holds a pointer a key, so that a table that has just doubled wastes
//! little). Physical and logical contents differ only in keys whose deadline has passed:
//! reads do not see them, a write to one removes it first, [`Keyspace::expire_due`] removes
//! the rest. Only these removals and the writes themselves change the state, and both come
//! in log order, so replicas agree; the order *within* a table may differ between replicas
//! and must never reach the state.

mod blob;
mod codec;
mod deadlines;
mod discard;
mod edit;
mod events;
mod partition;
mod random;
pub mod rdb;
mod scan;
mod slot;
mod snapshot;
mod value;

#[cfg(test)]
mod tests;

pub use blob::Blob;
pub use edit::Edit;
pub use events::{Event, EventClass, EventClasses, UserChange};
pub use partition::{Item, PARTITIONS};
pub use scan::Scanned;
pub use slot::{SLOTS, slot};
pub use value::{StringValue, Value};

use crate::wire::units::Watch;
use deadlines::Deadlines;
use discard::Discarded;
use events::Events;
use partition::{Occupied, Partition, partition_of};
use siphasher::sip::SipHasher13;
use snapshot::Snapshot;

/// All keys of one group on one replica.
#[derive(Debug)]
pub struct Keyspace {
    hasher: SipHasher13,
    partitions: Box<[Partition]>,
    occupied: Occupied,
    deadlines: Deadlines,
    len: usize,
    revision: u64,
    snapshot: Option<Box<Snapshot>>,
    discarded: Discarded,
    events: Events,
}

impl Keyspace {
    /// An empty keyspace. `hash_key` is the same on all replicas of a cluster, and is not
    /// known to clients, who could otherwise aim at one partition.
    pub fn new(hash_key: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&hash_key),
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            occupied: Occupied::default(),
            deadlines: Deadlines::default(),
            len: 0,
            revision: 0,
            snapshot: None,
            discarded: Discarded::default(),
            events: Events::default(),
        }
    }

    /// How many keys there are, those included that have expired and were not yet removed.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many of [`Keyspace::len`] have a deadline.
    pub fn len_with_deadline(&self) -> usize {
        self.deadlines.keys()
    }

    /// The number of the last change: 0 at first, one more with each.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Carries on from the revision of a snapshot.
    pub fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    /// The key of a database as a client sees it at `now_ms`.
    pub fn get(&self, db: usize, key: &[u8], now_ms: u64) -> Option<&Item> {
        debug_assert_eq!(db, 0);
        self.find(key).filter(|item| !item.has_expired(now_ms))
    }

    fn find(&self, key: &[u8]) -> Option<&Item> {
        let hash = self.hasher.hash(key);
        self.partitions[partition_of(hash)].find(hash, key).map(|entry| &entry.item)
    }

    /// The key, for a write. One that has expired is removed here, which is a change.
    pub fn edit<'k>(&mut self, db: usize, key: &'k [u8], now_ms: u64) -> Edit<'_, 'k> {
        debug_assert_eq!(db, 0);
        let hash = self.hasher.hash(key);
        Edit::new(self, key, hash, now_ms)
    }

    /// What `WATCH` has to remember: the key's revision, 0 when it is missing, and the
    /// group's revision now.
    pub fn watch(&self, db: usize, key: &[u8], now_ms: u64) -> (u64, u64) {
        (self.get(db, key, now_ms).map_or(0, |item| item.revision), self.revision)
    }

    /// Whether the key is untouched since [`Keyspace::watch`]. A key that was missing then
    /// must also not have come and gone since: no key of its partition that was changed
    /// after that moment may have been deleted.
    pub fn watch_holds(&self, watch: &Watch<'_>, now_ms: u64) -> bool {
        let hash = self.hasher.hash(watch.key);
        let partition = &self.partitions[partition_of(hash)];
        match partition.find(hash, watch.key).map(|entry| &entry.item) {
            Some(item) if !item.has_expired(now_ms) => item.revision == watch.revision,
            // Expired and not yet removed: if it is younger than the watch, it came and went.
            Some(item) if item.revision > watch.seen_at => false,
            _ => watch.revision == 0 && partition.tombstone <= watch.seen_at,
        }
    }

    /// The earliest deadline of any key.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ms, _)| deadline_ms)
    }

    /// Removes keys whose deadline is at or before `now_ms`, earliest first, `max` at most
    /// (more only if several share deadline and 64-bit hash). Returns how many.
    pub fn expire_due(&mut self, now_ms: u64, max: usize) -> usize {
        let mut removed = 0;
        while removed < max {
            let Some((deadline_ms, hash)) = self.deadlines.first() else { break };
            if deadline_ms > now_ms {
                break;
            }
            removed += self.expire_one(deadline_ms, hash);
        }
        removed
    }

    /// Removes all keys of this deadline and hash; in order of key, for what is left to chance
    /// (two keys of one 64-bit hash) must not depend on a table's order.
    fn expire_one(&mut self, deadline_ms: u64, hash: u64) -> usize {
        let partition = &self.partitions[partition_of(hash)];
        let due = partition.with_hash(hash).filter(|entry| entry.item.deadline_ms == deadline_ms);
        let mut keys: Vec<Blob> = due.map(|entry| entry.key.clone()).collect();
        assert!(!keys.is_empty(), "the deadline index names no key that is not there");
        keys.sort_unstable();
        for key in &keys {
            // The edit itself removes what has expired.
            Edit::new(self, key, hash, deadline_ms);
        }
        keys.len()
    }

    /// Removes every key: one change, if there was any. The tables are put aside as they are
    /// (for the running snapshot, or to be freed by later calls), so this takes microseconds
    /// whatever they hold.
    pub fn flush(&mut self) {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.keep_unwalked(&mut self.partitions);
        }
        for partition in &mut self.partitions {
            self.discarded.add_table(partition.flush());
        }
        self.discarded.add_deadlines(std::mem::take(&mut self.deadlines));
        self.occupied = Occupied::default();
        self.revision += u64::from(self.len > 0);
        self.events.touched_all();
        self.len = 0;
    }

    /// Frees some of what [`Keyspace::flush`] put aside. Writes do so too, a little each;
    /// this is for when there are none. Returns whether there is more.
    pub fn release(&mut self, tables: usize) -> bool {
        (0..tables).all(|_| self.discarded.release_some())
    }

    /// A hash of all keys, values, versions, revisions, deadlines and tombstones: equal on
    /// replicas that hold the same, in whatever order they came to it. Reads everything.
    pub fn state_hash(&self) -> u64 {
        let mut scratch = Vec::new();
        let mut sum = 0u64;
        for (number, partition) in self.partitions.iter().enumerate() {
            if partition.table.is_empty() && partition.tombstone == 0 {
                continue;
            }
            partition.for_each(|entry| {
                scratch.clear();
                codec::put_key(&mut scratch, entry);
                sum = sum.wrapping_add(self.hasher.hash(&scratch));
            });
            if partition.tombstone != 0 {
                scratch.clear();
                codec::put_tombstone(&mut scratch, number, partition.tombstone);
                sum = sum.wrapping_add(self.hasher.hash(&scratch));
            }
        }
        sum
    }
}
