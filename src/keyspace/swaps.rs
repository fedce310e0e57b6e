//! What `SWAPDB` means for `WATCH`. The revisions of keys do not tell that a key has been away
//! and has come back, so each number of a database remembers when it was swapped last. This
//! module must never say that a watch holds when a key may have changed.

use super::{Item, Keyspace};
use crate::wire::units::Watch;

/// The last swap of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swap {
    /// The group's revision that the swap was; 0: there was none.
    pub revision: u64,
    /// That of the swap before.
    pub before: u64,
    /// With which number.
    pub with: u32,
    /// The log's clock.
    pub at_ms: u64,
}

impl Swap {
    /// The change that brought a key to where it is: its own last one, or the swap by which it
    /// came there alive. Of a key that had expired by the last swap, an earlier one counts.
    pub(super) fn arrival(&self, item: &Item) -> u64 {
        let swapped = if item.has_expired(self.at_ms) { self.before } else { self.revision };
        item.revision.max(swapped)
    }
}

impl Keyspace {
    /// Gives each of two databases the other's number: one change, however many keys there are.
    pub fn swap(&mut self, a: usize, b: usize, now_ms: u64) {
        self.propagation.always(); // as Redis, that of a database with itself too
        if a == b {
            return;
        }
        self.revision += 1;
        self.databases.swap(a, b);
        for (db, with) in [(a, b), (b, a)] {
            let before = self.swaps[db].revision;
            self.swaps[db] = Swap { revision: self.revision, before, with: with as u32, at_ms: now_ms };
        }
        self.events.touched_all();
    }

    /// The last swap of each number that was ever swapped.
    pub fn swaps(&self) -> impl Iterator<Item = (usize, Swap)> {
        self.swaps.iter().copied().enumerate().filter(|(_, swap)| swap.revision != 0)
    }

    /// Carries on from a snapshot.
    pub fn restore_swap(&mut self, db: usize, swap: Swap) {
        self.swaps[db] = swap;
    }

    /// Whether a watch holds although its database was swapped. A key that was there has gone
    /// to another database, or has been there. One that was not may never have been under
    /// that number, but what there is to say so now lies in other databases.
    pub(super) fn holds_over_swap(&self, watch: &Watch<'_>) -> bool {
        let db = watch.db as usize;
        let swap = self.swaps[db];
        let with = swap.with as usize;
        let once = swap.before <= watch.seen_at && self.swaps[with].revision == swap.revision;
        let hash = self.hash(watch.key);
        let was_absent = |db: usize| {
            let Some(partition) = self.databases[db].partitions.get(hash.partition()) else { return true };
            let absent = match partition.find(hash, watch.key).map(|entry| &entry.item) {
                // It had expired already when it came under the number.
                Some(item) => once && item.has_expired(swap.at_ms) && item.revision <= watch.seen_at,
                None => true,
            };
            absent && partition.tombstone <= watch.seen_at
        };
        let absent =
            if once { was_absent(db) && was_absent(with) } else { (0..self.swaps.len()).all(was_absent) };
        watch.revision == 0 && absent
    }
}
