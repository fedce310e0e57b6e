//! Redis's wire protocol: bytes to requests by our own parser, replies to bytes by
//! redis-protocol. This module must never touch a socket, know what a command means, or
//! hold more memory than what was received accounts for.

mod decode;
mod encode;
mod inline;
#[cfg(test)]
mod tests;

pub use decode::{Decoder, Limits};
pub use encode::{encode, encode_header};

use bytes::BytesMut;

/// The protocol that a connection's replies are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// What every connection starts with.
    #[default]
    Resp2,
    /// After `HELLO 3`.
    Resp3,
}

impl Protocol {
    /// As `HELLO` and `CLIENT LIST` show it.
    pub const fn version(self) -> i64 {
        match self {
            Self::Resp2 => 2,
            Self::Resp3 => 3,
        }
    }
}

/// What ends a connection, with Redis's texts: after it nothing of the input can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    #[error("unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    #[error("invalid bulk length")]
    InvalidBulkLength,
    #[error("unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    #[error("expected '$', got '{}'", .0.escape_ascii())]
    ExpectedBulk(u8),
    #[error("too big inline request")]
    TooBigInline,
    #[error("too big mbulk count string")]
    TooBigMultibulkCount,
    #[error("too big bulk count string")]
    TooBigBulkCount,
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// Redis closes without a word here (`client-query-buffer-limit`); a word helps.
    #[error("request exceeds the query buffer limit")]
    TooBigRequest,
}

impl ProtocolError {
    /// Appends the error as Redis replies it, the offending byte raw, CR and LF as spaces.
    pub fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(b"-ERR Protocol error: ");
        match *self {
            Self::ExpectedBulk(got) => {
                let shown = if matches!(got, b'\r' | b'\n') { b' ' } else { got };
                out.extend_from_slice(b"expected '$', got '");
                out.extend_from_slice(&[shown, b'\'']);
            }
            _ => out.extend_from_slice(self.to_string().as_bytes()),
        }
        out.extend_from_slice(b"\r\n");
    }
}
