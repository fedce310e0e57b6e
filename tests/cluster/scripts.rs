//! Scripts on nodes that replicate: one holds every node up until it has come to its end.

use crate::harness::{Setup, Value, eventually};
use std::time::{Duration, Instant};

/// `unavailable_after_ms` of `--timing fast`.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(4);

/// With limits that hold a node up for most of a second of a core, longer than any election waits; what is counted is not
/// time, and not everything that counts as one takes the same.
const ENDLESS: (&str, &str) = ("while true do end", "10000");
const SEARCH: (&str, &str) =
    ("return string.rep('a', 40):find(string.rep('a?', 40) .. string.rep('a', 40))", "1000");

#[test]
fn scripts_that_do_not_end_cost_no_election() {
    let mut cluster = Setup::new().start();
    cluster.await_ready();
    let (leader, terms) = (cluster.leader(), cluster.terms());
    for id in cluster.ids() {
        for (eval, (script, limit_ms)) in [("EVAL", ENDLESS), ("EVAL", SEARCH), ("EVAL_RO", ENDLESS)] {
            let mut client = cluster.client(id);
            eventually("the limit is set", || {
                (client.try_call(&["CONFIG", "SET", "lua-time-limit", limit_ms]).ok()? == Value::ok())
                    .then_some(())
            });
            let asked = Instant::now();
            let reply = client.try_call(&[eval, script, "0"]).expect("a reply");
            let error = reply.error().unwrap_or_default();
            // All nodes are at it at once: on a busy machine that is more than a client is kept waiting.
            let is_late = ["UNKNOWN", "CLUSTERDOWN", "TRYAGAIN"].iter().any(|code| error.starts_with(code));
            let is_right = error.contains("took longer than lua-time-limit")
                || is_late && asked.elapsed() >= UNAVAILABLE_AFTER;
            assert!(is_right, "{reply:?} after {:?}", asked.elapsed());
            eventually("a write after it", || {
                (client.try_call(&["SET", "k", script]).ok()? == Value::ok()).then_some(())
            });
        }
    }
    cluster.await_caught_up();
    assert_eq!((cluster.leader(), cluster.terms()), (leader, terms));
}

#[test]
fn scripts_that_say_that_they_write_nothing_are_counted_as_what_they_are() {
    const READS: &str = "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])";
    let cluster = Setup::new().start();
    cluster.client(1).set("k", "v");
    let sha = cluster.client(1).call(&["SCRIPT", "LOAD", READS]).text();
    for id in cluster.ids() {
        let mut client = cluster.client(id);
        // Alone, and with a write in the same pipeline.
        for command in [&["EVAL", READS][..], &["EVALSHA", &sha], &["evalsha", &sha]] {
            assert_eq!(client.call(&[command, &["1", "k"]].concat()), Value::bulk("v"));
            client.send(&["SET", "k", "v"]).expect("it is connected");
            client.send(&[command, &["1", "k"]].concat()).expect("it is connected");
            assert_eq!(client.read().expect("a reply"), Value::ok());
            assert_eq!(client.read().expect("a reply"), Value::bulk("v"));
        }
        let stats = client.call(&["INFO", "commandstats"]).text();
        assert!(stats.contains("cmdstat_eval:calls=2,"), "{stats}");
        assert!(stats.contains("cmdstat_evalsha:calls=4,"), "{stats}");
    }
}
