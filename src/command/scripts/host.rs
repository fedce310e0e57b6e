//! `redis.call`: commands that a script asks for, judged and carried out as Redis does it. A command that
//! was carried out for a script is never carried out again, whatever becomes of the machine that asked.

use super::convert::{size_bytes, to_lua};
use super::raised::{Raised, error_table, error_text};
use super::vm::Meter;
use super::{Caller, number};
use crate::command::parse::integer;
use crate::command::row::{Command, ConnectionCommand as Do, Flags, Handler};
use crate::command::{Denied, ReadContext, Reply, WriteContext, database, introspect, lookup};
use crate::limits::{SCRIPT_BYTES_PER_INSTRUCTION, SCRIPT_INSTRUCTIONS_PER_CALL};
use crate::wire::units::Args;
use mlua::{Lua, MultiValue, Result, Value};
use std::sync::atomic::Ordering::Relaxed;

/// What a script's commands work on.
pub(super) enum Target<'a, 'c> {
    Write(&'a mut WriteContext<'c>),
    Read(&'a mut ReadContext<'c>),
}

/// Commands that count as writes in a script that may not write, although they change no keys.
const MAY_REPLICATE: [&str; 4] = ["publish", "spublish", "pfcount", "pfmerge"];

/// Their answers rest on what a node has seen, or on the order of its tables.
const ONLY_BY_ONE_NODE: [&str; 5] =
    ["cluster|getkeysinslot", "memory|usage", "object|freq", "object|idletime", "randomkey"];
/// Only the order of their keys does.
const IN_ORDER_OF_TABLES: [&str; 2] = ["keys", "scan"];

fn in_order_of(row: &Command, reply: Reply) -> Reply {
    if IN_ORDER_OF_TABLES.contains(&row.full_name) { in_order(reply) } else { reply }
}

/// With lists of strings sorted.
fn in_order(reply: Reply) -> Reply {
    let text = |reply: &Reply| match reply {
        Reply::Bulk(bytes) => Some(bytes.to_vec()),
        _ => None,
    };
    match reply {
        Reply::Array(items) if matches!(items.last(), Some(Reply::Array(_))) => {
            Reply::Array(items.into_iter().map(in_order).collect())
        }
        Reply::Array(mut items) => {
            items.sort_by_cached_key(text);
            Reply::Array(items)
        }
        other => other,
    }
}

/// What the commands of one script go through.
pub(super) struct Host<'a, 'c> {
    pub(super) target: Target<'a, 'c>,
    pub(super) caller: &'a Caller<'a>,
    pub(super) read_only: bool,
    pub(super) ignores_memory: bool,
    db: usize,
    seed: u64,
    has_written: bool,
    /// What commands have answered so far. Err: why one was refused.
    answers: Vec<std::result::Result<Reply, String>>,
    /// How many of them the machine at hand was given.
    given: usize,
}

impl<'a, 'c> Host<'a, 'c> {
    pub(super) fn new(target: Target<'a, 'c>, caller: &'a Caller<'a>) -> Self {
        let (db, seed) = match &target {
            Target::Write(context) => (context.db, context.seed),
            Target::Read(context) => (context.db, context.seed),
        };
        let (read_only, ignores_memory, has_written) = (false, false, false);
        let answers = Vec::new();
        Self { target, caller, read_only, ignores_memory, db, seed, has_written, answers, given: 0 }
    }

    /// What random numbers of the script follow from.
    pub(super) fn seed(&self) -> u64 {
        match &self.target {
            Target::Write(context) => context.seed,
            Target::Read(context) => context.seed,
        }
    }

    /// Another machine begins the script again.
    pub(super) fn again(&mut self) {
        self.given = 0;
    }

    /// `redis.call` and `redis.pcall`.
    pub(super) fn call(
        &mut self,
        lua: &Lua,
        meter: &Meter,
        args: &MultiValue,
        raises: bool,
    ) -> Result<Value> {
        let args = match arguments(args) {
            Ok(args) => args,
            Err(text) if raises => return Err(Raised::Reply(error_text(text)).into()),
            Err(text) => return error_table(lua, &error_text(text)),
        };
        if self.given == self.answers.len() {
            let call: Args<'_> = args.iter().map(Vec::as_slice).collect();
            let answer = self.answer(&call);
            self.answers.push(answer);
        }
        meter.charge(SCRIPT_INSTRUCTIONS_PER_CALL);
        let answer = &self.answers[self.given];
        self.given += 1;
        let error = match answer {
            Ok(Reply::Error(text)) => error_text(&format!("-{text}")),
            Ok(reply) => {
                meter.charge(size_bytes(reply) / SCRIPT_BYTES_PER_INSTRUCTION);
                return to_lua(lua, reply, meter.resp3.load(Relaxed));
            }
            Err(text) => text.clone(),
        };
        if raises { Err(Raised::Reply(error).into()) } else { error_table(lua, &error) }
    }

    /// `redis.acl_check_cmd`
    pub(super) fn may(&self, args: &MultiValue) -> Result<bool> {
        let args = arguments(args).map_err(|text| Raised::Reply(error_text(text)))?;
        let call: Args<'_> = args.iter().map(Vec::as_slice).collect();
        let Some(row) = lookup(call[0]).and_then(|command| command.row_of(&call)) else {
            return Err(Raised::Reply(error_text("Invalid command passed to redis.acl_check_cmd()")).into());
        };
        Ok(self.caller.check(self.state(), row, &call).is_ok())
    }

    fn state(&self) -> &crate::command::State {
        match &self.target {
            Target::Write(context) => context.state,
            Target::Read(context) => context.state,
        }
    }

    fn answer(&mut self, call: &Args<'_>) -> std::result::Result<Reply, String> {
        let row = self.judge(call).map_err(|text| error_text(&text))?;
        if row.flags.has(Flags::WRITE) {
            self.has_written = true;
        }
        self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        Ok(self.carry_out(row, call))
    }

    /// The row of a command that may be carried out.
    fn judge(&self, call: &Args<'_>) -> std::result::Result<&'static Command, String> {
        let unknown = || "Unknown Redis command called from script".to_owned();
        let command = lookup(call[0]).ok_or_else(unknown)?;
        let row = match call.len() {
            1 => command,
            _ => command.row_of(call).ok_or_else(unknown)?,
        };
        if row.check_arity(call).is_err() {
            return Err("Wrong number of args calling Redis command from script".into());
        }
        let is_container = !row.subcommands.is_empty() && row.full_name != "command";
        if row.flags.has(Flags::NOSCRIPT) || row.wraps != 0 || is_container {
            return Err("This Redis command is not allowed from script".into());
        }
        if let Err(denied) = self.caller.check(self.state(), row, call) {
            let why = match denied {
                Denied::Command(_) => "can't run this command or subcommand",
                Denied::Key(_) => "can't access at least one of the keys mentioned in the command arguments",
                Denied::Channel(_) => "can't publish to the channel mentioned in the command",
            };
            return Err(format!("The user executing the script {why}"));
        }
        let writes = row.flags.has(Flags::WRITE);
        if self.read_only && (writes || MAY_REPLICATE.contains(&row.full_name)) {
            return Err("Write commands are not allowed from read-only scripts.".into());
        }
        if row.flags.has(Flags::DENYOOM)
            && self.caller.lacks_memory
            && !self.has_written
            && !self.ignores_memory
        {
            return Err("-OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        Ok(row)
    }

    fn carry_out(&mut self, row: &'static Command, call: &Args<'_>) -> Reply {
        let (db, seed) = (self.db, self.seed);
        match (&row.handler, &mut self.target) {
            (Handler::Connection(what), _) => self.of_connection(*what, call),
            (Handler::Write(write), Target::Write(context)) => {
                let now_ms = context.now_ms;
                let state = &mut *context.state;
                state.keyspace.begin_command();
                let reply = write(&mut WriteContext { state, db, now_ms, seed }, call);
                context.state.keyspace.end_command(db, call);
                reply
            }
            (Handler::Read(_), _) if ONLY_BY_ONE_NODE.contains(&row.full_name) => {
                Reply::error("ERR each node answers this command for itself: not from a script")
            }
            (Handler::Read(read), Target::Write(context)) => {
                let now_ms = context.now_ms;
                let reply = read(&mut ReadContext::new(context.state, db, now_ms, now_ms, seed), call);
                in_order_of(row, reply)
            }
            (Handler::Read(read), Target::Read(context)) => {
                let (before, seed_before) = (context.db, context.seed);
                (context.db, context.seed) = (db, seed);
                let reply = read(context, call);
                (context.db, context.seed) = (before, seed_before);
                in_order_of(row, reply)
            }
            (Handler::Write(_), Target::Read(_)) => {
                Reply::error("ERR Write commands are not allowed from read-only scripts.")
            }
        }
    }

    /// What needs no connection of those commands.
    fn of_connection(&mut self, what: Do, call: &Args<'_>) -> Reply {
        let now_ms = match &self.target {
            Target::Write(context) => context.now_ms,
            // The same for all of a script: time stands still for it.
            Target::Read(context) => context.now_ms.max(context.wall_ms),
        };
        match what {
            Do::Ping if call.len() > 2 => Reply::error("ERR wrong number of arguments for 'ping' command"),
            Do::Ping => call.get(1).map_or(Reply::simple("PONG"), Reply::bulk),
            Do::Echo => call.get(1).map_or(Reply::Nil, Reply::bulk),
            Do::Select => match integer(call[1]).and_then(|_| database(call[1])) {
                Ok(db) => {
                    self.db = db as usize;
                    Reply::Ok
                }
                Err(error) => error,
            },
            Do::Time => {
                let part = |number: u64| Reply::bulk(itoa::Buffer::new().format(number));
                Reply::Array(vec![part(now_ms / 1000), part(now_ms % 1000 * 1000)])
            }
            Do::Introspect => introspect(call),
            _ => Reply::error("ERR This Redis command is not allowed from script"),
        }
    }
}

/// The words of a command.
fn arguments(args: &MultiValue) -> std::result::Result<Vec<Vec<u8>>, &'static str> {
    if args.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let word = |value: &Value| match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number::exact(*number as f64).into_bytes()),
        Value::Number(number) => Some(number::exact(*number).into_bytes()),
        _ => None,
    };
    let words: Option<Vec<_>> = args.iter().map(word).collect();
    words.ok_or("Lua redis lib command arguments must be strings or integers")
}
