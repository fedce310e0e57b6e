//! Snapshots, while writes go on; their bytes; and what the state hash covers.

use super::*;

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
        // A machine's snapshot tells of the swaps as they are at its begin.
        let mut like = Keyspace::new(HASH_KEY);
        keyspace.swaps().for_each(|(db, swap)| like.restore_swap(db, swap));
        keyspace.snapshot_begin();
        let mut chunks = Vec::new();
        while let Some(chunk) = keyspace.snapshot_next(rng.random_range(1..5000)) {
            chunks.push(chunk);
            for _ in 0..rng.random_range(0..30) {
                change(&mut rng, &mut keyspace, &mut model, 4000, 200);
            }
            if seed % 3 == 0 && rng.random_bool(0.03) {
                keyspace.flush_all();
                model.flush(&DBS);
            }
        }
        assert_same(&keyspace, &model);
        let mut copy = restored(&chunks, &like, at_begin.revision);
        assert_same(&copy, &at_begin);
        assert_eq!(copy.state_hash(), hash);
        let backwards = restored(chunks.iter().rev(), &like, at_begin.revision);
        assert_eq!(backwards.state_hash(), hash);
        // Both go on alike, deadlines included.
        let mut original = at_begin.clone();
        assert_eq!(copy.expire_due(10_000, 7), original.expire_due(10_000, 7));
        assert_same(&copy, &original);
    }
}

#[test]
fn a_write_during_a_snapshot_pays_for_its_own_key_only_and_once() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    let names = (0..).map(|i| format!("key:{i}").into_bytes());
    let of_one: Vec<_> = names.filter(|name| keyspace.hash(name).partition() == 7).take(20).collect();
    for key in &of_one {
        keyspace.edit(0, key, 1).set(Value::string(&[b'v'; 1000]), 0);
    }
    let hash = keyspace.state_hash();
    keyspace.snapshot_begin();
    let untouched = keyspace.edit(0, &of_one[0], 1).item().is_some();
    assert!(untouched && keyspace.snapshot_bytes() == 0, "nothing has changed yet");
    for round in 0..5 {
        keyspace.edit(0, &of_one[1], 1).set(Value::string(b"w"), round);
        let bytes = keyspace.snapshot_bytes();
        assert!((1000..2500).contains(&bytes), "{bytes} bytes were kept of one key");
    }
    keyspace.edit(0, &of_one[1], 1).remove();
    keyspace.edit(0, &of_one[2], 1).remove();
    keyspace.edit(0, &of_one[2], 1).set(Value::string(b"again"), 0);
    let mut chunks = Vec::new();
    while let Some(chunk) = keyspace.snapshot_next(1) {
        chunks.push(chunk);
    }
    assert_eq!(restored(&chunks, &Keyspace::new(HASH_KEY), 20).state_hash(), hash);
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
    assert_eq!(restored([&written], &keyspace, 4).state_hash(), keyspace.state_hash());
}

#[test]
fn malformed_chunks_are_errors_or_other_keys_but_never_a_panic() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for i in 0..20u8 {
        keyspace.edit(usize::from(i % 3), &[i; 3], 1).set(Value::string(&[i; 30]), u64::from(i % 3));
        keyspace.edit(0, &[i; 2], 1).set(Value::string(b"x"), 0);
        keyspace.edit(0, &[i; 2], 1).remove();
    }
    let whole: Vec<u8> = take_snapshot(&mut keyspace, 1 << 20).concat();
    let mut copy = Keyspace::new(HASH_KEY);
    copy.restore(&whole, 1).unwrap();
    assert!(copy.restore(&whole, 1).is_err(), "a key twice");
    let mut scratch = Keyspace::new(HASH_KEY);
    for cut in 0..whole.len() {
        let mut broken = whole.clone();
        broken[cut] ^= 0xff;
        scratch.flush_all();
        let _ = scratch.restore(&whole[..cut], 1);
        scratch.flush_all();
        let _ = scratch.restore(&broken, 1);
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
    let one = |db, value| {
        let mut keyspace = Keyspace::new(HASH_KEY);
        keyspace.edit(db, b"n", 1).set(value, 0);
        keyspace
    };
    let int = one(0, Value::String(StringValue::Int(12))).state_hash();
    assert_eq!(one(0, Value::string(b"12")).state_hash(), int, "as it was set");
    assert_ne!(one(0, Value::text(b"12")).state_hash(), int, "encoding");
    assert_ne!(one(0, Value::grown(b"12".into())).state_hash(), int, "encoding");
    assert_ne!(one(1, Value::string(b"12")).state_hash(), int, "database");
    let mut more = one(0, Value::string(b"12"));
    more.edit(0, b"x", 1).set(Value::string(b""), 0);
    more.edit(0, b"x", 1).remove();
    assert_ne!(more.state_hash(), int, "tombstone");
    let mut swapped = one(0, Value::string(b"12"));
    swapped.swap(3, 4, 1);
    assert_ne!(swapped.state_hash(), int, "swap");
}
