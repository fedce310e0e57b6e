//! XLEN, XRANGE, XREVRANGE: what a stream has between two ids.

use super::{INVALID_ID, row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, Id, Stream};
use crate::wire::units::Args;

const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();
const START: Arg = Arg::new("start", ArgKind::String);
const END: Arg = Arg::new("end", ArgKind::String);

pub(in crate::command) static XLEN: Command = Command {
    summary: "How many entries a stream has",
    arguments: &[Arg::KEY],
    ..row(
        "xlen",
        2,
        Flags::READONLY.and(Flags::FAST),
        &[KeySpec::one(&["RO"])],
        Handler::Read(|context, args| reply(xlen(context, args))),
    )
};

const fn range_row(
    name: &'static str,
    summary: &'static str,
    arguments: &'static [Arg],
    handler: Handler,
) -> Command {
    Command {
        summary,
        complexity: "O(log N), and O(M) of the entries that are returned",
        arguments,
        ..row(name, -4, Flags::READONLY, READ, handler)
    }
}

pub(in crate::command) static XRANGE: Command = range_row(
    "xrange",
    "The entries of a stream between two ids, the oldest first",
    &[Arg::KEY, START, END, COUNT],
    Handler::Read(|context, args| reply(range(context, args, false))),
);

pub(in crate::command) static XREVRANGE: Command = range_row(
    "xrevrange",
    "The entries of a stream between two ids, the newest first",
    &[Arg::KEY, END, START, COUNT],
    Handler::Read(|context, args| reply(range(context, args, true))),
);

fn xlen(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let stream = context.typed::<Stream>(args[1])?;
    Ok(Reply::Int(stream.map_or(0, |stream| stream.len() as i64)))
}

/// The least id of a range.
pub(super) fn start(arg: &[u8]) -> Result<Id, Reply> {
    let (id, is_open) = end_of_range(arg, 0)?;
    let first = if is_open { id.next() } else { Some(id) };
    first.ok_or(Reply::error("ERR invalid start ID for the interval"))
}

/// The greatest id of a range.
pub(super) fn end(arg: &[u8]) -> Result<Id, Reply> {
    let (id, is_open) = end_of_range(arg, u64::MAX)?;
    let last = if is_open { id.prev() } else { Some(id) };
    last.ok_or(Reply::error("ERR invalid end ID for the interval"))
}

/// An id, and whether it is left out itself.
fn end_of_range(arg: &[u8], missing_seq: u64) -> Result<(Id, bool), Reply> {
    let (id, is_open) = match arg {
        [b'(', id @ ..] if !id.is_empty() => (Id::parse(id, missing_seq), true),
        _ => (Id::parse_bound(arg, missing_seq), false),
    };
    Ok((id.ok_or(INVALID_ID)?, is_open))
}

fn range(context: &mut ReadContext<'_>, args: &Args<'_>, is_reverse: bool) -> Outcome {
    let (low, high) = if is_reverse { (args[3], args[2]) } else { (args[2], args[3]) };
    let (from, to) = (start(low)?, end(high)?);
    let mut count = usize::MAX;
    let mut rest = &args[4..];
    while let [option, value, behind @ ..] = rest {
        if !is(option, "COUNT") {
            return Err(SYNTAX);
        }
        let limit = integer(value)?;
        count = usize::try_from(limit).unwrap_or(0);
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let Some(stream) = context.typed::<Stream>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let entries = if is_reverse { stream.range_back(from, to) } else { stream.range(from, to) };
    match count {
        0 => Ok(Reply::NilArray),
        count => Ok(Reply::Array(entries.take(count).map(|entry| shown(&entry)).collect())),
    }
}
