//! Keys that are about to be looked up: brought near the processor together. One after the other
//! each lookup waits for memory three times, and what a command does besides keeps the
//! processor from beginning the next one meanwhile. This module must never change anything, and
//! nothing may depend on it but speed.

use super::Keyspace;
use crate::limits;
use smallvec::SmallVec;
use std::hint::black_box;

impl Keyspace {
    /// Looks up the first of `keys` in database 0, in loops so short that their waits overlap.
    pub fn look_ahead<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) {
        let partitions = &self.databases[0].partitions;
        if partitions.is_empty() {
            return;
        }
        let mut keys = keys.take(limits::LOOK_AHEAD);
        let (Some(first), Some(second)) = (keys.next(), keys.next()) else { return };
        let keys = [first, second].into_iter().chain(keys);
        let ahead: SmallVec<[_; limits::LOOK_AHEAD]> = keys.map(|key| (self.hash(key), key)).collect();
        for (hash, _) in &ahead {
            black_box(partitions[hash.partition()].table.capacity());
        }
        for (hash, key) in &ahead {
            black_box(partitions[hash.partition()].position(*hash, key));
        }
    }
}
