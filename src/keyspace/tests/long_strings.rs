//! Long strings in snapshots: in pieces, as they were when the snapshot began, uncopied where they can be.

use super::*;
use crate::limits::SNAPSHOT_LONG_BYTES;

const LONG: usize = SNAPSHOT_LONG_BYTES;

fn filled() -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for (i, key) in ["set", "removed", "appended", "kept", "other"].iter().enumerate() {
        keyspace.edit(0, key.as_bytes(), 1).set(Value::string(&vec![b'a' + i as u8; LONG + i]), 0);
        keyspace.edit(0, format!("short:{key}").as_bytes(), 1).set(Value::string(b"1"), 0);
    }
    keyspace.edit(0, b"appended", 1).change(|value| value.as_string_mut().unwrap().append(b"tail"));
    keyspace.edit(3, b"elsewhere", 1).set(Value::string(&vec![b'z'; 3 * LONG]), 99);
    keyspace
}

fn change(keyspace: &mut Keyspace) {
    keyspace.edit(0, b"set", 1).set(Value::string(b"short now"), 0);
    keyspace.edit(0, b"removed", 1).remove();
    keyspace.edit(0, b"appended", 1).change(|value| value.as_string_mut().unwrap().append(b"more"));
    keyspace.edit(3, b"elsewhere", 1).set_deadline(100);
    keyspace.edit(3, b"new", 1).set(Value::string(&vec![b'n'; LONG]), 0);
}

#[test]
fn no_piece_is_much_longer_than_it_was_asked_to_be_and_all_are_of_the_begin() {
    const TARGET: usize = 10_000;
    for changes_at in 0..100 {
        let mut keyspace = filled();
        let (hash, revision) = (keyspace.state_hash(), keyspace.revision());
        keyspace.snapshot_begin();
        let mut chunks = Vec::new();
        loop {
            if chunks.len() == changes_at {
                change(&mut keyspace);
                if changes_at % 3 == 0 {
                    keyspace.flush_all();
                }
            }
            let Some(chunk) = keyspace.snapshot_next(TARGET) else { break };
            assert!(chunk.len() < 2 * TARGET, "{}", chunk.len());
            chunks.push(chunk);
        }
        let mut copy = restored(&chunks, &Keyspace::new(HASH_KEY), revision);
        assert_eq!(copy.state_hash(), hash, "changed after {changes_at} chunks");
        assert_eq!(copy.edit(0, b"appended", 1).item().unwrap().encoding(), "raw");
    }
}

#[test]
fn a_string_that_was_set_is_not_copied_before_it_changes() {
    let mut keyspace = filled();
    let pointer = |keyspace: &mut Keyspace| {
        let edit = keyspace.edit(0, b"kept", 1);
        edit.item().unwrap().value.as_string().unwrap().to_blob().as_ptr()
    };
    let before = pointer(&mut keyspace);
    keyspace.snapshot_begin();
    keyspace.edit(0, b"kept", 1).set_deadline(77);
    let snapshot = keyspace.snapshot.as_ref().unwrap();
    assert!(keyspace.snapshot_bytes() >= LONG, "it counts");
    assert!(snapshot.shares(before));
}

#[test]
fn pieces_that_do_not_fit_together_are_errors() {
    let mut keyspace = filled();
    keyspace.snapshot_begin();
    let chunks: Vec<_> = std::iter::from_fn(|| keyspace.snapshot_next(LONG / 2)).collect();
    let fails = |chunks: Vec<&Vec<u8>>| {
        let mut copy = Keyspace::new(HASH_KEY);
        chunks.into_iter().any(|chunk| copy.restore(chunk, 1).is_err())
    };
    assert!(!fails(chunks.iter().collect()));
    assert!(fails(chunks.iter().rev().collect()));
    assert!(fails(chunks[..1].iter().chain(&chunks).collect()), "a piece twice");
}

#[test]
fn a_value_may_keep_its_part_of_the_buffer_it_came_in() {
    let mut keyspace = Keyspace::new(HASH_KEY);
    let buffer = bytes::Bytes::from([&b"head"[..], &vec![b'v'; 2 << 20]].concat());
    keyspace.lend(Some(buffer.clone()));
    let mut edit = keyspace.edit(0, b"k", 1);
    let value = edit.string(&buffer[4..]);
    edit.set(value, 0);
    let value = edit.string(b"12");
    edit.set(value, 0);
    assert_eq!(edit.item().unwrap().encoding(), "int");
    let value = edit.string(&buffer[4..]);
    edit.set(value, 0);
    keyspace.lend(None);
    let edit = keyspace.edit(0, b"k", 1);
    let value = edit.item().unwrap().value.as_string().unwrap();
    assert_eq!(value.to_blob().as_ptr(), buffer[4..].as_ptr());
    assert_eq!(keyspace.edit(0, b"k", 1).item().unwrap().encoding(), "raw");
}
