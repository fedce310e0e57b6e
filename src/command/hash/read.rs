//! The commands that read hashes, but for those that draw: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HEXISTS, HSTRLEN,
//! HSCAN.

use super::{FIELD, row};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, Command, Flags, Handler, KeySpec};
use crate::command::scan::{self, Wanted};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, Field, Hash};
use crate::wire::units::Args;

const FAST: Flags = Flags::READONLY.and(Flags::FAST);
const LOOKED_AT: &[KeySpec] = &[KeySpec::one(&["RO"])];
const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
const UNORDERED: &[&str] = &["nondeterministic_output_order"];

pub(in crate::command) static HGET: Command = Command {
    summary: "Reads a field of a hash",
    arguments: &[Arg::KEY, FIELD],
    ..row("hget", 3, FAST, READ, Handler::Read(|context, args| reply(hget(context, args))))
};

pub(in crate::command) static HMGET: Command = Command {
    summary: "Reads several fields of a hash",
    complexity: "O(N) of the number of fields that are asked for",
    arguments: &[Arg::KEY, FIELD.multiple()],
    ..row("hmget", -3, FAST, READ, Handler::Read(|context, args| reply(hmget(context, args))))
};

/// A row of what reads all of a hash.
const fn reads_all(name: &'static str, handler: Handler) -> Command {
    Command {
        tips: UNORDERED,
        complexity: "O(N) of the number of fields",
        arguments: &[Arg::KEY],
        ..row(name, 2, Flags::READONLY, READ, handler)
    }
}

pub(in crate::command) static HGETALL: Command = Command {
    summary: "All fields of a hash with their values",
    ..reads_all("hgetall", Handler::Read(|context, args| reply(hgetall(context, args))))
};

pub(in crate::command) static HKEYS: Command = Command {
    summary: "The names of all fields of a hash",
    ..reads_all("hkeys", Handler::Read(|context, args| reply(list(context, args, |(field, _)| field))))
};

pub(in crate::command) static HVALS: Command = Command {
    summary: "The values of all fields of a hash",
    ..reads_all("hvals", Handler::Read(|context, args| reply(list(context, args, |(_, value)| value))))
};

pub(in crate::command) static HLEN: Command = Command {
    summary: "How many fields a hash has",
    arguments: &[Arg::KEY],
    ..row("hlen", 2, FAST, LOOKED_AT, Handler::Read(|context, args| reply(hlen(context, args))))
};

pub(in crate::command) static HEXISTS: Command = Command {
    summary: "Whether a hash has a field",
    arguments: &[Arg::KEY, FIELD],
    ..row("hexists", 3, FAST, LOOKED_AT, Handler::Read(|context, args| reply(hexists(context, args))))
};

pub(in crate::command) static HSTRLEN: Command = Command {
    since: "3.2.0",
    summary: "Length in bytes of a field's value, 0 if the field is missing",
    arguments: &[Arg::KEY, FIELD],
    ..row("hstrlen", 3, FAST, LOOKED_AT, Handler::Read(|context, args| reply(hstrlen(context, args))))
};

pub(in crate::command) static HSCAN: Command = Command {
    since: "2.8.0",
    tips: &["nondeterministic_output"],
    summary: "Walks over the fields of a hash in steps; a cursor is good on every node, also after a failover",
    complexity: "O(1) a call, O(N) of the number of fields for a whole walk",
    arguments: scan::ELEMENTS,
    ..row("hscan", -3, Flags::READONLY, READ, Handler::Read(|context, args| reply(hscan(context, args))))
};

fn shown(field: Field<'_>) -> Reply {
    Reply::Bulk(field.to_blob())
}

fn hget(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    Ok(hash.and_then(|hash| hash.get(args[2])).map_or(Reply::Nil, shown))
}

fn hmget(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    let read = |field: &&[u8]| hash.and_then(|hash| hash.get(field)).map_or(Reply::Nil, shown);
    Ok(Reply::Array(args[2..].iter().map(read).collect()))
}

fn hgetall(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    let pairs = hash.into_iter().flat_map(Hash::iter);
    Ok(Reply::Map(pairs.map(|(field, value)| (shown(field), shown(value))).collect()))
}

/// One of each pair.
fn list(
    context: &mut ReadContext<'_>,
    args: &Args<'_>,
    of: for<'a> fn((Field<'a>, Field<'a>)) -> Field<'a>,
) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    Ok(Reply::Array(hash.into_iter().flat_map(Hash::iter).map(|pair| shown(of(pair))).collect()))
}

fn hlen(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    Ok(Reply::Int(context.typed::<Hash>(args[1])?.map_or(0, |hash| hash.len() as i64)))
}

fn hexists(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    Ok(Reply::Int(i64::from(hash.is_some_and(|hash| hash.get(args[2]).is_some()))))
}

fn hstrlen(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let hash = context.typed::<Hash>(args[1])?;
    Ok(Reply::Int(hash.and_then(|hash| hash.get(args[2])).map_or(0, |value| value.len() as i64)))
}

fn hscan(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let cursor = scan::cursor(args[2])?;
    let Some(hash) = context.typed::<Hash>(args[1])? else { return Ok(scan::step(0, Vec::new())) };
    let wanted = Wanted::of_elements(&args[3..])?;
    let (next, pairs) = hash.scan(cursor, wanted.count);
    let mut found = Vec::new();
    for (field, value) in pairs.filter(|(field, _)| wanted.matches(field.bytes(&mut Default::default()))) {
        found.extend([shown(field), shown(value)]);
    }
    Ok(scan::step(next, found))
}
