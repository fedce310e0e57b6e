//! MEMORY: what a key takes, and rows of what the server knows of the process. The size of a key
//! is this implementation's own; it must never be taken for Redis's.

use super::context::{Outcome, reply};
use super::introspect::help_row;
use super::parse::{SYNTAX, integer, is};
use super::row::{Arg, ArgKind, Command, ConnectionCommand, Flags, Handler, KeySpec};
use super::{ReadContext, Reply};
use crate::wire::units::Args;

/// What the server carries out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryCommand {
    Doctor,
    MallocStats,
    Purge,
    Stats,
}

const ALL_SHARDS: &[&str] =
    &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

const fn row(full_name: &'static str, name: &'static str, what: MemoryCommand) -> Command {
    Command {
        full_name,
        since: "4.0.0",
        group: "server",
        tips: ALL_SHARDS,
        ..Command::new(name, 2, Flags::NONE, Handler::Connection(ConnectionCommand::Memory(what)))
    }
}

pub(super) static MEMORY: Command = Command {
    since: "4.0.0",
    group: "server",
    summary: "Commands about memory",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Command {
            summary: "Says in a sentence what is odd about the memory of this node",
            ..row("memory|doctor", "doctor", MemoryCommand::Doctor)
        },
        Command {
            summary: "What the allocator says about itself",
            complexity: "O(N) of the number of arenas and size classes",
            ..row("memory|malloc-stats", "malloc-stats", MemoryCommand::MallocStats)
        },
        help_row("memory|help", "4.0.0", "server", &[]),
        Command {
            summary: "Figures about the memory of this node",
            complexity: "O(N) of the number of connections",
            ..row("memory|stats", "stats", MemoryCommand::Stats)
        },
        Command {
            summary: "Gives memory that the allocator holds back to the system",
            complexity: "O(N) of the memory that is given back",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            ..row("memory|purge", "purge", MemoryCommand::Purge)
        },
        Command {
            full_name: "memory|usage",
            keys: &[KeySpec { first: 2, ..KeySpec::one(&["RO"]) }],
            since: "4.0.0",
            group: "server",
            summary: "Bytes that a key and its value take on this node",
            arguments: &[Arg::KEY, Arg::new("count", ArgKind::Integer).after("SAMPLES").optional()],
            ..Command::new(
                "usage",
                -3,
                Flags::READONLY,
                Handler::Read(|context, args| reply(usage(context, args))),
            )
        },
    ],
    ..Command::new("memory", -2, Flags::NONE, Handler::Connection(ConnectionCommand::Introspect))
};

/// What a collection takes is known without samples of it: they are checked, and nothing else.
fn usage(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    for option in args[3..].chunks(2) {
        match *option {
            [name, count] if is(name, "SAMPLES") => {
                if integer(count)? < 0 {
                    return Err(SYNTAX);
                }
            }
            _ => return Err(SYNTAX),
        }
    }
    let size_bytes = context.peek(args[2]).map(|item| item.size_bytes(args[2]));
    Ok(size_bytes.map_or(Reply::Nil, |bytes| Reply::Int(bytes as i64)))
}
