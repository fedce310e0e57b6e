//! Rows of Redis's replication protocol, by which a redis-server, redis-cli --rdb or whatever reads a
//! stream of changes attaches to a node as its replica. The server carries them out; nodes among
//! themselves must never use them.

use super::row::{Arg, ArgKind, Command, ConnectionCommand as Do, Flags, Handler};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaCommand {
    Sync,
    Psync,
    Replconf,
}

const BEGINS: Flags = Flags::NO_ASYNC_LOADING.and(Flags::ADMIN).and(Flags::NO_MULTI).and(Flags::NOSCRIPT);

const fn row(name: &'static str, arity: i32, flags: Flags, what: ReplicaCommand) -> Command {
    Command {
        group: "server",
        complexity: "O(N) of the number of keys",
        ..Command::new(name, arity, flags, Handler::Connection(Do::Replica(what)))
    }
}

pub(super) static SYNC: Command = Command {
    summary: "Sends all keys as an RDB file, and then every change as a command",
    ..row("sync", 1, BEGINS, ReplicaCommand::Sync)
};

pub(super) static PSYNC: Command = Command {
    since: "2.8.0",
    summary: "The same as SYNC, with the names that a replica keeps of where it is; always from the \
              beginning",
    arguments: &[Arg::new("replicationid", ArgKind::String), Arg::new("offset", ArgKind::Integer)],
    ..row("psync", -3, BEGINS, ReplicaCommand::Psync)
};

pub(super) static REPLCONF: Command = Command {
    since: "3.0.0",
    summary: "What a replica says of itself, and how far it has come",
    complexity: "O(1)",
    is_internal: true,
    ..row(
        "replconf",
        -1,
        Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::LOADING).and(Flags::STALE).and(Flags::ALLOW_BUSY),
        ReplicaCommand::Replconf,
    )
};
