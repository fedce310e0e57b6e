//! A text to a number, as C's `strtold` reads it: decimal or hexadecimal, or an infinity. It must
//! round once: what is beyond 64 bits is looked at as a whole.

use super::natural::Natural;
use super::{Finite, LongDouble, round};

/// As long as the buffer that Redis reads from has room for.
const MAX_TEXT_BYTES: usize = 5 * 1024 - 1;
/// From this power of ten on a number is too large; and as far below one, too small.
const MAX_POWER: i64 = 5000;

pub(super) fn parse(text: &[u8]) -> Option<LongDouble> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
        return Some(LongDouble::Infinite);
    }
    let number = match text {
        [b'0', b'x' | b'X', hex @ ..] => hexadecimal(negative, &Digits::read(hex, 16, b'p')?),
        _ => decimal(negative, Digits::read(text, 10, b'e')?),
    };
    number.map(LongDouble::Finite)
}

/// A number as it is written: `digits`, of which the last `behind_dot` stand behind the dot, and a
/// power of the base's.
struct Digits {
    /// Without the zeros in front.
    digits: Vec<u8>,
    behind_dot: i64,
    power: i64,
}

impl Digits {
    fn read(text: &[u8], base: u32, marker: u8) -> Option<Self> {
        let end = text.iter().position(|b| b.to_ascii_lowercase() == marker && !is_digit(*b, base));
        let (number, power) = match end {
            Some(end) => (&text[..end], read_power(&text[end + 1..])?),
            None => (text, 0),
        };
        let dot = number.iter().position(|&b| b == b'.');
        let behind_dot = dot.map_or(0, |dot| number.len() - dot - 1);
        let mut digits = Vec::with_capacity(number.len());
        for (at, &byte) in number.iter().enumerate() {
            if Some(at) != dot {
                digits.push(char::from(byte).to_digit(base)? as u8);
            }
        }
        if digits.is_empty() {
            return None;
        }
        let zeros = digits.iter().take_while(|&&digit| digit == 0).count();
        digits.drain(..zeros);
        Some(Self { digits, behind_dot: behind_dot as i64, power })
    }
}

fn is_digit(byte: u8, base: u32) -> bool {
    char::from(byte).is_digit(base)
}

/// The number behind the letter that announces it; capped.
fn read_power(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power = digits.iter().fold(0, |n: i64, b| (n * 10 + i64::from(b - b'0')).min(1_000_000));
    Some(if negative { -power } else { power })
}

/// A number that is not zero, unless it is what was written.
fn rounded(negative: bool, n: u128, sticky: bool, exponent: i64) -> Option<Finite> {
    let exponent = exponent.clamp(-100_000, 100_000) as i32;
    round(negative, n, sticky, exponent).filter(|number| number.mantissa != 0)
}

fn hexadecimal(negative: bool, number: &Digits) -> Option<Finite> {
    const TAKEN: usize = 31; // 124 bits
    if number.digits.is_empty() {
        return Some(Finite::ZERO);
    }
    let (taken, rest) = number.digits.split_at(number.digits.len().min(TAKEN));
    let n = taken.iter().fold(0, |n, &digit| n << 4 | u128::from(digit));
    let sticky = rest.iter().any(|&digit| digit != 0);
    rounded(negative, n, sticky, number.power + 4 * (rest.len() as i64 - number.behind_dot))
}

fn decimal(negative: bool, mut number: Digits) -> Option<Finite> {
    let zeros = number.digits.iter().rev().take_while(|&&digit| digit == 0).count();
    number.digits.truncate(number.digits.len() - zeros);
    if number.digits.is_empty() {
        return Some(Finite::ZERO);
    }
    let power = number.power - number.behind_dot + zeros as i64;
    if (number.digits.len() as i64 + power).abs() > MAX_POWER {
        return None;
    }
    let mut n = Natural::from_digits(&number.digits);
    let power_of_ten = power.unsigned_abs() as u32;
    if power >= 0 {
        n.multiply_by_power_of_ten(power_of_ten);
        let (top, dropped, sticky) = n.top();
        return rounded(negative, top, sticky, dropped.into());
    }
    let mut divisor = Natural::from(1);
    divisor.multiply_by_power_of_ten(power_of_ten);
    // So that the quotient has 68 or 69 bits.
    let shift = i64::from(divisor.bits()) + 68 - i64::from(n.bits());
    let shifted = if shift > 0 { &mut n } else { &mut divisor };
    shifted.shift_left(shift.unsigned_abs() as u32);
    let (quotient, sticky) = n.divide(divisor);
    rounded(negative, quotient, sticky, -shift)
}
