//! BITCOUNT and BITPOS: how many bits are set, and where the first one is. They must look at
//! eight bytes at a time.

use super::{CATEGORIES, with_bytes};
use crate::command::context::{Outcome, reply};
use crate::command::parse::{SYNTAX, integer, is};
use crate::command::ranges::clip;
use crate::command::row::{Arg, ArgKind, Command, Flags, Handler, KeySpec};
use crate::command::{ReadContext, Reply};
use crate::wire::units::Args;
use std::ops::Range;

const UNIT: Arg = Arg::one_of("index_unit", &[Arg::word("byte", "BYTE"), Arg::word("bit", "BIT")]).optional();
const END: Arg = Arg::new("end", ArgKind::Integer);

pub(in crate::command) static BITCOUNT: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    since: "2.6.0",
    group: "bitmap",
    summary: "Counts the bits that are set in a string, or in a part of it",
    complexity: "O(N) of the number of bytes",
    arguments: &[Arg::KEY, Arg::block("index", &[Arg::new("start", ArgKind::Integer), END, UNIT]).optional()],
    ..Command::new(
        "bitcount",
        -2,
        Flags::READONLY,
        Handler::Read(|context, args| reply(bitcount(context, args))),
    )
};

pub(in crate::command) static BITPOS: Command = Command {
    categories: CATEGORIES,
    keys: &[KeySpec::one(&["RO", "access"])],
    since: "2.8.7",
    group: "bitmap",
    summary: "Finds the first bit that is set, or clear, in a string or a part of it",
    complexity: "O(N) of the number of bytes",
    arguments: &[
        Arg::KEY,
        Arg::new("bit", ArgKind::Integer),
        Arg::block(
            "index",
            &[Arg::new("start", ArgKind::Integer), Arg::block("end_index", &[END, UNIT]).optional()],
        )
        .optional(),
    ],
    ..Command::new("bitpos", -3, Flags::READONLY, Handler::Read(|context, args| reply(bitpos(context, args))))
};

/// Bits from `start` to `end` as a range of bits of something that is `len` bytes long.
fn bit_range(start: i64, end: i64, in_bits: bool, len: usize) -> Option<Range<usize>> {
    let scale = if in_bits { 1 } else { 8 };
    clip(start, end, len * 8 / scale).map(|(start, end)| start * scale..end * scale)
}

/// `BYTE` or `BIT`.
fn is_in_bits(unit: &[u8]) -> Result<bool, Reply> {
    match unit {
        _ if is(unit, "BIT") => Ok(true),
        _ if is(unit, "BYTE") => Ok(false),
        _ => Err(SYNTAX),
    }
}

/// The byte at `at`, with only those bits that are in the range, as at least one is.
fn masked(byte: u8, at: usize, range: &Range<usize>) -> u8 {
    let (before, after) = (range.start.saturating_sub(at * 8), (at * 8 + 8).saturating_sub(range.end));
    byte & (0xff >> before) & (0xff << after)
}

fn bitcount(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let Some(item) = context.get(args[1]) else { return Ok(Reply::Int(0)) };
    with_bytes(Some(item), |bytes| {
        let range = match &args[2..] {
            [] => Some(0..bytes.len() * 8),
            [start, end] => bit_range(integer(start)?, integer(end)?, false, bytes.len()),
            [start, end, unit] => {
                let (start, end) = (integer(start)?, integer(end)?);
                // As in Redis, the unit of what is surely empty is not looked at.
                if start < 0 && end < 0 && start > end {
                    return Ok(Reply::Int(0));
                }
                bit_range(start, end, is_in_bits(unit)?, bytes.len())
            }
            _ => return Err(SYNTAX),
        };
        Ok(Reply::Int(range.filter(|range| !range.is_empty()).map_or(0, |range| count(bytes, &range)) as i64))
    })?
}

/// Bits set in a range that is not empty.
fn count(bytes: &[u8], range: &Range<usize>) -> usize {
    let (first, last) = (range.start / 8, (range.end - 1) / 8);
    let edge = |at: usize| masked(bytes[at], at, range).count_ones() as usize;
    if first == last {
        return edge(first);
    }
    let (words, rest) = bytes[first + 1..last].as_chunks::<8>();
    let words: usize = words.iter().map(|word| u64::from_ne_bytes(*word).count_ones() as usize).sum();
    let rest: usize = rest.iter().map(|byte| byte.count_ones() as usize).sum();
    edge(first) + words + rest + edge(last)
}

fn bitpos(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let bit = match integer(args[2])? {
        0 => false,
        1 => true,
        _ => return Err(Reply::error("ERR The bit argument must be 1 or 0.")),
    };
    let Some(item) = context.get(args[1]) else { return Ok(Reply::Int(if bit { -1 } else { 0 })) };
    with_bytes(Some(item), |bytes| {
        let (range, has_end) = match &args[3..] {
            [] => (0..bytes.len() * 8, false),
            [start] => (from(integer(start)?, bytes.len()), false),
            [start, rest @ ..] if rest.len() <= 2 => {
                let start = integer(start)?;
                let in_bits = rest.get(1).map_or(Ok(false), |unit| is_in_bits(unit))?;
                (span(start, integer(rest[0])?, in_bits, bytes.len()), true)
            }
            _ => return Err(SYNTAX),
        };
        if range.is_empty() {
            return Ok(Reply::Int(-1));
        }
        Ok(Reply::Int(match find(bytes, bit, &range) {
            Some(at) => at as i64,
            // Without an end the string goes on with zeros.
            None if !bit && !has_end => range.end as i64,
            None => -1,
        }))
    })?
}

/// From a byte to the end.
fn from(start: i64, len: usize) -> Range<usize> {
    span(start, len as i64 - 1, false, len)
}

/// As [`bit_range`], but that two positions before the beginning are both the first one.
fn span(start: i64, end: i64, in_bits: bool, len: usize) -> Range<usize> {
    let units = (if in_bits { len * 8 } else { len }) as i64;
    let from_end = |at: i64| if at < 0 { at.saturating_add(units).max(0) } else { at };
    bit_range(from_end(start), from_end(end), in_bits, len).unwrap_or(0..0)
}

/// The first such bit in a range that is not empty.
fn find(bytes: &[u8], bit: bool, range: &Range<usize>) -> Option<usize> {
    let (first, last) = (range.start / 8, (range.end - 1) / 8);
    let without: u8 = if bit { 0 } else { 0xff };
    let in_byte = |at: usize| {
        let found = masked(bytes[at] ^ without, at, range);
        (found != 0).then(|| at * 8 + found.leading_zeros() as usize)
    };
    let (words, _) = bytes.get(first + 1..last).unwrap_or_default().as_chunks::<8>();
    let skipped = words.iter().take_while(|word| **word == [without; 8]).count();
    in_byte(first).or_else(|| (first + 1 + skipped * 8..=last).find_map(in_byte))
}
