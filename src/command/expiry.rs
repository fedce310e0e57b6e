//! EXPIRE, PEXPIRE, EXPIREAT, PEXPIREAT, TTL, PTTL, EXPIRETIME, PEXPIRETIME, PERSIST. A deadline is
//! absolute from here on: nothing below may ever keep a time to live.

use super::context::{Outcome, reply};
use super::parse::{integer, invalid_expire, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, Item};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Keyspace];

const CONDITION: Arg = Arg::one_of(
    "condition",
    &[Arg::word("nx", "NX"), Arg::word("xx", "XX"), Arg::word("gt", "GT"), Arg::word("lt", "LT")],
)
.optional();

const CHANGED: &[KeySpec] = &[KeySpec::one(&["RW", "update"])];
const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];

type Write = fn(&mut WriteContext<'_>, &Args<'_>) -> Reply;
type Read = fn(&mut ReadContext<'_>, &Args<'_>) -> Reply;

const fn expire_row(name: &'static str, arguments: &'static [Arg], write: Write) -> Command {
    Command {
        categories: CATEGORIES,
        keys: CHANGED,
        arguments,
        ..Command::new(name, -3, Flags::WRITE.and(Flags::FAST), Handler::Write(write))
    }
}

const fn read_row(name: &'static str, read: Read) -> Command {
    Command {
        categories: CATEGORIES,
        keys: READ,
        arguments: &[Arg::KEY],
        ..Command::new(name, 2, Flags::READONLY.and(Flags::FAST), Handler::Read(read))
    }
}

pub(super) static EXPIRE: Command = Command {
    summary: "Sets the time to live of a key in seconds; a negative one deletes it",
    ..expire_row("expire", &[Arg::KEY, Arg::new("seconds", ArgKind::Integer), CONDITION], |context, args| {
        let now_ms = context.now_ms;
        reply(expire(context, args, now_ms, 1000, "expire"))
    })
};

pub(super) static PEXPIRE: Command = Command {
    since: "2.6.0",
    summary: "Sets the time to live of a key in milliseconds; a negative one deletes it",
    ..expire_row(
        "pexpire",
        &[Arg::KEY, Arg::new("milliseconds", ArgKind::Integer), CONDITION],
        |context, args| {
            let now_ms = context.now_ms;
            reply(expire(context, args, now_ms, 1, "pexpire"))
        },
    )
};

pub(super) static EXPIREAT: Command = Command {
    since: "1.2.0",
    summary: "Sets the Unix time in seconds at which a key expires; one in the past deletes it",
    ..expire_row(
        "expireat",
        &[Arg::KEY, Arg::new("unix-time-seconds", ArgKind::UnixTime), CONDITION],
        |context, args| reply(expire(context, args, 0, 1000, "expireat")),
    )
};

pub(super) static PEXPIREAT: Command = Command {
    since: "2.6.0",
    summary: "Sets the Unix time in milliseconds at which a key expires; one in the past deletes it",
    ..expire_row(
        "pexpireat",
        &[Arg::KEY, Arg::new("unix-time-milliseconds", ArgKind::UnixTime), CONDITION],
        |context, args| reply(expire(context, args, 0, 1, "pexpireat")),
    )
};

pub(super) static TTL: Command = Command {
    tips: &["nondeterministic_output"],
    summary: "Time to live of a key in seconds; -1: it has none; -2: there is no such key",
    ..read_row("ttl", |context, args| Reply::Int(seconds(time_to_live(context, args[1]))))
};

pub(super) static PTTL: Command = Command {
    tips: &["nondeterministic_output"],
    since: "2.6.0",
    summary: "Time to live of a key in milliseconds; -1: it has none; -2: there is no such key",
    ..read_row("pttl", |context, args| Reply::Int(time_to_live(context, args[1])))
};

pub(super) static EXPIRETIME: Command = Command {
    since: "7.0.0",
    summary: "Unix time in seconds at which a key expires; -1: never; -2: there is no such key",
    ..read_row("expiretime", |context, args| Reply::Int(seconds(expire_time(context, args[1]))))
};

pub(super) static PEXPIRETIME: Command = Command {
    since: "7.0.0",
    summary: "Unix time in milliseconds at which a key expires; -1: never; -2: there is no such key",
    ..read_row("pexpiretime", |context, args| Reply::Int(expire_time(context, args[1])))
};

pub(super) static PERSIST: Command = Command {
    categories: CATEGORIES,
    keys: CHANGED,
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
                    let option = super::parse::shown(arg);
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

/// The deadline is the number in `args`, in units of `unit_ms`, after `base_ms`.
fn expire(
    context: &mut WriteContext<'_>,
    args: &Args<'_>,
    base_ms: u64,
    unit_ms: i64,
    name: &str,
) -> Outcome {
    let key = args[1];
    let conditions = Conditions::read(&args[3..])?;
    let deadline_ms = integer(args[2])?
        .checked_mul(unit_ms)
        .and_then(|ms| ms.checked_add_unsigned(base_ms))
        .ok_or_else(|| invalid_expire(name))?;
    let has_passed = u64::try_from(deadline_ms).map_or(true, |deadline_ms| context.has_passed(deadline_ms));
    let mut edit = context.edit(key);
    let Some(item) = edit.item() else { return Ok(Reply::Int(0)) };
    if !conditions.hold(item.deadline_ms, deadline_ms) {
        return Ok(Reply::Int(0));
    }
    let event = if has_passed {
        edit.remove();
        context.propagate_deletion(key);
        "del"
    } else {
        edit.set_deadline(deadline_ms as u64);
        context.propagate_deadline(key, deadline_ms as u64, &args[3..]);
        "expire"
    };
    context.notify(EventClass::Generic, event, key);
    Ok(Reply::Int(1))
}

/// What `of` says of the key, or Redis's -1 (it never expires) and -2 (there is none).
fn of_deadline(context: &mut ReadContext<'_>, key: &[u8], of: impl FnOnce(u64) -> u64) -> i64 {
    match context.peek(key) {
        None => -2,
        Some(Item { deadline_ms: 0, .. }) => -1,
        Some(item) => of(item.deadline_ms) as i64,
    }
}

fn time_to_live(context: &mut ReadContext<'_>, key: &[u8]) -> i64 {
    // The log's clock stands still while nothing is written.
    let now_ms = context.now_ms.max(context.wall_ms);
    of_deadline(context, key, |deadline_ms| deadline_ms.saturating_sub(now_ms))
}

fn expire_time(context: &mut ReadContext<'_>, key: &[u8]) -> i64 {
    of_deadline(context, key, |deadline_ms| deadline_ms)
}

/// Rounded half up; -1 and -2 stay.
fn seconds(ms: i64) -> i64 {
    if ms < 0 { ms } else { ms / 1000 + i64::from(ms % 1000 >= 500) }
}

fn persist(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    let mut edit = context.edit(args[1]);
    if edit.item().is_none_or(|item| item.deadline_ms == 0) {
        return Reply::Int(0);
    }
    edit.set_deadline(0);
    context.notify(EventClass::Generic, "persist", args[1]);
    Reply::Int(1)
}
