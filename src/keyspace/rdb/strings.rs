//! Lengths and strings: a string is plain, a small number, or compressed. A length must never be
//! believed before there are bytes for it.

use super::lzf;
use crate::collections::{IntBytes, format_int};
use crate::limits::MAX_BULK_BYTES;
use std::borrow::Cow;

/// The two high bits of a length's first byte.
const LEN_6: u8 = 0;
const LEN_14: u8 = 1;
const SPECIAL: u8 = 3;
/// First bytes of longer ones.
const LEN_32: u8 = 0x80;
const LEN_64: u8 = 0x81;

/// What follows a first byte whose two high bits are [`SPECIAL`].
const INT_8: u8 = 0;
const INT_16: u8 = 1;
const INT_32: u8 = 2;
const LZF: u8 = 3;

/// The longest number with an encoding of its own: -2147483648.
const MAX_INT_BYTES: usize = 11;
/// The longest string that is not worth a try to compress it.
const MAX_PLAIN_BYTES: usize = 20;
/// What compression has to save.
const LEAST_SAVED_BYTES: usize = 4;

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    match len {
        0..0x40 => out.push(len as u8 | LEN_6 << 6),
        0x40..0x4000 => out.extend_from_slice(&[(len >> 8) as u8 | LEN_14 << 6, len as u8]),
        _ => match u32::try_from(len) {
            Ok(len) => {
                out.push(LEN_32);
                out.extend_from_slice(&len.to_be_bytes());
            }
            Err(_) => {
                out.push(LEN_64);
                out.extend_from_slice(&(len as u64).to_be_bytes());
            }
        },
    }
}

/// Appends a string in the shortest of the forms.
pub(super) fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let number = (bytes.len() <= MAX_INT_BYTES).then(|| canonical_i32(bytes)).flatten();
    if let Some(number) = number {
        return put_int(out, number);
    }
    if bytes.len() > MAX_PLAIN_BYTES
        && let Some(compressed) = lzf::compress(bytes, bytes.len() - LEAST_SAVED_BYTES)
    {
        out.push(SPECIAL << 6 | LZF);
        put_len(out, compressed.len());
        put_len(out, bytes.len());
        return out.extend_from_slice(&compressed);
    }
    put_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_int(out: &mut Vec<u8>, number: i32) {
    if let Ok(number) = i8::try_from(number) {
        out.extend_from_slice(&[SPECIAL << 6 | INT_8, number as u8]);
    } else if let Ok(number) = i16::try_from(number) {
        out.push(SPECIAL << 6 | INT_16);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        out.push(SPECIAL << 6 | INT_32);
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// The number that these bytes are, if they are its only form.
fn canonical_i32(bytes: &[u8]) -> Option<i32> {
    let number: i32 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (format_int(i64::from(number), &mut IntBytes::default()) == bytes).then_some(number)
}

/// Reads a payload from its beginning. `None` everywhere: it is not one.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

enum Len {
    Plain(usize),
    Special(u8),
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*head)
    }

    pub(super) fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    fn len_or_special(&mut self) -> Option<Len> {
        let first = self.byte()?;
        let len = match first >> 6 {
            LEN_6 => usize::from(first),
            LEN_14 => usize::from(first & 0x3f) << 8 | usize::from(self.byte()?),
            SPECIAL => return Some(Len::Special(first & 0x3f)),
            _ => match first {
                LEN_32 => u32::from_be_bytes(self.array()?) as usize,
                LEN_64 => usize::try_from(u64::from_be_bytes(self.array()?)).ok()?,
                _ => return None,
            },
        };
        Some(Len::Plain(len))
    }

    pub(super) fn len(&mut self) -> Option<usize> {
        match self.len_or_special()? {
            Len::Plain(len) => Some(len),
            Len::Special(_) => None,
        }
    }

    pub(super) fn string(&mut self) -> Option<Cow<'a, [u8]>> {
        let number = match self.len_or_special()? {
            Len::Plain(len) if len > MAX_BULK_BYTES => return None,
            Len::Plain(len) => return self.bytes(len).map(Cow::Borrowed),
            Len::Special(LZF) => return self.compressed().map(Cow::Owned),
            Len::Special(INT_8) => i64::from(self.byte()? as i8),
            Len::Special(INT_16) => i64::from(i16::from_le_bytes(self.array()?)),
            Len::Special(INT_32) => i64::from(i32::from_le_bytes(self.array()?)),
            Len::Special(_) => return None,
        };
        Some(Cow::Owned(format_int(number, &mut IntBytes::default()).to_vec()))
    }

    fn compressed(&mut self) -> Option<Vec<u8>> {
        let compressed_len = self.len()?;
        let len = self.len().filter(|&len| len <= MAX_BULK_BYTES)?;
        lzf::decompress(self.bytes(compressed_len)?, len)
    }
}
