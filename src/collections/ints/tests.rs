//! Sets of numbers against one of the library, and against bytes that are none.

use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeSet;

/// A generator whose seed is printed if the test fails; `INTS_SEED` gives it.
fn seeded() -> SmallRng {
    let seed = std::env::var("INTS_SEED")
        .map_or_else(|_| getrandom::u64().expect("a random number"), |seed| seed.parse().expect("a number"));
    println!("INTS_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

/// Near a border of the widths up to `width_bytes`, or one of few.
fn some_number(width_bytes: usize, random: &mut SmallRng) -> i64 {
    let border: i64 = match random.random_range(0..width_bytes) {
        0 | 1 => return random.random_range(-40..40),
        2 | 3 => 0x8000,
        4..6 => 0x8000_0000,
        _ => 0x7fff_ffff_ffff_fffd,
    };
    let sign = if random.random() { 1 } else { -1 };
    sign * (border + random.random_range(-3..3))
}

#[test]
fn it_is_a_set_of_numbers() {
    let mut random = seeded();
    for _ in 0..200 {
        let (mut ints, mut model) = (Ints::new(), BTreeSet::new());
        let mut widest = 2;
        for change in 0..200 {
            // Wider ones come later.
            let n = some_number(if change < 100 { 3 } else { 8 }, &mut random);
            if random.random_ratio(2, 3) {
                assert_eq!(ints.insert(n), model.insert(n));
                widest = widest.max(width_of(n));
            } else {
                assert_eq!(ints.remove(n), model.remove(&n));
            }
            same(&ints, &model, n);
            assert_eq!(ints.size_bytes(), 8 + widest * model.len(), "it never gets narrower");
        }
    }
}

fn same(ints: &Ints, model: &BTreeSet<i64>, n: i64) {
    assert_eq!((ints.len(), ints.is_empty()), (model.len(), model.is_empty()));
    assert!(ints.iter().eq(model.iter().copied()) && ints.iter().rev().eq(model.iter().rev().copied()));
    assert_eq!((ints.min(), ints.max()), (model.first().copied(), model.last().copied()));
    assert_eq!(ints.contains(n), model.contains(&n));
    assert_eq!(ints.position(n), model.contains(&n).then(|| model.range(..n).count()));
    assert_eq!((ints.get(0), ints.get(model.len())), (ints.min(), None));
    assert!(ints.heap_bytes() <= allocated(ints.size_bytes()) * 3 / 2 + 16);
    let read = Ints::from_bytes(ints.as_bytes().to_vec());
    assert_eq!(read.as_ref(), Some(ints).filter(|_| !model.is_empty()));
}

fn intset(width: u32, len: u32, numbers: &[u8]) -> Vec<u8> {
    [&width.to_le_bytes(), &len.to_le_bytes(), numbers].concat()
}

#[test]
fn what_is_no_set_is_refused() {
    let refused = |bytes: Vec<u8>| Ints::from_bytes(bytes).is_none();
    assert!(!refused(intset(2, 2, &[1, 0, 2, 0])));
    assert!(!refused(intset(4, 1, &[1, 0, 0, 0])), "narrow numbers in wide places are what may be left");
    assert!(refused(intset(2, 0, &[])), "empty");
    assert!(refused(intset(2, 2, &[2, 0, 1, 0])), "not in order");
    assert!(refused(intset(2, 2, &[1, 0, 1, 0])), "twice the same");
    assert!(refused(intset(2, 2, &[1, 0, 0xff, 0xff])), "-1 is less than 1");
    assert!(refused(intset(2, 3, &[1, 0, 2, 0])) && refused(intset(2, 1, &[1, 0, 2, 0])));
    assert!(refused(intset(2, u32::MAX, &[1, 0])) && refused(intset(8, 0x2000_0001, &[0; 8])));
    for width in [0, 1, 3, 16, 0x102, u32::MAX] {
        assert!(refused(intset(width, 1, &[1, 0])), "{width}");
    }
    (0..8).for_each(|len| assert!(refused(vec![2; len])));
}

#[test]
fn no_bytes_make_it_panic() {
    let mut random = seeded();
    let mut taken = 0;
    for _ in 0..20_000 {
        let mut ints = Ints::new();
        for _ in 0..random.random_range(0..6) {
            ints.insert(some_number(8, &mut random));
        }
        let mut bytes = ints.as_bytes().to_vec();
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..3) {
            0 => bytes[at] = random.random(),
            1 => bytes.truncate(at),
            _ => bytes.insert(at, random.random_range(0..9)),
        }
        if let Some(mut ints) = Ints::from_bytes(bytes) {
            taken += 1;
            let model: BTreeSet<i64> = ints.iter().collect();
            same(&ints, &model, 0);
            model.iter().for_each(|n| assert!(ints.remove(*n)));
            assert!(ints.is_empty());
        }
    }
    assert!(taken > 200, "{taken}: some are still sets");
}
