//! Where a length, a string or a value of an RDB file ends, for a reader that has only the beginning
//! of the file yet. Nothing here may copy, or believe a length before there are bytes for it.

use super::layout::{Item, Layout};
use super::reader::RdbError;
use crate::limits::{LOADED_PIECE_BYTES, MAX_BULK_BYTES};

/// What is known of an item: None: more bytes are needed to tell.
pub(super) type Extent<T> = Result<Option<T>, RdbError>;

/// A length, or the number of a special encoding; and how many bytes that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefix {
    Len(u64, usize),
    Special(u8, usize),
}

pub(super) fn prefix(bytes: &[u8]) -> Extent<Prefix> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    let len = match first >> 6 {
        0 => Prefix::Len(u64::from(first), 1),
        1 => match bytes.get(1) {
            Some(&low) => Prefix::Len(u64::from(first & 0x3f) << 8 | u64::from(low), 2),
            None => return Ok(None),
        },
        2 => match (first, bytes[1..].first_chunk(), bytes[1..].first_chunk()) {
            (0x80, Some(len), _) => Prefix::Len(u64::from(u32::from_be_bytes(*len)), 5),
            (0x81, _, Some(len)) => Prefix::Len(u64::from_be_bytes(*len), 9),
            (0x80 | 0x81, ..) => return Ok(None),
            _ => return Err(RdbError::Malformed("length")),
        },
        _ => Prefix::Special(first & 0x3f, 1),
    };
    Ok(Some(len))
}

/// A plain length, and how many bytes it takes.
pub(super) fn len(bytes: &[u8]) -> Extent<(u64, usize)> {
    match prefix(bytes)? {
        Some(Prefix::Len(len, size)) => Ok(Some((len, size))),
        Some(Prefix::Special(..)) => Err(RdbError::Malformed("length")),
        None => Ok(None),
    }
}

/// The bytes that a string takes, which may not all be there yet.
pub(super) fn string(bytes: &[u8]) -> Extent<usize> {
    let size = match prefix(bytes)? {
        None => return Ok(None),
        Some(Prefix::Len(len, size)) => size + bounded(len)?,
        Some(Prefix::Special(0, size)) => size + 1,
        Some(Prefix::Special(1, size)) => size + 2,
        Some(Prefix::Special(2, size)) => size + 4,
        Some(Prefix::Special(3, size)) => {
            let Some((compressed, more)) = len(&bytes[size..])? else { return Ok(None) };
            let Some((whole, yet_more)) = len(&bytes[size + more..])? else { return Ok(None) };
            bounded(whole)?;
            size + more + yet_more + bounded(compressed)?
        }
        Some(Prefix::Special(..)) => return Err(RdbError::Malformed("string")),
    };
    Ok(Some(size))
}

fn bounded(len: u64) -> Result<usize, RdbError> {
    usize::try_from(len).ok().filter(|&len| len <= MAX_BULK_BYTES).ok_or(RdbError::TooLong(len))
}

/// How far the value under way was looked at, so that what arrives in many pieces is looked at once.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Bytes of it that are known: whole elements, and before the first piece is cut off their count.
    at: usize,
    /// Those that the count takes.
    count_bytes: usize,
    /// Elements among them, and those that are still to come. None: their count is.
    elements: Option<(u64, u64)>,
    layout: Layout,
}

/// The bytes of one element, if all of them are there.
type OfOne = fn(&[u8]) -> Extent<usize>;

impl Progress {
    /// Bytes of the value that are known.
    pub(super) fn bytes(&self) -> usize {
        self.at
    }

    /// What consists of these parts.
    fn layout(&mut self, items: &'static [Item], bytes: &[u8]) -> Extent<usize> {
        Ok(self.layout.go_on(items, bytes, &mut self.at)?.map(|()| self.at))
    }

    /// A count, and so many elements.
    fn elements(&mut self, bytes: &[u8], one: OfOne) -> Extent<usize> {
        let (mut seen, mut left) = match self.elements {
            Some(elements) => elements,
            None => {
                let Some((count, size)) = len(bytes)? else { return Ok(None) };
                (self.at, self.count_bytes) = (size, size);
                (0, count)
            }
        };
        while left > 0 && self.at - self.count_bytes < LOADED_PIECE_BYTES {
            let Some(rest) = bytes.get(self.at..).filter(|rest| !rest.is_empty()) else { break };
            let Some(size) = one(rest)? else { break };
            self.at += size;
            (seen, left) = (seen + 1, left - 1);
        }
        self.elements = Some((seen, left));
        Ok((left == 0).then_some(self.at))
    }

    /// If enough of the value is known that it should not wait for the rest: how many elements that are, and where
    /// they lie. The next ones are looked for where these end.
    pub(super) fn cut(&mut self) -> Option<(u64, std::ops::Range<usize>)> {
        let (seen, left) = self.elements?;
        let known = self.count_bytes..self.at;
        if known.len() < LOADED_PIECE_BYTES || left == 0 {
            return None;
        }
        *self = Self { elements: Some((0, left)), ..Self::default() };
        Some((seen, known))
    }

    /// How many elements are known, and where they lie, once all are.
    pub(super) fn rest(&self) -> Option<(u64, std::ops::Range<usize>)> {
        self.elements.map(|(seen, _)| (seen, self.count_bytes..self.at))
    }
}

/// The bytes of a string, if all of them are there.
pub(super) fn whole_string(bytes: &[u8]) -> Extent<usize> {
    Ok(string(bytes)?.filter(|&size| size <= bytes.len()))
}

fn two_strings(bytes: &[u8]) -> Extent<usize> {
    let Some(first) = whole_string(bytes)? else { return Ok(None) };
    Ok(whole_string(&bytes[first..])?.map(|second| first + second))
}

fn tagged_string(bytes: &[u8]) -> Extent<usize> {
    let Some((_, tag)) = len(bytes)? else { return Ok(None) };
    Ok(whole_string(&bytes[tag..])?.map(|size| tag + size))
}

fn with_old_score(bytes: &[u8]) -> Extent<usize> {
    with(bytes, super::sorted_set::old_score_bytes)
}

fn with_score(bytes: &[u8]) -> Extent<usize> {
    with(bytes, |_| Some(size_of::<f64>()))
}

/// A string, and behind it so many bytes as `tail` tells by their beginning.
fn with(bytes: &[u8], tail: fn(&[u8]) -> Option<usize>) -> Extent<usize> {
    let Some(size) = whole_string(bytes)? else { return Ok(None) };
    Ok(tail(&bytes[size..]).map(|more| size + more).filter(|size| *size <= bytes.len()))
}

/// The bytes that a value of this type takes after the type's byte; of a string, even if they are not all there
/// yet.
pub(super) fn value(kind: u8, bytes: &[u8], progress: &mut Progress) -> Extent<usize> {
    match kind {
        super::STRING | super::HASH_ZIPMAP | super::HASH_ZIPLIST | super::HASH_LISTPACK => string(bytes),
        super::LIST_ZIPLIST | super::SET_INTSET | super::ZSET_ZIPLIST | super::ZSET_LISTPACK => string(bytes),
        super::LIST | super::LIST_QUICKLIST | super::SET => progress.elements(bytes, whole_string),
        super::LIST_QUICKLIST_2 => progress.elements(bytes, tagged_string),
        super::HASH => progress.elements(bytes, two_strings),
        super::ZSET => progress.elements(bytes, with_old_score),
        super::ZSET_2 => progress.elements(bytes, with_score),
        super::STREAM_LISTPACKS => progress.layout(super::stream::LAYOUT, bytes),
        super::STREAM_LISTPACKS_2 => progress.layout(super::stream::LAYOUT_2, bytes),
        _ => Err(RdbError::Lacking(type_name(kind))),
    }
}

/// What Redis keeps in a value of this type.
fn type_name(kind: u8) -> &'static str {
    match kind {
        20 => "a set in a form of Redis 7.2",
        22..=25 => "a hash with deadlines of fields",
        6 | 7 => "a module's value",
        21 => "a stream in a form of Redis 7.2",
        _ => "a value of an unknown type",
    }
}
