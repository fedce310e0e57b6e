//! The commands that read one set, but for those that draw: SISMEMBER, SMISMEMBER, SCARD, SMEMBERS, SSCAN.

use super::{MEMBER, row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::row::{Arg, Command, Flags, Handler, KeySpec};
use crate::command::scan::{self, Wanted};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, Set};
use crate::wire::units::Args;

const FAST: Flags = Flags::READONLY.and(Flags::FAST);
const LOOKED_AT: &[KeySpec] = &[KeySpec::one(&["RO"])];
const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];

pub(in crate::command) static SISMEMBER: Command = Command {
    summary: "Whether a set has a member",
    arguments: &[Arg::KEY, MEMBER],
    ..row("sismember", 3, FAST, LOOKED_AT, Handler::Read(|context, args| reply(sismember(context, args))))
};

pub(in crate::command) static SMISMEMBER: Command = Command {
    since: "6.2.0",
    summary: "Which of several members a set has",
    complexity: "O(N) of the number of members that are asked for",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row("smismember", -3, FAST, READ, Handler::Read(|context, args| reply(smismember(context, args))))
};

pub(in crate::command) static SCARD: Command = Command {
    summary: "How many members a set has",
    arguments: &[Arg::KEY],
    ..row("scard", 2, FAST, LOOKED_AT, Handler::Read(|context, args| reply(scard(context, args))))
};

pub(in crate::command) static SMEMBERS: Command = Command {
    tips: &["nondeterministic_output_order"],
    summary: "All members of a set",
    complexity: "O(N) of the number of members",
    arguments: &[Arg::KEY],
    ..row("smembers", 2, Flags::READONLY, READ, Handler::Read(|context, args| reply(smembers(context, args))))
};

pub(in crate::command) static SSCAN: Command = Command {
    since: "2.8.0",
    tips: &["nondeterministic_output"],
    summary: "Walks over the members of a set in steps; a cursor is good on every node, also after a failover",
    complexity: "O(1) a call, O(N) of the number of members for a whole walk",
    arguments: scan::ELEMENTS,
    ..row("sscan", -3, Flags::READONLY, READ, Handler::Read(|context, args| reply(sscan(context, args))))
};

fn sismember(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<Set>(args[1])?;
    Ok(Reply::Int(i64::from(set.is_some_and(|set| set.contains(args[2])))))
}

fn smismember(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<Set>(args[1])?;
    let has = |member: &&[u8]| Reply::Int(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(Reply::Array(args[2..].iter().map(has).collect()))
}

fn scard(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    Ok(Reply::Int(context.typed::<Set>(args[1])?.map_or(0, |set| set.len() as i64)))
}

fn smembers(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let set = context.typed::<Set>(args[1])?;
    Ok(Reply::Set(set.into_iter().flat_map(Set::iter).map(shown).collect()))
}

fn sscan(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let cursor = scan::cursor(args[2])?;
    let Some(set) = context.typed::<Set>(args[1])? else { return Ok(scan::step(0, Vec::new())) };
    let wanted = Wanted::of_elements(&args[3..])?;
    let (next, members) = set.scan(cursor, wanted.count);
    let found = members.filter(|member| wanted.matches(member.bytes(&mut Default::default())));
    Ok(scan::step(next, found.map(shown).collect()))
}
