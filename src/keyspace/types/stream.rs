//! [`Stream`]: entries with rising ids, in nodes as Redis's stream has them, and the groups that consume them. Where a node
//! ends follows from the changes made to the stream, and must be where Redis ends it: `DUMP` shows it.

mod change;
mod groups;
mod grow;
mod id;
mod node;
mod radix;
mod range;
#[cfg(test)]
mod tests;

use super::{Collection, Frozen, Growing, Kind, Typed};
use crate::collections::{Near, Pack, Seq, allocated};
use crate::keyspace::Value;
pub use change::Trim;
pub use groups::{Consumer, Group, Groups, Pending};
pub use id::{Id, NewId};
pub use node::Entry;
use node::Node;
pub use range::Entries;

/// See the module. A clone shares all nodes.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    /// None is empty.
    log: Seq<Node>,
    ids: Ids,
    groups: Groups,
}

/// What a stream knows of its past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    /// The highest that an entry ever had.
    pub last: Id,
    /// Of the first entry there is; [`Id::MIN`]: none.
    pub first: Id,
    /// The highest of those that were removed one by one.
    pub max_deleted: Id,
    /// Entries that were ever added.
    pub entries_added: u64,
}

impl Near for Stream {
    fn bring(&self, pointers: usize) -> bool {
        self.log.bring(pointers)
    }
}

impl From<Stream> for Value {
    fn from(stream: Stream) -> Self {
        Self::Stream(Box::new(stream))
    }
}

impl Stream {
    /// What it knows of its past.
    pub fn ids(&self) -> Ids {
        self.ids
    }

    /// The last entry there is.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(Id::MIN, Id::MAX).next()
    }

    /// The first entry there is.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.range(Id::MIN, Id::MAX).next()
    }

    /// The nodes: their ids, and their packs.
    pub fn packs(&self) -> impl ExactSizeIterator<Item = (Id, &Pack)> {
        self.log.iter().map(|node| (node.id(), node.pack()))
    }

    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    pub fn groups_mut(&mut self) -> &mut Groups {
        &mut self.groups
    }
}

impl Collection for Stream {
    fn kind(&self) -> Kind {
        Kind::Stream
    }

    fn encoding(&self) -> &'static str {
        "stream"
    }

    fn len(&self) -> usize {
        self.log.weight()
    }

    /// One without entries is a stream as well.
    fn is_empty(&self) -> bool {
        false
    }

    fn elements(&self) -> usize {
        self.len() + self.groups.elements()
    }

    fn heap_bytes(&self) -> usize {
        allocated(size_of::<Self>()) + self.log.heap_bytes() + self.groups.heap_bytes()
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        Box::new(grow::FrozenStream::new(self))
    }

    fn release(&mut self, elements: usize) -> bool {
        release(&mut self.log, elements) && self.groups.release(elements)
    }

    fn put(&self, out: &mut Vec<u8>) {
        grow::FrozenStream::new(self).put_next(out, usize::MAX);
    }
}

/// Elements whose node takes as long to free as one of another collection.
const ELEMENTS_OF_A_FREED_NODE: usize = 16;

fn release(log: &mut Seq<Node>, elements: usize) -> bool {
    log.release(elements.div_ceil(ELEMENTS_OF_A_FREED_NODE))
}

impl Typed for Stream {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::Stream(stream) => Some(stream),
            _ => None,
        }
    }
}

impl Stream {
    /// An empty one, to be restored.
    pub(super) fn grow() -> Box<dyn Growing> {
        Box::new(grow::GrowingStream::default())
    }
}
