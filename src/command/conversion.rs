//! Doubles as integers, the way that C on x86-64 converts them, which is what Redis shows: what does not fit is the
//! number whose highest bit alone is set. Rust would give the nearest one that fits.

const END: f64 = 9_223_372_036_854_775_808.0;

/// As `(int64_t)number`.
pub(super) fn signed(number: f64) -> i64 {
    if (-END..END).contains(&number) { number as i64 } else { i64::MIN }
}

/// As `(uint64_t)number`, which goes by way of the signed ones.
pub(super) fn unsigned(number: f64) -> u64 {
    if number >= END { signed(number - END) as u64 ^ 1 << 63 } else { signed(number) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_as_on_x86() {
        for (number, as_signed, as_unsigned) in [
            (-1.5, -1, u64::MAX),
            (3.99, 3, 3),
            (f64::INFINITY, i64::MIN, 0),
            (f64::NEG_INFINITY, i64::MIN, 1 << 63),
            (f64::NAN, i64::MIN, 1 << 63),
            (1e19, i64::MIN, 10_000_000_000_000_000_000),
            (1e20, i64::MIN, 0),
        ] {
            assert_eq!((signed(number), unsigned(number)), (as_signed, as_unsigned), "{number}");
        }
    }
}
