//! The commands on lists that wait for elements: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP. What is here takes what there
//! is, or nothing: see [`Awaited`]. Replicas are told the commands that do not wait.

use super::moves::{DESTINATION, FROM_AND_TO, SOURCE, move_one, several};
use super::{ADDS, SIDES, TAKEN, row, side, take, take_and_tell};
use crate::command::blocking::{Awaited, Wanted, timeout_ms};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::typed::typed;
use crate::command::{Reply, WriteContext};
use crate::keyspace::{End, Kind, List};
use crate::wire::units::Args;
use std::ops::Range;

const TIMEOUT: Arg = Arg::new("timeout", ArgKind::Double);
const WAITS: Flags = Flags::NOSCRIPT.and(Flags::BLOCKING);
const KEYS: &[KeySpec] = &[KeySpec { last: -2, ..TAKEN }];
const KEYS_AND_TIMEOUT: &[Arg] = &[Arg::KEY.multiple(), TIMEOUT];

/// A row of what takes one element of one of several lists.
const fn pops(name: &'static str, summary: &'static str, handler: Handler) -> Command {
    Command {
        since: "2.0.0",
        summary,
        complexity: "O(N) of the number of keys",
        arguments: KEYS_AND_TIMEOUT,
        blocks: Some(|call| awaited(1..call.len() - 1, call[call.len() - 1])),
        ..row(name, -3, Flags::WRITE.and(WAITS), KEYS, handler)
    }
}

pub(in crate::command) static BLPOP: Command = pops(
    "blpop",
    "Takes the first element off the first of several lists that has any, or waits for one",
    Handler::Write(|context, args| reply(pop(context, args, End::Left))),
);

pub(in crate::command) static BRPOP: Command = pops(
    "brpop",
    "Takes the last element off the first of several lists that has any, or waits for one",
    Handler::Write(|context, args| reply(pop(context, args, End::Right))),
);

pub(in crate::command) static BLMOVE: Command = Command {
    since: "6.2.0",
    summary: "The same as LMOVE, but waits for an element if there is none",
    arguments: &[
        SOURCE,
        DESTINATION,
        Arg::one_of("wherefrom", SIDES),
        Arg::one_of("whereto", SIDES),
        TIMEOUT,
    ],
    blocks: Some(|call| side(call[3]).and(side(call[4])).ok().and_then(|_| awaited(1..2, call[5]))),
    ..row(
        "blmove",
        6,
        ADDS.and(WAITS),
        FROM_AND_TO,
        Handler::Write(|context, args| reply(blmove(context, args))),
    )
};

pub(in crate::command) static BRPOPLPUSH: Command = Command {
    since: "2.2.0",
    summary: "The same as RPOPLPUSH, but waits for an element if there is none",
    arguments: &[SOURCE, DESTINATION, TIMEOUT],
    replaced: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
    blocks: Some(|call| awaited(1..2, call[3])),
    ..row(
        "brpoplpush",
        4,
        ADDS.and(WAITS),
        FROM_AND_TO,
        Handler::Write(|context, args| reply(brpoplpush(context, args))),
    )
};

pub(in crate::command) static BLMPOP: Command = Command {
    since: "7.0.0",
    summary: "The same as LMPOP, but waits for an element if there is none",
    complexity: "O(N + M) of the number of keys, and M elements that are returned",
    arguments: &[
        TIMEOUT,
        Arg::new("numkeys", ArgKind::Integer),
        Arg::KEY.multiple(),
        Arg::one_of("where", SIDES),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
    ],
    finder: Finder::All(|call| counted_keys(call, 2)),
    blocks: Some(|call| several(call, 2).ok().and_then(|(keys, ..)| awaited(keys, call[1]))),
    ..row(
        "blmpop",
        -5,
        Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        &[KeySpec::counted(2, &["RW", "access", "delete"])],
        Handler::Write(|context, args| reply(blmpop(context, args))),
    )
};

fn awaited(keys: Range<usize>, timeout: &[u8]) -> Option<Awaited> {
    Some(Awaited { keys, what: Wanted::Element(Kind::List), timeout_ms: timeout_ms(timeout).ok()? })
}

fn pop(context: &mut WriteContext<'_>, args: &Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    timeout_ms(args[last])?;
    for key in &args[1..last] {
        if typed::<List>(context.edit(key).item())?.is_none() {
            continue;
        }
        let element = take(context, key, end, 1).pop().map_or(Reply::Nil, Reply::Bulk);
        context.propagate(&[if end == End::Left { b"LPOP" } else { b"RPOP" }, key]);
        return Ok(Reply::Array(vec![Reply::bulk(key), element]));
    }
    Ok(Reply::NilArray)
}

fn blmove(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (from, to) = (side(args[3])?, side(args[4])?);
    timeout_ms(args[5])?;
    let moved = move_one(context, args[1], args[2], from, to)?;
    if moved != Reply::Nil {
        context.propagate(&[b"LMOVE", args[1], args[2], args[3], args[4]]);
    }
    Ok(moved)
}

fn brpoplpush(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    timeout_ms(args[3])?;
    let moved = move_one(context, args[1], args[2], End::Right, End::Left)?;
    if moved != Reply::Nil {
        context.propagate(&[b"RPOPLPUSH", args[1], args[2]]);
    }
    Ok(moved)
}

fn blmpop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (keys, end, count) = several(args, 2)?;
    timeout_ms(args[1])?;
    for key in &args[keys] {
        if typed::<List>(context.edit(key).item())?.is_some() {
            return Ok(take_and_tell(context, key, end, count));
        }
    }
    Ok(Reply::NilArray)
}
