//! Collections in snapshots, and how what is large is let go: in steps, whatever takes it away.

use super::*;
use crate::limits::{RELEASE_ELEMENTS, SNAPSHOT_LONG_BYTES};

const LARGE: usize = 6000;

fn hash_of(fields: usize, value: &str) -> Value {
    let (forms, mut hash) = (Forms { seed: HASH_KEY, ..Forms::default() }, Hash::default());
    for i in 0..fields {
        hash.insert(format!("field:{i}").as_bytes(), format!("{value}:{i}").as_bytes(), &forms);
    }
    hash.into()
}

fn insert(keyspace: &mut Keyspace, key: &[u8], field: &[u8], value: &[u8]) {
    let forms = keyspace.forms();
    let insert = |value_of: &mut Value| Hash::of_mut(value_of).unwrap().insert(field, value, &forms);
    keyspace.edit(0, key, 1).update(insert).unwrap();
}

fn remove(keyspace: &mut Keyspace, key: &[u8], field: &[u8]) -> bool {
    keyspace.edit(0, key, 1).update(|value| Hash::of_mut(value).unwrap().remove(field)).unwrap()
}

fn filled() -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for key in ["changed", "removed", "replaced", "kept"] {
        let large = hash_of(LARGE, key);
        assert!(large.collection().unwrap().heap_bytes() > 2 * SNAPSHOT_LONG_BYTES);
        keyspace.edit(0, key.as_bytes(), 1).set(large, 0);
        keyspace.edit(0, format!("small:{key}").as_bytes(), 1).set(hash_of(9, key), 7);
        keyspace.edit(0, format!("string:{key}").as_bytes(), 1).set(Value::string(b"1"), 0);
    }
    assert!(remove(&mut keyspace, b"kept", b"field:17"), "the last field takes its place");
    keyspace.edit(3, b"elsewhere", 1).set(hash_of(LARGE, "other"), 99);
    keyspace
}

fn change(keyspace: &mut Keyspace) {
    insert(keyspace, b"changed", b"field:5", b"new");
    insert(keyspace, b"changed", b"another", b"new");
    insert(keyspace, b"small:changed", b"another", b"new");
    assert!(remove(keyspace, b"changed", b"field:9"));
    keyspace.edit(0, b"removed", 1).remove();
    keyspace.edit(0, b"replaced", 1).set(Value::string(b"short"), 0);
    keyspace.edit(3, b"elsewhere", 1).set_deadline(100);
    keyspace.edit(3, b"new", 1).set(hash_of(LARGE, "new"), 0);
}

#[test]
fn a_snapshot_holds_collections_as_they_were_in_pieces_that_are_short() {
    const TARGET: usize = 20_000;
    for changes_at in (0..60).step_by(5) {
        let mut keyspace = filled();
        let (hash, revision) = (keyspace.state_hash(), keyspace.revision());
        keyspace.snapshot_begin();
        let mut chunks = Vec::new();
        loop {
            if chunks.len() == changes_at {
                change(&mut keyspace);
                if changes_at % 2 == 0 {
                    keyspace.flush_all();
                }
            }
            let Some(chunk) = keyspace.snapshot_next(TARGET) else { break };
            assert!(chunk.len() < 2 * TARGET, "{}", chunk.len());
            chunks.push(chunk);
        }
        let mut copy = restored(&chunks, &Keyspace::new(HASH_KEY), revision);
        assert_eq!(copy.state_hash(), hash, "changed after {changes_at} chunks");
        let fields = |keyspace: &mut Keyspace| -> Vec<Blob> {
            let edit = keyspace.edit(0, b"kept", 1);
            Hash::of(&edit.item().unwrap().value).unwrap().iter().map(|(field, _)| field.to_blob()).collect()
        };
        assert_eq!(fields(&mut copy), fields(&mut filled()), "the order is the same");
        // What comes later does the same to both.
        let mut again = filled();
        change(&mut copy);
        change(&mut again);
        assert_eq!(copy.state_hash(), again.state_hash());
    }
}

#[test]
fn pieces_of_a_collection_that_do_not_fit_together_are_errors() {
    let mut keyspace = filled();
    let chunks = take_snapshot(&mut keyspace, 20_000);
    let fails = |chunks: Vec<&Vec<u8>>| {
        let mut copy = Keyspace::new(HASH_KEY);
        chunks.into_iter().any(|chunk| copy.restore(chunk, 1).is_err())
    };
    assert!(!fails(chunks.iter().collect()));
    assert!(fails(chunks.iter().rev().collect()));
    for at in 0..chunks.len() - 1 {
        assert!(fails(chunks.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, chunk)| chunk).collect()));
    }
    for at in (0..chunks[0].len()).step_by(41) {
        let mut damaged = chunks[0].clone();
        damaged[at] ^= 1;
        let mut copy = Keyspace::new(HASH_KEY);
        let _ = copy.restore(&damaged, 1); // an error, or another value: never a panic
    }
}

#[test]
fn encoding_order_and_contents_are_state() {
    let one = |value: Value| {
        let mut keyspace = Keyspace::new(HASH_KEY);
        keyspace.edit(0, b"k", 1).set(value, 0);
        keyspace.state_hash()
    };
    let forms = Forms { seed: HASH_KEY, ..Forms::default() };
    let hash = |pairs: &[(&str, &str)], mut hash: Hash| {
        for (field, value) in pairs {
            hash.insert(field.as_bytes(), value.as_bytes(), &forms);
        }
        one(hash.into())
    };
    let small = hash(&[("a", "1"), ("b", "2")], Hash::default());
    assert_eq!(hash(&[("a", "2"), ("b", "2"), ("a", "1")], Hash::default()), small);
    assert_ne!(hash(&[("b", "2"), ("a", "1")], Hash::default()), small);
    assert_ne!(hash(&[("a", "1"), ("b", "2")], Hash::large(&forms)), small);
    assert_ne!(hash(&[("a", "1"), ("b", "3")], Hash::default()), small);
}

#[test]
fn what_is_large_is_freed_in_steps_by_writes_and_by_ticks() {
    type Taken = fn(&mut Keyspace);
    let ways: [(&str, Taken); 5] = [
        ("removed", |keyspace| assert!(keyspace.edit(0, b"kept", 1).remove())),
        ("replaced", |keyspace| assert!(keyspace.edit(0, b"kept", 1).set(Value::string(b"x"), 0) > 1)),
        ("expired", |keyspace| {
            keyspace.edit(0, b"kept", 1).set_deadline(5);
            assert_eq!(keyspace.expire_due(9, 1), 1);
        }),
        ("flushed", |keyspace| keyspace.flush(3)),
        ("flushed during a snapshot", |keyspace| {
            keyspace.snapshot_begin();
            keyspace.flush(3);
            assert!(keyspace.unreleased() <= 1, "the snapshot has all but the deadlines");
            keyspace.snapshot_abort();
        }),
    ];
    for (way, take) in ways {
        let mut keyspace = filled();
        keyspace.edit(3, b"string:elsewhere", 1).set(Value::string(b"1"), 0);
        take(&mut keyspace);
        let mut steps = 0;
        while keyspace.unreleased() > 0 {
            steps += 1;
            match steps % 2 {
                0 => drop(keyspace.edit(0, b"string:kept", 1)),
                _ => drop(keyspace.release(1)),
            }
        }
        assert!(steps >= LARGE / RELEASE_ELEMENTS, "{way}: {steps} steps");
        assert!(!keyspace.release(1));
        let freed = if way.starts_with("flushed") { 2 } else { 1 };
        assert_eq!(keyspace.released_total(), freed, "{way}: of tables, the small ones too");
    }
}

#[test]
fn what_a_snapshot_has_frozen_is_freed_in_steps_when_it_is_given_up() {
    let mut keyspace = filled();
    keyspace.snapshot_begin();
    insert(&mut keyspace, b"changed", b"new", b"field");
    keyspace.edit(0, b"kept", 1).remove();
    assert!(keyspace.snapshot_bytes() > 2 * SNAPSHOT_LONG_BYTES, "it counts");
    while keyspace.release(1) {}
    keyspace.snapshot_abort();
    assert_eq!(keyspace.unreleased(), 2);
    while keyspace.release(1) {}
    assert_eq!(keyspace.unreleased(), 0);
}
