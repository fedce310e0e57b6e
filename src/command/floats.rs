//! INCRBYFLOAT. The number must come out as Redis writes it on x86, on every machine.

use super::context::{Outcome, reply};
use super::long_double::{Finite, LongDouble};
use super::parse::NOT_A_FLOAT;
use super::propagate::Expires;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{Reply, WriteContext};
use crate::keyspace::{EventClass, Value};
use crate::wire::units::Args;

pub(super) static INCRBYFLOAT: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec::one(&["RW", "access", "update"])],
    since: "2.6.0",
    group: "string",
    summary: "Adds to a number with a fraction, which is 0 if the key is missing",
    arguments: &[Arg::KEY, Arg::new("increment", ArgKind::Double)],
    ..Command::new(
        "incrbyfloat",
        3,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        Handler::Write(|context, args| reply(incrbyfloat(context, args))),
    )
};

/// A number, or Redis's error.
fn number(text: &[u8]) -> Result<LongDouble, Reply> {
    LongDouble::parse(text).ok_or(NOT_A_FLOAT)
}

fn incrbyfloat(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let mut edit = context.edit(args[1]);
    let old = match string_of(edit.item())? {
        Some(value) => number(value.bytes(&mut Default::default()))?,
        None => LongDouble::Finite(Finite::ZERO),
    };
    let sum = old.checked_add(number(args[2])?);
    let sum = sum.ok_or(Reply::error("ERR increment would produce NaN or Infinity"))?.format();
    let value = Value::text(sum.as_bytes()); // a number only to those who read it as one
    if edit.item().is_some() {
        edit.change(|old| *old = value);
    } else {
        edit.set(value, 0);
    }
    context.notify(EventClass::String, "incrbyfloat", args[1]);
    context.propagate_set(args[1], sum.as_bytes(), Expires::AsBefore);
    Ok(Reply::bulk(sum))
}
