//! Histories as lines: what is written is read again, and what is no history is refused.

use super::super::{read_line, write_line};
use super::random::{Shape, generate};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

#[test]
fn what_is_written_is_read_again() {
    let mut rng = SmallRng::seed_from_u64(1);
    let shape = Shape {
        operations: 2000,
        clients: 5,
        keys: 3,
        unknown_percent: 10,
        transactions: true,
        deadlines: true,
    };
    for operation in generate(&mut rng, &shape) {
        let line = write_line(&operation);
        assert_eq!(read_line(&line).expect("a line of ours"), operation, "{line}");
    }
}

#[test]
fn a_line_is_as_documented() {
    for line in [
        r#"{"client":3,"op":"incrby","key":"k1","args":[1],"outcome":"ok","value":7,"start_ns":10,"end_ns":25}"#,
        r#"{"client":4,"op":"cas","key":"k2","args":[3,"x"],"outcome":"unknown","start_ns":11,"end_ns":9000}"#,
        r#"{"client":3,"op":"exec","key":["a","b"],"args":[["incrby","a",1],["get","b"]],"outcome":"ok","value":[1,null],"start_ns":30,"end_ns":41}"#,
        r#"{"client":3,"op":"mget","key":["a","b"],"args":[],"outcome":"ok","value":["x",null],"start_ns":30,"end_ns":41}"#,
        r#"{"client":3,"op":"cad","key":"a","args":[2],"outcome":"ok","value":{"error":"VERSIONMISMATCH expected 2 found 3"},"start_ns":30,"end_ns":41}"#,
    ] {
        assert_eq!(write_line(&read_line(line).expect("a line")), line);
    }
}

#[test]
fn what_is_no_operation_is_refused_by_name() {
    for (line, said) in [
        ("", "JSON"),
        ("{}", "\"op\""),
        (
            r#"{"client":1,"op":"frob","key":"k","args":[],"outcome":"fail","start_ns":1,"end_ns":2}"#,
            "\"frob\"",
        ),
        (
            r#"{"client":1,"op":"set","key":"k","args":[1],"outcome":"fail","start_ns":1,"end_ns":2}"#,
            "\"set\"",
        ),
        (r#"{"client":1,"op":"get","args":[],"outcome":"fail","start_ns":1,"end_ns":2}"#, "\"key\""),
        (r#"{"client":1,"op":"get","key":"k","outcome":"maybe","start_ns":1,"end_ns":2}"#, "\"outcome\""),
        (
            r#"{"client":1,"op":"get","key":"k","outcome":"ok","value":false,"start_ns":1,"end_ns":2}"#,
            "\"value\"",
        ),
        (r#"{"client":1,"op":"get","key":"k","outcome":"fail","start_ns":1}"#, "\"end_ns\""),
    ] {
        let error = read_line(line).expect_err(line).to_string();
        assert!(error.contains(said), "{line}: {error}");
    }
}
