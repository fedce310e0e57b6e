//! Arguments to numbers, options and times, as strictly as Redis reads them; and the errors
//! that many commands share. Nothing here must ever accept what Redis refuses.

use super::Reply;
pub use crate::keyspace::parse_i64;
use crate::limits::MAX_BULK_BYTES;

pub(super) const SYNTAX: Reply = Reply::error("ERR syntax error");
pub(super) const NOT_AN_INTEGER: Reply = Reply::error("ERR value is not an integer or out of range");
pub(super) const NOT_A_FLOAT: Reply = Reply::error("ERR value is not a valid float");
pub(super) const WRONG_TYPE: Reply =
    Reply::error("WRONGTYPE Operation against a key holding the wrong kind of value");
pub(super) const TOO_LONG: Reply =
    Reply::error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/// A number in its canonical decimal form, or Redis's error.
pub(super) fn integer(bytes: &[u8]) -> Result<i64, Reply> {
    parse_i64(bytes).ok_or(NOT_AN_INTEGER)
}

/// A version of a key: not negative.
pub(super) fn version(bytes: &[u8]) -> Result<u64, Reply> {
    u64::try_from(integer(bytes)?).map_err(|_| NOT_AN_INTEGER)
}

/// Refuses a string that a client could not read back.
pub(super) fn check_len(len: usize) -> Result<(), Reply> {
    if len > MAX_BULK_BYTES { Err(TOO_LONG) } else { Ok(()) }
}

/// Whether `arg` is the option `name` (in upper case), in any case.
pub(super) fn is(arg: &[u8], name: &str) -> bool {
    arg.eq_ignore_ascii_case(name.as_bytes())
}

/// What C prints of `bytes` with `%.*s`: up to a NUL, `max` at most.
pub(super) fn c_string(bytes: &[u8], max: usize) -> &[u8] {
    let end = bytes.iter().take(max).position(|&b| b == 0).unwrap_or(bytes.len().min(max));
    &bytes[..end]
}

/// An argument as an error shows it: up to a NUL, and what is not text replaced.
pub fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(c_string(bytes, usize::MAX))
}

/// `ERR invalid expire time in '...' command`.
pub(super) fn invalid_expire(command: &str) -> Reply {
    Reply::error_owned(format!("ERR invalid expire time in '{command}' command"))
}

/// The time to live that a command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Expiry<'a> {
    /// None: a deadline that there was goes.
    #[default]
    Clear,
    /// `KEEPTTL`
    Keep,
    /// `EX`, `PX`, `EXAT`, `PXAT` and the number after it, not yet read.
    At { unit: Unit, number: &'a [u8] },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Ex,
    Px,
    ExAt,
    PxAt,
}

impl<'a> Expiry<'a> {
    /// Reads one option at the start of `args` if it is one of a time to live that goes with
    /// what was read before. Returns how many arguments it took: 0, 1 or 2.
    pub(super) fn take(&mut self, args: &[&'a [u8]]) -> usize {
        let [name, rest @ ..] = args else { return 0 };
        if is(name, "KEEPTTL") && !matches!(self, Self::At { .. }) {
            *self = Self::Keep;
            return 1;
        }
        let units = [(Unit::Ex, "EX"), (Unit::Px, "PX"), (Unit::ExAt, "EXAT"), (Unit::PxAt, "PXAT")];
        let Some(&(unit, _)) = units.iter().find(|(_, option)| is(name, option)) else { return 0 };
        let Some(&number) = rest.first() else { return 0 };
        match *self {
            Self::Keep => return 0,
            // The same option again counts; Redis takes the last.
            Self::At { unit: before, .. } if before != unit => return 0,
            _ => *self = Self::At { unit, number },
        }
        2
    }

    /// The deadline that follows: `None` keeps what there is, 0 is none.
    pub(super) fn deadline_ms(self, now_ms: u64, command: &str) -> Result<Option<u64>, Reply> {
        let (unit, number) = match self {
            Self::Clear => return Ok(Some(0)),
            Self::Keep => return Ok(None),
            Self::At { unit, number } => (unit, integer(number)?),
        };
        let ms = match unit {
            Unit::Ex | Unit::ExAt => number.checked_mul(1000),
            Unit::Px | Unit::PxAt => Some(number),
        };
        let ms = ms.filter(|&ms| ms > 0).ok_or_else(|| invalid_expire(command))?;
        let base = if matches!(unit, Unit::Ex | Unit::Px) { now_ms } else { 0 };
        let deadline = ms.checked_add_unsigned(base).ok_or_else(|| invalid_expire(command))?;
        Ok(Some(deadline as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_numbers_are_numbers() {
        for n in [0, 1, -1, 10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(parse_i64(n.to_string().as_bytes()), Some(n));
        }
        for text in [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "a",
            "9223372036854775808",
            "-9223372036854775809",
            "92233720368547758070",
            "1\0",
            "--1",
        ] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn c_strings_end_at_nul_or_at_the_limit() {
        assert_eq!(c_string(b"abc", 2), b"ab");
        assert_eq!(c_string(b"abc", 9), b"abc");
        assert_eq!(c_string(b"a\0c", 9), b"a");
        assert_eq!(c_string(b"ab\0", 2), b"ab");
    }
}
