//! [`LongDouble`]: the 80-bit extended numbers of the x87, in which Redis on x86 adds with
//! `INCRBYFLOAT`: read as C's `strtold` reads, added, and written as `%.17Lf` without the zeros
//! at the end. All of it in integers: it must never depend on the machine that it runs on.
//!
//! Each step rounds once, to the nearest, ties to even (IEEE 754, 4.3.1).

mod natural;
mod parse;

#[cfg(test)]
mod tests;

use natural::Natural;

/// A finite number or an infinity; there is no NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongDouble {
    Infinite,
    Finite(Finite),
}

/// `mantissa` times 2 to the `exponent`. The highest bit of the mantissa is set, or the exponent
/// is the lowest there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Finite {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

const MIN_EXPONENT: i32 = -16445;
const MAX_EXPONENT: i32 = 16320;
/// Decimals that are written.
const DECIMALS: u32 = 17;

impl LongDouble {
    /// The number that `text` is, as a whole; `None`: it is none, or too large, or so small that
    /// nothing is left of it.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        parse::parse(text)
    }

    /// The sum; `None`: it is infinite, or not a number.
    pub(super) fn checked_add(self, other: Self) -> Option<Finite> {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => a.checked_add(b),
            _ => None,
        }
    }
}

impl Finite {
    pub(super) const ZERO: Self = Self { negative: false, mantissa: 0, exponent: MIN_EXPONENT };

    fn checked_add(self, other: Self) -> Option<Self> {
        const GUARD_BITS: u32 = 62;
        let size = |n: Self| (n.exponent, n.mantissa); // zero has the lowest exponent
        let (large, small) = if size(self) >= size(other) { (self, other) } else { (other, self) };
        let shift = large.exponent.abs_diff(small.exponent);
        let high = u128::from(large.mantissa) << GUARD_BITS;
        let low = u128::from(small.mantissa) << GUARD_BITS;
        let shifted = low.checked_shr(shift).unwrap_or(0);
        // What is shifted out of the smaller one can only break a tie.
        let sticky = shift >= 128 && low != 0 || shift < 128 && shifted << shift != low;
        let sum = if large.negative == small.negative {
            high + shifted
        } else {
            high - shifted - u128::from(sticky)
        };
        round(large.negative, sum, sticky, large.exponent - GUARD_BITS as i32)
    }

    /// With 17 decimals, but for the zeros at their end. Zero has no sign.
    pub(super) fn format(self) -> String {
        const ONE: u128 = 10u128.pow(DECIMALS);
        let mut text = if self.exponent >= 0 {
            let mut whole = Natural::from(self.mantissa);
            whole.shift_left(self.exponent.unsigned_abs());
            whole.to_decimal()
        } else {
            let scaled = shift_right(u128::from(self.mantissa) * ONE, self.exponent.unsigned_abs(), false);
            let text = format!("{}.{:017}", scaled / ONE, scaled % ONE);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        if self.negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }
}

/// `n`, and a little more if `sticky`, divided by 2 to the `shift`: to the nearest, ties to even.
/// `shift` is not 0.
fn shift_right(n: u128, shift: u32, sticky: bool) -> u128 {
    let Some(half) = 1u128.checked_shl(shift - 1) else { return 0 };
    let quotient = n.checked_shr(shift).unwrap_or(0);
    let rest = n - quotient.checked_shl(shift).unwrap_or(0);
    quotient + u128::from(rest > half || rest == half && (sticky || quotient & 1 == 1))
}

/// `n` times 2 to the `exponent` in 64 bits, if it is not too large. `sticky`: it is a little more
/// than that, and has more than 64 bits.
fn round(negative: bool, n: u128, sticky: bool, exponent: i32) -> Option<Finite> {
    let bits = 128 - n.leading_zeros() as i32;
    let target = (exponent + bits - 64).max(MIN_EXPONENT);
    let shift = target.abs_diff(exponent);
    let rounded = if target <= exponent { n << shift } else { shift_right(n, shift, sticky) };
    let (mantissa, exponent) = match u64::try_from(rounded) {
        Ok(mantissa) => (mantissa, target),
        Err(_) => (1 << 63, target + 1), // rounded up to the next power of two
    };
    if mantissa == 0 {
        return Some(Finite { negative, ..Finite::ZERO });
    }
    (exponent <= MAX_EXPONENT).then_some(Finite { negative, mantissa, exponent })
}
