//! The commands of a client that listens, and what it may do meanwhile. This module must never
//! let a confirmation come behind a message that it confirms: these commands run when everything
//! before them is answered.

use super::client::Client;
use super::connection::Connection;
use crate::command::{Command, ConnectionCommand as Do, Handler, PubSubCommand, Reply, Subscription};
use crate::resp::Protocol;
use crate::wire::units::Args;

const TOO_MANY: Reply =
    Reply::error("ERR too many subscriptions: the clients of this node listen to as much as they may");

/// Carries `args` out, whose row says `what`.
pub fn run(connection: &Connection, what: PubSubCommand, args: &Args<'_>) -> Reply {
    let pubsub = connection.shared.clients.pubsub();
    let names = args.get(2..).unwrap_or_default();
    match what {
        PubSubCommand::Subscribe(what) => subscribe(connection, what, &args[1..]),
        PubSubCommand::Unsubscribe(what) => unsubscribe(connection, what, &args[1..]),
        PubSubCommand::NumPat => Reply::Int(pubsub.counts()[1] as i64),
        PubSubCommand::NumSub { sharded } => {
            let count = |name: &&[u8]| Reply::Int(pubsub.listeners(sharded, name) as i64);
            Reply::Array(names.iter().flat_map(|name| [Reply::bulk(name), count(name)]).collect())
        }
        PubSubCommand::Channels { sharded } => match names {
            [] | [_] => {
                let channels = pubsub.channels(sharded, names.first().copied());
                Reply::Array(channels.iter().map(Reply::bulk).collect())
            }
            _ => {
                let name = crate::command::shown(args[1]);
                Reply::error_owned(format!(
                    "ERR unknown subcommand or wrong number of arguments for '{name}'. Try PUBSUB HELP."
                ))
            }
        },
    }
}

/// The same inside `EXEC`, where Redis has old clients that subscribe and no new ones.
pub fn run_in_exec(connection: &Connection, what: PubSubCommand, args: &Args<'_>) -> Reply {
    if what == PubSubCommand::Subscribe(Subscription::ShardChannel) {
        return Reply::error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    run(connection, what, args)
}

/// Whether the command alters what the client listens to.
pub fn alters(what: PubSubCommand) -> bool {
    matches!(what, PubSubCommand::Subscribe(_) | PubSubCommand::Unsubscribe(_))
}

impl Connection {
    /// In RESP2, where nothing tells a message from a reply, a subscriber can do little else.
    pub(super) fn refused_while_subscribed(&self, row: &Command) -> Option<Reply> {
        if !is_mute(&self.client) {
            return None;
        }
        let reason = match row.handler {
            Handler::Connection(Do::Ping | Do::Quit | Do::Reset) => return None,
            Handler::Connection(Do::PubSub(what)) if alters(what) => return None,
            Handler::Connection(Do::Exec) => "EXECABORT Transaction discarded because of:",
            _ => "ERR",
        };
        Some(Reply::error_owned(format!(
            "{reason} Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
             allowed in this context",
            row.full_name
        )))
    }
}

/// Whether the client listens, in RESP2.
fn is_mute(client: &Client) -> bool {
    client.subscribed.get() && client.protocol.get() == Protocol::Resp2
}

/// `PING`, which answers a subscriber as a message would come.
pub fn ping(client: &Client, args: &Args<'_>) -> Reply {
    match args.get(1) {
        _ if args.len() > 2 => Reply::error("ERR wrong number of arguments for 'ping' command"),
        message if is_mute(client) => {
            Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(message.unwrap_or(&&b""[..]))])
        }
        Some(message) => Reply::bulk(message),
        None => Reply::simple("PONG"),
    }
}

fn subscribe(connection: &Connection, what: Subscription, names: &[&[u8]]) -> Reply {
    let pubsub = connection.shared.clients.pubsub();
    if !pubsub.has_room(what, names) {
        return TOO_MANY;
    }
    let confirm = match what {
        Subscription::Channel => "subscribe",
        Subscription::Pattern => "psubscribe",
        Subscription::ShardChannel => "ssubscribe",
    };
    let replies = names.iter().map(|name| {
        pubsub.subscribe(&connection.client, what, name);
        confirmation(&connection.client, confirm, what, Reply::bulk(name))
    });
    Reply::Several(replies.collect())
}

fn unsubscribe(connection: &Connection, what: Subscription, names: &[&[u8]]) -> Reply {
    let pubsub = connection.shared.clients.pubsub();
    let client = &connection.client;
    let confirm = match what {
        Subscription::Channel => "unsubscribe",
        Subscription::Pattern => "punsubscribe",
        Subscription::ShardChannel => "sunsubscribe",
    };
    let end = |name: &[u8]| {
        pubsub.unsubscribe(client, what, name);
        confirmation(client, confirm, what, Reply::bulk(name))
    };
    if !names.is_empty() {
        return Reply::Several(names.iter().map(|name| end(name)).collect());
    }
    match pubsub.subscriptions(client, what) {
        all if all.is_empty() => confirmation(client, confirm, what, Reply::Nil),
        all => Reply::Several(all.iter().map(|name| end(name)).collect()),
    }
}

/// With the number of subscriptions that are left: shard channels count by themselves.
fn confirmation(client: &Client, confirm: &str, what: Subscription, name: Reply) -> Reply {
    let [channels, patterns, shard_channels] = client.subscription_counts();
    let left = if what == Subscription::ShardChannel { shard_channels } else { channels + patterns };
    Reply::Push(vec![Reply::bulk(confirm), name, Reply::Int(left as i64)])
}
