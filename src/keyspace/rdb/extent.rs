//! Where a length, a string or a value of an RDB file ends, for a reader that has only the beginning
//! of the file yet. Nothing here may copy, or believe a length before there are bytes for it.

use super::reader::RdbError;
use crate::limits::MAX_BULK_BYTES;

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
    at: usize,
    /// Strings that are still to come; none: their count is.
    strings: Option<u64>,
}

impl Progress {
    /// Bytes of the value that are known.
    pub(super) fn bytes(&self) -> usize {
        self.at
    }

    /// A count, and so many strings for each.
    fn strings(&mut self, bytes: &[u8], each: u64) -> Extent<usize> {
        self.tailed(bytes, each, |_| Some(0))
    }

    /// The same; behind each string comes what has so many bytes as `tail` tells by its beginning.
    fn tailed(&mut self, bytes: &[u8], each: u64, tail: fn(&[u8]) -> Option<usize>) -> Extent<usize> {
        let mut left = match self.strings {
            Some(left) => left,
            None => {
                let Some((count, size)) = len(bytes)? else { return Ok(None) };
                self.at = size;
                count.checked_mul(each).ok_or(RdbError::Malformed("length"))?
            }
        };
        while left > 0 {
            let Some(rest) = bytes.get(self.at..).filter(|rest| !rest.is_empty()) else { break };
            let Some(size) = string(rest)?.filter(|size| *size <= rest.len()) else { break };
            let Some(size) = tail(&rest[size..]).map(|more| size + more).filter(|size| *size <= rest.len())
            else {
                break;
            };
            self.at += size;
            left -= 1;
        }
        self.strings = Some(left);
        Ok((left == 0).then_some(self.at))
    }
}

impl Progress {
    /// A count, and so many strings with a number before each.
    fn tagged(&mut self, bytes: &[u8]) -> Extent<usize> {
        let mut left = match self.strings {
            Some(left) => left,
            None => {
                let Some((count, size)) = len(bytes)? else { return Ok(None) };
                self.at = size;
                count
            }
        };
        while left > 0 {
            let Some(rest) = bytes.get(self.at..) else { break };
            let Some((_, tag)) = len(rest)? else { break };
            let Some(size) = string(&rest[tag..])?.filter(|size| *size <= rest.len() - tag) else { break };
            self.at += tag + size;
            left -= 1;
        }
        self.strings = Some(left);
        Ok((left == 0).then_some(self.at))
    }
}

/// The bytes that a value of this type takes after the type's byte; of a string, even if they are not all there
/// yet.
pub(super) fn value(kind: u8, bytes: &[u8], progress: &mut Progress) -> Extent<usize> {
    match kind {
        super::STRING | super::HASH_ZIPMAP | super::HASH_ZIPLIST | super::HASH_LISTPACK => string(bytes),
        super::LIST_ZIPLIST => string(bytes),
        super::LIST | super::LIST_QUICKLIST => progress.strings(bytes, 1),
        super::LIST_QUICKLIST_2 => progress.tagged(bytes),
        super::HASH => progress.strings(bytes, 2),
        super::SET_INTSET => string(bytes),
        super::SET => progress.strings(bytes, 1),
        super::ZSET_ZIPLIST | super::ZSET_LISTPACK => string(bytes),
        super::ZSET => progress.tailed(bytes, 1, super::sorted_set::old_score_bytes),
        super::ZSET_2 => progress.tailed(bytes, 1, |_| Some(size_of::<f64>())),
        _ => Err(RdbError::Lacking(type_name(kind))),
    }
}

/// What Redis keeps in a value of this type.
fn type_name(kind: u8) -> &'static str {
    match kind {
        20 => "a set in a form of Redis 7.2",
        22..=25 => "a hash with deadlines of fields",
        6 | 7 => "a module's value",
        15 | 19 | 21 => "a stream",
        _ => "a value of an unknown type",
    }
}
