//! RESTORE of payloads that somebody has damaged and sealed again. Each is refused, or is a value with which all
//! commands of its type get along, and which comes back from its own DUMP.

use super::*;
use crate::keyspace::rdb;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const ROUNDS: usize = 100;

/// What makes a value of each type in each of its forms at `k`. Words of 600 numbers stand for `MANY`.
const VALUES: &[&str] = &[
    "RPUSH k 1 -70000 \"two words\" \"\\x00\\xff\"",
    "RPUSH k MANY",
    "SADD k 1 2 300 -70000",
    "SADD k 9223372036854775807 -1",
    "SADD k a 1 \"\"",
    "SADD k MANY x",
    "HSET k f1 1 f2 \"two words\" \"\" \"\"",
    "HSET k MANY f1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ZADD k 1 m1 -2.5 m2 inf 3",
    "ZADD k MANY",
    "SET k \"text text text text text text text text\"",
    "PFADD k MANY",
];

/// What is asked of whatever came of it: a wrong type is an answer as well.
const CALLS: &[&str] = &[
    "OBJECT ENCODING k",
    "MEMORY USAGE k",
    "LRANGE k 0 -1",
    "LRANGE k -3 100",
    "LINDEX k -1",
    "LPOS k 1 RANK -1 COUNT 0",
    "LSET k -1 x",
    "LINSERT k BEFORE x y",
    "LREM k -1 x",
    "LPUSH k 12345",
    "RPOP k 2",
    "LMOVE k k LEFT RIGHT",
    "LTRIM k 1 -2",
    "SMEMBERS k",
    "SSCAN k 0",
    "SISMEMBER k 1",
    "SRANDMEMBER k -5",
    "SADD k 2 b",
    "SREM k 1 a",
    "SPOP k 2",
    "SINTER k k",
    "HGETALL k",
    "HGET k f1",
    "HSCAN k 0",
    "HRANDFIELD k 3 WITHVALUES",
    "HSET k f1 2 f3 3",
    "HINCRBY k f1 1",
    "HDEL k f2 3",
    "ZRANGE k 0 -1 WITHSCORES",
    "ZRANGE k -inf +inf BYSCORE REV LIMIT 1 3",
    "ZRANK k m1",
    "ZSCAN k 0",
    "ZADD k 3 m4 -1 m1",
    "ZINCRBY k 1 m2",
    "ZPOPMAX k 2",
    "ZREMRANGEBYRANK k 1 2",
    "ZUNION 2 k k WITHSCORES",
    "GEOSEARCH k FROMLONLAT 0 0 BYRADIUS 20000 km WITHCOORD",
    "SORT k BY nosort GET #",
    "PFCOUNT k",
    "APPEND k x",
    "COPY k copy REPLACE",
];

fn words(line: &str) -> Vec<Vec<u8>> {
    let many = || (0..600).map(|number: i32| number.to_string().into_bytes());
    split(line)
        .into_iter()
        .flat_map(|word| if word == b"MANY" { many().collect() } else { vec![word] })
        .collect()
}

/// The bytes that `DUMP` answers, if there is a value.
fn dumped(runner: &Runner, key: &[u8]) -> Option<Vec<u8>> {
    let item = runner.state.keyspace.get(0, key, runner.now_ms)?;
    Some(rdb::dump(&item.value))
}

/// The payload with some bytes of it changed, moved or lost.
fn damaged(random: &mut SmallRng, payload: &[u8]) -> Vec<u8> {
    let mut body = rdb::check(payload).expect("it was dumped").to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..body.len());
        // The beginning says most of what there is to misunderstand.
        let at = if random.random_bool(0.5) { at.min(random.random_range(0..16)) } else { at };
        match random.random_range(0..6) {
            0 => body[at] ^= 1 << random.random_range(0..8),
            1 => body[at] = random.random(),
            2 => body[at] = *[0, 0x7f, 0x80, 0xff, 0xfe, 0xf0].get(random.random_range(0..6)).unwrap_or(&0),
            3 if body.len() > 1 => drop(body.remove(at)),
            4 => body.insert(at, random.random()),
            _ => {
                let len = random.random_range(0..=body.len() - at);
                let part = body[at..at + len].to_vec();
                body.extend(part);
            }
        }
    }
    if random.random_bool(0.1) {
        body.truncate(random.random_range(1..=body.len()));
    }
    rdb::sealed(body)
}

#[test]
fn no_damaged_payload_does_harm() {
    let mut random = SmallRng::seed_from_u64(11);
    let (mut taken, mut refused) = (0, 0);
    for value in VALUES {
        let mut runner = Runner::new();
        runner.run(&words(value));
        let payload = dumped(&runner, b"k").expect("a value");
        for _ in 0..ROUNDS {
            let mut runner = Runner::new();
            let call = [b"RESTORE".to_vec(), b"k".to_vec(), b"0".to_vec(), damaged(&mut random, &payload)];
            if runner.run(&call) != "OK" {
                refused += 1;
                assert!(dumped(&runner, b"k").is_none(), "refused, and there is something");
                continue;
            }
            taken += 1;
            for _ in 0..8 {
                runner.run(&words(CALLS[random.random_range(0..CALLS.len())]));
                let Some(first) = dumped(&runner, b"k") else { break };
                let mut again = || {
                    let payload = dumped(&runner, b"k").unwrap_or_default();
                    let call = [&b"RESTORE"[..], b"k", b"0", &payload, b"REPLACE"].map(<[u8]>::to_vec);
                    assert_eq!(runner.run(&call), "OK", "{value}: {}", first.escape_ascii());
                    dumped(&runner, b"k")
                };
                // It may take a form that it could not go back to by itself, once.
                assert_eq!(again(), again(), "{value}: {}", first.escape_ascii());
            }
        }
    }
    assert!(
        taken > VALUES.len() * ROUNDS / 20 && refused > VALUES.len() * ROUNDS / 4,
        "{taken} and {refused}"
    );
}
