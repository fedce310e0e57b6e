//! ZADD and ZINCRBY; and what the commands on sorted sets share. (Those that remove are in `remove`, those that read
//! one member or count in `read`, ranges in `range`, unions and the like in `combine`.) A sorted set without
//! members must never be left behind a key.

pub(super) mod blocking;
pub(super) mod combine;
mod limits;
pub(super) mod pop;
pub(super) mod range;
pub(super) mod read;
pub(super) mod remove;

use super::context::{Outcome, reply};
use super::double;
use super::parse::{NOT_A_FLOAT, SYNTAX, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{change_typed, typed};
use super::{Reply, WriteContext};
use crate::keyspace::{Blob, EventClass, Field, SortedSet};
use crate::wire::units::Args;
use std::cmp::Ordering;

const MEMBER: Arg = Arg::new("member", ArgKind::String);
const WRITES: Flags = Flags::WRITE.and(Flags::DENYOOM);
const FAST_READ: Flags = Flags::READONLY.and(Flags::FAST);
const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
/// Where an outcome is stored.
const TARGET: KeySpec = KeySpec::one(&["OW", "update"]);
const WITH_SCORES: Arg = Arg::word("withscores", "WITHSCORES").optional();

const LOG_EACH: &str = "O(log N) a member, of N that there are";

/// What the rows of all commands on sorted sets have in common.
const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        categories: &[Category::SortedSet],
        keys,
        since: "1.2.0",
        group: "sorted-set",
        ..Command::new(name, arity, flags, handler)
    }
}

pub(super) static ZADD: Command = Command {
    summary: "Adds members with scores, or changes the scores of members, on a condition if asked",
    complexity: LOG_EACH,
    arguments: &[
        Arg::KEY,
        Arg::one_of("condition", &[Arg::word("nx", "NX"), Arg::word("xx", "XX")]).optional(),
        Arg::one_of("comparison", &[Arg::word("gt", "GT"), Arg::word("lt", "LT")]).optional(),
        Arg::word("change", "CH").optional(),
        Arg::word("increment", "INCR").optional(),
        Arg::block("score_member", &[Arg::new("score", ArgKind::Double), MEMBER]).multiple(),
    ],
    ..row(
        "zadd",
        -4,
        WRITES.and(Flags::FAST),
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(zadd(context, args, false))),
    )
};

pub(super) static ZINCRBY: Command = Command {
    summary: "Adds to the score of a member, which is 0 if there is no such member",
    complexity: "O(log N) of the number of members",
    arguments: &[Arg::KEY, Arg::new("increment", ArgKind::Integer), MEMBER],
    ..row(
        "zincrby",
        4,
        WRITES.and(Flags::FAST),
        &[KeySpec::one(&["RW", "access", "update"])],
        Handler::Write(|context, args| reply(zadd(context, args, true))),
    )
};

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    pub(super) only_new: bool,
    pub(super) only_old: bool,
    only_greater: bool,
    only_less: bool,
    pub(super) count_changed: bool,
    increment: bool,
}

impl Options {
    /// Reads them off the front of `args`; the rest is behind them.
    fn take<'a, 'b>(mut args: &'b [&'a [u8]]) -> (Self, &'b [&'a [u8]]) {
        let mut options = Self::default();
        while let [option, rest @ ..] = args {
            match () {
                () if is(option, "NX") => options.only_new = true,
                () if is(option, "XX") => options.only_old = true,
                () if is(option, "CH") => options.count_changed = true,
                () if is(option, "INCR") => options.increment = true,
                () if is(option, "GT") => options.only_greater = true,
                () if is(option, "LT") => options.only_less = true,
                () => break,
            }
            args = rest;
        }
        (options, args)
    }

    fn check(self, pairs: usize) -> Result<(), Reply> {
        if self.only_new && self.only_old {
            return Err(Reply::error("ERR XX and NX options at the same time are not compatible"));
        }
        let ordered = self.only_greater || self.only_less;
        if self.only_new && ordered || self.only_greater && self.only_less {
            return Err(Reply::error("ERR GT, LT, and/or NX options at the same time are not compatible"));
        }
        if self.increment && pairs > 1 {
            return Err(Reply::error("ERR INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// What becomes of a member with this score, if it has one, when this one is given.
    fn outcome(self, old: Option<f64>, given: f64) -> Change {
        let Some(old) = old else {
            return if self.only_old { Change::Refused } else { Change::Added(given) };
        };
        let new = if self.increment { old + given } else { given };
        match () {
            () if self.only_new => Change::Refused,
            () if new.is_nan() => Change::NotANumber,
            () if self.only_less && new >= old || self.only_greater && new <= old => Change::Refused,
            () if new == old => Change::Same(new),
            () => Change::Updated(new),
        }
    }
}

enum Change {
    Added(f64),
    Updated(f64),
    Same(f64),
    Refused,
    NotANumber,
}

/// ZINCRBY takes options, too, and has no place for them: a member of that name comes behind a number.
fn zadd(context: &mut WriteContext<'_>, args: &Args<'_>, increments: bool) -> Outcome {
    let (mut options, rest) = Options::take(&args[2..]);
    options.increment |= increments;
    if rest.is_empty() || !rest.len().is_multiple_of(2) {
        return Err(SYNTAX);
    }
    options.check(rest.len() / 2)?;
    let mut pairs = Vec::with_capacity(rest.len() / 2);
    for pair in rest.chunks_exact(2) {
        pairs.push((double::score(pair[0]).ok_or(NOT_A_FLOAT)?, pair[1]));
    }
    add(context, args[1], &pairs, options)
}

/// Adds members with scores.
pub(super) fn add(
    context: &mut WriteContext<'_>,
    key: &[u8],
    pairs: &[(f64, &[u8])],
    options: Options,
) -> Outcome {
    let mut edit = context.edit(key);
    let set = typed::<SortedSet>(edit.item())?;
    let outcome_in = |set: Option<&SortedSet>, (score, member): (f64, &[u8])| {
        options.outcome(set.and_then(|set| set.score(member)), score)
    };
    // What changes nothing is no change.
    let changes =
        |pair: &(f64, &[u8])| matches!(outcome_in(set, *pair), Change::Added(_) | Change::Updated(_));
    let (mut added, mut updated, mut last) = (0, 0, None);
    if pairs.iter().any(changes) {
        let forms = edit.forms();
        change_typed(&mut edit, |set: &mut SortedSet| {
            for &(given, member) in pairs {
                match outcome_in(Some(set), (given, member)) {
                    Change::Added(score) => {
                        set.insert(member, score, &forms);
                        added += 1;
                        last = Some(score);
                    }
                    Change::Updated(score) => {
                        set.insert(member, score, &forms);
                        updated += 1;
                        last = Some(score);
                    }
                    Change::Same(_) | Change::Refused | Change::NotANumber => {}
                }
            }
        });
        let event = if options.increment { "zincr" } else { "zadd" };
        context.notify(EventClass::SortedSet, event, key);
    } else if let Some(pair) = pairs.first().filter(|_| options.increment) {
        last = match outcome_in(set, *pair) {
            Change::Same(score) => Some(score),
            Change::NotANumber => return Err(Reply::error("ERR resulting score is not a number (NaN)")),
            Change::Added(_) | Change::Updated(_) | Change::Refused => None,
        };
    }
    Ok(match options {
        Options { increment: true, .. } => last.map_or(Reply::Nil, Reply::Double),
        Options { count_changed: true, .. } => Reply::Int(added + updated),
        _ => Reply::Int(added),
    })
}

/// Puts what a command found in the place of a key: nothing leaves none. The pairs are of different members.
pub(super) fn store(
    context: &mut WriteContext<'_>,
    key: &[u8],
    pairs: Vec<(Blob, f64)>,
    event: &'static str,
) -> Reply {
    let len = pairs.len();
    let mut edit = context.edit(key);
    match SortedSet::of_pairs(pairs, &edit.forms()) {
        Some(set) => {
            edit.set(set.into(), 0);
            context.notify(EventClass::SortedSet, event, key);
        }
        None => {
            if edit.remove() {
                context.notify(EventClass::Generic, "del", key);
            }
        }
    }
    Reply::Int(len as i64)
}

fn shown(member: Field<'_>) -> Reply {
    Reply::Bulk(member.to_blob())
}

/// The same of what is in no order yet.
fn listed_blobs(mut pairs: Vec<(Blob, f64)>, with_scores: bool) -> Reply {
    pairs.sort_unstable_by(|a, b| {
        a.1.partial_cmp(&b.1).unwrap_or(Ordering::Equal).then_with(|| a.0.cmp(&b.0))
    });
    listed(pairs.iter().map(|(member, score)| (Field::Blob(member), *score)), with_scores)
}

/// Members, with their scores if asked for.
fn listed<'a>(pairs: impl Iterator<Item = (Field<'a>, f64)>, with_scores: bool) -> Reply {
    match with_scores {
        true => Reply::Pairs(pairs.map(|(member, score)| (shown(member), Reply::Double(score))).collect()),
        false => Reply::Array(pairs.map(|(member, _)| shown(member)).collect()),
    }
}
