//! What a flush put aside, and large collections that were removed or replaced, freed bit by bit: a million keys or
//! elements take a tenth of a second to free, for which no replica may pause. This module must never be part of
//! the state.

use super::Value;
use super::deadlines::Deadlines;
use super::partition::{Entry, Table};
use super::types::Frozen;
use crate::limits::{RELEASE_ELEMENTS, RELEASE_WHOLE_ELEMENTS};
use hashbrown::hash_table;
use std::fmt;

/// Rows of a deadline index freed at once: about what a table costs.
const DEADLINES_AT_ONCE: usize = 64;

#[derive(Default)]
pub(super) struct Discarded {
    tables: Vec<Table>,
    /// What is left of the table whose turn it is.
    draining: Option<hash_table::IntoIter<Box<Entry>>>,
    /// Large collections.
    values: Vec<Value>,
    /// Of a snapshot that was given up.
    frozen: Vec<Box<dyn Frozen>>,
    deadlines: Vec<Deadlines>,
    /// Values of keys that were freed here, since the node began.
    freed: u64,
}

impl fmt::Debug for Discarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discarded").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Discarded {
    pub(super) fn add_table(&mut self, table: Table) {
        if table.capacity() != 0 {
            self.tables.push(table);
        }
    }

    pub(super) fn add_deadlines(&mut self, deadlines: Deadlines) {
        if deadlines.keys() != 0 {
            self.deadlines.push(deadlines);
        }
    }

    /// Frees a value, later if it is large.
    #[inline]
    pub(super) fn add_value(&mut self, value: Value) {
        if elements(&value) > RELEASE_WHOLE_ELEMENTS {
            self.values.push(value);
        }
    }

    pub(super) fn add_frozen(&mut self, frozen: Box<dyn Frozen>) {
        self.frozen.push(frozen);
    }

    pub(super) fn is_empty(&self) -> bool {
        let no_tables = self.tables.is_empty() && self.draining.is_none() && self.deadlines.is_empty();
        no_tables && self.values.is_empty() && self.frozen.is_empty()
    }

    /// Tables, indexes and collections that wait.
    pub(super) fn len(&self) -> usize {
        let draining = usize::from(self.draining.is_some());
        self.tables.len() + draining + self.values.len() + self.frozen.len() + self.deadlines.len()
    }

    /// Values that were freed here, and not by the command that took them away.
    pub(super) fn freed(&self) -> u64 {
        self.freed
    }

    /// Frees some keys or elements, and some deadlines. Whether there is more.
    pub(super) fn release_some(&mut self) -> bool {
        if let Some(value) = self.values.last_mut() {
            let collection = value.collection_mut();
            if collection.is_none_or(|collection| collection.release(RELEASE_ELEMENTS)) {
                self.values.pop();
                self.freed += 1;
            }
        } else if let Some(frozen) = self.frozen.last_mut() {
            if frozen.release(RELEASE_ELEMENTS) {
                self.frozen.pop();
            }
        } else {
            self.drain_some();
        }
        if self.deadlines.last_mut().is_some_and(|deadlines| !deadlines.release(DEADLINES_AT_ONCE)) {
            self.deadlines.pop();
        }
        !self.is_empty()
    }

    /// Frees keys of a table until they have had so many elements together.
    fn drain_some(&mut self) {
        if self.draining.is_none() {
            self.draining = self.tables.pop().map(IntoIterator::into_iter);
        }
        let Some(entries) = &mut self.draining else { return };
        let mut freed = 0;
        while freed < RELEASE_ELEMENTS {
            let Some(entry) = entries.next() else {
                self.draining = None;
                return;
            };
            let len = elements(&entry.item.value);
            if len > RELEASE_WHOLE_ELEMENTS {
                self.values.push(entry.item.value);
                return;
            }
            freed += 1 + len;
            self.freed += 1;
        }
    }
}

fn elements(value: &Value) -> usize {
    value.collection().map_or(0, |collection| collection.elements())
}
