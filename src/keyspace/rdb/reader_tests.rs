//! Files against one of a real redis-server, and hostile ones.

use super::*;
use crate::keyspace::End;
use crate::limits::LOADED_PIECE_BYTES;
use bytes::BytesMut;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// What redis-server 7.0.15 saved: strings of every encoding, deadlines, three databases.
const FROM_REDIS: &[u8] = include_bytes!("strings.rdb");

fn items(pieces: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<RdbItem>, RdbError> {
    let (mut reader, mut input, mut items) = (RdbReader::default(), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(&piece);
        while let Some(item) = reader.next(&mut input)? {
            items.push(item);
        }
    }
    Ok(items)
}

fn whole(bytes: &[u8]) -> Result<Vec<RdbItem>, RdbError> {
    items([bytes.to_vec()])
}

/// A file of these bytes between header and end, sealed.
fn sealed(version: &str, body: &[u8]) -> Vec<u8> {
    let mut file = [b"REDIS", version.as_bytes(), body, &[opcode::EOF]].concat();
    let checksum = crc64::checksum(&file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

fn key(key: &str) -> (u32, String, u64) {
    let items = whole(FROM_REDIS).unwrap();
    let found = items.into_iter().find_map(|item| match item {
        RdbItem::Key { db, key: name, value, deadline_ms, .. } if &*name == key.as_bytes() => {
            let value = value_of(&value, &Forms::default()).unwrap();
            Some((db, value.as_string().unwrap().to_blob().escape_ascii().to_string(), deadline_ms))
        }
        _ => None,
    });
    found.expect("a key of the file")
}

#[test]
fn a_file_of_redis_is_read_to_its_end() {
    let seen = whole(FROM_REDIS).unwrap();
    assert_eq!(seen.last(), Some(&RdbItem::End));
    let keys = seen.iter().filter(|item| matches!(item, RdbItem::Key { .. })).count();
    assert_eq!(keys, 12);
    assert!(seen.contains(&RdbItem::Aux { name: "redis-ver".into(), value: "7.0.15".into() }));
    assert_eq!(key("plain"), (0, "text".to_owned(), 0));
    assert_eq!(key("small").1, "12");
    assert_eq!(key("negative").1, "-30000");
    assert_eq!(key("medium").1, "123456");
    assert_eq!(key("large").1, "123456789012");
    assert_eq!(key("packed").1, "x".repeat(300));
    assert_eq!(key("grown").1, "\\x00\\x00\\x00x");
    assert_eq!(key("expiring"), (0, "soon".to_owned(), 1_893_456_000_123));
    assert_eq!(key("last"), (15, "0".to_owned(), 1_900_000_000_000));
    assert_eq!(key("").1, "empty");
}

#[test]
fn it_does_not_matter_how_a_file_is_cut() {
    let expected = whole(FROM_REDIS).unwrap();
    for len in 1..40 {
        assert_eq!(items(FROM_REDIS.chunks(len).map(<[u8]>::to_vec)).unwrap(), expected, "pieces of {len}");
    }
    for cut in 0..FROM_REDIS.len() {
        let seen = whole(&FROM_REDIS[..cut]).unwrap();
        assert_eq!(seen[..], expected[..seen.len()], "the first {cut} bytes");
        assert!(!seen.contains(&RdbItem::End));
    }
}

/// The same of hashes, small and large.
const HASHES: &[u8] = include_bytes!("hashes.rdb");

#[test]
fn hashes_of_redis_are_read_however_they_are_cut() {
    let expected = whole(HASHES).unwrap();
    for len in 1..200 {
        assert_eq!(items(HASHES.chunks(len).map(<[u8]>::to_vec)).unwrap(), expected, "pieces of {len}");
    }
    let mut found = Vec::new();
    for item in &expected {
        let RdbItem::Key { db, key, value, deadline_ms, .. } = item else { continue };
        let value = value_of(value, &Forms::default()).unwrap();
        let Some(hash) = value.collection() else { continue };
        found.push((*db, key.escape_ascii().to_string(), hash.len(), hash.encoding(), *deadline_ms));
    }
    found.sort();
    let found: Vec<_> =
        found.iter().map(|(db, key, len, how, at)| (*db, key.as_str(), *len, *how, *at)).collect();
    assert_eq!(
        found,
        [
            (0, "long", 1, "hashtable", 0),
            (0, "many", 30, "listpack", 1_893_456_000_123),
            (0, "small", 3, "listpack", 0),
            (5, "other", 1, "listpack", 0),
        ]
    );
}

#[test]
fn what_follows_the_file_is_left() {
    let (mut reader, mut input) = (RdbReader::default(), BytesMut::from(FROM_REDIS));
    input.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    while reader.next(&mut input).unwrap().is_some() {}
    assert_eq!(&input[..], b"*1\r\n$4\r\nPING\r\n");
    assert_eq!(reader.read_bytes(), FROM_REDIS.len() as u64);
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    for at in 0..FROM_REDIS.len() {
        for bit in 0..8 {
            let mut bytes = FROM_REDIS.to_vec();
            bytes[at] ^= 1 << bit;
            // An error, or an end that never comes, because a length has grown.
            assert!(!whole(&bytes).is_ok_and(|items| items.contains(&RdbItem::End)), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn a_file_says_what_it_has_that_is_not_here() {
    let error = |body: &[u8]| whole(&sealed("0010", body)).unwrap_err().to_string();
    assert_eq!(
        error(b"\x16\x04hash\x01"),
        "the upstream holds a hash with deadlines of fields, which bowline lacks: the key 'hash' of database 0"
    );
    assert!(error(b"\xfe\x03\x14\x01z").ends_with("'z' of database 3"));
    assert!(error(b"\x15\x01s").contains("a stream"));
    assert!(error(b"\x63\x01s").contains("an unknown type"));
    assert!(error(b"\xf6\x01x").contains("functions"));
    assert!(error(b"\xf5\xc4").contains("malformed"), "a text that is no string");
    assert!(error(b"\xf7\x01").contains("module"));
    assert_eq!(error(b"\xfe\x10"), "the upstream has a database 16, and bowline has 16");
    assert!(error(b"\x00\x01a\x80\x40\x00\x00\x00").contains("string of 1073741824 bytes"));
    assert!(error(b"\x00\x01a\xc3\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff").contains("string of 18446"));
    assert!(error(b"\x00\x01a\xc3\x03\x05\xff\xff\xff").contains("malformed"), "compressed");
    assert!(error(b"\x00\xc4").contains("malformed"), "a string of no encoding");
    assert!(error(b"\xfe\xc0").contains("malformed"), "a length that is none");
    assert!(error(b"\x00\x82").contains("malformed"), "a length of no form");
    assert_eq!(whole(b"REDIS0013").unwrap_err(), RdbError::Version(13));
    assert_eq!(whole(b"REDIS0000").unwrap_err(), RdbError::Version(0));
    assert!(matches!(whole(b"REDIS00x0"), Err(RdbError::Malformed(_))));
    assert!(matches!(whole(b"RADIS"), Err(RdbError::Malformed(_))));
}

#[test]
fn older_files_and_files_without_a_checksum_are_read() {
    let body = b"\xfd\x01\x00\x00\x00\x00\x01k\x01v\xfd\xff\xff\xff\xff\x00\x01l\x01v";
    let expected = |items: Vec<RdbItem>| {
        let deadlines = items.iter().filter_map(|item| match item {
            RdbItem::Key { deadline_ms, .. } => Some(*deadline_ms),
            _ => None,
        });
        assert_eq!(deadlines.collect::<Vec<_>>(), [1000, 1], "what lies before 1970 has passed");
        assert_eq!(items.last(), Some(&RdbItem::End));
    };
    expected(whole(&sealed("0006", body)).unwrap());
    expected(whole(&[b"REDIS0004", &body[..], &[opcode::EOF]].concat()).unwrap());
    expected(whole(&[b"REDIS0009", &body[..], &[opcode::EOF, 0, 0, 0, 0, 0, 0, 0, 0]].concat()).unwrap());
    let wrong = [b"REDIS0009", &body[..], &[opcode::EOF, 1, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(whole(&wrong).unwrap_err(), RdbError::Checksum);
}

const LARGE: u32 = 24_000;

/// Collections of some MiB, of every type.
fn large() -> Vec<Value> {
    let forms = Forms::default();
    let text = |number: u32| {
        let mut text = [0; 96];
        SmallRng::seed_from_u64(u64::from(number)).fill(&mut text);
        text
    };
    let (mut hash, mut set, mut list) = (Hash::default(), Set::default(), List::new(&forms));
    let mut sorted_set = SortedSet::default();
    for number in 0..LARGE {
        let text = text(number);
        hash.insert(&text, number.to_string().as_bytes(), &forms);
        set.insert(&text[..], &forms);
        sorted_set.insert(&text, f64::from(number % 1000), &forms);
        list.push(End::Right, &text);
    }
    vec![hash.into(), set.into(), list.into(), sorted_set.into()]
}

#[test]
fn long_collections_come_in_pieces() {
    for value in large() {
        let mut body = vec![opcode::EXPIRETIME_MS, 7, 0, 0, 0, 0, 0, 0, 0];
        body.extend_from_slice(&[type_of(&value), 1, b'k']);
        put_value(&mut body, &value);
        body.extend_from_slice(b"\x00\x01z\x01z");
        let file = sealed("0010", &body);
        let expected = whole(&file).unwrap();
        assert!(expected.len() > 3, "{} items", expected.len());
        for len in [65_537, 3 << 20] {
            assert_eq!(items(file.chunks(len).map(<[u8]>::to_vec)).unwrap(), expected, "read by {len}");
        }
        let mut all: Option<Value> = None;
        for item in &expected[..expected.len() - 2] {
            let RdbItem::Key { db: 0, key, value: piece, deadline_ms, continues } = item else {
                panic!("{item:?}")
            };
            assert!(&**key == b"k" && piece.len() < LOADED_PIECE_BYTES + 9000, "{} bytes", piece.len());
            assert_eq!((*continues, *deadline_ms), (all.is_some(), if all.is_some() { 0 } else { 7 }));
            match &mut all {
                None => all = Some(value_of(piece, &Forms::default()).unwrap()),
                Some(all) => {
                    extend(all, piece, &Forms::default()).unwrap();
                    let other = b"\x0b\x01x";
                    assert!(extend(all, other, &Forms::default()).is_err(), "of another type");
                }
            }
        }
        let all = all.unwrap();
        assert_eq!(all.collection().unwrap().len(), LARGE as usize);
        assert!(dump(&all) == dump(&value), "it is another value");
    }
}

#[test]
fn a_long_collection_is_not_held_while_it_comes() {
    let (mut reader, mut input) =
        (RdbReader::default(), BytesMut::from(&b"REDIS0010\x04\x01h\x80\x7f\xff\xff\xff"[..]));
    let pair = [&[0x43, 0xe8][..], &[b'f'; 1000], &[0x43, 0xe8], &[b'v'; 1000]].concat();
    for number in 0..5000u32 {
        let mut pair = pair.clone();
        pair[2..6].copy_from_slice(&number.to_be_bytes());
        input.extend_from_slice(&pair);
        while reader.next(&mut input).unwrap().is_some() {}
        assert!(input.len() <= LOADED_PIECE_BYTES, "{} bytes wait", input.len());
    }
    let twice = [&pair[..], &pair[..]].concat();
    input.extend_from_slice(&twice);
    input.extend_from_slice(&pair.repeat(1000));
    assert_eq!(reader.next(&mut input).unwrap_err(), RdbError::Malformed("a value"), "a field twice");
}
