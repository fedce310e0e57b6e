//! `ONCE session seq COMMAND ...`: a client that repeats a command, on whichever node and
//! after whatever error, has it carried out once. The numbers of a session ascend; what
//! matters of a number is kept in [`Sessions`](super::Sessions). This module must never run a
//! command for a number that has run before.
//!
//! - A number above the session's last one runs; numbers may be left out.
//! - A number whose reply is kept gets that reply, an error included: the command is not
//!   looked at, and nothing happens.
//! - A number whose reply was too long to be kept gets `-REPLYTOOLONG`: it was applied.
//! - Any other number gets `-STALESEQ`: it has run long ago, or was left out, and it does not
//!   run now. So a client has no more than `limits::SESSION_REPLIES` numbers under way, and all
//!   of them on one connection: on several, a later number could come first.
//! - What is refused before it runs (not a command, wrong number of arguments, no room:
//!   `-SESSIONSFULL`) uses up no number.
//! - A session ends after `limits::SESSION_IDLE_MS` without a command of it, by the log's
//!   clock; then its numbers are new. A client gives up on repeating before that.

use super::context::{Outcome, reply};
use super::introspect::help_row;
use super::parse::parse_i64;
use super::row::{Arg, ArgKind, Command, Flags, Handler};
use super::sessions::Known;
use super::{Audience, ReadContext, Reply, WriteContext, resolve};
use crate::limits::MAX_SESSION_NAME_BYTES;
use crate::mutant::{self, Mutant};
use crate::wire::units::Args;

const SESSION: Arg = Arg::new("session", ArgKind::String);
const FLAGS: Flags = Flags::WRITE.and(Flags::DENYOOM).and(Flags::NOSCRIPT).and(Flags::MOVABLEKEYS);

const BAD_NAME: Reply = Reply::error("ERR the name of a session has 1 to 256 bytes");
const BAD_SEQ: Reply = Reply::error("ERR the number of a command in its session is an integer from 1");
const FULL: Reply = Reply::error(
    "SESSIONSFULL There are too many sessions, or they hold too much; the command was not applied",
);

/// Each node has its own answer to them: the order of its tables, when it last saw a key used,
/// what a value takes there. Replies are kept on every node, and must be the same there.
const ANSWERED_BY_EACH_NODE: [&str; 7] =
    ["cluster|getkeysinslot", "keys", "memory|usage", "object|freq", "object|idletime", "randomkey", "scan"];

pub(super) static ONCE: Command = Command {
    since: "0.1.0",
    summary: "Runs a command that reads or writes keys once for each number of a session: sent \
              again, on any node, it only gets the first reply again. Numbers ascend; of older \
              ones than the session keeps replies to (64, or 64 KiB of them) the answer is \
              -STALESEQ. A session ends after an hour without a command",
    complexity: "That of the command, and O(log N) of the number of sessions",
    arguments: &[
        SESSION,
        Arg::new("seq", ArgKind::Integer),
        Arg::new("command", ArgKind::String),
        Arg::new("arg", ArgKind::String).optional().multiple(),
    ],
    subcommands: &[
        Command {
            full_name: "once|status",
            since: "0.1.0",
            summary: "A session's last number, the numbers whose replies it keeps, and how long it \
                      has been idle; nil when there is no such session",
            complexity: "O(log N) of the number of sessions",
            arguments: &[SESSION],
            ..Command::new("status", 3, Flags::READONLY, Handler::Read(status))
        },
        help_row("once|help", "0.1.0", "generic", &[]),
    ],
    wraps: 3,
    ..Command::new("once", -4, FLAGS, Handler::Write(|context, args| reply(once(context, args))))
};

/// The row of the command that a call of `row` runs: one that reads or writes keys.
pub(super) fn wrapped(row: &Command, args: &Args<'_>) -> Result<&'static Command, Reply> {
    let name = row.name.to_ascii_uppercase();
    let call: Args<'_> = args[row.wraps..].into();
    // Nothing that runs another is run by another: this cannot recurse further.
    if super::lookup(call[0]).is_some_and(|inner| inner.wraps != 0) {
        return Err(Reply::error_owned(format!("ERR {name} does not run itself")));
    }
    let command = resolve(&call)?;
    // What administrators do is not for clients that repeat themselves, and may hold passwords.
    if matches!(command.handler, Handler::Connection(_)) || command.flags.has(Flags::ADMIN) {
        let what = command.full_name;
        let text = format!("ERR {name} runs commands that read or write keys: not '{what}'");
        return Err(Reply::error_owned(text));
    }
    if ANSWERED_BY_EACH_NODE.contains(&command.full_name) {
        return Err(Reply::error_owned(format!(
            "ERR {name} runs no command that each node answers for itself"
        )));
    }
    Ok(command)
}

fn once(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let name = session_name(args[1])?;
    let seq = parse_i64(args[2]).filter(|&seq| seq > 0).ok_or(BAD_SEQ)? as u64;
    let command = wrapped(&ONCE, args)?;
    let now_ms = context.now_ms;
    if !mutant::is(Mutant::OnceEveryTime)
        && let Some(outcome) = repetition(seq, context.state.sessions.look_up(name, seq, now_ms))
    {
        context.state.sessions.touch(name, now_ms);
        return outcome;
    }
    if !context.state.sessions.has_room(name) {
        return Err(FULL);
    }
    let audience = context.state.scripts.audience();
    context.state.scripts.set_audience(audience.max(Audience::Caller)); // every node keeps the answer
    let first = run(context, command, args[ONCE.wraps..].into());
    context.state.scripts.set_audience(audience);
    let first = first?;
    context.state.sessions.note(name, seq, &first, now_ms);
    Ok(first)
}

/// What the command itself answers. Err: it is none of those that a client may repeat.
fn run(context: &mut WriteContext<'_>, command: &'static Command, call: Args<'_>) -> Outcome {
    match command.handler {
        Handler::Write(write) => Ok(write(context, &call)),
        Handler::Read(read) => {
            let now_ms = context.now_ms;
            let mut reading = ReadContext::new(context.state, context.db, now_ms, now_ms, context.seed);
            reading.caller = context.caller;
            Ok(read(&mut reading, &call))
        }
        Handler::Connection(_) => Err(super::unknown(&call)),
    }
}

/// The answer to a number that is not new.
fn repetition(seq: u64, known: Known) -> Option<Outcome> {
    let text = match known {
        Known::New => return None,
        Known::Kept(first) => return Some(Ok(first)),
        Known::TooLong => {
            format!("REPLYTOOLONG {seq} was applied when it first came; its reply was too long to be kept")
        }
        Known::Forgotten { last } => format!(
            "STALESEQ {seq} is not above {last}, the session's last, and has no reply kept; \
             the command was not applied now"
        ),
    };
    Some(Err(Reply::error_owned(text)))
}

fn session_name(name: &[u8]) -> Result<&[u8], Reply> {
    if name.is_empty() || name.len() > MAX_SESSION_NAME_BYTES { Err(BAD_NAME) } else { Ok(name) }
}

fn status(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let Some(seen) = context.state.sessions.see(args[2], context.now_ms) else { return Reply::NilArray };
    // What one client saw end, nobody sees again.
    context.saw_expiring |= seen.has_ended(context.wall_ms);
    let idle_ms = context.wall_ms.max(context.now_ms).saturating_sub(seen.last_used_ms);
    let int = |number: u64| Reply::Int(number as i64);
    Reply::Map(vec![
        (Reply::bulk("last_seq"), int(seen.last_seq)),
        (Reply::bulk("replies"), Reply::Array(seen.kept.into_iter().map(int).collect())),
        (Reply::bulk("idle_ms"), int(idle_ms)),
    ])
}
