//! XREAD: what is new in several streams. What is here takes what there is, or answers nil: who waits is the server's
//! matter. What the options mean is the same for XREADGROUP.

use super::blocking::awaited;
use super::{id, row, shown};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is, parse_i64};
use crate::command::row::{Arg, ArgKind, Command, Finder, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::keyspace::{Id, Stream};
use crate::wire::units::Args;
use std::ops::Range;

pub(super) const COUNT: Arg = Arg::new("count", ArgKind::Integer).after("COUNT").optional();
pub(super) const BLOCK: Arg = Arg::new("milliseconds", ArgKind::Integer).after("BLOCK").optional();
pub(super) const STREAMS: Arg =
    Arg::block("streams", &[Arg::KEY.multiple(), Arg::new("id", ArgKind::String).multiple()])
        .after("STREAMS");

const UNBALANCED: Reply =
    Reply::error("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
const GROUP_OF_XREAD: Reply =
    Reply::error("ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.");
const NOACK_OF_XREAD: Reply =
    Reply::error("ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.");
const NEW_OF_XREAD: Reply = Reply::error(
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
);

pub(in crate::command) static XREAD: Command = Command {
    summary: "The entries of several streams behind an id each, or waits for one",
    complexity: "O(log N) a stream, and O(M) of the entries that are returned",
    arguments: &[COUNT, BLOCK, STREAMS],
    finder: Finder::All(keys),
    blocks: Some(awaited),
    ..row(
        "xread",
        -4,
        Flags::READONLY.and(Flags::BLOCKING).and(Flags::MOVABLEKEYS),
        &[KeySpec { limit: 2, ..KeySpec::behind("STREAMS", 1, &["RO", "access"]) }],
        Handler::Read(|context, args| reply(xread(context, args))),
    )
};

/// The first half of what stands behind `STREAMS`.
pub(super) fn keys(call: &[&[u8]]) -> Range<usize> {
    let first = call.iter().skip(1).position(|arg| is(arg, "STREAMS")).map_or(call.len(), |at| at + 2);
    first..first + call.len().saturating_sub(first) / 2
}

/// What the arguments of XREAD and XREADGROUP say.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::command) struct Options<'a> {
    /// How long it waits; 0: for ever; None: not at all.
    pub(in crate::command) block_ms: Option<u64>,
    /// Entries of each stream.
    pub(in crate::command) count: usize,
    /// A group and its consumer.
    pub(in crate::command) group: Option<(&'a [u8], &'a [u8])>,
    pub(in crate::command) has_noack: bool,
    /// Arguments. Behind them stand as many ids.
    pub(in crate::command) keys: Range<usize>,
}

/// Who carries the call out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum By {
    Client,
    /// Which never waits.
    Script,
}

impl<'a> Options<'a> {
    pub(in crate::command) fn read(call: &[&'a [u8]], by: By) -> Result<Self, Reply> {
        let is_of_group = call[0].len() == "XREADGROUP".len();
        let mut options =
            Self { block_ms: None, count: usize::MAX, group: None, has_noack: false, keys: 0..0 };
        let mut at = 1;
        while at < call.len() {
            let (name, rest) = (call[at], &call[at + 1..]);
            at += match rest {
                [timeout, ..] if is(name, "BLOCK") => {
                    if by == By::Script {
                        return Err(not_from_scripts(call[0]));
                    }
                    options.block_ms = Some(timeout_ms(timeout)?);
                    2
                }
                [count, ..] if is(name, "COUNT") => {
                    let count = usize::try_from(integer(count)?).unwrap_or(0);
                    options.count = if count == 0 { usize::MAX } else { count };
                    2
                }
                [_, ..] if is(name, "STREAMS") => {
                    if rest.len() % 2 != 0 {
                        return Err(UNBALANCED);
                    }
                    options.keys = at + 1..at + 1 + rest.len() / 2;
                    break;
                }
                [_, _, ..] if is(name, "GROUP") && !is_of_group => return Err(GROUP_OF_XREAD),
                [group, consumer, ..] if is(name, "GROUP") => {
                    options.group = Some((group, consumer));
                    3
                }
                _ if is(name, "NOACK") && !is_of_group => return Err(NOACK_OF_XREAD),
                _ if is(name, "NOACK") => {
                    options.has_noack = true;
                    1
                }
                _ => return Err(SYNTAX),
            };
        }
        if options.keys.is_empty() {
            return Err(SYNTAX);
        }
        if is_of_group && options.group.is_none() {
            return Err(Reply::error("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(options)
    }

    /// Pairs of a key and what stands for its id.
    pub(in crate::command) fn pairs<'c>(
        &self,
        call: &'c [&'a [u8]],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a, 'c> {
        let (keys, ids) = call[self.keys.start..].split_at(self.keys.len());
        keys.iter().copied().zip(ids.iter().copied())
    }
}

/// Milliseconds, as they stand behind `BLOCK`.
fn timeout_ms(arg: &[u8]) -> Result<u64, Reply> {
    let number = parse_i64(arg).ok_or(Reply::error("ERR timeout is not an integer or out of range"))?;
    u64::try_from(number).map_err(|_| Reply::error("ERR timeout is negative"))
}

fn not_from_scripts(name: &[u8]) -> Reply {
    Reply::error_owned(format!(
        "ERR {} command is not allowed with BLOCK option from scripts",
        crate::command::shown(name)
    ))
}

/// Why a script may not make this call of XREAD or XREADGROUP, which would be carried out as if it were a client's.
pub(in crate::command) fn refused_to_scripts(row: &Command, call: &[&[u8]]) -> Option<Reply> {
    let reads = row.flags.has(Flags::BLOCKING) && row.group == "stream";
    reads.then(|| Options::read(call, By::Script).err())?
}

fn xread(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let options = Options::read(args, By::Client)?;
    let mut wanted = Vec::with_capacity(options.keys.len());
    for (key, text) in options.pairs(args) {
        let stream = context.typed::<Stream>(key)?;
        wanted.push(match text {
            b"$" => stream.map_or(Id::MIN, |stream| stream.ids().last),
            b">" => return Err(NEW_OF_XREAD),
            text => id(text)?,
        });
    }
    let mut streams = Vec::new();
    for ((key, _), behind) in options.pairs(args).zip(wanted) {
        let Some(stream) = context.typed::<Stream>(key)? else { continue };
        let Some(first) = behind.next() else { continue };
        let entries: Vec<Reply> =
            stream.range(first, Id::MAX).take(options.count).map(|entry| shown(&entry)).collect();
        if !entries.is_empty() {
            streams.push((Reply::bulk(key), Reply::Array(entries)));
        }
    }
    Ok(if streams.is_empty() { Reply::NilArray } else { Reply::Streams(streams) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_stands_behind_the_word_are_keys() {
        let found = |call: &str| keys(&call.split(' ').map(str::as_bytes).collect::<Vec<_>>());
        assert_eq!(found("XREAD STREAMS a b 0 0"), 2..4);
        assert_eq!(found("XREAD COUNT 2 streams a 0"), 4..5);
        assert_eq!(found("XREADGROUP GROUP g c STREAMS a b 0"), 5..6);
        assert!(found("XREAD COUNT 2 BLOCK 0").is_empty() && found("XREAD a b STREAMS").is_empty());
    }
}
