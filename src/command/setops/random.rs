//! SRANDMEMBER and SPOP: members at random. What SPOP draws follows from the log's seed, and a Redis that listens is
//! told which members are gone.

use super::{row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::draw;
use crate::command::parse::{SYNTAX, integer};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{ReadContext, Reply, WriteContext};
use crate::keyspace::{Blob, Collection, EventClass, Field, Item, Set, SplitMix};
use crate::wire::units::Args;

/// As long as there are so many times more members than are popped, the others are not moved.
const LEAVES: usize = 5;

const UNSURE: &[&str] = &["nondeterministic_output"];
const DRAWS: &[Arg] = &[Arg::KEY, Arg::new("count", ArgKind::Integer).optional()];

pub(in crate::command) static SPOP: Command = Command {
    tips: UNSURE,
    summary: "Removes members of a set at random, and returns them",
    complexity: "O(1) a member",
    arguments: DRAWS,
    ..row(
        "spop",
        -2,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "access", "delete"])],
        Handler::Write(|context, args| reply(spop(context, args))),
    )
};

pub(in crate::command) static SRANDMEMBER: Command = Command {
    tips: UNSURE,
    summary: "Members of a set at random; a negative count allows for the same one again",
    complexity: "O(1) a member",
    arguments: DRAWS,
    ..row(
        "srandmember",
        -2,
        Flags::READONLY,
        &[KeySpec::one(&["RO", "access"])],
        Handler::Read(|context, args| reply(srandmember(context, args))),
    )
};

fn srandmember(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let count = match &args[2..] {
        [] => {
            let Some(set) = context.typed::<Set>(args[1])? else { return Ok(Reply::Nil) };
            return Ok(set.at(draw::one(set.len(), context.seed)).map_or(Reply::Nil, shown));
        }
        [count] => draw::count(count)?,
        _ => return Err(SYNTAX),
    };
    let Some(set) = context.typed::<Set>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    let positions = draw::positions(set.len(), count, context.seed)?;
    // Of a small one each look at a position may walk to it.
    let small: Option<Vec<Field<'_>>> = (set.len() <= positions.len()).then(|| set.iter().collect());
    let members = positions.into_iter().filter_map(|position| match &small {
        Some(members) => members.get(position).copied(),
        None => set.at(position),
    });
    Ok(Reply::Array(members.map(shown).collect()))
}

fn spop(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    match &args[2..] {
        [] => pop_one(context, args[1]),
        [count] => {
            let count = integer(count).ok().and_then(|count| usize::try_from(count).ok());
            let count = count.ok_or(Reply::error("ERR value is out of range, must be positive"))?;
            pop(context, args[1], count)
                .map(|popped| Reply::Set(popped.into_iter().map(Reply::Bulk).collect()))
        }
        _ => Err(SYNTAX),
    }
}

fn pop_one(context: &mut WriteContext<'_>, key: &[u8]) -> Outcome {
    let seed = context.seed;
    let mut edit = context.edit(key);
    if typed::<Set>(edit.item())?.is_none() {
        return Ok(Reply::Nil);
    }
    let (member, is_empty) = change_typed(&mut edit, |set: &mut Set| {
        (set.remove_at(draw::one(set.len(), seed)).unwrap_or_default(), set.is_empty())
    });
    if is_empty {
        edit.remove();
    }
    context.notify(EventClass::Set, "spop", key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
    context.propagate(&[b"SREM", key, &member]);
    Ok(Reply::Bulk(member))
}

/// So many members, or all that there are.
fn pop(context: &mut WriteContext<'_>, key: &[u8], count: usize) -> Result<Vec<Blob>, Reply> {
    let seed = context.seed;
    let mut edit = context.edit(key);
    let Some(set) = typed::<Set>(edit.item())?.filter(|_| count > 0) else { return Ok(Vec::new()) };
    if count >= set.len() {
        let popped = set.iter().map(Field::to_blob).collect();
        edit.remove();
        context.notify(EventClass::Set, "spop", key);
        context.notify(EventClass::Generic, "del", key);
        context.propagate_deletion(key);
        return Ok(popped);
    }
    let left = set.len() - count;
    let popped = if left.saturating_mul(LEAVES) > count {
        change_typed(&mut edit, |set: &mut Set| {
            let mut random = SplitMix::new(seed);
            (0..count).filter_map(|_| set.remove_at(random.below(set.len()))).collect()
        })
    } else {
        let mut leaves = draw::positions(set.len(), left as i64, seed)?;
        leaves.sort_unstable();
        let (mut leaves, mut rest, mut popped) = (leaves.into_iter().peekable(), Set::default(), Vec::new());
        let forms = edit.forms();
        for (position, member) in set.iter().enumerate() {
            if leaves.next_if_eq(&position).is_some() {
                rest.insert(member.to_blob(), &forms);
            } else {
                popped.push(member.to_blob());
            }
        }
        let deadline_ms = edit.item().map_or(0, |item: &Item| item.deadline_ms);
        edit.set(rest.into(), deadline_ms);
        popped
    };
    context.notify(EventClass::Set, "spop", key);
    popped.iter().for_each(|member: &Blob| context.propagate(&[b"SREM", key, member]));
    Ok(popped)
}
