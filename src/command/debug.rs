//! DEBUG: its row, and the one of its subcommands that writes keys. The server carries out the
//! others, and refuses all of them unless the node was started with them; nothing here may ask
//! who is allowed what.

use super::context::{Outcome, reply};
use super::parse::parse_i64;
use super::propagate::Expires;
use super::row::{Arg, ArgKind, Command, ConnectionCommand, Flags, Handler};
use super::{Reply, WriteContext};
use crate::keyspace::Value;
use crate::limits::{MAX_POPULATED_BYTES, MAX_POPULATED_KEYS};
use crate::wire::units::Args;

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
