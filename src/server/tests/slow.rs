//! `SLOWLOG` and `LATENCY` of what the server answers itself, and what `INFO` says of it.

use super::*;

#[test]
fn the_slow_log_holds_the_newest_with_their_clients_and_no_secrets() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CLIENT SETNAME me", "+OK ").await;
        peer.ask("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 2", "+OK ").await;
        peer.ask("AUTH default secret", "+OK ").await;
        peer.ask("ECHO hello", "$5 hello ").await;
        peer.ask("CONFIG SET slowlog-log-slower-than -1", "+OK ").await;
        peer.ask("SLOWLOG LEN", ":2 ").await;
        peer.send("SLOWLOG GET\r\n").await;
        peer.expect("*2\r\n*6\r\n:2\r\n").await; // after CONFIG SET and AUTH
        peer.skip_to("*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n").await;
        peer.skip_to("$2\r\nme\r\n*6\r\n:1\r\n").await;
        let redacted = "$10\r\n(redacted)\r\n";
        peer.skip_to(&format!("*3\r\n$4\r\nAUTH\r\n{redacted}{redacted}")).await;
        peer.skip_to("$2\r\nme\r\n").await;
        peer.ask("PING", "+PONG ").await;
        peer.ask("SLOWLOG RESET", "+OK ").await;
        peer.ask("SLOWLOG GET -1", "*0 ").await;
    });
}

#[test]
fn calls_failures_and_refusals_are_counted_until_they_are_set_back() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG RESETSTAT", "+OK ").await;
        peer.ask("PING", "+PONG ").await;
        peer.send("ECHO\r\nSELECT x\r\n").await;
        peer.skip_to("-ERR value is not an integer or out of range\r\n").await;
        peer.ask("MULTI", "+OK ").await;
        peer.ask("PING", "+QUEUED ").await;
        peer.ask("EXEC", "*1 +PONG ").await;
        peer.send("INFO commandstats errorstats\r\n").await;
        let text = peer.text().await;
        let counts = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")));
            let line = line.unwrap_or_else(|| panic!("{name} in {text}"));
            let number = |field: &str| {
                let from = line.find(field).unwrap() + field.len();
                line[from..].split(',').next().unwrap().parse::<u64>().unwrap()
            };
            (number("calls="), number("rejected_calls="), number("failed_calls="))
        };
        assert_eq!(counts("ping"), (2, 0, 0));
        assert_eq!(counts("echo"), (0, 1, 0));
        assert_eq!(counts("select"), (1, 0, 1));
        assert_eq!(counts("exec"), (1, 0, 0));
        assert!(text.contains("errorstat_ERR:count=2\r\n"), "{text}");
        peer.ask("CONFIG RESETSTAT", "+OK ").await;
        peer.send("LATENCY HISTOGRAM\r\n").await;
        peer.expect("*2\r\n$16\r\nconfig|resetstat\r\n*4\r\n$5\r\ncalls\r\n:1\r\n").await;
    });
}

#[test]
fn a_reset_within_a_transaction_leaves_what_the_transaction_has_woken() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET slowlog-log-slower-than 0", "+OK ").await;
        peer.send("CLIENT INFO\r\n").await;
        let info = peer.text().await;
        let id = info.strip_prefix("id=").and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap();
        let record = |ticket, words: &[&'static str]| {
            let row = crate::command::named(words[0].as_bytes()).unwrap();
            let args = words.iter().map(|word| word.as_bytes()).collect();
            harness.clients.observer().record(row, ticket, &args, false);
        };
        peer.ask("MULTI", "+OK ").await;
        peer.ask("SLOWLOG RESET", "+QUEUED ").await;
        // Of a transaction: what it was, its end, and whom it woke.
        record(id, &["lpush", "l", "1"]);
        harness.clients.observer().ends_exec(id);
        record(999, &["blpop", "l", "0"]);
        peer.ask("EXEC", "*1 +OK ").await;
        peer.ask("CONFIG SET slowlog-log-slower-than -1", "+OK ").await;
        peer.send("SLOWLOG GET\r\n").await;
        peer.expect("*2\r\n").await;
        peer.skip_to("*3\r\n$5\r\nblpop\r\n").await;
        peer.skip_to("*2\r\n$7\r\nSLOWLOG\r\n$5\r\nRESET\r\n").await;
        peer.skip_to("$0\r\n\r\n").await;
        // Another connection's has nothing to do with it, and without one all goes.
        let mut other = harness.connect().await;
        other.ask("MULTI", "+OK ").await;
        other.ask("SLOWLOG RESET", "+QUEUED ").await;
        other.ask("EXEC", "*1 +OK ").await;
        other.ask("SLOWLOG LEN", ":0 ").await;
        peer.ask("CONFIG SET slowlog-log-slower-than 0", "+OK ").await;
        record(id, &["lpush", "l", "1"]);
        harness.clients.observer().ends_exec(id);
        peer.ask("CONFIG SET slowlog-log-slower-than -1", "+OK ").await;
        peer.ask("SLOWLOG RESET", "+OK ").await;
        peer.ask("SLOWLOG LEN", ":0 ").await;
    });
}

#[test]
fn events_are_kept_from_the_threshold_on() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("LATENCY LATEST", "*0 ").await;
        harness.clients.observer().event("expire-cycle", 9_000_000);
        peer.ask("LATENCY LATEST", "*0 ").await;
        peer.ask("CONFIG SET latency-monitor-threshold 5", "+OK ").await;
        for spent_ms in [4, 7, 6] {
            harness.clients.observer().event("expire-cycle", spent_ms * 1_000_000);
        }
        peer.send("LATENCY LATEST\r\n").await;
        peer.skip_to("$12\r\nexpire-cycle\r\n").await;
        peer.skip_to(":7\r\n:7\r\n").await;
        peer.ask("LATENCY RESET nosuch", ":0 ").await;
        peer.ask("LATENCY RESET expire-cycle", ":1 ").await;
        peer.ask("LATENCY HISTORY expire-cycle", "*0 ").await;
    });
}
