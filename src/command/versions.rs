//! Compare and set: GETV, CAS, CAD by version; DELIFEQ by value.

use super::context::{Outcome, reply};
use super::parse::{Expiry, SYNTAX, version};
use super::propagate::Expires;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::set::EXPIRATION;
use super::typed::string_of;
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Item, Value};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::String];
const FAST_WRITE: Flags = Flags::WRITE.and(Flags::FAST);
const VERSION: Arg = Arg::new("version", ArgKind::Integer);
const VALUE: Arg = Arg::new("value", ArgKind::String);

pub(super) static GETV: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    since: "0.1.0",
    group: "string",
    summary: "Reads a string with its version (1 when created, one more with each change) and its \
              revision (the number of its last change among all changes, which never repeats)",
    arguments: &[Arg::KEY],
    ..Command::new("getv", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(getv))
};

pub(super) static CAS: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "update"])],
    since: "0.1.0",
    group: "string",
    summary: "Sets a string if the key is at that version (0: if it does not exist), and returns \
              the new version",
    arguments: &[Arg::KEY, VERSION, VALUE, EXPIRATION],
    ..Command::new(
        "cas",
        -4,
        FAST_WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(cas(context, args))),
    )
};

pub(super) static CAD: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RM", "delete"])],
    since: "0.1.0",
    group: "string",
    summary: "Deletes a key if it is at that version",
    arguments: &[Arg::KEY, VERSION],
    ..Command::new("cad", 3, FAST_WRITE, Handler::Write(|context, args| reply(cad(context, args))))
};

pub(super) static DELIFEQ: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RM", "delete"])],
    since: "0.1.0",
    group: "string",
    summary: "Deletes a key if its value is that",
    arguments: &[Arg::KEY, VALUE],
    ..Command::new("delifeq", 3, FAST_WRITE, Handler::Write(|context, args| reply(delifeq(context, args))))
};

fn getv(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let Some(item) = context.get(args[1]) else { return Reply::NilArray };
    // Of another type only the version and the revision are told.
    let value = item.value.as_string().map_or(Reply::Nil, |value| Reply::Bulk(value.to_blob()));
    Reply::Array(vec![value, Reply::Int(item.version as i64), Reply::Int(item.revision as i64)])
}

/// Whether the key is at the version; 0 is that of a missing key.
fn check_version(item: Option<&Item>, expected: u64) -> Result<(), Reply> {
    let found = item.map_or(0, |item| item.version);
    if found == expected {
        return Ok(());
    }
    Err(Reply::error_owned(if expected == 0 {
        format!("KEYEXISTS key exists with version {found}")
    } else {
        format!("VERSIONMISMATCH expected {expected} found {found}")
    }))
}

fn cas(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let now_ms = context.now_ms;
    let expected = version(args[2])?;
    let mut expiry = Expiry::default();
    let mut rest = &args[4..];
    while !rest.is_empty() {
        match expiry.take(rest) {
            0 => return Err(SYNTAX),
            taken => rest = &rest[taken..],
        }
    }
    let deadline_ms = expiry.deadline_ms(now_ms, "cas")?;
    let mut edit = context.edit(args[1]);
    check_version(edit.item(), expected)?;
    let deadline_ms = deadline_ms.unwrap_or_else(|| edit.item().map_or(0, |item| item.deadline_ms));
    let version = edit.set(Value::string(args[3]), deadline_ms);
    context.notify(EventClass::String, "set", args[1]);
    if matches!(expiry, Expiry::At { .. }) {
        context.notify(EventClass::Generic, "expire", args[1]);
    }
    context.propagate_set(args[1], args[3], Expires::of(expiry, deadline_ms));
    Ok(Reply::Int(version as i64))
}

fn cad(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let expected = version(args[2])?;
    if expected == 0 {
        return Err(Reply::error("ERR value is out of range, must be positive"));
    }
    let mut edit = context.edit(args[1]);
    check_version(edit.item(), expected)?;
    edit.remove();
    context.notify(EventClass::Generic, "del", args[1]);
    context.propagate_deletion(args[1]);
    Ok(Reply::Int(1))
}

fn delifeq(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let mut edit = context.edit(args[1]);
    let equal = string_of(edit.item())?.is_some_and(|value| value.equals(args[2]));
    let removed = equal && edit.remove();
    if removed {
        context.notify(EventClass::Generic, "del", args[1]);
        context.propagate_deletion(args[1]);
    }
    Ok(Reply::Int(i64::from(removed)))
}
