//! SET and its options; SETNX, SETEX, PSETEX and GETSET, which are some of them under a name.
//! All of them must tell the same events for the same change.

use super::context::{Outcome, reply};
use super::parse::{Expiry, SYNTAX, Unit, is};
use super::propagate::Expires;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::string_of;
use super::{Reply, WriteContext};
use crate::keyspace::EventClass;
use crate::wire::units::Args;

/// `EX`, `PX`, `EXAT`, `PXAT`, `KEEPTTL`.
pub(super) const EXPIRATION: Arg = Arg::one_of(
    "expiration",
    &[
        Arg::new("seconds", ArgKind::Integer).after("EX"),
        Arg::new("milliseconds", ArgKind::Integer).after("PX"),
        Arg::new("unix-time-seconds", ArgKind::UnixTime).after("EXAT"),
        Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("PXAT"),
        Arg::word("keepttl", "KEEPTTL"),
    ],
)
.optional();

pub(super) static SET: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec {
        flags_unless_get: Some(&["OW", "update"]),
        notes: "RW and ACCESS due to the optional `GET` argument",
        ..KeySpec::one(&["RW", "access", "update", "variable_flags"])
    }],
    group: "string",
    summary: "Sets a string, on a condition if asked, with a time to live if asked",
    arguments: &[
        Arg::KEY,
        Arg::new("value", ArgKind::String),
        Arg::one_of(
            "condition",
            &[
                Arg::word("nx", "NX"),
                Arg::word("xx", "XX"),
                Arg::new("comparison-value", ArgKind::String).after("IFEQ"),
            ],
        )
        .optional(),
        Arg::word("get", "GET").optional(),
        EXPIRATION,
    ],
    ..Command::new(
        "set",
        -3,
        Flags::WRITE.and(Flags::DENYOOM),
        Handler::Write(|context, args| reply(set(context, args))),
    )
};

const VALUE: Arg = Arg::new("value", ArgKind::String);
const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM);

pub(super) static SETNX: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec::one(&["OW", "insert"])],
    group: "string",
    summary: "Sets a string if the key does not exist",
    arguments: &[Arg::KEY, VALUE],
    ..Command::new("setnx", 3, FLAGS.and(Flags::FAST), Handler::Write(setnx))
};

pub(super) static SETEX: Command = Command {
    since: "2.0.0",
    summary: "Sets a string with a time to live in seconds",
    arguments: &[Arg::KEY, Arg::new("seconds", ArgKind::Integer), VALUE],
    ..setex_row("setex", Handler::Write(|context, args| reply(setex(context, args, Unit::Ex, "setex"))))
};

pub(super) static PSETEX: Command = Command {
    since: "2.6.0",
    summary: "Sets a string with a time to live in milliseconds",
    arguments: &[Arg::KEY, Arg::new("milliseconds", ArgKind::Integer), VALUE],
    ..setex_row("psetex", Handler::Write(|context, args| reply(setex(context, args, Unit::Px, "psetex"))))
};

const OVERWRITTEN: &[KeySpec] = &[KeySpec::one(&["OW", "update"])];

const fn setex_row(name: &'static str, handler: Handler) -> Command {
    Command {
        categories: &[Category::String],
        keys: OVERWRITTEN,
        group: "string",
        ..Command::new(name, 4, FLAGS, handler)
    }
}

pub(super) static GETSET: Command = Command {
    categories: &[Category::String],
    keys: &[KeySpec::one(&["RW", "access", "update"])],
    group: "string",
    summary: "Sets a string and returns what it was before",
    arguments: &[Arg::KEY, VALUE],
    replaced: Some(("6.2.0", "`SET` with the `!GET` argument")),
    ..Command::new(
        "getset",
        3,
        FLAGS.and(Flags::FAST),
        Handler::Write(|context, args| reply(getset(context, args))),
    )
};

/// When SET sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition<'a> {
    Always,
    Missing,
    Exists,
    Equals(&'a [u8]),
}

#[derive(Debug)]
struct Options<'a> {
    condition: Condition<'a>,
    get: bool,
    expiry: Expiry<'a>,
}

impl<'a> Options<'a> {
    fn read(args: &[&'a [u8]]) -> Result<Self, Reply> {
        let mut options = Self { condition: Condition::Always, get: false, expiry: Expiry::Clear };
        let mut rest = args;
        while !rest.is_empty() {
            let taken = match options.expiry.take(rest) {
                0 => options.take(rest)?,
                taken => taken,
            };
            rest = &rest[taken..];
        }
        Ok(options)
    }

    /// The same condition may be given twice, as in Redis; two different ones may not.
    fn take(&mut self, rest: &[&'a [u8]]) -> Result<usize, Reply> {
        let name = rest[0];
        if is(name, "GET") {
            self.get = true;
            return Ok(1);
        }
        let (condition, taken) = match rest.get(1) {
            _ if is(name, "NX") => (Condition::Missing, 1),
            _ if is(name, "XX") => (Condition::Exists, 1),
            Some(&value) if is(name, "IFEQ") => (Condition::Equals(value), 2),
            _ => return Err(SYNTAX),
        };
        let same_kind = std::mem::discriminant(&self.condition) == std::mem::discriminant(&condition);
        if self.condition != Condition::Always && !same_kind {
            return Err(SYNTAX);
        }
        self.condition = condition;
        Ok(taken)
    }
}

fn set(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    if args.len() == 3 {
        put(context, args[1], args[2], 0, false);
        return Ok(Reply::Ok);
    }
    let options = Options::read(&args[3..])?;
    let deadline_ms = options.expiry.deadline_ms(context.now_ms, "set")?;
    let mut edit = context.edit(args[1]);
    let old = edit.item();
    let is_miss = options.get && old.is_none();
    let old_string = match options {
        Options { get: true, .. } | Options { condition: Condition::Equals(_), .. } => string_of(old)?,
        _ => None,
    };
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Missing => old.is_none(),
        Condition::Exists => old.is_some(),
        Condition::Equals(value) => old_string.is_some_and(|string| string.equals(value)),
    };
    let answer = match old_string {
        Some(string) if options.get => Reply::Bulk(string.to_blob()),
        None if options.get => Reply::Nil,
        _ if holds => Reply::Ok,
        _ => Reply::Nil,
    };
    let deadline_ms = deadline_ms.unwrap_or_else(|| old.map_or(0, |item| item.deadline_ms));
    if is_miss {
        context.notify(EventClass::KeyMiss, "keymiss", args[1]);
        edit = context.edit(args[1]);
    }
    if holds {
        let value = edit.string(args[2]);
        edit.set(value, deadline_ms);
        tell_set(context, args[1], matches!(options.expiry, Expiry::At { .. }));
        tell_replicas(context, args, &options, deadline_ms);
    }
    Ok(answer)
}

/// What was asked for on top of a plain SET, as Redis tells it.
fn tell_replicas(context: &mut WriteContext<'_>, args: &Args<'_>, options: &Options<'_>, deadline_ms: u64) {
    let (key, value) = (args[1], args[2]);
    let is_ours = matches!(options.condition, Condition::Equals(_));
    if is_ours || matches!(options.expiry, Expiry::At { .. }) {
        context.propagate_set(key, value, Expires::of(options.expiry, deadline_ms));
    } else if options.get && context.propagates() {
        let kept = args[3..].iter().filter(|option| !is(option, "GET"));
        let call: Vec<&[u8]> = [&b"SET"[..], key, value].iter().chain(kept).copied().collect();
        context.propagate(&call);
    }
}

/// Sets a string, and tells of it. `expires`: the command gave it the deadline.
fn put(context: &mut WriteContext<'_>, key: &[u8], value: &[u8], deadline_ms: u64, expires: bool) {
    let mut edit = context.edit(key);
    let value = edit.string(value);
    edit.set(value, deadline_ms);
    tell_set(context, key, expires);
}

fn tell_set(context: &mut WriteContext<'_>, key: &[u8], expires: bool) {
    context.notify(EventClass::String, "set", key);
    if expires {
        context.notify(EventClass::Generic, "expire", key);
    }
}

fn setnx(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    if context.edit(args[1]).item().is_some() {
        return Reply::Int(0);
    }
    put(context, args[1], args[2], 0, false);
    Reply::Int(1)
}

fn setex(context: &mut WriteContext<'_>, args: &Args<'_>, unit: Unit, name: &str) -> Outcome {
    let expiry = Expiry::At { unit, number: args[2] };
    let deadline_ms = expiry.deadline_ms(context.now_ms, name)?.unwrap_or_default();
    put(context, args[1], args[3], deadline_ms, true);
    context.propagate_set(args[1], args[3], Expires::At(deadline_ms));
    Ok(Reply::Ok)
}

fn getset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let old = string_of(context.edit(args[1]).item())?.map(|value| value.to_blob());
    if old.is_none() {
        context.notify(EventClass::KeyMiss, "keymiss", args[1]);
    }
    put(context, args[1], args[2], 0, false);
    context.propagate_set(args[1], args[2], Expires::Never);
    Ok(old.map_or(Reply::Nil, Reply::Bulk))
}
