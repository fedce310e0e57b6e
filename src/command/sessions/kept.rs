//! A reply as bytes and back, the very same one: RESP3 would lose which nil it was, and RESP2
//! more. A byte says what follows (RESP3's, but for three), then a number (a length, a count, the
//! integer itself), then what it counts. This module must never change what the bytes mean:
//! they stand in snapshots.

use crate::command::Reply;
use crate::keyspace::Blob;
use crate::wire::WireError;
use crate::wire::entry::{put_varint, take_varint};

/// Replies within replies. Beyond: as if too long.
const MAX_DEPTH: usize = 8;

const WRONG: WireError = WireError::new("reply in a session");

/// The bytes of a reply; none if they would be more than `max_bytes`.
pub(super) fn encode(reply: &Reply, max_bytes: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    put(&mut out, reply, max_bytes, MAX_DEPTH)?;
    Some(out)
}

fn put(out: &mut Vec<u8>, reply: &Reply, max_bytes: usize, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match reply {
        Reply::Ok => out.push(b'O'),
        Reply::Nil => out.push(b'_'),
        Reply::NilArray => out.push(b'N'),
        Reply::Simple(text) => put_bytes(out, b'+', text.as_bytes(), max_bytes)?,
        Reply::Error(text) => put_bytes(out, b'-', text.as_bytes(), max_bytes)?,
        Reply::Bulk(bytes) => put_bytes(out, b'$', bytes, max_bytes)?,
        Reply::Verbatim(bytes) => put_bytes(out, b'=', bytes, max_bytes)?,
        Reply::VerbatimAs(format, bytes) => {
            out.push(b'=' | 0x80);
            out.extend_from_slice(format);
            put_bytes(out, b'=', bytes, max_bytes)?;
        }
        Reply::BigNumber(digits) => put_bytes(out, b'(', digits.as_bytes(), max_bytes)?,
        Reply::Int(number) => put_number(out, b':', *number as u64),
        Reply::Receivers => put_number(out, b':', 0), // a repetition publishes nothing
        Reply::Double(number) => put_number(out, b',', number.to_bits()),
        Reply::Coordinate(number) => put_number(out, b'@', number.to_bits()),
        Reply::Bool(truth) => put_number(out, b'#', u64::from(*truth)),
        Reply::Array(items) => put_items(out, b'*', items, max_bytes, depth)?,
        Reply::Set(items) => put_items(out, b'~', items, max_bytes, depth)?,
        Reply::Push(items) => put_items(out, b'>', items, max_bytes, depth)?,
        Reply::Several(_) => return None, // of no command that the log holds
        Reply::Map(pairs) => put_pairs(out, b'%', pairs, max_bytes, depth)?,
        Reply::Pairs(pairs) => put_pairs(out, b'P', pairs, max_bytes, depth)?,
        Reply::Streams(pairs) => put_pairs(out, b'X', pairs, max_bytes, depth)?,
    }
    (out.len() <= max_bytes).then_some(())
}

fn put_number(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    put_varint(out, number);
}

fn put_bytes(out: &mut Vec<u8>, kind: u8, bytes: &[u8], max_bytes: usize) -> Option<()> {
    if bytes.len() > max_bytes {
        return None;
    }
    put_number(out, kind, bytes.len() as u64);
    out.extend_from_slice(bytes);
    Some(())
}

fn put_items(out: &mut Vec<u8>, kind: u8, items: &[Reply], max_bytes: usize, depth: usize) -> Option<()> {
    put_number(out, kind, items.len() as u64);
    items.iter().try_for_each(|item| put(out, item, max_bytes, depth))
}

fn put_pairs(
    out: &mut Vec<u8>,
    kind: u8,
    pairs: &[(Reply, Reply)],
    max_bytes: usize,
    depth: usize,
) -> Option<()> {
    put_number(out, kind, pairs.len() as u64);
    pairs.iter().flat_map(|(key, value)| [key, value]).try_for_each(|item| put(out, item, max_bytes, depth))
}

/// The reply of which `bytes` are all.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Reply, WireError> {
    let reply = take(&mut bytes, MAX_DEPTH)?;
    if bytes.is_empty() { Ok(reply) } else { Err(WRONG) }
}

fn take(bytes: &mut &[u8], depth: usize) -> Result<Reply, WireError> {
    let depth = depth.checked_sub(1).ok_or(WRONG)?;
    let (&kind, rest) = bytes.split_first().ok_or(WRONG)?;
    *bytes = rest;
    match kind {
        b'O' => return Ok(Reply::Ok),
        b'_' => return Ok(Reply::Nil),
        b'N' => return Ok(Reply::NilArray),
        _ if kind == b'=' | 0x80 => {
            let format = take_bytes(bytes, 3)?.try_into().map_err(|_| WRONG)?;
            return match take(bytes, 1)? {
                Reply::Verbatim(text) => Ok(Reply::VerbatimAs(format, text)),
                _ => Err(WRONG),
            };
        }
        _ => {}
    }
    let number = take_varint(bytes).ok_or(WRONG)?;
    Ok(match kind {
        b':' => Reply::Int(number as i64),
        b',' => Reply::Double(f64::from_bits(number)),
        b'@' => Reply::Coordinate(f64::from_bits(number)),
        b'#' => Reply::Bool(number != 0),
        b'+' => Reply::Simple(take_text(bytes, number)?.into()),
        b'-' => Reply::Error(take_text(bytes, number)?.into()),
        b'(' => Reply::BigNumber(take_text(bytes, number)?.into()),
        b'$' => Reply::Bulk(Blob::new(take_bytes(bytes, number)?)),
        b'=' => Reply::Verbatim(Blob::new(take_bytes(bytes, number)?)),
        b'*' => Reply::Array(take_items(bytes, number, depth)?),
        b'~' => Reply::Set(take_items(bytes, number, depth)?),
        b'>' => Reply::Push(take_items(bytes, number, depth)?),
        b'%' => Reply::Map(take_pairs(bytes, number, depth)?),
        b'P' => Reply::Pairs(take_pairs(bytes, number, depth)?),
        b'X' => Reply::Streams(take_pairs(bytes, number, depth)?),
        _ => return Err(WRONG),
    })
}

fn take_bytes<'a>(bytes: &mut &'a [u8], len: u64) -> Result<&'a [u8], WireError> {
    let len = usize::try_from(len).map_err(|_| WRONG)?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or(WRONG)?;
    *bytes = rest;
    Ok(taken)
}

fn take_text(bytes: &mut &[u8], len: u64) -> Result<String, WireError> {
    String::from_utf8(take_bytes(bytes, len)?.to_vec()).map_err(|_| WRONG)
}

/// Ends at the first that is missing, so that a wrong count costs nothing.
fn take_items(bytes: &mut &[u8], count: u64, depth: usize) -> Result<Vec<Reply>, WireError> {
    (0..count).map(|_| take(bytes, depth)).collect()
}

fn take_pairs(bytes: &mut &[u8], count: u64, depth: usize) -> Result<Vec<(Reply, Reply)>, WireError> {
    (0..count).map(|_| Ok((take(bytes, depth)?, take(bytes, depth)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies() -> Vec<Reply> {
        let all = vec![
            Reply::Ok,
            Reply::Nil,
            Reply::NilArray,
            Reply::simple("PONG"),
            Reply::error("ERR no"),
            Reply::Int(i64::MIN),
            Reply::bulk("a\r\n\0b"),
            Reply::bulk("long".repeat(1000)),
            Reply::Verbatim(Blob::new(b"text")),
            Reply::Double(0.1),
            Reply::Coordinate(-0.1),
            Reply::VerbatimAs(*b"mkd", Blob::new(b"# one")),
            Reply::BigNumber("123456789012345678901234567890".into()),
            Reply::Double(f64::NEG_INFINITY),
            Reply::Bool(true),
        ];
        let pairs = vec![(Reply::bulk("k"), Reply::Array(all.clone())), (Reply::Nil, Reply::Int(0))];
        let nested = [Reply::Array(all.clone()), Reply::Set(all.clone()), Reply::Push(vec![])];
        let of_pairs = [Reply::Map(pairs.clone()), Reply::Pairs(pairs.clone()), Reply::Streams(pairs)];
        all.into_iter().chain(nested).chain(of_pairs).collect()
    }

    #[test]
    fn every_reply_comes_back_as_it_was() {
        for reply in replies() {
            let bytes = encode(&reply, usize::MAX).unwrap();
            assert_eq!(decode(&bytes).unwrap(), reply);
            assert_eq!(encode(&reply, bytes.len()), Some(bytes.clone()));
            assert_eq!(encode(&reply, bytes.len() - 1), None);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_whatever_they_say() {
        for reply in replies() {
            let bytes = encode(&reply, usize::MAX).unwrap();
            for len in 0..bytes.len() {
                assert!(decode(&bytes[..len]).is_err());
            }
            for at in 0..bytes.len().min(100) {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x81;
                let _ = decode(&damaged);
            }
            assert!(decode(&[bytes, vec![b'_']].concat()).is_err());
        }
        for nested in [[b'*', 1].repeat(100_000), [b'%', 1].repeat(100_000)] {
            assert!(decode(&nested).is_err());
        }
        let mut deep = Reply::Nil;
        for _ in 0..100 {
            deep = Reply::Array(vec![deep]);
        }
        assert_eq!(encode(&deep, usize::MAX), None);
    }
}
