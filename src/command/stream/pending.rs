//! XACK and XPENDING: what was delivered to the consumers of a group, and is done with or not. Looking must never count as a
//! delivery, nor let a consumer count as active.

use super::groups::no_group;
use super::range::{end, start};
use super::{id, row, shown_id};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{ReadContext, Reply, WriteContext};
use crate::keyspace::{Consumer, Group, Id, Pending, Stream};
use crate::wire::units::Args;

pub(super) const GROUP: Arg = Arg::new("group", ArgKind::String);
pub(super) const ENTRY: Arg = Arg::new("ID", ArgKind::String);

pub(in crate::command) static XACK: Command = Command {
    summary: "Entries are done with: a group lets go of them, and returns how many of them were pending",
    complexity: "O(log N) of what is pending, for each entry",
    arguments: &[Arg::KEY, GROUP, ENTRY.multiple()],
    ..row(
        "xack",
        -4,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(acknowledge(context, args))),
    )
};

pub(in crate::command) static XPENDING: Command = Command {
    summary: "What is pending in a group: how much, or each entry with who has it, since when and how often delivered",
    complexity: "O(N) of the number of consumers, or of the entries that are looked at",
    arguments: &[
        Arg::KEY,
        GROUP,
        Arg::block(
            "filters",
            &[
                Arg::new("min-idle-time", ArgKind::Integer).after("IDLE").optional(),
                Arg::new("start", ArgKind::String),
                Arg::new("end", ArgKind::String),
                Arg::new("count", ArgKind::Integer),
                Arg::new("consumer", ArgKind::String).optional(),
            ],
        )
        .optional(),
    ],
    tips: &["nondeterministic_output"],
    ..row(
        "xpending",
        -3,
        Flags::READONLY,
        &[KeySpec::one(&["RO", "access"])],
        Handler::Read(|context, args| reply(pending(context, args))),
    )
};

fn acknowledge(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let (key, name) = (args[1], args[2]);
    let found = typed::<Stream>(context.read(key))?.and_then(|stream| stream.groups().get(name));
    let Some(group) = found else { return Ok(Reply::Int(0)) };
    let ids = args[3..].iter().map(|text| id(text)).collect::<Result<Vec<_>, _>>()?;
    if ids.iter().all(|id| group.pending(*id).is_none()) {
        return Ok(Reply::Int(0));
    }
    let acknowledged = change_typed(&mut context.edit(key), |stream: &mut Stream| {
        let all = |group: &mut Group| ids.iter().filter(|id| group.acknowledge(**id)).count();
        stream.groups_mut().update(name, all)
    });
    Ok(Reply::Int(acknowledged.unwrap_or(0) as i64))
}

/// Which entries are asked for.
#[derive(Debug)]
struct Filter<'a> {
    least_idle_ms: i64,
    from: Id,
    to: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

fn filter<'a>(args: &[&'a [u8]]) -> Result<Option<Filter<'a>>, Reply> {
    let (least_idle_ms, rest) = match &args[3..] {
        [] => return Ok(None),
        [_] | [_, _] => return Err(SYNTAX),
        [word, number, rest @ ..] if is(word, "IDLE") && args.len() <= 9 => {
            let number = integer(number)?;
            (number, if rest.len() >= 3 { rest } else { return Err(SYNTAX) })
        }
        rest => (0, rest),
    };
    if args.len() > 9 {
        return Err(SYNTAX);
    }
    let (from, to, count) = (rest[0], rest[1], integer(rest[2])?);
    let (from, to) = (start(from)?, end(to)?);
    let count = usize::try_from(count).unwrap_or(0);
    Ok(Some(Filter { least_idle_ms, from, to, count, consumer: rest.get(3).copied() }))
}

fn pending(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let filter = filter(args)?;
    let stream = context.typed::<Stream>(args[1])?;
    let group = stream.and_then(|stream| stream.groups().get(args[2]));
    let group = group.ok_or_else(|| Reply::error_owned(no_group(args[1], args[2])))?;
    // Idle by the clock that clients see: that of the log stands still while nobody writes.
    let now_ms = context.now_ms.max(context.wall_ms) as i64;
    Ok(match filter {
        None => summary(group),
        Some(filter) => Reply::Array(entries(group, &filter, now_ms)),
    })
}

fn summary(group: &Group) -> Reply {
    let len = Reply::Int(group.pending_len() as i64);
    let Some((first, last)) = group.pending_bounds() else {
        return Reply::Array(vec![len, Reply::Nil, Reply::Nil, Reply::NilArray]);
    };
    let consumers = group.consumers().iter().filter(|consumer| consumer.pending_len() > 0).map(|consumer| {
        let len = consumer.pending_len().to_string();
        Reply::Array(vec![Reply::Bulk(consumer.name.clone()), Reply::bulk(len)])
    });
    Reply::Array(vec![len, shown_id(first), shown_id(last), Reply::Array(consumers.collect())])
}

fn entries(group: &Group, filter: &Filter<'_>, now_ms: i64) -> Vec<Reply> {
    let idle_ms = |pending: &Pending| now_ms.wrapping_sub(pending.delivered_ms);
    let is_asked_for = |(pending, _): &(Pending, &Consumer)| {
        filter.least_idle_ms == 0 || idle_ms(pending) >= filter.least_idle_ms
    };
    let shown = |(pending, consumer): (Pending, &Consumer)| {
        Reply::Array(vec![
            shown_id(pending.id),
            Reply::Bulk(consumer.name.clone()),
            Reply::Int(idle_ms(&pending).max(0)),
            Reply::Int(pending.deliveries as i64),
        ])
    };
    let Some(name) = filter.consumer else {
        let all = group.pending_from(filter.from).take_while(|(pending, _)| pending.id <= filter.to);
        return all.filter(is_asked_for).take(filter.count).map(shown).collect();
    };
    let Some(consumer) = group.consumers().get(name) else { return Vec::new() };
    let its = consumer.pending_from(filter.from).take_while(|id| *id <= filter.to);
    its.filter_map(|id| group.pending(id)).filter(is_asked_for).take(filter.count).map(shown).collect()
}
