//! [`Entries`]: a walk over the entries of a stream between two ids, from either end. It looks at no node that
//! has nothing of the range, but for one.

use super::node::{Entry, Node, View};
use super::{Id, Stream};
use crate::collections::{At, SeqIter};

/// See the module.
pub struct Entries<'a> {
    nodes: SeqIter<'a, Node>,
    /// The node under way, and the place of its next entry.
    node: Option<(View<'a>, Option<At>)>,
    from: Id,
    to: Id,
    is_reverse: bool,
}

impl Stream {
    /// The entries from `from` to `to`, both included, the oldest first.
    pub fn range(&self, from: Id, to: Id) -> Entries<'_> {
        self.entries(from, to, false)
    }

    /// The same, the newest first.
    pub fn range_back(&self, from: Id, to: Id) -> Entries<'_> {
        self.entries(from, to, true)
    }

    fn entries(&self, from: Id, to: Id, is_reverse: bool) -> Entries<'_> {
        let nodes = self.log.range(self.node_of(from)..self.node_behind(to));
        Entries { nodes, node: None, from, to, is_reverse }
    }

    /// The entry of this id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The node that has the entry of this id, if there is such an entry; else an earlier one than all that are behind it.
    pub(super) fn node_of(&self, id: Id) -> usize {
        self.node_behind(id).saturating_sub(1)
    }

    /// The first node that begins behind this id.
    fn node_behind(&self, id: Id) -> usize {
        self.log.partition_point_of(id.ms, |node| node.id() <= id)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let (view, at) = match self.node {
                Some((view, Some(at))) => (view, at),
                _ if self.is_reverse => {
                    let view = self.nodes.next_back()?.view();
                    (view, view.last()?)
                }
                _ => {
                    let view = self.nodes.next()?.view();
                    (view, view.first()?)
                }
            };
            let place = view.place(at)?;
            self.node = Some((view, if self.is_reverse { view.before(at) } else { place.next }));
            let id = place.entry.id;
            let is_past = if self.is_reverse { id < self.from } else { id > self.to };
            if is_past {
                return None;
            }
            if !place.is_deleted() && (self.from..=self.to).contains(&id) {
                return Some(place.entry);
            }
        }
    }
}
