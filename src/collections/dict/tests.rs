//! The dictionary against a list that is searched from its beginning.

mod costs;
mod walks;

use super::index::{Index, Members};
use super::{Dict, HashSeed};
use crate::collections::Blob;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

const SEED: HashSeed = HashSeed([7; 16]);

fn rng(what: &str) -> SmallRng {
    let seed = match std::env::var("BOWLINE_SEED") {
        Ok(seed) => seed.parse().expect("a number"),
        Err(_) => getrandom::u64().expect("a random number"),
    };
    println!("{what}: BOWLINE_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

fn name(number: usize) -> Blob {
    match number % 3 {
        0 => Blob::from(format!("member:{number}")),
        1 => Blob::from(format!("a member of more than twenty-two bytes: {number}")),
        _ => Blob::new(&number.to_le_bytes()),
    }
}

fn numbers(members: usize) -> Dict<u64> {
    let mut dict = Dict::new(SEED);
    (0..members).for_each(|number| assert_eq!(dict.insert(name(number), number as u64), None));
    dict
}

/// What a dictionary should be.
#[derive(Default, Clone)]
struct Model(Vec<(Blob, Blob)>);

impl Model {
    fn position(&self, member: &[u8]) -> Option<usize> {
        self.0.iter().position(|(other, _)| **other == *member)
    }

    fn insert(&mut self, member: &Blob, value: Blob) -> Option<Blob> {
        match self.position(member) {
            Some(position) => Some(std::mem::replace(&mut self.0[position].1, value)),
            None => {
                self.0.push((member.clone(), value));
                None
            }
        }
    }

    fn remove_at(&mut self, position: usize) -> Option<(Blob, Blob)> {
        (position < self.0.len()).then(|| self.0.swap_remove(position))
    }

    fn is(&self, dict: &Dict<Blob>) {
        assert_eq!(dict.len(), self.0.len());
        assert!(dict.iter().eq(self.0.iter().map(|(member, value)| (member, value))));
        let bytes: usize =
            self.0.iter().map(|(member, value)| member.heap_bytes() + value.heap_bytes()).sum();
        assert_eq!(dict.values_bytes, bytes);
    }
}

/// Random changes, with answers compared one by one.
fn compare(rng: &mut SmallRng, steps: usize, members: usize) {
    let mut dict = Dict::new(SEED);
    let mut other = Dict::new(HashSeed(rng.random()));
    let mut model = Model::default();
    for step in 0..steps {
        // It grows and shrinks in turns.
        let grows = (step / (steps / 6).max(1)).is_multiple_of(2);
        let member = name(rng.random_range(0..members));
        let value = name(rng.random_range(0..members));
        match rng.random_range(0..10) {
            0..=4 if grows => {
                other.insert(&*member, value.clone());
                assert_eq!(dict.insert(&*member, value.clone()), model.insert(&member, value));
            }
            0..=4 => {
                let expected = model.position(&member).and_then(|position| model.remove_at(position));
                other.remove(&member);
                assert_eq!(dict.remove(&member), expected);
            }
            5 if !model.0.is_empty() => {
                let position = rng.random_range(0..=model.0.len());
                other.remove_at(position);
                assert_eq!(dict.remove_at(position), model.remove_at(position));
            }
            6 => {
                let position = model.position(&member);
                if let Some(position) = position {
                    model.0[position].1 = value.clone();
                    other.set_at(position, value.clone());
                }
                assert_eq!(dict.update(&member, |place| *place = value), position.map(|_| ()));
            }
            _ => {
                let expected = model.position(&member);
                assert_eq!(dict.position(&member), expected);
                assert_eq!(dict.get(&member), expected.map(|position| &model.0[position].1));
            }
        }
    }
    model.is(&dict);
    assert_eq!(dict, other, "hashes do not matter");
    for position in (0..model.0.len()).rev() {
        assert_eq!(dict.position(&model.0[position].0), Some(position));
        assert_eq!(dict.remove_at(position), model.remove_at(position));
    }
    assert!(dict.is_empty());
}

#[test]
fn it_is_what_a_list_would_be() {
    let mut rng = rng("changes");
    for (steps, members) in [(200, 3), (2000, 30), (5000, 300), (20_000, 2000)] {
        compare(&mut rng, steps, members);
    }
}

#[test]
fn many_members_are_found_while_they_come_and_go() {
    const MEMBERS: usize = 60_000;
    let mut dict = numbers(MEMBERS);
    for number in 0..MEMBERS {
        assert_eq!(dict.position(&name(number)), Some(number));
    }
    assert!(!dict.contains(b"none"));
    for number in 0..MEMBERS - 10 {
        assert_eq!(dict.remove(&name(number)), Some((name(number), number as u64)));
        assert!(!dict.contains(&name(number)));
        if number % 997 == 0 {
            let left = number + 1..MEMBERS;
            left.for_each(|number| assert_eq!(dict.get(&name(number)), Some(&(number as u64))));
        }
    }
    assert_eq!(dict.len(), 10);
}

#[test]
fn ranges_go_from_either_end() {
    let mut rng = rng("ranges");
    for members in [0, 1, 254, 255, 256, 1000, 17_000] {
        let dict = numbers(members);
        for _ in 0..100 {
            let start = rng.random_range(0..=members);
            let end = rng.random_range(0..=members + 5);
            let mut expected = (start..end.min(members).max(start)).map(|number| number as u64);
            let mut range = dict.range(start..end);
            assert_eq!(range.len(), expected.len());
            loop {
                let (found, expected) = match rng.random() {
                    true => (range.next(), expected.next()),
                    false => (range.next_back(), expected.next_back()),
                };
                assert_eq!(found.map(|(_, value)| *value), expected);
                if expected.is_none() {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_hash_that_says_nothing_is_slow_and_right() {
    struct Same;
    impl Members for Same {
        fn at(&self, _: u32) -> &[u8] {
            b"x"
        }

        fn hash(&self, _: &[u8]) -> u64 {
            5
        }
    }
    let mut index = Index::default();
    (0..3000).for_each(|position| index.insert(5, position, &Same));
    for position in 0..3000 {
        let found = index.find(5, |other| other == position).expect("it was inserted");
        index.remove(5, found);
        index.give_back(5, &Same);
        assert!(index.find(5, |other| other == position).is_none());
    }
    assert!(index.heap_bytes() < 1000, "{} bytes", index.heap_bytes());
}
