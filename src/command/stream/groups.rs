//! XGROUP: the consumer groups of a stream, and who reads in them. A stream must never go away because its last group
//! does.

use super::info::wrong_arguments;
use super::pending::ENTRY;
use super::{INVALID_ID, id, row};
use crate::command::context::{Outcome, reply};
use crate::command::introspect::help_row;
use crate::command::parse::{c_string, integer, is, shown};
use crate::command::row::{Arg, ArgKind, Category, Command, ConnectionCommand, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{EventClass, Group, Id, Stream};
use crate::wire::units::Args;

const NAME_OF_GROUP: Arg = Arg::new("groupname", ArgKind::String);
const NAME_OF_CONSUMER: Arg = Arg::new("consumername", ArgKind::String);
const NEW_ID: Arg = Arg::one_of("id", &[ENTRY, Arg::word("new_id", "$")]);
const ENTRIES_READ: Arg = Arg::new("entries_read", ArgKind::Integer).after("ENTRIESREAD").optional();
const NO_KEY: Reply = Reply::error(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the \
     MKSTREAM option to create an empty stream automatically.",
);

/// A row of a subcommand.
const fn sub(
    full_name: &'static str,
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command { full_name, ..row(name, arity, flags, keys, handler) }
}

const CREATES: Flags = Flags::WRITE.and(Flags::DENYOOM);
const INSERTED: &[KeySpec] = &[KeySpec { first: 2, ..KeySpec::one(&["RW", "insert"]) }];
const UPDATED: &[KeySpec] = &[KeySpec { first: 2, ..KeySpec::one(&["RW", "update"]) }];
const DELETED: &[KeySpec] = &[KeySpec { first: 2, ..KeySpec::one(&["RW", "delete"]) }];

/// The container has no category of its own, as in Redis.
pub(in crate::command) static XGROUP: Command = Command {
    since: "5.0.0",
    group: "stream",
    summary: "Commands about the consumer groups of a stream",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Command {
            summary: "Makes a group, which begins behind an entry or, with `$`, behind the last",
            arguments: &[
                Arg::KEY,
                NAME_OF_GROUP,
                NEW_ID,
                Arg::word("mkstream", "MKSTREAM").optional(),
                ENTRIES_READ,
            ],
            ..sub(
                "xgroup|create",
                "create",
                -5,
                CREATES,
                INSERTED,
                Handler::Write(|context, args| reply(create(context, args))),
            )
        },
        Command {
            since: "6.2.0",
            summary: "Adds a consumer to a group, and returns 1 if it was not there",
            arguments: &[Arg::KEY, NAME_OF_GROUP, NAME_OF_CONSUMER],
            ..sub(
                "xgroup|createconsumer",
                "createconsumer",
                5,
                CREATES,
                INSERTED,
                Handler::Write(|context, args| reply(create_consumer(context, args))),
            )
        },
        Command {
            summary: "Removes a consumer with what is pending of it, and returns how many entries that was",
            arguments: &[Arg::KEY, NAME_OF_GROUP, NAME_OF_CONSUMER],
            ..sub(
                "xgroup|delconsumer",
                "delconsumer",
                5,
                Flags::WRITE,
                DELETED,
                Handler::Write(|context, args| reply(delete_consumer(context, args))),
            )
        },
        Command {
            summary: "Removes a group with its consumers and what is pending of it",
            complexity: "O(1); what it held is freed bit by bit",
            arguments: &[Arg::KEY, NAME_OF_GROUP],
            ..sub(
                "xgroup|destroy",
                "destroy",
                4,
                Flags::WRITE,
                DELETED,
                Handler::Write(|context, args| reply(destroy(context, args))),
            )
        },
        help_row("xgroup|help", "5.0.0", "stream", &[Category::Stream]),
        Command {
            summary: "Lets a group go on behind another entry",
            arguments: &[Arg::KEY, NAME_OF_GROUP, NEW_ID, ENTRIES_READ],
            ..sub(
                "xgroup|setid",
                "setid",
                -5,
                Flags::WRITE,
                UPDATED,
                Handler::Write(|context, args| reply(set_id(context, args))),
            )
        },
    ],
    ..Command::new("xgroup", -2, Flags::NONE, Handler::Connection(ConnectionCommand::Introspect))
};

/// What stands behind the id of CREATE and SETID.
#[derive(Debug, Default)]
struct Options {
    make_stream: bool,
    entries_read: Option<i64>,
}

fn wrong_syntax(subcommand: &[u8]) -> Reply {
    wrong_arguments("XGROUP", subcommand)
}

fn options(args: &[&[u8]], makes_streams: bool) -> Result<Options, Reply> {
    let mut options = Options::default();
    let mut rest = &args[5..];
    loop {
        rest = match rest {
            [] => return Ok(options),
            [word, rest @ ..] if makes_streams && is(word, "MKSTREAM") => {
                options.make_stream = true;
                rest
            }
            [word, count, rest @ ..] if is(word, "ENTRIESREAD") => {
                options.entries_read = match integer(count)? {
                    -1 => None,
                    ..-1 => {
                        return Err(Reply::error("ERR value for ENTRIESREAD must be positive or -1"));
                    }
                    count => Some(count),
                };
                rest
            }
            _ => return Err(wrong_syntax(args[1])),
        };
    }
}

fn stream_of<'a>(context: &'a mut WriteContext<'_>, key: &[u8]) -> Result<Option<&'a Stream>, Reply> {
    // for a write: one whose time has come is gone from then on
    context.edit(key);
    typed::<Stream>(context.get(key))
}

/// There is no such group in a stream that there is.
pub(super) fn no_group_of(key: &[u8], group: &[u8]) -> Reply {
    Reply::error_owned(format!(
        "NOGROUP No such consumer group '{}' for key name '{}'",
        shown(group),
        shown(key)
    ))
}

/// There is no such stream, or no such group in it: the text, to be continued.
pub(super) fn no_group(key: &[u8], group: &[u8]) -> String {
    format!("NOGROUP No such key '{}' or consumer group '{}'", shown(key), shown(group))
}

/// Refuses a key or a group that is not there.
fn check_group(context: &mut WriteContext<'_>, args: &[&[u8]]) -> Result<(), Reply> {
    let (key, name) = (args[2], args[3]);
    let stream = stream_of(context, key)?.ok_or(NO_KEY)?;
    match stream.groups().get(name) {
        Some(_) => Ok(()),
        None => Err(no_group_of(key, name)),
    }
}

fn change<R>(
    context: &mut WriteContext<'_>,
    args: &[&[u8]],
    change: impl FnOnce(&mut Group) -> R,
) -> Option<R> {
    change_typed(&mut context.edit(args[2]), |stream: &mut Stream| {
        stream.groups_mut().update(args[3], change)
    })
}

fn create(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let options = options(args, true)?;
    let (key, name) = (args[2], args[3]);
    let stream = stream_of(context, key)?;
    let (last_id, is_busy) = match stream {
        None if !options.make_stream => return Err(NO_KEY),
        None => (Id::MIN, false),
        Some(stream) => (stream.ids().last, stream.groups().get(name).is_some()),
    };
    if args.len() > 8 {
        return Err(wrong_syntax(args[1]));
    }
    let last_id = if c_string(args[4], usize::MAX) == b"$" { last_id } else { id(args[4])? };
    if is_busy {
        return Err(Reply::error("BUSYGROUP Consumer Group name already exists"));
    }
    change_typed(&mut context.edit(key), |stream: &mut Stream| {
        stream.groups_mut().insert(name, Group::new(last_id, options.entries_read))
    });
    context.notify(EventClass::Stream, "xgroup-create", key);
    Ok(Reply::Ok)
}

fn set_id(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let options = options(args, false)?;
    check_group(context, args)?;
    if args.len() > 7 {
        return Err(wrong_syntax(args[1]));
    }
    let last_id = match args[4] {
        text if c_string(text, usize::MAX) == b"$" => {
            typed::<Stream>(context.get(args[2]))?.map_or(Id::MIN, |stream| stream.ids().last)
        }
        text => Id::parse_bound(text, 0).ok_or(INVALID_ID)?,
    };
    change(context, args, |group| (group.last_id, group.entries_read) = (last_id, options.entries_read));
    context.notify(EventClass::Stream, "xgroup-setid", args[2]);
    Ok(Reply::Ok)
}

fn destroy(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let key = args[2];
    let stream = stream_of(context, key)?.ok_or(NO_KEY)?;
    if stream.groups().get(args[3]).is_none() {
        return Ok(Reply::Int(0));
    }
    let mut edit = context.edit(key);
    let removed = change_typed(&mut edit, |stream: &mut Stream| stream.groups_mut().remove(args[3]));
    edit.discard(Stream::of_groups(removed.unwrap_or_default()));
    context.notify(EventClass::Stream, "xgroup-destroy", key);
    Ok(Reply::Int(1))
}

fn create_consumer(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    check_group(context, args)?;
    let (key, name, now_ms) = (args[2], args[4], context.now_ms as i64);
    if consumer_exists(context, args)? {
        return Ok(Reply::Int(0));
    }
    change(context, args, |group| group.add_consumer(name, now_ms));
    context.notify(EventClass::Stream, "xgroup-createconsumer", key);
    Ok(Reply::Int(1))
}

fn delete_consumer(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    check_group(context, args)?;
    if !consumer_exists(context, args)? {
        return Ok(Reply::Int(0));
    }
    let removed = change(context, args, |group| group.remove_consumer(args[4])).flatten();
    context.notify(EventClass::Stream, "xgroup-delconsumer", args[2]);
    Ok(Reply::Int(removed.unwrap_or(0) as i64))
}

fn consumer_exists(context: &WriteContext<'_>, args: &[&[u8]]) -> Result<bool, Reply> {
    let group = typed::<Stream>(context.get(args[2]))?.and_then(|stream| stream.groups().get(args[3]));
    Ok(group.is_some_and(|group| group.consumers().get(args[4]).is_some()))
}
