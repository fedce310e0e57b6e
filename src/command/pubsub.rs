//! Messages to whoever listens. `PUBLISH` and `SPUBLISH` travel in the log, so that all nodes
//! tell them in one order, with the keyspace events and inside `EXEC`; who listens is known to
//! the server alone, which carries out the rest. A message must never become part of the state.

use super::introspect::help_row;
use super::row::{Arg, ArgKind, Command, ConnectionCommand as Do, Flags, Handler, KeySpec};
use super::{Reply, WriteContext};
use crate::wire::units::Args;

/// What of pub/sub the server carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PubSubCommand {
    Subscribe(Subscription),
    Unsubscribe(Subscription),
    Channels { sharded: bool },
    NumSub { sharded: bool },
    NumPat,
}

/// What a client listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    Channel,
    Pattern,
    ShardChannel,
}

const ANYTIME: Flags = Flags::PUBSUB.and(Flags::LOADING).and(Flags::STALE);
const CHANNEL: Arg = Arg::new("channel", ArgKind::String);
const SHARD_CHANNEL: Arg = Arg::new("shardchannel", ArgKind::String);
const MESSAGE: Arg = Arg::new("message", ArgKind::String);
const PATTERN: Arg = Arg::new("pattern", ArgKind::Pattern);
/// For clients that choose a node by it; no key stands there.
const NOT_KEY: &[&str] = &["not_key"];
const OF_OWN: &str = "O(N) of the number of subscriptions of the client";

const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command {
        since: "2.0.0",
        group: "pubsub",
        ..Command::new(name, arity, ANYTIME.and(Flags::NOSCRIPT), handler)
    }
}

const fn subscribe(name: &'static str, what: Subscription) -> Command {
    let handler = Handler::Connection(Do::PubSub(PubSubCommand::Subscribe(what)));
    Command { complexity: "O(N) of the number of channels or patterns", ..row(name, -2, handler) }
}

const fn unsubscribe(name: &'static str, what: Subscription) -> Command {
    let handler = Handler::Connection(Do::PubSub(PubSubCommand::Unsubscribe(what)));
    Command { complexity: OF_OWN, ..row(name, -1, handler) }
}

pub(super) static PUBLISH: Command = Command {
    flags: ANYTIME.and(Flags::FAST),
    summary: "Sends a message to all who listen to the channel, on all nodes; answers how many do on this one",
    complexity: "O(N+M) of the clients that listen to the channel and the patterns that any client listens to",
    arguments: &[CHANNEL, MESSAGE],
    ..row("publish", 3, Handler::Write(|context, args| publish(context, args, false)))
};

pub(super) static SPUBLISH: Command = Command {
    flags: ANYTIME.and(Flags::FAST),
    keys: &[KeySpec::one(NOT_KEY)],
    since: "7.0.0",
    summary: "Sends a message to all who listen to the shard channel, on all nodes; answers how many do on this one",
    complexity: "O(N) of the clients that listen to the shard channel",
    arguments: &[SHARD_CHANNEL, MESSAGE],
    ..row("spublish", 3, Handler::Write(|context, args| publish(context, args, true)))
};

fn publish(context: &mut WriteContext<'_>, args: &Args<'_>, sharded: bool) -> Reply {
    context.state.keyspace.publish(args[1], args[2], sharded);
    Reply::Receivers
}

pub(super) static SUBSCRIBE: Command = Command {
    summary: "Listens to channels",
    arguments: &[CHANNEL.multiple()],
    ..subscribe("subscribe", Subscription::Channel)
};

pub(super) static PSUBSCRIBE: Command = Command {
    summary: "Listens to all channels whose names match the patterns",
    arguments: &[Arg::block("pattern", &[PATTERN]).multiple()],
    ..subscribe("psubscribe", Subscription::Pattern)
};

pub(super) static SSUBSCRIBE: Command = Command {
    keys: &[KeySpec::every(1, NOT_KEY)],
    since: "7.0.0",
    summary: "Listens to shard channels",
    arguments: &[SHARD_CHANNEL.multiple()],
    ..subscribe("ssubscribe", Subscription::ShardChannel)
};

pub(super) static UNSUBSCRIBE: Command = Command {
    summary: "Stops listening to channels; without a name, to all of them",
    arguments: &[CHANNEL.optional().multiple()],
    ..unsubscribe("unsubscribe", Subscription::Channel)
};

pub(super) static PUNSUBSCRIBE: Command = Command {
    summary: "Stops listening by patterns; without a pattern, by all of them",
    arguments: &[PATTERN.optional().multiple()],
    ..unsubscribe("punsubscribe", Subscription::Pattern)
};

pub(super) static SUNSUBSCRIBE: Command = Command {
    keys: &[KeySpec::every(1, NOT_KEY)],
    since: "7.0.0",
    summary: "Stops listening to shard channels; without a name, to all of them",
    arguments: &[SHARD_CHANNEL.optional().multiple()],
    ..unsubscribe("sunsubscribe", Subscription::ShardChannel)
};

pub(super) static PUBSUB: Command = Command {
    since: "2.8.0",
    group: "pubsub",
    summary: "Who of this node's clients listens to what",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    ..Command::new("pubsub", -2, Flags::NONE, Handler::Connection(Do::Introspect))
};

const fn sub(name: &'static str, full_name: &'static str, arity: i32, what: PubSubCommand) -> Command {
    Command {
        full_name,
        flags: ANYTIME,
        since: "2.8.0",
        ..row(name, arity, Handler::Connection(Do::PubSub(what)))
    }
}

const OF_CHANNELS: &str = "O(N) of the number of channels that are listened to";
const OF_NAMES: &str = "O(N) of the number of names";

const SUBCOMMANDS: &[Command] = &[
    Command {
        summary: "Channels that a client of this node listens to",
        complexity: OF_CHANNELS,
        arguments: &[PATTERN.optional()],
        ..sub("channels", "pubsub|channels", -2, PubSubCommand::Channels { sharded: false })
    },
    Command {
        summary: "How many patterns clients of this node listen to",
        ..sub("numpat", "pubsub|numpat", 2, PubSubCommand::NumPat)
    },
    Command {
        summary: "How many clients of this node listen to each of the channels",
        complexity: OF_NAMES,
        arguments: &[CHANNEL.optional().multiple()],
        ..sub("numsub", "pubsub|numsub", -2, PubSubCommand::NumSub { sharded: false })
    },
    Command {
        since: "7.0.0",
        summary: "Shard channels that a client of this node listens to",
        complexity: OF_CHANNELS,
        arguments: &[PATTERN.optional()],
        ..sub("shardchannels", "pubsub|shardchannels", -2, PubSubCommand::Channels { sharded: true })
    },
    Command {
        since: "7.0.0",
        summary: "How many clients of this node listen to each of the shard channels",
        complexity: OF_NAMES,
        arguments: &[SHARD_CHANNEL.optional().multiple()],
        ..sub("shardnumsub", "pubsub|shardnumsub", -2, PubSubCommand::NumSub { sharded: true })
    },
    help_row("pubsub|help", "6.2.0", "pubsub", &[]),
];
