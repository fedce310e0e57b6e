//! COMMAND, its subcommands, and the `HELP` of every container: what the table says about
//! itself. The shapes are Redis 7.0's; nothing here must ever know a command by name.

mod docs;
mod info;
mod keys;

#[cfg(test)]
pub(super) use docs::syntax;
pub(super) use keys::flags as key_flags;

use super::parse::{SYNTAX, is};
use super::row::{Arg, ArgKind, Category, Command, ConnectionCommand, Flags, Handler};
use super::{Reply, all, commands, glob, lookup};
use crate::wire::units::Args;

const CATEGORIES: &[Category] = &[Category::Connection];
const ANYTIME: Flags = Flags::LOADING.and(Flags::STALE);
const UNORDERED: &[&str] = &["nondeterministic_output_order"];
const NAMES: Arg = Arg::new("command-name", ArgKind::String).optional().multiple();
const CALL: &[Arg] =
    &[Arg::new("command", ArgKind::String), Arg::new("arg", ArgKind::String).optional().multiple()];

const fn row(name: &'static str, full_name: &'static str, arity: i32) -> Command {
    Command {
        full_name,
        categories: CATEGORIES,
        since: "2.8.13",
        group: "server",
        ..Command::new(name, arity, ANYTIME, Handler::Connection(ConnectionCommand::Introspect))
    }
}

/// The row of a container's `HELP`.
pub(super) const fn help_row(
    full_name: &'static str,
    since: &'static str,
    group: &'static str,
    categories: &'static [Category],
) -> Command {
    Command {
        full_name,
        since,
        group,
        categories,
        summary: "Lists the subcommands",
        ..Command::new("help", 2, ANYTIME, Handler::Connection(ConnectionCommand::Introspect))
    }
}

pub(super) static COMMAND: Command = Command {
    tips: UNORDERED,
    summary: "All that is known of all commands",
    complexity: "O(N) of the number of commands",
    subcommands: SUBCOMMANDS,
    ..row("command", "command", -1)
};

const SUBCOMMANDS: &[Command] = &[
    Command { summary: "How many commands there are", ..row("count", "command|count", 2) },
    Command {
        tips: UNORDERED,
        summary: "Arity, flags, keys, categories and subcommands of commands",
        complexity: "O(N) of the number of commands",
        arguments: &[NAMES],
        ..row("info", "command|info", -2)
    },
    Command {
        since: "7.0.0",
        tips: UNORDERED,
        summary: "Names of the commands",
        complexity: "O(N) of the number of commands",
        arguments: &[Arg::one_of(
            "filterby",
            &[
                Arg::new("module-name", ArgKind::String).after("MODULE"),
                Arg::new("category", ArgKind::String).after("ACLCAT"),
                Arg::new("pattern", ArgKind::Pattern).after("PATTERN"),
            ],
        )
        .after("FILTERBY")
        .optional()],
        ..row("list", "command|list", -2)
    },
    Command {
        since: "7.0.0",
        tips: UNORDERED,
        summary: "Documentation of commands",
        complexity: "O(N) of the number of commands",
        arguments: &[NAMES],
        ..row("docs", "command|docs", -2)
    },
    Command {
        summary: "Keys of a call",
        complexity: "O(N) of the number of arguments",
        arguments: CALL,
        ..row("getkeys", "command|getkeys", -4)
    },
    Command {
        since: "7.0.0",
        summary: "Keys of a call, with what it does to them",
        complexity: "O(N) of the number of arguments",
        arguments: CALL,
        ..row("getkeysandflags", "command|getkeysandflags", -4)
    },
    help_row("command|help", "5.0.0", "server", CATEGORIES),
];

/// Answers a command whose row says [`ConnectionCommand::Introspect`]: `COMMAND` and its
/// subcommands, `HELP` of any container.
pub fn introspect(args: &Args<'_>) -> Reply {
    let command = match super::resolve(args) {
        Ok(command) => command,
        Err(error) => return error,
    };
    let names = args.get(2..).unwrap_or_default();
    match command.full_name {
        "command" => Reply::Array(commands().map(info::of).collect()),
        "command|count" => Reply::Int(commands().count() as i64),
        "command|info" if names.is_empty() => Reply::Array(commands().map(info::of).collect()),
        "command|info" => {
            Reply::Array(names.iter().map(|name| named(name).map_or(Reply::Nil, info::of)).collect())
        }
        "command|list" => list(names),
        "command|docs" if names.is_empty() => docs::of(commands()),
        "command|docs" => docs::of(names.iter().filter_map(|name| named(name))),
        "command|getkeys" => keys::of(names, false),
        "command|getkeysandflags" => keys::of(names, true),
        _ => help(args),
    }
}

/// A row by its name, a subcommand's as `container|subcommand`.
pub fn named(name: &[u8]) -> Option<&'static Command> {
    match name.iter().position(|&b| b == b'|') {
        Some(bar) => lookup(&name[..bar])?.subcommand(&name[bar + 1..]),
        None => lookup(name),
    }
}

fn list(options: &[&[u8]]) -> Reply {
    let wanted: &dyn Fn(&Command) -> bool = match *options {
        [] => &|_| true,
        [filter_by, kind, value] if is(filter_by, "FILTERBY") => {
            if is(kind, "MODULE") {
                &|_| false
            } else if is(kind, "ACLCAT") {
                &move |command| {
                    command.acl_categories().iter().any(|category| is(value, &category.name()[1..]))
                }
            } else if is(kind, "PATTERN") {
                let pattern = value.to_ascii_lowercase();
                &move |command| glob::matches(&pattern, command.full_name.as_bytes())
            } else {
                return SYNTAX;
            }
        }
        _ => return SYNTAX,
    };
    Reply::Array(
        all().filter(|command| wanted(command)).map(|command| Reply::bulk(command.full_name)).collect(),
    )
}

fn help(args: &Args<'_>) -> Reply {
    let Some(container) = args.first().and_then(|name| lookup(name)) else { return super::unknown(args) };
    let name = container.name.to_ascii_uppercase();
    let mut lines = vec![format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    for subcommand in container.subcommands {
        let name = subcommand.name.to_ascii_uppercase();
        let arguments = docs::syntax(subcommand.arguments);
        lines.push(if arguments.is_empty() { name } else { format!("{name} {arguments}") });
        lines.push(format!("    {}.", subcommand.summary));
    }
    Reply::Array(lines.into_iter().map(|line| Reply::Simple(line.into())).collect())
}
