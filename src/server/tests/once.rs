//! `ONCE` over a socket: the first reply comes again byte by byte, in either protocol, also
//! when it came first in the other.

use super::{config, serve};

/// A call, its reply in RESP2, and in RESP3 (where `NULL` stands for its underscore).
const CALLS: &[(&str, &str, &str)] = &[
    ("1 SET k text", "+OK ", "+OK "),
    ("2 GET none", "$-1 ", "NULL "),
    ("3 GETV none", "*-1 ", "NULL "),
    (
        "4 INCR k",
        "-ERR_value_is_not_an_integer_or_out_of_range ",
        "-ERR_value_is_not_an_integer_or_out_of_range ",
    ),
    ("5 MGET k none k", "*3 $4 text $-1 $4 text ", "*3 $4 text NULL $4 text "),
    ("6 GETV k", "*3 $4 text :1 :1 ", "*3 $4 text :1 :1 "),
    ("7 CAS k 9 x", "-VERSIONMISMATCH_expected_9_found_1 ", "-VERSIONMISMATCH_expected_9_found_1 "),
    ("8 STRLEN k", ":4 ", ":4 "),
    (
        "9 LCS k k IDX",
        "*4 $7 matches *1 *2 *2 :0 :3 *2 :0 :3 $3 len :4 ",
        "%2 $7 matches *1 *2 *2 :0 :3 *2 :0 :3 $3 len :4 ",
    ),
];

#[test]
fn the_first_reply_comes_again_in_either_protocol() {
    serve(config(), |harness| async move {
        let (mut resp2, mut resp3) = (harness.connect().await, harness.connect().await);
        resp3.send("HELLO 3\r\n").await;
        resp3.expect("%7\r\n$6\r\nserver\r\n").await;
        resp3.skip_to("modules\r\n*0\r\n").await;
        for _ in 0..2 {
            for (call, in_resp2, _) in CALLS {
                resp2.ask(&format!("ONCE s {call}"), in_resp2).await;
            }
            for (call, _, in_resp3) in CALLS {
                resp3.send(format!("ONCE s {call}\r\n")).await;
                let lines = in_resp3.replace(' ', "\r\n").replace('_', " ").replace("NULL", "_");
                resp3.expect(lines).await;
            }
            resp2.ask("ONCE s 10 DEL k", ":1 ").await;
        }
        resp2.send("ONCE STATUS s\r\n").await;
        resp2.expect("*6\r\n$8\r\nlast_seq\r\n:10\r\n$7\r\nreplies\r\n*10\r\n:1\r\n:2\r\n:3\r\n").await;
        resp2.expect(":4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n$7\r\nidle_ms\r\n:0\r\n").await;
        resp3.send("ONCE STATUS s\r\n").await;
        resp3.expect("%3\r\n$8\r\nlast_seq\r\n:10\r\n$7\r\nreplies\r\n*10\r\n:1\r\n:2\r\n:3\r\n").await;
        resp3.expect(":4\r\n:5\r\n:6\r\n:7\r\n:8\r\n:9\r\n:10\r\n$7\r\nidle_ms\r\n:0\r\n").await;
        resp3.send("ONCE STATUS nobody\r\n").await;
        resp3.expect("_\r\n").await;
        resp2.ask("ONCE STATUS nobody", "*-1 ").await;
    });
}

#[test]
fn what_cannot_be_wrapped_is_refused_when_it_is_queued() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("ONCE s 1 PING", "-ERR_ONCE_runs_commands_that_read_or_write_keys:_not_'ping' "),
            ("MULTI", "+OK "),
            ("ONCE s 1 INCR k", "+QUEUED "),
            ("ONCE s 1 INCR k", "+QUEUED "),
            ("ONCE s 2 INCR", "-ERR_wrong_number_of_arguments_for_'incr'_command "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
            ("MULTI", "+OK "),
            ("ONCE s 1 ONCE s 2 INCR k", "-ERR_ONCE_does_not_run_itself "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
            ("MULTI", "+OK "),
            ("ONCE s 1 INCR k", "+QUEUED "),
            ("ONCE s 1 INCR k", "+QUEUED "),
            ("ONCE s 2 GET k", "+QUEUED "),
            ("EXEC", "*3 :1 :1 $1 1 "),
            ("ONCE s 2 GET k", "$1 1 "),
        ] {
            peer.ask(command, expected).await;
        }
    });
}
