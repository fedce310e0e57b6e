//! `CLIENT`. This module must never change another connection.

use super::client::Client;
use super::connection::Connection;
use crate::command::{ConnectionCommand as Do, Reply, parse_i64};
use crate::wire::units::Args;
use std::fmt::Write;
use std::time::Instant;

const SYNTAX: Reply = Reply::error("ERR syntax error");

/// One of the `CLIENT` subcommands; `args` are as many as its row says.
pub fn run(connection: &Connection, what: Do, args: &Args<'_>) -> Reply {
    let client = &*connection.client;
    let options = args.get(2..).unwrap_or_default();
    match (what, options) {
        (Do::ClientId, _) => Reply::Int(client.id as i64),
        (Do::ClientGetName, _) => match client.name.borrow().as_str() {
            "" => Reply::Nil,
            name => Reply::bulk(name),
        },
        (Do::ClientSetName, [name]) => match valid_name(name) {
            Ok(name) => {
                *client.name.borrow_mut() = name;
                Reply::Ok
            }
            Err(error) => error,
        },
        (Do::ClientSetInfo, [option, value]) => set_info(client, option, value),
        (Do::ClientInfo, _) => Reply::Verbatim(line(client).into()),
        (Do::ClientList, options) => list(connection, options),
        (Do::ClientNoEvict, [value]) => on_or_off(value, |on| client.no_evict.set(on)),
        (Do::ClientNoTouch, [value]) => on_or_off(value, |on| client.no_touch.set(on)),
        _ => SYNTAX,
    }
}

/// A client's name, if it is one: printable, without blanks, because `CLIENT LIST` shows it.
pub fn valid_name(name: &[u8]) -> Result<String, Reply> {
    if name.iter().all(|byte| byte.is_ascii_graphic()) {
        return Ok(String::from_utf8_lossy(name).into_owned());
    }
    Err(Reply::error("ERR Client names cannot contain spaces, newlines or special characters."))
}

fn set_info(client: &Client, option: &[u8], value: &[u8]) -> Reply {
    let option_name = String::from_utf8_lossy(option).into_owned();
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

fn list(connection: &Connection, options: &[&[u8]]) -> Reply {
    let mut wanted: Option<Vec<u64>> = None;
    match options {
        [] => {}
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => {
            // Everybody is a normal client: peers have a port of their own.
            let kind = kind.to_ascii_lowercase();
            match kind.as_slice() {
                b"normal" => {}
                b"master" | b"replica" | b"slave" | b"pubsub" => wanted = Some(Vec::new()),
                _ => {
                    let kind = String::from_utf8_lossy(&kind);
                    return Reply::error_owned(format!("ERR Unknown client type '{kind}'"));
                }
            }
        }
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let parsed = ids.iter().map(|id| parse_i64(id).filter(|&id| id > 0).map(|id| id as u64));
            match parsed.collect::<Option<Vec<_>>>() {
                Some(ids) => wanted = Some(ids),
                None => return Reply::error("ERR Invalid client ID"),
            }
        }
        _ => return SYNTAX,
    }
    let mut text = String::new();
    for client in connection.shared.clients.all() {
        if wanted.as_ref().is_none_or(|ids| ids.contains(&client.id)) {
            text.push_str(&line(&client));
        }
    }
    Reply::Verbatim(text.into())
}

/// One line of `CLIENT LIST`.
pub fn line(client: &Client) -> String {
    let now = Instant::now();
    let age = now.duration_since(client.created).as_secs();
    let idle = now.duration_since(client.active.get()).as_secs();
    let mut flags = String::new();
    let queued = client.queued.get();
    let [channels, patterns, shard_channels] = client.subscription_counts();
    for (flag, set) in [
        ('P', client.subscribed.get()),
        ('x', queued.is_some()),
        ('b', client.blocked.get()),
        ('e', client.no_evict.get()),
        ('T', client.no_touch.get()),
    ] {
        if set {
            flags.push(flag);
        }
    }
    if flags.is_empty() {
        flags.push('N');
    }
    let (multi, multi_bytes) = queued.map_or((-1, 0), |(count, size_bytes)| (count as i64, size_bytes));
    let (input_len, capacity) = (client.input_len.get(), client.input_capacity.get());
    let (unsent, output_capacity) = (client.unsent(), client.output_capacity());
    let library = client.library.borrow();
    let mut line = String::new();
    write!(
        line,
        "id={} addr={} laddr={} fd=-1 name={} age={age} idle={idle} flags={flags} db=0 sub={channels} psub={patterns} ssub={shard_channels} \
         multi={multi} watch={} qbuf={input_len} qbuf-free={} argv-mem=0 \
         multi-mem={multi_bytes} rbs={output_capacity} rbp={output_capacity} obl={unsent} oll=0 omem={unsent} tot-mem={} \
         events={} cmd={} user={} redir=-1 resp={} lib-name={} lib-ver={}",
        client.id,
        client.addr,
        client.local_addr,
        client.name.borrow(),
        client.watched.get(),
        capacity.saturating_sub(input_len),
        capacity + multi_bytes + output_capacity + size_of::<Client>(),
        if unsent > 0 { "rw" } else { "r" },
        client.last_command.get(),
        client.access.shown_name(),
        client.protocol.get().version(),
        library.0,
        library.1,
    )
    .expect("a String grows");
    line.push('\n');
    line
}
