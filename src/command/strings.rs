//! GET, MGET, MSET, APPEND, STRLEN. (SET is in `set`, numbers are in `counters`.)

use super::context::{Outcome, reply};
use super::parse::check_len;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{StringValue, Value};
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
    ..Command::new("strlen", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(strlen))
};

fn get(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    read(context, args[1])
}

fn read(context: &mut ReadContext<'_>, key: &[u8]) -> Reply {
    match context.get(key).map(|item| &item.value) {
        Some(Value::String(value)) => Reply::Bulk(value.to_blob()),
        None => Reply::Nil,
    }
}

fn mget(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    Reply::Array(args[1..].iter().map(|key| read(context, key)).collect())
}

fn mset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    if args.len().is_multiple_of(2) {
        return MSET.wrong_arity();
    }
    for pair in args[1..].chunks_exact(2) {
        context.edit(pair[0]).set(Value::string(pair[1]), 0);
    }
    Reply::Ok
}

fn append(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, tail) = (args[1], args[2]);
    let mut edit = context.edit(key);
    let Some(len) = edit.item().map(|item| string(&item.value).len()) else {
        edit.set(Value::string(tail), 0);
        return Ok(Reply::Int(tail.len() as i64));
    };
    check_len(len + tail.len())?;
    edit.change(|Value::String(value)| value.append(tail));
    Ok(Reply::Int((len + tail.len()) as i64))
}

fn strlen(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    Reply::Int(context.get(args[1]).map_or(0, |item| string(&item.value).len() as i64))
}

/// The value as a string. (Where other types come in, this is what can fail.)
pub(super) fn string(Value::String(value): &Value) -> &StringValue {
    value
}
