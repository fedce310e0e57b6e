//! The bytes of a listpack's elements, in both directions. An entry is a head (what it is, and its length or
//! a number's bytes), the string, and the length of these two once more in a form that is read
//! backwards. What is read here was checked before; nothing here looks for mistakes.
//!
//! | first byte | what follows |
//! |---|---|
//! | `0xxxxxxx` | nothing: the number is x |
//! | `10xxxxxx` | a string of x bytes |
//! | `110xxxxx` | a byte: a number of 13 bits, the high ones first |
//! | `1110xxxx` | a byte: a length of 12 bits, the high ones first; a string |
//! | `f0` | four bytes: a length; a string |
//! | `f1` `f2` `f3` `f4` | two, three, four, eight bytes: a number |
//! | `ff` | the end |

use super::Element;
use crate::collections::parse_i64;

/// Bytes of all in four bytes, elements in two.
pub(super) const HEADER_BYTES: usize = 6;
/// The header's count from here on: nobody knows, look for yourself.
pub(super) const UNCOUNTED: usize = 0xffff;
pub(super) const END: u8 = 0xff;

const STRING_6: u8 = 0x80;
const INT_13: u8 = 0xc0;
const STRING_12: u8 = 0xe0;
const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

/// An element on its way into a pack. The same string always gets the same bytes.
pub(super) struct Entry<'a> {
    head: [u8; 9],
    head_bytes: usize,
    tail: &'a [u8],
}

impl<'a> Entry<'a> {
    pub(super) fn of(element: Element<'a>) -> Self {
        match element {
            Element::Int(n) => Self::of_int(n),
            Element::Bytes(bytes) => parse_i64(bytes).map_or_else(|| Self::of_string(bytes), Self::of_int),
        }
    }

    fn of_int(n: i64) -> Self {
        let mut head = [0; 9];
        let (kind, width_bytes) = match n {
            0..=127 => (n as u8, 0),
            -4096..=4095 => (INT_13 | ((n >> 8) as u8 & 0x1f), 1),
            -0x8000..=0x7fff => (INT_16, 2),
            -0x80_0000..=0x7f_ffff => (INT_24, 3),
            -0x8000_0000..=0x7fff_ffff => (INT_32, 4),
            _ => (INT_64, 8),
        };
        head[0] = kind;
        head[1..].copy_from_slice(&n.to_le_bytes()); // what is beyond the width is not looked at
        Self { head, head_bytes: 1 + width_bytes, tail: &[] }
    }

    fn of_string(tail: &'a [u8]) -> Self {
        let mut head = [0; 9];
        let len = tail.len();
        let head_bytes = match len {
            0..64 => {
                head[0] = STRING_6 | len as u8;
                1
            }
            64..4096 => {
                head[..2].copy_from_slice(&[STRING_12 | (len >> 8) as u8, len as u8]);
                2
            }
            _ => {
                head[0] = STRING_32;
                head[1..5].copy_from_slice(&(len as u32).to_le_bytes());
                5
            }
        };
        Self { head, head_bytes, tail }
    }

    /// Without the back length.
    fn body_bytes(&self) -> usize {
        self.head_bytes + self.tail.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        let body = self.body_bytes();
        body + back_length_bytes(body)
    }

    /// Whether this is how `own`, a whole entry of the same element, was written.
    pub(super) fn is_like(&self, own: &[u8]) -> bool {
        let body = self.body_bytes();
        own.len() == body + back_length_bytes(body)
            && own[..self.head_bytes] == self.head[..self.head_bytes]
            && own[body] & 0x80 == 0
            && own[body + 1..].iter().all(|byte| byte & 0x80 != 0)
    }

    /// Writes it to the beginning of `out`, and says where it ends.
    pub(super) fn put(&self, out: &mut [u8]) -> usize {
        let body = self.body_bytes();
        if self.head_bytes == 1 {
            out[0] = self.head[0]; // nearly always, and cheaper than a copy of any length
        } else {
            out[..self.head_bytes].copy_from_slice(&self.head[..self.head_bytes]);
        }
        out[self.head_bytes..body].copy_from_slice(self.tail);
        let end = body + back_length_bytes(body);
        put_back_length(body, &mut out[body..end]);
        end
    }
}

/// An element that is looked for. As it can be encoded in one way only, nothing has to be decoded for that.
pub(super) struct Needle<'a> {
    entry: Entry<'a>,
    /// Where entries that stand together differ most: strings, often of one length, in their last
    /// bytes; numbers in their lowest.
    probe_at: usize,
    probe: u8,
}

impl<'a> Needle<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let entry = Entry::of(Element::Bytes(bytes));
        let (probe_at, probe) = match *entry.tail {
            [.., last] => (entry.body_bytes() - 1, last),
            [] if entry.head_bytes > 1 => (1, entry.head[1]),
            [] => (0, entry.head[0]),
        };
        Self { entry, probe_at, probe }
    }

    /// Whether `bytes`, which begin with an entry or the end, begin with this one.
    #[inline]
    pub(super) fn stands_at(&self, bytes: &[u8]) -> bool {
        let Entry { head, head_bytes, tail } = &self.entry;
        // One branch, which is foreseen: it is hardly ever taken.
        ((bytes[0] == head[0]) & (bytes.get(self.probe_at) == Some(&self.probe)))
            && bytes.starts_with(&head[..*head_bytes])
            // To compare nothing with nothing takes 80 ns where memcmp reads what is not there under a mask.
            && (tail.is_empty() || bytes[*head_bytes..].starts_with(tail))
    }
}

/// Bytes of the entry that `bytes` begin with.
#[inline]
pub(super) fn entry_bytes(bytes: &[u8]) -> usize {
    match SHORT_ENTRY_BYTES[usize::from(bytes[0])] {
        0 => {
            let body = body_bytes(bytes);
            body + back_length_bytes(body)
        }
        short => usize::from(short),
    }
}

/// By the first byte; 0 where that does not tell.
static SHORT_ENTRY_BYTES: [u8; 256] = short_entry_bytes();

const fn short_entry_bytes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut first = 0;
    while first < 256 {
        let body = match first as u8 {
            ..STRING_6 => 1,
            first @ STRING_6..INT_13 => 1 + (first & 0x3f),
            INT_13..STRING_12 => 2,
            INT_16 => 3,
            INT_24 => 4,
            INT_32 => 5,
            INT_64 => 9,
            STRING_12.. => 0,
        };
        table[first] = if body == 0 { 0 } else { body + 1 };
        first += 1;
    }
    table
}

/// Bytes of the entry that `bytes` begin with, without its back length. Reads no more than [`head_bytes`].
pub(super) fn body_bytes(bytes: &[u8]) -> usize {
    match bytes[0] {
        STRING_12..STRING_32 => 2 + long_length(bytes),
        STRING_32 => 5 + long_length(bytes),
        first => usize::from(SHORT_ENTRY_BYTES[usize::from(first)]).saturating_sub(1),
    }
}

/// Bytes that tell the length of an entry which begins with `first`; none if nothing begins with it.
pub(super) fn head_bytes(first: u8) -> Option<usize> {
    match first {
        ..STRING_12 | INT_16..=INT_64 => Some(1),
        STRING_12..STRING_32 => Some(2),
        STRING_32 => Some(5),
        _ => None,
    }
}

fn long_length(bytes: &[u8]) -> usize {
    match bytes {
        [STRING_32, a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as usize,
        _ => usize::from(bytes[0] & 0xf) << 8 | usize::from(bytes[1]),
    }
}

/// The element that `bytes` begin with.
#[inline]
pub(super) fn element(bytes: &[u8]) -> Element<'_> {
    match bytes[0] {
        first @ ..STRING_6 => Element::Int(first.into()),
        first @ STRING_6..INT_13 => Element::Bytes(&bytes[1..][..usize::from(first & 0x3f)]),
        first @ INT_13..STRING_12 => {
            let high = i64::from(first & 0x1f) << 59 >> 51; // the highest of its five bits is the sign
            Element::Int(high | i64::from(bytes[1]))
        }
        STRING_12..STRING_32 => Element::Bytes(&bytes[2..][..long_length(bytes)]),
        STRING_32 => Element::Bytes(&bytes[5..][..long_length(bytes)]),
        INT_16 => Element::Int(int::<2>(bytes)),
        INT_24 => Element::Int(int::<3>(bytes)),
        INT_32 => Element::Int(int::<4>(bytes)),
        _ => Element::Int(int::<8>(bytes)),
    }
}

fn int<const WIDTH: usize>(bytes: &[u8]) -> i64 {
    let mut high = [0; 8];
    high[8 - WIDTH..].copy_from_slice(&bytes[1..=WIDTH]);
    i64::from_le_bytes(high) >> (64 - 8 * WIDTH)
}

/// Bytes of the back length of an entry. The borders are one or two lower than seven bits a byte would give.
pub(super) fn back_length_bytes(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

/// The lowest seven bits come last; all bytes but the first have the high bit, which says that there are more.
fn put_back_length(body: usize, out: &mut [u8]) {
    let mut rest = body;
    for byte in out.iter_mut().rev() {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[0] &= 0x7f;
}

/// The back length that ends before `at`, which is beyond the first entry; none if it goes on for too long.
#[inline]
pub(super) fn back_length(bytes: &[u8], at: usize) -> Option<usize> {
    let mut body = 0;
    for (place, byte) in bytes[..at].iter().rev().take(5).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some(body);
        }
    }
    None
}

/// Where the entry begins that ends before `at`.
#[inline]
pub(super) fn before(bytes: &[u8], at: usize) -> usize {
    let body = back_length(bytes, at).expect("entries end with their lengths");
    at - body - back_length_bytes(body)
}
