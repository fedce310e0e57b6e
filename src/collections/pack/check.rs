//! Bytes that come from elsewhere become a pack, or do not. No bytes whatsoever may make this
//! panic, read beyond them, or give a pack on which anything else does.

use super::encode::{self, END, Entry, HEADER_BYTES, UNCOUNTED};
use super::{Element, Pack};

/// What is wrong with no entry, but may be said better.
#[derive(PartialEq)]
enum Form {
    /// As Redis writes it, and [`Entry`].
    Canonical,
    /// Readable, but with a number as a string, a length in more bytes than it takes, or the like.
    Odd,
}

/// The listpack `bytes` as a pack. What is written in an odd way, which Redis takes but never gives, is
/// written anew: everything else relies on it that a string has one encoding.
pub(super) fn pack(bytes: Vec<u8>) -> Option<Pack> {
    let (total, end) = (bytes.len(), bytes.len().checked_sub(1)?);
    let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let [a, b, c, d, e, f] = *header;
    if end < HEADER_BYTES || u32::from_le_bytes([a, b, c, d]) as usize != total || bytes[end] != END {
        return None;
    }
    let mut form = Form::Canonical;
    let (mut at, mut count) = (HEADER_BYTES, 0);
    while at < end {
        let (next, its_form) = entry(&bytes, at)?;
        if its_form == Form::Odd {
            form = Form::Odd;
        }
        (at, count) = (next, count + 1);
    }
    let claimed = usize::from(u16::from_le_bytes([e, f]));
    if claimed != UNCOUNTED && claimed != count {
        return None;
    }
    let mut pack = Pack { bytes: bytes.into_boxed_slice() };
    pack.set_count(count);
    if form == Form::Odd {
        pack = pack.iter().fold(Pack::with_capacity(total), with);
    }
    pack.shrink();
    Some(pack)
}

fn with(mut pack: Pack, element: Element<'_>) -> Pack {
    pack.insert_all(None, [element]);
    pack
}

/// Where the entry at `at` ends, if it is whole and ends before the last byte.
fn entry(bytes: &[u8], at: usize) -> Option<(usize, Form)> {
    let end = bytes.len() - 1;
    if at + encode::head_bytes(bytes[at])? > end {
        return None;
    }
    let body = encode::body_bytes(&bytes[at..]);
    let next = at + body + encode::back_length_bytes(body);
    if next > end || encode::back_length(bytes, next) != Some(body) {
        return None;
    }
    let own = &bytes[at..next];
    // The back length may reach into the string, whose bytes then happen to be right: that is odd, too.
    let same = Entry::of(encode::element(own)).is_like(own);
    Some((next, if same { Form::Canonical } else { Form::Odd }))
}
