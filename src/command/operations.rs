//! Rows of what operators do to a node: MONITOR, SHUTDOWN, SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE,
//! and WAITAOF. The server carries them out; no row may claim what Redis does and we do not.

use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeCommand {
    Monitor,
    Shutdown,
    Save,
    BgSave,
    BgRewriteAof,
    LastSave,
    WaitAof,
}

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);
const ADMIN: Flags = Flags::ADMIN.and(Flags::NOSCRIPT);

const fn row(name: &'static str, arity: i32, flags: Flags, what: NodeCommand) -> Command {
    Command { group: "server", ..Command::new(name, arity, flags, Handler::Connection(Do::Node(what))) }
}

pub(super) static MONITOR: Command = Command {
    summary: "Shows every command that clients of this node send from now on",
    ..row("monitor", 1, ADMIN.and(ANYTIME), NodeCommand::Monitor)
};

pub(super) static SHUTDOWN: Command = Command {
    summary: "Stops this node; if it leads, another one takes over first",
    complexity: "O(N) of the number of keys with SAVE, O(1) otherwise",
    arguments: &[
        Arg::one_of("nosave_save", &[Arg::word("nosave", "NOSAVE"), Arg::word("save", "SAVE")]).optional(),
        Arg::word("now", "NOW").optional(),
        Arg::word("force", "FORCE").optional(),
        Arg::word("abort", "ABORT").optional(),
    ],
    ..row(
        "shutdown",
        -1,
        ADMIN.and(ANYTIME).and(Flags::NO_MULTI).and(Flags::ALLOW_BUSY),
        NodeCommand::Shutdown,
    )
};

pub(super) static SAVE: Command = Command {
    summary: "Takes a snapshot of this node and waits until it is on disk; nobody else waits",
    complexity: "O(N) of the number of keys",
    ..row("save", 1, ADMIN.and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI), NodeCommand::Save)
};

pub(super) static BGSAVE: Command = Command {
    summary: "Begins to take a snapshot of this node",
    arguments: &[Arg::word("schedule", "SCHEDULE").optional()],
    ..row("bgsave", -1, ADMIN.and(Flags::NO_ASYNC_LOADING), NodeCommand::BgSave)
};

pub(super) static BGREWRITEAOF: Command = Command {
    summary: "Begins to take a snapshot of this node, after which the log before it is let go of",
    ..row("bgrewriteaof", 1, ADMIN.and(Flags::NO_ASYNC_LOADING), NodeCommand::BgRewriteAof)
};

pub(super) static LASTSAVE: Command = Command {
    categories: &[Category::Admin, Category::Dangerous],
    tips: &["nondeterministic_output"],
    summary: "Unix time at which the last snapshot of this node was on disk",
    ..row("lastsave", 1, ANYTIME.and(Flags::FAST), NodeCommand::LastSave)
};

pub(super) static WAITAOF: Command = Command {
    categories: &[Category::Connection],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    since: "7.2.0",
    group: "generic",
    summary: "On how many disks the writes of this connection are, this node's and others', waiting \
              for as many as asked",
    arguments: &[
        Arg::new("numlocal", ArgKind::Integer),
        Arg::new("numreplicas", ArgKind::Integer),
        Arg::new("timeout", ArgKind::Integer),
    ],
    ..row("waitaof", 4, Flags::NOSCRIPT, NodeCommand::WaitAof)
};
