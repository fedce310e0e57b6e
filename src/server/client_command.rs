//! `CLIENT`: which subcommand is answered where, and what is about the connection's own
//! description. This module must never change another connection.

use super::client::Client;
use super::connection::Connection;
use super::{client_list, consistency, control_command, tracking};
use crate::command::{ClientCommand as Sub, Reply};
use crate::wire::units::Args;

const SYNTAX: Reply = Reply::error("ERR syntax error");

const NOT_IN_EXEC: Reply = Reply::error("ERR Command not allowed inside a transaction");

/// One of the `CLIENT` subcommands; `args` are as many as its row says.
pub fn run(connection: &mut Connection, what: Sub, args: &Args<'_>) -> Reply {
    let options = args.get(2..).unwrap_or_default();
    match what {
        Sub::Caching => return tracking::command::caching(connection, options),
        Sub::Consistency => return consistency::run(connection, options),
        Sub::Info => return client_list::info(connection, args),
        Sub::Kill => return control_command::kill(connection, options),
        Sub::List => return client_list::list(connection, args),
        Sub::Pause => return control_command::pause(connection, args),
        Sub::Tracking => return tracking::command::tracking(connection, options),
        Sub::TrackingInfo => return tracking::command::info(connection),
        Sub::Unblock => return control_command::unblock(connection, args),
        Sub::Unpause => {
            connection.shared.clients.unpause();
            return Reply::Ok;
        }
        // The replies of a transaction are one reply, which is there or is not.
        Sub::Reply => return NOT_IN_EXEC,
        Sub::GetName
        | Sub::GetRedir
        | Sub::Id
        | Sub::NoEvict
        | Sub::NoTouch
        | Sub::SetInfo
        | Sub::SetName => {}
    }
    let client = &*connection.client;
    match (what, options) {
        (Sub::Id, _) => Reply::Int(client.id as i64),
        (Sub::GetRedir, _) => Reply::Int(client.tracker.redirect()),
        (Sub::GetName, _) => match client.name.borrow().as_str() {
            "" => Reply::Nil,
            name => Reply::bulk(name),
        },
        (Sub::SetName, [name]) => match valid_name(name) {
            Ok(name) => {
                *client.name.borrow_mut() = name;
                Reply::Ok
            }
            Err(error) => error,
        },
        (Sub::SetInfo, [option, value]) => set_info(client, option, value),
        (Sub::NoEvict, [value]) => on_or_off(value, |on| client.no_evict.set(on)),
        (Sub::NoTouch, [value]) => on_or_off(value, |on| client.no_touch.set(on)),
        _ => SYNTAX,
    }
}

/// Whether it changes how the connection is answered.
pub fn is_barrier(what: Sub) -> bool {
    matches!(what, Sub::Consistency | Sub::Reply | Sub::Tracking)
}

/// A client's name, if it is one: printable, without blanks, because `CLIENT LIST` shows it.
pub fn valid_name(name: &[u8]) -> Result<String, Reply> {
    if name.iter().all(|byte| byte.is_ascii_graphic()) {
        return Ok(String::from_utf8_lossy(name).into_owned());
    }
    Err(Reply::error("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn set_info(client: &Client, option: &[u8], value: &[u8]) -> Reply {
    let option_name = crate::command::shown(option).into_owned();
    let name = option.eq_ignore_ascii_case(b"LIB-NAME");
    if !name && !option.eq_ignore_ascii_case(b"LIB-VER") {
        return Reply::error_owned(format!("ERR Unrecognized option '{option_name}'"));
    }
    let Ok(value) = valid_name(value) else {
        return Reply::error_owned(format!(
            "ERR {option_name} cannot contain spaces, newlines or special characters."
        ));
    };
    let mut library = client.library.borrow_mut();
    *(if name { &mut library.0 } else { &mut library.1 }) = value;
    Reply::Ok
}

fn on_or_off(value: &[u8], set: impl FnOnce(bool)) -> Reply {
    let on = value.eq_ignore_ascii_case(b"on");
    if !on && !value.eq_ignore_ascii_case(b"off") {
        return SYNTAX;
    }
    set(on);
    Reply::Ok
}
