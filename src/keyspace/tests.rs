//! The keyspace against a naive model, with seeds; snapshots while writes go on.

mod deadlines;

use super::*;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

const HASH_KEY: [u8; 16] = *b"0123456789abcdef";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    value: Vec<u8>,
    version: u64,
    revision: u64,
    deadline_ms: u64,
}

type Rows = BTreeMap<Vec<u8>, Row>;

/// What the keyspace should be, said as simply as possible.
#[derive(Debug, Clone, Default)]
struct Model {
    rows: Rows,
    revision: u64,
    tombstones: BTreeMap<usize, u64>, // by partition
}

fn part(key: &[u8]) -> usize {
    partition_of(SipHasher13::new_with_key(&HASH_KEY).hash(key))
}

impl Model {
    fn edit(&mut self, key: &[u8], now_ms: u64) -> bool {
        if self.rows.get(key).is_some_and(|row| row.deadline_ms != 0 && row.deadline_ms <= now_ms) {
            self.remove(key);
        }
        self.rows.contains_key(key)
    }

    fn remove(&mut self, key: &[u8]) {
        let row = self.rows.remove(key).unwrap();
        self.revision += 1;
        let tombstone = self.tombstones.entry(part(key)).or_default();
        *tombstone = row.revision.max(*tombstone);
    }

    fn set(&mut self, key: &[u8], value: &[u8], deadline_ms: u64) {
        self.revision += 1;
        let version = self.rows.get(key).map_or(1, |row| row.version + 1);
        let row = Row { value: value.to_vec(), version, revision: self.revision, deadline_ms };
        self.rows.insert(key.to_vec(), row);
    }

    fn flush(&mut self) {
        let revision = self.revision + u64::from(!self.rows.is_empty());
        for key in self.rows.keys().cloned().collect::<Vec<_>>() {
            self.remove(&key);
        }
        self.revision = revision;
    }

    fn expire_due(&mut self, now_ms: u64, max: usize) -> usize {
        let hasher = SipHasher13::new_with_key(&HASH_KEY);
        let due: BTreeSet<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.deadline_ms != 0 && row.deadline_ms <= now_ms)
            .map(|(key, row)| (row.deadline_ms, hasher.hash(key), key.clone()))
            .collect();
        due.iter().take(max).map(|(_, _, key)| self.remove(key)).count()
    }
}

fn read_all(keyspace: &Keyspace) -> Rows {
    let mut rows = Rows::new();
    let scanned = keyspace.scan(0, usize::MAX, |key, item| {
        let Value::String(value) = &item.value;
        let Item { version, revision, deadline_ms, .. } = *item;
        let row = Row { value: value.to_blob().to_vec(), version, revision, deadline_ms };
        assert!(rows.insert(key.to_vec(), row).is_none(), "a key twice");
    });
    assert_eq!(scanned, Scanned { cursor: 0, visited: rows.len() });
    rows
}

fn take_snapshot(keyspace: &mut Keyspace, target_bytes: usize) -> Vec<Vec<u8>> {
    keyspace.snapshot_begin();
    std::iter::from_fn(|| keyspace.snapshot_next(target_bytes)).collect()
}

fn restored<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>, revision: u64) -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    keyspace.set_revision(revision);
    for chunk in chunks {
        keyspace.restore(chunk).unwrap();
    }
    keyspace
}

fn assert_same(keyspace: &Keyspace, model: &Model) {
    assert_eq!(read_all(keyspace), model.rows);
    assert_eq!(keyspace.len(), model.rows.len());
    assert_eq!(keyspace.revision(), model.revision);
    let deadlines = model.rows.values().map(|row| row.deadline_ms).filter(|&at| at != 0);
    assert_eq!(keyspace.len_with_deadline(), deadlines.clone().count());
    assert_eq!(keyspace.next_deadline(), deadlines.min());
    for (number, partition) in keyspace.partitions.iter().enumerate() {
        assert_eq!(partition.tombstone, model.tombstones.get(&number).copied().unwrap_or(0));
    }
}

/// One change of both, the same.
fn change(rng: &mut SmallRng, keyspace: &mut Keyspace, model: &mut Model, keys: u32, now_ms: u64) {
    let key = format!("key:{}", rng.random_range(0..keys)).into_bytes();
    let value = vec![b'v'; rng.random_range(0..60)];
    let deadline_ms = if rng.random_bool(0.4) { now_ms + rng.random_range(1..300) } else { 0 };
    let kind = rng.random_range(0..1000);
    let edits = !matches!(kind, 0..=2 | 701..=800);
    let exists = edits && model.edit(&key, now_ms);
    match kind {
        0..=2 => {
            keyspace.flush();
            model.flush();
        }
        3..=500 => {
            keyspace.edit(0, &key, now_ms).set(Value::string(&value), deadline_ms);
            model.set(&key, &value, deadline_ms);
        }
        501..=600 => {
            let changed =
                keyspace.edit(0, &key, now_ms).change(|Value::String(old)| *old = StringValue::Int(-77));
            assert_eq!(changed.is_some(), exists);
            if exists {
                let deadline_ms = model.rows[&key].deadline_ms;
                model.set(&key, b"-77", deadline_ms);
                assert_eq!(changed, Some(model.rows[&key].version));
            }
        }
        601..=700 => {
            keyspace.edit(0, &key, now_ms).set_deadline(deadline_ms);
            if exists {
                let value = model.rows[&key].value.clone();
                model.set(&key, &value, deadline_ms);
            }
        }
        701..=800 => assert_eq!(keyspace.expire_due(now_ms, 3), model.expire_due(now_ms, 3)),
        _ => {
            assert_eq!(keyspace.edit(0, &key, now_ms).remove(), exists);
            if exists {
                model.remove(&key);
            }
        }
    }
}

#[test]
fn random_changes_against_the_model() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut keyspace, mut model) = (Keyspace::new(HASH_KEY), Model::default());
        let keys = *[3, 60, 3000].choose(&mut rng).unwrap();
        let mut now_ms = 1;
        for step in 0..3000 {
            now_ms += rng.random_range(0..3);
            let key = format!("key:{}", rng.random_range(0..keys)).into_bytes();
            let seen = keyspace.get(0, &key, now_ms).map(|item| (item.version, item.revision));
            let expected =
                model.rows.get(&key).filter(|row| row.deadline_ms == 0 || row.deadline_ms > now_ms);
            assert_eq!(seen, expected.map(|row| (row.version, row.revision)));
            change(&mut rng, &mut keyspace, &mut model, keys, now_ms);
            if step % 500 == 0 {
                assert_same(&keyspace, &model);
            }
        }
        assert_same(&keyspace, &model);
        let chunks = take_snapshot(&mut keyspace, 500);
        assert_same(&restored(&chunks, model.revision), &model);
        while keyspace.release(1000) {}
        assert_same(&keyspace, &model);
    }
}

#[test]
fn a_snapshot_is_what_was_there_at_its_begin_whatever_is_written_meanwhile() {
    for seed in 100..130 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut keyspace, mut model) = (Keyspace::new(HASH_KEY), Model::default());
        for _ in 0..3000 {
            change(&mut rng, &mut keyspace, &mut model, 4000, 50);
        }
        let (at_begin, hash) = (model.clone(), keyspace.state_hash());
        keyspace.snapshot_begin();
        let mut chunks = Vec::new();
        while let Some(chunk) = keyspace.snapshot_next(rng.random_range(1..5000)) {
            chunks.push(chunk);
            for _ in 0..rng.random_range(0..30) {
                change(&mut rng, &mut keyspace, &mut model, 4000, 200);
            }
            if seed % 3 == 0 && rng.random_bool(0.03) {
                keyspace.flush();
                model.flush();
            }
        }
        assert_same(&keyspace, &model);
        let mut copy = restored(&chunks, at_begin.revision);
        assert_same(&copy, &at_begin);
        assert_eq!(copy.state_hash(), hash);
        let backwards = restored(chunks.iter().rev(), at_begin.revision);
        assert_eq!(backwards.state_hash(), hash);
        // Both go on alike, deadlines included.
        let mut original = at_begin.clone();
        assert_eq!(copy.expire_due(10_000, 7), original.expire_due(10_000, 7));
        assert_same(&copy, &original);
    }
}

#[test]
fn chunks_are_what_the_generated_code_reads() {
    use crate::wire::proto::snapshot as generated;
    let mut keyspace = Keyspace::new(HASH_KEY);
    keyspace.edit(0, b"k", 1).set(Value::string(b"v"), 9);
    keyspace.edit(0, b"gone", 1).set(Value::string(b""), 0);
    keyspace.edit(0, b"gone", 1).remove();
    keyspace.edit(0, b"n", 1).set(Value::String(StringValue::Int(-5)), 0);
    let chunks = take_snapshot(&mut keyspace, 1);
    assert_eq!(chunks.len(), 3, "a partition a chunk");
    let whole: Vec<u8> = chunks.concat();
    let parsed: generated::Keys = protobuf::Message::parse_from_bytes(&whole).unwrap();
    assert_eq!(parsed.get_keys().len(), 2);
    let key = parsed.get_keys().iter().find(|key| key.get_key() == b"k").unwrap();
    assert_eq!((key.get_version(), key.get_revision(), key.get_deadline_ms()), (1, 1, 9));
    assert_eq!(key.get_string(), b"v");
    assert_eq!(parsed.get_tombstones()[0].get_revision(), 2);
    let written = protobuf::Message::write_to_bytes(&parsed).unwrap();
    assert_eq!(restored([&written], 4).state_hash(), keyspace.state_hash());
}

#[test]
fn malformed_chunks_are_errors_or_other_keys_but_never_a_panic() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for i in 0..20u8 {
        keyspace.edit(0, &[i; 3], 1).set(Value::string(&[i; 30]), u64::from(i % 3));
        keyspace.edit(0, &[i; 2], 1).set(Value::string(b"x"), 0);
        keyspace.edit(0, &[i; 2], 1).remove();
    }
    let whole: Vec<u8> = take_snapshot(&mut keyspace, 1 << 20).concat();
    let mut copy = Keyspace::new(HASH_KEY);
    copy.restore(&whole).unwrap();
    assert!(copy.restore(&whole).is_err(), "a key twice");
    let mut scratch = Keyspace::new(HASH_KEY);
    for cut in 0..whole.len() {
        let mut broken = whole.clone();
        broken[cut] ^= 0xff;
        scratch.flush();
        let _ = scratch.restore(&whole[..cut]);
        scratch.flush();
        let _ = scratch.restore(&broken);
    }
}

#[test]
fn the_state_hash_does_not_depend_on_order_but_on_everything_else() {
    let build = |order: &[u8], key: u64, version: u64| {
        let mut keyspace = Keyspace::new(HASH_KEY);
        for &i in order {
            keyspace.set_revision(u64::from(i));
            for _ in 0..version {
                keyspace.set_revision(u64::from(i));
                keyspace.edit(0, &[i; 2], 1).set(Value::string(&[i; 40]), key + u64::from(i));
            }
        }
        keyspace.state_hash()
    };
    let hash = build(&[1, 2, 3, 4], 10, 1);
    assert_eq!(build(&[4, 2, 1, 3], 10, 1), hash);
    assert_ne!(build(&[1, 2, 3], 10, 1), hash);
    assert_ne!(build(&[1, 2, 3, 4], 11, 1), hash, "deadline");
    assert_ne!(build(&[1, 2, 3, 4], 10, 2), hash, "version");
    // How a string is encoded is not state.
    let mut int = Keyspace::new(HASH_KEY);
    int.edit(0, b"n", 1).set(Value::String(StringValue::Int(12)), 0);
    let mut text = Keyspace::new(HASH_KEY);
    text.edit(0, b"n", 1).set(Value::string(b"12"), 0);
    assert_eq!(int.state_hash(), text.state_hash());
    text.edit(0, b"x", 1).set(Value::string(b""), 0);
    text.edit(0, b"x", 1).remove();
    assert_ne!(int.state_hash(), text.state_hash(), "tombstone");
}

#[test]
fn a_scan_passes_every_key_that_stays_once_whatever_is_written_meanwhile() {
    for seed in 0..10 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut keyspace = Keyspace::new(HASH_KEY);
        for i in 0..5000 {
            keyspace.edit(0, format!("stay:{i}").as_bytes(), 1).set(Value::string(b""), 0);
        }
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            let count = rng.random_range(1..200);
            let scanned = keyspace.scan(cursor, count, |key, _| {
                if key.starts_with(b"stay:") {
                    assert!(seen.insert(key.to_vec()), "passed twice");
                }
            });
            assert!(scanned.cursor == 0 || scanned.visited >= count);
            for _ in 0..50 {
                let key = format!("come and go:{}", rng.random_range(0..20_000));
                let mut edit = keyspace.edit(0, key.as_bytes(), 1);
                if !edit.remove() {
                    edit.set(Value::string(b""), 0);
                }
            }
            cursor = scanned.cursor;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 5000);
    }
    let done = Scanned { cursor: 0, visited: 0 };
    assert_eq!(Keyspace::new(HASH_KEY).scan(u64::MAX, 1, |_, _| ()), done);
}

#[test]
fn a_watch_notices_every_change_of_its_key_and_little_else() {
    for seed in 0..20 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let (mut keyspace, mut model) = (Keyspace::new(HASH_KEY), Model::default());
        let mut now_ms = 1;
        // Few keys, no two of which share a partition.
        let keys: BTreeSet<usize> = (0..60).map(|i| part(format!("key:{i}").as_bytes())).collect();
        assert_eq!(keys.len(), 60);
        for _ in 0..300 {
            let key = format!("key:{}", rng.random_range(0..60)).into_bytes();
            let (revision, seen_at) = keyspace.watch(0, &key, now_ms);
            let watch = Watch { key: &key, revision, seen_at, db: 0 };
            assert!(keyspace.watch_holds(&watch, now_ms));
            let mut expected = revision;
            let mut touched = false;
            for _ in 0..rng.random_range(0..40) {
                let seen = |model: &Model, at| {
                    let row = model.rows.get(&key).filter(|row| row.deadline_ms == 0 || row.deadline_ms > at);
                    row.map_or(0, |row| row.revision)
                };
                now_ms += rng.random_range(0..20);
                touched |= seen(&model, now_ms) != expected;
                change(&mut rng, &mut keyspace, &mut model, 40, now_ms);
                touched |= seen(&model, now_ms) != expected;
                expected = seen(&model, now_ms);
            }
            assert_eq!(keyspace.watch_holds(&watch, now_ms), !touched, "{watch:?}");
        }
    }
}

#[test]
fn a_key_that_came_and_expired_within_a_watch_is_noticed_before_it_is_removed() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    let (revision, seen_at) = keyspace.watch(0, b"k", 10);
    let watch = Watch { key: b"k", revision, seen_at, db: 0 };
    keyspace.edit(0, b"k", 10).set(Value::string(b""), 20);
    assert!(!keyspace.watch_holds(&watch, 30));
    assert_eq!(keyspace.expire_due(30, 10), 1);
    assert!(!keyspace.watch_holds(&watch, 30));
}
