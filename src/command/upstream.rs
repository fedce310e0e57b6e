//! REPLICAOF and SLAVEOF: the whole cluster follows a Redis, or stops to. They only change the state
//! (`state`); a link of the leader's does what it says. Nothing here may say that a copy is complete.

mod refusal;
mod state;

pub use refusal::Refusals;
pub use state::{Source, Stage, Upstream};

use super::context::{Outcome, reply};
use super::parse::{integer, is};
use super::row::{Arg, ArgKind, Command, Flags, Handler};
use super::{Reply, WriteContext, resolve, shown};
use crate::limits::MAX_UPSTREAM_HOST_BYTES;
use crate::wire::units::Args;

const FLAGS: Flags = Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::STALE).and(Flags::NO_ASYNC_LOADING);

const ARGUMENTS: &[Arg] = &[Arg::one_of(
    "args",
    &[
        Arg::block("host-port", &[Arg::new("host", ArgKind::String), Arg::new("port", ArgKind::Integer)]),
        Arg::block("no-one", &[Arg::word("no", "NO"), Arg::word("one", "ONE")]),
    ],
)];

const fn row(name: &'static str) -> Command {
    Command {
        group: "server",
        arguments: ARGUMENTS,
        ..Command::new(name, 3, FLAGS, Handler::Write(|context, args| reply(replicaof(context, args))))
    }
}

pub(super) static REPLICAOF: Command = Command {
    since: "5.0.0",
    summary: "The cluster becomes a copy of a Redis and follows it, or stops to and takes writes",
    ..row("replicaof")
};

pub(super) static SLAVEOF: Command = Command {
    summary: "The older name of REPLICAOF",
    replaced: Some(("5.0.0", "`REPLICAOF`")),
    ..row("slaveof")
};

/// The row by which a command of an upstream's stream is carried out; otherwise why it cannot be. What
/// only reads changes nothing, and what concerns a node is none of the upstream's.
pub fn followed(args: &Args<'_>) -> Result<&'static Command, String> {
    let row = resolve(args).map_err(|_| lacking(args))?;
    let is_told = row.flags.has(Flags::WRITE) || row.flags.has(Flags::PUBSUB);
    match row.handler {
        Handler::Read(_) => Ok(row),
        Handler::Write(_) if is_told && row.wraps == 0 => Ok(row),
        Handler::Write(_) | Handler::Connection(_) => Err(lacking(args)),
    }
}

fn lacking(args: &Args<'_>) -> String {
    let name = shown(args.first().copied().unwrap_or_default()).to_ascii_uppercase();
    format!("the upstream sent {name}, which bowline cannot carry out")
}

fn replicaof(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    if is(args[1], "NO") && is(args[2], "ONE") {
        if context.state.upstream.leave() {
            context.state.keyspace.flush_all();
            context.propagate(&[b"FLUSHALL"]);
            if context.state.scripts.forget_libraries() {
                context.propagate(&[b"FUNCTION", b"FLUSH"]);
            }
        }
        context.state.tell_refusals();
        return Ok(Reply::Ok);
    }
    let port = integer(args[2]).ok().and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Reply::error("ERR Invalid master port"))?;
    let host = std::str::from_utf8(args[1]).ok();
    let host = host.filter(|host| (1..=MAX_UPSTREAM_HOST_BYTES).contains(&host.len()));
    let host = host.ok_or(Reply::error("ERR Invalid master host"))?;
    if context.state.upstream.is(host, port) {
        return Ok(Reply::simple("OK Already connected to specified master"));
    }
    context.state.upstream.follow(host, port);
    context.state.tell_refusals();
    Ok(Reply::Ok)
}
