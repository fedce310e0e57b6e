//! The nodes of a [`Seq`](super::Seq). All leaves are at one depth. Only what stands on the way to a
//! change is copied, and only if somebody else has it too.
//!
//! How full nodes are: one that is full is divided in the middle, but for additions at its ends, which
//! leave it full. Of two neighbours below one parent at least one has more than [`FEW`] entries. Leaves
//! and inner nodes take memory for what they hold, up to the next size of the allocator.

use super::Weigh;
use super::room::{NODE_ENTRIES, copy_with_room, give_back, insert_or_divide, make_room};
use crate::collections::allocated;
use std::ops::{AddAssign, Range, SubAssign};
use std::sync::Arc;

/// A node that has shrunk to this looks for a neighbour to join, ...
pub(super) const FEW: usize = NODE_ENTRIES * 3 / 8;
/// ... with which it has at most this: the next addition must not divide them again.
const JOINED_ENTRIES: usize = NODE_ENTRIES * 3 / 4;

/// Of an element, or of all below a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub len: usize,
    pub weight: usize,
    /// Of the nodes too.
    pub heap_bytes: usize,
}

impl Sums {
    fn of<T: Weigh>(item: &T) -> Self {
        Self { len: 1, weight: item.weight(), heap_bytes: item.heap_bytes() }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.len += other.len;
        self.weight += other.weight;
        self.heap_bytes += other.heap_bytes;
    }
}

impl SubAssign for Sums {
    fn sub_assign(&mut self, other: Self) {
        self.len -= other.len;
        self.weight -= other.weight;
        self.heap_bytes -= other.heap_bytes;
    }
}

pub(super) enum Node<T> {
    Leaf(Vec<T>),
    /// At least one; none of them is empty.
    Inner(Vec<Branch<T>>),
}

#[derive(Clone)]
pub(super) struct Branch<T> {
    pub node: Arc<Node<T>>,
    pub sums: Sums,
    /// Of the first element: at hand, where the element would have to be fetched from far away.
    pub rank: u64,
}

/// A node is copied to be changed: with room for one more.
impl<T: Clone> Clone for Node<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(items) => Self::Leaf(copy_with_room(items)),
            Self::Inner(branches) => Self::Inner(copy_with_room(branches)),
        }
    }
}

impl<T> Node<T> {
    pub fn fill(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(branches) => branches.len(),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Leaf(items) => items.capacity(),
            Self::Inner(branches) => branches.capacity(),
        }
    }

    /// What the node takes, with that capacity and without what is below it.
    fn own_bytes(&self, capacity: usize) -> usize {
        let entry_bytes = match self {
            Self::Leaf(_) => size_of::<T>(),
            Self::Inner(_) => size_of::<Branch<T>>(),
        };
        allocated(2 * size_of::<usize>() + size_of::<Self>()) + allocated(capacity * entry_bytes)
    }
}

impl<T: Weigh> Node<T> {
    pub fn sums(&self) -> Sums {
        let mut sums = Sums { heap_bytes: self.own_bytes(self.capacity()), ..Sums::default() };
        match self {
            Self::Leaf(items) => items.iter().for_each(|item| sums += Sums::of(item)),
            Self::Inner(branches) => branches.iter().for_each(|branch| sums += branch.sums),
        }
        sums
    }

    pub fn rank(&self) -> u64 {
        match self {
            Self::Leaf(items) => items.first().map_or(0, T::rank),
            Self::Inner(branches) => branches.first().map_or(0, |branch| branch.rank),
        }
    }
}

impl<T> Branch<T> {
    /// The leaf that has the element at `at`, which there is, and the place in it.
    pub fn leaf(&self, mut at: usize) -> (&[T], usize) {
        let mut branch = self;
        loop {
            match &*branch.node {
                Node::Leaf(items) => return (items, at),
                Node::Inner(branches) => {
                    let (index, rest) = locate(branches, at, branch.sums.len, |sums| sums.len);
                    (branch, at) = (&branches[index], rest);
                }
            }
        }
    }

    pub fn first(&self) -> &T {
        let mut node = &self.node;
        loop {
            match &**node {
                Node::Leaf(items) => return &items[0],
                Node::Inner(branches) => node = &branches[0].node,
            }
        }
    }
}

impl<T: Clone + Weigh> Branch<T> {
    pub fn new(node: Node<T>) -> Self {
        Self { sums: node.sums(), rank: node.rank(), node: Arc::new(node) }
    }

    /// Puts `item` before the element at `at`, or at the end. What does not fit into the node leaves as
    /// one to be put behind it.
    pub fn insert(&mut self, at: usize, item: T) -> Option<Self> {
        let capacity = self.node.capacity();
        let later = match Arc::make_mut(&mut self.node) {
            Node::Leaf(items) => {
                self.sums += Sums::of(&item);
                insert_or_divide(items, at, item).map(Node::Leaf)
            }
            Node::Inner(branches) => {
                let (index, within) = place(branches, at, self.sums.len);
                let branch = &mut branches[index];
                self.sums -= branch.sums;
                let new = branch.insert(within, item);
                self.sums += branch.sums;
                match new {
                    None => None,
                    Some(new) => {
                        let later = adopt(branches, index + 1, new).map(Node::Inner);
                        self.sum_up();
                        return later.map(Self::new);
                    }
                }
            }
        };
        match later {
            None => {
                self.follow(at, capacity);
                None
            }
            Some(later) => {
                self.sum_up();
                Some(Self::new(later))
            }
        }
    }

    /// Takes out the element at `at`, which there is. The branch may be empty afterwards.
    pub fn remove(&mut self, at: usize) -> T {
        let capacity = self.node.capacity();
        let item = match Arc::make_mut(&mut self.node) {
            Node::Leaf(items) => {
                let item = items.remove(at);
                give_back(items);
                self.sums -= Sums::of(&item);
                item
            }
            Node::Inner(branches) => {
                let (index, within) = locate(branches, at, self.sums.len, |sums| sums.len);
                let branch = &mut branches[index];
                self.sums -= branch.sums;
                let item = branch.remove(within);
                self.sums += branch.sums;
                if branch.node.fill() <= FEW && settle(branches, index) {
                    self.sum_up();
                    return item;
                }
                item
            }
        };
        self.follow(at, capacity);
        item
    }

    pub fn update<R>(&mut self, at: usize, change: impl FnOnce(&mut T) -> R) -> R {
        let capacity = self.node.capacity();
        let result = match Arc::make_mut(&mut self.node) {
            Node::Leaf(items) => {
                let item = &mut items[at];
                self.sums -= Sums::of(item);
                let result = change(item);
                self.sums += Sums::of(item);
                result
            }
            Node::Inner(branches) => {
                let (index, within) = locate(branches, at, self.sums.len, |sums| sums.len);
                let branch = &mut branches[index];
                self.sums -= branch.sums;
                let result = branch.update(within, change);
                self.sums += branch.sums;
                result
            }
        };
        self.follow(at, capacity);
        result
    }

    /// Takes out a range, whole nodes at once.
    pub fn cut(&mut self, range: Range<usize>) {
        match Arc::make_mut(&mut self.node) {
            Node::Leaf(items) => {
                items.drain(range);
                give_back(items);
            }
            Node::Inner(branches) => cut(branches, range),
        }
        self.sum_up();
    }

    /// After the change of one element at `at`: what else is known of the node, which had this capacity.
    fn follow(&mut self, at: usize, capacity: usize) {
        if self.node.capacity() != capacity {
            self.sums.heap_bytes -= self.node.own_bytes(capacity);
            self.sums.heap_bytes += self.node.own_bytes(self.node.capacity());
        }
        if at == 0 {
            self.rank = self.node.rank();
        }
    }

    fn sum_up(&mut self) {
        self.sums = self.node.sums();
        self.rank = self.node.rank();
    }

    /// Takes in its neighbour to the right, which is of the same height.
    fn join(&mut self, right: Self) {
        match (Arc::make_mut(&mut self.node), Arc::unwrap_or_clone(right.node)) {
            (Node::Leaf(items), Node::Leaf(more)) => {
                make_room(items, more.len());
                items.extend(more);
            }
            (Node::Inner(branches), Node::Inner(more)) => {
                let seam = branches.len();
                make_room(branches, more.len());
                branches.extend(more);
                mend(branches, seam);
            }
            _ => unreachable!("all leaves are at one depth"),
        }
        self.sum_up();
    }
}

/// The branch with the place `at`, of fewer than `all`, and the place in it: from the nearer end.
pub(super) fn locate<T>(
    branches: &[Branch<T>],
    at: usize,
    all: usize,
    measure: impl Fn(&Sums) -> usize,
) -> (usize, usize) {
    if at < all / 2 {
        let mut rest = at;
        for (index, branch) in branches.iter().enumerate() {
            let size = measure(&branch.sums);
            if rest < size {
                return (index, rest);
            }
            rest -= size;
        }
    } else {
        let mut rest = all - at; // to the end
        for (index, branch) in branches.iter().enumerate().rev() {
            let size = measure(&branch.sums);
            if rest <= size {
                return (index, size - rest);
            }
            rest -= size;
        }
    }
    unreachable!("the sums of the branches are those of the node")
}

/// The branch that takes a new element, and where. Between two, the end of the left one, so that rising
/// elements fill it; the right one, if there alone is room.
fn place<T>(branches: &[Branch<T>], at: usize, all: usize) -> (usize, usize) {
    let Some(before) = at.checked_sub(1) else { return (0, 0) };
    let (index, rest) = locate(branches, before, all, |sums| sums.len);
    if rest + 1 == branches[index].sums.len
        && is_full_leaf(&branches[index])
        && branches.get(index + 1).is_some_and(|next| !is_full_leaf(next))
    {
        return (index + 1, 0);
    }
    (index, rest + 1)
}

fn is_full_leaf<T>(branch: &Branch<T>) -> bool {
    matches!(&*branch.node, Node::Leaf(items) if items.len() >= NODE_ENTRIES)
}

/// A new branch at `at`, behind the one that it is divided from.
fn adopt<T: Clone + Weigh>(
    branches: &mut Vec<Branch<T>>,
    at: usize,
    new: Branch<T>,
) -> Option<Vec<Branch<T>>> {
    let mut later = insert_or_divide(branches, at, new);
    // The one that it is divided from has kept half of its entries at least, or is the first.
    let kept = branches.len();
    match &mut later {
        Some(later) if at >= kept => mend(later, at - kept),
        _ => mend(branches, at),
    }
    later
}

/// After the branch at `at` has lost an element; true if there are fewer now.
fn settle<T: Clone + Weigh>(branches: &mut Vec<Branch<T>>, at: usize) -> bool {
    let fill = branches.len();
    if branches[at].sums.len == 0 {
        branches.remove(at);
    }
    mend(branches, at);
    branches.len() < fill
}

/// Joins the branch at `at`, if there is one and it has few entries, with neighbours that have few too.
fn mend<T: Clone + Weigh>(branches: &mut Vec<Branch<T>>, mut at: usize) {
    while let Some(branch) = branches.get(at) {
        let fill = branch.node.fill();
        if fill > FEW {
            break;
        }
        let suits = |neighbour: Option<&Branch<T>>| {
            neighbour.is_some_and(|neighbour| fill + neighbour.node.fill() <= JOINED_ENTRIES)
        };
        let left = at.checked_sub(1).filter(|&left| suits(branches.get(left)));
        at = match left {
            _ if suits(branches.get(at + 1)) => at,
            Some(left) => left,
            None => break,
        };
        let right = branches.remove(at + 1);
        branches[at].join(right);
    }
    give_back(branches);
}

fn cut<T: Clone + Weigh>(branches: &mut Vec<Branch<T>>, range: Range<usize>) {
    let mut whole = 0..0;
    let mut seam = branches.len();
    let mut start = 0;
    for (index, branch) in branches.iter_mut().enumerate() {
        let end = start + branch.sums.len;
        let part = range.start.max(start)..range.end.min(end);
        if !part.is_empty() {
            seam = seam.min(index);
            match part == (start..end) {
                true if whole.is_empty() => whole = index..index + 1,
                true => whole.end = index + 1,
                false => branch.cut(part.start - start..part.end - start),
            }
        }
        start = end;
    }
    branches.drain(whole);
    mend(branches, seam + 1);
    mend(branches, seam);
}
