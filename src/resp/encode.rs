//! [`encode`]: replies to bytes, by redis-protocol's encoders.
//!
//! Where its bytes are not Redis's, or cost more than they should, the bytes are written
//! here, and nowhere else:
//! - doubles: it prints the shortest decimal that reads back (`1e30` as 31 digits), Redis
//!   prints `%.17g`;
//! - maps and sets: it wants a hash map of frames, which would lose the order and pairs
//!   that are equal, so headers of aggregates are ours and only elements are its;
//! - the null array of RESP2, for which it has no frame;
//! - the scalars of nearly every reply (strings, numbers, `OK`, nil): it finds the length of a length
//!   by a logarithm, and fills the buffer with zeros first; half of what a `GET` cost was that.

use super::Protocol;
use crate::command::Reply;
use crate::keyspace::{format_coordinate, format_double};
use bytes::BytesMut;
use redis_protocol::resp2::{encode as resp2, types::BorrowedFrame as Resp2Frame};
use redis_protocol::resp3::{encode as resp3, types::BorrowedFrame as Resp3Frame};

/// Appends the line before a string or the elements of an aggregate, which the caller appends.
pub fn encode_header(out: &mut BytesMut, kind: u8, len: usize) {
    header(out, kind, len);
}

/// Appends `reply`.
pub fn encode(out: &mut BytesMut, reply: &Reply, protocol: Protocol) {
    match reply {
        Reply::Ok => out.extend_from_slice(b"+OK\r\n"),
        Reply::Bulk(data) => string(out, b'$', b"", data),
        other => encode_other(out, other, protocol),
    }
}

fn encode_other(out: &mut BytesMut, reply: &Reply, protocol: Protocol) {
    match (protocol, reply) {
        (_, Reply::Array(items)) => aggregate(out, b'*', items, protocol),
        (Protocol::Resp2, Reply::Set(items) | Reply::Push(items)) => aggregate(out, b'*', items, protocol),
        (Protocol::Resp3, Reply::Set(items)) => aggregate(out, b'~', items, protocol),
        (Protocol::Resp3, Reply::Push(items)) => aggregate(out, b'>', items, protocol),
        (_, Reply::Several(replies)) => replies.iter().for_each(|reply| encode(out, reply, protocol)),
        (_, Reply::Receivers) => encode(out, &Reply::Int(0), protocol),
        (_, Reply::Map(pairs)) => {
            match protocol {
                Protocol::Resp2 => header(out, b'*', 2 * pairs.len()),
                Protocol::Resp3 => header(out, b'%', pairs.len()),
            }
            for (key, value) in pairs {
                encode(out, key, protocol);
                encode(out, value, protocol);
            }
        }
        (_, Reply::Pairs(pairs)) => {
            header(out, b'*', if protocol == Protocol::Resp2 { 2 * pairs.len() } else { pairs.len() });
            for (first, second) in pairs {
                if protocol == Protocol::Resp3 {
                    header(out, b'*', 2);
                }
                encode(out, first, protocol);
                encode(out, second, protocol);
            }
        }
        (_, Reply::Streams(streams)) => {
            header(out, if protocol == Protocol::Resp2 { b'*' } else { b'%' }, streams.len());
            for (key, entries) in streams {
                if protocol == Protocol::Resp2 {
                    header(out, b'*', 2);
                }
                encode(out, key, protocol);
                encode(out, entries, protocol);
            }
        }
        (Protocol::Resp2, Reply::NilArray) => out.extend_from_slice(b"*-1\r\n"),
        (Protocol::Resp2, Reply::Double(value)) => {
            resp2_frame(out, &Resp2Frame::BulkString(format_double(*value).as_bytes()));
        }
        (Protocol::Resp2, Reply::Coordinate(value)) => {
            string(out, b'$', b"", format_coordinate(*value).as_bytes())
        }
        (Protocol::Resp3, Reply::Coordinate(value)) => line(out, b',', &format_coordinate(*value)),
        (Protocol::Resp3, Reply::Double(value)) => {
            out.extend_from_slice(b",");
            out.extend_from_slice(format_double(*value).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        (_, Reply::Simple(text)) => line(out, b'+', text),
        (_, Reply::Int(value)) => line(out, b':', itoa::Buffer::new().format(*value)),
        (Protocol::Resp2, Reply::Nil) => out.extend_from_slice(b"$-1\r\n"),
        (Protocol::Resp2, Reply::Verbatim(data)) => string(out, b'$', b"", data),
        (Protocol::Resp3, Reply::Verbatim(data)) => string(out, b'=', b"txt:", data),
        (Protocol::Resp2, Reply::VerbatimAs(_, data)) => string(out, b'$', b"", data),
        (Protocol::Resp3, Reply::VerbatimAs([a, b, c], data)) => string(out, b'=', &[*a, *b, *c, b':'], data),
        (Protocol::Resp2, Reply::BigNumber(digits)) => string(out, b'$', b"", digits.as_bytes()),
        (Protocol::Resp3, Reply::BigNumber(digits)) => line(out, b'(', digits),
        (Protocol::Resp2, scalar) => scalar_resp2(out, scalar),
        (Protocol::Resp3, scalar) => scalar_resp3(out, scalar),
    }
}

fn aggregate(out: &mut BytesMut, kind: u8, items: &[Reply], protocol: Protocol) {
    header(out, kind, items.len());
    for item in items {
        encode(out, item, protocol);
    }
}

fn scalar_resp2(out: &mut BytesMut, reply: &Reply) {
    let frame = match reply {
        Reply::Error(text) => Resp2Frame::Error(text),
        Reply::Bool(value) => Resp2Frame::Integer(i64::from(*value)),
        Reply::Ok
        | Reply::Simple(_)
        | Reply::Int(_)
        | Reply::Bulk(_)
        | Reply::Verbatim(_)
        | Reply::Nil
        | Reply::NilArray
        | Reply::Array(_)
        | Reply::Map(_)
        | Reply::Pairs(_)
        | Reply::Streams(_)
        | Reply::Set(_)
        | Reply::Push(_)
        | Reply::Several(_)
        | Reply::Receivers
        | Reply::Double(_)
        | Reply::Coordinate(_)
        | Reply::VerbatimAs(..)
        | Reply::BigNumber(_) => {
            unreachable!("written before")
        }
    };
    resp2_frame(out, &frame);
}

fn scalar_resp3(out: &mut BytesMut, reply: &Reply) {
    let attributes = None;
    let frame = match reply {
        Reply::Error(text) => Resp3Frame::SimpleError { data: text, attributes },
        Reply::Bool(value) => Resp3Frame::Boolean { data: *value, attributes },
        Reply::Nil | Reply::NilArray => Resp3Frame::Null,
        Reply::Ok
        | Reply::Simple(_)
        | Reply::Int(_)
        | Reply::Bulk(_)
        | Reply::Verbatim(_)
        | Reply::Array(_)
        | Reply::Map(_)
        | Reply::Pairs(_)
        | Reply::Streams(_)
        | Reply::Set(_)
        | Reply::Push(_)
        | Reply::Several(_)
        | Reply::Receivers
        | Reply::Double(_)
        | Reply::Coordinate(_)
        | Reply::VerbatimAs(..)
        | Reply::BigNumber(_) => {
            unreachable!("written before")
        }
    };
    resp3::complete::extend_encode_borrowed(out, &frame, false).expect("the encoder made the room it needs");
}

fn resp2_frame(out: &mut BytesMut, frame: &Resp2Frame<'_>) {
    resp2::extend_encode_borrowed(out, frame, false).expect("the encoder made the room it needs");
}

fn line(out: &mut BytesMut, kind: u8, text: &str) {
    out.reserve(text.len() + 3);
    out.extend_from_slice(&[kind]);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn header(out: &mut BytesMut, kind: u8, len: usize) {
    line(out, kind, itoa::Buffer::new().format(len));
}

fn string(out: &mut BytesMut, kind: u8, prefix: &[u8], data: &[u8]) {
    let len = prefix.len() + data.len();
    out.reserve(len + 32);
    match len {
        0..10 => out.extend_from_slice(&[kind, b'0' + len as u8, b'\r', b'\n']),
        10..100 => {
            let digits = [b'0' + (len / 10) as u8, b'0' + (len % 10) as u8];
            out.extend_from_slice(&[kind, digits[0], digits[1], b'\r', b'\n']);
        }
        _ => header(out, kind, len),
    }
    out.extend_from_slice(prefix);
    out.extend_from_slice(data);
    out.extend_from_slice(b"\r\n");
}
