//! XREADGROUP: entries that nobody of a group has got yet, or those that a consumer has got and not acknowledged. It never
//! waits itself: see [`Awaited`](crate::command::Awaited).

use super::blocking::awaited;
use super::groups::no_group;
use super::read::{BLOCK, By, COUNT, Options, STREAMS, keys};
use super::told::{self, Claimed, Place};
use super::{id, row, shown, shown_id};
use crate::command::context::{Outcome, reply};
use crate::command::parse::c_string;
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Blob, EventClass, Id, Pending, Stream};
use crate::wire::units::Args;

pub(in crate::command) static XREADGROUP: Command = Command {
    summary: "Delivers entries of streams to a consumer of a group, or shows again what it has not acknowledged",
    complexity: "O(M) of the number of entries that are returned, and O(log N) of those that there are",
    arguments: &[
        Arg::block(
            "group_consumer",
            &[Arg::new("group", ArgKind::String), Arg::new("consumer", ArgKind::String)],
        )
        .after("GROUP"),
        COUNT,
        BLOCK,
        Arg::word("noack", "NOACK").optional(),
        STREAMS,
    ],
    finder: Finder::All(keys),
    blocks: Some(awaited),
    ..row(
        "xreadgroup",
        -7,
        Flags::WRITE.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        &[KeySpec { limit: 2, ..KeySpec::behind("STREAMS", 4, &["RO", "access"]) }],
        Handler::Write(|context, args| reply(read_group(context, args))),
    )
};

/// What it asks of a stream.
#[derive(Debug, Clone, Copy)]
enum From {
    /// What nobody has got.
    Undelivered,
    /// What the consumer has, behind this id.
    History(Id),
}

fn from(text: &[u8]) -> Result<From, Reply> {
    match c_string(text, usize::MAX) {
        b"$" => Err(Reply::error(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this \
             consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just \
             return an empty result set.",
        )),
        b">" => Ok(From::Undelivered),
        // Redis takes the last id that there can be for `>`.
        _ => Ok(match id(text)? {
            Id::MAX => From::Undelivered,
            id => From::History(id),
        }),
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// Entries of each stream.
    count: usize,
    /// What is delivered does not become pending.
    no_ack: bool,
}

fn read_group(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let options = Options::read(args, By::Client)?;
    let (group, consumer) = options.group.unwrap_or_default();
    let call = Call { group, consumer, count: options.count, no_ack: options.has_noack };
    let mut wanted = Vec::with_capacity(options.keys.len());
    for (key, text) in options.pairs(args) {
        let stream = typed::<Stream>(context.read(key))?;
        if stream.is_none_or(|stream| stream.groups().get(group).is_none()) {
            let text = no_group(key, group);
            return Err(Reply::error_owned(format!("{text} in XREADGROUP with GROUP option")));
        }
        wanted.push((key, from(text)?));
    }
    let mut served = Vec::new();
    for (key, from) in wanted {
        if let Some(entries) = serve(context, &call, key, from)? {
            served.push((Reply::bulk(key), Reply::Array(entries)));
        }
    }
    told::nothing_else(context);
    Ok(if served.is_empty() { Reply::NilArray } else { Reply::Streams(served) })
}

/// What is delivered, or shown, of a stream; None: there is nothing that was not delivered yet.
fn serve(
    context: &mut WriteContext<'_>,
    call: &Call<'_>,
    key: &[u8],
    from: From,
) -> Result<Option<Vec<Reply>>, Reply> {
    let Some(stream) = typed::<Stream>(context.get(key))? else { return Ok(None) };
    let Some(group) = stream.groups().get(call.group) else { return Ok(None) };
    if let From::Undelivered = from
        && stream.last().is_none_or(|last| last.id <= group.last_id)
    {
        return Ok(None);
    }
    let (now_ms, tells) = (context.now_ms as i64, context.propagates());
    let served = change_typed(&mut context.edit(key), |stream: &mut Stream| match from {
        From::Undelivered => deliver(stream, call, now_ms, tells),
        From::History(id) => show_history(stream, call, id, now_ms),
    });
    let Some(served) = served else { return Ok(None) };
    tell(context, call, key, &served);
    Ok(Some(served.entries))
}

/// What has happened to a group.
#[derive(Debug, Default)]
struct Served {
    entries: Vec<Reply>,
    is_new_consumer: bool,
    /// What replicas are to be told of that.
    claimed: Vec<Claimed>,
    read_until: Option<(Id, Option<i64>)>,
}

fn tell(context: &mut WriteContext<'_>, call: &Call<'_>, key: &[u8], served: &Served) {
    let place = Place { key, group: call.group };
    if served.is_new_consumer {
        context.notify(EventClass::Stream, "xgroup-createconsumer", key);
        if call.no_ack {
            told::consumer_created(context, place, call.consumer);
        }
    }
    served.claimed.iter().for_each(|claimed| told::claimed(context, place, claimed));
    if let Some((last_id, entries_read)) = served.read_until.filter(|_| call.no_ack) {
        told::read_until(context, place, last_id, entries_read);
    }
}

fn deliver(stream: &mut Stream, call: &Call<'_>, now_ms: i64, tells: bool) -> Option<Served> {
    let progress = stream.progress();
    let start = stream.groups().get(call.group)?.last_id.next()?;
    let entries = stream.range(start, Id::MAX).take(call.count);
    let (ids, entries): (Vec<_>, Vec<_>) = entries.map(|entry| (entry.id, shown(&entry))).unzip();
    stream.groups_mut().update(call.group, |group| {
        let (consumer, is_new_consumer) = group.take_consumer(call.consumer, now_ms);
        let mut served = Served { entries, is_new_consumer, ..Served::default() };
        for id in ids {
            group.entries_read = progress.after_reading(group.entries_read, id);
            group.last_id = id;
            served.read_until = Some((id, group.entries_read));
            if call.no_ack {
                continue;
            }
            let pending = Pending { id, consumer, delivered_ms: now_ms, deliveries: 1 };
            group.assign(pending);
            if tells {
                let (written, consumer) = (Blob::from(id.to_string()), Blob::new(call.consumer));
                served.claimed.push(Claimed { id: written, consumer, pending, last_id: id });
            }
        }
        served
    })
}

fn show_history(stream: &mut Stream, call: &Call<'_>, behind: Id, now_ms: i64) -> Option<Served> {
    let consumer = stream.groups().get(call.group)?.consumers().get(call.consumer);
    let ids = consumer.zip(behind.next()).map(|(consumer, from)| consumer.pending_from(from));
    let shown: Vec<(Id, Option<Reply>)> = ids
        .into_iter()
        .flatten()
        .take(call.count)
        .map(|id| (id, stream.get(id).map(|entry| shown(&entry))))
        .collect();
    stream.groups_mut().update(call.group, |group| {
        let (_, is_new_consumer) = group.take_consumer(call.consumer, now_ms);
        for (id, _) in shown.iter().filter(|(_, entry)| entry.is_some()) {
            group.show_again(*id, now_ms);
        }
        let gone = |id| Reply::Array(vec![shown_id(id), Reply::NilArray]);
        let entries = shown.into_iter().map(|(id, entry)| entry.unwrap_or_else(|| gone(id))).collect();
        Served { entries, is_new_consumer, ..Served::default() }
    })
}
