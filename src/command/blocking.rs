//! [`Awaited`]: what a command waits for that finds nothing. Carried out, such a command never waits:
//! it answers nil, and the server lets its client wait and tries again. So it does as much in a
//! transaction, which waits for nobody. Nothing here may change anything.

use super::long_double::LongDouble;
use super::{Command, Reply};
use crate::keyspace::{Blob, Id, Item, Kind, Stream, Typed};
use std::ops::Range;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Which arguments are the keys, one of which has to hold something.
    pub keys: Range<usize>,
    /// What that has to be.
    pub what: Wanted,
    /// How long; 0: for ever.
    pub timeout_ms: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An element of a value of this type, which one client takes.
    Element(Kind),
    /// Entries of streams, which everybody may read: those behind these ids, one for each key. None: that of the last
    /// entry when the wait begins.
    Entries { behind: Vec<Option<Id>>, count: usize },
    /// Entries that nobody of a group has got, which one consumer gets.
    Delivery { group: Blob, consumer: Blob, has_noack: bool, count: usize },
}

/// What a key is to who waits for it.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// There is something.
    Something,
    /// There is nothing yet.
    Nothing,
    /// There is what the command has no use for.
    Foreign,
    /// There will never be anything: the reply.
    Ended(Reply),
}

const KEY_IS_GONE: Reply = Reply::error("UNBLOCKED the stream key no longer exists");
const GROUP_IS_GONE: Reply =
    Reply::error("NOGROUP the consumer group this client was blocked on no longer exists");
/// Entries of a stream, at most, that one who has waited gets, if it did not say how many.
const MAX_ENTRIES: usize = 1000;

impl Awaited {
    /// What the value of a key is to who waits, of the key at this place among the keys.
    pub fn find(&self, place: usize, item: Option<&Item>) -> Found {
        let Some(item) = item else {
            let is_delivery = matches!(self.what, Wanted::Delivery { .. });
            return if is_delivery { Found::Ended(KEY_IS_GONE) } else { Found::Nothing };
        };
        let last_of = |stream: &Stream| stream.last().map_or(Id::MIN, |entry| entry.id);
        let is_met = match &self.what {
            Wanted::Element(kind) => {
                let found = item.value.collection().is_some_and(|collection| collection.kind() == *kind);
                return if found { Found::Something } else { Found::Foreign };
            }
            Wanted::Entries { behind, .. } => match Stream::of(&item.value) {
                None => return Found::Foreign,
                Some(stream) => behind[place].is_some_and(|behind| last_of(stream) > behind),
            },
            Wanted::Delivery { group, .. } => match Stream::of(&item.value) {
                None => return Found::Ended(KEY_IS_GONE),
                Some(stream) => match stream.groups().get(group) {
                    None => return Found::Ended(GROUP_IS_GONE),
                    Some(group) => last_of(stream) > group.last_id,
                },
            },
        };
        if is_met { Found::Something } else { Found::Nothing }
    }

    /// The wait begins: what stands for the last entry of a key is its id from now on.
    pub fn begin<'a>(&mut self, item: impl Fn(usize) -> Option<&'a Item>) {
        if let Wanted::Entries { behind, .. } = &mut self.what {
            for (place, behind) in behind.iter_mut().enumerate().filter(|(_, behind)| behind.is_none()) {
                let stream = item(place).and_then(|item| Stream::of(&item.value));
                *behind = Some(stream.map_or(Id::MIN, |stream| stream.ids().last));
            }
        }
    }

    /// Whether what one key has is all that one who has waited gets.
    pub fn is_of_one_key(&self) -> bool {
        !matches!(self.what, Wanted::Element(_))
    }

    /// The call for some of its keys alone, by their places among them, as one makes it that has waited.
    pub fn call_for(&self, call: &[&[u8]], places: &[usize]) -> Vec<Vec<u8>> {
        let keys = &call[self.keys.clone()];
        let keys = places.iter().map(|&place| keys[place].to_vec());
        let of_streams = |options: &[&[u8]], count: usize| -> Vec<Vec<u8>> {
            let count = if count == usize::MAX { MAX_ENTRIES } else { count }.to_string();
            let options = options.iter().copied().chain([b"COUNT", count.as_bytes(), b"STREAMS"]);
            options.map(<[u8]>::to_vec).collect()
        };
        match &self.what {
            // What stands before the keys, and is not the name, is how many they are.
            Wanted::Element(_) => {
                let mut chosen: Vec<_> = call[..self.keys.start].iter().map(|arg| arg.to_vec()).collect();
                if let [_, .., count] = chosen.as_mut_slice() {
                    *count = places.len().to_string().into_bytes();
                }
                chosen.extend(keys);
                chosen.extend(call[self.keys.end..].iter().map(|arg| arg.to_vec()));
                chosen
            }
            Wanted::Entries { behind, count } => {
                let ids =
                    places.iter().map(|&place| behind[place].unwrap_or(Id::MAX).to_string().into_bytes());
                of_streams(&[b"XREAD"], *count).into_iter().chain(keys).chain(ids).collect()
            }
            Wanted::Delivery { group, consumer, has_noack, count } => {
                let mut head: Vec<&[u8]> = vec![b"XREADGROUP", b"GROUP", group, consumer];
                head.extend(has_noack.then_some(&b"NOACK"[..]));
                let ids = places.iter().map(|_| b">".to_vec());
                of_streams(&head, *count).into_iter().chain(keys).chain(ids).collect()
            }
        }
    }
}

/// Where a call names keys that it may bring something to, and how many that may have some of it. What is said here is
/// a guess, on which nothing may depend but when somebody looks.
pub fn brings(row: &Command, call: &[&[u8]]) -> Vec<(usize, usize)> {
    let is_counted = ["list", "sorted-set", "geo"].contains(&row.group);
    let each =
        row.arguments.last().filter(|arg| is_counted && arg.multiple).map(|arg| arg.parts.len().max(1));
    let elements = each.map_or(1, |each| call.len().saturating_sub(2) / each);
    let brings = |flags: &[&str]| flags.contains(&"insert") || flags.contains(&"update");
    row.keys_of(call).filter(|(_, spec)| brings(spec.flags)).map(|(at, _)| (at, elements)).collect()
}

/// What a call waits for; None: it does not, or is not in order.
pub type Blocks = fn(&[&[u8]]) -> Option<Awaited>;

/// A timeout in seconds, with or without a fraction, or Redis's error.
pub(super) fn timeout_ms(bytes: &[u8]) -> Result<u64, Reply> {
    const NEGATIVE: Reply = Reply::error("ERR timeout is negative");
    match LongDouble::parse(bytes) {
        None => Err(Reply::error("ERR timeout is not a float or out of range")),
        // What is too long for Redis overflows there.
        Some(LongDouble::Infinite) => Err(NEGATIVE),
        Some(LongDouble::Finite(seconds)) => {
            let ms = (seconds.format().parse::<f64>().unwrap_or(f64::INFINITY) * 1000.0).ceil();
            if (0.0..i64::MAX as f64).contains(&ms) { Ok(ms as u64) } else { Err(NEGATIVE) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds() {
        for (text, ms) in [("0", 0), ("1", 1000), ("0.001", 1), ("0.0001", 1), ("1.5", 1500), ("-0.0001", 0)]
        {
            assert_eq!(timeout_ms(text.as_bytes()), Ok(ms), "{text}");
        }
        for text in ["-1", "-0.001", "1e30", "inf", "", "x", "1 ", "nan"] {
            assert!(timeout_ms(text.as_bytes()).is_err(), "{text}");
        }
    }

    fn call(text: &str) -> Vec<&[u8]> {
        text.split(' ').map(str::as_bytes).collect()
    }

    #[test]
    fn a_call_is_made_for_some_of_its_keys() {
        for (text, places, expected) in [
            ("BLPOP a b c 1.5", &[2, 0][..], "BLPOP c a 1.5"),
            ("BLMPOP 0 3 a b c LEFT COUNT 2", &[1][..], "BLMPOP 0 1 b LEFT COUNT 2"),
            ("BZMPOP 0 1 a MIN", &[0][..], "BZMPOP 0 1 a MIN"),
            ("BLMOVE a b LEFT RIGHT 0", &[0][..], "BLMOVE a b LEFT RIGHT 0"),
        ] {
            let call = call(text);
            let row = crate::command::lookup(call[0]).unwrap();
            let awaited = row.blocks.unwrap()(&call).unwrap();
            assert_eq!(awaited.call_for(&call, places).join(&b' '), expected.as_bytes());
        }
    }

    #[test]
    fn what_may_bring_something_is_known_by_its_row() {
        for (text, expected) in [
            ("RPUSH l a b c", &[(1, 3)][..]),
            ("LMOVE a b LEFT LEFT", &[(2, 1)][..]),
            ("LPOP l", &[][..]),
            ("ZADD z 1 a 2 b", &[(1, 2)][..]),
            ("RENAME a b", &[(2, 1)][..]),
            ("SORT a STORE b", &[(3, 1)][..]),
            ("DEL a", &[][..]),
            ("BLMOVE a b LEFT LEFT 0", &[(2, 1)][..]),
        ] {
            let call = call(text);
            assert_eq!(brings(crate::command::lookup(call[0]).unwrap(), &call), expected, "{text}");
        }
    }
}
