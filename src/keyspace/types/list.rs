//! [`List`]: strings in an order, in nodes of some thousand bytes, as Redis's quicklist has them. Where a node ends
//! follows from the changes made to the list, and must be where Redis ends it: `DUMP` shows it.

mod change;
mod grow;
mod node;
#[cfg(test)]
mod tests;

use super::{Collection, Forms, Frozen, Growing, Kind, Typed};
use crate::collections::{Blob, Element, Near, Pack, Seq, allocated};
use crate::keyspace::Value;
use crate::mutant::{self, Mutant};
use node::{Fill, Node};
use std::ops::Range;

/// One of the two ends of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Left,
    Right,
}

/// See the module. A clone shares all nodes.
#[derive(Debug, Clone)]
pub struct List {
    /// None is empty.
    nodes: Seq<Node>,
    fill: Fill,
}

impl From<List> for Value {
    fn from(list: List) -> Self {
        Self::List(Box::new(list))
    }
}

impl Near for List {
    fn bring(&self, pointers: usize) -> bool {
        self.nodes.bring(pointers)
    }
}

/// As Redis makes one that nobody has configured.
impl Default for List {
    fn default() -> Self {
        Self::new(&Forms::default())
    }
}

impl List {
    pub fn new(forms: &Forms) -> Self {
        Self { nodes: Seq::new(), fill: Fill::new(forms.compact.list_max_listpack_size) }
    }

    /// Adds what a pack holds at the end, as a node of its own; nothing, if it holds nothing.
    pub fn push_pack(&mut self, pack: Pack) {
        if !pack.is_empty() {
            self.nodes.push_back(Node::new(pack));
        }
    }

    /// The `list-max-listpack-size` that it was made with.
    pub fn max_listpack_size(&self) -> i16 {
        self.fill.number()
    }

    /// The nodes, as packs.
    pub fn packs(&self) -> impl ExactSizeIterator<Item = &Pack> {
        self.nodes.iter().map(Node::pack)
    }

    /// The element at a place; of a negative one, from the end: -1 is the last.
    pub fn get(&self, index: i64) -> Option<Element<'_>> {
        let (node, within) = self.nodes.find(self.place(index)?)?;
        let pack = self.nodes.get(node)?.pack();
        Some(pack.get(pack.seek(within as isize)?))
    }

    /// Where that is from the beginning, if there is an element.
    fn place(&self, index: i64) -> Option<usize> {
        let len = self.len();
        let place = if index < 0 { (len as i64).checked_add(index)? } else { index };
        usize::try_from(place).ok().filter(|&place| place < len)
    }

    /// The places that two indexes, both included, mean, as far as there are any: none is at the beginning.
    pub fn places(&self, start: i64, stop: i64) -> Range<usize> {
        let len = self.len() as i64;
        let from_start = |index: i64| if index < 0 { len.saturating_add(index) } else { index };
        let (start, stop) = (from_start(start).max(0), from_start(stop).min(len - 1));
        if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
    }

    /// The elements at these places, in their order.
    pub fn range(&self, places: Range<usize>) -> impl Iterator<Item = Element<'_>> {
        let (first, within) = self.nodes.find(places.start).unwrap_or((self.nodes.len(), 0));
        let head = self.nodes.get(first).map(Node::pack);
        let head = head.and_then(|pack| Some(pack.iter_from(pack.seek(within as isize)?)));
        let tail = self.nodes.range(first + 1..self.nodes.len()).flat_map(|node| node.pack().iter());
        head.into_iter().flatten().chain(tail).take(places.len())
    }

    /// All elements, from one end.
    pub fn iter_from(&self, end: End) -> impl Iterator<Item = Element<'_>> {
        let nodes = || self.nodes.iter();
        let (forwards, backwards) = match end {
            End::Left => (Some(nodes().flat_map(|node| node.pack().iter())), None),
            End::Right => (None, Some(nodes().rev().flat_map(|node| node.pack().iter().rev()))),
        };
        forwards.into_iter().flatten().chain(backwards.into_iter().flatten())
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, element: &[u8]) {
        let fill = self.fill;
        let pushed = self.nodes.update(self.node_at(end), |node| {
            let fits = fill.takes(node, element.len());
            if fits {
                node.push(end, element);
            }
            fits
        });
        if pushed == Some(true) || (pushed == Some(false) && mutant::is(Mutant::PushLost)) {
            return;
        }
        match end {
            End::Left => self.nodes.push_front(Node::of_one(element)),
            End::Right => self.nodes.push_back(Node::of_one(element)),
        }
    }

    /// Takes the element off an end.
    pub fn pop(&mut self, end: End) -> Option<Blob> {
        let at = self.node_at(end);
        let node = self.nodes.get(at)?;
        let (pack, len) = (node.pack(), node.len());
        let (within, place) = match end {
            End::Left => (0, pack.first()?),
            End::Right => (len - 1, pack.last()?),
        };
        let element = pack.get(place).to_blob();
        if len == 1 {
            self.nodes.remove(at);
        } else {
            self.nodes.update(at, |node| node.remove(within, 1));
        }
        Some(element)
    }

    /// Takes up to `count` elements off an end, the outermost first. What comes with them may take long to free.
    pub fn take(&mut self, end: End, count: usize) -> (Vec<Blob>, Self) {
        let (len, count) = (self.len(), count.min(self.len()));
        if count == 1 {
            return (self.pop(end).into_iter().collect(), Self { nodes: Seq::new(), fill: self.fill });
        }
        let elements = self.iter_from(end).take(count).map(Element::to_blob).collect();
        let places = if end == End::Left { 0..count } else { len - count..len };
        (elements, self.remove_range(places))
    }

    fn node_at(&self, end: End) -> usize {
        match end {
            End::Left => 0,
            End::Right => self.nodes.len().saturating_sub(1),
        }
    }
}

impl Collection for List {
    fn kind(&self) -> Kind {
        Kind::List
    }

    fn encoding(&self) -> &'static str {
        "quicklist"
    }

    fn len(&self) -> usize {
        self.nodes.weight()
    }

    fn heap_bytes(&self) -> usize {
        allocated(size_of::<Self>()) + self.nodes.heap_bytes()
    }

    fn freeze(&self) -> Box<dyn Frozen> {
        Box::new(grow::FrozenList::new(self))
    }

    fn release(&mut self, elements: usize) -> bool {
        release(&mut self.nodes, elements)
    }

    fn put(&self, out: &mut Vec<u8>) {
        grow::FrozenList::new(self).put_next(out, usize::MAX);
    }
}

/// Elements whose node takes as long to free as one of another collection.
const ELEMENTS_OF_A_FREED_NODE: usize = 16;

fn release(nodes: &mut Seq<Node>, elements: usize) -> bool {
    nodes.release(elements.div_ceil(ELEMENTS_OF_A_FREED_NODE))
}

impl Typed for List {
    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    fn of_mut(value: &mut Value) -> Option<&mut Self> {
        match value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }
}

impl List {
    /// An empty one, to be restored.
    pub(super) fn grow() -> Box<dyn Growing> {
        Box::new(grow::GrowingList::default())
    }
}
