//! A walk over a [`Seq`](super::Seq), from both ends: leaf by leaf, each found from the root, so that it
//! owns nothing.

use super::node::Branch;
use std::iter::FusedIterator;
use std::ops::Range;
use std::slice;

/// Elements in order; [`Seq::iter`](super::Seq::iter), [`Seq::range`](super::Seq::range).
#[derive(Clone)]
pub struct Iter<'a, T> {
    root: Option<&'a Branch<T>>,
    front: slice::Iter<'a, T>,
    /// What is in no leaf that was reached.
    middle: Range<usize>,
    back: slice::Iter<'a, T>,
}

impl<'a, T> Iter<'a, T> {
    /// Of places that there are.
    pub(super) fn new(root: Option<&'a Branch<T>>, range: Range<usize>) -> Self {
        Self { root, front: [].iter(), middle: range, back: [].iter() }
    }

    fn next_leaf(&mut self) -> Option<&'a T> {
        let Some(root) = self.root.filter(|_| !self.middle.is_empty()) else { return self.back.next() };
        let (items, start) = root.leaf(self.middle.start);
        let end = items.len().min(start + self.middle.len());
        self.middle.start += end - start;
        self.front = items[start..end].iter();
        self.front.next()
    }

    fn previous_leaf(&mut self) -> Option<&'a T> {
        let Some(root) = self.root.filter(|_| !self.middle.is_empty()) else { return self.front.next_back() };
        let (items, last) = root.leaf(self.middle.end - 1);
        let start = (last + 1).saturating_sub(self.middle.len());
        self.middle.end -= last + 1 - start;
        self.back = items[start..=last].iter();
        self.back.next_back()
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        match self.front.next() {
            None => self.next_leaf(),
            item => item,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.front.len() + self.middle.len() + self.back.len();
        (left, Some(left))
    }
}

impl<'a, T> DoubleEndedIterator for Iter<'a, T> {
    #[inline]
    fn next_back(&mut self) -> Option<&'a T> {
        match self.back.next_back() {
            None => self.previous_leaf(),
            item => item,
        }
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> FusedIterator for Iter<'_, T> {}
