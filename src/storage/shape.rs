//! What every backend remembers of a group's log without holding its entries: where it starts
//! and ends, which terms it has, the hard state. Refuses a write after which the log could not
//! be loaded again. This module must never do IO.

use super::{LogBase, LogBatch, StoreError};
use crate::wire::GroupId;
use raft::eraftpb::HardState;

/// The outline of one group's log.
#[derive(Debug, Clone, Default)]
pub(super) struct Shape {
    pub(super) hard_state: Option<HardState>,
    pub(super) base: LogBase,
    pub(super) last_index: u64,
    /// Where each term begins: (first index, term), from `base.index + 1` on at the latest.
    terms: Vec<(u64, u64)>,
}

impl Shape {
    /// The outline of a log that was loaded.
    pub(super) fn of(
        hard_state: Option<HardState>,
        base: LogBase,
        entries: impl Iterator<Item = (u64, u64)>,
    ) -> Self {
        let mut shape = Self { hard_state, base, last_index: base.index, terms: Vec::new() };
        for (index, term) in entries {
            shape.push(index, term);
        }
        shape
    }

    /// Takes in a batch that is about to be written, or says why it cannot be.
    pub(super) fn apply(&mut self, group: GroupId, batch: &LogBatch) -> Result<(), StoreError> {
        let impossible = |what: String| Err(StoreError::Impossible { group, what });
        if let Some(new) = &batch.hard_state {
            let term = self.hard_state.as_ref().map_or(0, |old| old.term);
            if new.term < term {
                return impossible(format!("term {} after term {term}", new.term));
            }
            self.hard_state = Some(new.clone());
        }
        if let Some(base) = batch.reset {
            *self =
                Self { hard_state: self.hard_state.take(), base, last_index: base.index, terms: Vec::new() };
        }
        let Some(first) = batch.entries.first() else { return Ok(()) };
        if first.index <= self.base.index || first.index > self.last_index + 1 {
            let LogBase { index, .. } = self.base;
            return impossible(format!(
                "entries from {} on, in a log that starts after {index} and ends with {}",
                first.index, self.last_index
            ));
        }
        self.terms.retain(|&(start, _)| start < first.index);
        for (entry, expected) in batch.entries.iter().zip(first.index..) {
            if entry.index != expected {
                return impossible(format!("entry {} where {expected} belongs", entry.index));
            }
            self.push(entry.index, entry.term);
        }
        Ok(())
    }

    fn push(&mut self, index: u64, term: u64) {
        if self.terms.last().is_none_or(|&(_, last)| last != term) {
            self.terms.push((index, term));
        }
        self.last_index = index;
    }

    /// Moves the start of the log; `None` when it already starts there or later.
    pub(super) fn compact(&mut self, group: GroupId, through: u64) -> Result<Option<LogBase>, StoreError> {
        if through <= self.base.index {
            return Ok(None);
        }
        if through > self.last_index {
            let what = format!("compaction through {through} of a log that ends with {}", self.last_index);
            return Err(StoreError::Impossible { group, what });
        }
        let run = self.terms.partition_point(|&(start, _)| start <= through);
        let term = run.checked_sub(1).and_then(|run| self.terms.get(run)).map_or(self.base.term, |run| run.1);
        self.terms.drain(..run.saturating_sub(1));
        self.base = LogBase { index: through, term };
        Ok(Some(self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::eraftpb::Entry;

    fn entries(range: std::ops::RangeInclusive<u64>, term: u64) -> LogBatch {
        let entries = range.map(|index| Entry { index, term, ..Entry::default() }).collect();
        LogBatch { entries, ..LogBatch::default() }
    }

    #[test]
    fn the_base_takes_the_term_of_its_entry_also_after_a_conflict() {
        let mut shape = Shape::default();
        shape.apply(1, &entries(1..=5, 1)).unwrap();
        shape.apply(1, &entries(6..=9, 2)).unwrap();
        shape.apply(1, &entries(4..=7, 3)).unwrap();
        assert_eq!(shape.last_index, 7);
        assert_eq!(shape.compact(1, 3).unwrap(), Some(LogBase { index: 3, term: 1 }));
        assert_eq!(shape.compact(1, 3).unwrap(), None);
        assert_eq!(shape.compact(1, 4).unwrap(), Some(LogBase { index: 4, term: 3 }));
        assert_eq!(shape.compact(1, 7).unwrap(), Some(LogBase { index: 7, term: 3 }));
        assert!(shape.compact(1, 8).is_err());
        shape.apply(1, &entries(8..=8, 3)).unwrap();
        assert_eq!(shape.compact(1, 8).unwrap(), Some(LogBase { index: 8, term: 3 }));
    }

    #[test]
    fn impossible_logs_are_refused() {
        let mut shape = Shape::default();
        shape.apply(1, &entries(1..=5, 1)).unwrap();
        shape.compact(1, 3).unwrap();
        assert!(shape.clone().apply(1, &entries(3..=4, 2)).is_err(), "before the base");
        assert!(shape.clone().apply(1, &entries(7..=8, 2)).is_err(), "a gap");
        let mut gap = entries(6..=8, 1);
        gap.entries.remove(1);
        assert!(shape.clone().apply(1, &gap).is_err(), "a gap inside");
        let hard_state = |term| LogBatch {
            hard_state: Some(HardState { term, ..HardState::default() }),
            ..LogBatch::default()
        };
        shape.apply(1, &hard_state(4)).unwrap();
        assert!(shape.apply(1, &hard_state(3)).is_err(), "a term that goes back");
    }
}
