//! Sets against a model, in every form; as pieces and back.

use super::*;
use crate::keyspace::SplitMix;
use std::collections::BTreeSet;

fn members(set: &Set) -> Vec<Blob> {
    set.iter().map(Field::to_blob).collect()
}

/// All of it, in one piece or in many, as a set.
fn restored(pieces: &[Vec<u8>]) -> Set {
    let mut growing = Kind::Set.grow(&Forms::default());
    for piece in pieces {
        growing.take(piece).expect("a piece of what was written");
    }
    match growing.finish().expect("it was whole") {
        Value::Set(set) => *set,
        other => panic!("{other:?}"),
    }
}

fn check_pieces(set: &Set) {
    let mut whole = Vec::new();
    set.put(&mut whole);
    let (mut frozen, mut pieces) = (set.freeze(), vec![]);
    while pieces.last().is_none_or(|(_, is_last)| !is_last) {
        let mut piece = Vec::new();
        let is_last = frozen.put_next(&mut piece, 50);
        pieces.push((piece, is_last));
    }
    let pieces: Vec<_> = pieces.into_iter().map(|(piece, _)| piece).collect();
    for copy in [restored(&[whole.clone()]), restored(&pieces)] {
        let mut again = Vec::new();
        copy.put(&mut again);
        assert!(again == whole && copy.encoding() == set.encoding() && members(&copy) == members(set));
    }
}

/// Random changes of what `member` draws, with what a client may see compared after each.
fn run(seed: u64, changes: usize, member: impl Fn(&mut SplitMix) -> String) -> Set {
    let (forms, mut random) = (Forms::default(), SplitMix::new(seed));
    let (mut set, mut model) = (Set::default(), BTreeSet::new());
    for change in 0..changes {
        let name = member(&mut random);
        match random.below(8) {
            0 | 1 => assert_eq!(set.remove(name.as_bytes()), model.remove(name.as_bytes())),
            2 if !set.is_empty() => {
                let at = random.below(set.len());
                let there = set.at(at).map(Field::to_blob);
                assert_eq!(set.remove_at(at), there);
                assert!(model.remove(&*there.expect("a position below its length")));
            }
            _ => assert_eq!(set.insert(name.as_bytes(), &forms), model.insert(name.as_bytes().to_vec())),
        }
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        assert_eq!(set.contains(name.as_bytes()), model.contains(name.as_bytes()));
        if change % 64 == 0 && !set.is_empty() {
            let all: BTreeSet<Vec<u8>> = members(&set).iter().map(|member| member.to_vec()).collect();
            assert_eq!(all, model);
            assert!(set.iter().all(|member| set.has(member)));
            check_pieces(&set);
        }
    }
    set
}

#[test]
fn it_is_what_a_set_is_in_every_form() {
    let numbers = run(1, 2000, |random| (random.below(300) as i64 - 100).to_string());
    assert!(matches!(numbers.0, Repr::Ints(_)) && numbers.encoding() == "intset");
    let strings = run(2, 2000, |random| format!("m{}", random.below(90)));
    assert!(matches!(strings.0, Repr::Pack(_)) && strings.encoding() == "hashtable");
    let mixed = run(3, 20_000, |random| match random.below(3) {
        0 => random.below(4000).to_string(),
        1 => format!("0{}", random.below(2000)),
        _ => "x".repeat(random.below(100)),
    });
    assert!(matches!(mixed.0, Repr::Table(_)) && mixed.encoding() == "hashtable");
    let many_numbers = run(4, 4000, |random| random.below(5000).to_string());
    assert_eq!(many_numbers.encoding(), "hashtable");
}

#[test]
fn a_walk_meets_all_that_stays() {
    let forms = Forms::default();
    let mut set = Set::default();
    (0..1000).for_each(|n| assert!(set.insert(format!("m{n}").as_bytes(), &forms)));
    let (mut cursor, mut met, mut steps) = (0, BTreeSet::new(), 0);
    loop {
        let (next, found) = set.scan(cursor, 10);
        met.extend(found.map(Field::to_blob));
        set.remove(format!("m{}", 2 * steps).as_bytes());
        steps += 1;
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    assert!((90..=110).contains(&steps), "{steps} steps");
    assert!(members(&set).iter().all(|member| met.contains(member)));
}

#[test]
fn what_is_no_set_is_refused() {
    let growing = || Kind::Set.grow(&Forms::default());
    for piece in [&b""[..], b"\x03", b"\x02\x05ab", b"\x02\x01a\x01a"] {
        assert!(growing().take(piece).is_err(), "{piece:?}");
    }
    for piece in [&b"\x00"[..], b"\x00\x02\0\0\0\x01\0\0\0\x01", b"\x01", b"\x01abc", b"\x02"] {
        let mut growing = growing();
        growing.take(piece).expect("what comes next might make it whole");
        assert!(growing.finish().is_err(), "{piece:?}");
    }
    let mut two_forms = growing();
    assert!(two_forms.take(b"\x02\x01a").is_ok() && two_forms.take(b"\x00\x02\0\0\0").is_err());
    assert!(growing().finish().is_err());
}

#[test]
fn a_large_one_is_released_in_steps() {
    let forms = Forms::default();
    let mut set = Set::default();
    (0..5000).for_each(|n| assert!(set.insert(format!("member:{n}").as_bytes(), &forms)));
    let full = set.heap_bytes();
    let mut steps = 1;
    while !set.release(500) {
        assert!(set.heap_bytes() < full);
        steps += 1;
    }
    assert!((5..=40).contains(&steps), "{steps} steps");
}
