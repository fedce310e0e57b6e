//! XINFO GROUPS and XINFO CONSUMERS. Looking must never let a consumer count as active.

use super::{KEYS, named};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler};
use crate::command::stream::groups::no_group_of;
use crate::command::stream::{NO_SUCH_KEY, row, shown_id};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Blob, Consumer, Group, Stream};
use crate::wire::units::Args;

pub(super) const CONSUMERS: Command = Command {
    full_name: "xinfo|consumers",
    summary: "The consumers of a group: how much is pending for each, and when it was last active",
    complexity: "O(N) of the number of consumers",
    tips: &["nondeterministic_output"],
    arguments: &[Arg::KEY, Arg::new("groupname", ArgKind::String)],
    ..row(
        "consumers",
        4,
        Flags::READONLY,
        KEYS,
        Handler::Read(|context, args| reply(consumers(context, args))),
    )
};

pub(super) const GROUPS: Command = Command {
    full_name: "xinfo|groups",
    summary: "The groups of a stream: how far each has read, and how much is pending",
    complexity: "O(N) of the number of groups",
    arguments: &[Arg::KEY],
    ..row("groups", 3, Flags::READONLY, KEYS, Handler::Read(|context, args| reply(groups(context, args))))
};

fn consumers(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let stream = context.typed::<Stream>(args[2])?.ok_or(NO_SUCH_KEY)?;
    let group = stream.groups().get(args[3]).ok_or_else(|| no_group_of(args[2], args[3]))?;
    // Idle by the clock that clients see: that of the log stands still while nobody writes.
    let now_ms = context.now_ms.max(context.wall_ms) as i64;
    let shown = |consumer: &Consumer| {
        named([
            ("name", Reply::Bulk(consumer.name.clone())),
            ("pending", Reply::Int(consumer.pending_len() as i64)),
            ("idle", Reply::Int(now_ms.wrapping_sub(consumer.seen_ms).max(0))),
        ])
    };
    Ok(Reply::Array(group.consumers().iter().map(shown).collect()))
}

fn groups(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let stream = context.typed::<Stream>(args[2])?.ok_or(NO_SUCH_KEY)?;
    let shown = |(name, group): (&Blob, &Group)| {
        let lag = stream.progress().lag(group.last_id, group.entries_read);
        named([
            ("name", Reply::Bulk(name.clone())),
            ("consumers", Reply::Int(group.consumers().len() as i64)),
            ("pending", Reply::Int(group.pending_len() as i64)),
            ("last-delivered-id", shown_id(group.last_id)),
            ("entries-read", group.entries_read.map_or(Reply::Nil, Reply::Int)),
            ("lag", lag.map_or(Reply::Nil, Reply::Int)),
        ])
    };
    Ok(Reply::Array(stream.groups().iter().map(shown).collect()))
}
