//! The commands on sorted sets that wait for members: BZPOPMIN, BZPOPMAX, BZMPOP. What is here takes what there is, or
//! nothing: see [`Awaited`]. Replicas are told the commands that do not wait.

use super::pop::{ENDS, End, POPPED, many, pop, take_and_tell};
use super::row;
use crate::command::blocking::{Awaited, Wanted, timeout_ms};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::{Reply, WriteContext};
use crate::keyspace::Kind;
use crate::wire::units::Args;
use std::ops::Range;

const TIMEOUT: Arg = Arg::new("timeout", ArgKind::Double);
const KEYS: &[KeySpec] = &[KeySpec { last: -2, ..KeySpec::one(POPPED) }];
const KEYS_AND_TIMEOUT: &[Arg] = &[Arg::KEY.multiple(), TIMEOUT];

/// A row of what takes one member of one of several sorted sets.
const fn pops(name: &'static str, summary: &'static str, handler: Handler) -> Command {
    const FLAGS: Flags = Flags::WRITE.and(Flags::NOSCRIPT).and(Flags::FAST).and(Flags::BLOCKING);
    Command {
        since: "5.0.0",
        summary,
        complexity: "O(log N) of the number of members",
        arguments: KEYS_AND_TIMEOUT,
        blocks: Some(|call| awaited(1..call.len() - 1, call[call.len() - 1])),
        ..row(name, -3, FLAGS, KEYS, handler)
    }
}

pub(in crate::command) static BZPOPMAX: Command = pops(
    "bzpopmax",
    "Takes the member with the highest score out of the first of several sorted sets that there is, or waits for one",
    Handler::Write(|context, args| reply(bzpop(context, args, End::Max))),
);

pub(in crate::command) static BZPOPMIN: Command = pops(
    "bzpopmin",
    "Takes the member with the lowest score out of the first of several sorted sets that there is, or waits for one",
    Handler::Write(|context, args| reply(bzpop(context, args, End::Min))),
);

pub(in crate::command) static BZMPOP: Command = Command {
    since: "7.0.0",
    summary: "The same as ZMPOP, but waits for a member if there is none",
    complexity: "O(K + M log N) of K keys, and M members that are taken out of N",
    finder: Finder::All(|call| counted_keys(call, 2)),
    arguments: &[
        TIMEOUT,
        Arg::new("numkeys", ArgKind::Integer),
        Arg::KEY.multiple(),
        Arg::one_of("where", ENDS),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
    ],
    blocks: Some(|call| many(call, 2).ok().and_then(|(keys, ..)| awaited(3..3 + keys.len(), call[1]))),
    ..row(
        "bzmpop",
        -5,
        Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        &[KeySpec::counted(2, POPPED)],
        Handler::Write(|context, args| reply(bzmpop(context, args))),
    )
};

fn awaited(keys: Range<usize>, timeout: &[u8]) -> Option<Awaited> {
    Some(Awaited { keys, what: Wanted::Element(Kind::SortedSet), timeout_ms: timeout_ms(timeout).ok()? })
}

fn bzpop(context: &mut WriteContext<'_>, args: &Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    timeout_ms(args[last])?;
    for key in &args[1..last] {
        let Some(popped) = pop(context, key, end, 1)? else { continue };
        let mut taken = vec![Reply::bulk(key)];
        taken.extend(
            popped.into_iter().flat_map(|(member, score)| [Reply::Bulk(member), Reply::Double(score)]),
        );
        context.propagate(&[end.command(), key]);
        return Ok(Reply::Array(taken));
    }
    Ok(Reply::NilArray)
}

fn bzmpop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (keys, end, count) = many(args, 2)?;
    timeout_ms(args[1])?;
    take_and_tell(context, keys, end, count)
}
