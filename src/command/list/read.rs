//! The commands that read lists: LLEN, LINDEX, LRANGE, LPOS.

use super::{ELEMENT, not_negative, row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Collection, End, List};
use crate::wire::units::Args;

const READ: &[KeySpec] = &[KeySpec::one(&["RO", "access"])];
const START: Arg = Arg::new("start", ArgKind::Integer);
const STOP: Arg = Arg::new("stop", ArgKind::Integer);

pub(in crate::command) static LLEN: Command = Command {
    summary: "How many elements a list has",
    arguments: &[Arg::KEY],
    ..row(
        "llen",
        2,
        Flags::READONLY.and(Flags::FAST),
        &[KeySpec::one(&["RO"])],
        Handler::Read(|context, args| {
            let list = context.typed::<List>(args[1]);
            reply(list.map(|list| Reply::Int(list.map_or(0, Collection::len) as i64)))
        }),
    )
};

pub(in crate::command) static LINDEX: Command = Command {
    summary: "The element at a place of a list, counted from 0, or from the end, which is -1",
    complexity: "O(log N) of the number of elements",
    arguments: &[Arg::KEY, Arg::new("index", ArgKind::Integer)],
    ..row("lindex", 3, Flags::READONLY, READ, Handler::Read(|context, args| reply(lindex(context, args))))
};

pub(in crate::command) static LRANGE: Command = Command {
    summary: "The elements from one place of a list to another, both included",
    complexity: "O(log N + M) of the number of elements, and M that are returned",
    arguments: &[Arg::KEY, START, STOP],
    ..row("lrange", 4, Flags::READONLY, READ, Handler::Read(|context, args| reply(lrange(context, args))))
};

pub(in crate::command) static LPOS: Command = Command {
    since: "6.0.6",
    summary: "Where in a list an element stands, or all its places",
    complexity: "O(N) of the number of elements that are looked at",
    arguments: &[
        Arg::KEY,
        ELEMENT,
        Arg::new("rank", ArgKind::Integer).after("RANK").optional(),
        Arg::new("num-matches", ArgKind::Integer).after("COUNT").optional(),
        Arg::new("len", ArgKind::Integer).after("MAXLEN").optional(),
    ],
    ..row("lpos", -3, Flags::READONLY, READ, Handler::Read(|context, args| reply(lpos(context, args))))
};

fn lindex(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let Some(list) = context.typed::<List>(args[1])? else { return Ok(Reply::Nil) };
    let index = integer(args[2])?;
    Ok(list.get(index).map_or(Reply::Nil, shown))
}

fn lrange(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let (start, stop) = (integer(args[2])?, integer(args[3])?);
    let Some(list) = context.typed::<List>(args[1])? else { return Ok(Reply::Array(Vec::new())) };
    Ok(Reply::Array(list.range(list.places(start, stop)).map(shown).collect()))
}

/// What `LPOS` is asked for.
struct Wanted {
    from: End,
    /// The first match that counts, from 1 on.
    rank: u64,
    /// None: one, not as an array. 0: all.
    count: Option<usize>,
    /// Elements to look at; 0: all.
    max_len: usize,
}

fn wanted(options: &[&[u8]]) -> Result<Wanted, Reply> {
    let mut wanted = Wanted { from: End::Left, rank: 1, count: None, max_len: 0 };
    for option in options.chunks(2) {
        let [name, value] = option else { return Err(SYNTAX) };
        if is(name, "RANK") {
            let rank = integer(value)?;
            if rank == 0 {
                return Err(Reply::error(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                     negative to start from the end of the list",
                ));
            }
            wanted.from = if rank < 0 { End::Right } else { End::Left };
            wanted.rank = rank.unsigned_abs();
        } else if is(name, "COUNT") {
            wanted.count = Some(not_negative(value, "ERR COUNT can't be negative")?);
        } else if is(name, "MAXLEN") {
            wanted.max_len = not_negative(value, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(SYNTAX);
        }
    }
    Ok(wanted)
}

fn lpos(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let wanted = wanted(&args[3..])?;
    let list = context.typed::<List>(args[1])?;
    let len = list.map_or(0, Collection::len);
    let looked_at = if wanted.max_len == 0 { len } else { wanted.max_len.min(len) };
    let place = |index: usize| match wanted.from {
        End::Left => index,
        End::Right => len - 1 - index,
    };
    let matches = list.into_iter().flat_map(|list| list.iter_from(wanted.from)).take(looked_at).enumerate();
    let matches = matches.filter(|(_, element)| element.equals(args[2]));
    let skipped = usize::try_from(wanted.rank - 1).unwrap_or(usize::MAX);
    let mut places = matches.skip(skipped).map(|(index, _)| Reply::Int(place(index) as i64));
    Ok(match wanted.count {
        None => places.next().unwrap_or(Reply::Nil),
        Some(0) => Reply::Array(places.collect()),
        Some(count) => Reply::Array(places.take(count).collect()),
    })
}
