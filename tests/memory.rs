//! What keys and the members of collections take in memory, by the allocator's own count: as they are set,
//! and as they are restored.

use bowline::collections::{Blob, Dict, HashSeed, HeapBytes};
use bowline::keyspace::{Keyspace, Value};
use tikv_jemalloc_ctl::thread::{allocatedp, deallocatedp};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Enough for tables to be filled as with millions: between what they were and what they will grow to.
const KEYS: usize = 300_000;
/// A redis-server 7.0.15 takes 146 with ten million keys; the aim is 1.1 times that.
const MOST_BYTES: usize = 152;

/// What this thread holds.
fn held_bytes() -> usize {
    let [all, freed] = [allocatedp::read(), deallocatedp::read()].map(|count| count.expect("jemalloc").get());
    all.wrapping_sub(freed) as usize
}

fn key(number: usize) -> String {
    format!("key:{number:012}")
}

fn filled() -> Keyspace {
    let mut keyspace = Keyspace::new([7; 16]);
    for number in 0..KEYS {
        keyspace.edit(0, key(number).as_bytes(), 0).set(Value::string(&[b'x'; 32]), 0);
    }
    keyspace
}

fn restored(from: &mut Keyspace) -> Keyspace {
    let mut keyspace = Keyspace::new([7; 16]);
    from.snapshot_begin();
    while let Some(piece) = from.snapshot_next(64 << 10) {
        keyspace.restore(&piece, 0).expect("a snapshot just taken");
    }
    keyspace
}

#[test]
fn a_key_of_16_bytes_with_a_value_of_32_takes_about_what_it_takes_in_redis() {
    let before = held_bytes();
    let mut keyspace = filled();
    let each = (held_bytes() - before) / KEYS;
    assert!(each <= MOST_BYTES, "{each} bytes a key");
    let told = keyspace.get(0, key(5).as_bytes(), 0).expect("a key").size_bytes(key(5).as_bytes());
    assert!(told.abs_diff(each) <= each / 10, "MEMORY USAGE says {told}, it is {each}");

    let before = held_bytes();
    let again = restored(&mut keyspace);
    let each = (held_bytes() - before) / KEYS;
    assert!(each <= MOST_BYTES, "{each} bytes a restored key");
    assert_eq!(again.len(0), KEYS);
}

/// A dictionary of so many, and what it takes, which must be what it says.
fn dict<V: Clone + Default + HeapBytes>(members: usize, value: impl Fn(usize) -> V) -> (Dict<V>, usize) {
    let before = held_bytes();
    let mut dict = Dict::new(HashSeed::new([7; 16]));
    (0..members).for_each(|number| _ = dict.insert(key(number).as_bytes(), value(number)));
    let held = held_bytes().wrapping_sub(before);
    let told = dict.heap_bytes();
    assert!(told.abs_diff(held) <= held / 20, "{members} members: it says {told}, it is {held}");
    (dict, held)
}

#[test]
fn a_member_of_a_dictionary_takes_forty_bytes_and_a_few_take_little() {
    for members in [1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000] {
        let (_, held) = dict(members, |_| ());
        assert!(held <= members * 40 + 250, "{held} bytes for {members} members");
        dict(members, |number| number as f64);
        dict(members, |number| Blob::from(format!("{number} has this, which stands elsewhere")));
    }
}

#[test]
fn a_dictionary_gives_back_what_its_members_took() {
    let before = held_bytes();
    let (mut dict, _) =
        dict(200_000, |number| Blob::from(format!("{number} has this, which stands elsewhere")));
    for (left, most_bytes) in [(100_000, 180), (20_000, 200), (1000, 250), (10, 350), (1, 800)] {
        while dict.len() > left {
            dict.remove_at(dict.len() * 7 / 10);
        }
        let (held, told) = (held_bytes().wrapping_sub(before), dict.heap_bytes());
        assert!(held <= left * most_bytes, "{held} bytes for {left} members");
        assert!(told.abs_diff(held) <= held / 10, "{left} members: it says {told}, it is {held}");
    }
}
