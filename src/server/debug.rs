//! `DEBUG`: what the tests of Redis need of it, for nodes that were started with it. What looks
//! at keys looks at what this node has applied; what changes keys goes through the log. This
//! module must never block the node, nor say that it did what it cannot do.

mod digest;
mod protocol;
mod texts;
mod values;

use super::connection::Connection;
use super::dispatch::Flow;
use super::wait::{Goal, Wait};
use crate::command::{self, Reply, Request, parse_i64};
use crate::config::DebugCommand;
use crate::group::{Job, Step};
use crate::limits;
use crate::machine::Machine;
use crate::wire::units::{Args, put_command_unit, put_settings_unit};

const FORBIDDEN: Reply = Reply::error(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it \
     from a local connection, otherwise you need to set this option in the configuration file, and then \
     restart the server.",
);
/// Subcommands that set what holds in the whole cluster, and its name there.
const SETTINGS: [(&str, &str); 2] =
    [("SET-ACTIVE-EXPIRE", "active-expire"), ("SET-DISABLE-DENY-SCRIPTS", "debug-in-scripts")];
const NO_SUCH_KEY: Reply = Reply::error("ERR no such key");

/// Why this client may not use `DEBUG`, if it may not.
pub fn forbidden(connection: &Connection) -> Option<Reply> {
    let allowed = match connection.shared.config.enable_debug {
        DebugCommand::No => false,
        DebugCommand::Yes => true,
        DebugCommand::Local => connection.client.addr.ip().to_canonical().is_loopback(),
    };
    (!allowed).then_some(FORBIDDEN)
}

/// Whether the subcommand is this one.
fn names(args: &Args<'_>, name: &str) -> bool {
    args[1].eq_ignore_ascii_case(name.as_bytes())
}

impl Connection {
    /// Err: the reply, and neither the group nor a clock has anything to do.
    pub(super) fn start_debug(
        &mut self,
        args: &Args<'_>,
        began_ns: u64,
        job: &mut Job,
    ) -> Result<Flow, Reply> {
        if let Some(patience) = command::sleep_of(args) {
            let request = Request::from_args(args);
            self.wait_for(Goal::Sleep { request, began_ns, rest: None }, patience);
            return Ok(Flow::Submit);
        }
        let setting = SETTINGS.iter().find(|setting| args.len() == 3 && names(args, setting.0));
        if let Some((_, setting)) = setting {
            let value: &[u8] = if leading_number(args[2]) == 0 { b"no" } else { b"yes" };
            put_settings_unit(&mut job.body, &[(setting, value)]);
            job.steps.push(Step::Write);
            return Ok(Flow::Submit);
        }
        if names(args, "POPULATE") && (3..=5).contains(&args.len()) {
            put_command_unit(&mut job.body, args, self.session.db);
            job.steps.push(Step::Write);
            return Ok(Flow::Submit);
        }
        if names(args, "PROTOCOL")
            && args.len() == 3
            && let Some(bytes) = protocol::raw(args[2], self.client.protocol.get())
        {
            self.client.write_with(|out| out.extend_from_slice(bytes));
            return Ok(Flow::Submit);
        }
        Err(run(self, args))
    }
}

impl Connection {
    /// A wait is over. A sleep has taken all of its time, as the slow log has to say. The reply
    /// for the client, if there is nothing more to do before.
    pub(super) fn woke(&mut self, wait: Option<Wait>, reply: Reply) -> Option<Reply> {
        let (request, began_ns, rest) = match wait.map(|wait| wait.goal) {
            Some(Goal::Sleep { request, began_ns, rest }) => (request, began_ns, rest),
            Some(Goal::Migrate(transfer)) => return self.transferred(transfer, reply),
            _ => return Some(reply),
        };
        if let Ok(row) = command::resolve(&request.args()) {
            self.observed(began_ns, row, &request.args(), Some(&reply));
        }
        match rest {
            Some(exec) => self.carry_on_after(*exec, reply),
            None => Some(reply),
        }
    }
}

/// What can be answered at once, within `EXEC` too.
pub fn run(connection: &Connection, args: &Args<'_>) -> Reply {
    let shared = &connection.shared;
    let db = connection.session.db as usize;
    match (args[1].to_ascii_uppercase().as_slice(), &args[2..]) {
        (b"HELP", []) => texts::help(),
        (b"OBJECT", [key]) => look(connection, |machine| texts::object(machine, db, key)),
        (b"LISTPACK", [key]) => {
            look(connection, |machine| values::printed(machine, db, key, "listpack", &shared.logger))
        }
        (b"QUICKLIST", [key] | [key, _]) => {
            look(connection, |machine| values::printed(machine, db, key, "quicklist", &shared.logger))
        }
        (b"QUICKLIST-PACKED-THRESHOLD", [_]) => values::threshold(args),
        (b"SDSLEN", [key]) => look(connection, |machine| texts::lengths(machine, db, key)),
        (b"DIGEST", []) => look(connection, digest::of_all),
        (b"DIGEST-VALUE", keys) => look(connection, |machine| digest::of_values(machine, db, keys)),
        (b"HTSTATS", [number]) => match parse_i64(number) {
            None => Reply::error("ERR value is not an integer or out of range"),
            Some(number) => match usize::try_from(number).ok().filter(|&db| db < limits::DATABASES) {
                None => Reply::error("ERR Out of range database"),
                Some(db) => look(connection, |machine| texts::tables(machine, db)),
            },
        },
        (b"RELOAD", options) => {
            let known = |option: &&[u8]| {
                [&b"MERGE"[..], b"NOFLUSH", b"NOSAVE"].iter().any(|known| option.eq_ignore_ascii_case(known))
            };
            if !options.iter().all(known) {
                return Reply::error("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
            }
            let asks = |option: &[u8]| options.iter().any(|given| given.eq_ignore_ascii_case(option));
            // What is on disk is what there is: NOSAVE changes nothing, and what is merged is there.
            if asks(b"NOFLUSH") && !asks(b"MERGE") && has_anything(connection) {
                return Reply::error("ERR Error trying to load the RDB dump, check server logs.");
            }
            reload(connection)
        }
        // The log and the snapshots are one state: it is made anew in the same way.
        (b"LOADAOF", []) => reload(connection),
        (b"PROTOCOL", [name]) => command::debug_protocol(name),
        (b"ERROR", [text]) => Reply::error_owned(String::from_utf8_lossy(text).into_owned()),
        (b"LOG", [text]) => {
            slog::warn!(shared.logger, "DEBUG LOG"; "text" => %String::from_utf8_lossy(text));
            Reply::Ok
        }
        // Nothing that a client can see is done by a timer of the server.
        (b"PAUSE-CRON", [_]) => Reply::Ok,
        (b"STRINGMATCH-LEN", [pattern, text]) => {
            Reply::Int(i64::from(crate::command::glob_matches(pattern, text)))
        }
        (name @ (b"SET-ACTIVE-EXPIRE" | b"SET-DISABLE-DENY-SCRIPTS"), [_]) => {
            let name = String::from_utf8_lossy(name);
            Reply::error_owned(format!("ERR DEBUG {name} is not carried out within a transaction"))
        }
        (name, _) => texts::unknown(name, args),
    }
}

fn look(connection: &Connection, of: impl Fn(&Machine) -> Reply) -> Reply {
    let mut reply = NO_SUCH_KEY;
    connection.shared.backend.look(&mut |machine| reply = of(machine));
    reply
}

/// Keys or libraries.
fn has_anything(connection: &Connection) -> bool {
    let mut found = false;
    connection.shared.backend.look(&mut |machine| {
        found = (0..limits::DATABASES).any(|db| machine.keyspace().len(db) > 0)
            || machine.scripts().counts().1 > 0;
    });
    found
}

fn reload(connection: &Connection) -> Reply {
    match connection.shared.backend.reload() {
        Ok(()) => Reply::Ok,
        Err(reason) => Reply::error_owned(format!("ERR Error trying to load the state: {reason}")),
    }
}

/// As C's `atoi` would read it, as far as it is zero.
fn leading_number(arg: &[u8]) -> u64 {
    let digits = arg.iter().skip_while(|byte| **byte == b'-').take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number: u64, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
}
