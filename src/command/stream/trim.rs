//! XTRIM, and what XADD has in common with it: the options that say what of the beginning of a stream has to go. Replicas are
//! told what is left, never how it was found: where nodes end is nothing that they have to agree on.

use super::{INVALID_ID, id, row};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::typed::{change_typed, typed};
use crate::command::{Reply, WriteContext};
use crate::keyspace::{Collection, EventClass, Id, NewId, Stream, Trim};
use crate::limits::{TRIM_DEFAULT_ENTRIES, TRIM_MAX_ENTRIES, TRIM_NODES};
use crate::wire::units::Args;

const BOTH: Reply =
    Reply::error("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
const LIMIT_ALONE: Reply =
    Reply::error("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
const LIMIT_EXACT: Reply =
    Reply::error("ERR syntax error, LIMIT cannot be used without the special ~ option");
const NO_STRATEGY: Reply = Reply::error("ERR syntax error, XTRIM must be called with a trimming strategy");

const STRATEGIES: &[Arg] = &[Arg::word("maxlen", "MAXLEN"), Arg::word("minid", "MINID")];
const OPERATORS: &[Arg] = &[Arg::word("equal", "="), Arg::word("approximately", "~")];

pub(super) const TRIM: Arg = Arg::block(
    "trim",
    &[
        Arg::one_of("strategy", STRATEGIES),
        Arg::one_of("operator", OPERATORS).optional(),
        Arg::new("threshold", ArgKind::String),
        Arg::new("count", ArgKind::Integer).after("LIMIT").optional(),
    ],
);

pub(in crate::command) static XTRIM: Command = Command {
    summary: "Removes the oldest entries of a stream, and returns how many",
    complexity: "O(log N), and O(M) of the entries of a node that is not removed as a whole",
    tips: &["nondeterministic_output"],
    arguments: &[Arg::KEY, TRIM],
    ..row(
        "xtrim",
        -4,
        Flags::WRITE,
        &[KeySpec::one(&["RW", "delete"])],
        Handler::Write(|context, args| reply(xtrim(context, args))),
    )
};

/// What the arguments behind the key say.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) id: NewId,
    pub(super) must_exist: bool,
    pub(super) trim: Option<Trimming>,
    /// The argument at which they end: of XADD that of the id.
    pub(super) end: usize,
}

/// What has to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trimming {
    trim: Trim,
    /// Whole nodes only, of so many entries at most (0: any number).
    only_nodes: Option<usize>,
    /// The argument that says up to where.
    threshold_at: usize,
}

/// What trimming has done.
#[derive(Debug)]
pub(super) struct Trimmed {
    /// To be freed.
    pub(super) freed: Stream,
    pub(super) removed: usize,
    /// Of what was not exact: the argument that says up to where, and what leaves the same.
    pub(super) exact: Option<(usize, Trim)>,
}

/// What the options are read into.
#[derive(Debug, Default)]
struct Read {
    strategy: Option<(Trim, usize)>,
    is_approximate: bool,
    limit: Option<usize>,
    must_exist: bool,
}

impl Options {
    /// Those of XADD, up to the id.
    pub(super) fn of_xadd(context: &WriteContext<'_>, args: &Args<'_>) -> Result<Self, Reply> {
        let mut read = Read::default();
        let mut at = 2;
        while at < args.len() {
            let taken = if args[at] == b"*" { 0 } else { read.take(args, at)? };
            if taken == 0 && is(args[at], "NOMKSTREAM") {
                read.must_exist = true;
            } else if taken == 0 {
                break;
            }
            at += taken.max(1);
        }
        let id = match args.get(at) {
            Some(id) => NewId::parse(id).ok_or(INVALID_ID)?,
            None => NewId::Next, // there are no fields either
        };
        Ok(Self { id, must_exist: read.must_exist, trim: read.finish(context, false)?, end: at })
    }

    /// Those of XTRIM.
    fn of_xtrim(context: &WriteContext<'_>, args: &Args<'_>) -> Result<Trimming, Reply> {
        let mut read = Read::default();
        let mut at = 2;
        while at < args.len() {
            match read.take(args, at)? {
                0 => return Err(SYNTAX),
                taken => at += taken,
            }
        }
        read.finish(context, true)?.ok_or(NO_STRATEGY)
    }
}

impl Read {
    /// Reads one option, if there is one of those that trim. How many arguments it took.
    fn take(&mut self, args: &Args<'_>, at: usize) -> Result<usize, Reply> {
        let Some(next) = args.get(at + 1) else { return Ok(0) };
        if is(args[at], "LIMIT") {
            let limit = integer(next)?;
            let limit = usize::try_from(limit);
            self.limit = Some(limit.map_err(|_| Reply::error("ERR The LIMIT argument must be >= 0."))?);
            return Ok(2);
        }
        let is_len = is(args[at], "MAXLEN");
        if !is_len && !is(args[at], "MINID") {
            return Ok(0);
        }
        if self.strategy.is_some() {
            return Err(BOTH);
        }
        let has_operator = args.len() > at + 2 && matches!(**next, [b'~' | b'=']);
        self.is_approximate = has_operator && *next == b"~";
        let threshold_at = at + 1 + usize::from(has_operator);
        let threshold = args[threshold_at];
        let trim = match is_len {
            true => {
                let len = usize::try_from(integer(threshold)?);
                Trim::ToLen(len.map_err(|_| Reply::error("ERR The MAXLEN argument must be >= 0."))?)
            }
            false => Trim::Before(id(threshold)?),
        };
        self.strategy = Some((trim, threshold_at));
        Ok(threshold_at + 1 - at)
    }

    /// What an upstream says was rewritten there: its limit says nothing any more.
    fn finish(self, context: &WriteContext<'_>, has_to_trim: bool) -> Result<Option<Trimming>, Reply> {
        let obeys = context.state.keyspace.keeps_expired();
        let Some((trim, threshold_at)) = self.strategy else {
            return match self.limit {
                Some(1..) => Err(LIMIT_ALONE),
                Some(0) if !has_to_trim && !obeys => Err(LIMIT_EXACT),
                _ if has_to_trim => Err(NO_STRATEGY),
                _ => Ok(None),
            };
        };
        let only_nodes = match (self.is_approximate, self.limit) {
            (is_approximate, _) if obeys => is_approximate.then_some(0),
            (true, Some(limit)) => Some(limit),
            (true, None) => Some(default_limit(context.state.settings.compact.stream_node_max_entries)),
            (false, Some(_)) => return Err(LIMIT_EXACT),
            (false, None) => None,
        };
        Ok(Some(Trimming { trim, only_nodes, threshold_at }))
    }
}

/// Entries that are removed at most if nobody says how many.
fn default_limit(node_max_entries: usize) -> usize {
    match (node_max_entries as i64).wrapping_mul(TRIM_NODES as i64) {
        ..=0 => TRIM_DEFAULT_ENTRIES,
        limit => TRIM_MAX_ENTRIES.min(limit as usize),
    }
}

impl Trimming {
    pub(super) fn carry_out(&self, stream: &mut Stream) -> Trimmed {
        let (freed, removed) = stream.trim(self.trim, self.only_nodes);
        let left = match self.trim {
            Trim::ToLen(_) => Trim::ToLen(stream.len()),
            Trim::Before(_) => Trim::Before(stream.edge()),
        };
        Trimmed { freed, removed, exact: self.only_nodes.map(|_| (self.threshold_at, left)) }
    }
}

/// Tells replicas a call as it was, but for what did not say all: up to where it has trimmed, and which id it has given
/// (with the argument at which it stands).
pub(super) fn propagate(
    context: &mut WriteContext<'_>,
    args: &Args<'_>,
    exact: Option<(usize, Trim)>,
    new_id: Option<(usize, Id)>,
) {
    let threshold = exact.map(|(at, trim)| match trim {
        Trim::ToLen(len) => (at, len.to_string()),
        Trim::Before(id) => (at, id.to_string()),
    });
    let id = new_id.map(|(at, id)| (at, id.to_string()));
    let mut told = args.to_vec();
    if let Some((at, threshold)) = &threshold {
        told[*at] = threshold.as_bytes();
        told[*at - 1] = b"=";
    }
    if let Some((at, id)) = &id {
        told[*at] = id.as_bytes();
    }
    context.propagate(&told);
}

fn xtrim(context: &mut WriteContext<'_>, args: &Args<'_>) -> Outcome {
    let trim = Options::of_xtrim(context, args)?;
    let key = args[1];
    let mut edit = context.edit(key);
    let Some(stream) = typed::<Stream>(edit.item())? else { return Ok(Reply::Int(0)) };
    let mut left = stream.clone();
    let Trimmed { freed, removed, exact } = trim.carry_out(&mut left);
    if removed == 0 {
        return Ok(Reply::Int(0));
    }
    change_typed(&mut edit, |stream: &mut Stream| *stream = left);
    edit.discard(freed);
    context.notify(EventClass::Stream, "xtrim", key);
    if context.propagates() {
        propagate(context, args, exact, None);
    }
    Ok(Reply::Int(removed as i64))
}
