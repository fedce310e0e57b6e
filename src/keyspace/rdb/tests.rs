//! Payloads against those of a real redis-server, and hostile ones.

use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// Strings and what redis-server 7.0.15 answers to `DUMP` of them, in hexadecimal.
const FROM_REDIS: &str = include_str!("payloads.txt");

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    value.as_string().expect("a string").to_blob().to_vec()
}

fn restored(payload: &[u8]) -> Result<Value, PayloadError> {
    restore(payload, &Forms::default())
}

#[test]
fn payloads_are_those_of_redis_to_the_byte() {
    for line in FROM_REDIS.lines() {
        let (value, payload) = line.split_once(' ').unwrap();
        let (value, payload) = (unhex(value), unhex(payload));
        assert_eq!(dump(&Value::string(&value)), payload, "{}", value.escape_ascii());
        assert_eq!(bytes_of(&restored(&payload).unwrap()), value);
    }
    let number = Value::String(crate::keyspace::StringValue::Int(-1234));
    assert_eq!(dump(&number), dump(&Value::string(b"-1234")));
}

#[test]
fn any_string_comes_back() {
    let mut random = SmallRng::seed_from_u64(7);
    for round in 0..3000 {
        let (len, letters) = (random.random_range(0..round * 2 + 2), random.random_range(1..=255));
        let mut value: Vec<u8> = (0..len).map(|_| random.random_range(0..=letters)).collect();
        if round % 3 == 0 {
            let part = value.clone();
            (0..random.random_range(0..9)).for_each(|_| value.extend_from_slice(&part));
        }
        assert_eq!(bytes_of(&restored(&dump(&Value::string(&value))).unwrap()), value);
    }
}

#[test]
fn what_was_changed_on_its_way_is_refused() {
    let payload = dump(&Value::string(&b"some text, some text, some text".repeat(3)));
    for i in 0..payload.len() {
        let mut changed = payload.clone();
        changed[i] ^= 1;
        assert_eq!(restored(&changed).unwrap_err(), PayloadError::Footer, "byte {i}");
        assert_eq!(restored(&payload[..i]).unwrap_err(), PayloadError::Footer, "{i} bytes");
    }
    let mut newer = sealed(vec![0, 1, b'a']);
    let footer = newer.len() - FOOTER_BYTES;
    newer[footer] = 11;
    let end = newer.len() - 8;
    let checksum = crc64::checksum(&newer[..end]);
    newer[end..].copy_from_slice(&checksum.to_le_bytes());
    assert_eq!(restored(&newer).unwrap_err(), PayloadError::Footer, "a newer version");
}

/// Whoever makes a checksum can make one of nonsense.
#[test]
fn nonsense_with_a_good_checksum_is_an_error_and_takes_no_memory() {
    let bad: &[&[u8]] = &[
        b"",
        b"\x00",
        b"\x05ab",
        b"\x00\x05ab",
        b"\x00\x80\xff\xff\xff\xff",
        b"\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x00\x82\x00",
        b"\x00\xc2\x01",
        b"\x00\xc4\x01",
        b"\x00\xc3\x02\x80\x08\x00\x00\x00\x00a", // 128 MiB out of two bytes
        b"\x00\xc3\x02\x80\xff\xff\xff\xff\x00a", // more than a string may have
        b"\x00\xc3\x02\x03\x00a",                 // shorter than it says
        b"\x00\xc3\x03\x01\x01ab",                // longer than it says
        b"\x00\xc3\x04\x05\x00a\x20\x01",         // from before the beginning
        b"\x00\xc3\x03\x05\x00a\x20",             // cut off in a reference
        b"\x00\xc3\x03\x05\x00a\xe0",             // cut off in a length
    ];
    for body in bad {
        assert_eq!(
            restored(&sealed(body.to_vec())).unwrap_err(),
            PayloadError::Format,
            "{}",
            body.escape_ascii()
        );
    }
    let mut random = SmallRng::seed_from_u64(9);
    for _ in 0..20_000 {
        let mut body = vec![0u8, 0xc3];
        body.extend((0..random.random_range(0..40)).map(|_| random.random::<u8>()));
        if let Ok(value) = restored(&sealed(body)) {
            assert!(bytes_of(&value).len() <= 40 * 300);
        }
    }
}
