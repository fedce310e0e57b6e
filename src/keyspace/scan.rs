//! Walks over the keys for clients: `SCAN`'s cursor, and all keys at once. A walk must never
//! depend on anything but the partitions' numbers, so that a cursor means the same on every
//! replica.

use super::Keyspace;
use super::database::Database;
use super::partition::{Item, PARTITIONS};

/// Where a [`Keyspace::scan`] has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scanned {
    /// Continue here; 0 when the walk is complete.
    pub cursor: u64,
    /// Keys passed to the visitor.
    pub visited: usize,
}

impl Keyspace {
    /// Passes whole partitions of a database to `visit`, from `cursor` (0 to begin with) until it was called
    /// `count` times or all are done; expired keys are passed too. A key that is there from
    /// the first call to the last is passed exactly once: it never leaves its partition.
    pub fn scan(&self, db: usize, cursor: u64, count: usize, mut visit: impl FnMut(&[u8], &Item)) -> Scanned {
        let Database { partitions, occupied, .. } = &self.databases[db];
        let mut visited = 0;
        let mut from = usize::try_from(cursor).unwrap_or(PARTITIONS);
        while from < PARTITIONS {
            let Some(partition) = occupied.next(from) else { break };
            if visited >= count {
                return Scanned { cursor: partition as u64, visited };
            }
            partitions[partition].for_each(|entry| visit(&entry.key, &entry.item));
            visited += partitions[partition].table.len();
            from = partition + 1;
        }
        Scanned { cursor: 0, visited }
    }
}
