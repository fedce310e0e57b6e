//! ZREM, ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX.

use super::limits::{By, Limits};
use super::{LOG_EACH, MEMBER, row};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Collection, EventClass, SortedSet};
use crate::wire::units::Args;
use std::ops::Range;

const REMOVED: &[KeySpec] = &[KeySpec::one(&["RW", "delete"])];

pub(in crate::command) static ZREM: Command = Command {
    summary: "Removes members, and the key with the last one, and returns how many there were",
    complexity: LOG_EACH,
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row(
        "zrem",
        -3,
        Flags::WRITE.and(Flags::FAST),
        REMOVED,
        Handler::Write(|context, args| reply(zrem(context, args))),
    )
};

/// A row of a command that removes a range.
const fn range_row(
    name: &'static str,
    since: &'static str,
    arguments: &'static [Arg],
    handler: Handler,
) -> Command {
    Command {
        since,
        complexity: "O(log N + M) of N members, and M that are removed",
        arguments,
        ..row(name, 4, Flags::WRITE, REMOVED, handler)
    }
}

pub(in crate::command) static ZREMRANGEBYLEX: Command = Command {
    summary: "Removes the members between two, if all have one score",
    ..range_row(
        "zremrangebylex",
        "2.8.9",
        &[Arg::KEY, Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
        Handler::Write(|context, args| reply(remove_range(context, args, By::Member, "zremrangebylex"))),
    )
};

pub(in crate::command) static ZREMRANGEBYRANK: Command = Command {
    summary: "Removes the members between two ranks",
    ..range_row(
        "zremrangebyrank",
        "2.0.0",
        &[Arg::KEY, Arg::new("start", ArgKind::Integer), Arg::new("stop", ArgKind::Integer)],
        Handler::Write(|context, args| reply(remove_range(context, args, By::Rank, "zremrangebyrank"))),
    )
};

pub(in crate::command) static ZREMRANGEBYSCORE: Command = Command {
    summary: "Removes the members between two scores",
    ..range_row(
        "zremrangebyscore",
        "1.2.0",
        &[Arg::KEY, Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
        Handler::Write(|context, args| reply(remove_range(context, args, By::Score, "zremrangebyscore"))),
    )
};

fn zrem(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, members) = (args[1], &args[2..]);
    let mut edit = context.edit(key);
    // What removes nothing is no change.
    let has = |set: &SortedSet| members.iter().any(|member| set.score(member).is_some());
    if !typed::<SortedSet>(edit.item())?.is_some_and(has) {
        return Ok(Reply::Int(0));
    }
    let (removed, is_empty) = change_typed(&mut edit, |set: &mut SortedSet| {
        let removed = members.iter().filter(|member| set.remove(member)).count();
        (removed, set.is_empty())
    });
    if is_empty {
        edit.remove();
    }
    context.notify(EventClass::SortedSet, "zrem", key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
    Ok(Reply::Int(removed as i64))
}

fn remove_range(context: &mut WriteContext<'_>, args: &Args<'_>, by: By, event: &'static str) -> Outcome {
    let (key, limits) = (args[1], Limits::read(by, args[2], args[3])?);
    let edit = context.edit(key);
    let Some(set) = typed::<SortedSet>(edit.item())? else { return Ok(Reply::Int(0)) };
    let ranks = limits.ranks(set, false);
    let removed = ranks.len();
    if removed > 0 {
        take_out(context, key, ranks, event);
    }
    Ok(Reply::Int(removed as i64))
}

/// Removes those of these ranks, of which there are some, from a key that was found to hold a sorted set.
pub(super) fn take_out(context: &mut WriteContext<'_>, key: &[u8], ranks: Range<usize>, event: &'static str) {
    let mut edit = context.edit(key);
    let len = edit.item().and_then(|item| item.value.collection()).map_or(0, Collection::len);
    let is_all = ranks.len() == len;
    if is_all {
        edit.remove(); // and what is large is freed in steps
    } else {
        change_typed(&mut edit, |set: &mut SortedSet| set.remove_range(ranks));
    }
    context.notify(EventClass::SortedSet, event, key);
    if is_all {
        context.notify(EventClass::Generic, "del", key);
    }
}
