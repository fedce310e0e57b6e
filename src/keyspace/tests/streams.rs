//! Large streams: in snapshots while they change, freed in steps, and with what they know of their past.

use super::*;
use crate::limits::{RELEASE_ELEMENTS, SNAPSHOT_LONG_BYTES};

const ENTRIES: u64 = 20_000;

fn stream() -> Stream {
    let mut stream = Stream::default();
    for n in 1..=ENTRIES {
        let value = format!("value:{n}");
        stream.append(Id::new(n, 0), &[b"name", value.as_bytes(), b"n", b"1"], &Compact::default());
    }
    stream.remove(&[Id::new(7, 0), Id::new(ENTRIES / 2, 0)]);
    stream
}

fn filled() -> Keyspace {
    let mut keyspace = Keyspace::new(HASH_KEY);
    for key in ["appended", "trimmed", "removed", "kept"] {
        let stream = Value::from(stream());
        assert!(stream.collection().unwrap().heap_bytes() > 2 * SNAPSHOT_LONG_BYTES);
        keyspace.edit(0, key.as_bytes(), 1).set(stream, 0);
    }
    let mut small = Stream::default();
    small.append(Id::new(1, 1), &[b"a", b"b"], &Compact::default());
    small.remove(&[Id::new(1, 1)]);
    keyspace.edit(0, b"without entries", 1).set(small.into(), 0);
    keyspace
}

fn change<R>(keyspace: &mut Keyspace, key: &[u8], f: impl FnOnce(&mut Stream) -> R) -> R {
    keyspace.edit(0, key, 1).update(|value| f(Stream::of_mut(value).unwrap())).unwrap()
}

fn change_all(keyspace: &mut Keyspace) {
    change(keyspace, b"appended", |stream| {
        stream.append(Id::MAX, &[b"x", b"y"], &Compact::default());
        assert_eq!(stream.remove(&[Id::new(300, 0), Id::new(300, 0)]), 1);
    });
    let (freed, removed) = change(keyspace, b"trimmed", |stream| stream.trim(Trim::ToLen(100), None));
    assert_eq!(removed as u64, ENTRIES - 2 - 100);
    keyspace.edit(0, b"trimmed", 1).discard(freed);
    keyspace.edit(0, b"removed", 1).remove();
    change(keyspace, b"without entries", |stream| stream.set_ids(Ids { entries_added: 9, ..stream.ids() }));
}

#[test]
fn a_snapshot_holds_streams_as_they_were() {
    const TARGET: usize = 20_000;
    for changes_at in (0..60).step_by(12) {
        let mut keyspace = filled();
        let (hash, revision) = (keyspace.state_hash(), keyspace.revision());
        keyspace.snapshot_begin();
        let mut chunks = Vec::new();
        loop {
            if chunks.len() == changes_at {
                change_all(&mut keyspace);
            }
            let Some(chunk) = keyspace.snapshot_next(TARGET) else { break };
            assert!(chunk.len() < 2 * TARGET, "{}", chunk.len());
            chunks.push(chunk);
        }
        let mut copy = restored(&chunks, &Keyspace::new(HASH_KEY), revision);
        assert_eq!(copy.state_hash(), hash, "changed after {changes_at} chunks");
        let mut again = filled();
        change_all(&mut copy);
        change_all(&mut again);
        assert_eq!(copy.state_hash(), again.state_hash(), "what comes later does the same to both");
    }
}

#[test]
fn the_past_of_a_stream_is_state() {
    let of = |ids: Ids| {
        let mut keyspace = Keyspace::new(HASH_KEY);
        let mut stream = Stream::default();
        stream.set_ids(ids);
        keyspace.edit(0, b"k", 1).set(stream.into(), 0);
        keyspace.state_hash()
    };
    let id = Id::new(1, 2);
    let pasts = [
        Ids::default(),
        Ids { last: id, ..Ids::default() },
        Ids { first: id, ..Ids::default() },
        Ids { max_deleted: id, ..Ids::default() },
        Ids { entries_added: 1, ..Ids::default() },
    ];
    let hashes: BTreeSet<_> = pasts.into_iter().map(of).collect();
    assert_eq!(hashes.len(), pasts.len());
}

#[test]
fn what_was_trimmed_and_what_was_removed_is_freed_in_steps() {
    let mut keyspace = filled();
    change_all(&mut keyspace);
    assert_eq!(keyspace.unreleased(), 2, "a stream, and what another has lost");
    let mut steps = 0;
    while keyspace.unreleased() > 0 {
        keyspace.release(1);
        steps += 1;
    }
    // A node of a hundred entries counts as sixteen elements; each edit has made a step, too.
    let elements = 2 * 16 * ENTRIES as usize / 100;
    assert!(steps >= elements / RELEASE_ELEMENTS - 3, "{steps} steps");
    assert_eq!(keyspace.released_total(), 2);
}
