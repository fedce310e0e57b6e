//! Sets: an intset is its bytes, any other its members. A member that comes twice is an error.

use super::strings::{self, Reader};
use super::{SET, SET_INTSET};
use crate::collections::{IntBytes, Ints};
use crate::keyspace::{Collection, Forms, Set};
use crate::limits::MAX_INTS;

pub(super) fn type_of(set: &Set) -> u8 {
    if set.ints().is_some() { SET_INTSET } else { SET }
}

pub(super) fn put(out: &mut Vec<u8>, set: &Set) {
    if let Some(ints) = set.ints() {
        return strings::put(out, ints.as_bytes());
    }
    strings::put_len(out, set.len());
    for member in set.iter() {
        strings::put(out, member.bytes(&mut IntBytes::default()));
    }
}

/// None: it is no set, or an empty one.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, forms: &Forms) -> Option<Set> {
    if kind == SET_INTSET {
        return Some(Set::of_ints(Ints::from_bytes(reader.string()?.into_owned())?, forms));
    }
    let len = reader.len().filter(|len| *len > 0)?;
    let is_long = len > forms.compact.set_max_intset_entries.min(MAX_INTS);
    let mut set = if is_long { Set::of_strings() } else { Set::default() };
    add(&mut set, len, reader, forms)?;
    Some(set)
}

/// Adds members that are new.
pub(super) fn extend(set: &mut Set, reader: &mut Reader<'_>, forms: &Forms) -> Option<()> {
    let len = reader.len()?;
    add(set, len, reader, forms)
}

fn add(set: &mut Set, len: usize, reader: &mut Reader<'_>, forms: &Forms) -> Option<()> {
    (0..len).try_for_each(|_| set.insert(&*reader.string()?, forms).then_some(()))
}
