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
        LIST_ZIPLIST => {
            let pack = ziplist::read(&reader.string()?)?;
            let mut room = IntBytes::default();
            pack.iter().for_each(|element| list.push(End::Right, element.bytes(&mut room)));
        }
        _ => extend(&mut list, kind, reader)?,
    }
    (!list.is_empty()).then_some(list)
}

/// Adds elements, or nodes.
pub(super) fn extend(list: &mut List, kind: u8, reader: &mut Reader<'_>) -> Option<()> {
    match kind {
        LIST => {
            for _ in 0..reader.len()? {
                list.push(End::Right, &reader.string()?);
            }
        }
        LIST_QUICKLIST | LIST_QUICKLIST_2 => {
            for _ in 0..reader.len()? {
                list.push_pack(read_node(kind, reader)?);
            }
        }
        _ => return None,
    }
    Some(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::rdb::{extent, value_of};
    use crate::keyspace::{Typed, Value};

    /// A ziplist of 2 and 5, as Redis 6 wrote it.
    const ZIPLIST: &[u8] = b"\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf3\x02\xf6\xff";
    const EMPTY_ZIPLIST: &[u8] = b"\x0b\0\0\0\x0a\0\0\0\0\0\xff";

    fn body(kind: u8, count: usize, strings: &[(Option<usize>, &[u8])]) -> Vec<u8> {
        let mut out = vec![kind];
        if kind != LIST_ZIPLIST {
            strings::put_len(&mut out, count);
        }
        for (container, string) in strings {
            container.iter().for_each(|container| strings::put_len(&mut out, *container));
            strings::put(&mut out, string);
        }
        out
    }

    fn pack(elements: &[&[u8]]) -> Pack {
        let mut pack = Pack::new();
        elements.iter().for_each(|element| pack.push_back(element));
        pack
    }

    /// The nodes of the list that it is.
    fn nodes(bytes: &[u8]) -> Option<Vec<Pack>> {
        let value = value_of(bytes, &Forms::default()).ok()?;
        Some(List::of(&value)?.packs().cloned().collect())
    }

    #[test]
    fn lists_of_every_version_are_read() {
        let numbers = pack(&[b"2", b"5"]);
        let long = "long text ".repeat(30).into_bytes();
        let packed = (Some(PACKED), numbers.as_bytes());
        for (bytes, expected) in [
            (body(LIST, 2, &[(None, b"2"), (None, b"5")]), vec![numbers.clone()]),
            (body(LIST_ZIPLIST, 0, &[(None, ZIPLIST)]), vec![numbers.clone()]),
            (
                body(LIST_QUICKLIST, 3, &[(None, ZIPLIST), (None, EMPTY_ZIPLIST), (None, ZIPLIST)]),
                vec![numbers.clone(), numbers.clone()],
            ),
            (
                body(LIST_QUICKLIST_2, 3, &[packed, (Some(PLAIN), &long), packed]),
                vec![numbers.clone(), pack(&[&long]), numbers.clone()],
            ),
        ] {
            assert_eq!(nodes(&bytes).unwrap(), expected);
            let is_whole = |len| {
                let found =
                    extent::value(bytes[0], &bytes[1..len], &mut extent::Progress::default()).unwrap();
                found.is_some_and(|end| end < len)
            };
            for len in 1..bytes.len() {
                assert!(nodes(&bytes[..len]).is_none() && !is_whole(len), "{len} bytes");
            }
            assert!(is_whole(bytes.len()));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let numbers = pack(&[b"2", b"5"]);
        for bytes in [
            body(LIST, 0, &[]),
            body(LIST_ZIPLIST, 0, &[(None, EMPTY_ZIPLIST)]),
            body(LIST_QUICKLIST, 1, &[(None, b"no ziplist")]),
            body(LIST_QUICKLIST_2, 1, &[(Some(3), numbers.as_bytes())]),
            body(LIST_QUICKLIST_2, 1, &[(Some(PACKED), &numbers.as_bytes()[..9])]),
            body(LIST_QUICKLIST_2, 1, &[(Some(PLAIN), b"")]),
        ] {
            assert!(nodes(&bytes).is_none(), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut list = List::new(&Forms::default());
        (0..5000).for_each(|n: i32| list.push(End::Right, format!("element {n}").as_bytes()));
        let packs: Vec<Pack> = list.packs().cloned().collect();
        let mut bytes = vec![LIST_QUICKLIST_2];
        super::super::put_value(&mut bytes, &Value::from(list));
        assert_eq!(nodes(&bytes).unwrap(), packs);
    }
}
