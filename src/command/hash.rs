//! The commands on hashes that set and remove fields. (Those that read are in `read`, those that count in
//! `numbers`, those that draw in `random`.) A hash without fields must never be left behind a key.

pub(super) mod numbers;
pub(super) mod random;
pub(super) mod read;

use super::context::{Outcome, reply};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{change_typed, typed};
use super::{Reply, WriteContext};
use crate::keyspace::{Collection, EventClass, Hash};
use crate::wire::units::Args;

const FIELD: Arg = Arg::new("field", ArgKind::String);
const VALUE: Arg = Arg::new("value", ArgKind::String);
const WRITES: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST);

/// What the rows of all commands on hashes have in common.
const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        categories: &[Category::Hash],
        keys,
        since: "2.0.0",
        group: "hash",
        ..Command::new(name, arity, flags, handler)
    }
}

const UPDATED: &[KeySpec] = &[KeySpec::one(&["RW", "update"])];
const PAIRS: &[Arg] = &[Arg::KEY, Arg::block("field_value", &[FIELD, VALUE]).multiple()];

pub(super) static HSET: Command = Command {
    summary: "Sets fields of a hash, and returns how many of them are new",
    complexity: "O(1) a field",
    arguments: PAIRS,
    ..row("hset", -4, WRITES, UPDATED, Handler::Write(|context, args| reply(hset(context, args))))
};

pub(super) static HMSET: Command = Command {
    summary: "Sets fields of a hash",
    complexity: "O(N) of the number of fields that are set",
    arguments: PAIRS,
    replaced: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
    ..row("hmset", -4, WRITES, UPDATED, Handler::Write(|context, args| reply(hmset(context, args))))
};

pub(super) static HSETNX: Command = Command {
    summary: "Sets a field of a hash if it has none of that name",
    arguments: &[Arg::KEY, FIELD, VALUE],
    ..row(
        "hsetnx",
        4,
        WRITES,
        &[KeySpec::one(&["RW", "insert"])],
        Handler::Write(|context, args| reply(hsetnx(context, args))),
    )
};

pub(super) static HDEL: Command = Command {
    summary: "Removes fields of a hash, and the key with the last one, and returns how many there were",
    complexity: "O(N) of the number of fields to be removed",
    arguments: &[Arg::KEY, FIELD.multiple()],
    ..row(
        "hdel",
        -3,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "delete"])],
        Handler::Write(|context, args| reply(hdel(context, args))),
    )
};

fn hset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    set_all(context, args, &HSET).map(|new| Reply::Int(new as i64))
}

fn hmset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    set_all(context, args, &HMSET).map(|_| Reply::Ok)
}

/// How many of the fields are new.
fn set_all(context: &mut WriteContext<'_>, args: &Args<'_>, row: &Command) -> Result<usize, Reply> {
    if !args.len().is_multiple_of(2) {
        return Err(row.wrong_arity());
    }
    let (key, pairs) = (args[1], &args[2..]);
    let mut edit = context.edit(key);
    typed::<Hash>(edit.item())?;
    let forms = edit.forms();
    let new = change_typed(&mut edit, |hash: &mut Hash| {
        hash.make_room(pairs.iter().copied(), &forms);
        pairs.chunks_exact(2).filter(|pair| hash.insert(pair[0], pair[1], &forms)).count()
    });
    context.notify(EventClass::Hash, "hset", key);
    Ok(new)
}

fn hsetnx(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, field, value) = (args[1], args[2], args[3]);
    let edit = context.edit(key);
    if typed::<Hash>(edit.item())?.is_some_and(|hash| hash.get(field).is_some()) {
        return Ok(Reply::Int(0));
    }
    set_one(context, key, field, value, "hset");
    Ok(Reply::Int(1))
}

/// Sets a field of a key that was found to hold a hash, or nothing.
fn set_one(context: &mut WriteContext<'_>, key: &[u8], field: &[u8], value: &[u8], event: &'static str) {
    let mut edit = context.edit(key);
    let forms = edit.forms();
    change_typed(&mut edit, |hash: &mut Hash| {
        hash.make_room([field, value].into_iter(), &forms);
        hash.insert(field, value, &forms);
    });
    context.notify(EventClass::Hash, event, key);
}

fn hdel(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, fields) = (args[1], &args[2..]);
    let mut edit = context.edit(key);
    // What removes nothing is no change.
    let has = |hash: &Hash| fields.iter().any(|field| hash.get(field).is_some());
    if !typed::<Hash>(edit.item())?.is_some_and(has) {
        return Ok(Reply::Int(0));
    }
    let (removed, is_empty) = change_typed(&mut edit, |hash: &mut Hash| {
        let removed = fields.iter().filter(|field| hash.remove(field)).count();
        (removed, hash.is_empty())
    });
    if is_empty {
        edit.remove();
    }
    context.notify(EventClass::Hash, "hdel", key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
    Ok(Reply::Int(removed as i64))
}
