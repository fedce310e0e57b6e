//! What a watch notices.

use super::*;

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
            let db = *DBS.choose(&mut rng).unwrap();
            let key = (db, format!("key:{}", rng.random_range(0..60)).into_bytes());
            let (revision, seen_at) = keyspace.watch(db, &key.1, now_ms);
            let watch = Watch { key: &key.1, revision, seen_at, db: db as u32 };
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
            let holds = keyspace.watch_holds(&watch, now_ms);
            // After a swap it may be cautious, but never too bold.
            let swapped = keyspace.swaps().any(|(of, swap)| of == db && swap.revision > seen_at);
            assert!(if swapped { !(holds && touched) } else { holds != touched }, "{watch:?}");
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
