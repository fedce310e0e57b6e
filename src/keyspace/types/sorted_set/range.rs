//! [`Range`]: members with their scores between two ranks, from either end.

use super::{Ranked, score};
use crate::collections::{Pack, PackIter, SeqIter};
use crate::keyspace::types::Field;
use std::ops;

/// See the module.
#[derive(Clone)]
pub struct Range<'a>(Inner<'a>);

#[derive(Clone)]
enum Inner<'a> {
    /// Elements, and how many pairs of them are wanted.
    Pack(PackIter<'a>, usize),
    Order(SeqIter<'a, Ranked>),
}

impl<'a> Range<'a> {
    /// The ends are found by walking.
    pub(super) fn of_pack(pack: &'a Pack, ranks: ops::Range<usize>) -> Self {
        let len = pack.len() / 2;
        let end = ranks.end.min(len);
        let start = ranks.start.min(end);
        let Some(first) = pack.seek(2 * start as isize) else { return Self(Inner::Pack(pack.iter(), 0)) };
        let mut elements = pack.iter_from(first);
        for _ in 0..2 * (len - end) {
            elements.next_back();
        }
        Self(Inner::Pack(elements, end - start))
    }

    pub(super) fn of_order(order: SeqIter<'a, Ranked>) -> Self {
        Self(Inner::Order(order))
    }
}

fn pair(ranked: &Ranked) -> (Field<'_>, f64) {
    (Field::Blob(&ranked.member), ranked.score)
}

impl<'a> Iterator for Range<'a> {
    type Item = (Field<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::Pack(elements, left) => {
                *left = left.checked_sub(1)?;
                Some((elements.next()?.into(), score::of(elements.next()?)))
            }
            Inner::Order(order) => order.next().map(pair),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Inner::Pack(_, left) => (*left, Some(*left)),
            Inner::Order(order) => order.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::Pack(elements, left) => {
                *left = left.checked_sub(1)?;
                let score = score::of(elements.next_back()?);
                Some((elements.next_back()?.into(), score))
            }
            Inner::Order(order) => order.next_back().map(pair),
        }
    }
}
