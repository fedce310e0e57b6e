//! Scripts on nodes that replicate: one holds every node up until it has come to its end.

use crate::harness::{Client, Setup, Value, eventually};
use std::time::{Duration, Instant};

/// `unavailable_after_ms` of `--timing fast`.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(4);

/// How long a script is to hold a node up: longer than any election waits.
const HELD_UP_US: u64 = 600_000;

/// The `lua-time-limit` of scripts that show how fast a node is.
const SHORT_LIMIT_MS: u64 = 20;

const ENDLESS: &str = "while true do end";
const SEARCH: &str = "return string.rep('a', 40):find(string.rep('a?', 40) .. string.rep('a', 40))";

fn set_limit(client: &mut Client, limit_ms: u64) {
    eventually("the limit is set", || {
        let reply = client.try_call(&["CONFIG", "SET", "lua-time-limit", &limit_ms.to_string()]).ok()?;
        (reply == Value::ok()).then_some(())
    });
}

/// Runs a script that does not end by itself.
fn run(client: &mut Client, eval: &str, script: &str) {
    let asked = Instant::now();
    let reply = client.try_call(&[eval, script, "0"]).expect("a reply");
    let error = reply.error().unwrap_or_default();
    // All nodes are at it at once: on a busy machine that is more than a client is kept waiting.
    let is_late = ["UNKNOWN", "CLUSTERDOWN", "TRYAGAIN"].iter().any(|code| error.starts_with(code));
    let is_right =
        error.contains("took longer than lua-time-limit") || is_late && asked.elapsed() >= UNAVAILABLE_AFTER;
    assert!(is_right, "{reply:?} after {:?}", asked.elapsed());
}

/// The `lua-time-limit` that ends a script after [`HELD_UP_US`] or later. It counts instructions, and how long one takes
/// is another matter for each script, build and machine: the node tells.
fn limit_ms(client: &mut Client, script: &str) -> u64 {
    set_limit(client, SHORT_LIMIT_MS);
    let mut duration_us = || {
        client.call(&["CONFIG", "RESETSTAT"]);
        run(client, "EVAL_RO", script);
        let stats = client.call(&["INFO", "commandstats"]).text();
        let spent = stats.split("cmdstat_eval_ro:calls=1,usec=").nth(1)?;
        spent.split(',').next()?.parse::<u64>().ok()
    };
    // The shortest was disturbed least.
    let durations_us = (0..3).map(|_| duration_us().expect("it was called once"));
    (SHORT_LIMIT_MS * HELD_UP_US).div_ceil(durations_us.min().unwrap_or_default().max(1))
}

#[test]
fn scripts_that_do_not_end_cost_no_election() {
    let mut cluster = Setup::new().start();
    cluster.await_ready();
    let (leader, terms) = (cluster.leader(), cluster.terms());
    for script in [ENDLESS, SEARCH] {
        let limit_ms = limit_ms(&mut cluster.client(leader), script);
        println!("{script}: lua-time-limit {limit_ms}");
        set_limit(&mut cluster.client(leader), limit_ms);
        for id in cluster.ids() {
            for eval in ["EVAL", "EVAL_RO"] {
                let mut client = cluster.client(id);
                run(&mut client, eval, script);
                eventually("a write after it", || {
                    (client.try_call(&["SET", "k", script]).ok()? == Value::ok()).then_some(())
                });
            }
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
