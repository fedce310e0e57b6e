//! A [`Seq`] against a vector, its clones held still, its nodes looked at after every change.

mod partition;
mod sharing;

use super::node::{FEW, Sums};
use super::*;
use crate::collections::allocated;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item {
    id: u64,
    weight: usize,
    heap_bytes: usize,
}

impl Weigh for Item {
    fn weight(&self) -> usize {
        self.weight
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    fn rank(&self) -> u64 {
        self.id // in no order: only whether it is known is looked at
    }
}

/// Distinct ones, some of which weigh nothing.
fn item(rng: &mut SmallRng) -> Item {
    Item { id: rng.random(), weight: rng.random_range(0..5), heap_bytes: rng.random_range(0..1000) }
}

fn items(rng: &mut SmallRng, count: usize) -> Vec<Item> {
    (0..count).map(|_| item(rng)).collect()
}

/// What is true of every node, with the sums counted anew; the height.
fn check_node<T: Weigh>(branch: &Branch<T>) -> usize {
    let (children, height, own_bytes) = match &*branch.node {
        Node::Leaf(items) => {
            let of = |item: &T| Sums { len: 1, weight: item.weight(), heap_bytes: item.heap_bytes() };
            (items.iter().map(of).collect::<Vec<_>>(), 0, items.capacity() * size_of::<T>())
        }
        Node::Inner(branches) => {
            let heights: Vec<usize> = branches.iter().map(check_node).collect();
            assert!(heights.iter().all(|&height| height == heights[0]), "leaves at different depths");
            for (left, right) in branches.iter().zip(&branches[1..]) {
                let fills = (left.node.fill(), right.node.fill());
                assert!(fills.0 > FEW || fills.1 > FEW, "neighbours that should have joined: {fills:?}");
            }
            let own_bytes = branches.capacity() * size_of::<Branch<T>>();
            (branches.iter().map(|branch| branch.sums).collect(), heights[0] + 1, own_bytes)
        }
    };
    assert!((1..=NODE_ENTRIES).contains(&children.len()), "{} entries", children.len());
    let mut sums = Sums::default();
    children.into_iter().for_each(|child| sums += child);
    sums.heap_bytes += allocated(16 + size_of::<Node<T>>()) + allocated(own_bytes);
    assert_eq!(branch.sums, sums);
    assert_eq!(branch.rank, branch.first().rank());
    height
}

fn check<T: Weigh>(seq: &Seq<T>) {
    let Some(root) = &seq.root else { return };
    check_node(root);
    if let Node::Inner(branches) = &*root.node {
        assert!(branches.len() > 1, "a level for nothing");
    }
}

fn assert_same(seq: &Seq<Item>, model: &[Item]) {
    assert_eq!(seq.len(), model.len());
    assert_eq!(seq.is_empty(), model.is_empty());
    assert_eq!(seq.weight(), model.iter().map(|item| item.weight).sum::<usize>());
    assert!(seq.iter().eq(model));
}

/// Every way of looking, at random places.
fn look(seq: &Seq<Item>, model: &[Item], rng: &mut SmallRng) {
    let at = rng.random_range(0..=model.len() + 1);
    assert_eq!(seq.get(at), model.get(at));
    let before = model[..at.min(model.len())].iter().map(|item| item.weight).sum::<usize>();
    assert_eq!(seq.weight_before(at), before);

    let weight_at = rng.random_range(0..=seq.weight());
    let mut rest = weight_at;
    let found = model.iter().position(|item| {
        let is_here = rest < item.weight;
        rest -= if is_here { 0 } else { item.weight };
        is_here
    });
    assert_eq!(seq.find(weight_at), found.map(|index| (index, rest)), "{weight_at}");

    let end = rng.random_range(0..=model.len() + 1);
    let (start, end) = (at.min(end), at.max(end));
    let wanted = &model[start.min(model.len())..end.min(model.len())];
    let mut walk = seq.range(start..end);
    let mut wanted = wanted.iter();
    while wanted.len() > 0 {
        assert_eq!(walk.len(), wanted.len());
        match rng.random_range(0..100) < 50 {
            true => assert_eq!(walk.next(), wanted.next()),
            false => assert_eq!(walk.next_back(), wanted.next_back()),
        }
    }
    assert_eq!((walk.next(), walk.next_back(), walk.len()), (None, None, 0));
}

/// One change of both, the kind at random.
fn change(seq: &mut Seq<Item>, model: &mut Vec<Item>, rng: &mut SmallRng) {
    let len = model.len();
    let at = rng.random_range(0..=len);
    match rng.random_range(0..100) {
        0..30 => {
            let item = item(rng);
            seq.insert(at, item);
            model.insert(at, item);
        }
        30..40 => {
            let run = rng.random_range(1..100);
            for item in items(rng, run) {
                seq.insert(at, item); // falling
                model.insert(at, item);
            }
        }
        40..55 => {
            let item = item(rng);
            seq.push_back(item);
            model.push(item);
            seq.push_front(item);
            model.insert(0, item);
        }
        55..75 => assert_eq!(seq.remove(at), (at < len).then(|| model.remove(at))),
        75..80 => {
            assert_eq!(seq.pop_back(), model.pop());
            assert_eq!(seq.pop_front(), (!model.is_empty()).then(|| model.remove(0)));
        }
        80..90 => {
            let new = item(rng);
            let was = seq.update(at, |item| std::mem::replace(item, new));
            assert_eq!(was, model.get_mut(at).map(|item| std::mem::replace(item, new)));
        }
        90..99 => {
            // mostly short
            let longest = 1 << rng.random_range(0..14);
            let end = at + rng.random_range(0..=longest);
            let taken = model.drain(at..end.min(len));
            if rng.random() {
                seq.remove_range(at..end);
            } else {
                let found = seq.take_range(at..end);
                check(&found);
                assert!(found.iter().eq(taken.as_slice()));
            }
        }
        _ => {
            let elements = rng.random_range(0..300);
            let is_empty = seq.release(elements);
            let kept = seq.len();
            assert!(len - kept >= elements.min(len) && len - kept < elements.max(1) + NODE_ENTRIES);
            assert_eq!(is_empty, kept == 0);
            model.truncate(kept);
        }
    }
}

/// Changes of several that began as clones of each other, each of which must keep what it is.
fn torment(seed: u64, changes: usize, len: usize, checked_each: usize) {
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let model = items(&mut rng, len);
    let mut all = vec![(model.iter().copied().collect::<Seq<Item>>(), model)];
    check(&all[0].0);
    for number in 1..=changes {
        let which = rng.random_range(0..all.len());
        if rng.random_range(0..50) == 0 {
            let clone = all[which].clone();
            all.push(clone);
        }
        if all.len() > 4 {
            all.swap_remove(0);
        }
        let which = which.min(all.len() - 1);
        let (seq, model) = &mut all[which];
        change(seq, model, &mut rng);
        if number % checked_each == 0 {
            check(seq);
            look(seq, model, &mut rng);
            all.iter().for_each(|(seq, model)| assert_same(seq, model));
        }
    }
}

#[test]
fn it_is_what_a_vector_is() {
    for (seed, len) in [(1, 0), (2, 1), (3, 64), (4, 500), (5, 5_000), (6, 9_000)] {
        torment(seed, 500, len, 1);
    }
}

#[test]
#[ignore = "takes a minute"]
fn it_is_what_a_vector_is_for_long() {
    for seed in 1_000..1_100 {
        torment(seed, 5_000, 100 * (seed as usize - 1_000), 10);
    }
    torment(2_000, 20_000, 600_000, 1_000);
}

#[test]
fn it_can_be_emptied_from_every_side() {
    let mut rng = SmallRng::seed_from_u64(7);
    let all = items(&mut rng, 5_000);
    for way in 0..4 {
        let mut seq: Seq<Item> = all.iter().copied().collect();
        let clone = seq.clone();
        while let Some(last) = seq.len().checked_sub(1) {
            match way {
                0 => assert!(seq.pop_front().is_some()),
                1 => assert!(seq.pop_back().is_some()),
                2 => assert!(seq.remove(last / 2).is_some()),
                _ => assert_eq!(seq.release(100), seq.is_empty()),
            }
            check(&seq);
        }
        assert_eq!((seq.len(), seq.weight(), seq.heap_bytes()), (0, 0, 0));
        assert!(seq.get(0).is_none() && seq.iter().next().is_none() && seq.release(1));
        check(&clone);
        assert_same(&clone, &all);
    }
}
