//! What a flush put aside, freed bit by bit: a million keys take a tenth of a second to free,
//! for which no replica may pause. This module must never be part of the state.

use super::deadlines::Deadlines;
use super::partition::Table;

/// Rows of a deadline index freed at once: about what a table costs.
const DEADLINES_AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Discarded {
    tables: Vec<Table>,
    deadlines: Vec<Deadlines>,
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

    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.deadlines.is_empty()
    }

    /// Tables and indexes that wait.
    pub(super) fn len(&self) -> usize {
        self.tables.len() + self.deadlines.len()
    }

    /// Frees a table, and some deadlines. Whether there is more.
    pub(super) fn release_some(&mut self) -> bool {
        self.tables.pop();
        if self.deadlines.last_mut().is_some_and(|deadlines| !deadlines.release(DEADLINES_AT_ONCE)) {
            self.deadlines.pop();
        }
        !self.is_empty()
    }
}
