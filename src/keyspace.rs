//! One replica's keys. This module must never ask a clock or a random source: time comes
//! in with each call, and everything it does is the same on every replica.
//!
//! Numbered databases, which share one count of changes. Each has 16,384 partitions by a keyed
//! hash of the whole key, and each of those is a hash table of boxed entries (the table then
//! holds a pointer a key, so that a table that has just doubled wastes little). Physical and logical contents differ only in keys whose deadline has passed:
//! reads do not see them, a write to one removes it first, [`Keyspace::expire_due`] removes
//! the rest. Only these removals and the writes themselves change the state, and both come
//! in log order, so replicas agree; the order *within* a table may differ between replicas
//! and must never reach the state.

mod codec;
mod database;
mod deadlines;
mod discard;
mod edit;
mod events;
mod eviction;
mod hash;
mod look_ahead;
mod partition;
mod propagation;
mod random;
pub mod rdb;
mod scan;
mod size;
mod slot;
mod snapshot;
mod swaps;
mod types;
mod usage;
mod value;

#[cfg(test)]
mod tests;

pub use crate::collections::Blob;
pub use crate::collections::{format_coordinate, format_double, parse_i64};
pub use edit::Edit;
pub use events::{Event, EventClass, EventClasses, Scripted, UserChange};
pub use eviction::{Chooser, EvictionPolicy, Victim};
pub use partition::{Item, PARTITIONS};
pub use propagation::Call;
pub use random::SplitMix;
pub use scan::Scanned;
pub use slot::{SLOTS, slot};
pub use swaps::Swap;
pub use types::{
    Collection, Compact, Consumer, End, Entries, Entry, Field, Forms, Group, Groups, Hash, Id, Ids, Kind,
    List, NewId, Pending, Set, SortedRange, SortedSet, Stream, Trim, Typed,
};
pub use usage::CountingPace;
pub use value::{StringValue, Value};

use crate::limits::{DATABASES, SNAPSHOT_LONG_BYTES};
use crate::wire::units::Watch;
use bytes::Bytes;
use codec::Pieces;
use database::Database;
use discard::Discarded;
use events::Events;
use hash::KeyHash;
use propagation::Propagation;
use siphasher::sip::SipHasher13;
use snapshot::Snapshot;
use usage::Counting;

/// All keys of one group on one replica.
#[derive(Debug)]
pub struct Keyspace {
    hasher: SipHasher13,
    databases: [Database; DATABASES],
    revision: u64,
    swaps: [Swap; DATABASES],
    snapshot: Option<Box<Snapshot>>,
    /// Values of this length are written in pieces; not part of the state.
    long_bytes: usize,
    /// Of a long value that is being restored, until its key comes.
    pieces: Pieces,
    /// Where the strings of the commands at hand lie, if it is long; not part of the state.
    lent: Option<Bytes>,
    /// How collections are kept.
    forms: Forms,
    discarded: Discarded,
    events: Events,
    counting: Counting,
    propagation: Propagation,
    /// Not part of the state: see [`Keyspace::keep_expired`].
    keeps_expired: bool,
}

impl Keyspace {
    /// An empty keyspace. `hash_key` is the same on all replicas of a cluster, and is not
    /// known to clients, who could otherwise aim at one partition.
    pub fn new(hash_key: [u8; 16]) -> Self {
        Self {
            hasher: SipHasher13::new_with_key(&hash_key),
            databases: Default::default(),
            revision: 0,
            swaps: Default::default(),
            snapshot: None,
            long_bytes: SNAPSHOT_LONG_BYTES,
            pieces: Pieces::default(),
            forms: Forms { seed: hash_key, ..Forms::default() },
            lent: None,
            discarded: Discarded::default(),
            events: Events::default(),
            counting: Counting::default(),
            propagation: Propagation::default(),
            keeps_expired: false,
        }
    }

    /// Whether keys are there until they are removed, their deadlines notwithstanding: for what an
    /// upstream says, which alone decides what has expired while it is followed.
    pub fn keep_expired(&mut self, keeps: bool) {
        self.keeps_expired = keeps;
    }

    /// See [`Keyspace::keep_expired`].
    pub fn keeps_expired(&self) -> bool {
        self.keeps_expired
    }

    /// Gives a keyspace that has never held a key its `hash_key`.
    pub fn set_hash_key(&mut self, hash_key: [u8; 16]) {
        debug_assert!(self.databases.iter().all(|database| database.partitions.is_empty()));
        self.hasher = SipHasher13::new_with_key(&hash_key);
        self.forms.seed = hash_key;
    }

    /// How collections are kept.
    pub fn forms(&self) -> Forms {
        self.forms
    }

    /// Up to where collections are kept compactly, from their next change on.
    pub fn set_compact(&mut self, compact: Compact) {
        self.forms.compact = compact;
    }

    /// How many keys a database has, those included that have expired and were not yet removed.
    pub fn len(&self, db: usize) -> usize {
        self.databases[db].len
    }

    /// The same of all databases.
    pub fn total_len(&self) -> usize {
        self.databases.iter().map(|database| database.len).sum()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.databases.iter().all(|database| database.len == 0)
    }

    /// How many of [`Keyspace::len`] have a deadline.
    pub fn len_with_deadline(&self, db: usize) -> usize {
        self.databases[db].deadlines.keys()
    }

    /// Places for keys in a database's tables.
    pub fn table_size(&self, db: usize) -> usize {
        self.databases[db].partitions.iter().map(|partition| partition.table.capacity()).sum()
    }

    /// The number of the last change: 0 at first, one more with each.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The commands that follow lie in this buffer, of which a long value may keep its part.
    pub fn lend(&mut self, buffer: Option<Bytes>) {
        self.lent = buffer;
    }

    /// Carries on from the revision of a snapshot.
    pub fn set_revision(&mut self, revision: u64) {
        self.revision = revision;
    }

    fn hash(&self, key: &[u8]) -> KeyHash {
        KeyHash::new(self.hasher.hash(key))
    }

    /// The key of a database as a client sees it at `now_ms`.
    pub fn get(&self, db: usize, key: &[u8], now_ms: u64) -> Option<&Item> {
        let entry = self.databases[db].find(self.hash(key), key)?;
        Some(&entry.item).filter(|item| !item.has_expired(now_ms) || self.keeps_expired)
    }

    /// The same, for a use of the key at `wall_ms` by the node's own clock.
    pub fn access(&self, db: usize, key: &[u8], now_ms: u64, wall_ms: u64) -> Option<&Item> {
        let entry = self.databases[db].find(self.hash(key), key)?;
        self.counting.note(&entry.usage, wall_ms);
        Some(&entry.item).filter(|item| !item.has_expired(now_ms) || self.keeps_expired)
    }

    /// The key, for a write. One that has expired is removed here, which is a change.
    pub fn edit<'k>(&mut self, db: usize, key: &'k [u8], now_ms: u64) -> Edit<'_, 'k> {
        let hash = self.hash(key);
        Edit::new(self, db, key, hash, now_ms)
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
        let db = watch.db as usize;
        if self.swaps[db].revision > watch.seen_at {
            return self.holds_over_swap(watch);
        }
        let hash = self.hash(watch.key);
        let Some(partition) = self.databases[db].partitions.get(hash.partition()) else {
            return watch.revision == 0;
        };
        match partition.find(hash, watch.key).map(|entry| &entry.item) {
            Some(item) if !item.has_expired(now_ms) => item.revision == watch.revision,
            // Expired and not yet removed: if it is younger than the watch, it came and went.
            Some(item) if item.revision > watch.seen_at => false,
            _ => watch.revision == 0 && partition.tombstone <= watch.seen_at,
        }
    }

    /// The earliest deadline of all keys; of two equal ones that in the lower database.
    fn first_due(&self) -> Option<(u64, usize, KeyHash)> {
        let first = |(db, database): (usize, &Database)| {
            let (deadline_ms, hash) = database.deadlines.first()?;
            Some((deadline_ms, db, hash))
        };
        self.databases.iter().enumerate().filter_map(first).min()
    }

    /// The earliest deadline of any key.
    pub fn next_deadline(&self) -> Option<u64> {
        self.first_due().map(|(deadline_ms, ..)| deadline_ms)
    }

    /// Removes keys whose deadline is at or before `now_ms`, earliest first, `max` at most
    /// (more only if several share deadline and hash). Returns how many.
    pub fn expire_due(&mut self, now_ms: u64, max: usize) -> usize {
        let mut removed = 0;
        while removed < max {
            let Some((deadline_ms, db, hash)) = self.first_due() else { break };
            if deadline_ms > now_ms {
                break;
            }
            removed += self.expire_one(deadline_ms, db, hash);
        }
        removed
    }

    /// Removes all keys of this deadline and hash; in order of key, for what is left to chance
    /// (two keys of one hash) must not depend on a table's order.
    fn expire_one(&mut self, deadline_ms: u64, db: usize, hash: KeyHash) -> usize {
        let partition = &self.databases[db].partitions[hash.partition()];
        let due = partition.with_hash(hash).filter(|entry| entry.item.deadline_ms == deadline_ms);
        let mut keys: Vec<Blob> = due.map(|entry| entry.key.clone()).collect();
        assert!(!keys.is_empty(), "the deadline index names no key that is not there");
        keys.sort_unstable();
        for key in &keys {
            // The edit itself removes what has expired.
            Edit::new(self, db, key, hash, deadline_ms);
        }
        keys.len()
    }

    /// Removes every key of a database: one change, if there was any. The tables are put aside
    /// as they are (for the running snapshot, or to be freed by later calls), so this takes
    /// microseconds whatever they hold.
    pub fn flush(&mut self, db: usize) {
        self.flush_these(db..db + 1);
    }

    /// The same of all databases: one change.
    pub fn flush_all(&mut self) {
        self.flush_these(0..DATABASES);
    }

    fn flush_these(&mut self, databases: std::ops::Range<usize>) {
        self.revision += u64::from(databases.clone().any(|db| self.len(db) > 0));
        for (database, swap) in self.databases[databases.clone()].iter_mut().zip(&self.swaps[databases]) {
            if let Some(snapshot) = &mut self.snapshot {
                snapshot.keep_unwalked(database, swap.revision);
            }
            database.flush(swap.revision, &mut self.discarded);
        }
        self.events.touched_all();
        self.propagation.always();
    }

    /// Frees some of what was put aside: what [`Keyspace::flush`] took away, and large collections that were removed.
    /// Writes do so too, a little each; this is for when there are none. Returns whether there is more.
    pub fn release(&mut self, steps: usize) -> bool {
        (0..steps).all(|_| self.discarded.release_some())
    }

    /// Tables and collections that were put aside and are not freed yet.
    pub fn unreleased(&self) -> usize {
        self.discarded.len()
    }

    /// Values of keys that were put aside and have been freed since, on this node.
    pub fn released_total(&self) -> u64 {
        self.discarded.freed()
    }

    /// A hash of all keys, values, versions, revisions, deadlines and tombstones: equal on
    /// replicas that hold the same, in whatever order they came to it. Reads everything.
    pub fn state_hash(&self) -> u64 {
        let mut scratch = Vec::new();
        let mut sum = 0u64;
        for (db, database) in self.databases.iter().enumerate() {
            for (number, partition) in database.partitions.iter().enumerate() {
                partition.for_each(|entry| {
                    scratch.clear();
                    scratch.push(db as u8);
                    codec::put_key(&mut scratch, entry);
                    sum = sum.wrapping_add(self.hasher.hash(&scratch));
                });
                if partition.tombstone != 0 {
                    scratch.clear();
                    scratch.push(db as u8);
                    codec::put_tombstone(&mut scratch, number, partition.tombstone);
                    sum = sum.wrapping_add(self.hasher.hash(&scratch));
                }
            }
        }
        let swaps = format!("{:?}", self.swaps);
        sum.wrapping_add(self.hasher.hash(swaps.as_bytes()))
    }
}
