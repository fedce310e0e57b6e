//! The commands on streams that add and remove entries. (How they trim is in `trim`, ranges are in `range`, reading what is
//! new in `read`, descriptions in `info`; groups in `groups`, `read_group`, `pending` and `claim`.) A stream without
//! entries stays.

mod blocking;
pub(super) mod claim;
pub(super) mod groups;
pub(super) mod info;
pub(super) mod pending;
pub(super) mod range;
pub(super) mod read;
pub(super) mod read_group;
mod told;
pub(super) mod trim;

use super::context::{Outcome, reply};
use super::parse::{SYNTAX, integer, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{change_typed, typed};
use super::{Reply, WriteContext};
use crate::keyspace::{Collection, Entry, EventClass, Id, Ids, NewId, Stream};
use crate::wire::units::Args;
use trim::{Options, TRIM, Trimmed};

pub(super) const INVALID_ID: Reply =
    Reply::error("ERR Invalid stream ID specified as stream command argument");
const NO_SUCH_KEY: Reply = Reply::error("ERR no such key");
const EXHAUSTED: Reply =
    Reply::error("ERR The stream has exhausted the last possible ID, unable to add more items");
const ZERO: Reply = Reply::error("ERR The ID specified in XADD must be greater than 0-0");
const NOT_NEWER: Reply =
    Reply::error("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const TOO_LARGE: Reply = Reply::error("ERR Elements are too large to be stored");
const SMALLER_THAN_TOP: Reply =
    Reply::error("ERR The ID specified in XSETID is smaller than the target stream top item");
const SMALLER_THAN_DELETED: Reply =
    Reply::error("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id");
const FEWER_THAN_ENTRIES: Reply =
    Reply::error("ERR The entries_added specified in XSETID is smaller than the target stream length");

const ADDED: &[KeySpec] = &[KeySpec {
    notes: "the existing entries may be changed too: by the options that trim",
    ..KeySpec::one(&["RW", "update"])
}];
const ID: Arg = Arg::new("id", ArgKind::String);

/// What the rows of all commands on streams have in common.
pub(super) const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        categories: &[Category::Stream],
        keys,
        since: "5.0.0",
        group: "stream",
        ..Command::new(name, arity, flags, handler)
    }
}

pub(super) static XADD: Command = Command {
    summary: "Adds an entry to a stream, and returns its id",
    complexity: "O(1), and O(N) of the number of entries that are trimmed",
    tips: &["nondeterministic_output"],
    arguments: &[
        Arg::KEY,
        Arg::word("nomkstream", "NOMKSTREAM").optional(),
        TRIM.optional(),
        Arg::one_of("id_or_auto", &[Arg::word("auto_id", "*"), ID]),
        Arg::block("field_value", &[Arg::new("field", ArgKind::String), Arg::new("value", ArgKind::String)])
            .multiple(),
    ],
    ..row(
        "xadd",
        -5,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        ADDED,
        Handler::Write(|context, args| reply(xadd(context, args))),
    )
};

pub(super) static XDEL: Command = Command {
    summary: "Removes entries of a stream by their ids, and returns how many there were",
    complexity: "O(log N) an id",
    arguments: &[Arg::KEY, ID.multiple()],
    ..row(
        "xdel",
        -3,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "delete"])],
        Handler::Write(|context, args| reply(xdel(context, args))),
    )
};

pub(super) static XSETID: Command = Command {
    summary: "Sets what a stream knows of its past: as replication needs it",
    arguments: &[
        Arg::KEY,
        Arg::new("last-id", ArgKind::String),
        Arg::new("entries_added", ArgKind::Integer).after("ENTRIESADDED").optional(),
        Arg::new("max_deleted_entry_id", ArgKind::String).after("MAXDELETEDID").optional(),
    ],
    ..row(
        "xsetid",
        -3,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(xsetid(context, args))),
    )
};

/// An id, the half of which that may be missing is 0.
pub(super) fn id(arg: &[u8]) -> Result<Id, Reply> {
    Id::parse(arg, 0).ok_or(INVALID_ID)
}

pub(super) fn shown_id(id: Id) -> Reply {
    Reply::bulk(id.to_string())
}

pub(super) fn shown(entry: &Entry<'_>) -> Reply {
    let fields = entry.fields().flat_map(|(name, value)| [name, value]);
    let fields = fields.map(|element| Reply::Bulk(element.to_blob())).collect();
    Reply::Array(vec![shown_id(entry.id), Reply::Array(fields)])
}

fn xadd(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let options = Options::of_xadd(context, args)?;
    let fields = args.get(options.end + 1..).unwrap_or_default();
    if fields.is_empty() || fields.len() % 2 != 0 {
        return Err(XADD.wrong_arity());
    }
    if options.id == NewId::Exactly(Id::MIN) {
        return Err(ZERO);
    }
    let (key, now_ms) = (args[1], context.now_ms);
    let mut edit = context.edit(key);
    let id = match typed::<Stream>(edit.item())? {
        None if options.must_exist => return Ok(Reply::Nil),
        None => Stream::default().new_id(options.id, now_ms),
        Some(stream) if stream.ids().last == Id::MAX => return Err(EXHAUSTED),
        Some(stream) => stream.new_id(options.id, now_ms),
    };
    let id = id.ok_or(NOT_NEWER)?;
    if !Stream::has_room_for(fields) {
        return Err(TOO_LARGE);
    }
    let compact = edit.forms().compact;
    let trimmed = change_typed(&mut edit, |stream: &mut Stream| {
        stream.append(id, fields, &compact);
        options.trim.map(|trim| trim.carry_out(stream))
    });
    let (removed, exact) = match trimmed {
        Some(Trimmed { freed, removed, exact }) => {
            edit.discard(freed);
            (removed, exact)
        }
        None => (0, None),
    };
    context.notify(EventClass::Stream, "xadd", key);
    if removed > 0 {
        context.notify(EventClass::Stream, "xtrim", key);
    }
    if context.propagates() {
        let given = (!matches!(options.id, NewId::Exactly(_))).then_some((options.end, id));
        trim::propagate(context, args, exact, given);
    }
    Ok(shown_id(id))
}

fn xdel(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let key = args[1];
    let mut edit = context.edit(key);
    let Some(stream) = typed::<Stream>(edit.item())? else { return Ok(Reply::Int(0)) };
    let ids = args[2..].iter().map(|arg| id(arg)).collect::<Result<Vec<Id>, Reply>>()?;
    if !ids.iter().any(|id| stream.get(*id).is_some()) {
        return Ok(Reply::Int(0));
    }
    let removed = change_typed(&mut edit, |stream: &mut Stream| stream.remove(&ids));
    context.notify(EventClass::Stream, "xdel", key);
    Ok(Reply::Int(removed as i64))
}

fn xsetid(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, last) = (args[1], id(args[2])?);
    let (mut entries_added, mut max_deleted) = (None, Id::MIN);
    let mut rest = &args[3..];
    while let [option, value, behind @ ..] = rest {
        if is(option, "ENTRIESADDED") {
            let count = u64::try_from(integer(value)?);
            entries_added = Some(count.map_err(|_| Reply::error("ERR entries_added must be positive"))?);
        } else if is(option, "MAXDELETEDID") {
            max_deleted = id(value)?;
            if last < max_deleted {
                return Err(SMALLER_THAN_DELETED);
            }
        } else {
            return Err(SYNTAX);
        }
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(SYNTAX);
    }
    let mut edit = context.edit(key);
    let stream = typed::<Stream>(edit.item())?.ok_or(NO_SUCH_KEY)?;
    if stream.last().is_some_and(|entry| last < entry.id) {
        return Err(SMALLER_THAN_TOP);
    }
    if entries_added.is_some_and(|count| stream.len() as u64 > count) {
        return Err(FEWER_THAN_ENTRIES);
    }
    let mut ids = Ids { last, ..stream.ids() };
    ids.entries_added = entries_added.unwrap_or(ids.entries_added);
    if max_deleted != Id::MIN {
        ids.max_deleted = max_deleted;
    }
    change_typed(&mut edit, |stream: &mut Stream| stream.set_ids(ids));
    context.notify(EventClass::Stream, "xsetid", key);
    Ok(Reply::Ok)
}
