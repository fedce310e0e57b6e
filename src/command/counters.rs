//! INCR, DECR, INCRBY, DECRBY.

use super::context::{Outcome, reply};
use super::parse::{NOT_AN_INTEGER, WRONG_TYPE, integer, parse_i64};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::keyspace::{EventClass, StringValue, Value};
use crate::wire::units::Args;

const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

const BASE: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec::one(&["RW", "access", "update"])],
    group: "string",
    arguments: &[Arg::KEY],
    ..Command::new("", 2, FLAGS, Handler::Write(|_, _| Reply::Nil))
};

/// A row: what the four differ in.
const fn row(name: &'static str, arity: i32, arguments: &'static [Arg], handler: Handler) -> Command {
    Command { name, full_name: name, arity, arguments, handler, ..BASE }
}

pub(super) static INCR: Command = Command {
    summary: "Adds one to a number, which is 0 if the key is missing",
    ..row("incr", 2, &[Arg::KEY], Handler::Write(|context, args| reply(add(context, args[1], 1))))
};

pub(super) static DECR: Command = Command {
    summary: "Subtracts one from a number, which is 0 if the key is missing",
    ..row("decr", 2, &[Arg::KEY], Handler::Write(|context, args| reply(add(context, args[1], -1))))
};

pub(super) static INCRBY: Command = Command {
    summary: "Adds to a number, which is 0 if the key is missing",
    ..row(
        "incrby",
        3,
        &[Arg::KEY, Arg::new("increment", ArgKind::Integer)],
        Handler::Write(|context, args| reply(integer(args[2]).and_then(|n| add(context, args[1], n)))),
    )
};

pub(super) static DECRBY: Command = Command {
    summary: "Subtracts from a number, which is 0 if the key is missing",
    ..row(
        "decrby",
        3,
        &[Arg::KEY, Arg::new("decrement", ArgKind::Integer)],
        Handler::Write(|context, args| reply(decrby(context, args))),
    )
};

fn decrby(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let negated = integer(args[2])?.checked_neg().ok_or(Reply::error("ERR decrement would overflow"))?;
    add(context, args[1], negated)
}

fn add(context: &mut WriteContext<'_>, key: &[u8], n: i64) -> Outcome {
    let mut edit = context.edit(key);
    let old = match edit.item().map(|item| &item.value) {
        None => 0,
        Some(Value::String(StringValue::Int(old))) => *old,
        Some(Value::String(StringValue::Blob(bytes))) => parse_i64(bytes).ok_or(NOT_AN_INTEGER)?,
        Some(Value::String(StringValue::Growing(bytes))) => parse_i64(bytes).ok_or(NOT_AN_INTEGER)?,
        Some(_) => return Err(WRONG_TYPE),
    };
    let new = old.checked_add(n).ok_or(Reply::error("ERR increment or decrement would overflow"))?;
    let value = Value::String(StringValue::Int(new));
    if edit.item().is_some() {
        edit.change(|old| *old = value);
    } else {
        edit.set(value, 0);
    }
    context.notify(EventClass::String, "incrby", key);
    Ok(Reply::Int(new))
}
