//! Sorted sets: a small one is the bytes of its pack, a large one its members from the highest score down, with
//! scores in eight bytes. The forms of older versions are read, and become one of the two. A member that comes twice
//! is an error, and so is a score that is not a number.

use super::strings::{self, Reader};
use super::{ZSET, ZSET_2, ZSET_LISTPACK, ZSET_ZIPLIST};
use crate::collections::{IntBytes, Pack};
use crate::keyspace::{Blob, Collection, Forms, SortedSet};

/// First bytes of scores of type [`ZSET`] that are no lengths of texts.
const NAN: u8 = 253;
const INFINITY: u8 = 254;
const NEG_INFINITY: u8 = 255;

pub(super) fn type_of(set: &SortedSet) -> u8 {
    if set.pack().is_some() { ZSET_LISTPACK } else { ZSET_2 }
}

pub(super) fn put(out: &mut Vec<u8>, set: &SortedSet) {
    if let Some(pack) = set.pack() {
        return strings::put(out, pack.as_bytes());
    }
    strings::put_len(out, set.len());
    let mut room = IntBytes::default();
    for (member, score) in set.iter().rev() {
        strings::put(out, member.bytes(&mut room));
        out.extend_from_slice(&score.to_le_bytes());
    }
}

/// None: it is no sorted set, or an empty one.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, forms: &Forms) -> Option<SortedSet> {
    match kind {
        ZSET | ZSET_2 => {
            let mut pairs = Vec::new();
            for _ in 0..reader.len()? {
                pairs.push((Blob::new(&reader.string()?), score(kind, reader)?));
            }
            let mut members: Vec<&Blob> = pairs.iter().map(|(member, _)| member).collect();
            members.sort_unstable();
            let is_sound = members.is_sorted_by(|a, b| a < b);
            SortedSet::of_pairs(pairs, forms).filter(|_| is_sound)
        }
        ZSET_ZIPLIST => SortedSet::of_pack(super::ziplist::read(&reader.string()?)?, forms),
        ZSET_LISTPACK => SortedSet::of_pack(Pack::from_bytes(reader.string()?.into_owned())?, forms),
        _ => None,
    }
}

/// Adds members that are new.
pub(super) fn extend(set: &mut SortedSet, kind: u8, reader: &mut Reader<'_>, forms: &Forms) -> Option<()> {
    if !matches!(kind, ZSET | ZSET_2) {
        return None;
    }
    for _ in 0..reader.len()? {
        let (member, score) = (reader.string()?, score(kind, reader)?);
        if score.is_nan() || set.score(&member).is_some() {
            return None;
        }
        set.insert(&member, score, forms);
    }
    Some(())
}

fn score(kind: u8, reader: &mut Reader<'_>) -> Option<f64> {
    if kind == ZSET { old_score(reader) } else { reader.array().map(f64::from_le_bytes) }
}

fn old_score(reader: &mut Reader<'_>) -> Option<f64> {
    match reader.byte()? {
        NAN => None,
        INFINITY => Some(f64::INFINITY),
        NEG_INFINITY => Some(f64::NEG_INFINITY),
        len => std::str::from_utf8(reader.bytes(usize::from(len))?).ok()?.parse().ok(),
    }
}

/// Bytes of a score of type [`ZSET`], by what it begins with.
pub(super) fn old_score_bytes(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    Some(if first >= NAN { 1 } else { 1 + usize::from(first) })
}
