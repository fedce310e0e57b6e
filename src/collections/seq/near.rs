//! How a [`Seq`] is brought near: on the ways to both of its ends.

use super::Seq;
use super::node::{Branch, Node};
use crate::collections::Near;
use std::hint::black_box;

impl<T: Near> Near for Seq<T> {
    fn bring(&self, pointers: usize) -> bool {
        self.root.as_ref().is_some_and(|root| root.bring(pointers))
    }
}

impl<T: Near> Near for Branch<T> {
    fn bring(&self, pointers: usize) -> bool {
        match pointers {
            0 => {
                black_box(self.rank); // the cache line is what this is about
                true
            }
            1 => black_box(self.node.fill()) > 0,
            _ => match &*self.node {
                Node::Leaf(items) => ends(items, pointers - 2),
                Node::Inner(branches) => ends(branches, pointers - 2),
            },
        }
    }
}

fn ends<T: Near>(entries: &[T], pointers: usize) -> bool {
    match entries {
        [] => false,
        [only] => only.bring(pointers),
        [first, .., last] => first.bring(pointers) | last.bring(pointers),
    }
}
