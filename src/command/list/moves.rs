//! The commands that take elements and put them into another list, or take them from the first of several lists that
//! there is: LMOVE, RPOPLPUSH, LMPOP.

use super::{ADDS, SIDES, TAKEN, push_all, row, side, take_and_tell, take_silently, tell_pushed, tell_taken};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, is, parse_i64};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{End, List};
use crate::wire::units::Args;
use std::ops::Range;

pub(super) const SOURCE: Arg = Arg::new("source", ArgKind::Key);
pub(super) const DESTINATION: Arg = Arg::new("destination", ArgKind::Key).of_spec(1);
pub(super) const FROM_AND_TO: &[KeySpec] = &[TAKEN, KeySpec { first: 2, ..KeySpec::one(&["RW", "insert"]) }];

pub(in crate::command) static LMOVE: Command = Command {
    since: "6.2.0",
    summary: "Takes an element off one end of a list, puts it to one end of another, and returns it",
    arguments: &[SOURCE, DESTINATION, Arg::one_of("wherefrom", SIDES), Arg::one_of("whereto", SIDES)],
    ..row(
        "lmove",
        5,
        ADDS,
        FROM_AND_TO,
        Handler::Write(|context, args| {
            let sides = side(args[3]).and_then(|from| Ok((from, side(args[4])?)));
            reply(sides.and_then(|(from, to)| move_one(context, args[1], args[2], from, to)))
        }),
    )
};

pub(in crate::command) static RPOPLPUSH: Command = Command {
    since: "1.2.0",
    summary: "Takes the last element of a list, puts it to the beginning of another, and returns it",
    arguments: &[SOURCE, DESTINATION],
    replaced: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
    ..row(
        "rpoplpush",
        3,
        ADDS,
        FROM_AND_TO,
        Handler::Write(|context, args| reply(move_one(context, args[1], args[2], End::Right, End::Left))),
    )
};

pub(in crate::command) static LMPOP: Command = Command {
    since: "7.0.0",
    summary: "Takes elements off the first of several lists that has any, and returns its key and them",
    complexity: "O(N + M) of the number of keys, and M elements that are returned",
    arguments: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::KEY.multiple(),
        Arg::one_of("where", SIDES),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
    ],
    finder: Finder::All(|call| counted_keys(call, 1)),
    ..row(
        "lmpop",
        -4,
        Flags::WRITE.and(Flags::MOVABLEKEYS),
        &[KeySpec::counted(1, &["RW", "access", "delete"])],
        Handler::Write(|context, args| reply(lmpop(context, args))),
    )
};

pub(super) fn move_one(
    context: &mut WriteContext<'_>,
    source: &[u8],
    destination: &[u8],
    from: End,
    to: End,
) -> Outcome {
    if typed::<List>(context.edit(source).item())?.is_none() {
        return Ok(Reply::Nil);
    }
    typed::<List>(context.edit(destination).item())?;
    if source == destination {
        return Ok(turn(context, source, from, to));
    }
    let (mut elements, is_empty) = take_silently(context, source, from, 1);
    let Some(element) = elements.pop() else { return Ok(Reply::Nil) };
    push_all(context, destination, to, &[&element]);
    tell_taken(context, source, from, is_empty);
    Ok(Reply::Bulk(element))
}

/// Takes an element off one end of a list and puts it to one end of the same, which is never empty between.
fn turn(context: &mut WriteContext<'_>, key: &[u8], from: End, to: End) -> Reply {
    let mut edit = context.edit(key);
    let element = change_typed(&mut edit, |list: &mut List| {
        let element = list.pop(from)?;
        list.push(to, &element);
        Some(element)
    });
    tell_pushed(context, key, to);
    tell_taken(context, key, from, false);
    element.map_or(Reply::Nil, Reply::Bulk)
}

fn lmpop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (keys, end, count) = several(args, 1)?;
    for key in &args[keys] {
        if typed::<List>(context.edit(key).item())?.is_some() {
            return Ok(take_and_tell(context, key, end, count));
        }
    }
    Ok(Reply::NilArray)
}

/// The keys, the end and the count of a call whose number of keys is the argument at `at`.
pub(super) fn several(args: &[&[u8]], at: usize) -> Result<(Range<usize>, End, usize), Reply> {
    let positive = |bytes: &[u8], error| {
        let number = parse_i64(bytes).filter(|&number| number > 0);
        number.and_then(|number| usize::try_from(number).ok()).ok_or(Reply::error(error))
    };
    let keys = positive(args[at], "ERR numkeys should be greater than 0")?;
    let first = at + 1;
    let behind = first.saturating_add(keys);
    let end = side(args.get(behind).ok_or(SYNTAX)?)?;
    let count = match &args[behind + 1..] {
        [] => 1,
        [word, count] if is(word, "COUNT") => positive(count, "ERR count should be greater than 0")?,
        [word, count, _, ..] if is(word, "COUNT") => {
            positive(count, "ERR count should be greater than 0")?;
            return Err(SYNTAX);
        }
        _ => return Err(SYNTAX),
    };
    Ok((first..behind, end, count))
}
