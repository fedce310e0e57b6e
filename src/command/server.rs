//! Rows of the commands on the node: CONFIG, INFO, TIME, ROLE, WAIT, RAFT. The server
//! carries them out.

use super::introspect::help_row;
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand as Do, Flags, Handler};

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);

const fn row(name: &'static str, arity: i32, flags: Flags, what: Do) -> Command {
    Command { group: "server", ..Command::new(name, arity, flags, Handler::Connection(what)) }
}

pub(super) static CONFIG: Command = Command {
    since: "2.0.0",
    summary: "Commands about the configuration",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Command {
            full_name: "config|get",
            since: "2.0.0",
            summary: "Parameters whose names match, with their values",
            complexity: "O(N) of the number of patterns",
            arguments: &[Arg::block("parameter", &[Arg::new("parameter", ArgKind::String)]).multiple()],
            ..row("get", -3, ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT), Do::ConfigGet)
        },
        Command {
            full_name: "config|set",
            since: "2.0.0",
            summary: "Sets parameters, all of them or none: of this node until it stops, or of the whole cluster",
            complexity: "O(N) of the number of parameters",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            arguments: &[Arg::block(
                "parameter_value",
                &[Arg::new("parameter", ArgKind::String), Arg::new("value", ArgKind::String)],
            )
            .multiple()],
            ..row("set", -4, ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT), Do::ConfigSet)
        },
        help_row("config|help", "5.0.0", "server", &[]),
        Command {
            full_name: "config|resetstat",
            since: "2.0.0",
            summary: "Sets the counters of INFO and LATENCY HISTOGRAM back",
            ..row("resetstat", 2, ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT), Do::ConfigResetStat)
        },
        Command {
            full_name: "config|rewrite",
            since: "2.8.0",
            summary: "Would write parameters to the file they came from, and there is none",
            ..row("rewrite", 2, ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT), Do::ConfigRewrite)
        },
    ],
    ..row("config", -2, Flags::NONE, Do::Introspect)
};

pub(super) static INFO: Command = Command {
    categories: &[Category::Dangerous],
    tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
    summary: "What is known of the node, by section",
    arguments: &[Arg::new("section", ArgKind::String).optional().multiple()],
    ..row("info", -1, ANYTIME, Do::Info)
};

pub(super) static TIME: Command = Command {
    since: "2.6.0",
    tips: &["nondeterministic_output"],
    summary: "Unix time of this node: seconds, and microseconds within the second",
    ..row("time", 1, ANYTIME.and(Flags::FAST), Do::Time)
};

pub(super) static ROLE: Command = Command {
    categories: &[Category::Admin, Category::Dangerous],
    since: "2.8.12",
    summary: "This node's part in its group",
    ..row("role", 1, ANYTIME.and(Flags::FAST).and(Flags::NOSCRIPT), Do::Role)
};

pub(super) static WAIT: Command = Command {
    categories: &[Category::Connection],
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    since: "3.0.0",
    group: "generic",
    summary: "How many other nodes hold the writes of this connection, waiting for as many as asked",
    arguments: &[Arg::new("numreplicas", ArgKind::Integer), Arg::new("timeout", ArgKind::Integer)],
    ..row("wait", 3, Flags::NOSCRIPT, Do::Wait)
};

pub(super) static RAFT: Command = Command {
    since: "0.1.0",
    summary: "Commands about the Raft group",
    complexity: "Depends on subcommand.",
    subcommands: RAFT_SUBCOMMANDS,
    ..row("raft", -2, Flags::NONE, Do::Introspect)
};

const NODE: Arg = Arg::new("id", ArgKind::Integer);
const NEW_NODE: Arg = Arg::one_of("new-id", &[Arg::new("id", ArgKind::Integer), Arg::word("next-free", "*")]);
const ADDRESS: Arg = Arg::new("host:port[@peerport]", ArgKind::String);

/// Everything but STATUS: what it asks for goes through the group, and takes its time.
const fn raft_row(name: &'static str, full_name: &'static str, arity: i32, what: Do) -> Command {
    let flags = ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT).and(Flags::NO_MULTI).and(Flags::BLOCKING);
    Command {
        full_name,
        since: "0.1.0",
        complexity: "O(1), and the wait for its effect",
        ..row(name, arity, flags, what)
    }
}

const RAFT_SUBCOMMANDS: &[Command] = &[
    Command {
        full_name: "raft|status",
        since: "0.1.0",
        tips: &["nondeterministic_output"],
        summary: "Role, term, leader, indexes and members as this node sees them",
        complexity: "O(N) of the number of members",
        ..row("status", 2, ANYTIME.and(Flags::NOSCRIPT), Do::RaftStatus)
    },
    Command {
        summary: "Adds a node: a learner at first, a voter by itself once it has caught up",
        arguments: &[NEW_NODE, ADDRESS],
        ..raft_row("add", "raft|add", 4, Do::RaftAdd)
    },
    Command {
        summary: "Removes a node; its id is never used again",
        arguments: &[NODE],
        ..raft_row("remove", "raft|remove", 3, Do::RaftRemove)
    },
    Command {
        summary: "Makes a learner a voter once it has caught up",
        arguments: &[NODE],
        ..raft_row("promote", "raft|promote", 3, Do::RaftPromote)
    },
    Command {
        summary: "Makes a voter a learner: it receives everything and has no vote",
        arguments: &[NODE],
        ..raft_row("demote", "raft|demote", 3, Do::RaftDemote)
    },
    Command {
        summary: "Puts a new node in the place of another, which leaves when the new one has caught up",
        arguments: &[Arg::new("old-id", ArgKind::Integer), NEW_NODE, ADDRESS],
        ..raft_row("replace", "raft|replace", 5, Do::RaftReplace)
    },
    Command {
        summary: "Hands leadership to a voter",
        arguments: &[NODE],
        ..raft_row("transfer", "raft|transfer", 3, Do::RaftTransfer)
    },
    Command {
        summary: "Takes a snapshot of this node's state, and answers when it is on disk",
        ..raft_row("snapshot", "raft|snapshot", 2, Do::RaftSnapshot)
    },
    help_row("raft|help", "0.1.0", "server", &[]),
];
