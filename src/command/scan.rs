//! KEYS and SCAN; and what the walks over elements of collections share with them.

use super::context::{Outcome, reply};
use super::glob;
use super::parse::{SYNTAX, integer, is};
use super::row::{Arg, ArgKind, Category, Command, Flags, Handler};
use super::{ReadContext, Reply};
use crate::keyspace::{Blob, Scanned};
use crate::wire::units::Args;

pub(super) static KEYS: Command = Command {
    categories: &[Category::Keyspace, Category::Dangerous],
    tips: &["request_policy:all_shards", "nondeterministic_output_order"],
    summary: "All keys that match a pattern",
    complexity: "O(N) of the number of keys there are",
    arguments: &[Arg::new("pattern", ArgKind::Pattern)],
    ..Command::new("keys", 2, Flags::READONLY, Handler::Read(keys))
};

pub(super) static SCAN: Command = Command {
    categories: &[Category::Keyspace],
    tips: &["nondeterministic_output", "request_policy:special"],
    since: "2.8.0",
    summary: "Walks over the keys in steps; a cursor is good on every node, also after a failover",
    complexity: "O(1) a call, O(N) of the number of keys for a whole walk",
    arguments: &[
        Arg::new("cursor", ArgKind::Integer),
        Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
        Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
        Arg::new("type", ArgKind::String).after("TYPE").optional(),
    ],
    ..Command::new("scan", -2, Flags::READONLY, Handler::Read(|context, args| reply(scan(context, args))))
};

/// What is looked for, and how far.
pub(super) struct Wanted<'a> {
    pattern: Option<&'a [u8]>, // none: all
    type_name: Option<&'a [u8]>,
    pub(super) count: usize,
}

impl<'a> Wanted<'a> {
    fn read(args: &[&'a [u8]], of_keys: bool) -> Result<Self, Reply> {
        let mut wanted = Self { pattern: None, type_name: None, count: 10 };
        for option in args.chunks(2) {
            match *option {
                [name, count] if is(name, "COUNT") => {
                    let count = integer(count)?;
                    wanted.count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(SYNTAX)?;
                }
                [name, pattern] if is(name, "MATCH") => wanted.pattern = not_all(pattern),
                [name, type_name] if of_keys && is(name, "TYPE") => wanted.type_name = Some(type_name),
                _ => return Err(SYNTAX),
            }
        }
        Ok(wanted)
    }

    /// The options of a walk over the elements of a key.
    pub(super) fn of_elements(args: &[&'a [u8]]) -> Result<Self, Reply> {
        Self::read(args, false)
    }

    /// Whether a key or an element fits the pattern.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, text))
    }
}

/// The arguments of a walk over the elements of a key.
pub(super) const ELEMENTS: &[Arg] = &[
    Arg::KEY,
    Arg::new("cursor", ArgKind::Integer),
    Arg::new("pattern", ArgKind::Pattern).after("MATCH").optional(),
    Arg::new("count", ArgKind::Integer).after("COUNT").optional(),
];

/// What a step of a walk answers.
pub(super) fn step(next: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(next.to_string()), Reply::Array(found)])
}

fn keys(context: &mut ReadContext<'_>, args: &Args<'_>) -> Reply {
    let wanted = Wanted { pattern: not_all(args[1]), type_name: None, count: usize::MAX };
    Reply::Array(walk(context, 0, &wanted).1)
}

fn scan(context: &mut ReadContext<'_>, args: &Args<'_>) -> Outcome {
    let cursor = cursor(args[1])?;
    let wanted = Wanted::read(&args[2..], true)?;
    let (scanned, keys) = walk(context, cursor, &wanted);
    Ok(step(scanned.cursor, keys))
}

/// Tells of all keys of the database that have expired and are there still.
pub(super) fn tell_expired(context: &mut ReadContext<'_>) {
    walk(context, 0, &Wanted { pattern: None, type_name: None, count: usize::MAX });
}

fn not_all(pattern: &[u8]) -> Option<&[u8]> {
    Some(pattern).filter(|&pattern| pattern != b"*")
}

fn walk(context: &mut ReadContext<'_>, cursor: u64, wanted: &Wanted<'_>) -> (Scanned, Vec<Reply>) {
    let (now_ms, wall_ms) = (context.now_ms, context.wall_ms);
    let (mut saw_expiring, mut expired) = (false, Vec::new());
    // While nothing removes what has expired, whoever meets it tells of it.
    let tells = !context.state.settings.active_expire;
    let mut found = Vec::new();
    let scanned = context.state.keyspace.scan(context.db, cursor, wanted.count, |key, item| {
        let matches = !item.has_expired(now_ms)
            && wanted.matches(key)
            && wanted.type_name.is_none_or(|name| is(name, item.value.type_name()));
        if matches {
            saw_expiring |= item.has_expired(wall_ms);
            found.push(Reply::bulk(key));
        } else if tells && item.has_expired(now_ms) {
            expired.push(Blob::new(key));
        }
    });
    expired.sort_unstable(); // replicas have tables of another order
    expired.iter().for_each(|key| context.state.tell_expired(context.db, key));
    context.saw_expiring |= saw_expiring;
    (scanned, found)
}

/// A cursor as C's `strtoul` reads it, for that is what Redis does: nothing is 0, a sign is
/// taken, and a NUL ends it.
pub(super) fn cursor(arg: &[u8]) -> Result<u64, Reply> {
    read_cursor(arg).ok_or(Reply::error("ERR invalid cursor"))
}

fn read_cursor(arg: &[u8]) -> Option<u64> {
    let text = super::parse::c_string(arg, usize::MAX);
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits
        .iter()
        .try_fold(0u64, |value, &digit| value.checked_mul(10)?.checked_add(u64::from(digit - b'0')))?;
    Some(if negative { value.wrapping_neg() } else { value })
}
