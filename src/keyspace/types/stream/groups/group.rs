//! [`Group`]: how far a group has read, what its consumers have and have not acknowledged. An entry is pending for at most
//! one of them.
//!
//! A consumer that is deleted is gone at once, with all that it had. What of that still stands among the group's entries
//! is told by its number, which nobody has, and is taken out bit by bit; it must never count.

use super::consumers::Consumers;
use super::pending::Walk;
use super::{Consumer, Id, Pending};
use crate::collections::{Seq, SeqIter, Weigh};
use crate::mutant::{self, Mutant};

/// Entries of a consumer that is gone which a change of its group takes out.
const TAKEN_OUT_AT_ONCE: usize = 500;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The last entry that was delivered.
    pub last_id: Id,
    /// How many entries of the stream were read, if that is known.
    pub entries_read: Option<i64>,
    consumers: Consumers,
    /// By id.
    entries: Seq<Pending>,
    /// How many of the entries count.
    pending_len: usize,
    departed: Seq<Departed>,
}

/// A consumer that is gone, with those of its entries that have not been taken out.
#[derive(Debug, Clone)]
struct Departed {
    number: u64,
    pending: Seq<Id>,
}

impl Weigh for Departed {
    fn heap_bytes(&self) -> usize {
        self.pending.heap_bytes()
    }
}

impl Group {
    pub fn new(last_id: Id, entries_read: Option<i64>) -> Self {
        Self { last_id, entries_read, ..Self::default() }
    }

    pub fn consumers(&self) -> &Consumers {
        &self.consumers
    }

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending_len
    }

    /// What is pending, from an id on, with who has it.
    pub fn pending_from(&self, from: Id) -> impl Iterator<Item = (Pending, &Consumer)> {
        Walk::new(self, from)
    }

    /// The first and the last that are pending. Looks at each consumer.
    pub fn pending_bounds(&self) -> Option<(Id, Id)> {
        self.consumers.bounds()
    }

    /// An entry, if it is pending, and who has it.
    pub fn pending(&self, id: Id) -> Option<(Pending, &Consumer)> {
        let found = self.entries.get(self.place(id)).filter(|found| found.id == id)?;
        Some((*found, self.consumers.by_number(found.consumer)?))
    }

    /// What counts and what does not.
    pub(super) fn entries_from(&self, from: Id) -> SeqIter<'_, Pending> {
        self.entries.range(self.place(from)..self.entries.len())
    }

    /// The same, from a place on.
    pub(super) fn entries_from_place(&self, at: usize) -> SeqIter<'_, Pending> {
        self.entries.range(at..self.entries.len())
    }

    /// Whether all entries count.
    pub(super) fn is_tidy(&self) -> bool {
        self.departed.is_empty()
    }

    fn place(&self, id: Id) -> usize {
        self.entries.partition_point_of(id.ms, |other| other.id < id)
    }

    pub(super) fn elements(&self) -> usize {
        self.entries.len() + self.consumers.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes() + self.consumers.heap_bytes() + self.departed.heap_bytes()
    }

    /// Adds a consumer. Its number; none: there is one of that name.
    pub fn add_consumer(&mut self, name: &[u8], seen_ms: i64) -> Option<u64> {
        self.consumers.insert(name, seen_ms)
    }

    /// The number of a consumer, which counts as active from now on, and is added if it is not there: whether it was
    /// not.
    pub fn take_consumer(&mut self, name: &[u8], now_ms: i64) -> (u64, bool) {
        let Some(number) = self.consumers.get(name).map(|found| found.number) else {
            let added = self.consumers.insert(name, now_ms);
            return (added.expect("it is not there"), true);
        };
        self.consumers.update(number, |consumer| consumer.seen_ms = now_ms);
        (number, false)
    }

    /// Removes a consumer, with what it had. How many entries that was; none: there is none of that name.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let consumer = self.consumers.remove(name)?;
        let len = consumer.pending.len();
        self.pending_len -= len;
        if len > 0 {
            self.departed.push_back(Departed { number: consumer.number, pending: consumer.pending });
        }
        Some(len)
    }

    /// Makes an entry pending, or changes how it is: it is its consumer's from then on.
    pub fn assign(&mut self, pending: Pending) {
        let at = self.place(pending.id);
        let Some(old) = self.entries.get(at).filter(|old| old.id == pending.id).map(|old| old.consumer)
        else {
            self.entries.insert(at, pending);
            self.consumers.give(pending.consumer, pending.id);
            self.pending_len += 1;
            return;
        };
        self.entries.update(at, |entry| *entry = pending);
        if old == pending.consumer {
            return;
        }
        match self.consumers.by_number(old) {
            Some(_) => self.consumers.withdraw(old, pending.id),
            None => self.pending_len += 1,
        }
        self.consumers.give(pending.consumer, pending.id);
    }

    /// An entry that is pending was delivered once more to who has it.
    pub fn show_again(&mut self, id: Id, now_ms: i64) {
        self.entries.update(self.place(id), |entry| {
            if entry.id == id {
                (entry.delivered_ms, entry.deliveries) = (now_ms, entry.deliveries.wrapping_add(1));
            }
        });
    }

    /// An entry is pending no more. Whether it was.
    pub fn acknowledge(&mut self, id: Id) -> bool {
        let Some(number) = self.pending(id).map(|(pending, _)| pending.consumer) else { return false };
        if mutant::is(Mutant::AckForgotten) {
            return true;
        }
        self.entries.remove(self.place(id));
        self.consumers.withdraw(number, id);
        self.pending_len -= 1;
        true
    }

    /// Takes out some of the entries that do not count.
    pub(super) fn take_out_departed(&mut self) {
        let mut left = TAKEN_OUT_AT_ONCE;
        while left > 0
            && let Some(mut departed) = self.departed.pop_back()
        {
            while left > 0
                && let Some(id) = departed.pending.pop_back()
            {
                left -= 1;
                let at = self.place(id);
                let is_its = |entry: &&Pending| entry.id == id && entry.consumer == departed.number;
                if self.entries.get(at).filter(is_its).is_some() {
                    self.entries.remove(at);
                }
            }
            if !departed.pending.is_empty() {
                self.departed.push_back(departed);
            }
        }
    }

    /// Frees about so many elements. How many it were: fewer, if nothing is left.
    pub(super) fn release(&mut self, elements: usize) -> usize {
        let before = self.entries.len();
        if !self.entries.release(elements) {
            return elements;
        }
        let mut freed = before;
        while freed < elements
            && let Some(mut departed) = self.departed.pop_back()
        {
            let before = departed.pending.len();
            if !departed.pending.release(elements - freed) {
                self.departed.push_back(departed);
                return elements;
            }
            freed += before;
        }
        freed + self.consumers.release(elements.saturating_sub(freed))
    }

    /// Of one that is restored: they come in order.
    pub(super) fn push_pending(&mut self, pending: Pending) -> bool {
        let is_next = self
            .entries
            .len()
            .checked_sub(1)
            .is_none_or(|last| self.entries.get(last).is_some_and(|last| last.id < pending.id));
        let is_sound = is_next && self.consumers.by_number(pending.consumer).is_some();
        if is_sound {
            self.assign(pending);
        }
        is_sound
    }

    pub(super) fn consumers_mut(&mut self) -> &mut Consumers {
        &mut self.consumers
    }
}
