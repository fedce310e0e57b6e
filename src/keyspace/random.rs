//! A key at random. Each key must have much the same chance: a partition is drawn among those
//! that hold any, then a place in it that may be empty, and if it is, both are drawn again.

use super::Keyspace;
use super::database::Database;
use super::partition::{Entry, Item, Occupied, Partition};

/// Draws until the last, which is taken wherever it falls.
const DRAWS: usize = 64;

/// A well mixed number from each step of a counter (Steele, Lea, Flood: "Fast Splittable
/// Pseudorandom Number Generators", 2014).
#[derive(Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// What it gives follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// What goes on from here is got from a new one with this seed.
    pub(super) fn state(&self) -> u64 {
        self.0
    }

    /// Below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.below_u64(bound as u64) as usize
    }

    /// The same.
    pub fn below_u64(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// One that `wanted`, among these partitions, which hold `len` keys.
pub(super) fn draw<'a>(
    partitions: &'a [Partition],
    occupied: &Occupied,
    len: usize,
    seed: u64,
    wanted: impl Fn(&Item) -> bool,
) -> Option<&'a Entry> {
    let filled = occupied.count();
    if filled == 0 {
        return None;
    }
    let mut random = SplitMix::new(seed);
    // Few partitions hold more than twice the mean and a few more.
    let places = 4 + 2 * len / filled;
    for draw in 1..=DRAWS {
        let partition = &partitions[occupied.nth(random.below(filled))?];
        let keys = partition.table.len().max(1);
        let place = random.below(if draw < DRAWS { places.max(keys) } else { keys });
        let found = partition.table.iter().nth(place).filter(|entry| wanted(&entry.item));
        if let Some(entry) = found {
            return Some(entry);
        }
    }
    // Nearly all have expired and wait for their removal.
    let all = (0..filled).filter_map(|n| occupied.nth(n));
    let mut entries = all.flat_map(|partition| partitions[partition].table.iter());
    entries.find(|entry| wanted(&entry.item)).map(|entry| &**entry)
}

impl Keyspace {
    /// A key that a client sees at `now_ms`, another with each `seed`.
    pub fn random(&self, db: usize, seed: u64, now_ms: u64) -> Option<(&[u8], &Item)> {
        let Database { partitions, occupied, len, .. } = &self.databases[db];
        let entry = draw(partitions, occupied, *len, seed, |item| !item.has_expired(now_ms))?;
        Some((&*entry.key, &entry.item))
    }
}

#[cfg(test)]
mod tests {
    use crate::keyspace::{Keyspace, Value};
    use std::collections::BTreeMap;

    fn filled(keys: usize, deadline_ms: impl Fn(usize) -> u64) -> Keyspace {
        let mut keyspace = Keyspace::new([3; 16]);
        for i in 0..keys {
            keyspace.edit(0, i.to_string().as_bytes(), 1).set(Value::string(b"v"), deadline_ms(i));
        }
        keyspace
    }

    #[test]
    fn every_key_has_much_the_same_chance() {
        for keys in [1, 2, 10, 300, 20_000] {
            let keyspace = filled(keys, |_| 0);
            let draws = keys * 30;
            let mut seen = BTreeMap::new();
            for seed in 0..draws {
                let (key, _) = keyspace.random(0, seed as u64, 1).unwrap();
                *seen.entry(key.to_vec()).or_insert(0) += 1;
            }
            assert!(seen.len() * 1000 >= keys * 995, "{} of {keys} keys were drawn", seen.len());
            // 30 on average; of a fair draw of 20,000 keys the most frequent has some 55.
            assert!(seen.values().max() < Some(&80), "of {keys} keys one {:?} times", seen.values().max());
        }
    }

    #[test]
    fn what_has_expired_is_never_drawn() {
        assert_eq!(filled(0, |_| 0).random(0, 1, 1).map(|(key, _)| key.to_vec()), None);
        let keyspace = filled(2000, |i| if i == 77 { 0 } else { 10 });
        for seed in 0..100 {
            assert_eq!(keyspace.random(0, seed, 10).map(|(key, _)| key), Some(&b"77"[..]));
        }
        assert!(filled(100, |_| 10).random(0, 5, 10).is_none());
    }
}
