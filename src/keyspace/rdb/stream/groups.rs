//! The consumer groups of a stream, by name: what is pending of each, then its consumers by name with the ids that each
//! has to acknowledge. An id that is pending belongs to exactly one consumer.

use super::{put_id, read_id};
use crate::keyspace::rdb::STREAM_LISTPACKS_2;
use crate::keyspace::rdb::layout::Item;
use crate::keyspace::rdb::strings::{self, Reader};
use crate::keyspace::{Group, Groups, Id, Pending, Stream};

/// An id, and when it was delivered; how often.
const PENDING: &[Item] = &[Item::Bytes(24), Item::Len];
/// Its name, when it was heard of, its ids.
const CONSUMER: &[Item] = &[Item::String, Item::Bytes(8), Item::Many(&[Item::Bytes(16)])];
/// A group of Redis 6; ...
pub(super) const LAYOUT: &[Item] =
    &[Item::String, Item::Len, Item::Len, Item::Many(PENDING), Item::Many(CONSUMER)];
/// ... now it says how many entries were read.
pub(super) const LAYOUT_2: &[Item] =
    &[Item::String, Item::Len, Item::Len, Item::Len, Item::Many(PENDING), Item::Many(CONSUMER)];

/// Of a group that does not know how many entries it has read.
const UNKNOWN: i64 = -1;

pub(super) fn put(out: &mut Vec<u8>, groups: &Groups) {
    strings::put_len(out, groups.len());
    for (name, group) in groups.iter() {
        strings::put(out, name);
        put_id(out, group.last_id);
        strings::put_len(out, group.entries_read.unwrap_or(UNKNOWN) as usize);
        strings::put_len(out, group.pending_len());
        for (pending, _) in group.pending_from(Id::MIN) {
            out.extend_from_slice(&pending.id.to_bytes());
            out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
            strings::put_len(out, pending.deliveries as usize);
        }
        strings::put_len(out, group.consumers().len());
        for consumer in group.consumers().iter() {
            strings::put(out, &consumer.name);
            out.extend_from_slice(&consumer.seen_ms.to_le_bytes());
            strings::put_len(out, consumer.pending_len());
            consumer.pending_from(Id::MIN).for_each(|id| out.extend_from_slice(&id.to_bytes()));
        }
    }
}

/// Of a stream whose groups they will be. None: they are not sound.
pub(super) fn read(kind: u8, reader: &mut Reader<'_>, stream: &Stream) -> Option<Groups> {
    let mut groups = Groups::default();
    for _ in 0..reader.len()? {
        let name = reader.string()?;
        let last_id = read_id(reader)?;
        let entries_read = match kind {
            STREAM_LISTPACKS_2 => Some(reader.len()? as i64).filter(|&count| count != UNKNOWN),
            _ => stream.progress().entries_until(last_id),
        };
        let group = read_group(reader, Group::new(last_id, entries_read))?;
        groups.insert(&name, group).then_some(())?;
    }
    Some(groups)
}

fn read_group(reader: &mut Reader<'_>, mut group: Group) -> Option<Group> {
    let mut entries: Vec<(Id, i64, u64)> = Vec::new();
    for _ in 0..reader.len()? {
        let (id, delivered_ms) = (Id::from_bytes(reader.array()?), i64::from_le_bytes(reader.array()?));
        entries.push((id, delivered_ms, reader.len()? as u64));
    }
    let mut owners: Vec<(Id, u64)> = Vec::new();
    for _ in 0..reader.len()? {
        let (name, seen_ms) = (reader.string()?, i64::from_le_bytes(reader.array()?));
        let consumer = group.add_consumer(&name, seen_ms)?;
        for _ in 0..reader.len()? {
            owners.push((Id::from_bytes(reader.array()?), consumer));
        }
    }
    entries.sort_unstable();
    owners.sort_unstable();
    let is_sound = entries.is_sorted_by(|a, b| a.0 < b.0) && entries.len() == owners.len();
    is_sound.then_some(())?;
    for ((id, delivered_ms, deliveries), (owned, consumer)) in entries.into_iter().zip(owners) {
        (id == owned).then_some(())?;
        group.assign(Pending { id, consumer, delivered_ms, deliveries });
    }
    Some(group)
}
