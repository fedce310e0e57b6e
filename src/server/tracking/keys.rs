//! [`KeyTable`]: which clients may have which keys. Databases are not told apart, as in Redis:
//! a client is told of a change in any. This module must never tell anybody.

use crate::keyspace::Blob;
use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Clients, in order. Some of them may be gone.
pub type Ids = SmallVec<[u64; 2]>;

/// See the module.
#[derive(Default)]
pub struct KeyTable {
    rows: BTreeMap<Blob, Ids>,
    items: usize,
    /// The key that was evicted last: the next one follows it, so that all get their turn.
    hand: Option<Blob>,
}

impl KeyTable {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Clients of all keys.
    pub fn items(&self) -> usize {
        self.items
    }

    /// The client has seen the key. Before a row grows, clients that are gone leave it.
    pub fn remember(&mut self, key: Blob, id: u64, is_live: impl Fn(u64) -> bool) {
        let ids = self.rows.entry(key).or_default();
        let Err(mut at) = ids.binary_search(&id) else { return };
        if ids.len() == ids.capacity() {
            let before = ids.len();
            ids.retain(|id| is_live(*id));
            self.items -= before - ids.len();
            at = ids.partition_point(|&other| other < id);
        }
        ids.insert(at, id);
        self.items += 1;
    }

    /// The key has changed: nobody has it any more.
    pub fn take(&mut self, key: &Blob) -> Option<Ids> {
        let ids = self.rows.remove(key)?;
        self.items -= ids.len();
        Some(ids)
    }

    /// Lets go of one key.
    pub fn evict(&mut self) -> Option<(Blob, Ids)> {
        let after = self.hand.take().map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.rows.range((after, Bound::Unbounded)).next().or_else(|| self.rows.first_key_value());
        let key = next?.0.clone();
        self.hand = Some(key.clone());
        let ids = self.take(&key)?;
        Some((key, ids))
    }
}
