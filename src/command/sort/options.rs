//! What a `SORT` asks for, read as Redis reads it. Nothing here may look at a key.

use super::engine::star;
use crate::command::Reply;
use crate::command::parse::{SYNTAX, integer, is};
use crate::wire::units::Args;

/// The options behind the key.
#[derive(Debug, Default)]
pub(super) struct Options<'a> {
    pub(super) descending: bool,
    /// Compare as bytes, not as numbers.
    pub(super) alpha: bool,
    /// How many to leave out, and how many to return.
    pub(super) limit: Option<(i64, i64)>,
    /// Whose value an element is compared by; of one without `*`, nothing is sorted.
    pub(super) by: Option<&'a [u8]>,
    pub(super) get: Vec<&'a [u8]>,
    pub(super) store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    pub(super) fn read(mut args: &[&'a [u8]], may_store: bool) -> Result<Self, Reply> {
        let mut options = Self::default();
        while let [name, tail @ ..] = args {
            args = match tail {
                _ if is(name, "ASC") => {
                    options.descending = false;
                    tail
                }
                _ if is(name, "DESC") => {
                    options.descending = true;
                    tail
                }
                _ if is(name, "ALPHA") => {
                    options.alpha = true;
                    tail
                }
                [start, count, tail @ ..] if is(name, "LIMIT") => {
                    options.limit = Some((integer(start)?, integer(count)?));
                    tail
                }
                [key, tail @ ..] if is(name, "STORE") && may_store => {
                    options.store = Some(key);
                    tail
                }
                [pattern, tail @ ..] if is(name, "BY") => {
                    options.by = Some(pattern);
                    tail
                }
                [pattern, tail @ ..] if is(name, "GET") => {
                    options.get.push(pattern);
                    tail
                }
                _ => return Err(SYNTAX),
            };
        }
        Ok(options)
    }
}

/// A call that leaves the members of a set in no order, with `ALPHA` in the place of `BY`: what a script gets has to
/// have one.
pub(in crate::command) fn in_order<'a>(call: &Args<'a>) -> Option<Args<'a>> {
    let options = Options::read(&call[2..], true).ok()?;
    options.by.filter(|pattern| star(pattern).is_none())?;
    let mut ordered: Args<'a> = call[..2].iter().copied().collect();
    let mut rest = &call[2..];
    while let [name, tail @ ..] = rest {
        let values = match () {
            () if is(name, "LIMIT") => 2,
            () if is(name, "STORE") || is(name, "GET") || is(name, "BY") => 1,
            () => 0,
        };
        if !is(name, "BY") {
            ordered.extend(rest[..=values].iter().copied());
        }
        rest = &tail[values..];
    }
    ordered.push(b"ALPHA");
    Some(ordered)
}

/// Where the key after the last `STORE` stands in a call; one that is an option's value is none.
pub(super) fn target(call: &[&[u8]]) -> Option<usize> {
    let mut found = None;
    let mut at = 2;
    while at < call.len() {
        match call[at] {
            name if is(name, "LIMIT") => at += 2,
            name if is(name, "GET") || is(name, "BY") => at += 1,
            name if is(name, "STORE") && at + 1 < call.len() => found = Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    found
}
