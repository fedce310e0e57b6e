//! Hashes: a small one is the bytes of its pack, a large one its pairs. The forms of older versions are read, and
//! become one of the two. A field that comes twice is an error.

use super::strings::{self, Reader};
use super::{HASH, HASH_LISTPACK, HASH_ZIPLIST, HASH_ZIPMAP};
use crate::collections::{IntBytes, Pack};
use crate::keyspace::{Blob, Collection, Forms, Hash};

pub(super) fn type_of(hash: &Hash) -> u8 {
    if hash.pack().is_some() { HASH_LISTPACK } else { HASH }
}

pub(super) fn put(out: &mut Vec<u8>, hash: &Hash) {
    if let Some(pack) = hash.pack() {
        return strings::put(out, pack.as_bytes());
    }
    strings::put_len(out, hash.len());
    let [mut field_room, mut value_room] = [IntBytes::default(); 2];
    for (field, value) in hash.iter() {
        strings::put(out, field.bytes(&mut field_room));
        strings::put(out, value.bytes(&mut value_room));
    }
}

/// None: it is no hash, or an empty one.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, forms: &Forms) -> Option<Hash> {
    let hash = match kind {
        HASH => return read_pairs(reader, forms),
        HASH_LISTPACK => Hash::of_pack(Pack::from_bytes(reader.string()?.into_owned())?, forms)?,
        HASH_ZIPLIST => Hash::of_pack(super::ziplist::read(&reader.string()?)?, forms)?,
        HASH_ZIPMAP => return Hash::of_pairs(zipmap(&reader.string()?)?, forms),
        _ => return None,
    };
    Some(hash)
}

fn read_pairs(reader: &mut Reader<'_>, forms: &Forms) -> Option<Hash> {
    let len = reader.len()?;
    if len > forms.compact.hash_max_listpack_entries {
        let mut hash = Hash::large(forms);
        for _ in 0..len {
            let (field, value) = (reader.string()?, reader.string()?);
            if !hash.insert(&field, &value, forms) {
                return None;
            }
        }
        return Some(hash);
    }
    let mut pairs = Vec::new();
    for _ in 0..len {
        pairs.push((Blob::new(&reader.string()?), Blob::new(&reader.string()?)));
    }
    Hash::of_pairs(pairs, forms)
}

/// Adds pairs whose fields are new.
pub(super) fn extend(hash: &mut Hash, reader: &mut Reader<'_>, forms: &Forms) -> Option<()> {
    for _ in 0..reader.len()? {
        let (field, value) = (reader.string()?, reader.string()?);
        hash.make_room([&*field, &*value].into_iter(), forms);
        if !hash.insert(&field, &value, forms) {
            return None;
        }
    }
    Some(())
}

/// Lengths of one byte, or of four behind this one.
const ZIPMAP_LONG: u8 = 254;
const ZIPMAP_END: u8 = 255;

/// A count, which may be wrong from 254 on; then field, value, and unused bytes behind that.
fn zipmap(bytes: &[u8]) -> Option<Vec<(Blob, Blob)>> {
    let (&count, mut rest) = bytes.split_first()?;
    let mut pairs = Vec::new();
    while *rest.first()? != ZIPMAP_END {
        let field_len = zipmap_len(&mut rest)?;
        let field = take(&mut rest, field_len)?;
        let value_len = zipmap_len(&mut rest)?;
        let unused = usize::from(*take(&mut rest, 1)?.first()?);
        let value = take(&mut rest, value_len)?;
        take(&mut rest, unused)?;
        pairs.push((Blob::new(field), Blob::new(value)));
    }
    let is_counted = count == ZIPMAP_LONG || usize::from(count) == pairs.len();
    (rest.len() == 1 && is_counted).then_some(pairs)
}

fn zipmap_len(rest: &mut &[u8]) -> Option<usize> {
    match *take(rest, 1)?.first()? {
        ZIPMAP_LONG => {
            let len = u32::from_le_bytes(*take(rest, 4)?.first_chunk()?);
            (len >= u32::from(ZIPMAP_LONG)).then_some(len as usize)
        }
        ZIPMAP_END => None,
        len => Some(usize::from(len)),
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    Some(taken)
}
