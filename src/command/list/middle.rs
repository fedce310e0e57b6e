//! The commands that change a list anywhere: LSET, LINSERT, LTRIM, LREM.

use super::{ADDS, ELEMENT, INSERTED, row};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Collection, End, EventClass, List};
use crate::wire::units::Args;

const REMOVED: &[KeySpec] = &[KeySpec::one(&["RW", "delete"])];

pub(in crate::command) static LSET: Command = Command {
    summary: "Puts an element in the place of another, which is counted from 0, or from the end, which is -1",
    complexity: "O(log N) of the number of elements",
    arguments: &[Arg::KEY, Arg::new("index", ArgKind::Integer), ELEMENT],
    ..row(
        "lset",
        4,
        ADDS,
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(lset(context, args))),
    )
};

pub(in crate::command) static LINSERT: Command = Command {
    since: "2.2.0",
    summary: "Puts an element before or after the first that is the pivot, and returns the length of the list",
    complexity: "O(N) of the number of elements before the pivot",
    arguments: &[
        Arg::KEY,
        Arg::one_of("where", &[Arg::word("before", "BEFORE"), Arg::word("after", "AFTER")]),
        Arg::new("pivot", ArgKind::String),
        ELEMENT,
    ],
    ..row("linsert", 5, ADDS, INSERTED, Handler::Write(|context, args| reply(linsert(context, args))))
};

pub(in crate::command) static LTRIM: Command = Command {
    summary: "Leaves of a list the elements from one place to another, both included",
    complexity: "O(N) of the number of elements that are removed",
    arguments: &[Arg::KEY, Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
    ..row("ltrim", 4, Flags::WRITE, REMOVED, Handler::Write(|context, args| reply(ltrim(context, args))))
};

pub(in crate::command) static LREM: Command = Command {
    summary: "Removes what is equal to an element: all, or so many from the beginning, or (negative) from the end",
    complexity: "O(N) of the number of elements",
    arguments: &[Arg::KEY, Arg::new("count", ArgKind::Integer), ELEMENT],
    ..row("lrem", 4, Flags::WRITE, REMOVED, Handler::Write(|context, args| reply(lrem(context, args))))
};

fn lset(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let key = args[1];
    let mut edit = context.edit(key);
    let list = typed::<List>(edit.item())?.ok_or(Reply::error("ERR no such key"))?;
    let index = integer(args[2])?;
    if list.get(index).is_none() {
        return Err(Reply::error("ERR index out of range"));
    }
    change_typed(&mut edit, |list: &mut List| list.replace(index, args[3]));
    context.notify(EventClass::List, "lset", key);
    Ok(Reply::Ok)
}

fn linsert(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let side = match args[2] {
        word if is(word, "AFTER") => End::Right,
        word if is(word, "BEFORE") => End::Left,
        _ => return Err(SYNTAX),
    };
    let key = args[1];
    let mut edit = context.edit(key);
    let Some(list) = typed::<List>(edit.item())? else { return Ok(Reply::Int(0)) };
    let Some(place) = list.iter_from(End::Left).position(|element| element.equals(args[3])) else {
        return Ok(Reply::Int(-1));
    };
    let len = change_typed(&mut edit, |list: &mut List| {
        list.insert(place, side, args[4]);
        list.len()
    });
    context.notify(EventClass::List, "linsert", key);
    Ok(Reply::Int(len as i64))
}

fn ltrim(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let key = args[1];
    let mut edit = context.edit(key);
    let Some(list) = typed::<List>(edit.item())? else { return Ok(Reply::Ok) };
    let (len, kept) = (list.len(), list.places(start, stop));
    if kept.is_empty() {
        edit.remove();
    } else if kept.len() < len {
        let freed = change_typed(&mut edit, |list: &mut List| {
            [list.remove_range(kept.end..len), list.remove_range(0..kept.start)]
        });
        freed.into_iter().for_each(|freed| edit.discard(freed));
    }
    context.notify(EventClass::List, "ltrim", key);
    if kept.is_empty() {
        context.notify(EventClass::Generic, "del", key);
    }
    Ok(Reply::Ok)
}

fn lrem(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let count = integer(args[2])?;
    let (key, element) = (args[1], args[3]);
    let mut edit = context.edit(key);
    // What removes nothing is no change.
    let has_it = |list: &List| list.iter_from(End::Left).any(|other| other.equals(element));
    if !typed::<List>(edit.item())?.is_some_and(has_it) {
        return Ok(Reply::Int(0));
    }
    let from = if count < 0 { End::Right } else { End::Left };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let (removed, is_empty) =
        change_typed(&mut edit, |list: &mut List| (list.remove_equal(element, most, from), list.is_empty()));
    if is_empty {
        edit.remove();
    }
    context.notify(EventClass::List, "lrem", key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
    Ok(Reply::Int(removed as i64))
}
