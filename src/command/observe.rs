//! Rows of `SLOWLOG` and `LATENCY`: what took long on the node that is asked. The server carries
//! them out.

use super::introspect::help_row;
use super::row::{Arg, ArgKind, Command, ConnectionCommand as Do, Flags, Handler};

/// What the server does for `SLOWLOG`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowlogCommand {
    Get,
    Len,
    Reset,
}

/// What the server does for `LATENCY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatencyCommand {
    Doctor,
    Graph,
    Histogram,
    History,
    Latest,
    Reset,
}

const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);
const EVENT: Arg = Arg::new("event", ArgKind::String);
const EVERYWHERE: &[&str] =
    &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

const fn slowlog(name: &'static str, full_name: &'static str, arity: i32, what: SlowlogCommand) -> Command {
    let flags = ANYTIME.and(Flags::ADMIN);
    Command {
        full_name,
        since: "2.2.12",
        group: "server",
        ..Command::new(name, arity, flags, Handler::Connection(Do::Slowlog(what)))
    }
}

const fn latency(name: &'static str, full_name: &'static str, arity: i32, what: LatencyCommand) -> Command {
    let flags = ANYTIME.and(Flags::ADMIN).and(Flags::NOSCRIPT);
    Command {
        full_name,
        since: "2.8.13",
        group: "server",
        tips: EVERYWHERE,
        ..Command::new(name, arity, flags, Handler::Connection(Do::Latency(what)))
    }
}

const fn container(name: &'static str, since: &'static str) -> Command {
    Command {
        since,
        group: "server",
        complexity: "Depends on subcommand.",
        ..Command::new(name, -2, Flags::NONE, Handler::Connection(Do::Introspect))
    }
}

pub(super) static SLOWLOG: Command = Command {
    summary: "Commands about what took long to carry out on this node",
    subcommands: &[
        Command {
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            summary: "The newest of them: 10, or as many as asked, or with -1 all",
            complexity: "O(N) of the number of entries",
            arguments: &[Arg::new("count", ArgKind::Integer).optional()],
            ..slowlog("get", "slowlog|get", -2, SlowlogCommand::Get)
        },
        Command {
            tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
            summary: "How many there are",
            ..slowlog("len", "slowlog|len", 2, SlowlogCommand::Len)
        },
        Command {
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            summary: "Forgets them",
            complexity: "O(N) of the number of entries",
            ..slowlog("reset", "slowlog|reset", 2, SlowlogCommand::Reset)
        },
        help_row("slowlog|help", "6.2.0", "server", &[]),
    ],
    ..container("slowlog", "2.2.12")
};

pub(super) static LATENCY: Command = Command {
    summary: "Commands about what made this node slow, and when",
    subcommands: &[
        Command {
            summary: "What the events look like, in words",
            ..latency("doctor", "latency|doctor", 2, LatencyCommand::Doctor)
        },
        Command {
            summary: "Events of a kind, drawn",
            arguments: &[EVENT],
            ..latency("graph", "latency|graph", 3, LatencyCommand::Graph)
        },
        Command {
            since: "7.0.0",
            summary: "How the execution times of commands are distributed",
            complexity: "O(N) of the number of commands",
            arguments: &[Arg::new("command", ArgKind::String).optional().multiple()],
            ..latency("histogram", "latency|histogram", -2, LatencyCommand::Histogram)
        },
        Command {
            summary: "Events of a kind: when, and how many milliseconds",
            arguments: &[EVENT],
            ..latency("history", "latency|history", 3, LatencyCommand::History)
        },
        Command {
            summary: "The last event of each kind, and the longest ever",
            ..latency("latest", "latency|latest", 2, LatencyCommand::Latest)
        },
        Command {
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            summary: "Forgets the events of some kinds, or of all",
            arguments: &[EVENT.optional().multiple()],
            ..latency("reset", "latency|reset", -2, LatencyCommand::Reset)
        },
        help_row("latency|help", "2.8.13", "server", &[]),
    ],
    ..container("latency", "2.8.13")
};
