//! Lists against a plain vector, and nodes against what redis-server 7.0.15 made of the same changes.

use super::*;
use crate::collections::IntBytes;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

fn texts(list: &List) -> Vec<Vec<u8>> {
    let forwards: Vec<Vec<u8>> =
        list.iter_from(End::Left).map(|element| element.bytes(&mut IntBytes::default()).to_vec()).collect();
    let mut backwards: Vec<Vec<u8>> =
        list.iter_from(End::Right).map(|element| element.bytes(&mut IntBytes::default()).to_vec()).collect();
    backwards.reverse();
    assert_eq!(forwards, backwards);
    forwards
}

fn forms(fill: i64) -> Forms {
    let mut forms = Forms::default();
    forms.compact.list_max_listpack_size = fill;
    forms
}

fn element(random: &mut SmallRng) -> Vec<u8> {
    match random.random_range(0..5) {
        0 => random.random_range(0..9).to_string().into_bytes(),
        1 => random.random_range(i64::MIN..i64::MAX).to_string().into_bytes(),
        2 => vec![b'x'; random.random_range(0..2000)],
        3 => vec![b'y'; random.random_range(0..9)],
        _ => vec![random.random(); random.random_range(0..70)],
    }
}

fn a_side(random: &mut SmallRng) -> End {
    if random.random() { End::Left } else { End::Right }
}

/// One change to both.
fn change(list: &mut List, model: &mut Vec<Vec<u8>>, random: &mut SmallRng) {
    let (side, value) = (a_side(random), element(random));
    let places = random.random_range(0..=model.len())..random.random_range(0..=model.len() + 2);
    match random.random_range(0..12) {
        0..5 => {
            list.push(side, &value);
            model.insert(if side == End::Left { 0 } else { model.len() }, value);
        }
        5..8 if !model.is_empty() => {
            let at = random.random_range(0..model.len());
            list.insert(at, side, &value);
            model.insert(at + usize::from(side == End::Right), value);
        }
        8 if !model.is_empty() => {
            let at = random.random_range(0..model.len());
            assert!(list.replace(at as i64 - if random.random() { model.len() as i64 } else { 0 }, &value));
            model[at] = value;
        }
        9 => {
            let count = random.random_range(0..4);
            let (taken, _) = list.take(side, count);
            for blob in taken {
                let at = if side == End::Left { 0 } else { model.len() - 1 };
                assert_eq!(*blob, *model.remove(at));
            }
        }
        10 if places.start < places.end && random.random_range(0..4) == 0 => {
            let end = places.end.min(model.len());
            list.remove_range(places.clone());
            model.drain(places.start..end.max(places.start));
        }
        11 => {
            let (needle, most) = (random.random_range(0..9).to_string(), random.random_range(1..4));
            let mut expected = 0;
            while let Some(at) = match side {
                End::Left => model.iter().position(|value| value == needle.as_bytes()),
                End::Right => model.iter().rposition(|value| value == needle.as_bytes()),
            } {
                if expected == most {
                    break;
                }
                model.remove(at);
                expected += 1;
            }
            assert_eq!(list.remove_equal(needle.as_bytes(), most, side), expected);
        }
        _ => {}
    }
}

/// The same list from its pieces, of this size.
fn copied(list: &List, target_bytes: usize) -> List {
    let (mut frozen, mut growing) = (list.freeze(), List::grow());
    loop {
        let mut piece = Vec::new();
        let is_last = frozen.put_next(&mut piece, target_bytes);
        growing.take(&piece).unwrap();
        if is_last {
            break;
        }
    }
    match growing.finish().unwrap() {
        Value::List(list) => *list,
        _ => panic!("a list"),
    }
}

#[test]
fn a_list_is_the_vector_that_the_same_was_done_to() {
    for (seed, fill) in [-2, -1, -5, 1, 3, 100, 0, 40000].into_iter().enumerate() {
        let mut random = SmallRng::seed_from_u64(seed as u64);
        let (mut list, mut model) = (List::new(&forms(fill)), Vec::new());
        for step in 0..3000 {
            change(&mut list, &mut model, &mut random);
            assert_eq!(list.len(), model.len());
            if step % 50 == 0 {
                assert_eq!(texts(&list), model, "fill {fill}, step {step}");
                let index = random.random_range(0..model.len() + 2);
                let got = list.get(index as i64).map(|element| element.to_blob().to_vec());
                assert_eq!(got.as_ref(), model.get(index));
                let places = list.places(index as i64 / 2, index as i64);
                let got: Vec<Vec<u8>> =
                    list.range(places.clone()).map(|element| element.to_blob().to_vec()).collect();
                assert_eq!(got, model[places]);
                assert!(list.packs().all(|pack| !pack.is_empty()), "no node is empty");
            }
            if step % 300 == 0 && !model.is_empty() {
                let copy = copied(&list, random.random_range(1..20_000));
                assert!(copy.packs().eq(list.packs()) && copy.fill == list.fill);
                let (mut one, mut other) = (Vec::new(), Vec::new());
                list.put(&mut one);
                copy.put(&mut other);
                assert_eq!(one, other);
            }
        }
    }
}

#[test]
fn a_clone_and_what_is_frozen_stay_as_they_were() {
    let mut list = List::new(&forms(4));
    (0..1000).for_each(|n: i32| list.push(End::Right, n.to_string().as_bytes()));
    let (clone, before) = (list.clone(), texts(&list));
    let mut frozen = list.freeze();
    list.remove_range(10..900);
    list.insert(3, End::Left, b"new");
    list.replace(0, b"other");
    assert_eq!(texts(&clone), before);
    let mut out = Vec::new();
    assert!(frozen.put_next(&mut out, usize::MAX));
    let mut expected = Vec::new();
    clone.put(&mut expected);
    assert_eq!(out, expected);
}

#[test]
fn a_list_is_freed_in_steps() {
    let mut list = List::new(&forms(1));
    (0..20_000).for_each(|n: i32| list.push(End::Right, n.to_string().as_bytes()));
    let mut steps = 0;
    while !list.release(1000) {
        steps += 1;
    }
    assert!((50..400).contains(&steps), "{steps} steps");
}

#[test]
fn what_is_no_list_is_refused() {
    let mut list = List::new(&forms(2));
    ["a", "b", "c"].iter().for_each(|element| list.push(End::Right, element.as_bytes()));
    let mut whole = Vec::new();
    list.put(&mut whole);
    for len in 0..whole.len() {
        let mut growing = List::grow();
        let is_whole = growing.take(&whole[..len]).is_ok() && growing.finish().is_ok();
        // A list that ends behind its first node is one, too.
        assert!(!is_whole || len == whole.len() - 11, "{len} bytes of {}", whole.len());
    }
    let mut growing = List::grow();
    growing.take(&whole).unwrap();
    assert!(growing.take(&[1, 0]).is_err(), "another fill");
}

/// `LSET` does not ask whether a node is full: again and again, it would let one grow beyond what a pack may hold.
#[test]
fn a_node_that_would_grow_too_long_is_divided() {
    const MOST_BYTES: usize = 100;
    let long = [b'x'; 60];
    for len in 1..6 {
        for first in 0..len {
            let mut list = List::new(&Forms::default());
            let mut model: Vec<Vec<u8>> = (0..len).map(|n| vec![b'a' + n as u8]).collect();
            model.iter().for_each(|element| list.push(End::Right, element));
            // From one place on around all of them.
            for at in (first..len).chain(0..first) {
                assert!(list.replace_within(at as i64, &long, MOST_BYTES));
                model[at] = long.to_vec();
                assert_eq!((texts(&list), list.len()), (model.clone(), len));
                assert!(list.packs().all(|pack| !pack.is_empty() && pack.size_bytes() <= MOST_BYTES));
            }
        }
    }
}
