//! Client-side caching: who is told of what, and when. The replies of `CLIENT TRACKING` itself are
//! in redis-tests/golden/client.golden.

use super::*;
use crate::wire::units::{Command, Unit};

impl Harness {
    /// A client that speaks RESP3 and tracks.
    async fn tracker(&self, options: &str) -> Peer {
        self.backend.has_machine.set(true);
        let mut peer = self.connect().await;
        peer.send("HELLO 3\r\n").await;
        peer.skip_to("modules\r\n*0\r\n").await;
        peer.ask(&format!("CLIENT TRACKING on {options}"), "+OK ").await;
        peer
    }

    /// Another node has taken the command.
    fn elsewhere(&self, words: &str) {
        let args = words.split(' ').map(str::as_bytes).collect();
        self.backend.apply(&Unit::Command(Command { args, db: 0, caller: None }), &self.clients);
    }
}

fn invalidate(keys: &[&str]) -> String {
    let items: String = keys.iter().map(|key| format!("${} {key} ", key.len())).collect();
    format!(">2 $10 invalidate *{} {items}", keys.len())
}

impl Peer {
    async fn expect_words(&mut self, words: &str) {
        self.expect(words.replace(' ', "\r\n")).await;
    }

    async fn read_nil(&mut self, key: &str) {
        self.send(format!("GET {key}\r\n")).await;
        self.expect("_\r\n").await;
    }

    /// Nothing has come before this.
    async fn is_silent(&mut self) {
        self.ask("PING", "+PONG ").await;
    }
}

#[test]
fn what_was_read_is_told_once_when_it_changes_and_nothing_else_is() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        harness.elsewhere("SET a 1");
        peer.is_silent().await;
        peer.send("MGET a b\r\n").await;
        peer.expect_words("*2 $1 1 _ ").await;
        harness.elsewhere("SET other 1");
        harness.elsewhere("SET b 1");
        peer.expect_words(&invalidate(&["b"])).await;
        harness.elsewhere("SET b 2");
        harness.elsewhere("DEL a");
        peer.expect_words(&invalidate(&["a"])).await;
        peer.is_silent().await;
        peer.read_nil("a").await;
        peer.ask("CLIENT TRACKING off", "+OK ").await;
        harness.elsewhere("SET a 2");
        peer.is_silent().await;
    });
}

#[test]
fn changes_are_told_to_the_server_only_as_long_as_somebody_tracks() {
    serve(config(), |harness| async move {
        assert!(!harness.backend.touches.get());
        let mut one = harness.tracker("").await;
        let mut two = harness.tracker("BCAST").await;
        assert!(harness.backend.touches.get());
        one.ask("RESET", "+RESET ").await;
        assert!(harness.backend.touches.get());
        two.ask("QUIT", "+OK ").await;
        two.expect_orderly_end().await;
        let mut other = harness.connect().await;
        other.ask("PING", "+PONG ").await;
        assert!(!harness.backend.touches.get(), "the last one has gone");
    });
}

#[test]
fn a_key_counts_as_read_when_the_reply_is_delivered() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        harness.elsewhere("SET a old");
        harness.backend.paused.set(true);
        peer.send("GET a\r\n").await;
        while harness.backend.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        harness.elsewhere("SET a new");
        harness.backend.go_on();
        peer.expect_words("$3 new ").await;
        harness.elsewhere("SET a newer");
        peer.expect_words(&invalidate(&["a"])).await;
    });
}

#[test]
fn what_a_client_does_itself_is_told_after_the_reply_or_not_at_all() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        let mut silent = harness.tracker("NOLOOP").await;
        let mut both = harness.tracker("BCAST").await;
        for peer in [&mut peer, &mut silent] {
            peer.read_nil("a").await;
        }
        silent.ask("INCR a", ":1 ").await;
        peer.expect_words(&invalidate(&["a"])).await;
        both.expect_words(&invalidate(&["a"])).await;
        silent.is_silent().await;
        peer.ask("GET a", "$1 1 ").await;
        peer.ask("INCR a", &format!(":2 {}", invalidate(&["a"]))).await;
        silent.is_silent().await;
        both.expect_words(&invalidate(&["a"])).await;
        both.ask("INCR a", &format!(":3 {}", invalidate(&["a"]))).await;
    });
}

#[test]
fn a_transaction_is_remembered_by_what_its_reply_shows() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        peer.send("MULTI\r\nGET a\r\nGET b\r\nINCR a\r\nEXEC\r\n").await;
        peer.expect_words("+OK +QUEUED +QUEUED +QUEUED *3 _ _ :1 ").await;
        peer.expect_words(&invalidate(&["a"])).await;
        harness.elsewhere("SET a 5");
        peer.is_silent().await;
        harness.elsewhere("SET b 5");
        peer.expect_words(&invalidate(&["b"])).await;
        // What is read last is what it has.
        peer.send("MULTI\r\nINCR a\r\nGET a\r\nEXEC\r\n").await;
        peer.expect_words("+OK +QUEUED +QUEUED *2 :6 $1 6 ").await;
        harness.elsewhere("SET a 7");
        peer.expect_words(&invalidate(&["a"])).await;
        peer.send("MULTI\r\nGET a\r\nGET b\r\nEXEC\r\n").await;
        peer.expect_words("+OK +QUEUED +QUEUED *2 $1 7 $1 5 ").await;
        harness.elsewhere("MSET a 1 b 1");
        peer.expect_words(&(invalidate(&["a"]) + &invalidate(&["b"]))).await;
    });
}

#[test]
fn nothing_overtakes_a_reply_that_the_connection_completes_itself() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        let mut broadcast = harness.tracker("BCAST").await;
        let mut other = harness.connect().await;
        harness.elsewhere("SET a 1");
        broadcast.expect_words(&invalidate(&["a"])).await;
        harness.backend.paused.set(true);
        for peer in [&mut peer, &mut broadcast] {
            peer.send("MULTI\r\nGET a\r\nECHO x\r\nEXEC\r\n").await;
            peer.expect_words("+OK +QUEUED +QUEUED ").await;
        }
        while harness.backend.waiting() < 2 {
            tokio::task::yield_now().await;
        }
        other.send("SET a 2\r\n").await;
        while harness.backend.waiting() < 3 {
            tokio::task::yield_now().await;
        }
        harness.backend.go_on();
        for peer in [&mut peer, &mut broadcast] {
            peer.expect_words("*2 $1 1 $1 x ").await;
            peer.expect_words(&invalidate(&["a"])).await;
        }
    });
}

#[test]
fn broadcasts_go_by_prefix_and_together() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("BCAST PREFIX a: PREFIX b:").await;
        let mut all = harness.tracker("BCAST").await;
        harness.elsewhere("MSET b:1 x c:1 x a:2 x a:1 x");
        peer.expect_words(&(invalidate(&["a:1", "a:2"]) + &invalidate(&["b:1"]))).await;
        all.expect_words(&invalidate(&["a:1", "a:2", "b:1", "c:1"])).await;
        peer.ask("CLIENT TRACKING on BCAST PREFIX c:", "+OK ").await;
        harness.elsewhere("SET c:2 x");
        peer.expect_words(&invalidate(&["c:2"])).await;
        peer.ask("CLIENT TRACKING off", "+OK ").await;
        harness.elsewhere("SET a:1 y");
        peer.is_silent().await;
        all.expect_words(&(invalidate(&["c:2"]) + &invalidate(&["a:1"]))).await;
        // More prefixes than a key has letters.
        let prefixes: String = (10..40).map(|i| format!(" PREFIX {i}")).collect();
        peer.ask(&format!("CLIENT TRACKING on BCAST{prefixes}"), "+OK ").await;
        harness.elsewhere("MSET 9 x 10 x 101 x 40 x");
        peer.expect_words(&invalidate(&["10", "101"])).await;
        peer.is_silent().await;
    });
}

#[test]
fn another_connection_may_be_told_instead() {
    serve(config(), |harness| async move {
        let mut ear = harness.connect().await;
        ear.ask("CLIENT ID", ":1 ").await;
        let mut peer = harness.tracker("REDIRECT 1").await;
        peer.read_nil("a").await;
        harness.elsewhere("SET a 1"); // nobody can be told: it does not listen
        ear.send("SUBSCRIBE __redis__:invalidate\r\n").await;
        ear.expect_words("*3 $9 subscribe $20 __redis__:invalidate :1 ").await;
        peer.send("GET a\r\nGET b\r\n").await;
        peer.expect_words("$1 1 _ ").await;
        harness.elsewhere("SET a 2");
        ear.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n").await;
        harness.elsewhere("FLUSHALL");
        ear.expect("*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n").await;
        peer.is_silent().await;
        peer.read_nil("a").await;
        ear.ask("QUIT", "+OK ").await;
        ear.expect_orderly_end().await;
        while harness.clients.len() > 1 {
            tokio::task::yield_now().await;
        }
        harness.elsewhere("SET a 3");
        peer.expect_words(">2 $21 tracking-redir-broken :1 ").await;
        peer.send("CLIENT TRACKINGINFO\r\n").await;
        peer.expect_words("%3 $5 flags ~2 $2 on $15 broken_redirect $8 redirect :1 $8 prefixes *0 ").await;
    });
}

#[test]
fn a_flush_and_what_the_table_lets_go_of_are_told() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        let mut other = harness.connect().await;
        peer.send("MGET a b c\r\n").await;
        peer.expect_words("*3 _ _ _ ").await;
        other.send("INFO stats\r\n").await;
        let info = other.text().await;
        assert!(info.contains("tracking_total_keys:3\r\ntracking_total_items:3\r\n"), "{info}");
        other.ask("CONFIG SET tracking-table-max-keys 1", "+OK ").await;
        peer.expect_words(&(invalidate(&["a"]) + &invalidate(&["b"]))).await;
        // The next one, in the order of the keys, not always the first.
        peer.read_nil("a").await;
        peer.expect_words(&invalidate(&["c"])).await;
        harness.elsewhere("FLUSHALL");
        peer.expect_words(">2 $10 invalidate _ ").await;
        peer.send("FLUSHALL\r\n").await;
        peer.expect_words("+OK >2 $10 invalidate _ ").await;
        other.send("INFO stats\r\n").await;
        assert!(other.text().await.contains("tracking_total_keys:0\r\ntracking_total_items:0\r\n"));
    });
}

#[test]
fn caching_yes_and_no_hold_for_one_command_or_transaction() {
    serve(config(), |harness| async move {
        let mut optin = harness.tracker("OPTIN").await;
        let mut optout = harness.tracker("OPTOUT").await;
        optin.send("GET a\r\nCLIENT CACHING yes\r\nGET b\r\nGET c\r\n").await;
        optin.expect_words("_ +OK _ _ ").await;
        optout.send("GET a\r\nCLIENT CACHING no\r\nGET b\r\nGET c\r\n").await;
        optout.expect_words("_ +OK _ _ ").await;
        harness.elsewhere("MSET a 1 b 1 c 1");
        optin.expect_words(&invalidate(&["b"])).await;
        optout.expect_words(&(invalidate(&["a"]) + &invalidate(&["c"]))).await;
        optin.send("CLIENT CACHING yes\r\nMULTI\r\nGET a\r\nGET b\r\nEXEC\r\nGET c\r\n").await;
        optin.expect_words("+OK +OK +QUEUED +QUEUED *2 $1 1 $1 1 $1 1 ").await;
        optin.send("MULTI\r\nGET d\r\nCLIENT CACHING yes\r\nGET e\r\nEXEC\r\nGET f\r\n").await;
        optin.expect_words("+OK +QUEUED +QUEUED +QUEUED *3 _ +OK _ _ ").await;
        harness.elsewhere("MSET a 2 b 2 c 2 d 2 e 2 f 2");
        let told = ["a", "b", "e"].map(|key| invalidate(&[key])).concat();
        optin.expect_words(&told).await;
        optin.is_silent().await;
    });
}

#[test]
fn whoever_meets_an_expired_key_that_nobody_removes_is_told_after_the_reply() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        let mut other = harness.tracker("").await;
        harness.backend.apply(&Unit::Settings(vec![("active-expire", b"no")]), &harness.clients);
        harness.elsewhere("SET a x PX 100");
        for peer in [&mut peer, &mut other] {
            peer.ask("GET a", "$1 x ").await;
        }
        harness.backend.set_clock(1000);
        peer.read_nil("a").await;
        peer.expect_words(&invalidate(&["a"])).await;
        other.expect_words(&invalidate(&["a"])).await;
        harness.elsewhere("SET a y");
        other.is_silent().await;
        peer.is_silent().await;
    });
}

#[test]
fn keys_whose_number_is_said_are_read_too() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        peer.send("SINTERCARD 2 a b\r\n").await;
        peer.expect(":0\r\n").await;
        harness.elsewhere("SADD b 1");
        peer.expect_words(&invalidate(&["b"])).await;
        peer.is_silent().await;
    });
}

#[test]
fn a_script_that_reads_has_the_keys_that_are_named_for_it() {
    serve(config(), |harness| async move {
        let mut peer = harness.tracker("").await;
        let eval = |name: &str, code: &str| format!("{name} \"{code}\" 2 a b\r\n");
        for (name, code, keeps) in [
            ("EVAL", "redis.call('set', 'c', '1') return 1", false),
            ("EVAL_RO", "redis.call('ping') return 1", false),
            ("EVAL", "redis.call('get', 'c') return 1", true),
            ("EVAL_RO", "redis.call('get', 'a') return 1", true),
        ] {
            peer.send(eval(name, code)).await;
            peer.expect(":1\r\n").await;
            harness.elsewhere("SET a 1");
            harness.elsewhere("SET b 1");
            if keeps {
                peer.expect_words(&invalidate(&["a"])).await;
                peer.expect_words(&invalidate(&["b"])).await;
            }
            peer.is_silent().await;
        }
        // What it changes itself it is told of, after the reply, and need not be told of again.
        peer.send(eval("EVAL", "redis.call('get', 'a') redis.call('set', 'a', '2') return 1")).await;
        peer.expect(":1\r\n").await;
        peer.expect_words(&invalidate(&["a"])).await;
        harness.elsewhere("SET a 3");
        harness.elsewhere("SET b 3");
        peer.expect_words(&invalidate(&["b"])).await;
        peer.is_silent().await;
        // In a transaction, too.
        peer.send("MULTI\r\nEVAL_RO \"return redis.call('get', 'a')\" 1 a\r\nEXEC\r\n").await;
        peer.expect_words("+OK +QUEUED *1 $1 3 ").await;
        harness.elsewhere("SET a 4");
        peer.expect_words(&invalidate(&["a"])).await;
        let mut quiet = harness.tracker("NOLOOP").await;
        quiet.send(eval("EVAL", "redis.call('get', 'a') redis.call('set', 'a', '2') return 1")).await;
        quiet.expect(":1\r\n").await;
        quiet.is_silent().await;
        harness.elsewhere("SET a 5");
        quiet.expect_words(&invalidate(&["a"])).await;
    });
}
