//! Ziplists, which Redis kept small collections in before version 7: they are read, and never written. What one
//! says twice has to agree.

use crate::collections::Pack;

/// Its length in bytes, where its last element is, how many there are.
const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
/// The length of the element before takes four more bytes.
const LONG_BEFORE: u8 = 0xfe;
/// A count that has not enough bits for the truth.
const UNCOUNTED: u16 = u16::MAX;

/// Its elements. None: it is no ziplist.
pub(super) fn read(bytes: &[u8]) -> Option<Pack> {
    let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
    let size = u32::from_le_bytes(*header.first_chunk()?);
    let last = u32::from_le_bytes(*header[4..].first_chunk()?);
    let count = u16::from_le_bytes(*header[8..].first_chunk()?);
    if size as usize != bytes.len() {
        return None;
    }
    let (mut pack, mut rest, mut before, mut last_at) = (Pack::new(), body, 0, HEADER_BYTES);
    while *rest.first()? != END {
        let at = bytes.len() - rest.len();
        if len_before(&mut rest)? != before {
            return None;
        }
        push(&mut pack, &mut rest)?;
        (before, last_at) = (bytes.len() - rest.len() - at, at);
    }
    let agrees = rest.len() == 1
        && (pack.is_empty() || last as usize == last_at)
        && (count == UNCOUNTED || usize::from(count) == pack.len());
    agrees.then_some(pack)
}

fn len_before(rest: &mut &[u8]) -> Option<usize> {
    match array::<1>(rest)?[0] {
        LONG_BEFORE => Some(u32::from_le_bytes(array(rest)?) as usize),
        END => None,
        len => Some(usize::from(len)),
    }
}

/// Takes an element without what stands before it.
fn push(pack: &mut Pack, rest: &mut &[u8]) -> Option<()> {
    let [first] = array(rest)?;
    let number = match first {
        0x00..=0x7f => {
            let len = match first >> 6 {
                0 => usize::from(first),
                _ => usize::from(first & 0x3f) << 8 | usize::from(array::<1>(rest)?[0]),
            };
            return push_bytes(pack, rest, len);
        }
        0x80 => {
            let len = u32::from_be_bytes(array(rest)?) as usize;
            return push_bytes(pack, rest, len);
        }
        0xc0 => i64::from(i16::from_le_bytes(array(rest)?)),
        0xd0 => i64::from(i32::from_le_bytes(array(rest)?)),
        0xe0 => i64::from_le_bytes(array(rest)?),
        0xf0 => {
            let [a, b, c] = array(rest)?;
            i64::from(i32::from_le_bytes([0, a, b, c]) >> 8)
        }
        0xfe => i64::from(i8::from_le_bytes(array(rest)?)),
        0xf1..=0xfd => i64::from(first & 0x0f) - 1,
        _ => return None,
    };
    pack.push_back_int(number);
    Some(())
}

fn push_bytes(pack: &mut Pack, rest: &mut &[u8], len: usize) -> Option<()> {
    let (bytes, behind) = rest.split_at_checked(len)?;
    *rest = behind;
    pack.push_back(bytes);
    Some(())
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::IntBytes;

    /// What Redis 6 wrote of `RPUSH` with these.
    const TWO: &[u8] = b"\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf3\x02\xf6\xff";
    const ELEMENTS: &[&[u8]] =
        &[b"\0\x01a", b"\x03\xfe\x80", b"\x03\xc0\x00\x80", b"\x04\xf0\xff\xff\x7f", b"\x05\xd0\0\0\0\x80"];

    fn sealed(elements: &[&[u8]]) -> Vec<u8> {
        let body = elements.concat();
        let last = HEADER_BYTES + body.len() - elements.last().map_or(0, |last| last.len());
        let mut out = ((HEADER_BYTES + body.len() + 1) as u32).to_le_bytes().to_vec();
        out.extend_from_slice(&(last as u32).to_le_bytes());
        out.extend_from_slice(&(elements.len() as u16).to_le_bytes());
        [out, body, vec![END]].concat()
    }

    fn texts(pack: &Pack) -> Vec<String> {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        pack.iter().map(|element| text(element.bytes(&mut IntBytes::default()))).collect()
    }

    #[test]
    fn elements_of_every_form_are_read() {
        assert_eq!(texts(&read(TWO).unwrap()), ["2", "5"]);
        let read = read(&sealed(ELEMENTS)).unwrap();
        assert_eq!(texts(&read), ["a", "-128", "-32768", "8388607", "-2147483648"]);
    }

    #[test]
    fn what_does_not_agree_is_no_ziplist() {
        let whole = sealed(ELEMENTS);
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_none(), "{len} bytes");
        }
        for at in [0, 4, 8, 10, 13, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert!(read(&bytes).is_none(), "byte {at}");
        }
    }
}
