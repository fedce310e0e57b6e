//! The keyspace against a naive model, with seeds; snapshots while writes go on.

mod collections;
mod deadlines;
mod long_strings;
mod snapshots;
mod sorted_sets;
mod streams;
mod swaps;
mod watches;

use super::*;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};

const HASH_KEY: [u8; 16] = *b"0123456789abcdef";
/// The databases that the tests use.
const DBS: [usize; 3] = [0, 1, 15];

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    value: Vec<u8>,
    encoding: &'static str,
    version: u64,
    revision: u64,
    deadline_ms: u64,
}

/// By database and key.
type Rows = BTreeMap<(usize, Vec<u8>), Row>;

/// What the keyspace should be, said as simply as possible.
#[derive(Debug, Clone, Default)]
struct Model {
    rows: Rows,
    revision: u64,
    tombstones: BTreeMap<(usize, usize), u64>, // by database and partition
    swaps: BTreeMap<usize, Vec<(u64, u64)>>,   // revisions and times, by database
}

fn hash(key: &[u8]) -> KeyHash {
    KeyHash::new(SipHasher13::new_with_key(&HASH_KEY).hash(key))
}

fn part(key: &[u8]) -> usize {
    hash(key).partition()
}

impl Model {
    fn edit(&mut self, key: &(usize, Vec<u8>), now_ms: u64) -> bool {
        if self.rows.get(key).is_some_and(|row| row.deadline_ms != 0 && row.deadline_ms <= now_ms) {
            self.remove(key);
        }
        self.rows.contains_key(key)
    }

    fn remove(&mut self, key: &(usize, Vec<u8>)) {
        let row = self.rows.remove(key).unwrap();
        let mut swaps = self.swaps.get(&key.0).into_iter().flatten().rev();
        let expired = |at: u64| row.deadline_ms != 0 && row.deadline_ms <= at;
        let arrival = match swaps.next() {
            Some((_, at)) if expired(*at) => swaps.next().map_or(0, |(revision, _)| *revision),
            Some((revision, _)) => *revision,
            None => 0,
        };
        self.revision += 1;
        self.bury(key, row.revision.max(arrival));
    }

    fn bury(&mut self, key: &(usize, Vec<u8>), revision: u64) {
        let tombstone = self.tombstones.entry((key.0, part(&key.1))).or_default();
        *tombstone = revision.max(*tombstone);
    }

    fn set(&mut self, key: &(usize, Vec<u8>), value: &[u8], encoding: &'static str, deadline_ms: u64) {
        self.revision += 1;
        let version = self.rows.get(key).map_or(1, |row| row.version + 1);
        let row = Row { value: value.to_vec(), encoding, version, revision: self.revision, deadline_ms };
        self.rows.insert(key.clone(), row);
    }

    fn flush(&mut self, databases: &[usize]) {
        let keys: Vec<_> = self.rows.keys().filter(|(db, _)| databases.contains(db)).cloned().collect();
        let revision = self.revision + u64::from(!keys.is_empty());
        for key in &keys {
            let swapped = self.swaps.get(&key.0).and_then(|swaps| swaps.last()).map_or(0, |swap| swap.0);
            self.remove(key);
            self.bury(key, swapped);
        }
        self.revision = revision;
    }

    fn swap(&mut self, a: usize, b: usize, now_ms: u64) {
        let other = |db: usize| {
            if db == a {
                b
            } else if db == b {
                a
            } else {
                db
            }
        };
        let rows = std::mem::take(&mut self.rows).into_iter();
        self.rows = rows.map(|((db, key), row)| ((other(db), key), row)).collect();
        let tombstones = std::mem::take(&mut self.tombstones).into_iter();
        self.tombstones = tombstones.map(|((db, part), revision)| ((other(db), part), revision)).collect();
        if a != b {
            self.revision += 1;
            for db in [a, b] {
                self.swaps.entry(db).or_default().push((self.revision, now_ms));
            }
        }
    }

    fn expire_due(&mut self, now_ms: u64, max: usize) -> usize {
        let due: BTreeSet<_> = self
            .rows
            .iter()
            .filter(|(_, row)| row.deadline_ms != 0 && row.deadline_ms <= now_ms)
            .map(|((db, key), row)| (row.deadline_ms, *db, hash(key), key.clone()))
            .collect();
        due.into_iter().take(max).map(|(_, db, _, key)| self.remove(&(db, key))).count()
    }
}

fn read_all(keyspace: &Keyspace) -> Rows {
    let mut rows = Rows::new();
    for db in 0..DATABASES {
        let before = rows.len();
        let scanned = keyspace.scan(db, 0, usize::MAX, |key, item| {
            let Item { version, revision, deadline_ms, .. } = *item;
            let value = item.value.as_string().unwrap().to_blob().to_vec();
            let row = Row { value, encoding: item.encoding(), version, revision, deadline_ms };
            assert!(rows.insert((db, key.to_vec()), row).is_none(), "a key twice");
        });
        assert_eq!(scanned, Scanned { cursor: 0, visited: rows.len() - before });
    }
    rows
}

fn take_snapshot(keyspace: &mut Keyspace, target_bytes: usize) -> Vec<Vec<u8>> {
    keyspace.snapshot_begin();
    std::iter::from_fn(|| keyspace.snapshot_next(target_bytes)).collect()
}

/// What chunks make of an empty keyspace; the machine keeps the rest of it.
fn restored<'a>(chunks: impl IntoIterator<Item = &'a Vec<u8>>, like: &Keyspace, revision: u64) -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    keyspace.set_revision(revision);
    like.swaps()
        .filter(|(_, swap)| swap.revision <= revision)
        .for_each(|(db, swap)| keyspace.restore_swap(db, swap));
    for chunk in chunks {
        keyspace.restore(chunk, 1).unwrap();
    }
    keyspace
}

fn assert_same(keyspace: &Keyspace, model: &Model) {
    assert_eq!(read_all(keyspace), model.rows);
    assert_eq!(keyspace.total_len(), model.rows.len());
    assert_eq!(keyspace.revision(), model.revision);
    let deadlines =
        || model.rows.iter().map(|((db, _), row)| (*db, row.deadline_ms)).filter(|(_, at)| *at != 0);
    assert_eq!(keyspace.next_deadline(), deadlines().map(|(_, at)| at).min());
    for (db, database) in keyspace.databases.iter().enumerate() {
        assert_eq!(keyspace.len(db), model.rows.keys().filter(|(of, _)| *of == db).count());
        assert_eq!(keyspace.len_with_deadline(db), deadlines().filter(|(of, _)| *of == db).count());
        for (number, partition) in database.partitions.iter().enumerate() {
            let tombstone = model.tombstones.get(&(db, number)).copied();
            assert_eq!(partition.tombstone, tombstone.unwrap_or(0));
        }
    }
}

/// One change of both, the same.
fn change(rng: &mut SmallRng, keyspace: &mut Keyspace, model: &mut Model, keys: u32, now_ms: u64) {
    let db = *DBS.choose(rng).unwrap();
    let name = format!("key:{}", rng.random_range(0..keys)).into_bytes();
    let value = vec![b'v'; rng.random_range(0..60)];
    let deadline_ms = if rng.random_bool(0.4) { now_ms + rng.random_range(1..300) } else { 0 };
    let kind = rng.random_range(0..1000);
    let key = (db, name.clone());
    let exists = matches!(kind, 10..=700 | 801..) && model.edit(&key, now_ms);
    match kind {
        0 => {
            keyspace.flush_all();
            model.flush(&DBS);
        }
        1..=3 => {
            keyspace.flush(db);
            model.flush(&[db]);
        }
        4..=9 => {
            let with = *DBS.choose(rng).unwrap();
            keyspace.swap(db, with, now_ms);
            model.swap(db, with, now_ms);
        }
        10..=500 => {
            let (value, encoding) = match value.len() {
                0..=10 => (Value::string(b"123"), "int"),
                11..=20 => (Value::text(b"123"), "embstr"),
                21..=30 => (Value::grown(value), "raw"),
                31..=44 => (Value::string(&value), "embstr"),
                _ => (Value::string(&value), "raw"),
            };
            model.set(&key, &value.as_string().unwrap().to_blob(), encoding, deadline_ms);
            keyspace.edit(db, &name, now_ms).set(value, deadline_ms);
        }
        501..=600 => {
            let changed =
                keyspace.edit(db, &name, now_ms).change(|old| *old = Value::String(StringValue::Int(-77)));
            assert_eq!(changed.is_some(), exists);
            if exists {
                let deadline_ms = model.rows[&key].deadline_ms;
                model.set(&key, b"-77", "int", deadline_ms);
                assert_eq!(changed, Some(model.rows[&key].version));
            }
        }
        601..=700 => {
            keyspace.edit(db, &name, now_ms).set_deadline(deadline_ms);
            if exists {
                let Row { value, encoding, .. } = model.rows[&key].clone();
                model.set(&key, &value, encoding, deadline_ms);
            }
        }
        701..=800 => assert_eq!(keyspace.expire_due(now_ms, 3), model.expire_due(now_ms, 3)),
        _ => {
            assert_eq!(keyspace.edit(db, &name, now_ms).remove(), exists);
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
        let keys = *[3, 60, 1000].choose(&mut rng).unwrap();
        let mut now_ms = 1;
        for step in 0..3000 {
            now_ms += rng.random_range(0..3);
            let db = *DBS.choose(&mut rng).unwrap();
            let key = format!("key:{}", rng.random_range(0..keys)).into_bytes();
            let seen = keyspace.get(db, &key, now_ms).map(|item| (item.version, item.revision));
            let row = model.rows.get(&(db, key));
            let expected = row.filter(|row| row.deadline_ms == 0 || row.deadline_ms > now_ms);
            assert_eq!(seen, expected.map(|row| (row.version, row.revision)));
            change(&mut rng, &mut keyspace, &mut model, keys, now_ms);
            if step % 500 == 0 {
                assert_same(&keyspace, &model);
            }
        }
        assert_same(&keyspace, &model);
        let chunks = take_snapshot(&mut keyspace, 500);
        assert_same(&restored(&chunks, &keyspace, model.revision), &model);
        while keyspace.release(1000) {}
        assert_same(&keyspace, &model);
    }
}

#[test]
fn a_scan_passes_every_key_that_stays_once_whatever_is_written_meanwhile() {
    for seed in 0..10 {
        println!("seed {seed}");
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut keyspace = Keyspace::new(HASH_KEY);
        for i in 0..5000 {
            keyspace.edit(1, format!("stay:{i}").as_bytes(), 1).set(Value::string(b""), 0);
        }
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            let count = rng.random_range(1..200);
            keyspace.edit(0, b"elsewhere", 1).set(Value::string(b""), 0);
            let scanned = keyspace.scan(1, cursor, count, |key, _| {
                if key.starts_with(b"stay:") {
                    assert!(seen.insert(key.to_vec()), "passed twice");
                }
            });
            assert!(scanned.cursor == 0 || scanned.visited >= count);
            for _ in 0..50 {
                let key = format!("come and go:{}", rng.random_range(0..20_000));
                let mut edit = keyspace.edit(1, key.as_bytes(), 1);
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
    assert_eq!(Keyspace::new(HASH_KEY).scan(1, u64::MAX, 1, |_, _| ()), done);
}
