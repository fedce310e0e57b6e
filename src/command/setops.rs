//! The commands on sets that add and remove members that are named. (Those that read are in `read`, those that draw in
//! `random`, those that combine in `combine`.) A set without members must never be left behind a key.

pub(super) mod combine;
pub(super) mod random;
pub(super) mod read;

use super::context::{Outcome, reply};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler, KeySpec};
use super::typed::{change_typed, typed};
use super::{Reply, WriteContext};
use crate::keyspace::{Collection, EventClass, Field, Set};
use crate::wire::units::Args;

const MEMBER: Arg = Arg::new("member", ArgKind::String);

/// What the rows of all commands on sets have in common.
const fn row(
    name: &'static str,
    arity: i32,
    flags: Flags,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command { categories: &[Category::Set], keys, group: "set", ..Command::new(name, arity, flags, handler) }
}

pub(super) static SADD: Command = Command {
    summary: "Adds members to a set, and returns how many of them are new",
    complexity: "O(1) a member",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row(
        "sadd",
        -3,
        Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        &[KeySpec::one(&["RW", "insert"])],
        Handler::Write(|context, args| reply(sadd(context, args))),
    )
};

pub(super) static SREM: Command = Command {
    summary: "Removes members of a set, and the key with the last one, and returns how many there were",
    complexity: "O(N) of the number of members to be removed",
    arguments: &[Arg::KEY, MEMBER.multiple()],
    ..row(
        "srem",
        -3,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "delete"])],
        Handler::Write(|context, args| reply(srem(context, args))),
    )
};

pub(super) static SMOVE: Command = Command {
    summary: "Moves a member from one set to another; 0 if it is not there",
    arguments: &[Arg::new("source", ArgKind::Key), Arg::new("destination", ArgKind::Key).of_spec(1), MEMBER],
    ..row(
        "smove",
        4,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "access", "delete"]), KeySpec { first: 2, ..KeySpec::one(&["RW", "insert"]) }],
        Handler::Write(|context, args| reply(smove(context, args))),
    )
};

fn shown(member: Field<'_>) -> Reply {
    Reply::Bulk(member.to_blob())
}

fn sadd(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, members) = (args[1], &args[2..]);
    let mut edit = context.edit(key);
    // What adds nothing is no change.
    let first_new = match typed::<Set>(edit.item())? {
        Some(set) => members.iter().position(|member| !set.contains(member)),
        None => Some(0),
    };
    let Some(first_new) = first_new else { return Ok(Reply::Int(0)) };
    let forms = edit.forms();
    let added = change_typed(&mut edit, |set: &mut Set| {
        members[first_new..].iter().filter(|member| set.insert(**member, &forms)).count()
    });
    context.notify(EventClass::Set, "sadd", key);
    Ok(Reply::Int(added as i64))
}

fn srem(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, members) = (args[1], &args[2..]);
    let edit = context.edit(key);
    let Some(set) = typed::<Set>(edit.item())? else { return Ok(Reply::Int(0)) };
    let Some(first) = members.iter().position(|member| set.contains(member)) else {
        return Ok(Reply::Int(0));
    };
    Ok(Reply::Int(remove(context, key, &members[first..]) as i64))
}

/// Removes members of a set that there is, one of them at least; and tells how many.
fn remove(context: &mut WriteContext<'_>, key: &[u8], members: &[&[u8]]) -> usize {
    let mut edit = context.edit(key);
    let (removed, is_empty) = change_typed(&mut edit, |set: &mut Set| {
        let removed = members.iter().filter(|member| set.remove(member)).count();
        (removed, set.is_empty())
    });
    if is_empty {
        edit.remove();
    }
    context.notify(EventClass::Set, "srem", key);
    if is_empty {
        context.notify(EventClass::Generic, "del", key);
    }
    removed
}

fn smove(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (source, destination, member) = (args[1], args[2], args[3]);
    // A look at each for a write, the second even if there is no first.
    let has = typed::<Set>(context.edit(source).item()).map(|set| set.map(|set| set.contains(member)));
    let goal = context.edit(destination);
    let Some(has) = has? else { return Ok(Reply::Int(0)) };
    let had = typed::<Set>(goal.item())?.is_some_and(|set| set.contains(member));
    if !has || source == destination {
        return Ok(Reply::Int(i64::from(has)));
    }
    remove(context, source, &[member]);
    if !had {
        let mut goal = context.edit(destination);
        let forms = goal.forms();
        change_typed(&mut goal, |set: &mut Set| set.insert(member, &forms));
        context.notify(EventClass::Set, "sadd", destination);
    }
    Ok(Reply::Int(1))
}
