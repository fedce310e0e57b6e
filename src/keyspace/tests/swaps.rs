//! Databases apart from each other, and `SWAPDB`.

use super::*;

fn keyspace_of(rows: &[(usize, &str, u64)]) -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for (db, key, deadline_ms) in rows {
        keyspace.edit(*db, key.as_bytes(), 1).set(Value::string(b"v"), *deadline_ms);
    }
    keyspace
}

#[test]
fn an_unused_database_takes_no_memory_whatever_is_asked_of_it() {
    let mut keyspace = keyspace_of(&[(0, "k", 0)]);
    assert!(!keyspace.edit(5, b"k", 1).remove());
    assert!(keyspace.get(5, b"k", 1).is_none());
    assert!(keyspace.access(5, b"k", 1, 1).is_none());
    assert_eq!(keyspace.watch(5, b"k", 1), (0, 1));
    keyspace.flush(5);
    keyspace.flush_all();
    keyspace.swap(5, 6, 1);
    keyspace.snapshot_begin();
    while keyspace.snapshot_next(1).is_some() {}
    assert_eq!(keyspace.state_hash(), keyspace.state_hash());
    let used: Vec<_> = keyspace.databases.iter().map(|database| !database.partitions.is_empty()).collect();
    assert_eq!(used.iter().filter(|used| **used).count(), 1);
}

#[test]
fn one_flush_is_one_change_and_concerns_one_database() {
    let mut keyspace = keyspace_of(&[(0, "a", 0), (1, "a", 9), (1, "b", 0)]);
    keyspace.flush(1);
    assert_eq!((keyspace.len(0), keyspace.len(1), keyspace.revision()), (1, 0, 4));
    assert_eq!(keyspace.next_deadline(), None);
    keyspace.flush(1);
    assert_eq!(keyspace.revision(), 4, "nothing changed");
}

#[test]
fn deadlines_of_all_databases_pass_in_one_order() {
    let mut keyspace = keyspace_of(&[(3, "late", 30), (2, "same", 20), (1, "same", 20), (15, "first", 10)]);
    keyspace.set_event_classes(EventClasses::parse(b"Kx").unwrap());
    let expired = |keyspace: &mut Keyspace| {
        let events = keyspace.take_events().into_iter();
        events
            .map(|event| match event {
                Event::Named { db, key, .. } => (db, key),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(keyspace.expire_due(20, 2), 2);
    assert_eq!(expired(&mut keyspace), [(15, "first".into()), (1, "same".into())]);
    keyspace.swap(2, 3, 20);
    assert_eq!(keyspace.expire_due(20, 9), 1);
    assert_eq!(expired(&mut keyspace), [(3, "same".into())], "a database takes its deadlines along");
    assert_eq!(keyspace.next_deadline(), Some(30));
    assert!(keyspace.get(2, b"late", 20).is_some());
}

/// Whether a watch on `k` of database 0, made at 10 ms, holds after `changes`, at 100 ms.
fn holds(rows: &[(usize, &str, u64)], changes: impl FnOnce(&mut Keyspace)) -> bool {
    let mut keyspace = keyspace_of(rows);
    let (revision, seen_at) = keyspace.watch(0, b"k", 10);
    changes(&mut keyspace);
    keyspace.watch_holds(&Watch { key: b"k", revision, seen_at, db: 0 }, 100)
}

#[test]
fn a_watch_notices_what_a_swap_brings_or_takes() {
    let there = &[(0, "k", 0)];
    let elsewhere = &[(1, "k", 0)];
    assert!(!holds(there, |keyspace| keyspace.swap(0, 1, 50)), "it has gone");
    assert!(!holds(elsewhere, |keyspace| keyspace.swap(0, 1, 50)), "it has come");
    assert!(!holds(&[(0, "k", 0), (1, "k", 0)], |keyspace| keyspace.swap(0, 1, 50)), "it is another");
    let back = |keyspace: &mut Keyspace| {
        keyspace.swap(0, 1, 50);
        keyspace.swap(1, 0, 60);
    };
    assert!(!holds(there, back) && !holds(elsewhere, back), "it was another for a while");
    assert!(holds(&[(2, "k", 0)], |keyspace| keyspace.swap(0, 1, 50)), "it is in neither");
    assert!(holds(there, |keyspace| keyspace.swap(1, 2, 50)), "another pair");
    assert!(holds(there, |keyspace| keyspace.swap(0, 0, 50)), "with itself");
    assert!(!holds(&[(2, "k", 0)], |keyspace| {
        keyspace.swap(1, 2, 50);
        keyspace.swap(0, 1, 60);
    }));
    let around = |keyspace: &mut Keyspace| {
        keyspace.swap(0, 2, 50);
        keyspace.swap(0, 1, 60);
        keyspace.swap(0, 3, 70);
    };
    assert!(!holds(&[(2, "k", 0)], around), "it passed by");
}

#[test]
fn what_had_expired_before_a_swap_is_as_good_as_missing() {
    let swap = |keyspace: &mut Keyspace| keyspace.swap(0, 1, 50);
    assert!(holds(&[(0, "k", 5)], swap), "expired, by nothing");
    assert!(holds(&[(1, "k", 5)], swap), "nothing, by expired");
    assert!(holds(&[(0, "k", 5), (1, "k", 5)], swap), "expired, by expired");
    assert!(!holds(&[(1, "k", 60)], swap), "it has lived here, and expired since");
    assert!(!holds(&[], |keyspace| {
        keyspace.edit(0, b"k", 20).set(Value::string(b""), 30);
        keyspace.swap(0, 1, 50);
    }));
    for deadline_ms in [0, 60] {
        assert!(!holds(&[(1, "k", deadline_ms)], |keyspace| {
            keyspace.swap(0, 1, 50);
            keyspace.edit(0, b"k", 70).remove();
        }));
    }
    assert!(!holds(&[(1, "k", 0)], |keyspace| {
        keyspace.swap(0, 1, 50);
        keyspace.flush(0);
    }));
    assert!(!holds(&[], |keyspace| {
        keyspace.edit(0, b"k", 20).set(Value::string(b""), 0);
        keyspace.edit(0, b"k", 20).remove();
        keyspace.swap(0, 1, 50);
    }));
}

#[test]
fn a_use_is_noted_and_restored_keys_count_as_just_used() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    keyspace.edit(1, b"k", 10_000).set(Value::string(b""), 0);
    assert_eq!(keyspace.idle_s(1, b"k", 25_999), Some(15));
    keyspace.get(1, b"k", 20_000);
    assert_eq!(keyspace.idle_s(1, b"k", 25_999), Some(15), "a look");
    keyspace.access(1, b"k", 10_000, 20_000);
    assert_eq!(keyspace.idle_s(1, b"k", 25_999), Some(5));
    keyspace.edit(1, b"k", 24_000);
    assert_eq!(keyspace.idle_s(1, b"k", 25_999), Some(1));
    assert_eq!(keyspace.idle_s(0, b"k", 25_999), None);
    let hash = keyspace.state_hash();
    keyspace.access(1, b"k", 10_000, 99_000);
    assert_eq!(keyspace.state_hash(), hash, "not state");
    let chunks = take_snapshot(&mut keyspace, 1);
    let mut copy = Keyspace::new(HASH_KEY);
    chunks.iter().for_each(|chunk| copy.restore(chunk, 50_000).unwrap());
    assert_eq!(copy.idle_s(1, b"k", 57_000), Some(7));
}
