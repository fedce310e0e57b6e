//! [`Id`]: the name of an entry of a stream. What reads as one is what Redis takes for one, the leniency of
//! `strtoull` included.

use crate::collections::parse_i64;
use std::fmt;

/// When an entry was added, and which of its millisecond it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id {
    pub ms: u64,
    pub seq: u64,
}

/// What `XADD` is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewId {
    /// `*`: by the clock.
    Next,
    /// `ms-*`: the next one of that millisecond.
    NextOf(u64),
    Exactly(Id),
}

/// The longest text that Redis reads.
const MAX_TEXT_BYTES: usize = 127;

impl Id {
    /// Of no entry: before all of them.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    pub fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The one behind it; none behind [`Id::MAX`].
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The one before it; none before [`Id::MIN`].
    pub fn prev(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// This one and these differences, as a node's master entry and its entries have them.
    pub(super) fn plus(self, ms: i64, seq: i64) -> Self {
        Self { ms: self.ms.wrapping_add_signed(ms), seq: self.seq.wrapping_add_signed(seq) }
    }

    /// What [`Id::plus`] adds to `master` to come to this one.
    pub(super) fn since(self, master: Self) -> [i64; 2] {
        [self.ms.wrapping_sub(master.ms) as i64, self.seq.wrapping_sub(master.seq) as i64]
    }

    /// `ms-seq`, or `ms` alone, whose other half is `missing_seq` then.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Self> {
        match parts(text)? {
            (ms, None) => Some(Self { ms: number(ms)?, seq: missing_seq }),
            (ms, Some(seq)) => Some(Self { ms: number(ms)?, seq: number(seq)? }),
        }
    }

    /// The same; `-` and `+` are the least and the greatest.
    pub fn parse_bound(text: &[u8], missing_seq: u64) -> Option<Self> {
        match until_nul(text)? {
            b"-" => Some(Self::MIN),
            b"+" => Some(Self::MAX),
            _ => Self::parse(text, missing_seq),
        }
    }

    /// As radix trees and files of Redis have it.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { ms: (both >> 64) as u64, seq: both as u64 }
    }
}

impl NewId {
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text == b"*" {
            return Some(Self::Next);
        }
        match parts(text)? {
            (ms, Some(b"*")) => Some(Self::NextOf(number(ms)?)),
            _ => Id::parse(text, 0).map(Self::Exactly),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// Redis reads it as a C string.
fn until_nul(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    (text.len() <= MAX_TEXT_BYTES).then(|| &text[..end])
}

fn parts(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let text = until_nul(text)?;
    let Some(dash) = text.iter().position(|&byte| byte == b'-') else { return Some((text, None)) };
    Some((&text[..dash], Some(&text[dash + 1..])))
}

/// A canonical number that is not negative, or whatever `strtoull` takes as a whole.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(canonical) = parse_i64(text) {
        return canonical.try_into().ok();
    }
    let text = &text[text.iter().take_while(|byte| matches!(byte, b' ' | 9..=13)).count()..];
    let (digits, is_negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] => (digits, false),
        digits => (digits, false),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if is_negative { magnitude.wrapping_neg() } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        for (text, ms, seq) in [
            ("0-0", 0, 0),
            ("5-18446744073709551615", 5, u64::MAX),
            ("18446744073709551615", u64::MAX, 7),
            ("007-+1", 7, 1),
            (" 1- 2", 1, 2),
            ("1--05", 1, u64::MAX - 4),
            ("3-4\0x", 3, 4),
        ] {
            assert_eq!(Id::parse(text.as_bytes(), 7), Some(Id::new(ms, seq)), "{text}");
        }
        let long = "0".repeat(128);
        for text in
            ["", "-", "+", "1-", "-1", "1--5", "1-2-3", "1 ", "18446744073709551616", "x", "1-*", &long]
        {
            assert_eq!(Id::parse(text.as_bytes(), 7), None, "{text}");
        }
        assert_eq!(Id::parse_bound(b"-", 0), Some(Id::MIN));
        assert_eq!(Id::parse_bound(b"+", 0), Some(Id::MAX));
        assert_eq!(NewId::parse(b"*"), Some(NewId::Next));
        assert_eq!(NewId::parse(b"12-*"), Some(NewId::NextOf(12)));
        assert_eq!(NewId::parse(b"12"), Some(NewId::Exactly(Id::new(12, 0))));
        assert!([&b"*-*"[..], b"12-**", b"-*"].iter().all(|text| NewId::parse(text).is_none()));
    }

    #[test]
    fn each_has_its_neighbours() {
        for (a, b) in [((0, 0), (0, 1)), ((3, u64::MAX), (4, 0))] {
            let (a, b) = (Id::new(a.0, a.1), Id::new(b.0, b.1));
            assert!(a < b && a.next() == Some(b) && b.prev() == Some(a));
            assert_eq!(Id::from_bytes(b.to_bytes()), b);
        }
        assert_eq!((Id::MIN.prev(), Id::MAX.next()), (None, None));
    }
}
