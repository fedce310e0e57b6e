//! OBJECT: how a value is kept, and when it was last used. Looking must never count as a use.

use super::context::{Outcome, reply};
use super::introspect::help_row;
use super::row::{Arg, Category, Command, ConnectionCommand, Flags, Handler, KeySpec};
use super::{ReadContext, Reply};
use crate::keyspace::Item;
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Keyspace];
const KEYS: &[KeySpec] = &[KeySpec { first: 2, ..KeySpec::one(&["RO"]) }];
const NO_FREQUENCY: Reply = Reply::error(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
     switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

const NO_IDLE_TIME: Reply = Reply::error(
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
     policies at runtime LRU and LFU data will take some time to adjust.",
);

const fn row(full_name: &'static str, name: &'static str, handler: Handler) -> Command {
    Command {
        full_name,
        categories: CATEGORIES,
        keys: KEYS,
        tips: &["nondeterministic_output"],
        since: "2.2.3",
        arguments: &[Arg::KEY],
        ..Command::new(name, 3, Flags::READONLY, handler)
    }
}

/// The container has no category of its own, as in Redis.
pub(super) static OBJECT: Command = Command {
    since: "2.2.3",
    summary: "Commands about how values are kept",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Command {
            summary: "How the value is kept: int, embstr, raw, listpack, intset, quicklist, hashtable, skiplist or stream",
            ..row("object|encoding", "encoding", Handler::Read(encoding))
        },
        Command {
            since: "4.0.0",
            summary: "How often this node saw the key used, as a logarithmic counter: only under an LFU policy",
            ..row("object|freq", "freq", Handler::Read(|context, args| reply(freq(context, args))))
        },
        help_row("object|help", "6.2.0", "generic", CATEGORIES),
        Command {
            summary: "Seconds since this node last read or wrote the key for a client",
            ..row(
                "object|idletime",
                "idletime",
                Handler::Read(|context, args| reply(idletime(context, args))),
            )
        },
        Command {
            summary: "1, or of the numbers that Redis shares 2147483647",
            ..row("object|refcount", "refcount", Handler::Read(refcount))
        },
    ],
    ..Command::new("object", -2, Flags::NONE, Handler::Connection(ConnectionCommand::Introspect))
};

fn encoding(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    look(context, args[2]).map_or(Reply::Nil, |item| Reply::bulk(item.encoding()))
}

/// No use, and if there is no such key, no miss.
fn look<'a>(context: &mut ReadContext<'a>, key: &[u8]) -> Option<&'a Item> {
    let item = context.state.keyspace.get(context.db, key, context.now_ms)?;
    context.saw_expiring |= item.has_expired(context.wall_ms);
    Some(item)
}

fn refcount(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    look(context, args[2]).map_or(Reply::Nil, |item| Reply::Int(item.references()))
}

fn idletime(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    if look(context, args[2]).is_none() {
        return Ok(Reply::Nil);
    }
    if context.state.settings.eviction.counts_uses() {
        return Err(NO_IDLE_TIME);
    }
    let idle_s = context.state.keyspace.idle_s(context.db, args[2], context.wall_ms);
    Ok(Reply::Int(idle_s.unwrap_or(0) as i64))
}

fn freq(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    if look(context, args[2]).is_none() {
        return Ok(Reply::Nil);
    }
    if !context.state.settings.eviction.counts_uses() {
        return Err(NO_FREQUENCY);
    }
    let frequency = context.state.keyspace.frequency(context.db, args[2], context.wall_ms);
    Ok(Reply::Int(frequency.unwrap_or(0).into()))
}
