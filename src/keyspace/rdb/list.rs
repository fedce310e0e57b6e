//! Lists: their nodes as they are, a pack each. The forms of older versions are read: nodes that are ziplists stay
//! nodes, and elements by themselves fill nodes anew.

use super::strings::{self, Reader};
use super::{LIST, LIST_QUICKLIST, LIST_QUICKLIST_2, LIST_ZIPLIST, ziplist};
use crate::collections::{IntBytes, Pack};
use crate::keyspace::{Collection, End, Forms, List};

/// Before a node that is one element, not in a pack.
const PLAIN: usize = 1;
/// Before one that is a pack.
const PACKED: usize = 2;

pub(super) fn put(out: &mut Vec<u8>, list: &List) {
    let packs = list.packs();
    strings::put_len(out, packs.len());
    for pack in packs {
        strings::put_len(out, PACKED);
        strings::put(out, pack.as_bytes());
    }
}

/// None: it is no list, or an empty one.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, forms: &Forms) -> Option<List> {
    let mut list = List::new(forms);
    match kind {
        LIST => {
            for _ in 0..reader.len()? {
                list.push(End::Right, &reader.string()?);
            }
        }
        LIST_ZIPLIST => {
            let pack = ziplist::read(&reader.string()?)?;
            let mut room = IntBytes::default();
            pack.iter().for_each(|element| list.push(End::Right, element.bytes(&mut room)));
        }
        LIST_QUICKLIST | LIST_QUICKLIST_2 => {
            for _ in 0..reader.len()? {
                list.push_pack(read_node(kind, reader)?);
            }
        }
        _ => return None,
    }
    (!list.is_empty()).then_some(list)
}

fn read_node(kind: u8, reader: &mut Reader<'_>) -> Option<Pack> {
    let container = if kind == LIST_QUICKLIST_2 { Some(reader.len()?) } else { None };
    let bytes = reader.string()?;
    match container {
        None => ziplist::read(&bytes),
        Some(PACKED) => Pack::from_bytes(bytes.into_owned()),
        Some(PLAIN) if !bytes.is_empty() => {
            let mut pack = Pack::new();
            pack.push_back(&bytes);
            Some(pack)
        }
        Some(_) => None,
    }
}
