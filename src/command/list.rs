//! The commands on lists that add and take off elements at their ends. (Those that read are in `read`, those that
//! change the middle in `middle`, those that take from one of several keys or put elsewhere in `moves`, those that wait in
//! `blocking`.) A list without
//! elements must never be left behind a key.

pub(super) mod blocking;
pub(super) mod middle;
pub(super) mod moves;
pub(super) mod read;

use super::context::{Outcome, reply};
use super::parse::{is, parse_i64};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{change_typed, typed};
use super::{Reply, WriteContext};
use crate::collections::{Element, IntBytes, format_int};
use crate::keyspace::{Blob, Collection, End, EventClass, List};
use crate::mutant::{self, Mutant};
use crate::wire::units::Args;

const ELEMENT: Arg = Arg::new("element", ArgKind::String);
const SIDES: &[Arg] = &[Arg::word("left", "LEFT"), Arg::word("right", "RIGHT")];
const ADDS: Flags = Flags::WRITE.and(Flags::DENYOOM);
const INSERTED: &[KeySpec] = &[KeySpec::one(&["RW", "insert"])];
const TAKEN: KeySpec = KeySpec::one(&["RW", "access", "delete"]);
const PUSHED: &[Arg] = &[Arg::KEY, ELEMENT.multiple()];
const COUNTED: &[Arg] = &[Arg::KEY, Arg::new("count", ArgKind::Integer).optional()];

/// What the rows of all commands on lists have in common.
const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        categories: &[Category::List],
        keys,
        group: "list",
        ..Command::new(name, arity, flags, handler)
    }
}

/// A row of what adds elements.
const fn pushes(name: &'static str, summary: &'static str, since: &'static str, handler: Handler) -> Command {
    Command {
        since,
        summary,
        complexity: "O(N) of the number of elements that are added",
        arguments: PUSHED,
        ..row(name, -3, ADDS.and(Flags::FAST), INSERTED, handler)
    }
}

pub(super) static LPUSH: Command = pushes(
    "lpush",
    "Adds elements at the beginning of a list, one after the other, and returns its length",
    "1.0.0",
    Handler::Write(|context, args| reply(push(context, args, End::Left, false))),
);

pub(super) static LPUSHX: Command = pushes(
    "lpushx",
    "The same as LPUSH, if the list exists",
    "2.2.0",
    Handler::Write(|context, args| reply(push(context, args, End::Left, true))),
);

pub(super) static RPUSH: Command = pushes(
    "rpush",
    "Adds elements at the end of a list, and returns its length",
    "1.0.0",
    Handler::Write(|context, args| reply(push(context, args, End::Right, false))),
);

pub(super) static RPUSHX: Command = pushes(
    "rpushx",
    "The same as RPUSH, if the list exists",
    "2.2.0",
    Handler::Write(|context, args| reply(push(context, args, End::Right, true))),
);

/// A row of what takes elements off.
const fn pops(name: &'static str, summary: &'static str, handler: Handler) -> Command {
    Command {
        summary,
        complexity: "O(N) of the number of elements that are returned",
        arguments: COUNTED,
        ..row(name, -2, Flags::WRITE.and(Flags::FAST), &[TAKEN], handler)
    }
}

pub(super) static LPOP: Command = pops(
    "lpop",
    "Takes elements off the beginning of a list, and returns them",
    Handler::Write(|context, args| reply(pop(context, args, End::Left, &LPOP))),
);

pub(super) static RPOP: Command = pops(
    "rpop",
    "Takes elements off the end of a list, and returns them",
    Handler::Write(|context, args| reply(pop(context, args, End::Right, &RPOP))),
);

fn push(context: &mut WriteContext<'_>, args: &Args<'_>, end: End, must_exist: bool) -> Outcome {
    let (key, elements) = (args[1], &args[2..]);
    let edit = context.edit(key);
    let list = typed::<List>(edit.item())?;
    if list.is_none() && must_exist {
        return Ok(Reply::Int(0));
    }
    Ok(Reply::Int(push_all(context, key, end, elements) as i64))
}

/// Adds elements to what was found to be a list, or missing. Returns how many there are then.
fn push_all(context: &mut WriteContext<'_>, key: &[u8], end: End, elements: &[&[u8]]) -> usize {
    let mut edit = context.edit(key);
    let forms = edit.forms();
    let len = change_typed(&mut edit, |list: &mut List| {
        if list.is_empty() {
            *list = List::new(&forms);
        }
        elements.iter().for_each(|element| list.push(end, element));
        list.len()
    });
    tell_pushed(context, key, end);
    len
}

fn pop(context: &mut WriteContext<'_>, args: &Args<'_>, end: End, row: &Command) -> Outcome {
    let count = match &args[2..] {
        [] => None,
        [count] => Some(not_negative(count, "ERR value is out of range, must be positive")?),
        _ => return Err(row.wrong_arity()),
    };
    let key = args[1];
    if typed::<List>(context.edit(key).item())?.is_none() {
        return Ok(if count.is_some() { Reply::NilArray } else { Reply::Nil });
    }
    match count {
        None => {
            let taken = take(context, key, end, 1 + usize::from(mutant::is(Mutant::PopTwice)));
            Ok(taken.into_iter().next().map_or(Reply::Nil, Reply::Bulk))
        }
        Some(0) => Ok(Reply::Array(Vec::new())),
        Some(count) => Ok(bulks(take(context, key, end, count))),
    }
}

fn bulks(elements: Vec<Blob>) -> Reply {
    Reply::Array(elements.into_iter().map(Reply::Bulk).collect())
}

fn shown(element: Element<'_>) -> Reply {
    Reply::Bulk(element.to_blob())
}

/// A number of elements; anything else is this error.
fn not_negative(bytes: &[u8], error: &'static str) -> Result<usize, Reply> {
    let number = parse_i64(bytes).and_then(|number| usize::try_from(number).ok());
    number.ok_or(Reply::error(error))
}

/// `LEFT` or `RIGHT`.
fn side(word: &[u8]) -> Result<End, Reply> {
    match word {
        word if is(word, "LEFT") => Ok(End::Left),
        word if is(word, "RIGHT") => Ok(End::Right),
        _ => Err(super::parse::SYNTAX),
    }
}

/// Takes up to `count` elements off an end of what was found to be a list, and the key with the last one.
fn take(context: &mut WriteContext<'_>, key: &[u8], end: End, count: usize) -> Vec<Blob> {
    let (elements, is_empty) = take_silently(context, key, end, count);
    tell_taken(context, key, end, is_empty);
    elements
}

/// The same, without events. Whether the key is gone, too.
fn take_silently(context: &mut WriteContext<'_>, key: &[u8], end: End, count: usize) -> (Vec<Blob>, bool) {
    let mut edit = context.edit(key);
    let (elements, freed, is_empty) = change_typed(&mut edit, |list: &mut List| {
        let (elements, freed) = list.take(end, count);
        (elements, freed, list.is_empty())
    });
    edit.discard(freed);
    if is_empty {
        edit.remove();
    }
    (elements, is_empty)
}

fn tell_taken(context: &mut WriteContext<'_>, key: &[u8], end: End, is_empty: bool) {
    context.notify(EventClass::List, if end == End::Left { "lpop" } else { "rpop" }, key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
}

fn tell_pushed(context: &mut WriteContext<'_>, key: &[u8], end: End) {
    context.notify(EventClass::List, if end == End::Left { "lpush" } else { "rpush" }, key);
}

/// Takes them off, answers with the key and with them, and tells replicas.
fn take_and_tell(context: &mut WriteContext<'_>, key: &[u8], end: End, count: usize) -> Reply {
    let elements = take(context, key, end, count);
    if context.propagates() {
        let name: &[u8] = if end == End::Left { b"LPOP" } else { b"RPOP" };
        let taken = elements.len() as i64;
        context.propagate(&[name, key, format_int(taken, &mut IntBytes::default())]);
    }
    Reply::Array(vec![Reply::bulk(key), bulks(elements)])
}
