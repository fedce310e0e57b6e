//! The words of a command as a script gives them to `redis.call`: read where they stand in Lua, numbers as C prints them.
//! Nothing here may copy a text.

use super::number;
use crate::limits::SCRIPT_MEMORY_BYTES;
use mlua::{BorrowedBytes, Value};
use smallvec::SmallVec;

/// A word of a command.
pub(super) enum Word<'a> {
    Text(BorrowedBytes<'a>),
    Number(String),
}

impl Word<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Word::Text(bytes) => bytes,
            Word::Number(digits) => digits.as_bytes(),
        }
    }
}

pub(super) type Words<'a> = SmallVec<[Word<'a>; 4]>;

/// The words of a command.
pub(super) fn put_words<'a>(
    args: &'a [Value],
    words: &mut Words<'a>,
) -> std::result::Result<(), &'static str> {
    if args.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let mut len = 0;
    let mut wrong = Ok(());
    for value in args {
        match value {
            Value::Integer(number) => words.push(Word::Number(number::exact(*number as f64))),
            Value::Number(number) => words.push(Word::Number(number::exact(*number))),
            Value::String(text) => {
                let bytes = text.as_bytes();
                len += bytes.len();
                words.push(Word::Text(bytes));
            }
            _ => wrong = Err("Lua redis lib command arguments must be strings or integers"),
        }
    }
    if len > SCRIPT_MEMORY_BYTES { Err("the command of a script is too long") } else { wrong }
}
