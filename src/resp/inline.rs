//! Inline commands: a line of words with Redis's quoting. This module must never see a
//! line longer than `limits::MAX_INLINE_BYTES`.

use super::ProtocolError;
use crate::command::Request;
use smallvec::SmallVec;

/// Splits a line as Redis does: words apart by blanks; `"..."` with `\n \r \t \b \a \xHH`
/// and `\` before any other character for itself; `'...'` with only `\'`. A closing quote
/// must end its word. A NUL is a character like others (Redis never answers a line with one).
pub fn split(line: &[u8]) -> Result<Request, ProtocolError> {
    let mut buffer = Vec::with_capacity(line.len());
    let mut spans = SmallVec::new();
    let mut rest = line;
    loop {
        rest = skip_blanks(rest);
        if rest.is_empty() {
            return Ok(Request::new(buffer.into(), spans));
        }
        let start = buffer.len() as u32;
        rest = word(rest, &mut buffer)?;
        spans.push((start, buffer.len() as u32));
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r') // C's isspace
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|&&b| is_blank(b)).count();
    &line[blanks..]
}

/// Appends one word to `out`; what follows it.
fn word<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match rest {
            // Narrower than isspace: a vertical tab is part of a word.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', quoted @ ..] => return end_of_word(double_quoted(quoted, out)?),
            [b'\'', quoted @ ..] => return end_of_word(single_quoted(quoted, out)?),
            [byte, tail @ ..] => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
}

fn end_of_word(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn double_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, tail) = match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', tail @ ..] => return Ok(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (hex(*high) << 4 | hex(*low), tail)
            }
            [b'\\', escaped, tail @ ..] => (unescape(*escaped), tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        out.push(byte);
        rest = tail;
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, tail) = match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', tail @ ..] => return Ok(tail),
            [b'\\', b'\'', tail @ ..] => (b'\'', tail),
            [byte, tail @ ..] => (*byte, tail),
        };
        out.push(byte);
        rest = tail;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex(digit: u8) -> u8 {
    (digit as char).to_digit(16).map_or(0, |value| value as u8)
}
