//! ZRANGE in all its forms, the commands that are some of them under a name, and ZRANGESTORE.

use super::limits::{By, Limits};
use super::{READ, TARGET, WITH_SCORES, WRITES, listed, row, store};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::typed;
use crate::command::{ReadContext, Reply, WriteContext};
use crate::keyspace::{SortedRange, SortedSet};
use crate::wire::units::Args;
use std::ops::Range;

const MIN_TEXT: Arg = Arg::new("min", ArgKind::String);
const MAX_TEXT: Arg = Arg::new("max", ArgKind::String);
const MIN: Arg = Arg::new("min", ArgKind::Double);
const MAX: Arg = Arg::new("max", ArgKind::Double);
const SORT_BY: Arg =
    Arg::one_of("sortby", &[Arg::word("byscore", "BYSCORE"), Arg::word("bylex", "BYLEX")]).optional();
const REVERSED: Arg = Arg::word("rev", "REV").optional();
const LIMIT: Arg =
    Arg::block("offset_count", &[Arg::new("offset", ArgKind::Integer), Arg::new("count", ArgKind::Integer)])
        .after("LIMIT")
        .optional();
const COMPLEXITY: &str = "O(log N + M) of N members, and M that are returned or passed over";

/// What the rows of ranges have in common.
const fn range_row(name: &'static str, handler: Handler) -> Command {
    Command { complexity: COMPLEXITY, ..row(name, -4, Flags::READONLY, READ, handler) }
}

pub(in crate::command) static ZRANGE: Command = Command {
    summary: "Members between two ranks, two scores, or two members, in either order",
    arguments: &[
        Arg::KEY,
        Arg::new("start", ArgKind::String),
        Arg::new("stop", ArgKind::String),
        SORT_BY,
        REVERSED,
        LIMIT,
        WITH_SCORES,
    ],
    ..range_row("zrange", Handler::Read(|context, args| reply(range(context, args, None))))
};

pub(in crate::command) static ZRANGEBYLEX: Command = Command {
    since: "2.8.9",
    summary: "Members between two, if all have one score",
    arguments: &[Arg::KEY, MIN_TEXT, MAX_TEXT, LIMIT],
    replaced: Some(("6.2.0", "`ZRANGE` with the `BYLEX` argument")),
    ..range_row(
        "zrangebylex",
        Handler::Read(|context, args| reply(range(context, args, Some((By::Member, false))))),
    )
};

pub(in crate::command) static ZRANGEBYSCORE: Command = Command {
    since: "1.0.5",
    summary: "Members with scores between two",
    arguments: &[Arg::KEY, MIN, MAX, WITH_SCORES, LIMIT],
    replaced: Some(("6.2.0", "`ZRANGE` with the `BYSCORE` argument")),
    ..range_row(
        "zrangebyscore",
        Handler::Read(|context, args| reply(range(context, args, Some((By::Score, false))))),
    )
};

pub(in crate::command) static ZREVRANGE: Command = Command {
    summary: "Members between two ranks, from the highest score down",
    arguments: &[
        Arg::KEY,
        Arg::new("start", ArgKind::Integer),
        Arg::new("stop", ArgKind::Integer),
        WITH_SCORES,
    ],
    replaced: Some(("6.2.0", "`ZRANGE` with the `REV` argument")),
    ..range_row(
        "zrevrange",
        Handler::Read(|context, args| reply(range(context, args, Some((By::Rank, true))))),
    )
};

pub(in crate::command) static ZREVRANGEBYLEX: Command = Command {
    since: "2.8.9",
    summary: "Members between two, the last first, if all have one score",
    arguments: &[Arg::KEY, MAX_TEXT, MIN_TEXT, LIMIT],
    replaced: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")),
    ..range_row(
        "zrevrangebylex",
        Handler::Read(|context, args| reply(range(context, args, Some((By::Member, true))))),
    )
};

pub(in crate::command) static ZREVRANGEBYSCORE: Command = Command {
    since: "2.2.0",
    summary: "Members with scores between two, from the highest down",
    arguments: &[Arg::KEY, MAX, MIN, WITH_SCORES, LIMIT],
    replaced: Some(("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")),
    ..range_row(
        "zrevrangebyscore",
        Handler::Read(|context, args| reply(range(context, args, Some((By::Score, true))))),
    )
};

pub(in crate::command) static ZRANGESTORE: Command = Command {
    since: "6.2.0",
    summary: "Stores members between two ranks, two scores, or two members",
    complexity: "O(log N + M log M) of N members, and M that are stored",
    arguments: &[
        Arg::new("dst", ArgKind::Key),
        Arg::new("src", ArgKind::Key).of_spec(1),
        MIN_TEXT,
        MAX_TEXT,
        SORT_BY,
        REVERSED,
        LIMIT,
    ],
    ..row(
        "zrangestore",
        -5,
        WRITES,
        &[TARGET, KeySpec { first: 2, ..KeySpec::one(&["RO", "access"]) }],
        Handler::Write(|context, args| reply(zrangestore(context, args))),
    )
};

/// What a call asks for.
#[derive(Debug)]
struct Wanted<'a> {
    limits: Limits<'a>,
    reversed: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: all.
    count: i64,
}

impl<'a> Wanted<'a> {
    /// Of the arguments behind the key. `form`: the one that the command's name tells.
    fn read(args: &[&'a [u8]], form: Option<(By, bool)>, stores: bool) -> Result<Self, Reply> {
        let (mut by, mut reversed) = (form.map(|(by, _)| by), form.is_some_and(|(_, reversed)| reversed));
        let (mut with_scores, mut offset, mut count) = (false, 0, -1);
        let mut rest = &args[2..];
        while let [option, tail @ ..] = rest {
            rest = tail;
            match tail {
                _ if !stores && is(option, "WITHSCORES") => with_scores = true,
                [first, second, tail @ ..] if is(option, "LIMIT") => {
                    (offset, count) = (integer(first)?, integer(second)?);
                    rest = tail;
                }
                _ if form.is_none() && !reversed && is(option, "REV") => reversed = true,
                _ if by.is_none() && is(option, "BYLEX") => by = Some(By::Member),
                _ if by.is_none() && is(option, "BYSCORE") => by = Some(By::Score),
                _ => return Err(SYNTAX),
            }
        }
        let by = by.unwrap_or(By::Rank);
        if count != -1 && by == By::Rank {
            return Err(Reply::error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Member {
            return Err(Reply::error("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        let (min, max) = if reversed && by != By::Rank { (args[1], args[0]) } else { (args[0], args[1]) };
        let limits = Limits::read(by, min, max)?;
        Ok(Self { limits, reversed, with_scores, offset, count })
    }

    /// The ranks of what is wanted.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let Range { start, end } = self.limits.ranks(set, self.reversed);
        if matches!(self.limits, Limits::Ranks(..)) {
            return start..end;
        }
        let Ok(offset) = usize::try_from(self.offset) else { return start..start };
        let skipped = offset.min(end - start);
        let left = end - start - skipped;
        let count = usize::try_from(self.count).unwrap_or(left).min(left);
        match self.reversed {
            true => end - skipped - count..end - skipped,
            false => start + skipped..start + skipped + count,
        }
    }
}

fn range(context: &mut ReadContext<'_>, args: &Args<'_>, form: Option<(By, bool)>) -> Outcome {
    let wanted = Wanted::read(&args[2..], form, false)?;
    let Some(set) = context.typed::<SortedSet>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let found: SortedRange<'_> = set.range(wanted.ranks(set));
    Ok(match wanted.reversed {
        true => listed(found.rev(), wanted.with_scores),
        false => listed(found, wanted.with_scores),
    })
}

fn zrangestore(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let wanted = Wanted::read(&args[3..], None, true)?;
    let found = match typed::<SortedSet>(context.read(args[2]))? {
        Some(set) => set.range(wanted.ranks(set)).map(|(member, score)| (member.to_blob(), score)).collect(),
        None => Vec::new(),
    };
    Ok(store(context, args[1], found, "zrangestore"))
}
