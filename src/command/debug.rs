//! DEBUG: its row, the one of its subcommands that writes keys, and those that scripts may call. The server
//! carries out the others, and refuses all of them unless the node was started with them; nothing here may
//! ask who is allowed what.

use super::context::{Outcome, reply};
use super::parse::parse_i64;
use super::propagate::Expires;
use super::row::{Arg, ArgKind, Command, ConnectionCommand, Flags, Handler};
use super::{Reply, WriteContext};
use crate::keyspace::Value;
use crate::limits::{MAX_DEBUG_SLEEP, MAX_POPULATED_BYTES, MAX_POPULATED_KEYS};
use crate::wire::units::Args;
use std::time::Duration;

const FLAGS: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE);

pub(super) static DEBUG: Command = Command {
    group: "server",
    summary: "Commands for tests, if the node was started with --enable-debug-command",
    complexity: "Depends on subcommand.",
    arguments: &[
        Arg::new("subcommand", ArgKind::String),
        Arg::new("arg", ArgKind::String).optional().multiple(),
    ],
    ..Command::new("debug", -2, FLAGS, Handler::Connection(ConnectionCommand::Debug))
};

/// `DEBUG PROTOCOL`: a reply of that kind, in RESP2 what takes its place.
#[expect(clippy::approx_constant, reason = "Redis's number, and no approximation of anything")]
pub fn protocol(name: &[u8]) -> Reply {
    let numbers = || (0..3).map(Reply::Int).collect();
    match name.to_ascii_lowercase().as_slice() {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(3.141),
        b"bignum" => Reply::BigNumber("1234567999999999999999999999999999999".into()),
        b"null" => Reply::Nil,
        b"array" => Reply::Array(numbers()),
        b"set" => Reply::Set(numbers()),
        b"map" => Reply::Map((0..3).map(|n| (Reply::Int(n), Reply::Bool(n == 1))).collect()),
        b"attrib" => Reply::bulk("Some real reply following the attribute"),
        b"push" => Reply::error("ERR RESP2 is not supported by this command"),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"verbatim" => Reply::Verbatim("This is a verbatim\nstring".into()),
        _ => Reply::error(
            "ERR Wrong protocol type name. Please use one of the following: \
             string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
        ),
    }
}

/// How long a `SLEEP` takes: seconds, as C's `strtod` would read them, up to a bound.
pub fn sleep_of(args: &Args<'_>) -> Option<Duration> {
    if !(args.len() == 3 && args[1].eq_ignore_ascii_case(b"SLEEP")) {
        return None;
    }
    let seconds: f64 = std::str::from_utf8(args[2]).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    Some(Duration::try_from_secs_f64(seconds).unwrap_or_default().min(MAX_DEBUG_SLEEP))
}

/// What a script may call of it, where that is allowed. Time stands still for a script: who has had it run sleeps
/// when it has ended.
pub(super) fn in_script(call: &Args<'_>) -> Reply {
    match (call[1].to_ascii_lowercase().as_slice(), &call[2..]) {
        (b"protocol", [name]) => protocol(name),
        (b"sleep", [_]) => Reply::Ok,
        _ => Reply::error("ERR This Redis command is not allowed from script"),
    }
}

/// `DEBUG POPULATE count [prefix [size]]`, as it stands in the log.
pub fn populate(context: &mut WriteContext<'_>, args: &Args<'_>) -> Reply {
    reply(run(context, args))
}

fn run(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let is_populate = args.get(1).is_some_and(|name| name.eq_ignore_ascii_case(b"POPULATE"));
    if !is_populate || !(3..=5).contains(&args.len()) {
        return Err(Reply::error("ERR not a command of the keyspace"));
    }
    let count = positive(args[2])?;
    let size_bytes = args.get(4).map_or(Ok(0), |size| positive(size))?;
    if count > MAX_POPULATED_KEYS || count.saturating_mul(size_bytes) > MAX_POPULATED_BYTES {
        let limit = format!("{MAX_POPULATED_KEYS} keys and {MAX_POPULATED_BYTES} bytes");
        return Err(Reply::error_owned(format!("ERR DEBUG POPULATE makes at most {limit} at once")));
    }
    let prefix = args.get(3).copied().unwrap_or(b"key");
    for number in 0..count {
        let key = [prefix, format!(":{number}").as_bytes()].concat();
        let mut edit = context.edit(&key);
        if edit.item().is_none() {
            let mut value = format!("value:{number}").into_bytes();
            if size_bytes > 0 {
                value.resize(size_bytes, 0);
            }
            edit.set(Value::text(&value), 0);
            context.propagate_set(&key, &value, Expires::Never);
        }
    }
    Ok(Reply::Ok)
}

fn positive(arg: &[u8]) -> Result<usize, Reply> {
    let number = parse_i64(arg).and_then(|number| usize::try_from(number).ok());
    number.ok_or(Reply::error("ERR value is out of range, must be positive"))
}
