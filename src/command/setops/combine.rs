//! SINTER, SUNION, SDIFF and their relatives. A missing key is an empty set; a key of another type is an error
//! wherever it stands, whatever the others hold.

use super::{row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec, counted_keys};
use crate::command::typed::typed;
use crate::command::{ReadContext, Reply, WriteContext};
use crate::keyspace::{Collection, EventClass, Field, Forms, Set};
use crate::wire::units::Args;
use std::cmp::Reverse;

const UNORDERED: &[&str] = &["nondeterministic_output_order"];
const INTER_COMPLEXITY: &str = "O(N*M) at worst, of N members of the smallest of M sets";
const ALL_COMPLEXITY: &str = "O(N) of the number of members of all sets";
const KEYS: &[Arg] = &[Arg::KEY.multiple()];
const DESTINATION_AND_KEYS: &[Arg] = &[Arg::new("destination", ArgKind::Key), Arg::KEY.of_spec(1).multiple()];
const READ: &[KeySpec] = &[KeySpec::every(1, &["RO", "access"])];
const SOURCES: KeySpec = KeySpec { first: 2, ..KeySpec::every(1, &["RO", "access"]) };

/// A row of what returns the members.
const fn reads(name: &'static str, complexity: &'static str, handler: Handler) -> Command {
    Command { tips: UNORDERED, complexity, arguments: KEYS, ..row(name, -2, Flags::READONLY, READ, handler) }
}

/// A row of what stores them.
const fn stores(
    name: &'static str,
    complexity: &'static str,
    keys: &'static [KeySpec],
    handler: Handler,
) -> Command {
    Command {
        complexity,
        arguments: DESTINATION_AND_KEYS,
        ..row(name, -3, Flags::WRITE.and(Flags::DENYOOM), keys, handler)
    }
}

pub(in crate::command) static SINTER: Command = Command {
    summary: "The members that all of several sets have",
    ..reads("sinter", INTER_COMPLEXITY, Handler::Read(|context, args| reply(sinter(context, args))))
};

pub(in crate::command) static SUNION: Command = Command {
    summary: "The members that any of several sets has",
    ..reads("sunion", ALL_COMPLEXITY, Handler::Read(|context, args| reply(combined(context, args, union))))
};

pub(in crate::command) static SDIFF: Command = Command {
    summary: "The members that the first of several sets has and none of the others",
    ..reads("sdiff", ALL_COMPLEXITY, Handler::Read(|context, args| reply(combined(context, args, diff))))
};

pub(in crate::command) static SINTERSTORE: Command = Command {
    summary: "Stores the members that all of several sets have, and returns how many there are",
    ..stores(
        "sinterstore",
        INTER_COMPLEXITY,
        &[KeySpec::one(&["RW", "update"]), SOURCES],
        Handler::Write(|context, args| reply(store(context, args, "sinterstore", inter_of))),
    )
};

pub(in crate::command) static SUNIONSTORE: Command = Command {
    summary: "Stores the members that any of several sets has, and returns how many there are",
    ..stores(
        "sunionstore",
        ALL_COMPLEXITY,
        &[KeySpec::one(&["OW", "update"]), SOURCES],
        Handler::Write(|context, args| reply(store(context, args, "sunionstore", union))),
    )
};

pub(in crate::command) static SDIFFSTORE: Command = Command {
    summary: "Stores the members that the first of several sets has and none of the others, and returns how many \
              there are",
    ..stores(
        "sdiffstore",
        ALL_COMPLEXITY,
        &[KeySpec::one(&["OW", "update"]), SOURCES],
        Handler::Write(|context, args| reply(store(context, args, "sdiffstore", diff))),
    )
};

pub(in crate::command) static SINTERCARD: Command = Command {
    since: "7.0.0",
    finder: Finder::All(|call| counted_keys(call, 1)),
    summary: "How many members all of several sets have, counted up to a limit",
    complexity: INTER_COMPLEXITY,
    arguments: &[
        Arg::new("numkeys", ArgKind::Integer),
        Arg::KEY.multiple(),
        Arg::new("limit", ArgKind::Integer).after("LIMIT").optional(),
    ],
    ..row(
        "sintercard",
        -3,
        Flags::READONLY.and(Flags::MOVABLEKEYS),
        &[KeySpec::counted(1, &["RO", "access"])],
        Handler::Read(|context, args| reply(sintercard(context, args))),
    )
};

/// What the keys hold.
type Sets<'a> = Vec<Option<&'a Set>>;

fn sets<'a>(context: &mut ReadContext<'a>, keys: &[&[u8]]) -> Result<Sets<'a>, Reply> {
    keys.iter().map(|key| context.typed::<Set>(key)).collect()
}

fn sinter(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let sets = sets(context, &args[1..])?;
    Ok(Reply::Set(inter(&sets).map(shown).collect()))
}

fn sintercard(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let count =
        integer(args[1]).ok().and_then(|count| usize::try_from(count).ok()).filter(|&count| count > 0);
    let count = count.ok_or(Reply::error("ERR numkeys should be greater than 0"))?;
    let keys = args[2..].get(..count);
    let keys = keys.ok_or(Reply::error("ERR Number of keys can't be greater than number of args"))?;
    let mut limit = 0;
    for option in args[2 + count..].chunks(2) {
        let [name, number] = *option else { return Err(SYNTAX) };
        if !is(name, "LIMIT") {
            return Err(SYNTAX);
        }
        let number = integer(number).ok().and_then(|number| usize::try_from(number).ok());
        limit = number.ok_or(Reply::error("ERR LIMIT can't be negative"))?;
    }
    let sets = sets(context, keys)?;
    let limit = if limit == 0 { usize::MAX } else { limit };
    Ok(Reply::Int(inter(&sets).take(limit).count() as i64))
}

fn combined(
    context: &mut ReadContext<'_>,
    args: &Args<'_>,
    combine: fn(&[Option<&Set>], &Forms) -> Set,
) -> Outcome {
    let sets = sets(context, &args[1..])?;
    let members = |set: &Set| Reply::Set(set.iter().map(shown).collect());
    match sets[..] {
        [Some(only)] => Ok(members(only)),
        _ => Ok(members(&combine(&sets, &context.state.keyspace.forms()))),
    }
}

fn store(
    context: &mut WriteContext<'_>,
    args: &Args<'_>,
    event: &'static str,
    combine: fn(&[Option<&Set>], &Forms) -> Set,
) -> Outcome {
    let key = args[1];
    let forms = context.state.keyspace.forms();
    let sets: Sets<'_> = args[2..].iter().map(|key| typed(context.read(key))).collect::<Result<_, _>>()?;
    let result = combine(&sets, &forms);
    let len = result.len();
    let mut edit = context.edit(key);
    if len > 0 {
        edit.set(result.into(), 0);
        context.notify(EventClass::Set, event, key);
    } else if edit.remove() {
        context.notify(EventClass::Generic, "del", key);
    }
    Ok(Reply::Int(len as i64))
}

/// The members of the smallest that all others have.
fn inter<'a>(sets: &[Option<&'a Set>]) -> impl Iterator<Item = Field<'a>> + use<'a> {
    let mut sets: Vec<&Set> = sets.iter().copied().collect::<Option<_>>().unwrap_or_default();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let in_all = move |member: &Field<'_>| sets[1..].iter().all(|set| set.has(*member));
    smallest.into_iter().flat_map(Set::iter).filter(in_all)
}

fn inter_of(sets: &[Option<&Set>], forms: &Forms) -> Set {
    let mut result = Set::default();
    result.extend(inter(sets), forms);
    result
}

fn union(sets: &[Option<&Set>], forms: &Forms) -> Set {
    let mut result = Set::default();
    result.extend(sets.iter().flatten().flat_map(|set| set.iter()), forms);
    result
}

/// Redis's choice of two ways: what the result passed through shows in its encoding.
fn diff(sets: &[Option<&Set>], forms: &Forms) -> Set {
    let mut result = Set::default();
    let [Some(first), others @ ..] = sets else { return result };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| std::ptr::eq(*set, *first)) {
        return result;
    }
    let looks = first.len() * (1 + others.len()) / 2;
    let members = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if looks <= members {
        others.sort_by_key(|set| Reverse(set.len()));
        let is_in_none = |member: &Field<'_>| !others.iter().any(|set| set.has(*member));
        result.extend(first.iter().filter(is_in_none), forms);
        return result;
    }
    result.extend(first.iter(), forms);
    for set in others {
        for member in set.iter() {
            result.remove(member.bytes(&mut Default::default()));
        }
        if result.is_empty() {
            break;
        }
    }
    result
}
