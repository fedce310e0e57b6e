//! Changes in the middle of a list. Which nodes are split and joined is Redis's choice (quicklist.c of 7.0).

use super::{End, List};
use crate::keyspace::types::Collection;
use crate::keyspace::types::list::Node;
use crate::limits::MAX_PACK_BYTES;
use std::ops::Range;

impl List {
    /// Puts an element in the place of another. Whether there is that place.
    pub fn replace(&mut self, index: i64, element: &[u8]) -> bool {
        self.replace_within(index, element, MAX_PACK_BYTES)
    }

    /// The same with nodes of at most `most_bytes`: one that would grow beyond is divided, for `Fill` is not asked here, as in
    /// Redis.
    pub(super) fn replace_within(&mut self, index: i64, element: &[u8], most_bytes: usize) -> bool {
        let found = self.place(index).and_then(|place| self.nodes.find(place));
        let Some((at, within)) = found else { return false };
        let has_room =
            |node: &Node| node.len() == 1 || node.pack().size_bytes() + element.len() <= most_bytes;
        if self.nodes.get(at).is_some_and(has_room) {
            self.nodes.update(at, |node| node.replace(within, element));
            return true;
        }
        let divided = self.nodes.update(at, |node| {
            let behind = (within + 1 < node.len()).then(|| node.split_off(within + 1));
            node.remove(within, 1);
            (behind, node.len() == 0)
        });
        let Some((behind, is_empty)) = divided else { return false };
        if is_empty {
            self.nodes.remove(at);
        }
        let at = at + usize::from(!is_empty);
        self.nodes.insert(at, Node::of_one(element));
        if let Some(behind) = behind {
            self.nodes.insert(at + 1, behind);
        }
        true
    }

    /// Puts an element beside the one at `place`, on this side of it.
    pub fn insert(&mut self, place: usize, side: End, element: &[u8]) {
        let Some((at, within)) = self.nodes.find(place) else { return self.push(End::Right, element) };
        let Some(node) = self.nodes.get(at) else { return };
        let is_outermost = within == if side == End::Left { 0 } else { node.len() - 1 };
        let before = within + usize::from(side == End::Right);
        if self.fill.takes(node, element.len()) {
            self.nodes.update(at, |node| node.insert(before, element));
            return;
        }
        if !is_outermost {
            return self.insert_by_split(at, before, side, element);
        }
        let (neighbour, new_at) = match side {
            End::Left => (at.checked_sub(1), at),
            End::Right => (Some(at + 1), at + 1),
        };
        let fill = self.fill;
        let pushed = neighbour.and_then(|neighbour| {
            self.nodes.update(neighbour, |node| {
                let fits = fill.takes(node, element.len());
                if fits {
                    node.push(if side == End::Left { End::Right } else { End::Left }, element);
                }
                fits
            })
        });
        if pushed != Some(true) {
            self.nodes.insert(new_at, Node::of_one(element));
        }
    }

    /// Splits a full node before `before`. The new element belongs to the part that does not have the one beside
    /// which it is put.
    fn insert_by_split(&mut self, at: usize, before: usize, side: End, element: &[u8]) {
        let split = self.nodes.update(at, |node| {
            let mut behind = node.split_off(before);
            match side {
                End::Left => node.push(End::Right, element),
                End::Right => behind.push(End::Left, element),
            }
            behind
        });
        if let Some(behind) = split {
            self.nodes.insert(at + 1, behind);
            self.join_around(at + usize::from(side == End::Left));
        }
    }

    /// Joins what may be one: the two nodes before this one, the two behind it, and it with its neighbours.
    fn join_around(&mut self, mut center: usize) {
        if center >= 2 && self.join(center - 2) {
            center -= 1;
        }
        self.join(center + 1);
        if center >= 1 && self.join(center - 1) {
            center -= 1;
        }
        self.join(center);
    }

    /// Joins this node and the next, if they may be one.
    fn join(&mut self, at: usize) -> bool {
        let (Some(a), Some(b)) = (self.nodes.get(at), self.nodes.get(at + 1)) else { return false };
        if !self.fill.joins(a, b) {
            return false;
        }
        if let Some(b) = self.nodes.remove(at + 1) {
            self.nodes.update(at, |a| a.append(&b));
        }
        true
    }

    /// Removes the elements at these places, as far as there are any. Returns those of whole nodes, which may take
    /// long to free.
    pub fn remove_range(&mut self, places: Range<usize>) -> Self {
        let mut removed = Self { nodes: Default::default(), fill: self.fill };
        let places = places.start..places.end.min(self.len());
        let Some((mut first, within)) = self.nodes.find(places.start).filter(|_| !places.is_empty()) else {
            return removed;
        };
        let mut left = places.len();
        if within > 0 {
            let of_first = self.nodes.get(first).map_or(0, |node| node.len() - within).min(left);
            self.nodes.update(first, |node| node.remove(within, of_first));
            left -= of_first;
            first += 1;
        }
        let start = self.nodes.weight_before(first);
        let (last, of_last) = self.nodes.find(start + left).unwrap_or((self.nodes.len(), 0));
        if left > 0 {
            if of_last > 0 {
                self.nodes.update(last, |node| node.remove(0, of_last));
            }
            removed.nodes = self.nodes.take_range(first..last);
        }
        removed
    }

    /// Removes up to `most` elements that are `needle`, beginning at one end. How many those were.
    pub fn remove_equal(&mut self, needle: &[u8], most: usize, from: End) -> usize {
        let (mut removed, mut looked_at, mut len) = (0, 0, self.nodes.len());
        while removed < most && looked_at < len {
            let at = if from == End::Left { looked_at } else { len - 1 - looked_at };
            let has_it = |node: &Node| node.pack().find(node.pack().first(), needle, 0).is_some();
            if !self.nodes.get(at).is_some_and(has_it) {
                looked_at += 1;
                continue;
            }
            let changed = self
                .nodes
                .update(at, |node| (node.remove_equal(needle, most - removed, from), node.len() == 0));
            let (found, is_empty) = changed.unwrap_or_default();
            removed += found;
            if is_empty {
                self.nodes.remove(at);
                len -= 1;
            } else {
                looked_at += 1;
            }
        }
        removed
    }
}
