//! Numbers as Redis writes them, and as it takes a string for one. Nothing here may depend on the
//! platform.

/// A number in its canonical decimal form: no sign but `-`, no leading zero, no space.
pub fn parse_i64(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, bytes),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude = 0u64; // 19 digits fit
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Room for any `i64` in decimal.
pub type IntBytes = [u8; 20];

/// `n` in decimal, in `room`.
pub fn format_int(n: i64, room: &mut IntBytes) -> &[u8] {
    let mut rest = n.unsigned_abs();
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if n < 0 {
        start -= 1;
        room[start] = b'-';
    }
    &room[start..]
}

/// C's `%.17g`, `inf`, `-inf`, `nan`, `-nan`.
pub fn format_double(value: f64) -> String {
    if !value.is_finite() {
        return match value {
            f64::INFINITY => "inf".into(),
            f64::NEG_INFINITY => "-inf".into(),
            _ if value.is_sign_negative() => "-nan".into(),
            _ => "nan".into(),
        };
    }
    // Most numbers are whole, and a tenth of the work then.
    if value == value.trunc() && value.abs() < 1e17 && (value != 0.0 || value.is_sign_positive()) {
        return (value as i64).to_string();
    }
    let scientific = format!("{value:.16e}"); // 17 significant digits
    let (mantissa, exponent) = scientific.split_once('e').expect("LowerExp writes an exponent");
    let exponent: i32 = exponent.parse().expect("LowerExp writes a decimal exponent");
    if (-4..17).contains(&exponent) {
        return without_trailing_zeros(&format!("{value:.*}", (16 - exponent) as usize)).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_trailing_zeros(mantissa), exponent.abs())
}

fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// C's `%.17Lf` without the zeros at the end. Zero has no sign.
pub fn format_coordinate(value: f64) -> String {
    let text = format!("{value:.17}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".into(),
        short => short.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_written_as_c_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-3.0, "-3"),
            (0.1, "0.10000000000000001"),
            (99_999_999_999_999_984.0, "99999999999999984"),
            (1e17, "1e+17"),
            (-1.5e-7, "-1.4999999999999999e-07"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "nan"),
            (-f64::NAN, "-nan"),
        ] {
            assert_eq!(format_double(value), text);
        }
    }
}
