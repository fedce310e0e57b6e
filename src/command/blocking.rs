//! [`Awaited`]: what a command waits for that takes elements and finds none. Carried out, such a command never waits:
//! it answers nil, and the server lets its client wait and tries again. So it does as much in a
//! transaction, which waits for nobody.

use super::Reply;
use super::long_double::LongDouble;
use crate::keyspace::Kind;
use std::ops::Range;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Which arguments are the keys, one of which has to hold something.
    pub keys: Range<usize>,
    /// Of what type that has to be.
    pub kind: Kind,
    /// How long; 0: for ever.
    pub timeout_ms: u64,
}

/// What a call waits for; None: it does not, or is not in order.
pub type Blocks = fn(&[&[u8]]) -> Option<Awaited>;

/// A timeout in seconds, with or without a fraction, or Redis's error.
pub(super) fn timeout_ms(bytes: &[u8]) -> Result<u64, Reply> {
    const NEGATIVE: Reply = Reply::error("ERR timeout is negative");
    match LongDouble::parse(bytes) {
        None => Err(Reply::error("ERR timeout is not a float or out of range")),
        // What is too long for Redis overflows there.
        Some(LongDouble::Infinite) => Err(NEGATIVE),
        Some(LongDouble::Finite(seconds)) => {
            let ms = (seconds.format().parse::<f64>().unwrap_or(f64::INFINITY) * 1000.0).ceil();
            if (0.0..i64::MAX as f64).contains(&ms) { Ok(ms as u64) } else { Err(NEGATIVE) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_seconds() {
        for (text, ms) in [("0", 0), ("1", 1000), ("0.001", 1), ("0.0001", 1), ("1.5", 1500), ("-0.0001", 0)]
        {
            assert_eq!(timeout_ms(text.as_bytes()), Ok(ms), "{text}");
        }
        for text in ["-1", "-0.001", "1e30", "inf", "", "x", "1 ", "nan"] {
            assert!(timeout_ms(text.as_bytes()).is_err(), "{text}");
        }
    }
}
