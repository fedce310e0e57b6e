//! A snapshot as an RDB file: what was there when it began, whole or not at all.

use super::*;
use crate::keyspace::rdb::{self, RdbItem, RdbReader};
use crate::keyspace::{Event, Forms};
use crate::machine::{RdbWriter, SnapshotError};
use bytes::BytesMut;
use std::collections::BTreeMap;

type Contents = BTreeMap<(u32, Vec<u8>), (Vec<u8>, u64)>;

fn read(file: &[u8]) -> (Contents, Vec<String>) {
    let (mut reader, mut input) = (RdbReader::default(), BytesMut::from(file));
    let (mut contents, mut fields) = (Contents::new(), Vec::new());
    loop {
        match reader.next(&mut input).expect("it is in order").expect("it is whole") {
            RdbItem::Key { db, key, value, deadline_ms, .. } => {
                let value = rdb::value_of(&value, &Forms::default()).expect("a value");
                let value = value.as_string().map(|value| value.to_blob().to_vec());
                let value = (value.expect("a string"), deadline_ms);
                assert!(contents.insert((db, key.to_vec()), value).is_none(), "a key twice");
            }
            RdbItem::Aux { name, value } => {
                fields.push(format!("{}={}", name.escape_ascii(), value.escape_ascii()));
            }
            RdbItem::Function(text) => fields.push(text.escape_ascii().to_string()),
            RdbItem::End => return (contents, fields),
        }
    }
}

fn converted(chunks: &[Vec<u8>], with_keys: bool) -> Result<Vec<u8>, SnapshotError> {
    let (mut writer, mut file) = (RdbWriter::new(with_keys, true), Vec::new());
    for chunk in chunks {
        writer.chunk(chunk, &mut file)?;
    }
    writer.finish(&mut file)?;
    Ok(file)
}

#[test]
fn a_file_holds_what_was_there_at_its_beginning() {
    let mut machine = bootstrapped(1);
    let mut wanted = Contents::new();
    let long = "long ".repeat(300);
    for db in [0, 3, 15] {
        for i in 0..300 {
            let value = match i {
                77 => long.repeat(300), // in pieces
                _ if i % 3 == 0 => i.to_string(),
                _ => format!("{i}{long}"),
            };
            let key = format!("key{i}");
            let deadline_ms = if i % 5 == 0 { NOW_MS + 1000 + i } else { 0 };
            let mut body = Vec::new();
            units::put_command_unit(&mut body, &[b"SET", key.as_bytes(), value.as_bytes()], db);
            if deadline_ms != 0 {
                let deadline = deadline_ms.to_string();
                units::put_command_unit(&mut body, &[b"PEXPIREAT", key.as_bytes(), deadline.as_bytes()], db);
            }
            apply_body(&mut machine, 9, NOW_MS, &body);
            wanted.insert((db, key.into_bytes()), (value.into_bytes(), deadline_ms));
        }
    }
    machine.set_propagates(true);
    let mut told = 0;
    let chunks = snapshot(&mut machine, |machine| {
        apply(machine, 10, NOW_MS, &["INCR key0", "DEL key1 key2 key4", "SET later 1", "SWAPDB 0 3"]);
        let events = machine.take_events();
        told += events.iter().filter(|event| matches!(event, Event::Propagated(_))).count();
    });
    assert!(told > 4, "the stream goes on meanwhile");
    let (contents, fields) = read(&converted(&chunks, true).expect("a file"));
    assert!(contents == wanted, "{} keys of {}", contents.len(), wanted.len());
    assert_eq!(fields, ["redis-ver=7.0.15", "redis-bits=64", &format!("ctime={}", NOW_MS / 1000)]);
    assert!(read(&converted(&chunks, false).expect("a file")).0.is_empty());
}

#[test]
fn a_file_holds_the_libraries_of_functions() {
    let mut machine = bootstrapped(1);
    let texts = [
        "#!lua name=a\nredis.register_function('f', function() return 1 end)",
        "#!lua name=b\n\nredis.register_function('g', redis.log)",
    ];
    let mut body = Vec::new();
    for text in texts {
        units::put_command_unit(&mut body, &[b"FUNCTION", b"LOAD", text.as_bytes()], 0);
    }
    units::put_command_unit(&mut body, &[b"EVAL", b"return 1", b"0"], 0);
    units::put_command_unit(&mut body, &[b"SET", b"k", b"v"], 0);
    apply_body(&mut machine, 9, NOW_MS, &body);
    let chunks = snapshot(&mut machine, |_| {});
    let (contents, fields) = read(&converted(&chunks, true).expect("a file"));
    assert_eq!((contents.len(), fields.len()), (1, 5));
    assert_eq!(fields[3..], texts.map(|text| text.escape_default().to_string()));
    let mut file = Vec::new();
    let mut without = RdbWriter::new(true, false);
    chunks.iter().for_each(|chunk| without.chunk(chunk, &mut file).expect("a chunk"));
    without.finish(&mut file).expect("a file");
    assert_eq!(read(&file).1.len(), 3);
}

#[test]
fn what_is_not_a_whole_snapshot_makes_no_file() {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET a 1", "SET b 2"]);
    let chunks = snapshot(&mut machine, |_| {});
    assert!(converted(&chunks, true).is_ok());
    assert!(converted(&chunks[..chunks.len() - 1], true).is_err(), "its end is missing");
    assert!(converted(&chunks[1..], true).is_err(), "its beginning is missing");
    let without_keys: Vec<_> = [&chunks[..1], &chunks[chunks.len() - 1..]].concat();
    assert!(converted(&without_keys, true).is_err(), "keys are missing");
    assert!(converted(&[&chunks[..1], &chunks[..]].concat(), true).is_err(), "two beginnings");
}
