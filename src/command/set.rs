//! SET and its options.

use super::context::{Outcome, reply};
use super::parse::{Expiry, SYNTAX, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::strings::string;
use super::{Reply, WriteContext};
use crate::keyspace::Value;
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
    let now_ms = context.now_ms;
    let (options, deadline_ms) = if args.len() == 3 {
        (Options { condition: Condition::Always, get: false, expiry: Expiry::Clear }, Some(0))
    } else {
        let options = Options::read(&args[3..])?;
        let deadline_ms = options.expiry.deadline_ms(now_ms, "set")?;
        (options, deadline_ms)
    };
    let mut edit = context.edit(args[1]);
    let old = edit.item();
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Missing => old.is_none(),
        Condition::Exists => old.is_some(),
        Condition::Equals(value) => old.is_some_and(|item| string(&item.value).equals(value)),
    };
    let answer = match old {
        Some(item) if options.get => Reply::Bulk(string(&item.value).to_blob()),
        None if options.get => Reply::Nil,
        _ if holds => Reply::Ok,
        _ => Reply::Nil,
    };
    if holds {
        let deadline_ms = deadline_ms.unwrap_or_else(|| old.map_or(0, |item| item.deadline_ms));
        edit.set(Value::string(args[2]), deadline_ms);
    }
    Ok(answer)
}
