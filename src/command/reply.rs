//! [`Reply`]: what a command answers, before any protocol. `resp` turns it into RESP2 or RESP3.

use crate::keyspace::Blob;
use std::borrow::Cow;

/// An answer. Where RESP2 has no such type, the encoder does what Redis does.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+OK`
    Ok,
    /// A simple string. Never holds CR or LF.
    Simple(Cow<'static, str>),
    /// The text after `-`, its code first: `ERR syntax error`. Never holds CR or LF.
    Error(Cow<'static, str>),
    /// `:1`
    Int(i64),
    /// A bulk string.
    Bulk(Blob),
    /// The null bulk string of RESP2, the null of RESP3.
    Nil,
    /// The null array of RESP2, the null of RESP3: an `EXEC` that did not take place.
    NilArray,
    /// An array.
    Array(Vec<Reply>),
    /// A map; a flat array in RESP2.
    Map(Vec<(Reply, Reply)>),
    /// Pairs, an array each; a flat array in RESP2.
    Pairs(Vec<(Reply, Reply)>),
    /// Keys and what was read of each (`XREAD`): a map; pairs in RESP2, an array each.
    Streams(Vec<(Reply, Reply)>),
    /// A set; an array in RESP2.
    Set(Vec<Reply>),
    /// A double; a bulk string in RESP2.
    Double(f64),
    /// A coordinate: a double with all of its decimals up to 17.
    Coordinate(f64),
    /// A boolean; 1 or 0 in RESP2.
    Bool(bool),
    /// Text for people (`INFO`); a bulk string in RESP2. The format is `txt`.
    Verbatim(Blob),
    /// Text of another format, of three letters; a bulk string in RESP2.
    VerbatimAs([u8; 3], Blob),
    /// An integer of any length, in decimal; a bulk string in RESP2. Never holds CR or LF.
    BigNumber(Cow<'static, str>),
    /// Out of band; an array in RESP2.
    Push(Vec<Reply>),
    /// How many clients of this node were sent the message: the server, which alone knows, fills
    /// it in. 0 where nobody does.
    Receivers,
    /// What one command answers with several replies: one after the other, without a header.
    Several(Vec<Reply>),
}

impl Reply {
    /// A simple string with a constant text.
    pub const fn simple(text: &'static str) -> Self {
        Self::Simple(Cow::Borrowed(text))
    }

    /// An error with a constant text.
    pub const fn error(text: &'static str) -> Self {
        Self::Error(Cow::Borrowed(text))
    }

    /// An error with a text of its own. CR and LF, which would end it early, become spaces.
    pub fn error_owned(text: String) -> Self {
        if text.contains(['\r', '\n']) {
            return Self::Error(Cow::Owned(text.replace(['\r', '\n'], " ")));
        }
        Self::Error(Cow::Owned(text))
    }

    /// A bulk string that copies `bytes`.
    pub fn bulk(bytes: impl AsRef<[u8]>) -> Self {
        Self::Bulk(Blob::new(bytes.as_ref()))
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}
