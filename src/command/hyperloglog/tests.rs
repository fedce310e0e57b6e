//! Sketches, step by step against those of a real redis-server, and hostile ones.

use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// After so many of the elements `ele:0`, `ele:1`, ...: the estimate and CRC64 of the string, as
/// redis-server 7.0.15 has them (`STRLEN`, `PFCOUNT`, the checksum within `DUMP`).
const FROM_REDIS: &str = include_str!("redis.txt");

#[test]
fn sketches_are_those_of_redis_to_the_byte() {
    let mut sketch = sketch::empty();
    let mut added = 0;
    for line in FROM_REDIS.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [elements, len, estimate, checksum] = fields[..] else { panic!("{line}") };
        for element in added..elements.parse().unwrap() {
            add_all(&mut sketch, &[format!("ele:{element}").as_bytes()]).unwrap();
        }
        added = elements.parse().unwrap();
        sketch::invalidate(&mut sketch);
        assert_eq!(sketch.len().to_string(), len, "{line}");
        assert_eq!(
            estimate::cardinality(&sketch::histogram(&sketch).unwrap()).to_string(),
            estimate,
            "{line}"
        );
        let dumped = crate::keyspace::rdb::dump(&Value::string(&sketch));
        let found: String = dumped[dumped.len() - 8..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, checksum, "{line}");
    }
}

#[test]
fn both_encodings_hold_the_same_registers() {
    let mut random = SmallRng::seed_from_u64(3);
    for _ in 0..20 {
        let (mut sparse, mut dense) = (sketch::empty(), sketch::empty());
        sketch::to_dense(&mut dense).unwrap();
        for _ in 0..random.random_range(1..2500) {
            let (index, count) = (random.random_range(0..REGISTERS), random.random_range(1..6));
            let raised = sketch::raise(&mut dense, index, count).unwrap();
            assert_eq!(sketch::raise(&mut sparse, index, count).unwrap(), raised);
        }
        sketch::to_dense(&mut sparse).unwrap();
        assert_eq!(sparse[16..], dense[16..]);
    }
}

#[test]
fn a_corrupted_sketch_is_an_error_and_nothing_worse() {
    let mut random = SmallRng::seed_from_u64(4);
    let mut good = sketch::empty();
    for i in 0..200 {
        add_all(&mut good, &[format!("{i}").as_bytes()]).unwrap();
    }
    for _ in 0..5000 {
        let mut bad = good.clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(16..bad.len());
            bad[at] = random.random();
        }
        bad.truncate(random.random_range(16..=bad.len()));
        let counted = sketch::histogram(&bad);
        assert_eq!(sketch::merge_into(&mut [0; REGISTERS], &bad).is_err(), counted.is_err());
        assert_eq!(sketch::to_dense(&mut bad.clone()).is_err(), counted.is_err());
        let _ = add_all(&mut bad, &[b"a", b"b", b"c", b"d", b"e"]);
        sparse::describe(&bad);
    }
}

#[test]
fn the_self_test_passes() {
    assert_eq!(selftest(), Reply::Ok);
}
