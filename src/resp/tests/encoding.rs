//! Replies of every kind as bytes, and read back by redis-protocol's decoders.

use super::super::{Protocol, encode};
use super::seeded;
use crate::command::Reply;
use bytes::BytesMut;
use rand::{Rng, rngs::SmallRng};
use redis_protocol::resp2::types::{OwnedFrame as Resp2, Resp2Frame as _};
use redis_protocol::resp3::types::{OwnedFrame as Resp3, Resp3Frame as _};

fn encoded(reply: &Reply, protocol: Protocol) -> String {
    let mut out = BytesMut::from("before".as_bytes());
    encode(&mut out, reply, protocol);
    out.strip_prefix(b"before").expect("appended").escape_ascii().to_string().replace("\\r\\n", " ")
}

#[test]
fn the_bytes_that_redis_sends() {
    let pair = || vec![(Reply::bulk("a"), Reply::Int(1)), (Reply::bulk("a"), Reply::Nil)];
    let table = [
        (Reply::Ok, "+OK ", "+OK "),
        (Reply::simple("QUEUED"), "+QUEUED ", "+QUEUED "),
        (Reply::error("ERR no"), "-ERR no ", "-ERR no "),
        (Reply::Int(i64::MIN), ":-9223372036854775808 ", ":-9223372036854775808 "),
        (Reply::Int(0), ":0 ", ":0 "),
        (Reply::bulk(""), "$0  ", "$0  "),
        (Reply::bulk("a\0b"), "$3 a\\x00b ", "$3 a\\x00b "),
        (Reply::Nil, "$-1 ", "_ "),
        (Reply::NilArray, "*-1 ", "_ "),
        (Reply::Array(vec![]), "*0 ", "*0 "),
        (
            Reply::Array(vec![Reply::NilArray, Reply::Array(vec![Reply::Ok])]),
            "*2 *-1 *1 +OK ",
            "*2 _ *1 +OK ",
        ),
        (Reply::Map(pair()), "*4 $1 a :1 $1 a $-1 ", "%2 $1 a :1 $1 a _ "),
        (Reply::Set(vec![Reply::Int(1)]), "*1 :1 ", "~1 :1 "),
        (Reply::Push(vec![Reply::bulk("x")]), "*1 $1 x ", ">1 $1 x "),
        (Reply::Array(vec![Reply::Receivers]), "*1 :0 ", "*1 :0 "),
        (Reply::Several(vec![Reply::Ok, Reply::Push(vec![])]), "+OK *0 ", "+OK >0 "),
        (Reply::Bool(true), ":1 ", "#t "),
        (Reply::Bool(false), ":0 ", "#f "),
        (Reply::Verbatim("hi".into()), "$2 hi ", "=6 txt:hi "),
        (Reply::Double(3.0), "$1 3 ", ",3 "),
        (Reply::Double(0.1), "$19 0.10000000000000001 ", ",0.10000000000000001 "),
        (Reply::Double(1e30), "$5 1e+30 ", ",1e+30 "),
        (Reply::Double(1e-7), "$22 9.9999999999999995e-08 ", ",9.9999999999999995e-08 "),
        (Reply::Double(123_456_789_012_345_678.0), "$22 1.2345678901234568e+17 ", ",1.2345678901234568e+17 "),
        (Reply::Double(1e16), "$17 10000000000000000 ", ",10000000000000000 "),
        (Reply::Double(1e17), "$5 1e+17 ", ",1e+17 "),
        (Reply::Double(0.0001), "$6 0.0001 ", ",0.0001 "),
        (Reply::Double(-0.0), "$2 -0 ", ",-0 "),
        (Reply::Double(f64::NEG_INFINITY), "$4 -inf ", ",-inf "),
        (Reply::Double(f64::INFINITY), "$3 inf ", ",inf "),
        (Reply::Double(f64::NAN), "$3 nan ", ",nan "),
    ];
    for (reply, resp2, resp3) in table {
        assert_eq!(encoded(&reply, Protocol::Resp2), resp2, "{reply:?}");
        assert_eq!(encoded(&reply, Protocol::Resp3), resp3, "{reply:?}");
    }
}

#[test]
fn long_strings_are_whole() {
    for len in [4095, 4096, 100_000] {
        let text = "x".repeat(len);
        let bulk = format!("${len} {text} ");
        assert_eq!(encoded(&Reply::bulk(&text), Protocol::Resp2), bulk);
        assert_eq!(encoded(&Reply::bulk(&text), Protocol::Resp3), bulk);
        assert_eq!(encoded(&Reply::Verbatim(text.clone().into()), Protocol::Resp2), bulk);
        let verbatim = format!("={} mkd:{text} ", len + 4);
        assert_eq!(encoded(&Reply::VerbatimAs(*b"mkd", text.clone().into()), Protocol::Resp3), verbatim);
        let verbatim = format!("={} txt:{text} ", len + 4);
        assert_eq!(encoded(&Reply::Verbatim(text.into()), Protocol::Resp3), verbatim);
    }
}

fn random_reply(rng: &mut SmallRng, depth: usize) -> Reply {
    let kinds = if depth == 0 { 9 } else { 14 };
    let items = |rng: &mut SmallRng| {
        let len = rng.random_range(0..4);
        (0..len).map(|_| random_reply(rng, depth - 1)).collect::<Vec<_>>()
    };
    match rng.random_range(0..kinds) {
        0 => Reply::Ok,
        1 => Reply::error("WRONGTYPE of value"),
        2 => Reply::Int(rng.random()),
        3 => Reply::Nil,
        4 => Reply::Bool(rng.random()),
        5 => Reply::Double(f64::from_bits(rng.random::<u64>() & !(0x7ff << 52)) * 1e300),
        6 => Reply::Verbatim("some text".into()),
        7 => Reply::simple("QUEUED"),
        8 => Reply::bulk((0..rng.random_range(0..5000)).map(|i| i as u8).collect::<Vec<_>>()),
        9 => Reply::Set(vec![Reply::Int(rng.random())]),
        10 => Reply::Push(vec![Reply::Ok]),
        12 => Reply::Pairs(vec![(Reply::Int(rng.random()), random_reply(rng, depth - 1)); 2]),
        13 => Reply::Streams(vec![(Reply::Int(rng.random()), random_reply(rng, depth - 1)); 2]),
        11 => Reply::Map(vec![(Reply::Int(rng.random()), random_reply(rng, depth - 1))]),
        _ => Reply::Array(items(rng)),
    }
}

/// What a client of redis-protocol should see in RESP2.
fn as_resp2(reply: &Reply) -> Resp2 {
    let many = |items: &[Reply]| Resp2::Array(items.iter().map(as_resp2).collect());
    match reply {
        Reply::Ok => Resp2::SimpleString(b"OK".to_vec()),
        Reply::Simple(text) => Resp2::SimpleString(text.as_bytes().to_vec()),
        Reply::Error(text) => Resp2::Error(text.to_string()),
        Reply::Int(value) => Resp2::Integer(*value),
        Reply::Bool(value) => Resp2::Integer(i64::from(*value)),
        Reply::Bulk(data) | Reply::Verbatim(data) => Resp2::BulkString(data.to_vec()),
        Reply::Nil | Reply::NilArray => Resp2::Null,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => many(items),
        Reply::Map(pairs) | Reply::Pairs(pairs) => {
            Resp2::Array(pairs.iter().flat_map(|(k, v)| [as_resp2(k), as_resp2(v)]).collect())
        }
        Reply::Streams(pairs) => {
            Resp2::Array(pairs.iter().map(|(k, v)| Resp2::Array(vec![as_resp2(k), as_resp2(v)])).collect())
        }
        Reply::Receivers => Resp2::Integer(0),
        Reply::VerbatimAs(_, data) => Resp2::BulkString(data.to_vec()),
        Reply::BigNumber(digits) => Resp2::BulkString(digits.as_bytes().to_vec()),
        Reply::Double(_) | Reply::Coordinate(_) | Reply::Several(_) => {
            unreachable!("not one value, or compared by value")
        }
    }
}

fn has_double(reply: &Reply) -> bool {
    match reply {
        Reply::Double(_) => true,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => items.iter().any(has_double),
        Reply::Map(pairs) | Reply::Pairs(pairs) | Reply::Streams(pairs) => {
            pairs.iter().any(|(k, v)| has_double(k) || has_double(v))
        }
        _ => false,
    }
}

#[test]
fn redis_protocol_reads_what_we_write() {
    let mut rng = seeded();
    for _ in 0..5_000 {
        let reply = random_reply(&mut rng, 3);
        let mut out = BytesMut::new();
        encode(&mut out, &reply, Protocol::Resp2);
        let (frame, used) = redis_protocol::resp2::decode::decode(&out).unwrap().expect("whole");
        assert_eq!(used, out.len(), "{reply:?}");
        if !has_double(&reply) {
            assert_eq!(frame, as_resp2(&reply));
        }
        assert!(frame.encode_len(false) == used);

        let mut out = BytesMut::new();
        encode(&mut out, &reply, Protocol::Resp3);
        let (frame, used) = redis_protocol::resp3::decode::complete::decode(&out).unwrap().expect("whole");
        assert_eq!(used, out.len(), "{reply:?}");
        if let (Reply::Double(value), Resp3::Double { data, .. }) = (&reply, &frame) {
            assert_eq!(value, data);
        }
        if let (Reply::Array(items), Resp3::Array { data, .. }) = (&reply, &frame) {
            assert_eq!(items.len(), data.len());
        }
        assert!(frame.encode_len(false) > 0);
    }
}

#[test]
#[ignore = "a measurement: run with --release -- --ignored --nocapture"]
fn measure_ns_per_reply() {
    for (name, reply) in [("+OK", Reply::Ok), ("bulk of 64", Reply::bulk([b'x'; 64])), (":1", Reply::Int(1))]
    {
        let mut out = BytesMut::with_capacity(1 << 16);
        let start = std::time::Instant::now();
        let rounds = 5_000_000;
        for round in 0..rounds {
            if round % 100 == 0 {
                out.clear();
            }
            encode(&mut out, std::hint::black_box(&reply), Protocol::Resp2);
        }
        println!("{name}: {} ns", start.elapsed().as_nanos() / rounds);
    }
}
