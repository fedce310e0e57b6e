//! DUMP and RESTORE: a value in Redis's own serialization, to move it to another server. What a
//! payload holds is `keyspace::rdb`'s affair; nothing here may look into one.

use super::context::{Outcome, reply};
use super::parse::{SYNTAX, integer, is};
use super::rename::put;
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::{ReadContext, Reply, WriteContext};
use crate::keyspace::{EventClass, rdb};
use crate::wire::units::Args;

pub(super) static DUMP: Command = Command {
    categories: &[Category::Keyspace],
    keys: &[KeySpec::one(&["RO", "access"])],
    tips: &["nondeterministic_output"],
    since: "2.6.0",
    summary: "A value as bytes that RESTORE takes, here or on a redis-server",
    complexity: "O(N) of the size of the value",
    arguments: &[Arg::KEY],
    ..Command::new("dump", 2, Flags::READONLY, Handler::Read(dump))
};

pub(super) static RESTORE: Command = Command {
    since: "2.6.0",
    summary: "Creates a key from what DUMP gave, with a time to live in milliseconds (0: none)",
    ..restores("restore", Flags::WRITE.and(Flags::DENYOOM))
};

/// A row of a command that restores.
pub(super) const fn restores(name: &'static str, flags: Flags) -> Command {
    Command {
        categories: &[Category::Keyspace, Category::Dangerous],
        keys: RESTORE_KEYS,
        complexity: "O(N) of the size of the value",
        arguments: RESTORE_ARGUMENTS,
        ..Command::new(name, -4, flags, Handler::Write(|context, args| reply(restore(context, args))))
    }
}

const RESTORE_KEYS: &[KeySpec] = &[KeySpec::one(&["OW", "update"])];
const RESTORE_ARGUMENTS: &[Arg] = &[
    Arg::KEY,
    Arg::new("ttl", ArgKind::Integer),
    Arg::new("serialized-value", ArgKind::String),
    Arg::word("replace", "REPLACE").optional(),
    Arg::word("absttl", "ABSTTL").optional(),
    Arg::new("seconds", ArgKind::Integer).after("IDLETIME").optional(),
    Arg::new("frequency", ArgKind::Integer).after("FREQ").optional(),
];

fn dump(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    context.get(args[1]).map_or(Reply::Nil, |item| Reply::bulk(rdb::dump(&item.value)))
}

#[derive(Debug, Default)]
struct Options {
    replace: bool,
    /// The time to live is a Unix time.
    absolute: bool,
    /// Seconds since the key was last used.
    idle_s: Option<u64>,
    /// Its counter of uses.
    frequency: Option<u8>,
}

impl Options {
    fn read(mut args: &[&[u8]]) -> Result<Self, Reply> {
        let mut options = Self::default();
        while let [option, tail @ ..] = args {
            args = match tail {
                _ if is(option, "REPLACE") => {
                    options.replace = true;
                    tail
                }
                _ if is(option, "ABSTTL") => {
                    options.absolute = true;
                    tail
                }
                [number, tail @ ..] if is(option, "IDLETIME") && options.frequency.is_none() => {
                    let idle_s = u64::try_from(integer(number)?);
                    let error = Reply::error("ERR Invalid IDLETIME value, must be >= 0");
                    options.idle_s = Some(idle_s.map_err(|_| error)?);
                    tail
                }
                [number, tail @ ..] if is(option, "FREQ") && options.idle_s.is_none() => {
                    let frequency = u8::try_from(integer(number)?);
                    let error = Reply::error("ERR Invalid FREQ value, must be >= 0 and <= 255");
                    options.frequency = Some(frequency.map_err(|_| error)?);
                    tail
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(options)
    }
}

fn restore(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, payload) = (args[1], args[3]);
    let options = Options::read(&args[4..])?;
    let exists = context.edit(key).item().is_some();
    if exists && !options.replace {
        return Err(Reply::error("BUSYKEY Target key name already exists."));
    }
    let ttl_ms = integer(args[2])?;
    if ttl_ms < 0 {
        return Err(Reply::error("ERR Invalid TTL value, must be >= 0"));
    }
    let forms = context.state.keyspace.forms();
    let value = rdb::restore(payload, &forms).map_err(|error| Reply::error_owned(format!("ERR {error}")))?;
    let deadline_ms = match ttl_ms {
        0 => None,
        _ if options.absolute => Some(ttl_ms),
        // What overflows lies in the past, in Redis too.
        _ => Some(ttl_ms.wrapping_add_unsigned(context.now_ms)),
    };
    let has_expired = |&deadline_ms: &i64| deadline_ms < 0 || context.has_passed(deadline_ms as u64);
    if deadline_ms.as_ref().is_some_and(has_expired) {
        if context.edit(key).remove() {
            context.notify(EventClass::Generic, "del", key);
            context.propagate_deletion(key);
        }
        return Ok(Reply::Ok);
    }
    put(context, context.db, key, value, deadline_ms.unwrap_or(0) as u64);
    // Each says something only under a policy that goes by it.
    match (options.idle_s, options.frequency, context.state.settings.eviction.counts_uses()) {
        (Some(idle_s), _, false) => context.edit(key).set_idle(idle_s),
        (_, Some(frequency), true) => context.edit(key).set_frequency(frequency),
        _ => {}
    }
    context.notify(EventClass::Generic, "restore", key);
    if let Some(deadline_ms) = deadline_ms.filter(|_| !options.absolute && context.propagates()) {
        let deadline = deadline_ms.to_string();
        let told = [&[args[0], key, deadline.as_bytes(), payload], &args[4..], &[b"ABSTTL"]];
        context.propagate(&told.concat());
    }
    Ok(Reply::Ok)
}
