//! A number as C's `strtod` reads a whole string: after white space, decimal or hexadecimal, or
//! an infinity. Nothing at all is 0.

/// `None`: it is no number, or one that a double cannot hold.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let text = crate::command::parse::c_string(text, usize::MAX);
    if text.is_empty() {
        return Some(0.0);
    }
    let text = std::str::from_utf8(text).ok()?;
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(hex) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let magnitude = hexadecimal(hex)?;
        return Some(if text.starts_with('-') { -magnitude } else { magnitude });
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| !number.is_nan())?;
    let first = *unsigned.as_bytes().first()?;
    let overflows = number.is_infinite() && (first.is_ascii_digit() || first == b'.');
    // Zero that was not written as zero.
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let underflows = number == 0.0 && mantissa.bytes().any(|digit| matches!(digit, b'1'..=b'9'));
    (!overflows && !underflows).then_some(number)
}

/// Digits, perhaps with a point, perhaps with `p` and a power of two.
fn hexadecimal(text: &str) -> Option<f64> {
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
    (scaled.is_finite() && (value == 0.0) == (scaled == 0.0)).then_some(scaled)
}
