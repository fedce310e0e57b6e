//! `CLIENT KILL`, `PAUSE`, `UNPAUSE`, `REPLY` and `UNBLOCK`; and where a paused command waits.

use super::client::Client;
use super::client_list::{self, Kind};
use super::connection::Connection;
use super::control::{Paused, ReplyMode, Unblock};
use super::tracking::Tracking;
use crate::command::{Command, ConnectionCommand, Flags, Handler, Reply, Request, parse_i64};
use crate::wire::units::Args;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");

/// Whom `CLIENT KILL` means.
#[derive(Default)]
struct Filter<'a> {
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    kind: Option<Kind>,
    id: Option<u64>,
    user: Option<&'a [u8]>,
    with_me: bool,
}

impl<'a> Filter<'a> {
    fn parse(connection: &Connection, args: &[&'a [u8]]) -> Result<Self, Reply> {
        let mut filter = Self::default();
        if !args.len().is_multiple_of(2) && args.len() < 2 {
            return Err(SYNTAX);
        }
        for pair in args.chunks(2) {
            let [option, value] = *pair else { return Err(SYNTAX) };
            match option.to_ascii_lowercase().as_slice() {
                b"id" => {
                    let id = parse_i64(value).and_then(|id| u64::try_from(id).ok()).filter(|&id| id > 0);
                    filter.id = Some(id.ok_or(Reply::error("ERR client-id should be greater than 0"))?);
                }
                b"type" => filter.kind = Some(Kind::parse(value)?),
                b"addr" => filter.addr = Some(value),
                b"laddr" => filter.laddr = Some(value),
                b"user" => {
                    if !client_list::is_user(&connection.shared, value) {
                        let name = crate::command::shown(value);
                        return Err(Reply::error_owned(format!("ERR No such user '{name}'")));
                    }
                    filter.user = Some(value);
                }
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.with_me = false,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.with_me = true,
                _ => return Err(SYNTAX),
            }
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client) -> bool {
        let is = |wanted: Option<&[u8]>, text: &dyn Fn() -> String| {
            wanted.is_none_or(|wanted| text().as_bytes() == wanted)
        };
        self.id.is_none_or(|id| client.id == id)
            && self.kind.is_none_or(|kind| Kind::of(client) == kind)
            && is(self.addr, &|| client.addr.to_string())
            && is(self.laddr, &|| client.local_addr.to_string())
            && is(self.user, &|| client_list::user_of(client))
    }
}

/// `CLIENT KILL addr`, `CLIENT KILL option value ...`.
pub fn kill(connection: &mut Connection, args: &[&[u8]]) -> Reply {
    let filter = match args {
        [addr] => Filter { addr: Some(addr), with_me: true, ..Filter::default() },
        options => match Filter::parse(connection, options) {
            Ok(filter) => filter,
            Err(error) => return error,
        },
    };
    let me = connection.client.id;
    let clients = &connection.shared.clients;
    let mut killed = 0;
    for client in clients.all().iter().filter(|client| filter.matches(client)) {
        if client.id != me {
            client.close("killed by another client");
            clients.remove(client);
        } else if filter.with_me {
            connection.quitting = true;
        } else {
            continue;
        }
        killed += 1;
    }
    Tracking::settle(&connection.shared);
    match (args, killed) {
        ([_], 0) => Reply::error("ERR No such client"),
        ([_], _) => Reply::Ok,
        _ => Reply::Int(killed),
    }
}

/// `CLIENT PAUSE timeout [WRITE|ALL]`.
pub fn pause(connection: &Connection, args: &Args<'_>) -> Reply {
    let (timeout, what) = match args[2..] {
        [timeout] => (timeout, Paused::All),
        [timeout, mode] if mode.eq_ignore_ascii_case(b"write") => (timeout, Paused::Writes),
        [timeout, mode] if mode.eq_ignore_ascii_case(b"all") => (timeout, Paused::All),
        [_, _] => return Reply::error("ERR CLIENT PAUSE mode must be WRITE or ALL"),
        _ => return wrong_number(args),
    };
    let Some(ms) = parse_i64(timeout) else {
        return Reply::error("ERR timeout is not an integer or out of range");
    };
    let Ok(ms) = u64::try_from(ms) else { return Reply::error("ERR timeout is negative") };
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let patience = Duration::from_millis(ms);
    let is_in_range = patience + since_epoch <= Duration::from_millis(i64::MAX as u64);
    let Some(until) = Instant::now().checked_add(patience).filter(|_| is_in_range) else {
        return Reply::error("ERR timeout is out of range");
    };
    connection.shared.clients.pause(what, until);
    Reply::Ok
}

/// `CLIENT REPLY ON|OFF|SKIP`; none: nothing is answered.
pub fn reply(connection: &Connection, args: &[&[u8]]) -> Option<Reply> {
    let control = &connection.client.control;
    match args {
        [word] if word.eq_ignore_ascii_case(b"on") => {
            control.reply.set(ReplyMode::On);
            Some(Reply::Ok)
        }
        [word] if word.eq_ignore_ascii_case(b"off") => {
            control.reply.set(ReplyMode::Off);
            None
        }
        [word] if word.eq_ignore_ascii_case(b"skip") => {
            if control.reply.get() != ReplyMode::Off {
                control.reply.set(ReplyMode::SkipNext);
            }
            None
        }
        _ => Some(SYNTAX),
    }
}

/// `CLIENT UNBLOCK id [TIMEOUT|ERROR]`.
pub fn unblock(connection: &Connection, args: &Args<'_>) -> Reply {
    let (id, how) = match args[2..] {
        [id] => (id, Unblock::Timeout),
        [id, how] if how.eq_ignore_ascii_case(b"timeout") => (id, Unblock::Timeout),
        [id, how] if how.eq_ignore_ascii_case(b"error") => (id, Unblock::Error),
        [_, _] => return Reply::error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        _ => return wrong_number(args),
    };
    let Some(id) = parse_i64(id) else { return NOT_AN_INTEGER };
    let target = u64::try_from(id).ok().and_then(|id| connection.shared.clients.get(id));
    // One that waits for the end of a pause has not begun yet: there is nothing to end.
    let Some(target) = target.filter(|it| it.blocked.get() && !it.control.paused.get()) else {
        return Reply::Int(0);
    };
    target.control.unblock.set(Some(how));
    target.wake();
    Reply::Int(1)
}

fn wrong_number(args: &Args<'_>) -> Reply {
    let subcommand = crate::command::shown(args[1]);
    Reply::error_owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try CLIENT HELP."
    ))
}

impl Connection {
    /// Whether a command of it waits for the end of a pause, which a stopping node does not.
    pub(super) fn is_paused(&self) -> bool {
        self.client.control.paused.get() && !self.shared.clients.shutting_down()
    }

    /// Whether this command has to wait for the end of a pause; it is noted that it does.
    pub(super) fn has_to_pause(&self, row: &Command, request: &Request) -> bool {
        let Some(paused) = self.shared.clients.paused() else { return false };
        let waits = match paused {
            Paused::All => true,
            Paused::Writes => self.may_write(row, request),
        };
        if waits {
            self.client.control.paused.set(true);
            self.client.blocked.set(true);
        }
        waits
    }

    /// What Redis would replicate. Of what only bowline does (users, texts of scripts) no client's data depends.
    fn may_write(&self, row: &Command, request: &Request) -> bool {
        let writes = |row: &Command, request: &Request| {
            (row.flags.has(Flags::WRITE) || row.may_replicate()) && !self.says_it_writes_nothing(row, request)
        };
        let queued = || self.session.multi.iter().flat_map(|multi| &multi.commands);
        let is_exec = matches!(row.handler, Handler::Connection(ConnectionCommand::Exec));
        writes(row, request) || is_exec && queued().any(|queued| writes(queued.row, &queued.request))
    }

    fn says_it_writes_nothing(&self, row: &Command, request: &Request) -> bool {
        let mut says_so = false;
        if row.may_run_script() {
            self.shared.backend.look(&mut |machine| {
                says_so = machine.scripts().says_it_writes_nothing(row, &request.args());
            });
        }
        says_so
    }
}
