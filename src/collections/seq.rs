//! [`Seq`]: elements by position, as a counted B+ tree whose nodes are shared by its clones. It never
//! looks at elements but for what they weigh, and never does work by the number of all elements in one
//! step, unless its name says so.

mod iter;
mod near;
mod node;
mod room;
#[cfg(test)]
mod tests;

pub use iter::Iter;
use node::{Branch, Node, locate};
use room::NODE_ENTRIES;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

/// What an element counts for. It may change by [`Seq::update`] only. Asked often: it should be at hand
/// in the element.
pub trait Weigh {
    /// How many places by weight the element takes.
    fn weight(&self) -> usize {
        1
    }

    /// Bytes of memory beyond the element itself.
    fn heap_bytes(&self) -> usize {
        0
    }

    /// Of elements in an order: a number that never falls in it. [`Seq::partition_point_of`] looks at
    /// elements only where it does not tell.
    fn rank(&self) -> u64 {
        0
    }
}

/// A sequence. A clone takes no time and shares all nodes; a change copies those that it needs and that are
/// still shared, elements and all: what is dear to clone should be shared itself.
///
/// Dropping the last of those that share nodes drops all elements at once: [`Seq::release`] a large one
/// before.
#[derive(Clone)]
pub struct Seq<T> {
    /// None: no element.
    root: Option<Branch<T>>,
}

impl<T> Seq<T> {
    pub const fn new() -> Self {
        Self { root: None }
    }

    pub fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.sums.len)
    }

    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// The sum of what the elements weigh.
    pub fn weight(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.sums.weight)
    }

    /// Of the nodes and of the elements, as if none were shared.
    pub fn heap_bytes(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.sums.heap_bytes)
    }

    pub fn get(&self, at: usize) -> Option<&T> {
        let root = self.root.as_ref().filter(|root| at < root.sums.len)?;
        let (items, at) = root.leaf(at);
        items.get(at)
    }

    pub fn iter(&self) -> Iter<'_, T> {
        self.range(0..self.len())
    }

    /// The elements at these places, as far as there are any.
    pub fn range(&self, range: Range<usize>) -> Iter<'_, T> {
        Iter::new(self.root.as_ref(), self.existing(range))
    }

    fn existing(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.len());
        range.start.min(end)..end
    }
}

impl<T: Clone + Weigh> Seq<T> {
    /// How many elements at the beginning `is_before` holds for, if it holds for none behind the first
    /// that it does not hold for. Asks for O(log n).
    pub fn partition_point(&self, is_before: impl FnMut(&T) -> bool) -> usize {
        self.partition(None, is_before)
    }

    /// The same, of elements whose ranks are in order: those of a lower one are before, those of a higher
    /// one are not; only those of this rank are asked for.
    pub fn partition_point_of(&self, rank: u64, is_before: impl FnMut(&T) -> bool) -> usize {
        self.partition(Some(rank), is_before)
    }

    fn partition(&self, rank: Option<u64>, mut is_before: impl FnMut(&T) -> bool) -> usize {
        let Some(root) = &self.root else { return 0 };
        let (mut node, mut start) = (&root.node, 0);
        let order = |of: u64| rank.map_or(Ordering::Equal, |rank| of.cmp(&rank));
        loop {
            match &**node {
                Node::Leaf(items) => {
                    return start
                        + items.partition_point(|item| match order(item.rank()) {
                            Ordering::Equal => is_before(item),
                            other => other.is_lt(),
                        });
                }
                Node::Inner(branches) => {
                    // what begins with an element that is before; the last of them has the place
                    let lower = branches.partition_point(|branch| order(branch.rank).is_lt());
                    let higher = branches.partition_point(|branch| order(branch.rank).is_le());
                    let equal = &branches[lower..higher];
                    let before = lower + equal.partition_point(|branch| is_before(branch.first()));
                    let index = before.saturating_sub(1);
                    start += branches[..index].iter().map(|branch| branch.sums.len).sum::<usize>();
                    node = &branches[index].node;
                }
            }
        }
    }
    /// The element that has this place by weight, and the place within it.
    pub fn find(&self, weight_at: usize) -> Option<(usize, usize)> {
        let mut branch = self.root.as_ref().filter(|root| weight_at < root.sums.weight)?;
        let (mut start, mut rest) = (0, weight_at);
        loop {
            match &*branch.node {
                Node::Leaf(items) => {
                    let index = items.iter().position(|item| {
                        let is_behind = rest >= item.weight();
                        rest -= if is_behind { item.weight() } else { 0 };
                        !is_behind
                    });
                    return index.map(|index| (start + index, rest));
                }
                Node::Inner(branches) => {
                    let (index, within) = locate(branches, rest, branch.sums.weight, |sums| sums.weight);
                    start += branches[..index].iter().map(|branch| branch.sums.len).sum::<usize>();
                    (branch, rest) = (&branches[index], within);
                }
            }
        }
    }

    /// What the elements before `at` weigh together.
    pub fn weight_before(&self, at: usize) -> usize {
        let Some(mut branch) = self.root.as_ref().filter(|root| at < root.sums.len) else {
            return self.weight();
        };
        let (mut weight, mut rest) = (0, at);
        loop {
            match &*branch.node {
                Node::Leaf(items) => return weight + items[..rest].iter().map(T::weight).sum::<usize>(),
                Node::Inner(branches) => {
                    let (index, within) = locate(branches, rest, branch.sums.len, |sums| sums.len);
                    weight += branches[..index].iter().map(|branch| branch.sums.weight).sum::<usize>();
                    (branch, rest) = (&branches[index], within);
                }
            }
        }
    }

    /// Puts `item` before the element at `at`, or at the end if there is none.
    pub fn insert(&mut self, at: usize, item: T) {
        let Some(root) = &mut self.root else {
            self.root = Some(Branch::new(Node::Leaf(vec![item])));
            return;
        };
        if let Some(later) = root.insert(at.min(root.sums.len), item) {
            let branches = vec![root.clone(), later];
            *root = Branch::new(Node::Inner(branches));
        }
    }

    pub fn push_back(&mut self, item: T) {
        self.insert(self.len(), item);
    }

    pub fn push_front(&mut self, item: T) {
        self.insert(0, item);
    }

    pub fn remove(&mut self, at: usize) -> Option<T> {
        let root = self.root.as_mut().filter(|root| at < root.sums.len)?;
        let item = root.remove(at);
        self.lower();
        Some(item)
    }

    pub fn pop_back(&mut self) -> Option<T> {
        self.remove(self.len().checked_sub(1)?)
    }

    pub fn pop_front(&mut self) -> Option<T> {
        self.remove(0)
    }

    /// Changes the element at `at`; what it weighs may change too.
    pub fn update<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let root = self.root.as_mut().filter(|root| at < root.sums.len)?;
        Some(root.update(at, change))
    }

    /// Takes out the elements at these places, as far as there are any: O(log n), and what dropping them takes.
    pub fn remove_range(&mut self, range: Range<usize>) {
        let range = self.existing(range);
        if range.len() == self.len() {
            self.root = None;
        } else if let Some(root) = self.root.as_mut().filter(|_| !range.is_empty()) {
            root.cut(range);
            self.lower();
        }
    }

    /// Takes out the elements at these places, as far as there are any, in O(log n).
    pub fn take_range(&mut self, range: Range<usize>) -> Self {
        let range = self.existing(range);
        let mut taken = self.clone();
        taken.remove_range(range.end..taken.len());
        taken.remove_range(0..range.start);
        self.remove_range(range);
        taken
    }

    /// Drops about so many elements from the end, and more only as far as they stand in one leaf with
    /// them. True: nothing is left.
    pub fn release(&mut self, elements: usize) -> bool {
        let len = self.len();
        let Some(root) = &self.root else { return true };
        let last_kept = len.saturating_sub(elements.max(1));
        let start = last_kept - root.leaf(last_kept).1;
        self.remove_range(start..len);
        self.is_empty()
    }

    /// As few levels as there must be.
    fn lower(&mut self) {
        while let Some(root) = &mut self.root {
            let below = match &*root.node {
                Node::Inner(branches) if branches.len() == 1 => Some(branches[0].clone()),
                _ if root.sums.len == 0 => None,
                _ => break,
            };
            self.root = below;
        }
    }
}

impl<T> Default for Seq<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// All leaves are full but the last.
impl<T: Clone + Weigh> FromIterator<T> for Seq<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut level = nodes(items, Node::Leaf);
        while level.len() > 1 {
            level = nodes(level, Node::Inner);
        }
        Self { root: level.pop() }
    }
}

fn nodes<T: Clone + Weigh, V>(
    entries: impl IntoIterator<Item = V>,
    node: fn(Vec<V>) -> Node<T>,
) -> Vec<Branch<T>> {
    let mut entries = entries.into_iter();
    let mut nodes = Vec::new();
    loop {
        let mut taken = Vec::with_capacity(NODE_ENTRIES);
        taken.extend(entries.by_ref().take(NODE_ENTRIES));
        if taken.is_empty() {
            return nodes;
        }
        let is_last = taken.len() < NODE_ENTRIES;
        if is_last {
            taken.shrink_to_fit();
        }
        nodes.push(Branch::new(node(taken)));
        if is_last {
            return nodes;
        }
    }
}

impl<'a, T> IntoIterator for &'a Seq<T> {
    type Item = &'a T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Seq<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
