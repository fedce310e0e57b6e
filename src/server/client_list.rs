//! What `CLIENT LIST` and `CLIENT INFO` tell of connections. This module must never change one.

use super::Shared;
use super::access;
use super::client::Client;
use super::connection::Connection;
use crate::command::{Reply, parse_i64};
use crate::wire::units::Args;
use std::fmt::Write;
use std::time::Instant;

const SYNTAX: Reply = Reply::error("ERR syntax error");

/// Of a connection. Replicas are those of Redis's protocol: peers have a port of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Master,
    Replica,
    Subscriber,
}

impl Kind {
    /// As `TYPE` names it.
    pub fn parse(name: &[u8]) -> Result<Self, Reply> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"master" => Ok(Self::Master),
            b"replica" | b"slave" => Ok(Self::Replica),
            b"pubsub" => Ok(Self::Subscriber),
            _ => {
                let name = crate::command::shown(name);
                Err(Reply::error_owned(format!("ERR Unknown client type '{name}'")))
            }
        }
    }

    pub fn of(client: &Client) -> Self {
        match client.subscribed.get() {
            _ if client.replicates.get() => Self::Replica,
            true => Self::Subscriber,
            false => Self::Normal,
        }
    }
}

/// The user that a connection has authenticated as.
pub fn user_of(client: &Client) -> String {
    client.access.shown_name()
}

/// Whether there is a user of that name.
pub fn is_user(shared: &Shared, name: &[u8]) -> bool {
    access::users(shared, |acl, _| acl.user(name).is_some()) == Some(true)
}

/// `CLIENT LIST [TYPE type] [ID id ...]`.
pub fn list(connection: &Connection, args: &Args<'_>) -> Reply {
    let clients = &connection.shared.clients;
    let told = match args.get(2..).unwrap_or_default() {
        [] => clients.all(),
        [option, kind] if option.eq_ignore_ascii_case(b"TYPE") => match Kind::parse(kind) {
            Ok(kind) => clients.all().into_iter().filter(|client| Kind::of(client) == kind).collect(),
            Err(error) => return error,
        },
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"ID") && !ids.is_empty() => {
            let parsed: Option<Vec<i64>> = ids.iter().map(|id| parse_i64(id)).collect();
            let Some(ids) = parsed else { return Reply::error("ERR Invalid client ID") };
            ids.into_iter().filter_map(|id| clients.get(u64::try_from(id).ok()?)).collect()
        }
        _ => return SYNTAX,
    };
    let mut text = String::new();
    for client in told {
        let asks = (client.id == connection.client.id).then_some(args);
        line(&mut text, &client, asks);
    }
    Reply::Verbatim(text.into())
}

/// `CLIENT INFO`.
pub fn info(connection: &Connection, args: &Args<'_>) -> Reply {
    let mut text = String::new();
    line(&mut text, &connection.client, Some(args));
    Reply::Verbatim(text.into())
}

/// Bytes of a command as clients send it: for Redis it is in the buffer until it is done.
fn sent_bytes(args: &Args<'_>) -> usize {
    let digits = |number: usize| number.checked_ilog10().map_or(1, |log| log as usize + 1);
    args.iter().map(|arg| 5 + digits(arg.len()) + arg.len()).sum::<usize>() + 3 + digits(args.len())
}

fn flags(client: &Client) -> String {
    let has = |(flag, set): (char, bool)| set.then_some(flag);
    let before = [
        ('S', client.replicates.get()),
        ('O', client.monitors.get()),
        ('P', client.subscribed.get()),
        ('x', client.queued.get().is_some()),
        ('b', client.blocked.get()),
    ];
    let after = [('r', client.readonly.get()), ('e', client.no_evict.get()), ('T', client.no_touch.get())];
    let mut flags: String = before.into_iter().filter_map(has).collect();
    flags.extend(client.tracker.flags());
    flags.extend(after.into_iter().filter_map(has));
    if flags.is_empty() { "N".to_owned() } else { flags }
}

/// One line, by itself.
pub fn line_of(client: &Client) -> String {
    let mut text = String::new();
    line(&mut text, client, None);
    text
}

/// One line. `asks`: the command that this client is just sending.
fn line(text: &mut String, client: &Client, asks: Option<&Args<'_>>) {
    let now = Instant::now();
    client.look();
    let age = now.duration_since(client.created).as_secs();
    let idle = now.duration_since(client.active.get()).as_secs();
    let (multi, multi_bytes) =
        client.queued.get().map_or((-1, 0), |(count, size_bytes)| (count as i64, size_bytes));
    let argument_bytes = asks.map_or(0, |args| args.iter().map(|arg| arg.len()).sum());
    let input_len = client.input_len.get() + asks.map_or(0, sent_bytes);
    let capacity = client.input_capacity.get();
    let (unsent, output_capacity) = (client.unsent(), client.output_capacity());
    let [channels, patterns, shard_channels] = client.subscription_counts();
    let library = client.library.borrow();
    writeln!(
        text,
        "id={} addr={} laddr={} fd={} name={} age={age} idle={idle} flags={} db={} sub={channels} \
         psub={patterns} ssub={shard_channels} multi={multi} qbuf={input_len} qbuf-free={} \
         argv-mem={argument_bytes} multi-mem={multi_bytes} rbs={output_capacity} rbp={output_capacity} \
         obl={unsent} oll=0 omem={unsent} tot-mem={} events={} cmd={} user={} redir={} resp={} \
         watch={} lib-name={} lib-ver={}",
        client.id,
        client.addr,
        client.local_addr,
        client.raw_fd(),
        client.name.borrow(),
        flags(client),
        client.control.db.get(),
        capacity.saturating_sub(client.input_len.get()),
        capacity + argument_bytes + multi_bytes + output_capacity + size_of::<Client>(),
        if unsent > 0 { "rw" } else { "r" },
        client.last_command.get(),
        user_of(client),
        client.tracker.redirect(),
        client.protocol.get().version(),
        client.watched.get(),
        library.0,
        library.1,
    )
    .expect("a String grows");
}
