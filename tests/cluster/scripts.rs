//! Scripts on nodes that replicate: one holds every node up until it has come to its end.

use crate::harness::{Setup, Value};

/// So long that an election would begin some times over.
const LIMIT_MS: &str = "2000";

#[test]
fn scripts_that_do_not_end_cost_no_election() {
    let mut cluster = Setup::new().start();
    cluster.await_ready();
    let (leader, terms) = (cluster.leader(), cluster.terms());
    cluster.client(leader).call(&["CONFIG", "SET", "lua-time-limit", LIMIT_MS]);
    let endless = "while true do end";
    let search = "return string.rep('a', 40):find(string.rep('a?', 40) .. string.rep('a', 40))";
    for id in cluster.ids() {
        for (eval, script) in [("EVAL", endless), ("EVAL", search), ("EVAL_RO", endless)] {
            let reply = cluster.client(id).try_call(&[eval, script, "0"]).expect("a reply");
            let error = reply.error().unwrap_or_default();
            assert!(error.contains("took longer than lua-time-limit"), "{reply:?}");
            cluster.client(id).set("k", script);
        }
    }
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
