//! Commands that the server answers by itself: which there are, and the small ones. This
//! module must never see a key.

use super::connection::Connection;
use super::{admin_commands, client_command, config_command, info};
use crate::command::Reply;
use crate::resp::Protocol;
use crate::wire::units::Args;
use std::time::{SystemTime, UNIX_EPOCH};

/// The commands there are, as the server needs to know them.
#[derive(Debug, Clone, Copy)]
pub struct CommandSet {
    /// Finds a command and checks its arguments' number and subcommand; Err is the error reply.
    pub resolve: fn(&Args<'_>) -> Result<Resolved, Reply>,
    /// Answers `COMMAND ...`.
    pub describe: fn(&Args<'_>) -> Reply,
}

/// A command, as far as the server cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolved {
    /// Lower case, with the subcommand after `|`.
    pub name: &'static str,
    pub kind: Kind,
    /// Whether it may be queued after `MULTI`.
    pub in_transactions: bool,
}

/// Who carries a command out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The group, on this node's own state.
    Read,
    /// The group, through its log.
    Write,
    /// The connection.
    Connection,
}

/// A command that the connection carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    Auth,
    Client,
    Command,
    Config,
    Discard,
    Echo,
    Exec,
    Hello,
    Info,
    Multi,
    Ping,
    Quit,
    Raft,
    ReadOnly,
    ReadWrite,
    Reset,
    Role,
    Select,
    Time,
    Unwatch,
    Wait,
    Watch,
}

impl Local {
    /// By name, in any case.
    pub fn find(name: &[u8]) -> Option<Self> {
        let mut upper = [0; 9];
        let upper = upper.get_mut(..name.len())?;
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        Some(match &*upper {
            b"AUTH" => Self::Auth,
            b"CLIENT" => Self::Client,
            b"COMMAND" => Self::Command,
            b"CONFIG" => Self::Config,
            b"DISCARD" => Self::Discard,
            b"ECHO" => Self::Echo,
            b"EXEC" => Self::Exec,
            b"HELLO" => Self::Hello,
            b"INFO" => Self::Info,
            b"MULTI" => Self::Multi,
            b"PING" => Self::Ping,
            b"QUIT" => Self::Quit,
            b"RAFT" => Self::Raft,
            b"READONLY" => Self::ReadOnly,
            b"READWRITE" => Self::ReadWrite,
            b"RESET" => Self::Reset,
            b"ROLE" => Self::Role,
            b"SELECT" => Self::Select,
            b"TIME" => Self::Time,
            b"UNWATCH" => Self::Unwatch,
            b"WAIT" => Self::Wait,
            b"WATCH" => Self::Watch,
            _ => return None,
        })
    }

    /// Whether it changes how the connection is answered, or needs to know what was: it
    /// runs when everything before it has been answered.
    pub fn is_barrier(self) -> bool {
        matches!(
            self,
            Self::Hello
                | Self::Quit
                | Self::ReadOnly
                | Self::ReadWrite
                | Self::Reset
                | Self::Wait
                | Self::Watch
        )
    }

    /// Whether it is carried out at once although `MULTI` came before.
    pub fn runs_in_multi(self) -> bool {
        use Local::*;
        matches!(self, Discard | Exec | Multi | Quit | Reset | Watch)
    }
}

const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
const WRONG_PASSWORD: Reply =
    Reply::error("WRONGPASS invalid username-password pair or user is disabled.");

/// Reads a decimal number as Redis does.
pub fn integer(arg: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(arg).ok()?;
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

/// Carries out a command that needs nothing but the connection: everything but the
/// transaction commands, `WATCH`, `WAIT` (outside `MULTI`), `RESET` and `QUIT`.
pub fn run(connection: &mut Connection, local: Local, args: &Args<'_>) -> Reply {
    match local {
        Local::Auth => auth(args),
        Local::Client => client_command::run(connection, args),
        Local::Command => (connection.shared.config.commands.describe)(args),
        Local::Config => config_command::run(connection, args),
        Local::Echo => args.get(1).map_or(Reply::Nil, Reply::bulk),
        Local::Hello => hello(connection, args),
        Local::Info => info::run(&connection.shared, &args[1..]),
        Local::Ping => args.get(1).map_or(Reply::Simple("PONG"), Reply::bulk),
        Local::Raft => admin_commands::raft(connection, args),
        Local::ReadOnly => stale_reads(connection, true),
        Local::ReadWrite => stale_reads(connection, false),
        Local::Role => admin_commands::role(&connection.shared.backend.status()),
        Local::Select => select(args),
        Local::Time => time(),
        Local::Unwatch => {
            connection.session.unwatch();
            Reply::Ok
        }
        Local::Wait => match admin_commands::parse_wait(args) {
            Ok(_) => Reply::Int(admin_commands::holders(&connection.shared.backend.status(), 0)),
            Err(error) => error,
        },
        Local::Discard | Local::Exec | Local::Multi | Local::Quit | Local::Reset | Local::Watch => {
            Reply::error("ERR Command not allowed inside a transaction")
        }
    }
}

fn stale_reads(connection: &mut Connection, stale: bool) -> Reply {
    connection.session.stale = stale;
    Reply::Ok
}

fn time() -> Reply {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Reply::Array(vec![Reply::bulk(now.as_secs().to_string()), Reply::bulk(now.subsec_micros().to_string())])
}

fn select(args: &Args<'_>) -> Reply {
    match args.get(1).and_then(|arg| integer(arg)) {
        None => NOT_AN_INTEGER,
        Some(0) => Reply::Ok,
        Some(_) => Reply::error("ERR DB index is out of range"),
    }
}

/// There is one user, `default`, and it has no password: any will do, as in Redis.
fn auth(args: &Args<'_>) -> Reply {
    match args[1..] {
        [_] => Reply::error(
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        ),
        [b"default", _] => Reply::Ok,
        [_, _] => WRONG_PASSWORD,
        _ => Reply::error("ERR syntax error"),
    }
}

fn hello(connection: &mut Connection, args: &Args<'_>) -> Reply {
    let mut protocol = connection.client.protocol.get();
    if let Some(version) = args.get(1) {
        protocol = match integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Reply::error("NOPROTO unsupported protocol version"),
            None => return Reply::error("ERR Protocol version is not an integer or out of range"),
        };
    }
    let mut name = None;
    let mut rest = args.get(2..).unwrap_or_default();
    while let [option, tail @ ..] = rest {
        rest = match tail {
            [user, _, tail @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                if *user != b"default" {
                    return WRONG_PASSWORD;
                }
                tail
            }
            [value, tail @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                match client_command::valid_name(value) {
                    Ok(valid) => name = Some(valid),
                    Err(error) => return error,
                }
                tail
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Reply::error_owned(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        };
    }
    if let Some(name) = name {
        *connection.client.name.borrow_mut() = name;
    }
    connection.client.protocol.set(protocol);
    let role = if admin_commands::leads(&connection.shared.backend.status()) { "master" } else { "replica" };
    Reply::Map(vec![
        (Reply::bulk("server"), Reply::bulk("redis")),
        (Reply::bulk("version"), Reply::bulk(info::REDIS_VERSION)),
        (Reply::bulk("proto"), Reply::Int(protocol.version())),
        (Reply::bulk("id"), Reply::Int(connection.client.id as i64)),
        (Reply::bulk("mode"), Reply::bulk("standalone")),
        (Reply::bulk("role"), Reply::bulk(role)),
        (Reply::bulk("modules"), Reply::Array(vec![])),
    ])
}
