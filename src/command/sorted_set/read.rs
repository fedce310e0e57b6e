//! The commands that read members or count them: ZSCORE, ZMSCORE, ZCARD, ZCOUNT, ZLEXCOUNT, ZRANK, ZREVRANK, ZSCAN; and
//! ZRANDMEMBER, which leaves no trace of what it draws.

use super::limits::{By, Limits};
use super::{FAST_READ, MEMBER, READ, listed, row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::draw;
use crate::command::parse::{SYNTAX, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::scan::{self, Wanted};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, SortedSet, format_double};
use crate::wire::units::Args;

pub(in crate::command) static ZCARD: Command = Command {
    summary: "How many members a sorted set has",
    arguments: &[Arg::KEY],
    ..row(
        "zcard",
        2,
        FAST_READ,
        &[KeySpec::one(&["RO"])],
        Handler::Read(|context, args| reply(zcard(context, args))),
    )
};

pub(in crate::command) static ZCOUNT: Command = Command {
    since: "2.0.0",
    summary: "How many members have a score between two",
    complexity: "O(log N) of the number of members",
    arguments: &[Arg::KEY, Arg::new("min", ArgKind::Double), Arg::new("max", ArgKind::Double)],
    ..row("zcount", 4, FAST_READ, READ, Handler::Read(|context, args| reply(count(context, args, By::Score))))
};

pub(in crate::command) static ZLEXCOUNT: Command = Command {
    since: "2.8.9",
    summary: "How many members are between two, if all have one score",
    complexity: "O(log N) of the number of members",
    arguments: &[Arg::KEY, Arg::new("min", ArgKind::String), Arg::new("max", ArgKind::String)],
    ..row(
        "zlexcount",
        4,
        FAST_READ,
        READ,
        Handler::Read(|context, args| reply(count(context, args, By::Member))),
    )
};

pub(in crate::command) static ZMSCORE: Command = Command {
    since: "6.2.0",
    summary: "The scores of several members",
    complexity: "O(N) of the number of members that are asked for",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row("zmscore", -3, FAST_READ, READ, Handler::Read(|context, args| reply(zmscore(context, args))))
};

pub(in crate::command) static ZSCORE: Command = Command {
    summary: "The score of a member",
    arguments: &[Arg::KEY, MEMBER],
    ..row("zscore", 3, FAST_READ, READ, Handler::Read(|context, args| reply(zscore(context, args))))
};

const fn rank_row(name: &'static str, summary: &'static str, handler: Handler) -> Command {
    Command {
        since: "2.0.0",
        summary,
        complexity: "O(log N) of the number of members",
        arguments: &[Arg::KEY, MEMBER],
        ..row(name, 3, FAST_READ, READ, handler)
    }
}

pub(in crate::command) static ZRANK: Command = rank_row(
    "zrank",
    "How many members come before one, from the lowest score up",
    Handler::Read(|context, args| reply(rank(context, args, false))),
);

pub(in crate::command) static ZREVRANK: Command = rank_row(
    "zrevrank",
    "How many members come before one, from the highest score down",
    Handler::Read(|context, args| reply(rank(context, args, true))),
);

pub(in crate::command) static ZSCAN: Command = Command {
    since: "2.8.0",
    tips: &["nondeterministic_output"],
    summary: "Walks over the members of a sorted set in steps; a cursor is good on every node, also after a failover",
    complexity: "O(1) a call, O(N) of the number of members for a whole walk",
    arguments: scan::ELEMENTS,
    ..row("zscan", -3, Flags::READONLY, READ, Handler::Read(|context, args| reply(zscan(context, args))))
};

pub(in crate::command) static ZRANDMEMBER: Command = Command {
    since: "6.2.0",
    tips: &["nondeterministic_output"],
    summary: "Members of a sorted set at random; a negative count allows for the same one again",
    complexity: "O(N log M) of N members that are returned, of M that there are",
    arguments: &[
        Arg::KEY,
        Arg::block(
            "options",
            &[Arg::new("count", ArgKind::Integer), Arg::word("withscores", "WITHSCORES").optional()],
        )
        .optional(),
    ],
    ..row(
        "zrandmember",
        -2,
        Flags::READONLY,
        READ,
        Handler::Read(|context, args| reply(zrandmember(context, args))),
    )
};

fn zcard(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    Ok(Reply::Int(context.typed::<SortedSet>(args[1])?.map_or(0, |set| set.len() as i64)))
}

fn count(context: &mut ReadContext<'_>, args: &Args<'_>, by: By) -> Outcome {
    let limits = Limits::read(by, args[2], args[3])?;
    let set = context.typed::<SortedSet>(args[1])?;
    Ok(Reply::Int(set.map_or(0, |set| limits.ranks(set, false).len() as i64)))
}

fn zscore(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<SortedSet>(args[1])?;
    Ok(set.and_then(|set| set.score(args[2])).map_or(Reply::Nil, Reply::Double))
}

fn zmscore(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<SortedSet>(args[1])?;
    let score = |member: &&[u8]| set.and_then(|set| set.score(member)).map_or(Reply::Nil, Reply::Double);
    Ok(Reply::Array(args[2..].iter().map(score).collect()))
}

fn rank(context: &mut ReadContext<'_>, args: &Args<'_>, from_highest: bool) -> Outcome {
    let Some(set) = context.typed::<SortedSet>(args[1])? else { return Ok(Reply::Nil) };
    let Some(rank) = set.rank(args[2]) else { return Ok(Reply::Nil) };
    Ok(Reply::Int(if from_highest { set.len() - 1 - rank } else { rank } as i64))
}

fn zscan(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let cursor = scan::cursor(args[2])?;
    let Some(set) = context.typed::<SortedSet>(args[1])? else { return Ok(scan::step(0, Vec::new())) };
    let wanted = Wanted::of_elements(&args[3..])?;
    let (next, pairs) = set.scan(cursor, wanted.count);
    let mut found = Vec::new();
    for (member, score) in pairs.filter(|(member, _)| wanted.matches(member.bytes(&mut Default::default()))) {
        found.extend([shown(member), Reply::bulk(scanned(set, score))]);
    }
    Ok(scan::step(next, found))
}

/// A score as text: a small set shows whole numbers as it keeps them.
fn scanned(set: &SortedSet, score: f64) -> String {
    let whole = score as i64;
    match set.pack().is_some() && whole.unsigned_abs() <= 1 << 62 && whole as f64 == score {
        true => whole.to_string(),
        false => format_double(score),
    }
}

fn zrandmember(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let Some(count) = args.get(2) else {
        let Some(set) = context.typed::<SortedSet>(args[1])? else { return Ok(Reply::Nil) };
        let rank = draw::one(set.len(), context.seed);
        return Ok(set.range(rank..rank + 1).next().map_or(Reply::Nil, |(member, _)| shown(member)));
    };
    let count = draw::count(count)?;
    let with_scores = match &args[3..] {
        [] => false,
        [word] if is(word, "WITHSCORES") => true,
        _ => return Err(SYNTAX),
    };
    if with_scores {
        draw::check_pairs(count)?;
    }
    let Some(set) = context.typed::<SortedSet>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let mut ranks = draw::positions(set.len(), count, context.seed)?;
    if usize::try_from(count).is_ok_and(|count| count >= set.len()) {
        ranks.reverse(); // all of them: Redis begins with the highest score
    }
    // Of a small one each look at a rank walks to it.
    let small: Option<Vec<_>> = set.pack().map(|_| set.iter().collect());
    let pairs = ranks.into_iter().filter_map(|rank| match &small {
        Some(pairs) => pairs.get(rank).copied(),
        None => set.range(rank..rank + 1).next(),
    });
    Ok(listed(pairs, with_scores))
}
