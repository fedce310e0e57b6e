//! The groups of a stream as `XINFO STREAM FULL` shows them: with what is pending, of which no more than asked for.

use super::named;
use crate::command::Reply;
use crate::command::stream::shown_id;
use crate::keyspace::{Blob, Consumer, Group, Id, Stream};

/// All groups, with so many pending entries of each and of each of their consumers.
pub(super) fn groups(stream: &Stream, count: usize) -> Reply {
    Reply::Array(stream.groups().iter().map(|(name, group)| shown(stream, name, group, count)).collect())
}

fn shown(stream: &Stream, name: &Blob, group: &Group, count: usize) -> Reply {
    let lag = stream.progress().lag(group.last_id, group.entries_read);
    let pending = group.pending_from(Id::MIN).take(count).map(|(pending, consumer)| {
        Reply::Array(vec![
            shown_id(pending.id),
            Reply::Bulk(consumer.name.clone()),
            Reply::Int(pending.delivered_ms),
            Reply::Int(pending.deliveries as i64),
        ])
    });
    let consumers = group.consumers().iter().map(|consumer| of_consumer(group, consumer, count));
    named([
        ("name", Reply::Bulk(name.clone())),
        ("last-delivered-id", shown_id(group.last_id)),
        ("entries-read", group.entries_read.map_or(Reply::Nil, Reply::Int)),
        ("lag", lag.map_or(Reply::Nil, Reply::Int)),
        ("pel-count", Reply::Int(group.pending_len() as i64)),
        ("pending", Reply::Array(pending.collect())),
        ("consumers", Reply::Array(consumers.collect())),
    ])
}

fn of_consumer(group: &Group, consumer: &Consumer, count: usize) -> Reply {
    let pending = consumer.pending_from(Id::MIN).take(count).filter_map(|id| {
        let (pending, _) = group.pending(id)?;
        let (at_ms, deliveries) = (Reply::Int(pending.delivered_ms), Reply::Int(pending.deliveries as i64));
        Some(Reply::Array(vec![shown_id(id), at_ms, deliveries]))
    });
    named([
        ("name", Reply::Bulk(consumer.name.clone())),
        ("seen-time", Reply::Int(consumer.seen_ms)),
        ("pel-count", Reply::Int(consumer.pending_len() as i64)),
        ("pending", Reply::Array(pending.collect())),
    ])
}
