//! Commands that the server answers by itself: which there are, and the small ones. This
//! module must never see a key.

use super::access::NO_USERS_YET;
use super::connection::Connection;
use super::session::Session;
use super::tracking::Tracking;
use super::{
    acl_commands, admin_commands, client_command, cluster_commands, config_command, consistency, databases,
    debug, info, latency_command, memory_command, operations, pubsub_commands, replicas, sentinel_commands,
    slowlog_command,
};
use crate::command::{self, ConnectionCommand as Do, Reply, parse_i64};
use crate::resp::Protocol;
use crate::wire::units::Args;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whether it changes how the connection is answered, or needs to know what was: it runs
/// when everything before it has been answered.
pub fn is_barrier(what: Do) -> bool {
    let alters = matches!(
        what,
        Do::Auth
            | Do::ConfigResetStat
            | Do::ConfigSet
            | Do::Debug
            | Do::Hello
            | Do::Info
            | Do::Latency(_)
            | Do::Migrate
            | Do::Slowlog(_)
            | Do::Quit
            | Do::Readonly
            | Do::Replica(_)
            | Do::Readwrite
            | Do::Reset
            | Do::Wait
            | Do::Watch
    );
    let subscribes = matches!(what, Do::PubSub(what) if pubsub_commands::alters(what));
    let turns = matches!(what, Do::Client(what) if client_command::is_barrier(what));
    let operates = matches!(what, Do::Node(what) if operations::is_barrier(what));
    alters || turns || operates || subscribes || asks_the_group(what)
}

/// Whether it asks something of the group that the connection then waits for.
pub fn asks_the_group(what: Do) -> bool {
    let changes = [Do::RaftAdd, Do::RaftRemove, Do::RaftPromote, Do::RaftDemote, Do::RaftReplace];
    changes.contains(&what) || matches!(what, Do::RaftTransfer | Do::RaftSnapshot)
}

/// Whether it is carried out at once although `MULTI` came before.
pub fn runs_in_multi(what: Do) -> bool {
    matches!(what, Do::Discard | Do::Exec | Do::Multi | Do::Quit | Do::Reset | Do::Watch)
}

/// Carries out a command that needs nothing but the connection: everything but the
/// transaction commands, `WATCH`, `WAIT` (outside `MULTI`), `RESET`, `QUIT`, and those that ask
/// the group.
pub fn run(connection: &mut Connection, what: Do, args: &Args<'_>) -> Reply {
    match what {
        Do::Client(what) => client_command::run(connection, what, args),
        Do::Asking => Reply::Ok,
        Do::Acl(what) => acl_commands::run(connection, what, args),
        Do::Auth => acl_commands::auth(connection, args),
        Do::Cluster(what) => cluster_commands::run(&connection.shared.backend.status(), what, args),
        Do::ConfigSet => config_command::set_queued(&connection.shared, &args[2..]),
        Do::ConfigResetStat => {
            connection.shared.clients.stats().reset(&connection.shared);
            Reply::Ok
        }
        Do::ConfigRewrite => Reply::error("ERR The server is running without a config file"),
        Do::ConfigGet => config_command::get(&connection.shared, &args[2..]),
        Do::Introspect => command::introspect(args),
        Do::Echo => args.get(1).map_or(Reply::Nil, Reply::bulk),
        Do::Hello => hello(connection, args),
        Do::Debug => debug::run(connection, args),
        Do::Latency(what) => latency_command::run(&connection.shared, what, args),
        Do::Slowlog(what) => slowlog_command::run(&connection.shared, what, args),
        Do::Info => info::run(&connection.shared, &args[1..]),
        Do::Ping => pubsub_commands::ping(&connection.client, args),
        Do::PubSub(what) => pubsub_commands::run(connection, what, args),
        Do::Node(what) => operations::run_in_exec(connection, what, args),
        Do::Replica(what) => replicas::run_in_exec(connection, what, args),
        Do::Memory(what) => memory_command::run(&connection.shared, what),
        Do::PfSelfTest => command::hyperloglog_selftest(),
        Do::RaftStatus => admin_commands::raft_status(&connection.shared.backend.status()),
        Do::Readonly => consistency::readonly(connection),
        Do::Readwrite => consistency::readwrite(connection),
        Do::Role => admin_commands::role(&connection.shared.backend.status()),
        Do::Select => databases::select(connection, args),
        Do::Sentinel(what) => {
            let status = connection.shared.backend.status();
            sentinel_commands::run(&status, &connection.shared.config.sentinel_name, what, args)
        }
        Do::Time => time(),
        Do::Unwatch => {
            connection.session.unwatch();
            Reply::Ok
        }
        Do::Wait => match admin_commands::parse_wait(args) {
            Ok(_) => {
                let status = connection.shared.backend.status();
                Reply::Int(admin_commands::holders(&status, connection.last_write()))
            }
            Err(error) => error,
        },
        Do::Discard
        | Do::Exec
        | Do::Migrate
        | Do::Multi
        | Do::Quit
        | Do::Reset
        | Do::Watch
        | Do::RaftAdd
        | Do::RaftDemote
        | Do::RaftPromote
        | Do::RaftRemove
        | Do::RaftReplace
        | Do::RaftSnapshot
        | Do::RaftTransfer => Reply::error("ERR Command not allowed inside a transaction"),
    }
}

fn time() -> Reply {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Reply::Array(vec![Reply::bulk(now.as_secs().to_string()), Reply::bulk(now.subsec_micros().to_string())])
}

const HELLO_WITHOUT_AUTH: Reply = Reply::error(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
);

fn hello(connection: &mut Connection, args: &Args<'_>) -> Reply {
    let mut protocol = connection.client.protocol.get();
    if let Some(version) = args.get(1) {
        protocol = match parse_i64(version) {
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
            [user, password, tail @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                if connection.knows_nobody(user) {
                    return NO_USERS_YET;
                }
                if !connection.log_in(user, password) {
                    connection.note_failed_login(args[0], user);
                    return acl_commands::WRONG_PASSWORD;
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
                let option = crate::command::shown(option);
                return Reply::error_owned(format!("ERR Syntax error in HELLO option '{option}'"));
            }
        };
    }
    if let Some(name) = name {
        *connection.client.name.borrow_mut() = name;
    }
    if connection.client.access.needs_password() {
        return HELLO_WITHOUT_AUTH;
    }
    connection.client.protocol.set(protocol);
    let role = if admin_commands::leads(&connection.shared.backend.status()) { "master" } else { "replica" };
    Reply::Map(vec![
        (Reply::bulk("server"), Reply::bulk("redis")),
        (Reply::bulk("version"), Reply::bulk(info::REDIS_VERSION)),
        (Reply::bulk("proto"), Reply::Int(protocol.version())),
        (Reply::bulk("id"), Reply::Int(connection.client.id as i64)),
        (Reply::bulk("mode"), Reply::bulk(info::mode(&connection.shared))),
        (Reply::bulk("role"), Reply::bulk(role)),
        (Reply::bulk("modules"), Reply::Array(vec![])),
    ])
}

/// `RESET`: as if it had come just now.
pub fn reset(connection: &mut Connection) -> Reply {
    connection.session = Session::default();
    connection.log_out();
    connection.client.control.db.set(0);
    connection.shared.clients.pubsub().forget(&connection.client);
    connection.shared.clients.stop_monitor(&connection.client);
    connection.client.queued.set(None);
    connection.client.protocol.set(Default::default());
    connection.client.name.borrow_mut().clear();
    connection.client.no_evict.set(false);
    connection.client.no_touch.set(false);
    connection.client.readonly.set(false);
    connection.client.control.reply.set(Default::default());
    connection.shared.clients.untrack(&connection.client);
    Tracking::settle(&connection.shared);
    Reply::simple("RESET")
}
