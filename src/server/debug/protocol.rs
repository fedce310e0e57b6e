//! `DEBUG PROTOCOL`, as far as it answers with what is no [`crate::command::Reply`], because no command does; this
//! module must never be asked for these within another reply.

use crate::resp::Protocol;

/// The bytes of a kind that only RESP3 has.
pub fn raw(name: &[u8], protocol: Protocol) -> Option<&'static [u8]> {
    if protocol != Protocol::Resp3 {
        return None;
    }
    match name.to_ascii_lowercase().as_slice() {
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
