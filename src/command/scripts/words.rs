//! The keys and arguments of a script on their way into Lua: they are pushed onto its stack without a value of their own
//! in Rust, and behind them begins the limit of memory: what a script is given is not held against it.

use crate::limits::{SCRIPT_MEMORY_BYTES, SCRIPT_SHARED_BYTES};
use mlua::{Either, IntoLua, Lua, Result, Value};

/// A word; mlua pushes what is valid UTF-8 as it is.
pub(super) fn word(bytes: &[u8]) -> Either<&str, Word<'_>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(Word::Bytes(bytes)),
    }
}

/// What is no text.
pub(super) enum Word<'a> {
    Bytes(&'a [u8]),
    /// No word, but what stands behind the last one: a nil, with which the limit begins.
    Limit {
        is_own: bool,
    },
}

impl IntoLua for Word<'_> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        match self {
            Self::Bytes(bytes) => Ok(Value::String(lua.create_string(bytes)?)),
            Self::Limit { is_own } => limit_memory(lua, is_own).map(|()| Value::Nil),
        }
    }
}

/// Limits what a script may take from here on; `is_own`: in a machine of its own.
pub(super) fn limit_memory(lua: &Lua, is_own: bool) -> Result<()> {
    let most_bytes = match is_own {
        true => SCRIPT_MEMORY_BYTES,
        false => lua.used_memory() + SCRIPT_SHARED_BYTES,
    };
    lua.set_memory_limit(most_bytes).map(drop)
}
