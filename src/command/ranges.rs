//! GETRANGE, SUBSTR and SETRANGE: parts of strings. A string that is written in place must
//! never be copied as a whole each time.

use super::context::{Outcome, reply};
use super::parse::{check_len, integer};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{Edit, EventClass, StringValue, Value};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::String];

pub(super) static GETRANGE: Command = Command { since: "2.4.0", ..getrange_row("getrange") };

pub(super) static SUBSTR: Command =
    Command { replaced: Some(("2.0.0", "`GETRANGE`")), ..getrange_row("substr") };

const READ_KEY: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
const START_END: &[Arg] = &[Arg::KEY, Arg::new("start", ArgKind::Integer), Arg::new("end", ArgKind::Integer)];

const fn getrange_row(name: &'static str) -> Command {
    Command {
        categories: CATEGORIES,
        keys: READ_KEY,
        group: "string",
        summary: "Reads the bytes of a string from one position to another, both included; negative \
                  ones count from the end",
        complexity: "O(N) of the number of bytes returned",
        arguments: START_END,
        ..Command::new(
            name,
            4,
            Flags::READONLY,
            Handler::Read(|context, args| reply(getrange(context, args))),
        )
    }
}

pub(super) static SETRANGE: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "update"])],
    since: "2.2.0",
    group: "string",
    summary: "Overwrites a string from a position on, with zeros before it where there was nothing, \
              and returns its new length",
    complexity: "O(1) a byte written, amortized",
    arguments: &[Arg::KEY, Arg::new("offset", ArgKind::Integer), Arg::new("value", ArgKind::String)],
    ..Command::new(
        "setrange",
        4,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(setrange(context, args))),
    )
};

/// The positions from `start` to `end` of something that is `len` long, negative ones from the
/// end, as a range; `None` if it is empty.
pub(super) fn clip(start: i64, end: i64, len: usize) -> Option<(usize, usize)> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    let len = len as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(len - 1));
    (start <= end).then(|| (start as usize, end as usize + 1))
}

fn getrange(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let (start, end) = (integer(args[2])?, integer(args[3])?);
    let part = string_of(context.get(args[1]))?.map(|value| {
        let mut room = Default::default();
        let bytes = value.bytes(&mut room);
        clip(start, end, bytes.len()).map_or(Reply::bulk(b""), |(start, end)| Reply::bulk(&bytes[start..end]))
    });
    Ok(part.unwrap_or_else(|| Reply::bulk(b"")))
}

fn setrange(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, value) = (args[1], args[3]);
    let offset = usize::try_from(integer(args[2])?);
    let offset = offset.map_err(|_| Reply::error("ERR offset is out of range"))?;
    let mut edit = context.edit(key);
    let old = string_of(edit.item())?;
    if value.is_empty() {
        return Ok(Reply::Int(old.map_or(0, |value| value.len() as i64)));
    }
    let end = offset.saturating_add(value.len());
    check_len(end)?;
    let len = change_bytes(&mut edit, end, |bytes| {
        bytes[offset..end].copy_from_slice(value);
        bytes.len()
    });
    context.notify(EventClass::String, "setrange", key);
    Ok(Reply::Int(len as i64))
}

/// Changes the bytes of a string, which is made as long as `len` with zeros, in place. A key that is there holds one.
pub(super) fn change_bytes<R>(edit: &mut Edit<'_, '_>, len: usize, f: impl FnOnce(&mut [u8]) -> R) -> R {
    if edit.item().is_none() {
        let mut bytes = vec![0; len];
        let result = f(&mut bytes);
        edit.set(Value::String(StringValue::Growing(Box::new(bytes))), 0);
        return result;
    }
    let changed = edit.update(|value| value.as_string_mut().map(|value| f(value.grow_to(len))));
    changed.flatten().expect("a change of a string that is there takes place")
}
