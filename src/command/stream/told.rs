//! What replicas of Redis's protocol are told of deliveries, in Redis's forms: an entry by the claim that has the same
//! effect there, and how far a group has read. Nothing else that a delivery changes is told: Redis tells nothing of when a
//! consumer was seen, nor of a history that was read again.

use crate::collections::{IntBytes, format_int};
use crate::command::WriteContext;
use crate::keyspace::{Blob, Id, Pending};

/// Where it is told of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub key: &'a [u8],
    pub group: &'a [u8],
}

/// An entry that has become pending, or has become so for somebody else.
#[derive(Debug)]
pub(super) struct Claimed {
    /// As the client wrote it.
    pub id: Blob,
    pub consumer: Blob,
    pub pending: Pending,
    /// Of the group.
    pub last_id: Id,
}

pub(super) fn claimed(context: &mut WriteContext<'_>, place: Place<'_>, claimed: &Claimed) {
    if !context.propagates() {
        return;
    }
    let last_id = claimed.last_id.to_string();
    context.propagate(&[
        b"XCLAIM",
        place.key,
        place.group,
        &claimed.consumer,
        b"0",
        &claimed.id,
        b"TIME",
        format_int(claimed.pending.delivered_ms, &mut IntBytes::default()),
        b"RETRYCOUNT",
        format_int(claimed.pending.deliveries as i64, &mut IntBytes::default()),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last_id.as_bytes(),
    ]);
}

pub(super) fn read_until(
    context: &mut WriteContext<'_>,
    place: Place<'_>,
    last_id: Id,
    entries_read: Option<i64>,
) {
    if !context.propagates() {
        return;
    }
    let (id, mut room) = (last_id.to_string(), IntBytes::default());
    let known = entries_read.filter(|&count| count >= 0);
    let entries_read = format_int(known.unwrap_or(-1), &mut room);
    context.propagate(&[
        b"XGROUP",
        b"SETID",
        place.key,
        place.group,
        id.as_bytes(),
        b"ENTRIESREAD",
        entries_read,
    ]);
}

pub(super) fn consumer_created(context: &mut WriteContext<'_>, place: Place<'_>, consumer: &[u8]) {
    context.propagate(&[b"XGROUP", b"CREATECONSUMER", place.key, place.group, consumer]);
}

/// What is not told by these is not told at all.
pub(super) fn nothing_else(context: &mut WriteContext<'_>) {
    context.state.keyspace.told_by_parts();
}
