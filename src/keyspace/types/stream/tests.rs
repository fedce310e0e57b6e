//! Streams against a plain map; what they are after a snapshot.

use super::*;
use crate::keyspace::types::Compact;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;

type Fields = Vec<Vec<u8>>;
type Model = BTreeMap<Id, Fields>;

fn shown(entry: &Entry<'_>) -> (Id, Fields) {
    let fields = entry.fields().flat_map(|(name, value)| [name, value]);
    (entry.id, fields.map(|element| element.to_blob().to_vec()).collect())
}

fn a_fields(random: &mut SmallRng) -> Fields {
    let element = |random: &mut SmallRng| match random.random_range(0..4) {
        0 => random.random_range(-9..5000).to_string().into_bytes(),
        1 => vec![b'v'; random.random_range(0..150)],
        _ => vec![random.random()],
    };
    let names = [["a", "b", "c"], ["a", "1", "c"], ["", "b", "c"]][random.random_range(0..3)];
    let len = random.random_range(1..4);
    names[..len].iter().flat_map(|name| [name.as_bytes().to_vec(), element(random)]).collect()
}

fn an_id(model: &Model, random: &mut SmallRng) -> Id {
    match model.len() {
        0 => Id::new(random.random_range(0..9), 0),
        len => {
            let id = *model.keys().nth(random.random_range(0..len)).unwrap();
            [Some(id), id.next(), id.prev()][random.random_range(0..3)].unwrap()
        }
    }
}

fn first(model: &Model) -> Id {
    model.keys().next().copied().unwrap_or(Id::MIN)
}

/// One change to both.
fn change(stream: &mut Stream, model: &mut Model, compact: &Compact, random: &mut SmallRng) {
    match random.random_range(0..20) {
        0..14 => {
            let wanted = match random.random_range(0..3) {
                0 => NewId::Next,
                1 => NewId::NextOf(stream.ids().last.ms + random.random_range(0..2)),
                _ => NewId::Exactly(Id::new(
                    stream.ids().last.ms + 1 + random.random_range(0..1000),
                    random.random(),
                )),
            };
            let id = stream.new_id(wanted, stream.ids().last.ms.saturating_sub(1)).unwrap();
            let fields = a_fields(random);
            let args: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            stream.append(id, &args, compact);
            assert!(stream.ids().last == id && model.insert(id, fields).is_none());
        }
        14..18 => {
            let ids = [an_id(model, random), an_id(model, random)];
            let expected = ids.iter().filter(|id| model.remove(id).is_some()).count();
            assert_eq!(stream.remove(&ids), expected);
        }
        18 => {
            let most = model.len().saturating_sub(random.random_range(0..9));
            let (_, removed) = stream.trim(Trim::ToLen(most), None);
            assert_eq!(removed, model.len() - most);
            (0..removed).for_each(|_| drop(model.pop_first()));
        }
        _ => {
            let id = an_id(model, random);
            let kept = model.split_off(&id);
            assert_eq!(stream.trim(Trim::Before(id), None).1, model.len());
            *model = kept;
        }
    }
    assert_eq!((stream.len(), stream.ids().first), (model.len(), first(model)));
}

/// As a snapshot of pieces of that size restores it.
fn restored(stream: &Stream, piece_bytes: usize) -> Stream {
    let (mut frozen, mut growing) = (stream.freeze(), Stream::grow());
    loop {
        let mut piece = Vec::new();
        let is_last = frozen.put_next(&mut piece, piece_bytes);
        growing.take(&piece).unwrap();
        if is_last {
            return Stream::of(&growing.finish().unwrap()).unwrap().clone();
        }
    }
}

fn bytes(stream: &Stream) -> Vec<u8> {
    let mut out = Vec::new();
    stream.put(&mut out);
    out
}

#[test]
fn a_stream_is_what_a_map_is() {
    for seed in 0..8 {
        let random = &mut SmallRng::seed_from_u64(seed);
        let (mut stream, mut model) = (Stream::default(), Model::new());
        let compact = Compact {
            stream_node_max_bytes: random.random_range(0..3) * 300,
            stream_node_max_entries: random.random_range(0..20),
            ..Compact::default()
        };
        for step in 0..400 {
            change(&mut stream, &mut model, &compact, random);
            let (a, b) = (an_id(&model, random), an_id(&model, random));
            let expected: Vec<_> = match a <= b {
                true => model.range(a..=b).map(|(id, fields)| (*id, fields.clone())).collect(),
                false => Vec::new(),
            };
            let found: Vec<_> = stream.range(a, b).map(|entry| shown(&entry)).collect();
            assert_eq!(found, expected, "seed {seed}, step {step}");
            let mut back: Vec<_> = stream.range_back(a, b).map(|entry| shown(&entry)).collect();
            back.reverse();
            assert_eq!(back, expected, "seed {seed}, step {step}, backwards");
            assert_eq!(stream.get(a).is_some(), model.contains_key(&a));
        }
        for piece_bytes in [1, 100, 1000, usize::MAX] {
            let restored = restored(&stream, piece_bytes);
            assert_eq!(bytes(&restored), bytes(&stream));
            assert_eq!(restored.heap_bytes() > 0, stream.heap_bytes() > 0);
        }
    }
}

/// A stream of so many entries, a hundred in a node.
fn numbers(count: u64) -> Stream {
    let mut stream = Stream::default();
    for n in 1..=count {
        stream.append(Id::new(n, 0), &[b"n", n.to_string().as_bytes()], &Compact::default());
    }
    stream
}

#[test]
fn trimming_nodes_only_leaves_no_node_in_parts() {
    for (trim, limit, expected) in [
        (Trim::ToLen(450), 0, 500),
        (Trim::ToLen(450), 299, 200),
        (Trim::ToLen(0), 0, 1000),
        (Trim::ToLen(2000), 0, 0),
        (Trim::Before(Id::new(450, 0)), 0, 400),
        (Trim::Before(Id::new(401, 0)), 0, 400),
        (Trim::Before(Id::new(500, 1)), 0, 500),
        (Trim::Before(Id::new(500, 1)), 100, 100),
        (Trim::Before(Id::MAX), 0, 1000),
    ] {
        let mut stream = numbers(1000);
        let (freed, removed) = stream.trim(trim, Some(limit));
        assert_eq!(
            (removed, freed.len(), stream.len()),
            (expected, expected, 1000 - expected),
            "{trim:?} {limit}"
        );
    }
}

#[test]
fn what_is_taken_in_is_checked() {
    let stream = numbers(150);
    let whole = bytes(&stream);
    for len in (0..whole.len()).step_by(7) {
        let mut growing = Stream::grow();
        let is_sound = growing.take(&whole[..len]).and_then(|()| growing.finish().map(drop)).is_ok();
        assert!(!is_sound, "{len} bytes");
    }
    let random = &mut SmallRng::seed_from_u64(1);
    for _ in 0..1000 {
        let mut broken = whole.clone();
        let at = random.random_range(0..broken.len());
        broken[at] = random.random();
        let mut growing = Stream::grow();
        if growing.take(&broken).is_ok()
            && let Ok(value) = growing.finish()
        {
            let mut stream = Stream::of(&value).unwrap().clone();
            stream.range(Id::MIN, Id::MAX).for_each(|entry| drop(shown(&entry)));
            stream.range_back(Id::MIN, Id::MAX).for_each(|entry| drop(shown(&entry)));
            stream.trim(Trim::ToLen(3), None);
        }
    }
}
