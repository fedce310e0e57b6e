//! `DEBUG PROTOCOL`: one reply of each kind. Three of them are no [`Reply`], because no command
//! answers with one; this module must never be asked for these within another reply.

use crate::command::Reply;
use crate::resp::Protocol;

const UNKNOWN: Reply = Reply::error(
    "ERR Wrong protocol type name. Please use one of the following: \
     string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
);
const BIG_NUMBER: &str = "1234567999999999999999999999999999999";
const AFTER_ATTRIBUTE: &str = "Some real reply following the attribute";

/// The bytes of a kind that only RESP3 has.
pub fn raw(name: &[u8], protocol: Protocol) -> Option<&'static [u8]> {
    if protocol != Protocol::Resp3 {
        return None;
    }
    match name.to_ascii_lowercase().as_slice() {
        b"bignum" => Some(b"(1234567999999999999999999999999999999\r\n"),
        b"attrib" => Some(
            b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n\
              $39\r\nSome real reply following the attribute\r\n",
        ),
        b"push" => Some(
            b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n\
              $40\r\nSome real reply following the push reply\r\n",
        ),
        _ => None,
    }
}

#[expect(clippy::approx_constant, reason = "Redis's number, and no approximation of anything")]
/// Any other, and what RESP2 has in place of those.
pub fn reply(name: &[u8]) -> Reply {
    let numbers = || (0..3).map(Reply::Int).collect();
    match name.to_ascii_lowercase().as_slice() {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(3.141),
        b"bignum" => Reply::bulk(BIG_NUMBER),
        b"null" => Reply::Nil,
        b"array" => Reply::Array(numbers()),
        b"set" => Reply::Set(numbers()),
        b"map" => Reply::Map((0..3).map(|n| (Reply::Int(n), Reply::Bool(n == 1))).collect()),
        b"attrib" => Reply::bulk(AFTER_ATTRIBUTE),
        b"push" => Reply::error("ERR RESP2 is not supported by this command"),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"verbatim" => Reply::Verbatim("This is a verbatim\nstring".into()),
        _ => UNKNOWN,
    }
}
