//! SWAPDB and MOVE, and which numbers name a database. (SELECT is the connection's.) Nothing
//! here may cost more than the keys that it names: swapping takes no look at any.

use super::context::{Outcome, reply};
use super::parse::integer;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::keyspace::EventClass;
use crate::limits::DATABASES;
use crate::wire::units::Args;

const FLAGS: Flags = Flags::WRITE.and(Flags::FAST);
const OUT_OF_RANGE: Reply = Reply::error("ERR DB index is out of range");
const SAME: Reply = Reply::error("ERR source and destination objects are the same");

pub(super) static MOVE: Command = Command {
    categories: &[Category::Keyspace],
    keys: &[KeySpec::one(&["RW", "access", "update"])],
    summary: "Moves a key into another database, unless it has a key of that name",
    arguments: &[Arg::KEY, Arg::new("db", ArgKind::Integer)],
    ..Command::new("move", 3, FLAGS, Handler::Write(|context, args| reply(move_key(context, args))))
};

pub(super) static SWAPDB: Command = Command {
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "4.0.0",
    group: "server",
    summary: "Gives each of two databases the number of the other",
    arguments: &[Arg::new("index1", ArgKind::Integer), Arg::new("index2", ArgKind::Integer)],
    ..Command::new("swapdb", 3, FLAGS, Handler::Write(|context, args| reply(swapdb(context, args))))
};

/// The number of a database, or Redis's error.
pub fn database(arg: &[u8]) -> Result<u32, Reply> {
    let number = int(integer(arg)?).ok_or_else(|| {
        let (least, most) = (i32::MIN, i32::MAX);
        Reply::error_owned(format!("ERR value is out of range, value must between {least} and {most}"))
    })?;
    u32::try_from(number).ok().filter(|&db| (db as usize) < DATABASES).ok_or(OUT_OF_RANGE)
}

fn int(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

fn move_key(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, to) = (args[1], database(args[2])? as usize);
    if to == context.db {
        return Err(SAME);
    }
    let source = context.edit(key);
    let Some((value, deadline_ms)) = source.item().map(|item| (item.value.clone(), item.deadline_ms)) else {
        return Ok(Reply::Int(0));
    };
    let mut target = context.edit_in(to, key);
    if target.item().is_some() {
        return Ok(Reply::Int(0));
    }
    target.set(value, deadline_ms);
    context.edit(key).remove();
    context.notify(EventClass::Generic, "move_from", key);
    context.state.keyspace.notify(to, EventClass::Generic, "move_to", key);
    Ok(Reply::Int(1))
}

fn swapdb(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let parse = |arg: &[u8], which: &'static str| -> Result<usize, Reply> {
        let number = integer(arg).ok().and_then(int).ok_or(Reply::error(which))?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    };
    let a = parse(args[1], "ERR invalid first DB index")?;
    let b = parse(args[2], "ERR invalid second DB index")?;
    if a.max(b) >= DATABASES {
        return Err(OUT_OF_RANGE);
    }
    context.state.keyspace.swap(a, b, context.now_ms);
    Ok(Reply::Ok)
}
