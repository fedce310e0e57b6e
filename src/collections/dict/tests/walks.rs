//! What goes on while members come and go: walks by cursor, and what was frozen.

use super::{Model, name, numbers, rng};
use crate::collections::{Blob, Dict, Frozen};
use rand::Rng as _;
use std::collections::BTreeSet;

#[test]
fn a_walk_misses_nothing_that_stays() {
    let mut rng = rng("walks");
    for round in 0..60 {
        let members = rng.random_range(0..[20, 3000][round % 2]);
        let mut dict = numbers(members);
        let mut stay: BTreeSet<u64> = dict.iter().map(|(_, value)| *value).collect();
        let mut seen = BTreeSet::new();
        let mut next_member = members;
        let (mut cursor, mut steps) = (0, 0);
        loop {
            let (next, positions) = dict.scan(cursor, rng.random_range(0..50));
            seen.extend(dict.range(positions).map(|(_, value)| *value));
            steps += 1;
            assert!(steps <= members.max(1), "it ends");
            if next == 0 {
                break;
            }
            cursor = next;
            for _ in 0..rng.random_range(0..20) {
                match rng.random() {
                    true => {
                        dict.insert(name(next_member), next_member as u64);
                        next_member += 1;
                    }
                    false => {
                        let position = rng.random_range(0..dict.len() + 1);
                        let removed = dict.remove_at(position);
                        removed.into_iter().for_each(|(_, value)| _ = stay.remove(&value));
                    }
                }
            }
        }
        assert!(seen.is_superset(&stay), "missed: {:?}", stay.difference(&seen));
    }
}

#[test]
fn cursors_from_elsewhere_do_no_harm() {
    let dict = numbers(100);
    assert_eq!(dict.scan(0, 10), (90, 90..100));
    assert_eq!(dict.scan(90, 1000), (0, 0..90));
    assert_eq!(dict.scan(u64::MAX, 10), (90, 90..100));
    assert_eq!(dict.scan(1, 10), (0, 0..1));
    assert_eq!(Dict::<u64>::new(super::SEED).scan(5, 10), (0, 0..0));
}

fn entries(mut frozen: Frozen<Blob>) -> Vec<(Blob, Blob)> {
    let mut entries = Vec::new();
    while let Some((member, value)) = frozen.next_entry() {
        entries.push((member.clone(), value.clone()));
    }
    assert!(frozen.is_empty() && frozen.next_entry().is_none());
    entries
}

#[test]
fn what_is_frozen_does_not_change() {
    let mut rng = rng("frozen");
    for members in [1, 100, 255, 256, 2000, 20_000] {
        let mut dict = Dict::new(super::SEED);
        let mut model = Model::default();
        for number in 0..members {
            dict.insert(name(number), name(number + 1));
            model.0.push((name(number), name(number + 1)));
        }
        let (first, then) = (dict.freeze(), model.clone());
        for step in 0..2 * members {
            let member = name(rng.random_range(0..2 * members));
            match step % 3 {
                0 => _ = dict.insert(member, name(step)),
                1 => _ = dict.update(&member, |value| *value = name(0)),
                _ => _ = dict.remove_at(rng.random_range(0..members)),
            }
        }
        let second = dict.freeze();
        let now: Vec<_> = dict.iter().map(|(member, value)| (member.clone(), value.clone())).collect();
        while !dict.release(100) {}
        assert_eq!(entries(first), then.0);
        assert_eq!(entries(second), now);
    }
}

#[test]
fn what_nobody_needs_is_freed_in_steps() {
    let mut dict = numbers(5000);
    let mut frozen = dict.freeze();
    let (mut steps, mut held) = (0, dict.heap_bytes());
    while !dict.release(500) {
        steps += 1;
        assert!(dict.heap_bytes() < held && dict.len() < 5000);
        assert!(!dict.contains(&name(0)));
        held = dict.heap_bytes();
    }
    assert!((9..=11).contains(&steps), "{steps}");
    assert_eq!((dict.len(), dict.heap_bytes()), (0, 0));

    let mut steps = 0;
    while !frozen.release(500) {
        steps += 1;
    }
    assert!((9..=11).contains(&steps), "{steps}");
    assert!(frozen.next_entry().is_none());
}
