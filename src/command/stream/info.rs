//! XINFO: what a stream is like. (Its groups are in `groups`, and as a part of it in `full`.)

mod full;
mod groups;

use super::{NO_SUCH_KEY, row, shown, shown_id};
use crate::command::context::{Outcome, reply};
use crate::command::introspect::help_row;
use crate::command::parse::{c_string, integer, is};
use crate::command::row::{Arg, ArgKind, Category, Command, ConnectionCommand, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, Id, Stream};
use crate::wire::units::Args;

/// Entries that `FULL` shows if nobody says how many.
const DEFAULT_COUNT: usize = 10;

const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();

pub(super) const KEYS: &[KeySpec] = &[KeySpec { first: 2, ..KeySpec::one(&["RO", "access"]) }];

/// The container has no category of its own, as in Redis.
pub(in crate::command) static XINFO: Command = Command {
    categories: &[],
    summary: "Commands about what streams and their groups are like",
    complexity: "Depends on subcommand.",
    subcommands: &[
        groups::CONSUMERS,
        groups::GROUPS,
        help_row("xinfo|help", "5.0.0", "stream", &[Category::Stream]),
        Command {
            full_name: "xinfo|stream",
            summary: "What a stream is like; FULL with its entries and all of its groups",
            complexity: "O(N) of its nodes and of what is shown",
            arguments: &[Arg::KEY, Arg::block("full", &[COUNT]).after("FULL").optional()],
            ..row(
                "stream",
                -3,
                Flags::READONLY,
                KEYS,
                Handler::Read(|context, args| reply(stream(context, args))),
            )
        },
    ],
    ..row("xinfo", -2, Flags::NONE, &[], Handler::Connection(ConnectionCommand::Introspect))
};

/// What cannot be of that subcommand.
pub(super) fn wrong_arguments(container: &str, name: &[u8]) -> Reply {
    let name = String::from_utf8_lossy(c_string(name, 128));
    Reply::error_owned(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
    ))
}

/// How many entries `FULL` shows; None: it was not asked for.
fn full_count(args: &Args<'_>) -> Result<Option<usize>, Reply> {
    match &args[3..] {
        [] => Ok(None),
        [full] if is(full, "FULL") => Ok(Some(DEFAULT_COUNT)),
        [full, option, count] if is(full, "FULL") && is(option, "COUNT") => {
            match usize::try_from(integer(count)?) {
                Ok(0) => Ok(Some(usize::MAX)),
                Ok(count) => Ok(Some(count)),
                Err(_) => Ok(Some(DEFAULT_COUNT)),
            }
        }
        _ => Err(wrong_arguments("XINFO", args[1])),
    }
}

fn stream(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let stream = context.typed::<Stream>(args[2])?.ok_or(NO_SUCH_KEY)?;
    let shown_entries = full_count(args)?;
    let ids = stream.ids();
    let mut fields = vec![
        ("length", Reply::Int(stream.len() as i64)),
        ("radix-tree-keys", Reply::Int(stream.packs().len() as i64)),
        ("radix-tree-nodes", Reply::Int(stream.radix_nodes() as i64)),
        ("last-generated-id", shown_id(ids.last)),
        ("max-deleted-entry-id", shown_id(ids.max_deleted)),
        ("entries-added", Reply::Int(ids.entries_added as i64)),
        ("recorded-first-entry-id", shown_id(ids.first)),
    ];
    match shown_entries {
        None => fields.extend([
            ("groups", Reply::Int(stream.groups().len() as i64)),
            ("first-entry", stream.first().map_or(Reply::Nil, |entry| shown(&entry))),
            ("last-entry", stream.last().map_or(Reply::Nil, |entry| shown(&entry))),
        ]),
        Some(count) => {
            let entries = stream.range(Id::MIN, Id::MAX).take(count);
            fields.extend([
                ("entries", Reply::Array(entries.map(|entry| shown(&entry)).collect())),
                ("groups", full::groups(stream, count)),
            ]);
        }
    }
    Ok(named(fields))
}

/// A map with these names.
pub(super) fn named(fields: impl IntoIterator<Item = (&'static str, Reply)>) -> Reply {
    Reply::Map(fields.into_iter().map(|(name, value)| (Reply::bulk(name), value)).collect())
}
