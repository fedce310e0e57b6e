//! HINCRBY and HINCRBYFLOAT. What is added with a fraction must come out as Redis writes it on x86.

use super::{FIELD, WRITES, row, set_one};
use crate::collections::{IntBytes, format_int};
use crate::command::context::{Outcome, reply};
use crate::command::long_double::{Finite, LongDouble};
use crate::command::parse::{NOT_A_FLOAT, integer};
use crate::command::row::{Arg, ArgKind, Command, Handler, KeySpec};
use crate::command::typed::typed;
use crate::command::{Reply, WriteContext};
use crate::keyspace::Hash;
use crate::mutant::{self, Mutant};
use crate::wire::units::Args;

const COUNTED: &[KeySpec] = &[KeySpec::one(&["RW", "access", "update"])];

pub(in crate::command) static HINCRBY: Command = Command {
    summary: "Adds to a number in a field of a hash, which is 0 if the field is missing",
    arguments: &[Arg::KEY, FIELD, Arg::new("increment", ArgKind::Integer)],
    ..row("hincrby", 4, WRITES, COUNTED, Handler::Write(|context, args| reply(hincrby(context, args))))
};

pub(in crate::command) static HINCRBYFLOAT: Command = Command {
    since: "2.6.0",
    summary: "Adds to a number with a fraction in a field of a hash, which is 0 if the field is missing",
    arguments: &[Arg::KEY, FIELD, Arg::new("increment", ArgKind::Double)],
    ..row(
        "hincrbyfloat",
        4,
        WRITES,
        COUNTED,
        Handler::Write(|context, args| reply(hincrbyfloat(context, args))),
    )
};

fn hincrby(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, field, increment) = (args[1], args[2], integer(args[3])?);
    let edit = context.edit(key);
    let old = match typed::<Hash>(edit.item())?.and_then(|hash| hash.get(field)) {
        Some(value) => value.as_int().ok_or(Reply::error("ERR hash value is not an integer"))?,
        None => 0,
    };
    let new = old.checked_add(increment).ok_or(Reply::error("ERR increment or decrement would overflow"))?;
    let is_lost = mutant::is(Mutant::IncrementLost) && old > 0 && new % 4 == 0;
    if !is_lost {
        set_one(context, key, field, format_int(new, &mut IntBytes::default()), "hincrby");
    }
    Ok(Reply::Int(new))
}

fn hincrbyfloat(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, field) = (args[1], args[2]);
    let increment = LongDouble::parse(args[3]).ok_or(NOT_A_FLOAT)?;
    if increment == LongDouble::Infinite {
        return Err(Reply::error("ERR value is NaN or Infinity"));
    }
    let edit = context.edit(key);
    let old = match typed::<Hash>(edit.item())?.and_then(|hash| hash.get(field)) {
        Some(value) => LongDouble::parse(value.bytes(&mut IntBytes::default()))
            .ok_or(Reply::error("ERR hash value is not a float"))?,
        None => LongDouble::Finite(Finite::ZERO),
    };
    let sum = old.checked_add(increment);
    let sum = sum.ok_or(Reply::error("ERR increment would produce NaN or Infinity"))?.format();
    set_one(context, key, field, sum.as_bytes(), "hincrbyfloat");
    context.propagate(&[b"HSET", key, field, sum.as_bytes()]);
    Ok(Reply::bulk(sum))
}
