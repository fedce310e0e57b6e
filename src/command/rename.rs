//! RENAME, RENAMENX, COPY: values that get another key. What is put in the place of another key
//! must count as a change of that key, never as one that was always there.

use super::context::{Outcome, reply};
use super::parse::{SYNTAX, integer, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::keyspace::{EventClass, Value};
use crate::limits::DATABASES;
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Keyspace];
const FROM: KeySpec = KeySpec::one(&["RW", "access", "delete"]);

pub(super) static RENAME: Command = Command {
    categories: CATEGORIES,
    keys: &[FROM, KeySpec { first: 2, ..KeySpec::one(&["OW", "update"]) }],
    summary: "Gives a value and its time to live another key, in the place of what was there",
    arguments: &[Arg::KEY, Arg::new("newkey", ArgKind::Key).of_spec(1)],
    ..Command::new(
        "rename",
        3,
        Flags::WRITE,
        Handler::Write(|context, args| match rename(context, args, true) {
            Ok(_) => Reply::Ok,
            Err(error) => error,
        }),
    )
};

pub(super) static RENAMENX: Command = Command {
    categories: CATEGORIES,
    keys: &[FROM, KeySpec { first: 2, ..KeySpec::one(&["OW", "insert"]) }],
    summary: "Gives a value and its time to live another key, if there is none yet",
    arguments: &[Arg::KEY, Arg::new("newkey", ArgKind::Key).of_spec(1)],
    ..Command::new(
        "renamenx",
        3,
        Flags::WRITE.and(Flags::FAST),
        Handler::Write(|context, args| reply(rename(context, args, false))),
    )
};

pub(super) static COPY: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"]), KeySpec { first: 2, ..KeySpec::one(&["OW", "update"]) }],
    since: "6.2.0",
    summary: "Copies a value and its time to live to another key, of any database",
    complexity: "O(N) of the size of the value",
    arguments: &[
        Arg::new("source", ArgKind::Key),
        Arg::new("destination", ArgKind::Key).of_spec(1),
        Arg::new("destination-db", ArgKind::Integer).after("DB").optional(),
        Arg::word("replace", "REPLACE").optional(),
    ],
    ..Command::new(
        "copy",
        -3,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(copy(context, args))),
    )
};

/// The answer of `RENAMENX`: 0 if the new key is there and must stay.
fn rename(context: &mut WriteContext<'_>, args: &Args<'_>, replace: bool) -> Outcome {
    let (key, new_key) = (args[1], args[2]);
    if context.edit(key).item().is_none() {
        return Err(Reply::error("ERR no such key"));
    }
    if key == new_key || !replace && context.edit(new_key).item().is_some() {
        return Ok(Reply::Int(0));
    }
    let item = context.edit(key).take().expect("it was there a moment ago");
    put(context, context.db, new_key, item.value, item.deadline_ms);
    context.notify(EventClass::Generic, "rename_from", key);
    context.notify(EventClass::Generic, "rename_to", new_key);
    Ok(Reply::Int(1))
}

fn copy(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, new_key) = (args[1], args[2]);
    let (mut db, mut replace) = (context.db, false);
    let mut rest = &args[3..];
    while let [option, tail @ ..] = rest {
        rest = match tail {
            _ if is(option, "REPLACE") => {
                replace = true;
                tail
            }
            [number, tail @ ..] if is(option, "DB") => {
                db = database(number)?;
                tail
            }
            _ => return Err(SYNTAX),
        };
    }
    if db == context.db && key == new_key {
        return Err(Reply::error("ERR source and destination objects are the same"));
    }
    let source = context.edit(key).item().map(|item| (item.value.clone(), item.deadline_ms));
    let Some((value, deadline_ms)) = source else {
        context.notify(EventClass::KeyMiss, "keymiss", key);
        return Ok(Reply::Int(0));
    };
    if context.edit_in(db, new_key).item().is_some() && !replace {
        return Ok(Reply::Int(0));
    }
    put(context, db, new_key, value, deadline_ms);
    context.state.keyspace.notify(db, EventClass::Generic, "copy_to", new_key);
    Ok(Reply::Int(1))
}

/// The number of a database, as a C `int` first.
fn database(number: &[u8]) -> Result<usize, Reply> {
    let number = i32::try_from(integer(number)?).map_err(|_| {
        Reply::error("ERR value is out of range, value must between -2147483648 and 2147483647")
    })?;
    let db = usize::try_from(number).ok().filter(|&db| db < DATABASES);
    db.ok_or(Reply::error("ERR DB index is out of range"))
}

/// Puts a value where another may be. Redis deletes the old key and adds a new one: listeners
/// hear of a new key, and the version still goes on.
pub(super) fn put(context: &mut WriteContext<'_>, db: usize, key: &[u8], value: Value, deadline_ms: u64) {
    let mut edit = context.edit_in(db, key);
    let existed = edit.item().is_some();
    edit.set(value, deadline_ms);
    if existed {
        context.state.keyspace.notify(db, EventClass::New, "new", key);
    }
}
