//! [`Consumers`]: who reads in a group, by name and by number. Numbers are those that pending entries carry: they are given
//! in the order of creation, and never again. No client may see one.

use super::Id;
use crate::collections::{Blob, Seq, Weigh};

/// Who reads in a group.
#[derive(Debug, Clone)]
pub struct Consumer {
    pub name: Blob,
    /// When it was last active.
    pub seen_ms: i64,
    pub(super) number: u64,
    /// What was delivered to it and not acknowledged.
    pub(super) pending: Seq<Id>,
}

impl Consumer {
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What it has, from an id on.
    pub fn pending_from(&self, from: Id) -> impl Iterator<Item = Id> {
        self.pending.range(self.place(from)..self.pending.len()).copied()
    }

    fn place(&self, id: Id) -> usize {
        self.pending.partition_point_of(id.ms, |other| *other < id)
    }
}

impl Weigh for Consumer {
    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + self.pending.heap_bytes()
    }

    fn rank(&self) -> u64 {
        self.number
    }
}

#[derive(Debug, Clone)]
struct Name {
    name: Blob,
    number: u64,
}

impl Weigh for Name {
    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes()
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Consumers {
    /// In the order of their numbers.
    all: Seq<Consumer>,
    /// In the order of their names.
    names: Seq<Name>,
    /// What the next one gets.
    next_number: u64,
}

impl Consumers {
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.all.heap_bytes() + self.names.heap_bytes()
    }

    pub(super) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.names.iter().filter_map(|name| self.by_number(name.number))
    }

    pub fn get(&self, name: &[u8]) -> Option<&Consumer> {
        self.by_number(self.place_of_name(name).1?)
    }

    pub(super) fn by_number(&self, number: u64) -> Option<&Consumer> {
        self.all.get(self.place(number)).filter(|found| found.number == number)
    }

    /// Those from a place on, in the order of their numbers.
    pub(super) fn starting_at(&self, at: usize) -> impl Iterator<Item = &Consumer> {
        self.all.range(at..self.all.len())
    }

    /// Of all that consumers have, the first behind an id.
    pub(super) fn first_pending(&self, behind: Id) -> Option<Id> {
        let from = behind.next()?;
        self.all.iter().filter_map(|consumer| consumer.pending_from(from).next()).min()
    }

    /// The first and the last of all that they have.
    pub(super) fn bounds(&self) -> Option<(Id, Id)> {
        let ends = |consumer: &Consumer| {
            let last = consumer.pending.len().checked_sub(1)?;
            Some((*consumer.pending.get(0)?, *consumer.pending.get(last)?))
        };
        self.all.iter().filter_map(ends).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    fn place(&self, number: u64) -> usize {
        self.all.partition_point_of(number, |_| false)
    }

    /// Where a name stands or would stand, and the number of who has it.
    fn place_of_name(&self, name: &[u8]) -> (usize, Option<u64>) {
        let at = self.names.partition_point(|other| *other.name < *name);
        let found = self.names.get(at).filter(|other| *other.name == *name);
        (at, found.map(|found| found.number))
    }

    /// Adds one. Its number; none: there is one of that name.
    pub(super) fn insert(&mut self, name: &[u8], seen_ms: i64) -> Option<u64> {
        let number = self.next_number;
        self.insert_as(number, name, seen_ms).then(|| {
            self.next_number += 1;
            number
        })
    }

    /// The same with a number that is higher than all others.
    pub(super) fn insert_as(&mut self, number: u64, name: &[u8], seen_ms: i64) -> bool {
        let (at, found) = self.place_of_name(name);
        if found.is_some() {
            return false;
        }
        let name = Blob::new(name);
        self.names.insert(at, Name { name: name.clone(), number });
        self.all.push_back(Consumer { name, seen_ms, number, pending: Seq::new() });
        true
    }

    /// Whether the next of those that are restored in order may have this number.
    pub(super) fn takes(&self, number: u64) -> bool {
        let last = self.all.len().checked_sub(1).and_then(|last| self.all.get(last));
        number < self.next_number && last.is_none_or(|last| last.number < number)
    }

    pub(super) fn set_next_number(&mut self, number: u64) {
        self.next_number = number;
    }

    pub(super) fn remove(&mut self, name: &[u8]) -> Option<Consumer> {
        let (at, number) = self.place_of_name(name);
        let place = self.place(number?);
        self.names.remove(at);
        self.all.remove(place)
    }

    pub(super) fn update<R>(&mut self, number: u64, change: impl FnOnce(&mut Consumer) -> R) -> Option<R> {
        let at = self.place(number);
        self.all.get(at).filter(|found| found.number == number)?;
        self.all.update(at, change)
    }

    /// A consumer has got what it did not have.
    pub(super) fn give(&mut self, number: u64, id: Id) {
        self.update(number, |consumer| consumer.pending.insert(consumer.place(id), id));
    }

    /// A consumer has what it had no more.
    pub(super) fn withdraw(&mut self, number: u64, id: Id) {
        self.update(number, |consumer| {
            let at = consumer.place(id);
            if consumer.pending.get(at) == Some(&id) {
                consumer.pending.remove(at);
            }
        });
    }

    /// Frees about so many elements. How many it were: fewer, if nothing is left.
    pub(super) fn release(&mut self, elements: usize) -> usize {
        self.names.release(elements);
        let mut left = elements;
        while left > 0
            && let Some(last) = self.all.len().checked_sub(1)
        {
            let freed = self.all.update(last, |consumer| {
                let before = consumer.pending.len();
                consumer.pending.release(left);
                before - consumer.pending.len()
            });
            left = left.saturating_sub(freed.unwrap_or(0));
            if left > 0 {
                self.all.pop_back();
                left -= 1;
            }
        }
        elements - left
    }
}
