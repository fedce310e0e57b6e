//! EXPIRE, PEXPIRE, TTL, PTTL, PERSIST.

use super::context::{Outcome, reply};
use super::parse::{integer, invalid_expire, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{ReadContext, Reply, WriteContext};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Keyspace];

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::word("nx", "NX"), Arg::word("xx", "XX"), Arg::word("gt", "GT"), Arg::word("lt", "LT")],
)
.optional();

pub(super) static EXPIRE: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "update"])],
    summary: "Sets the time to live of a key in seconds; a negative one deletes it",
    arguments: &[Arg::KEY, Arg::new("seconds", ArgKind::Integer), CONDITION],
    ..Command::new(
        "expire",
        -3,
        Flags::WRITE.and(Flags::FAST),
        Handler::Write(|context, args| reply(expire(context, args, 1000, "expire"))),
    )
};

pub(super) static PEXPIRE: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "update"])],
    since: "2.6.0",
    summary: "Sets the time to live of a key in milliseconds; a negative one deletes it",
    arguments: &[Arg::KEY, Arg::new("milliseconds", ArgKind::Integer), CONDITION],
    ..Command::new(
        "pexpire",
        -3,
        Flags::WRITE.and(Flags::FAST),
        Handler::Write(|context, args| reply(expire(context, args, 1, "pexpire"))),
    )
};

pub(super) static TTL: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    summary: "Time to live of a key in seconds; -1: it has none; -2: there is no such key",
    arguments: &[Arg::KEY],
    ..Command::new("ttl", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(ttl))
};

pub(super) static PTTL: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    since: "2.6.0",
    summary: "Time to live of a key in milliseconds; -1: it has none; -2: there is no such key",
    arguments: &[Arg::KEY],
    ..Command::new("pttl", 2, Flags::READONLY.and(Flags::FAST), Handler::Read(pttl))
};

pub(super) static PERSIST: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RW", "update"])],
    since: "2.2.0",
    summary: "Takes the time to live away from a key",
    arguments: &[Arg::KEY],
    ..Command::new("persist", 2, Flags::WRITE.and(Flags::FAST), Handler::Write(persist))
};

/// Which of `NX`, `XX`, `GT`, `LT` were given.
#[derive(Debug, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn read(args: &[&[u8]]) -> Result<Self, Reply> {
        let mut conditions = Self::default();
        for arg in args {
            match arg {
                _ if is(arg, "NX") => conditions.nx = true,
                _ if is(arg, "XX") => conditions.xx = true,
                _ if is(arg, "GT") => conditions.gt = true,
                _ if is(arg, "LT") => conditions.lt = true,
                _ => {
                    let option = String::from_utf8_lossy(super::parse::c_string(arg, usize::MAX));
                    return Err(Reply::error_owned(format!("ERR Unsupported option {option}")));
                }
            }
        }
        if conditions.nx && (conditions.xx || conditions.gt || conditions.lt) {
            return Err(Reply::error("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if conditions.gt && conditions.lt {
            return Err(Reply::error("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// `old_ms`: 0 is none, which counts as later than any.
    fn hold(&self, old_ms: u64, new_ms: i64) -> bool {
        let later = old_ms != 0 && new_ms > old_ms as i64;
        let earlier = old_ms == 0 || new_ms < old_ms as i64;
        !(self.nx && old_ms != 0 || self.xx && old_ms == 0 || self.gt && !later || self.lt && !earlier)
    }
}

fn expire(context: &mut WriteContext<'_>, args: &Args<'_>, unit_ms: i64, name: &str) -> Outcome {
    let now_ms = context.now_ms;
    let conditions = Conditions::read(&args[3..])?;
    let deadline_ms = integer(args[2])?
        .checked_mul(unit_ms)
        .and_then(|ms| ms.checked_add_unsigned(now_ms))
        .ok_or_else(|| invalid_expire(name))?;
    let mut edit = context.edit(args[1]);
    let Some(item) = edit.item() else { return Ok(Reply::Int(0)) };
    if !conditions.hold(item.deadline_ms, deadline_ms) {
        return Ok(Reply::Int(0));
    }
    match u64::try_from(deadline_ms) {
        Ok(deadline_ms) if deadline_ms > now_ms => edit.set_deadline(deadline_ms),
        _ => {
            edit.remove();
        }
    }
    Ok(Reply::Int(1))
}

/// Time left in ms, or Redis's -1 and -2.
fn time_to_live(context: &mut ReadContext<'_>, key: &[u8]) -> i64 {
    match context.peek(key) {
        None => -2,
        Some(item) if item.deadline_ms == 0 => -1,
        Some(item) => (item.deadline_ms - context.now_ms) as i64,
    }
}

fn ttl(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let ms = time_to_live(context, args[1]);
    Reply::Int(if ms < 0 { ms } else { ms / 1000 + i64::from(ms % 1000 >= 500) })
}

fn pttl(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    Reply::Int(time_to_live(context, args[1]))
}

fn persist(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    let mut edit = context.edit(args[1]);
    if edit.item().is_none_or(|item| item.deadline_ms == 0) {
        return Reply::Int(0);
    }
    edit.set_deadline(0);
    Reply::Int(1)
}
