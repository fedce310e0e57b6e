//! ZPOPMIN, ZPOPMAX and ZMPOP. (Those that wait are in `blocking`.) What is told to replicas names one key, and how many are taken from it.

use super::remove::take_out;
use super::{LOG_EACH, row};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::typed::typed;
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Blob, Collection, SortedSet};
use crate::mutant::{self, Mutant};
use crate::wire::units::Args;

pub(super) const POPPED: &[&str] = &["RW", "access", "delete"];
const POPPED_ONE: &[KeySpec] = &[KeySpec::one(POPPED)];
pub(super) const ENDS: &[Arg] = &[Arg::word("min", "MIN"), Arg::word("max", "MAX")];
const KEY_AND_COUNT: &[Arg] = &[Arg::KEY, Arg::new("count", ArgKind::Integer).optional()];

/// From which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }

    /// The command that takes from there.
    pub(super) fn command(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    /// As ZMPOP names it.
    fn read(arg: &[u8]) -> Option<Self> {
        match () {
            () if is(arg, "MIN") => Some(Self::Min),
            () if is(arg, "MAX") => Some(Self::Max),
            () => None,
        }
    }
}

const fn pop_row(name: &'static str, summary: &'static str, handler: Handler) -> Command {
    Command {
        since: "5.0.0",
        summary,
        complexity: LOG_EACH,
        arguments: KEY_AND_COUNT,
        ..row(name, -2, Flags::WRITE.and(Flags::FAST), POPPED_ONE, handler)
    }
}

pub(in crate::command) static ZPOPMAX: Command = pop_row(
    "zpopmax",
    "Takes out the members with the highest scores, and returns them",
    Handler::Write(|context, args| reply(zpop(context, args, End::Max))),
);

pub(in crate::command) static ZPOPMIN: Command = pop_row(
    "zpopmin",
    "Takes out the members with the lowest scores, and returns them",
    Handler::Write(|context, args| reply(zpop(context, args, End::Min))),
);

pub(in crate::command) static ZMPOP: Command = Command {
    since: "7.0.0",
    summary: "Takes members with the lowest or highest scores out of the first of several sorted sets that there is",
    complexity: "O(K + M log N) of K keys, and M members that are taken out of N",
    finder: Finder::All(|call| counted_keys(call, 1)),
    arguments: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::KEY.multiple(),
        Arg::one_of("where", ENDS),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
    ],
    ..row(
        "zmpop",
        -4,
        Flags::WRITE.and(Flags::MOVABLEKEYS),
        &[KeySpec::counted(1, POPPED)],
        Handler::Write(|context, args| reply(zmpop(context, args))),
    )
};

fn zpop(context: &mut WriteContext<'_>, args: &Args<'_>, end: End) -> Outcome {
    let count = match args[2..] {
        [] => None,
        [count] => {
            let error = Reply::error("ERR value is out of range, must be positive");
            Some(integer(count).ok().and_then(|count| usize::try_from(count).ok()).ok_or(error)?)
        }
        _ => return Err(SYNTAX),
    };
    let popped = pop(context, args[1], end, count.unwrap_or(1))?.unwrap_or_default();
    let pairs = popped.into_iter().map(|(member, score)| (Reply::Bulk(member), Reply::Double(score)));
    Ok(match count {
        Some(_) => Reply::Pairs(pairs.collect()),
        None => Reply::Array(pairs.flat_map(|(member, score)| [member, score]).collect()),
    })
}

fn zmpop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (keys, end, count) = many(args, 1)?;
    take_and_tell(context, keys, end, count)
}

/// Takes so many out of the first of several keys that there is.
pub(super) fn take_and_tell(
    context: &mut WriteContext<'_>,
    keys: &[&[u8]],
    end: End,
    count: usize,
) -> Outcome {
    for key in keys {
        if let Some(popped) = pop(context, key, end, count)? {
            context.propagate(&[end.command(), key, popped.len().to_string().as_bytes()]);
            return Ok(with_key(key, popped));
        }
    }
    Ok(Reply::NilArray)
}

/// The keys, the end and the count behind the number of keys, which stands at `at`.
pub(super) fn many<'a, 'b>(args: &'b [&'a [u8]], at: usize) -> Result<(&'b [&'a [u8]], End, usize), Reply> {
    let positive = |arg: &[u8], error: Reply| match integer(arg) {
        Ok(number) if number > 0 => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        _ => Err(error),
    };
    let numkeys = positive(args[at], Reply::error("ERR numkeys should be greater than 0"))?;
    let (keys, rest) = args[at + 1..].split_at_checked(numkeys).ok_or(SYNTAX)?;
    let (end, options) = rest.split_first().ok_or(SYNTAX)?;
    let end = End::read(end).ok_or(SYNTAX)?;
    let mut count = None;
    for option in options.chunks(2) {
        match option {
            [name, number] if count.is_none() && is(name, "COUNT") => {
                count = Some(positive(number, Reply::error("ERR count should be greater than 0"))?);
            }
            _ => return Err(SYNTAX),
        }
    }
    Ok((keys, end, count.unwrap_or(1)))
}

fn with_key(key: &[u8], popped: Vec<(Blob, f64)>) -> Reply {
    let pair = |(member, score)| Reply::Array(vec![Reply::Bulk(member), Reply::Double(score)]);
    Reply::Array(vec![Reply::bulk(key), Reply::Array(popped.into_iter().map(pair).collect())])
}

/// Takes out so many, or all that there are. None: there is no such key.
pub(super) fn pop(
    context: &mut WriteContext<'_>,
    key: &[u8],
    end: End,
    count: usize,
) -> Result<Option<Vec<(Blob, f64)>>, Reply> {
    let edit = context.edit(key);
    let Some(set) = typed::<SortedSet>(edit.item())? else { return Ok(None) };
    let (len, count) = (set.len(), count.min(set.len()));
    if count == 0 {
        return Ok(Some(Vec::new()));
    }
    let mut ranks = if end == End::Min { 0..count } else { len - count..len };
    if mutant::is(Mutant::WrongLeast) && count < len {
        ranks = 1..count + 1;
    }
    let mut popped: Vec<_> =
        set.range(ranks.clone()).map(|(member, score)| (member.to_blob(), score)).collect();
    if end == End::Max {
        popped.reverse();
    }
    take_out(context, key, ranks, end.event());
    Ok(Some(popped))
}
