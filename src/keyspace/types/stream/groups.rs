//! [`Groups`]: the consumer groups of a stream, in the order of their names. What was delivered and not acknowledged
//! stands twice: with the group, and with the consumer that has it.
//!
//! The stream that has them frees, freezes and hashes them with itself: [`Groups::elements`] is what freeing
//! counts, and what [`FrozenGroups`] writes is what snapshots have, what the state hash covers and what [`GrowingGroups`] takes.
//! A clone takes no time. No change may take longer because there are many groups, consumers or pending entries: a consumer that
//! goes away leaves its entries to be taken out by later changes of its group ([`Group`]), and nobody sees them meanwhile.

mod consumers;
mod group;
mod grow;
mod pending;
mod progress;
#[cfg(test)]
mod tests;

pub use consumers::Consumer;
pub use group::Group;
pub(super) use grow::{FrozenGroups, GrowingGroups};
pub use pending::Pending;

use super::{Id, Stream};
use crate::collections::{Blob, Seq, Weigh, allocated};
use std::sync::Arc;

/// The counts that stand before what an [`Arc`] holds.
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Groups(Seq<Named>);

#[derive(Debug, Clone)]
struct Named {
    name: Blob,
    group: Arc<Group>,
}

impl Weigh for Named {
    fn weight(&self) -> usize {
        1 + self.group.elements()
    }

    fn heap_bytes(&self) -> usize {
        self.name.heap_bytes() + allocated(size_of::<Group>() + ARC_BYTES) + self.group.heap_bytes()
    }
}

impl Groups {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Groups, consumers and pending entries: what there is to free.
    pub fn elements(&self) -> usize {
        self.0.weight()
    }

    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Where a group stands or would stand, and whether it is there.
    fn place(&self, name: &[u8]) -> (usize, Option<&Named>) {
        let at = self.0.partition_point(|other| *other.name < *name);
        (at, self.0.get(at).filter(|other| *other.name == *name))
    }

    pub fn get(&self, name: &[u8]) -> Option<&Group> {
        self.place(name).1.map(|found| &*found.group)
    }

    /// All of them, with their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Blob, &Group)> {
        self.0.iter().map(|named| (&named.name, &*named.group))
    }

    /// Adds a group. False: there is one of that name.
    pub fn insert(&mut self, name: &[u8], group: Group) -> bool {
        let (at, found) = self.place(name);
        if found.is_some() {
            return false;
        }
        self.0.insert(at, Named { name: Blob::new(name), group: Arc::new(group) });
        true
    }

    /// Changes a group, if it is there.
    pub fn update<R>(&mut self, name: &[u8], change: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let (at, found) = self.place(name);
        found?;
        self.0.update(at, |named| {
            let group = Arc::make_mut(&mut named.group);
            let result = change(group);
            group.take_out_departed();
            result
        })
    }

    /// Takes a group out: it may take long to free. None: there is none of that name.
    pub fn remove(&mut self, name: &[u8]) -> Option<Self> {
        let (at, found) = self.place(name);
        found?;
        Some(Self(self.0.take_range(at..at + 1)))
    }

    /// Frees about so many elements of what nobody needs any more. Whether nothing is left.
    pub fn release(&mut self, elements: usize) -> bool {
        let mut left = elements.max(1);
        while left > 0 {
            let Some(last) = self.0.len().checked_sub(1) else { return true };
            let freed =
                self.0.update(last, |named| Arc::make_mut(&mut named.group).release(left)).unwrap_or(0);
            left = left.saturating_sub(freed);
            if left > 0 {
                self.0.pop_back();
                left -= 1;
            }
        }
        self.is_empty()
    }
}

impl Stream {
    /// What groups leave behind that are taken out, to be freed as a stream without entries.
    pub fn of_groups(groups: Groups) -> Self {
        Self { groups, ..Self::default() }
    }
}
