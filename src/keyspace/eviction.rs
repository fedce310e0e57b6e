//! Which keys go when memory is short. [`Chooser`] picks victims by what this replica has seen of
//! their use, so that each replica would pick others; [`Keyspace::evict`] removes one, the same on
//! every replica, when the log says so. Choosing must never change anything.
//!
//! The choice by use is Redis's: a few keys are sampled from each database, the best candidates of
//! all samples so far wait in a small pool, and the best of those is taken (antirez, "Random notes on
//! improving the Redis LRU algorithm", 2016). By deadline it is exact, for there is an index.

use super::database::Database;
use super::hash::KeyHash;
use super::partition::{Entry, PARTITIONS};
use super::random::{self, SplitMix};
use super::{Blob, EventClass, Keyspace};
use crate::limits::{DATABASES, EVICTION_POOL_KEYS};
use std::collections::BTreeSet;
use std::ops::Bound;

#[cfg(test)]
mod tests;

/// `maxmemory-policy`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvictionPolicy {
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    #[default]
    NoEviction,
}

/// In the order in which Redis lists them.
const NAMES: [(EvictionPolicy, &str); 8] = [
    (EvictionPolicy::VolatileLru, "volatile-lru"),
    (EvictionPolicy::VolatileLfu, "volatile-lfu"),
    (EvictionPolicy::VolatileRandom, "volatile-random"),
    (EvictionPolicy::VolatileTtl, "volatile-ttl"),
    (EvictionPolicy::AllkeysLru, "allkeys-lru"),
    (EvictionPolicy::AllkeysLfu, "allkeys-lfu"),
    (EvictionPolicy::AllkeysRandom, "allkeys-random"),
    (EvictionPolicy::NoEviction, "noeviction"),
];

impl EvictionPolicy {
    /// The policy of that name, in lower case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        NAMES.into_iter().find(|(_, known)| known.as_bytes() == name).map(|(policy, _)| policy)
    }

    /// As `CONFIG` shows it.
    pub fn name(self) -> &'static str {
        NAMES.into_iter().find(|(policy, _)| *policy == self).map_or("", |(_, name)| name)
    }

    /// Whether it goes by how often keys are used, which is counted then.
    pub fn counts_uses(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Whether only keys with a deadline go.
    fn is_volatile(self) -> bool {
        matches!(self, Self::VolatileLru | Self::VolatileLfu | Self::VolatileRandom | Self::VolatileTtl)
    }

    fn is_random(self) -> bool {
        matches!(self, Self::VolatileRandom | Self::AllkeysRandom)
    }
}

/// A key that may go, as long as it is what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Victim {
    pub db: u32,
    pub key: Blob,
    /// Of its last change, by which it is known again.
    pub revision: u64,
    /// Memory that it takes, about.
    pub size_bytes: usize,
}

#[derive(Debug)]
struct Candidate {
    /// The higher, the sooner it goes: seconds without a use, or 255 less its frequency.
    score: u64,
    db: usize,
    key: Blob,
    revision: u64,
}

/// Rows of the index of deadlines that are passed over from one sample to the next, at most.
const STRIDE: usize = 1024;
/// Samples that may all be of keys that were taken already, before a batch ends.
const ATTEMPTS: usize = 16;

/// Picks victims; see the module.
#[derive(Debug)]
pub struct Chooser {
    policy: EvictionPolicy,
    /// The best last.
    pool: Vec<Candidate>,
    /// What this batch has taken, by revision.
    taken: BTreeSet<u64>,
    /// Where the last look at each database's index of deadlines was.
    cursors: [Option<(u64, KeyHash)>; DATABASES],
    random: SplitMix,
}

impl Chooser {
    /// One whose draws rest on `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            policy: EvictionPolicy::NoEviction,
            pool: Vec::with_capacity(EVICTION_POOL_KEYS),
            taken: BTreeSet::new(),
            cursors: [None; DATABASES],
            random: SplitMix::new(seed),
        }
    }

    /// Starts on a batch, which will hold no key twice.
    pub fn begin(&mut self, policy: EvictionPolicy) {
        if std::mem::replace(&mut self.policy, policy) != policy {
            self.pool.clear();
        }
        if policy == EvictionPolicy::VolatileTtl {
            self.cursors = [None; DATABASES];
        }
        self.taken.clear();
    }

    /// One more victim, from `samples` looks in each database; None if the policy lets no more go.
    pub fn next(&mut self, keyspace: &Keyspace, samples: usize, now_ms: u64) -> Option<Victim> {
        let victim = match self.policy {
            EvictionPolicy::NoEviction => None,
            EvictionPolicy::VolatileTtl => self.soonest(keyspace),
            policy if policy.is_random() => self.any(keyspace),
            _ => self.best(keyspace, samples.max(1), now_ms),
        }?;
        self.taken.insert(victim.revision);
        Some(victim)
    }

    /// Keys of a database that the policy lets go.
    fn eligible(&self, database: &Database) -> usize {
        if self.policy.is_volatile() { database.deadlines.keys() } else { database.len }
    }

    fn soonest(&mut self, keyspace: &Keyspace) -> Option<Victim> {
        let first = |(db, database): (usize, &Database)| {
            let rows = database.deadlines.after(self.cursors[db].map_or(Bound::Unbounded, Bound::Included));
            let mut entries =
                rows.flat_map(|row| keyspace.rows_entries(db, row).map(move |entry| (row, entry)));
            let (row, entry) = entries.find(|(_, entry)| !self.taken.contains(&entry.item.revision))?;
            Some((row, db, entry))
        };
        let firsts = keyspace.databases.iter().enumerate().filter_map(first);
        let (row, db, entry) = firsts.min_by_key(|(row, db, _)| (row.0, *db))?;
        self.cursors[db] = Some(row);
        Some(victim(db, entry))
    }

    fn any(&mut self, keyspace: &Keyspace) -> Option<Victim> {
        let total: usize = keyspace.databases.iter().map(|database| self.eligible(database)).sum();
        for _ in 0..if total == 0 { 0 } else { ATTEMPTS } {
            let mut place = self.random.below(total);
            let drawn = keyspace.databases.iter().position(|database| {
                let keys = self.eligible(database);
                let is_here = place < keys;
                place = place.wrapping_sub(keys);
                is_here
            });
            let db = drawn?;
            let entry = match self.policy.is_volatile() {
                true => self.sample_deadlines(keyspace, db),
                false => {
                    let Database { partitions, occupied, len, .. } = &keyspace.databases[db];
                    let seed = self.random.below_u64(u64::MAX);
                    random::draw(partitions, occupied, *len, seed, |_| true)
                }
            };
            if let Some(entry) = entry.filter(|entry| !self.taken.contains(&entry.item.revision)) {
                return Some(victim(db, entry));
            }
        }
        None
    }

    fn best(&mut self, keyspace: &Keyspace, samples: usize, now_ms: u64) -> Option<Victim> {
        for _ in 0..ATTEMPTS {
            for (db, database) in keyspace.databases.iter().enumerate() {
                match self.eligible(database) {
                    0 => {}
                    _ if self.policy.is_volatile() => {
                        for _ in 0..samples {
                            let entry = self.sample_deadlines(keyspace, db);
                            entry.into_iter().for_each(|entry| self.offer(keyspace, db, entry, now_ms));
                        }
                    }
                    _ => self.sample_tables(keyspace, db, samples, now_ms),
                }
            }
            if self.pool.is_empty() {
                return None;
            }
            while let Some(candidate) = self.pool.pop() {
                // It may be gone, or have been changed or used since.
                let database = &keyspace.databases[candidate.db];
                let found = database.find(keyspace.hash(&candidate.key), &candidate.key);
                let is_as_it_was = |entry: &&Entry| {
                    entry.item.revision == candidate.revision
                        && self.score(keyspace, entry, now_ms) >= candidate.score
                        && !self.taken.contains(&candidate.revision)
                };
                if let Some(entry) = found.filter(is_as_it_was) {
                    return Some(victim(candidate.db, entry));
                }
            }
        }
        None
    }

    fn score(&self, keyspace: &Keyspace, entry: &Entry, now_ms: u64) -> u64 {
        match self.policy.counts_uses() {
            true => u64::from(u8::MAX - keyspace.counting.frequency(&entry.usage, now_ms)),
            false => entry.usage.idle_s(now_ms),
        }
    }

    /// Puts a sample into the pool, if it is better than the worst there.
    fn offer(&mut self, keyspace: &Keyspace, db: usize, entry: &Entry, now_ms: u64) {
        let (score, revision) = (self.score(keyspace, entry, now_ms), entry.item.revision);
        let is_full = self.pool.len() == EVICTION_POOL_KEYS;
        let is_worse = is_full && self.pool.first().is_some_and(|worst| score <= worst.score);
        let is_known = || self.pool.iter().any(|known| known.revision == revision);
        if is_worse || self.taken.contains(&revision) || is_known() {
            return;
        }
        if is_full {
            self.pool.remove(0);
        }
        let at = self.pool.partition_point(|better| better.score <= score);
        self.pool.insert(at, Candidate { score, db, key: entry.key.clone(), revision });
    }

    /// Offers keys that lie side by side somewhere in a database, which is a place at random: a
    /// key's place is a secret of the cluster.
    fn sample_tables(&mut self, keyspace: &Keyspace, db: usize, samples: usize, now_ms: u64) {
        let Database { partitions, occupied, .. } = &keyspace.databases[db];
        let (mut from, mut left) = (self.random.below(PARTITIONS), samples);
        for _ in 0..samples {
            let Some(number) = occupied.next(from).or_else(|| occupied.next(0)) else { return };
            let table = &partitions[number].table;
            let places = table.num_buckets();
            let start = self.random.below(places.max(1));
            let around = (start..places).chain(0..start).filter_map(|place| table.get_bucket(place));
            for entry in around.take(left) {
                self.offer(keyspace, db, entry, now_ms);
                left -= 1;
            }
            if left == 0 {
                return;
            }
            from = number + 1;
        }
    }

    /// A key with a deadline, some way behind the last one in the order of deadlines: all are met
    /// equally often, and a few samples are from all over.
    fn sample_deadlines<'k>(&mut self, keyspace: &'k Keyspace, db: usize) -> Option<&'k Entry> {
        let deadlines = &keyspace.databases[db].deadlines;
        let stride = self.random.below(STRIDE.min(deadlines.keys()).max(1));
        let behind = match self.cursors[db] {
            Some(cursor) => Bound::Excluded(cursor),
            None => Bound::Unbounded,
        };
        let row = deadlines.after(behind).chain(deadlines.after(Bound::Unbounded)).nth(stride)?;
        self.cursors[db] = Some(row);
        let mut entries = keyspace.rows_entries(db, row);
        entries.find(|entry| !self.taken.contains(&entry.item.revision))
    }
}

fn victim(db: usize, entry: &Entry) -> Victim {
    let size_bytes = entry.item.size_bytes(&entry.key);
    Victim { db: db as u32, key: entry.key.clone(), revision: entry.item.revision, size_bytes }
}

impl Keyspace {
    /// The keys of a row of the index of deadlines.
    fn rows_entries(&self, db: usize, row: (u64, KeyHash)) -> impl Iterator<Item = &Entry> {
        let (deadline_ms, hash) = row;
        let partition = &self.databases[db].partitions[hash.partition()];
        partition.with_hash(hash).filter(move |entry| entry.item.deadline_ms == deadline_ms)
    }

    /// By what keys are chosen from now on.
    pub fn set_eviction_policy(&mut self, policy: EvictionPolicy) {
        self.counting.is_on = policy.counts_uses();
    }

    /// Removes a key for want of memory, unless it has changed since this revision.
    pub fn evict(&mut self, db: usize, key: &[u8], revision: u64, now_ms: u64) -> bool {
        let mut edit = self.edit(db, key, now_ms);
        if edit.item().is_none_or(|item| item.revision != revision) || !edit.remove() {
            return false;
        }
        self.notify(db, EventClass::Evicted, "evicted", key);
        self.propagate(db, &[b"DEL", key]);
        self.end_each();
        true
    }
}
