//! Numbers as C reads, adds and writes them on x86; the texts were made with a C compiler there.

use super::*;

fn parse(text: &str) -> Option<Finite> {
    match LongDouble::parse(text.as_bytes()) {
        Some(LongDouble::Finite(number)) => Some(number),
        _ => None,
    }
}

#[test]
fn numbers_are_read_and_written() {
    for (text, written) in [
        ("0", "0"),
        ("-0", "0"),
        ("3.0", "3"),
        ("1.", "1"),
        (".5", "0.5"),
        ("-.5e1", "-5"),
        ("+17", "17"),
        ("0x1p4", "16"),
        ("0X.8", "0.5"),
        ("-0xFFFFFFFFFFFFFFFFF", "-295147905179352825856"),
        ("6e-18", "0.00000000000000001"),
        ("5e-18", "0"),
        ("-1e-30", "0"),
        ("1e20", "100000000000000000000"),
        ("1e28", "9999999999999999999731564544"),
        ("3.1", "3.1"),
        ("0.1", "0.1"),
        ("123456789.123456789", "123456789.12345678899873747"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551617", "18446744073709551616"),
        ("18446744073709551619", "18446744073709551620"),
        ("36893488147419103233", "36893488147419103232"),
        ("0e-99999999", "0"),
        ("9007199254740993.5", "9007199254740993.5"),
    ] {
        assert_eq!(parse(text).map(Finite::format).as_deref(), Some(written), "{text}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "--1",
        "+-1",
        "0x",
        "0x.",
        "0xg",
        "1x",
        "nan",
        "NaN",
        "-nan",
        "infinit",
        "inf ",
        "1,5",
        "1e5.",
        "1.2.3",
        "0x1p",
        "1\0",
        "1_000",
        "1e5000",
        "1e-5000",
        "0x1p16384",
        "0x1p-16446",
        "0x1p99999999999999999999",
    ] {
        assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(LongDouble::parse(&[b'1'; 5120]), None);
    for text in ["inf", "-INF", "+Infinity"] {
        assert_eq!(LongDouble::parse(text.as_bytes()), Some(LongDouble::Infinite));
    }
}

#[test]
fn the_largest_and_the_smallest_are_read_to_the_bit() {
    let number = |mantissa, exponent| Some(Finite { negative: false, mantissa, exponent });
    assert_eq!(parse("0x1p-16445"), number(1, MIN_EXPONENT));
    assert_eq!(parse("0x1.8p-16446"), number(1, MIN_EXPONENT), "rounded up");
    assert_eq!(parse("3.6451995318824746025e-4951"), number(1, MIN_EXPONENT));
    assert_eq!(parse("1.18973149535723176502e+4932"), number(u64::MAX, MAX_EXPONENT));
    assert_eq!(parse("1.18973149535723176509e+4932"), None);
    let largest = parse("0xffffffffffffffffp16320").unwrap();
    assert_eq!(largest.checked_add(largest), None);
    assert_eq!(largest.format().len(), 4933);
    assert_eq!(parse(&largest.format()), Some(largest));
    let written_out = "0.".to_owned() + &"0".repeat(4900) + "15e4900";
    assert_eq!(parse(&written_out).unwrap().format(), "0.15");
}

#[test]
fn sums_round_once_to_even() {
    let add = |a: &str, b: &str| parse(a).unwrap().checked_add(parse(b).unwrap()).unwrap().format();
    for (a, b, sum) in [
        ("5", "1.2", "6.2"),
        ("10.5", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("1", "-1", "0"),
        ("-1.5", "1", "-0.5"),
        ("3", "0.000000000000000005", "3"),
        ("18446744073709551616", "1", "18446744073709551616"),
        ("18446744073709551616", "3", "18446744073709551620"),
        ("18446744073709551616", "1.0000001", "18446744073709551618"),
        ("18446744073709551616", "-0.5", "18446744073709551616"),
        ("18446744073709551616", "-1", "18446744073709551615"),
        ("18446744073709551616", "-0.75", "18446744073709551615"),
        ("1e4000", "-1e4000", "0"),
        ("0", "-0.0", "0"),
    ] {
        assert_eq!(add(a, b), sum, "{a} + {b}");
        assert_eq!(add(b, a), sum, "{b} + {a}");
    }
    let huge = add("1e300", "1e-300");
    assert_eq!(huge, parse("1e300").unwrap().format());
}
