//! `redis.call`: commands that a script asks for, judged and carried out as Redis does it. A command that
//! was carried out for a script is never carried out again, whatever becomes of the machine that asked.

use super::call::{Word, Words, put_words};
use super::convert::{size_bytes, to_lua};
use super::notes::Notes;
use super::raised::{Raised, answer_table, error_table, error_text};
use super::vm::Meter;
use super::{Caller, check};
use crate::command::parse::integer;
use crate::command::row::{Command, ConnectionCommand as Do, Flags, Handler};
use crate::command::stream::read::refused_to_scripts;
use crate::command::{
    Denied, ReadContext, Reply, State, WriteContext, absent, database, debug, introspect, lookup, sort,
};
use crate::limits::SCRIPT_INSTRUCTIONS_PER_CALL;
use crate::mutant::{self, Mutant};
use crate::wire::units::Args;
use mlua::{Lua, Result, Value};
use smallvec::SmallVec;

type Answer = std::result::Result<Reply, String>;

/// What a script's commands work on.
pub(super) enum Target<'a, 'c> {
    Write(&'a mut WriteContext<'c>),
    Read(&'a mut ReadContext<'c>),
}

impl<'c> Target<'_, 'c> {
    pub(super) fn state(&self) -> &State {
        match self {
            Target::Write(context) => context.state,
            Target::Read(context) => context.state,
        }
    }

    fn has_set(&self, db: usize, key: &[u8]) -> bool {
        let now_ms = match self {
            Target::Write(context) => context.now_ms,
            Target::Read(context) => context.now_ms,
        };
        let item = self.state().keyspace.get(db, key, now_ms);
        item.is_some_and(|item| matches!(item.value, crate::keyspace::Value::Set(_)))
    }

    /// For whom the script runs.
    pub(super) fn caller(&self) -> Caller<'c> {
        match self {
            Target::Write(context) => context.caller,
            Target::Read(context) => context.caller,
        }
    }
}

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

const NOT_FROM_SCRIPT: &str = "This Redis command is not allowed from script";

/// What the commands of one script go through.
pub(super) struct Host<'a, 'c> {
    pub(super) target: Target<'a, 'c>,
    caller: Caller<'c>,
    pub(super) read_only: bool,
    pub(super) ignores_memory: bool,
    db: usize,
    seed: u64,
    has_written: bool,
    /// What commands have answered in the shared machine, as far as the machine at hand was not given it. Err: why one
    /// was refused.
    answers: SmallVec<[Answer; 2]>,
    /// How many of them it was given.
    given: usize,
    /// The machine is the script's own: it gets those answers first, and nobody will need them again.
    is_own: bool,
    notes: Notes,
}

impl<'a, 'c> Host<'a, 'c> {
    pub(super) fn new(target: Target<'a, 'c>) -> Self {
        let caller = target.caller();
        let notes = Notes::new(target.state().scripts.audience());
        let (db, seed) = match &target {
            Target::Write(context) => (context.db, context.seed),
            Target::Read(context) => (context.db, context.seed),
        };
        let (read_only, ignores_memory, has_written) = (false, false, false);
        let (answers, given, is_own) = (SmallVec::new(), 0, false);
        Self {
            target,
            caller,
            read_only,
            ignores_memory,
            db,
            seed,
            has_written,
            answers,
            given,
            is_own,
            notes,
        }
    }

    /// What random numbers of the script follow from.
    pub(super) fn seed(&self) -> u64 {
        match &self.target {
            Target::Write(context) => context.seed,
            Target::Read(context) => context.seed,
        }
    }

    /// What is called again and again while it runs.
    pub(super) fn breath(&self) -> Option<fn()> {
        self.target.state().scripts.breath.get()
    }

    /// The script has come to its end.
    pub(super) fn tell(self) {
        if self.notes.are_heard() {
            self.target.state().keyspace.tell_scripted(self.notes.into_told());
        }
    }

    /// Whether anybody gets what the script answers.
    pub(super) fn is_heard(&self) -> bool {
        self.notes.are_heard()
    }

    /// What the script answers is an error that a command has answered before.
    pub(super) fn answers_as(&mut self, error: &str) {
        self.notes.is_the_answer(error);
    }

    /// Another machine begins the script again.
    pub(super) fn again(&mut self) {
        self.is_own = true;
    }

    /// `redis.call` and `redis.pcall`.
    pub(super) fn call(&mut self, lua: &Lua, meter: &Meter, args: &[Value], raises: bool) -> Result<Value> {
        let mut words = Words::new();
        match put_words(args, &mut words) {
            Ok(()) => {}
            Err(text) if raises => return Err(Raised::Reply(error_text(text)).into()),
            Err(text) => return error_table(lua, &error_text(text)),
        }
        meter.charge(SCRIPT_INSTRUCTIONS_PER_CALL);
        let call: Args<'_> = words.iter().map(Word::bytes).collect();
        meter.charge_bytes(call.iter().map(|word| word.len()).sum());
        let answer = match self.kept() {
            Some(answer) => answer,
            None => {
                let answer = self.answer(&call);
                match &answer {
                    Ok(Reply::Error(text)) => self.notes.answered(text),
                    Ok(_) => {}
                    Err(text) => self.notes.answered(text),
                }
                answer
            }
        };
        let value = match &answer {
            Ok(Reply::Error(text)) => Err(error_text(&format!("-{text}"))),
            Ok(reply) => {
                meter.charge_bytes(size_bytes(reply));
                Ok(to_lua(lua, reply, meter.resp3.get()))
            }
            Err(text) => Err(text.clone()),
        };
        if !self.is_own {
            self.answers.push(answer);
        }
        let error = match value {
            Ok(value) => return value,
            Err(error) => error,
        };
        if raises { Err(Raised::Answer(error).into()) } else { answer_table(lua, &error) }
    }

    /// `redis.acl_check_cmd`
    pub(super) fn may(&self, args: &[Value]) -> Result<bool> {
        let mut words = Words::new();
        put_words(args, &mut words).map_err(|text| Raised::Reply(error_text(text)))?;
        let call: Args<'_> = words.iter().map(Word::bytes).collect();
        let Some(row) = lookup(call[0]).and_then(|command| command.row_of(&call)) else {
            return Err(Raised::Reply(error_text("Invalid command passed to redis.acl_check_cmd()")).into());
        };
        Ok(check(&self.caller, self.target.state(), row, &call).is_ok())
    }

    /// What the command at hand has answered already.
    fn kept(&mut self) -> Option<Answer> {
        let answer = self.answers.get_mut(self.given).filter(|_| self.is_own)?;
        self.given += 1;
        Some(std::mem::replace(answer, Ok(Reply::Nil)))
    }

    fn answer(&mut self, call: &Args<'_>) -> Answer {
        let row = self.judge(call).map_err(|text| error_text(&text))?;
        if row.flags.has(Flags::WRITE) {
            if self.has_written && mutant::is(Mutant::ScriptHalf) {
                return Ok(Reply::Int(1));
            }
            self.has_written = true;
        }
        self.seed = self.seed.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        self.notes.begins(row, self.db, call);
        let reply = match self.may_sort(row, call) {
            Some(error) => error,
            None => self.carry_out(row, call),
        };
        self.notes.ends(row, &reply);
        Ok(reply)
    }

    /// `SORT` may look at keys that its arguments do not name.
    fn may_sort(&self, row: &'static Command, call: &Args<'_>) -> Option<Reply> {
        let user = self.target.state().acl.user(self.caller.user?)?;
        user.sort_refusal(row, call)
    }

    /// The row of a command that may be carried out.
    fn judge(&mut self, call: &Args<'_>) -> std::result::Result<&'static Command, String> {
        let unknown = || match absent::is_asked_for(call) {
            true => NOT_FROM_SCRIPT.to_owned(),
            false => "Unknown Redis command called from script".to_owned(),
        };
        let command = lookup(call[0]).ok_or_else(unknown)?;
        let row = match call.len() {
            1 => command,
            _ => command.row_of(call).ok_or_else(unknown)?,
        };
        let outcome = self.judge_row(row, call);
        if outcome.is_err() {
            self.notes.refused(row);
        }
        outcome.map(|()| row)
    }

    fn judge_row(&mut self, row: &'static Command, call: &Args<'_>) -> std::result::Result<(), String> {
        if row.check_arity(call).is_err() {
            return Err("Wrong number of args calling Redis command from script".into());
        }
        let is_container = !row.subcommands.is_empty() && row.full_name != "command";
        let is_debug = row.full_name == "debug" && self.target.state().settings.debug_in_scripts;
        if (row.flags.has(Flags::NOSCRIPT) && !is_debug) || row.wraps != 0 || is_container {
            return Err(NOT_FROM_SCRIPT.into());
        }
        if let Err(denied) = check(&self.caller, self.target.state(), row, call) {
            self.notes.denied(denied, call);
            let why = match denied {
                Denied::Command(_) => "can't run this command or subcommand",
                Denied::Key(_) => "can't access at least one of the keys mentioned in the command arguments",
                Denied::Channel(_) => "can't publish to the channel mentioned in the command",
            };
            return Err(format!("The user executing the script {why}"));
        }
        let writes = row.flags.has(Flags::WRITE);
        if self.read_only && (writes || row.may_replicate()) {
            return Err("Write commands are not allowed from read-only scripts.".into());
        }
        if row.flags.has(Flags::DENYOOM)
            && self.caller.lacks_memory
            && !self.has_written
            && !self.ignores_memory
        {
            return Err("-OOM command not allowed when used memory > 'maxmemory'.".into());
        }
        Ok(())
    }

    fn carry_out(&mut self, row: &'static Command, call: &Args<'_>) -> Reply {
        let (db, seed) = (self.db, self.seed);
        if let Some(refusal) = refused_to_scripts(row, call) {
            return refusal;
        }
        let sorted = sort::of_script(row, call, |key| self.target.has_set(db, key));
        let call = sorted.as_ref().unwrap_or(call);
        match (&row.handler, &mut self.target) {
            (Handler::Connection(what), _) => self.of_connection(*what, call),
            (Handler::Write(write), Target::Write(context)) => {
                let now_ms = context.now_ms;
                let (state, caller) = (&mut *context.state, Caller::default()); // it runs no script
                state.keyspace.begin_command();
                let reply = write(&mut WriteContext { state, db, now_ms, seed, caller }, call);
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
            Do::Debug => {
                self.notes.sleeps(debug::sleep_of(call));
                debug::in_script(call)
            }
            _ => Reply::error("ERR This Redis command is not allowed from script"),
        }
    }
}
