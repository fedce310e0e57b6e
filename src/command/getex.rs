//! GETDEL and GETEX: reads that change something. They must leave a key alone that they only read.

use super::context::{Outcome, reply};
use super::parse::{Expiry, SYNTAX, Unit, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{string, string_of};
use super::{Reply, WriteContext};
use crate::keyspace::EventClass;
use crate::wire::units::Args;

const FLAGS: Flags = Flags::WRITE.and(Flags::FAST);

/// `EX`, `PX`, `EXAT`, `PXAT`, `PERSIST`.
const EXPIRATION: Arg = Arg::one_of(
    "expiration",
    &[
        Arg::new("seconds", ArgKind::Integer).after("EX"),
        Arg::new("milliseconds", ArgKind::Integer).after("PX"),
        Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
        Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
        Arg::word("persist", "PERSIST"),
    ],
)
.optional();

pub(super) static GETDEL: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec::one(&["RW", "access", "delete"])],
    since: "6.2.0",
    group: "string",
    summary: "Reads a string and deletes the key",
    arguments: &[Arg::KEY],
    ..Command::new("getdel", 2, FLAGS, Handler::Write(|context, args| reply(getdel(context, args))))
};

pub(super) static GETEX: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec {
        notes: "RW and UPDATE because it changes the TTL",
        ..KeySpec::one(&["RW", "access", "update"])
    }],
    since: "6.2.0",
    group: "string",
    summary: "Reads a string, and sets or takes away its time to live if asked",
    arguments: &[Arg::KEY, EXPIRATION],
    ..Command::new("getex", -2, FLAGS, Handler::Write(|context, args| reply(getex(context, args))))
};

fn getdel(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let mut edit = context.edit(args[1]);
    let Some(value) = string_of(edit.item())?.map(|value| value.to_blob()) else {
        context.notify(EventClass::KeyMiss, "keymiss", args[1]);
        return Ok(Reply::Nil);
    };
    edit.remove();
    context.notify(EventClass::Generic, "del", args[1]);
    context.propagate_deletion(args[1]);
    Ok(Reply::Bulk(value))
}

fn getex(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (expiry, persist) = options(&args[2..])?;
    let (key, now_ms) = (args[1], context.now_ms);
    let keeps_expired = context.state.keyspace.keeps_expired();
    let mut edit = context.edit(key);
    let Some(item) = edit.item() else {
        context.notify(EventClass::KeyMiss, "keymiss", key);
        return Ok(Reply::Nil);
    };
    let value = Reply::Bulk(string(&item.value)?.to_blob());
    let had_deadline = item.deadline_ms != 0;
    // A time that is wrong is an error only if there is something that it could be given to.
    let told = match expiry {
        Expiry::At { unit, .. } => {
            let deadline_ms = expiry.deadline_ms(now_ms, "getex")?.unwrap_or_default();
            if matches!(unit, Unit::ExAt | Unit::PxAt) && deadline_ms <= now_ms && !keeps_expired {
                edit.remove();
                context.propagate_deletion(key);
                "del"
            } else {
                edit.set_deadline(deadline_ms);
                context.propagate_deadline(key, deadline_ms, &[]);
                "expire"
            }
        }
        _ if persist && had_deadline => {
            edit.set_deadline(0);
            context.propagate(&[b"PERSIST", key]);
            "persist"
        }
        _ => return Ok(value),
    };
    context.notify(EventClass::Generic, told, key);
    Ok(value)
}

/// The time to live, and whether there was `PERSIST`.
fn options<'a>(args: &[&'a [u8]]) -> Result<(Expiry<'a>, bool), Reply> {
    let (mut expiry, mut persist, mut rest) = (Expiry::Clear, false, args);
    while let Some(name) = rest.first() {
        let taken = if is(name, "PERSIST") && expiry == Expiry::Clear {
            persist = true;
            1
        } else if persist || is(name, "KEEPTTL") {
            return Err(SYNTAX);
        } else {
            expiry.take(rest)
        };
        rest = rest.get(taken..).filter(|_| taken != 0).ok_or(SYNTAX)?;
    }
    Ok((expiry, persist))
}
