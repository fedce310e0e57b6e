//! ZUNION, ZINTER, ZDIFF, with STORE and without, and ZINTERCARD. Where scores are added up, the smallest set comes first:
//! sums of doubles depend on that, and have to be Redis's.

mod options;
mod source;

use super::{TARGET, WITH_SCORES, WRITES, listed_blobs, row, store};
use crate::collections::{Dict, HashSeed};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Blob, Forms};
use crate::wire::units::Args;
use options::Call;
use source::Source;

const SOURCES: &[&str] = &["RO", "access"];
const READ_KEYS: &[KeySpec] = &[KeySpec::counted(1, SOURCES)];
const STORE_KEYS: &[KeySpec] = &[TARGET, KeySpec::counted(2, SOURCES)];
const NUMKEYS: Arg = Arg::new("numkeys", ArgKind::Integer);
const DESTINATION: Arg = Arg::new("destination", ArgKind::Key);
const STORED: Arg = Arg::KEY.of_spec(1).multiple();
const WEIGHTS: Arg = Arg::new("weight", ArgKind::Integer).after("WEIGHTS").optional().multiple();
const AGGREGATE: Arg =
    Arg::one_of("aggregate", &[Arg::word("sum", "SUM"), Arg::word("min", "MIN"), Arg::word("max", "MAX")])
        .after("AGGREGATE")
        .optional();

const UNION_COMPLEXITY: &str = "O(N + M log M) of N members in all sets, and M in the outcome";
const INTER_COMPLEXITY: &str =
    "O(N K + M log M) of N members in the smallest of K sets, and M in the outcome";
const DIFF_COMPLEXITY: &str = "O(N K + M log M) of N members in the first of K sets, and M in the outcome";

/// What is done with the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// A row of what returns its outcome.
const fn read_row(name: &'static str, handler: Handler) -> Command {
    Command {
        since: "6.2.0",
        finder: Finder::All(|call| counted_keys(call, 1)),
        ..row(name, -3, Flags::READONLY.and(Flags::MOVABLEKEYS), READ_KEYS, handler)
    }
}

/// A row of what stores it.
const fn store_row(name: &'static str, handler: Handler) -> Command {
    Command {
        finder: Finder::Behind(|call| counted_keys(call, 2)),
        ..row(name, -4, WRITES.and(Flags::MOVABLEKEYS), STORE_KEYS, handler)
    }
}

macro_rules! read_handler {
    ($operation:ident) => {
        Handler::Read(|context, args| {
            let found =
                combine(Operation::$operation, args, 1, true, &context.state.keyspace.forms(), |key| {
                    context.get(key).map(|item| &item.value)
                });
            reply(found.map(|(found, with_scores)| listed_blobs(found, with_scores)))
        })
    };
}

pub(in crate::command) static ZDIFF: Command = Command {
    summary: "The members of the first set that are in no other one",
    complexity: DIFF_COMPLEXITY,
    arguments: &[NUMKEYS, Arg::KEY.multiple(), WITH_SCORES],
    ..read_row("zdiff", read_handler!(Diff))
};

pub(in crate::command) static ZINTER: Command = Command {
    summary: "The members that are in all of several sets",
    complexity: INTER_COMPLEXITY,
    arguments: &[NUMKEYS, Arg::KEY.multiple(), WEIGHTS, AGGREGATE, WITH_SCORES],
    ..read_row("zinter", read_handler!(Inter))
};

pub(in crate::command) static ZUNION: Command = Command {
    summary: "The members that are in any of several sets",
    complexity: UNION_COMPLEXITY,
    arguments: &[NUMKEYS, Arg::KEY.multiple(), WEIGHTS, AGGREGATE, WITH_SCORES],
    ..read_row("zunion", read_handler!(Union))
};

pub(in crate::command) static ZINTERCARD: Command = Command {
    since: "7.0.0",
    summary: "How many members are in all of several sets, counted up to a limit if asked",
    complexity: "O(N K) of N members in the smallest of K sets",
    arguments: &[NUMKEYS, Arg::KEY.multiple(), Arg::new("limit", ArgKind::Integer).after("LIMIT").optional()],
    ..read_row(
        "zintercard",
        Handler::Read(|context, args| {
            let call = Call::read(args, 1, |key| context.get(key).map(|item| &item.value));
            reply(call.and_then(|mut call| {
                let limit = call.counting_options()?;
                call.smallest_first();
                let found = intersection(&call, usize::try_from(limit).unwrap_or(usize::MAX)).len();
                Ok(Reply::Int(found as i64))
            }))
        }),
    )
};

pub(in crate::command) static ZDIFFSTORE: Command = Command {
    since: "6.2.0",
    summary: "Stores the members of the first set that are in no other one, and returns how many there are",
    complexity: DIFF_COMPLEXITY,
    arguments: &[DESTINATION, NUMKEYS, STORED],
    ..store_row(
        "zdiffstore",
        Handler::Write(|context, args| {
            reply(combine_and_store(context, args, Operation::Diff, "zdiffstore"))
        }),
    )
};

pub(in crate::command) static ZINTERSTORE: Command = Command {
    since: "2.0.0",
    summary: "Stores the members that are in all of several sets, and returns how many there are",
    complexity: INTER_COMPLEXITY,
    arguments: &[DESTINATION, NUMKEYS, STORED, WEIGHTS, AGGREGATE],
    ..store_row(
        "zinterstore",
        Handler::Write(|context, args| {
            reply(combine_and_store(context, args, Operation::Inter, "zinterstore"))
        }),
    )
};

pub(in crate::command) static ZUNIONSTORE: Command = Command {
    since: "2.0.0",
    summary: "Stores the members that are in any of several sets, and returns how many there are",
    complexity: UNION_COMPLEXITY,
    arguments: &[DESTINATION, NUMKEYS, STORED, WEIGHTS, AGGREGATE],
    ..store_row(
        "zunionstore",
        Handler::Write(|context, args| {
            reply(combine_and_store(context, args, Operation::Union, "zunionstore"))
        }),
    )
};

fn combine_and_store(
    context: &mut WriteContext<'_>,
    args: &Args<'_>,
    operation: Operation,
    event: &'static str,
) -> Outcome {
    let forms = context.state.keyspace.forms();
    let look = |key: &[u8]| context.read(key).map(|item| &item.value);
    let (found, _) = combine(operation, args, 2, false, &forms, look)?;
    Ok(store(context, args[1], found, event))
}

/// Members with their scores, in no order; and whether scores are asked for.
fn combine<'a>(
    operation: Operation,
    args: &Args<'_>,
    numkeys_at: usize,
    returns: bool,
    forms: &Forms,
    look: impl FnMut(&[u8]) -> Option<&'a crate::keyspace::Value>,
) -> Result<(Vec<(Blob, f64)>, bool), Reply> {
    let mut call = Call::read(args, numkeys_at, look)?;
    call.combining_options(operation != Operation::Diff, returns)?;
    let found = match operation {
        Operation::Diff => difference(&call),
        Operation::Inter => {
            call.smallest_first();
            intersection(&call, usize::MAX)
        }
        Operation::Union => {
            call.smallest_first();
            union(&call, forms)
        }
    };
    Ok((found, call.with_scores))
}

fn difference(call: &Call<'_, '_>) -> Vec<(Blob, f64)> {
    let Some(((first, _), others)) = call.sources.split_first() else { return Vec::new() };
    let is_left = |(member, _): &(Blob, f64)| others.iter().all(|(other, _)| other.score(member).is_none());
    first.iter().filter(is_left).collect()
}

/// Of sources that come with the smallest first.
fn intersection(call: &Call<'_, '_>, limit: usize) -> Vec<(Blob, f64)> {
    let Some(((first, weight), others)) = call.sources.split_first() else { return Vec::new() };
    let in_all = |(member, score): (Blob, f64)| {
        let mut sum = weighted(score, *weight);
        for (other, weight) in others {
            sum = call.aggregate.of(sum, other.score(&member)? * weight);
        }
        Some((member, sum))
    };
    first.iter().filter_map(in_all).take(limit).collect()
}

fn union(call: &Call<'_, '_>, forms: &Forms) -> Vec<(Blob, f64)> {
    let mut sums: Dict<f64> = Dict::new(HashSeed::new(forms.seed));
    for (source, weight) in &call.sources {
        for (member, score) in source.iter() {
            let score = weighted(score, *weight);
            if sums.update(&member, |sum| *sum = call.aggregate.of(*sum, score)).is_none() {
                sums.insert(member, score);
            }
        }
    }
    sums.iter().map(|(member, sum)| (member.clone(), *sum)).collect()
}

/// Nothing of an infinity is nothing.
fn weighted(score: f64, weight: f64) -> f64 {
    let product = weight * score;
    if product.is_nan() { 0.0 } else { product }
}
