//! XCLAIM and XAUTOCLAIM: what is pending for one consumer becomes pending for another. What a stream has no more is
//! never claimed: a group lets go of it where it is met.

use super::groups::no_group;
use super::pending::{ENTRY, GROUP};
use super::range::start;
use super::told::{self, Claimed, Place};
use super::{id, row, shown_id};
use crate::command::context::{Outcome, reply};
use crate::command::parse;
use crate::command::parse::{SYNTAX, is, parse_i64};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Blob, EventClass, Group, Id, Pending, Stream};
use crate::wire::units::Args;

const CONSUMER: Arg = Arg::new("consumer", ArgKind::String);
const MIN_IDLE: Arg = Arg::new("min-idle-time", ArgKind::String);
const JUST_ID: Arg = Arg::word("justid", "JUSTID").optional();

pub(in crate::command) static XCLAIM: Command = Command {
    summary: "Makes entries that are pending for somebody else pending for a consumer, and returns them",
    complexity: "O(log N) of what is pending, for each entry",
    arguments: &[
        Arg::KEY,
        GROUP,
        CONSUMER,
        MIN_IDLE,
        ENTRY.multiple(),
        Arg::new("ms", ArgKind::Integer).after("IDLE").optional(),
        Arg::new("unix-time-milliseconds", ArgKind::UnixTime).after("TIME").optional(),
        Arg::new("count", ArgKind::Integer).after("RETRYCOUNT").optional(),
        Arg::word("force", "FORCE").optional(),
        JUST_ID,
        Arg::new("id", ArgKind::String).after("LASTID").optional(),
    ],
    tips: &["nondeterministic_output"],
    ..row(
        "xclaim",
        -6,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "update"])],
        Handler::Write(|context, args| reply(claim(context, args))),
    )
};

pub(in crate::command) static XAUTOCLAIM: Command = Command {
    since: "6.2.0",
    summary: "The same as XCLAIM of what has been pending for long, from an id on: returns where to go on, too",
    complexity: "O(N) of ten times the count",
    arguments: &[
        Arg::KEY,
        GROUP,
        CONSUMER,
        MIN_IDLE,
        Arg::new("start", ArgKind::String),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        JUST_ID,
    ],
    tips: &["nondeterministic_output"],
    ..row(
        "xautoclaim",
        -6,
        Flags::WRITE.and(Flags::FAST),
        &[KeySpec::one(&["RW", "delete"])],
        Handler::Write(|context, args| reply(auto_claim(context, args))),
    )
};

fn group_of<'a>(stream: Option<&'a Stream>, args: &[&[u8]]) -> Result<(&'a Stream, &'a Group), Reply> {
    let found = stream.and_then(|stream| Some((stream, stream.groups().get(args[2])?)));
    found.ok_or_else(|| Reply::error_owned(no_group(args[1], args[2])))
}

/// A number, or this error.
fn number(bytes: &[u8], error: &'static str) -> Result<i64, Reply> {
    parse_i64(bytes).ok_or(Reply::error(error))
}

/// How entries are claimed.
#[derive(Debug)]
struct Options {
    least_idle_ms: i64,
    now_ms: i64,
    delivered_ms: i64,
    /// How often it counts as delivered; None: once more.
    deliveries: Option<u64>,
    /// What is not pending is claimed as well.
    force: bool,
    /// Entries are not shown, and not delivered.
    just_id: bool,
    last_id: Id,
}

impl Options {
    fn parse(args: &[&[u8]], least_idle_ms: i64, now_ms: i64) -> Result<Self, Reply> {
        let (mut force, mut just_id, mut last_id) = (false, false, Id::MIN);
        let (mut delivered_ms, mut deliveries) = (-1, -1);
        let mut rest = args;
        loop {
            rest = match rest {
                [] => break,
                [word, rest @ ..] if is(word, "FORCE") => {
                    force = true;
                    rest
                }
                [word, rest @ ..] if is(word, "JUSTID") => {
                    just_id = true;
                    rest
                }
                [word, idle_ms, rest @ ..] if is(word, "IDLE") => {
                    let idle_ms = number(idle_ms, "ERR Invalid IDLE option argument for XCLAIM")?;
                    delivered_ms = now_ms.wrapping_sub(idle_ms);
                    rest
                }
                [word, at_ms, rest @ ..] if is(word, "TIME") => {
                    delivered_ms = number(at_ms, "ERR Invalid TIME option argument for XCLAIM")?;
                    rest
                }
                [word, count, rest @ ..] if is(word, "RETRYCOUNT") => {
                    deliveries = number(count, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
                    rest
                }
                [word, text, rest @ ..] if is(word, "LASTID") => {
                    last_id = id(text)?;
                    rest
                }
                [word, ..] => {
                    let text = format!("ERR Unrecognized XCLAIM option '{}'", parse::shown(word));
                    return Err(Reply::error_owned(text));
                }
            };
        }
        let is_sane = (0..=now_ms).contains(&delivered_ms);
        let delivered_ms = if is_sane { delivered_ms } else { now_ms };
        let deliveries = u64::try_from(deliveries).ok();
        Ok(Self { least_idle_ms, now_ms, delivered_ms, deliveries, force, just_id, last_id })
    }

    fn deliveries(&self, before: u64) -> u64 {
        self.deliveries.unwrap_or(if self.just_id { before } else { before.wrapping_add(1) })
    }
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// It is gone, and is pending no more.
    Dropped(Pending),
    /// It was delivered so often before.
    Claimed {
        deliveries: u64,
    },
}

fn fate(group: &Group, id: Id, exists: bool, options: &Options) -> Fate {
    let is_idle =
        |pending: &Pending| options.now_ms.wrapping_sub(pending.delivered_ms) >= options.least_idle_ms;
    match group.pending(id).map(|(pending, _)| pending) {
        Some(pending) if !exists => Fate::Dropped(pending),
        Some(pending) if options.least_idle_ms == 0 || is_idle(&pending) => {
            Fate::Claimed { deliveries: pending.deliveries }
        }
        None if exists && options.force => Fate::Claimed { deliveries: 1 },
        _ => Fate::Stays,
    }
}

fn claim(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let now_ms = context.now_ms as i64;
    let stream = typed::<Stream>(context.read(args[1]))?;
    let (stream, group) = group_of(stream, args)?;
    let least_idle_ms = number(args[4], "ERR Invalid min-idle-time argument for XCLAIM")?.max(0);
    let ids: Vec<Id> = args[5..].iter().map_while(|text| id(text).ok()).collect();
    let options = Options::parse(&args[5 + ids.len()..], least_idle_ms, now_ms)?;
    let texts = &args[5..5 + ids.len()];
    let entry = |id: &Id| {
        let shown = |entry| if options.just_id { shown_id(*id) } else { super::shown(&entry) };
        stream.get(*id).map(shown)
    };
    let wanted: Vec<_> = ids.iter().zip(texts).map(|(id, text)| (*id, *text, entry(id))).collect();
    let moves_on = options.last_id > group.last_id;
    let changes =
        |(id, _, entry): &(Id, _, Option<Reply>)| fate(group, *id, entry.is_some(), &options) != Fate::Stays;
    if !moves_on && !wanted.iter().any(changes) {
        told::nothing_else(context);
        return Ok(Reply::Array(Vec::new()));
    }
    let mut claims = Claims::new(args[3], now_ms, context.propagates());
    let last = change_typed(&mut context.edit(args[1]), |stream: &mut Stream| {
        stream.groups_mut().update(args[2], |group| {
            group.last_id = group.last_id.max(options.last_id);
            for (id, text, entry) in wanted {
                match fate(group, id, entry.is_some(), &options) {
                    Fate::Stays => {}
                    Fate::Dropped(pending) => claims.drop_entry(group, pending, text),
                    Fate::Claimed { deliveries } => {
                        let deliveries = options.deliveries(deliveries);
                        claims.take(group, id, options.delivered_ms, deliveries, text);
                        claims.entries.extend(entry);
                    }
                }
            }
            (group.last_id, group.entries_read)
        })
    });
    let place = Place { key: args[1], group: args[2] };
    claims.tell(context, place);
    if let Some((last_id, entries_read)) = last.filter(|_| moves_on && claims.is_untold()) {
        told::read_until(context, place, last_id, entries_read);
    }
    Ok(Reply::Array(claims.entries))
}

/// What a call claims, as it goes on.
#[derive(Debug)]
struct Claims<'a> {
    consumer: &'a [u8],
    now_ms: i64,
    tells: bool,
    /// The consumer's, which counts as active with its first entry, and is made then if it is not there.
    number: Option<u64>,
    is_new_consumer: bool,
    entries: Vec<Reply>,
    /// How many entries have changed, and what replicas hear of them.
    changed: usize,
    told: Vec<Claimed>,
}

impl<'a> Claims<'a> {
    fn new(consumer: &'a [u8], now_ms: i64, tells: bool) -> Self {
        let (entries, told) = (Vec::new(), Vec::new());
        Self { consumer, now_ms, tells, number: None, is_new_consumer: false, entries, changed: 0, told }
    }

    fn drop_entry(&mut self, group: &mut Group, pending: Pending, text: &[u8]) {
        let owner = group.pending(pending.id).map(|(_, owner)| owner.name.clone());
        self.note(text, owner.unwrap_or_default(), pending, group.last_id);
        group.acknowledge(pending.id);
    }

    fn take(&mut self, group: &mut Group, id: Id, delivered_ms: i64, deliveries: u64, text: &[u8]) {
        let consumer = self.number.unwrap_or_else(|| {
            let (number, is_new) = group.take_consumer(self.consumer, self.now_ms);
            self.is_new_consumer = is_new;
            number
        });
        self.number = Some(consumer);
        let pending = Pending { id, consumer, delivered_ms, deliveries };
        group.assign(pending);
        self.note(text, Blob::new(self.consumer), pending, group.last_id);
    }

    fn note(&mut self, text: &[u8], consumer: Blob, pending: Pending, last_id: Id) {
        self.changed += 1;
        if self.tells {
            self.told.push(Claimed { id: Blob::new(text), consumer, pending, last_id });
        }
    }

    fn is_untold(&self) -> bool {
        self.changed == 0
    }

    fn tell(&self, context: &mut WriteContext<'_>, place: Place<'_>) {
        if self.is_new_consumer {
            context.notify(EventClass::Stream, "xgroup-createconsumer", place.key);
        }
        self.told.iter().for_each(|claimed| told::claimed(context, place, claimed));
        told::nothing_else(context);
    }
}

/// Entries that a call of XAUTOCLAIM takes, if it says nothing of that.
const USUAL_COUNT: usize = 100;
/// For each of them it looks at so many.
const LOOKS: usize = 10;
/// Redis makes room for the ids of so many at once, and takes no larger count ...
const MOST_COUNT: i64 = i64::MAX / 16;
/// ... than there can be memory for, of the memory that a process may have.
const MOST_ROOM: i64 = (1 << 47) / 16;

fn auto_options(args: &[&[u8]]) -> Result<(usize, bool), Reply> {
    const NOT_POSITIVE: &str = "ERR COUNT must be > 0";
    let (mut count, mut just_id) = (USUAL_COUNT, false);
    let mut rest = args;
    loop {
        rest = match rest {
            [] => return Ok((count, just_id)),
            [word, text, rest @ ..] if is(word, "COUNT") => {
                let wanted = number(text, NOT_POSITIVE)?;
                if !(1..=MOST_COUNT).contains(&wanted) {
                    return Err(Reply::error(NOT_POSITIVE));
                }
                count = wanted as usize;
                rest
            }
            [word, rest @ ..] if is(word, "JUSTID") => {
                just_id = true;
                rest
            }
            _ => return Err(SYNTAX),
        };
    }
}

/// What a look at the entries that are pending has found.
#[derive(Debug, Default)]
struct Found {
    /// In their order: what is to be claimed is shown, what is gone is not.
    entries: Vec<(Pending, Option<Reply>)>,
    /// Where to go on.
    next: Id,
}

fn look(
    stream: &Stream,
    group: &Group,
    from: Id,
    is_idle: impl Fn(&Pending) -> bool,
    count: usize,
    just_id: bool,
) -> Found {
    let mut found = Found::default();
    let mut walk = group.pending_from(from).map(|(pending, _)| pending);
    for _ in 0..count.saturating_mul(LOOKS) {
        if found.entries.len() == count {
            break;
        }
        let Some(pending) = walk.next() else { break };
        match stream.get(pending.id) {
            None => found.entries.push((pending, None)),
            Some(_) if !is_idle(&pending) => {}
            Some(_) if just_id => found.entries.push((pending, Some(shown_id(pending.id)))),
            Some(entry) => found.entries.push((pending, Some(super::shown(&entry)))),
        }
    }
    found.next = walk.next().map_or(Id::MIN, |pending| pending.id);
    found
}

fn auto_claim(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let now_ms = context.now_ms as i64;
    // Whether there is such a key is told before anything is read.
    context.read(args[1]);
    let least_idle_ms = number(args[4], "ERR Invalid min-idle-time argument for XAUTOCLAIM")?.max(0);
    let from = start(args[5])?;
    let (count, just_id) = auto_options(&args[6..])?;
    let (stream, group) = group_of(typed::<Stream>(context.get(args[1]))?, args)?;
    if count as i64 > MOST_ROOM {
        return Err(Reply::error(
            "ERR Insufficient memory, failed allocating transient memory, COUNT too high.",
        ));
    }
    let is_idle =
        |pending: &Pending| least_idle_ms == 0 || now_ms.wrapping_sub(pending.delivered_ms) >= least_idle_ms;
    let found = look(stream, group, from, is_idle, count, just_id);
    let mut claims = Claims::new(args[3], now_ms, context.propagates());
    let mut dropped = Vec::new();
    if !found.entries.is_empty() {
        change_typed(&mut context.edit(args[1]), |stream: &mut Stream| {
            stream.groups_mut().update(args[2], |group| {
                for (pending, entry) in found.entries {
                    let text = pending.id.to_string();
                    let Some(entry) = entry else {
                        claims.drop_entry(group, pending, text.as_bytes());
                        dropped.push(shown_id(pending.id));
                        continue;
                    };
                    let deliveries = pending.deliveries.wrapping_add(u64::from(!just_id));
                    claims.take(group, pending.id, now_ms, deliveries, text.as_bytes());
                    claims.entries.push(entry);
                }
            })
        });
    }
    claims.tell(context, Place { key: args[1], group: args[2] });
    Ok(Reply::Array(vec![shown_id(found.next), Reply::Array(claims.entries), Reply::Array(dropped)]))
}
