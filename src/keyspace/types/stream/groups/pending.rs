//! [`Pending`]: an entry that was delivered and not acknowledged, and walks over them. What a consumer left behind that
//! is gone must never be seen.

use super::{Consumer, Group, Id};
use crate::collections::{SeqIter, Weigh};
use std::iter::FusedIterator;

/// So many in a row that count no more are passed over one by one, before a walk looks for the next that does.
const PASSED_OVER: usize = 1000;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    pub id: Id,
    /// The number of the consumer that has it.
    pub consumer: u64,
    /// When it was delivered the last time.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

impl Weigh for Pending {
    fn rank(&self) -> u64 {
        self.id.ms
    }
}

/// Of what a consumer has, only the names stand with it.
impl Weigh for Id {
    fn rank(&self) -> u64 {
        self.ms
    }
}

/// A walk over what is pending in a group, with who has it.
pub struct Walk<'a> {
    group: &'a Group,
    rest: SeqIter<'a, Pending>,
    /// Who had the one before, and probably has the next.
    last: Option<&'a Consumer>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(group: &'a Group, from: Id) -> Self {
        Self { group, rest: group.entries_from(from), last: None }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Pending, &'a Consumer);

    fn next(&mut self) -> Option<Self::Item> {
        let mut passed = 0;
        loop {
            let pending = self.rest.next()?;
            if self.last.is_none_or(|last| last.number != pending.consumer) {
                self.last = self.group.consumers().by_number(pending.consumer);
            }
            if let Some(consumer) = self.last {
                return Some((*pending, consumer));
            }
            passed += 1;
            if passed == PASSED_OVER {
                passed = 0;
                self.rest = self.group.entries_from(self.group.consumers().first_pending(pending.id)?);
            }
        }
    }
}

impl FusedIterator for Walk<'_> {}
