//! What clients can ask for: the table of commands, and the functions that carry them out
//! on a keyspace. This module must never know how requests arrive, how replies leave, or
//! what time it is: keyspace, clock, seed and arguments alone decide every outcome.
//!
//! A command is one row (`Command`), beside its function, in the file of its family; a new
//! family is one more line in `table`.

mod absent;
mod acl;
mod bits;
mod blocking;
mod client;
mod connection;
mod context;
mod conversion;
mod counters;
mod databases;
mod debug;
mod discovery;
mod double;
mod draw;
mod dump;
mod expiry;
mod floats;
mod generic;
mod geo;
mod getex;
mod glob;
mod hash;
mod hyperloglog;
mod introspect;
mod lcs;
mod list;
mod lolwut;
mod long_double;
mod memory;
mod migrate;
mod object;
mod observe;
mod once;
mod operations;
mod parse;
mod propagate;
mod pubsub;
mod ranges;
mod rename;
mod replication;
mod reply;
mod request;
mod row;
mod scan;
mod scripts;
mod secrets;
mod server;
mod sessions;
mod set;
mod setops;
mod settings;
mod sort;
mod sorted_set;
mod stream;
mod strings;
mod table;
mod transactions;
mod typed;
mod upstream;
mod versions;

#[cfg(test)]
mod tests;

pub use acl::{
    Acl, AclCommand, Denied, User, acl_too_many, check_rules, hash_password, requirepass, shown_requirepass,
    without_passwords,
};
pub use blocking::{Awaited, Found, Wanted, brings};
pub use client::ClientCommand;
pub use context::{ReadContext, State, WriteContext};
pub use databases::database;
pub use debug::{populate as debug_populate, protocol as debug_protocol, sleep_of};
pub use discovery::{ClusterCommand, SentinelCommand};
pub use glob::matches as glob_matches;
pub use hyperloglog::selftest as hyperloglog_selftest;
pub use introspect::{introspect, named};
pub use lolwut::REDIS_VERSION;
pub use memory::MemoryCommand;
pub use migrate::{Migration, Removal, removal_call, removals, remove_migrated};
pub use observe::{LatencyCommand, SlowlogCommand};
pub use operations::NodeCommand;
pub use parse::{parse_i64, shown};
pub use pubsub::{PubSubCommand, Subscription};
pub use replication::ReplicaCommand;
pub use reply::Reply;
pub use request::{Request, RequestCaller, Spans};
pub use row::{Arg, ArgKind, Command, ConnectionCommand, Flags, Handler, KeySpec};
pub use scripts::{Audience, READINGS, Scripts};
pub use secrets::is_secret;
pub use sessions::Sessions;
pub use settings::Settings;
pub use table::{all, commands, lookup};
pub use upstream::{Refusals, Source, Stage, Upstream, followed};

use crate::wire::units::Args;

/// The row that carries `args` out: a subcommand's if the command has any. Otherwise the
/// error Redis answers with: unknown command, unknown subcommand, wrong number of arguments;
/// of a command that runs another, those of the other as well.
pub fn resolve(args: &Args<'_>) -> Result<&'static Command, Reply> {
    match args.first().and_then(|name| plain(name, args.len())) {
        Some(row) => Ok(row),
        None => resolve_further(args),
    }
}

/// The same of a request, whose arguments nobody has needed yet.
pub fn resolve_request(request: &Request) -> Result<&'static Command, Reply> {
    match request.arg(0).and_then(|name| plain(name, request.len())) {
        Some(row) => Ok(row),
        None => resolve_further(&request.args()),
    }
}

/// The row of a call whose name and number of arguments say all: of nearly every call.
fn plain(name: &[u8], len: usize) -> Option<&'static Command> {
    lookup(name).filter(|row| row.subcommands.is_empty() && row.wraps == 0 && row.takes(len))
}

#[cold]
fn resolve_further(args: &Args<'_>) -> Result<&'static Command, Reply> {
    let Some(command) = args.first().and_then(|name| lookup(name)) else {
        return Err(unknown(args));
    };
    let Some(row) = command.row_of(args) else {
        return Err(unknown_subcommand(command, args[1]));
    };
    row.check_arity(args)?;
    if row.wraps != 0 {
        once::wrapped(row, args)?;
    }
    Ok(row)
}

/// The first key of a call of `row`; of a command that runs another, the other's.
pub fn first_key<'a>(row: &Command, call: &[&'a [u8]]) -> Option<&'a [u8]> {
    if row.wraps != 0 {
        let inner = call.get(row.wraps..)?;
        return first_key(lookup(inner.first()?)?.row_of(inner)?, inner);
    }
    let (at, _) = row.keys_of(call).find(|(_, spec)| spec.is_key())?;
    call.get(at).copied()
}

/// `ERR unknown command ...`, naming it and the first 128 bytes of its arguments.
pub fn unknown(args: &Args<'_>) -> Reply {
    const SHOWN_BYTES: usize = 128;
    let name = args.first().copied().unwrap_or_default();
    let mut text = b"ERR unknown command '".to_vec();
    text.extend_from_slice(parse::c_string(name, SHOWN_BYTES));
    text.extend_from_slice(b"', with args beginning with: ");
    let start = text.len();
    for arg in args.iter().skip(1) {
        let shown = text.len() - start;
        if shown >= SHOWN_BYTES {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(parse::c_string(arg, SHOWN_BYTES - shown));
        text.extend_from_slice(b"' ");
    }
    if let Some(reason) = absent::reason(None, name) {
        text.extend_from_slice(format!("; bowline deliberately has none: {reason}").as_bytes());
    }
    Reply::error_owned(String::from_utf8_lossy(&text).into_owned())
}

fn unknown_subcommand(container: &Command, name: &[u8]) -> Reply {
    let shown = String::from_utf8_lossy(parse::c_string(name, 128));
    let upper = container.name.to_ascii_uppercase();
    let text = format!("ERR unknown subcommand '{shown}'. Try {upper} HELP.");
    Reply::error_owned(match absent::reason(Some(container.name), name) {
        Some(reason) => format!("{text} bowline deliberately has none: {reason}"),
        None => text,
    })
}
