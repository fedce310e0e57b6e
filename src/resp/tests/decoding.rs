//! Requests to the decoder: whole, in pieces, malformed, too large.

use super::super::{Decoder, Limits, ProtocolError};
use super::seeded;
use bytes::BytesMut;
use rand::Rng;

type Decoded = (Vec<Vec<Vec<u8>>>, Option<ProtocolError>);

fn drain(decoder: &mut Decoder, input: &mut BytesMut, into: &mut Decoded) {
    while into.1.is_none() {
        match decoder.decode(input) {
            Ok(Some(request)) => into.0.push(request.args().iter().map(|arg| arg.to_vec()).collect()),
            Ok(None) => return,
            Err(error) => into.1 = Some(error),
        }
    }
}

/// Feeds `pieces` one after the other.
fn decode_with<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = Decoder::new(limits);
    let mut input = BytesMut::new();
    let mut decoded = Decoded::default();
    for piece in pieces {
        input.extend_from_slice(piece);
        drain(&mut decoder, &mut input, &mut decoded);
    }
    decoded
}

fn decode(bytes: &[u8]) -> Decoded {
    decode_with(Limits::AUTHENTICATED, [bytes])
}

fn command(args: &[&str]) -> Vec<Vec<u8>> {
    args.iter().map(|arg| arg.as_bytes().to_vec()).collect()
}

#[test]
fn requests_that_redis_accepts() {
    let table: &[(&[u8], &[&[&str]])] = &[
        (b"*1\r\n$4\r\nPING\r\n", &[&["PING"]]),
        (b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", &[&["GET", ""]]),
        (b"*2\r\n$3\r\nGET\r\n$4\r\n\r\n\r\n\r\n", &[&["GET", "\r\n\r\n"]]),
        (b"*-1\r\nPING\r\n*0\r\n*-5\r\n\r\n\n  \r\nPING\n", &[&["PING"], &["PING"]]),
        (b"*1\r\n$4\r\nPINGxxPING\r\n", &[&["PING"], &["PING"]]),
        (b"*1\rx$4\rxPING\r\n", &[&["PING"]]),
        (b"PING \"a b\" \r\n", &[&["PING", "a b"]]),
        (b"PING 'a\\'b\\n'\r\n", &[&["PING", "a'b\\n"]]),
        (b"PING \"\\x41\\n\\r\\t\\b\\a\\q\\\"\\xzz\"\n", &[&["PING", "A\n\r\t\x08\x07q\"xzz"]]),
        (b"\"\"\r\n", &[&[""]]),
        (b"PI\"NG\" x\r\n", &[&["PING", "x"]]),
        (b"PING\x0bx\x0cy\r\n", &[&["PING\x0bx\x0cy"]]),
        (b"\x0bPING a\r b\r\n", &[&["PING", "a", "b"]]),
        (b"PING a\0b\r\n", &[&["PING", "a\0b"]]),
        (b"PING \xc3\xa9\n*1\r\n$1\r\nX\r\n", &[&["PING", "é"], &["X"]]),
    ];
    for (bytes, commands) in table {
        let expected: Vec<_> = commands.iter().map(|args| command(args)).collect();
        assert_eq!(decode(bytes), (expected, None), "{}", bytes.escape_ascii());
    }
}

#[test]
fn errors_with_redis_texts() {
    let long = vec![b'1'; 70_000];
    let with = |head: &[u8]| [head, &long].concat();
    let table: &[(Vec<u8>, &[u8])] = &[
        (b"*2147483648\r\n".to_vec(), b"invalid multibulk length"),
        (b"*abc\r\n".to_vec(), b"invalid multibulk length"),
        (b"*\r\n".to_vec(), b"invalid multibulk length"),
        (b"*01\r\n".to_vec(), b"invalid multibulk length"),
        (b"*+1\r\n".to_vec(), b"invalid multibulk length"),
        (b"*1 \r\n".to_vec(), b"invalid multibulk length"),
        (b"*1\n$4\r\nPING\r\n".to_vec(), b"invalid multibulk length"),
        (b"*99999999999999999999\r\n".to_vec(), b"invalid multibulk length"),
        (b"*-9223372036854775809\r\n".to_vec(), b"invalid multibulk length"),
        (b"*1\r\n:3\r\n".to_vec(), b"expected '$', got ':'"),
        (b"*1\r\n\r\n".to_vec(), b"expected '$', got ' '"),
        (b"*1\r\n\xff3\r\n".to_vec(), b"expected '$', got '\xff'"),
        (b"*1\r\n$-1\r\n".to_vec(), b"invalid bulk length"),
        (b"*1\r\n$a\r\n".to_vec(), b"invalid bulk length"),
        (b"*1\r\n$04\r\n".to_vec(), b"invalid bulk length"),
        (b"*1\r\n$134217729\r\n".to_vec(), b"invalid bulk length"),
        (b"PING \"a\r\n".to_vec(), b"unbalanced quotes in request"),
        (b"PING \"a\"b\r\n".to_vec(), b"unbalanced quotes in request"),
        (b"PING 'a'b\r\n".to_vec(), b"unbalanced quotes in request"),
        (b"PING 'a\r\n".to_vec(), b"unbalanced quotes in request"),
        (with(b""), b"too big inline request"),
        (with(b"*"), b"too big mbulk count string"),
        (with(b"*1\r\n$"), b"too big bulk count string"),
    ];
    for (bytes, text) in table {
        let (requests, error) = decode(bytes);
        assert!(requests.is_empty());
        let mut reply = BytesMut::new();
        error.expect("an error").encode(&mut reply);
        let expected = [b"-ERR Protocol error: ", *text, b"\r\n"].concat();
        assert_eq!(reply.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
    for allowed in ["*2147483647\r\n", "*1\r\n$134217728\r\n", "*-9223372036854775808\r\n"] {
        assert_eq!(decode(allowed.as_bytes()), (vec![], None), "{allowed:?}");
    }
}

#[test]
fn before_authentication_less_is_allowed() {
    let limited = |bytes: &[u8]| decode_with(Limits::UNAUTHENTICATED, [bytes]).1;
    assert_eq!(limited(b"*10\r\n$16384\r\n"), None);
    assert_eq!(limited(b"*11\r\n"), Some(ProtocolError::UnauthenticatedMultibulkLength));
    assert_eq!(limited(b"*10\r\n$16385\r\n"), Some(ProtocolError::UnauthenticatedBulkLength));
}

#[test]
fn a_request_of_many_allowed_arguments_is_bounded_as_a_whole() {
    let limits = Limits { max_request_bytes: 100, ..Limits::AUTHENTICATED };
    let fits = b"*2\r\n$30\r\n";
    assert_eq!(decode_with(limits, [fits.as_slice()]), (vec![], None));
    let input = [b"*3\r\n$30\r\n".as_slice(), &[b'x'; 30], b"\r\n$60\r\n"].concat();
    assert_eq!(decode_with(limits, [input.as_slice()]).1, Some(ProtocolError::TooBigRequest));
}

const SAMPLE: &[u8] =
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nv\r\n*1\r\n$1\r\nx\r\n\r\nPING \"a\\x41 b\" 'c'\r\n\
    *0\r\n*-1\r\n*1\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$3\r\nabc\r\nQUIT\n*1\r\n$4\r\nPING\r\n*x\r\n";

#[test]
fn input_cut_anywhere_means_the_same() {
    let whole = decode(SAMPLE);
    assert_eq!(whole.0.len(), 6);
    assert_eq!(whole.1, Some(ProtocolError::InvalidMultibulkLength));
    for first in 0..=SAMPLE.len() {
        for second in first..=SAMPLE.len() {
            let pieces = [&SAMPLE[..first], &SAMPLE[first..second], &SAMPLE[second..]];
            assert_eq!(decode_with(Limits::AUTHENTICATED, pieces), whole, "cut at {first} and {second}");
        }
    }
    assert_eq!(decode_with(Limits::AUTHENTICATED, SAMPLE.chunks(1)), whole);
}

#[test]
fn garbage_ends_without_a_panic_and_means_the_same_in_pieces() {
    let mut rng = seeded();
    let tokens: &[&[u8]] = &[
        b"*1\r\n",
        b"*2\r\n",
        b"$1\r\n",
        b"$3\r\n",
        b"x\r\n",
        b"abc\r\n",
        b"\r",
        b"\n",
        b"\"",
        b"'",
        b"\\",
        b" ",
        b"*",
        b"$",
        b"-1\r\n",
        b"9",
        b"\\x4",
        b"\0",
        b"PING\r\n",
        b"*3\r\n$1\r\na\r\n",
    ];
    for _ in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..rng.random_range(0..30) {
            match rng.random_range(0..8) {
                0 => bytes.push(rng.random()),
                _ => bytes.extend_from_slice(tokens[rng.random_range(0..tokens.len())]),
            }
        }
        let whole = decode(&bytes);
        let mut pieces = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(rng.random_range(1..=rest.len().min(9)));
            pieces.push(piece);
            rest = tail;
        }
        assert_eq!(decode_with(Limits::AUTHENTICATED, pieces), whole, "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_longest_line_is_the_same_however_it_arrives() {
    for (len, accepted) in [(65_535, true), (65_536, true), (65_537, false)] {
        let mut line = vec![b'x'; len];
        line.push(b'\n');
        for piece in [line.len(), 1000, 65_536] {
            let (requests, _) = decode_with(Limits::AUTHENTICATED, line.chunks(piece));
            assert_eq!(requests.len() == 1, accepted, "{len} bytes in pieces of {piece}");
        }
    }
}

#[test]
fn many_arguments_in_small_pieces_cost_what_the_bytes_cost() {
    let cost = |args: usize| {
        let mut bytes = format!("*{args}\r\n").into_bytes();
        (0..args).for_each(|_| bytes.extend_from_slice(b"$5\r\nabcde\r\n"));
        let once = || {
            let start = std::time::Instant::now();
            let (requests, error) = decode_with(Limits::AUTHENTICATED, bytes.chunks(64));
            assert_eq!((requests.len(), requests[0].len(), error), (1, args, None));
            start.elapsed()
        };
        (0..5).map(|_| once()).min().expect("five runs") // the machine may be busy
    };
    let (small, large) = (cost(5_000), cost(50_000));
    // Scanning again at each piece would make it 100 times, not 10.
    assert!(large < small * 40 + std::time::Duration::from_millis(50), "{small:?} and {large:?}");
}

#[test]
fn an_announced_length_reserves_nothing_until_some_of_it_came() {
    let mut decoder = Decoder::new(Limits::AUTHENTICATED);
    let mut input = BytesMut::from(b"*2147483647\r\n$134217728\r\n".as_slice());
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(input.capacity() < 4096);
    let (announced, share) = (128 << 20, 8 << 20);
    input.resize(input.len() + share + 16, b'x');
    assert_eq!(decoder.decode(&mut input), Ok(None));
    let capacity = input.capacity();
    assert!(capacity >= announced, "the rest arrives without growing again");
    assert!(capacity < announced + 4096, "and no more than that");
    input.resize(announced, b'x');
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert_eq!(input.capacity(), capacity);
}

#[test]
#[ignore = "a measurement: run with --release -- --ignored --nocapture"]
fn measure_ns_per_set() {
    let one = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000001\r\n$64\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
    let batch = one.repeat(100);
    let mut decoder = Decoder::new(Limits::AUTHENTICATED);
    let mut input = BytesMut::new();
    let start = std::time::Instant::now();
    let mut requests = 0;
    for _ in 0..20_000 {
        input.extend_from_slice(&batch);
        while let Some(request) = decoder.decode(&mut input).unwrap() {
            std::hint::black_box(&request);
            requests += 1;
        }
    }
    println!("{} ns a SET", start.elapsed().as_nanos() / requests);
}
