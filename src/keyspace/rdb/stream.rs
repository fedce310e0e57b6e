//! Streams: their nodes as they are, each with the id of its master entry; what they know of their past; their groups.
//! The form of Redis 6 knows less of the past, which is made up for as Redis does.

mod groups;

use super::layout::Item;
use super::strings::{self, Reader};
use super::{STREAM_LISTPACKS, STREAM_LISTPACKS_2};
use crate::collections::Pack;
use crate::keyspace::{Collection, Groups, Id, Ids, Stream};

const NODE: &[Item] = &[Item::String, Item::String];

/// What stands in a value of [`STREAM_LISTPACKS`]: nodes, the number of entries, an id, groups; ...
pub(super) const LAYOUT: &[Item] =
    &[Item::Many(NODE), Item::Len, Item::Len, Item::Len, Item::Many(groups::LAYOUT)];
/// ... and of [`STREAM_LISTPACKS_2`]: two more ids, and the number of entries that there ever were.
pub(super) const LAYOUT_2: &[Item] = &[
    Item::Many(NODE),
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Len,
    Item::Many(groups::LAYOUT_2),
];

pub(super) fn put(out: &mut Vec<u8>, stream: &Stream) {
    let packs = stream.packs();
    strings::put_len(out, packs.len());
    for (id, pack) in packs {
        strings::put(out, &id.to_bytes());
        strings::put(out, pack.as_bytes());
    }
    let ids = stream.ids();
    strings::put_len(out, stream.len());
    for id in [ids.last, ids.first, ids.max_deleted] {
        put_id(out, id);
    }
    strings::put_len(out, ids.entries_added as usize);
    groups::put(out, stream.groups());
}

fn put_id(out: &mut Vec<u8>, id: Id) {
    strings::put_len(out, id.ms as usize);
    strings::put_len(out, id.seq as usize);
}

/// None: it is no stream.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>) -> Option<Stream> {
    let mut nodes = Vec::new();
    for _ in 0..reader.len()? {
        let id = Id::from_bytes(*reader.string()?.first_chunk()?);
        nodes.push((id, Pack::from_bytes(reader.string()?.into_owned())?));
    }
    let len = reader.len()?;
    let mut ids = Ids { last: read_id(reader)?, entries_added: len as u64, ..Ids::default() };
    if kind == STREAM_LISTPACKS_2 {
        (ids.first, ids.max_deleted) = (read_id(reader)?, read_id(reader)?);
        ids.entries_added = reader.len()? as u64;
    }
    let mut stream = Stream::of_parts(nodes, ids).filter(|stream| stream.len() == len)?;
    if kind == STREAM_LISTPACKS {
        ids.first = stream.first().map_or(Id::MAX, |entry| entry.id);
        stream.set_ids(ids);
    }
    let groups: Groups = groups::read(kind, reader, &stream)?;
    *stream.groups_mut() = groups;
    Some(stream)
}

fn read_id(reader: &mut Reader<'_>) -> Option<Id> {
    Some(Id::new(reader.len()? as u64, reader.len()? as u64))
}
