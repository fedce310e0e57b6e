//! The keys that have a deadline, in order of it. This index must never hold anything that a
//! restored replica could not rebuild from its keys.

use super::hash::KeyHash;
use std::collections::BTreeSet;
use std::ops::Bound;

/// (deadline, hash) of every key that has a deadline. Two keys that share both share a row.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    rows: BTreeSet<(u64, KeyHash)>,
    keys: usize,
}

impl Deadlines {
    /// How many keys have a deadline.
    pub(super) fn keys(&self) -> usize {
        self.keys
    }

    pub(super) fn first(&self) -> Option<(u64, KeyHash)> {
        self.rows.first().copied()
    }

    /// The rows behind this place, in order.
    pub(super) fn after(&self, place: Bound<(u64, KeyHash)>) -> impl Iterator<Item = (u64, KeyHash)> {
        self.rows.range((place, Bound::Unbounded)).copied()
    }

    /// Nothing when `deadline_ms` is 0.
    pub(super) fn add(&mut self, deadline_ms: u64, hash: KeyHash) {
        if deadline_ms != 0 {
            self.keys += 1;
            self.rows.insert((deadline_ms, hash));
        }
    }

    /// The opposite of [`Deadlines::add`]. `shared`: another key of this hash has this deadline.
    pub(super) fn remove(&mut self, deadline_ms: u64, hash: KeyHash, shared: bool) {
        if deadline_ms != 0 {
            self.keys -= 1;
            if !shared {
                self.rows.remove(&(deadline_ms, hash));
            }
        }
    }

    /// Frees up to `max` rows of an index that is no longer used. Whether there are more.
    pub(super) fn release(&mut self, max: usize) -> bool {
        (0..max).all(|_| self.rows.pop_first().is_some())
    }
}
