//! Doubles as C's `strtod` reads them: after white space, decimal or hexadecimal, or an infinity; and what
//! commands make of that. Nothing here is ever NaN.

use super::parse::c_string;

/// A number, and whether a double can hold it: if not, it became an infinity, or zero.
struct Read {
    number: f64,
    fits: bool,
}

/// What `SORT` sorts by: a whole string, of which nothing at all is 0. `None`: it is no number, or one that a double
/// cannot hold.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    read(c_string(text, usize::MAX)).filter(|read| read.fits).map(|read| read.number)
}

/// A score, a weight, a coordinate: the same without white space, and something there has to be.
pub(super) fn score(text: &[u8]) -> Option<f64> {
    let first = text.first()?;
    let is_space = first.is_ascii_whitespace() || *first == b'\x0b';
    let is_text = !is_space && !text.contains(&0);
    read(text).filter(|read| is_text && read.fits).map(|read| read.number)
}

/// An end of a range of scores: what a double cannot hold is at its ends.
pub(super) fn bound(text: &[u8]) -> Option<f64> {
    read(c_string(text, usize::MAX)).map(|read| read.number)
}

fn read(text: &[u8]) -> Option<Read> {
    if text.is_empty() {
        return Some(Read { number: 0.0, fits: true });
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let Read { number, fits } = hexadecimal(hex)?;
        return Some(Read { number: if text.starts_with('-') { -number } else { number }, fits });
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    let first = *unsigned.as_bytes().first()?;
    let overflows = number.is_infinite() && (first.is_ascii_digit() || first == b'.');
    // Zero that was not written as zero.
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let underflows = number == 0.0 && mantissa.bytes().any(|digit| matches!(digit, b'1'..=b'9'));
    Some(Read { number, fits: !overflows && !underflows })
}

/// Digits, perhaps with a point, perhaps with `p` and a power of two.
fn hexadecimal(text: &str) -> Option<Read> {
    let (digits, exponent) = match text.split_once(['p', 'P']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let power = i64::from(exponent) - 4 * fraction.len() as i64;
    let scaled = value * 2f64.powi(power.clamp(-2000, 2000) as i32);
    Some(Read { number: scaled, fits: scaled.is_finite() && (value == 0.0) == (scaled == 0.0) })
}
