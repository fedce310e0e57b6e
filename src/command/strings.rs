//! GET, MGET, MSET, MSETNX, APPEND, STRLEN. (SET and its like are in `set`, numbers in `counters`
//! and `floats`, parts of strings in `ranges`.) Nothing here may look at the bits of a string.

use super::context::{Outcome, reply};
use super::parse::{WRONG_TYPE, check_len};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Value};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::String];
const VALUE: Arg = Arg::new("value", ArgKind::String);

pub(super) static GET: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    group: "string",
    summary: "Reads a string",
    arguments: &[Arg::KEY],
    ..Command::new("get", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(get))
};

pub(super) static MGET: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(1, &["RO", "access"])],
    tips: &["request_policy:multi_shard"],
    group: "string",
    summary: "Reads several strings at one moment",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::KEY.multiple()],
    ..Command::new("mget", -2, Flags::READONLY.and(Flags::FAST), Handler::Read(mget))
};

pub(super) static MSET: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(2, &["OW", "update"])],
    tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
    since: "1.0.1",
    group: "string",
    summary: "Sets several strings at once",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::block("key_value", &[Arg::KEY, VALUE]).multiple()],
    ..Command::new("mset", -3, Flags::WRITE.and(Flags::DENYOOM), Handler::Write(mset))
};

pub(super) static MSETNX: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::every(2, &["OW", "insert"])],
    tips: &["request_policy:multi_shard", "response_policy:agg_min"],
    since: "1.0.1",
    group: "string",
    summary: "Sets several strings at once, if none of the keys exists",
    complexity: "O(N) of the number of keys",
    arguments: &[Arg::block("key_value", &[Arg::KEY, VALUE]).multiple()],
    ..Command::new("msetnx", -3, Flags::WRITE.and(Flags::DENYOOM), Handler::Write(msetnx))
};

pub(super) static APPEND: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "insert"])],
    since: "2.0.0",
    group: "string",
    summary: "Appends to a string, which is empty if the key is missing, and returns its new length",
    complexity: "O(1) a byte appended, amortized",
    arguments: &[Arg::KEY, VALUE],
    ..Command::new(
        "append",
        3,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        Handler::Write(|context, args| reply(append(context, args))),
    )
};

pub(super) static STRLEN: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO"])],
    since: "2.2.0",
    group: "string",
    summary: "Length of a string in bytes, 0 if the key is missing",
    arguments: &[Arg::KEY],
    ..Command::new(
        "strlen",
        2,
        Flags::READONLY.and(Flags::FAST),
        Handler::Read(|context, args| reply(strlen(context, args))),
    )
};

fn get(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    match context.get(args[1]).map(|item| &item.value) {
        Some(Value::String(value)) => Reply::Bulk(value.to_blob()),
        Some(_) => WRONG_TYPE,
        None => Reply::Nil,
    }
}

/// What is no string reads as nothing.
fn mget(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let read = |key: &&[u8]| match context.get(key).map(|item| &item.value) {
        Some(Value::String(value)) => Reply::Bulk(value.to_blob()),
        _ => Reply::Nil,
    };
    Reply::Array(args[1..].iter().map(read).collect())
}

fn mset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    if args.len().is_multiple_of(2) {
        return MSET.wrong_arity();
    }
    set_pairs(context, args);
    Reply::Ok
}

fn msetnx(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    if args.len().is_multiple_of(2) {
        return MSETNX.wrong_arity();
    }
    if args[1..].chunks_exact(2).any(|pair| context.edit(pair[0]).item().is_some()) {
        return Reply::Int(0);
    }
    set_pairs(context, args);
    Reply::Int(1)
}

fn set_pairs(context: &mut WriteContext<'_>, args: &Args<'_>) {
    for pair in args[1..].chunks_exact(2) {
        let mut edit = context.edit(pair[0]);
        let value = edit.string(pair[1]);
        edit.set(value, 0);
        context.notify(EventClass::String, "set", pair[0]);
    }
}

fn append(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, tail) = (args[1], args[2]);
    let mut edit = context.edit(key);
    let Some(len) = string_of(edit.item())?.map(|value| value.len()) else {
        let value = edit.string(tail);
        edit.set(value, 0);
        context.notify(EventClass::String, "append", key);
        return Ok(Reply::Int(tail.len() as i64));
    };
    check_len(len + tail.len())?;
    edit.change(|value| {
        if let Value::String(value) = value {
            value.append(tail);
        }
    });
    context.notify(EventClass::String, "append", key);
    Ok(Reply::Int((len + tail.len()) as i64))
}

fn strlen(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    Ok(Reply::Int(string_of(context.get(args[1]))?.map_or(0, |value| value.len() as i64)))
}
