//! BLPOP and its like: who gets what, and who does not. What they answer at once is in redis-tests/golden/list.golden.

use super::waiters::with_machine;
use super::*;
use std::time::Instant;

#[test]
fn who_came_first_is_served_first() {
    with_machine(|harness| async move {
        let mut one = harness.waiter("BLPOP l 0").await;
        let mut two = harness.waiter("BRPOP other l 0").await;
        let mut three = harness.waiter("BLMPOP 0 2 l m LEFT COUNT 9").await;
        harness.apply("RPUSH l a");
        one.gets("*2 $1 l $1 a ").await;
        harness.waiting(2).await;
        harness.apply("RPUSH l b c d");
        two.gets("*2 $1 l $1 d ").await;
        three.gets("*2 $1 l *2 $1 b $1 c ").await;
        harness.waiting(0).await;
        assert!(!harness.backend.touches.get(), "nobody asks any more");
        one.ask("EXISTS l", ":0 ").await;
    });
}

#[test]
fn an_element_is_moved_and_wakes_who_waits_for_it_there() {
    with_machine(|harness| async move {
        let mut one = harness.waiter("BLMOVE l m LEFT RIGHT 0").await;
        let mut two = harness.waiter("BRPOPLPUSH m n 0").await;
        harness.apply("RPUSH l a");
        one.gets("$1 a ").await;
        two.gets("$1 a ").await;
        one.ask("LRANGE n 0 -1", "*1 $1 a ").await;
    });
}

#[test]
fn types_have_queues_of_their_own() {
    with_machine(|harness| async move {
        let mut list = harness.waiter("BLPOP k 0").await;
        let mut highest = harness.waiter("BZPOPMAX other k 0").await;
        let mut many = harness.waiter("BZMPOP 0 2 k other MIN COUNT 5").await;
        harness.apply("ZADD k 1 a 2.5 b 3 c");
        highest.gets("*3 $1 k $1 c $1 3 ").await;
        many.gets("*2 $1 k *2 *2 $1 a $1 1 *2 $1 b $3 2.5 ").await;
        harness.waiting(1).await;
        harness.apply("LPUSH k x");
        list.gets("*2 $1 k $1 x ").await;
    });
}

/// In Redis those who wait have it before anybody's next command.
#[test]
fn what_a_push_brings_is_taken_before_the_next_command_of_this_node() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        let mut chain = [
            harness.waiter("BLMOVE one two RIGHT LEFT 0").await,
            harness.waiter("BRPOPLPUSH two three 0").await,
            harness.waiter("BRPOPLPUSH three three 0").await,
        ];
        own.send("RPUSH one a\r\nLRANGE one 0 -1\r\nLRANGE two 0 -1\r\nLRANGE three 0 -1\r\n").await;
        own.gets(":1 *0 *0 *1 $1 a ").await;
        for peer in &mut chain {
            peer.gets("$1 a ").await;
        }
        let mut circle =
            [harness.waiter("BRPOPLPUSH one two 0").await, harness.waiter("BRPOPLPUSH two one 0").await];
        own.send("RPUSH one b\r\nLRANGE one 0 -1\r\nLRANGE two 0 -1\r\n").await;
        own.gets(":1 *1 $1 b *0 ").await;
        for peer in &mut circle {
            peer.gets("$1 b ").await;
        }
        // Of one command as many get something as it brings.
        let mut three = Vec::new();
        for _ in 0..3 {
            three.push(harness.waiter("BLPOP l 0").await);
        }
        own.send("RPUSH l 1 2 3 4\r\nLRANGE l 0 -1\r\n").await;
        own.gets(":4 *1 $1 4 ").await;
        for (i, peer) in three.iter_mut().enumerate() {
            peer.gets(&format!("*2 $1 l $1 {} ", i + 1)).await;
        }
        // A transaction, and a script, are one.
        own.ask("DEL l", ":1 ").await;
        let mut two = [harness.waiter("BLPOP l 0").await, harness.waiter("BZPOPMIN z 0").await];
        own.send("MULTI\r\nRPUSH l a\r\nLPUSH l b\r\nLRANGE l 0 -1\r\nEXEC\r\nLRANGE l 0 -1\r\n").await;
        own.gets("+OK +QUEUED +QUEUED +QUEUED *3 :1 :2 *2 $1 b $1 a *1 $1 a ").await;
        two[0].gets("*2 $1 l $1 b ").await;
        own.send("EVAL \"return redis.call('ZADD', KEYS[1], 1, 'm')\" 1 z\r\nEXISTS z\r\n").await;
        own.gets(":1 :0 ").await;
        two[1].gets("*3 $1 z $1 m $1 1 ").await;
    });
}

#[test]
fn of_several_keys_the_first_that_has_something_counts() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        let mut one = harness.waiter("BLPOP a b c 0").await;
        own.send("MULTI\r\nRPUSH c 1\r\nRPUSH a 2\r\nEXEC\r\n").await;
        one.gets("*2 $1 c $1 1 ").await;
        own.gets("+OK +QUEUED +QUEUED *2 :1 :1 ").await;
        own.ask("DEL a", ":1 ").await;
        let mut one = harness.waiter("BLMPOP 0 3 a b c LEFT COUNT 2").await;
        harness.backend.paused.set(true);
        harness.apply("RPUSH b 3");
        harness.apply("RPUSH a 4");
        harness.backend.go_on();
        one.gets("*2 $1 b *1 $1 3 ").await;
        own.ask("DEL a", ":1 ").await;
        // What cannot be for it is none of its business.
        let mut one = harness.waiter("BRPOP a b 0").await;
        own.ask("SET a text", "+OK ").await;
        harness.waiting(1).await;
        harness.apply("RPUSH b 5");
        one.gets("*2 $1 b $1 5 ").await;
        let mut one = harness.waiter("BLMOVE b a LEFT LEFT 0").await;
        harness.apply("SET b text");
        harness.waiting(1).await;
        harness.apply("DEL b");
        harness.apply("RPUSH b 6");
        one.expect("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n").await;
        own.ask("LLEN b", ":1 ").await;
    });
}

#[test]
fn a_wait_lasts_until_the_log_says_so() {
    let waits = |ms: u64| vec![format!("BLPOP l {}", ms as f64 / 1000.0)];
    with_machine(|harness| async move {
        harness.backend.set_clock(5_000);
        let mut own = harness.connect().await;
        // The node was held up; what has come meanwhile is not lost on who waits.
        harness.backend.is_deaf.set(true);
        let (mut peers, began, ms) = harness.wait_still(100, waits).await;
        harness.apply("RPUSH l a");
        peers[0].gets("*2 $1 l $1 a ").await;
        assert!(began.elapsed() >= Duration::from_millis(ms));
        harness.backend.is_deaf.set(false);
        // The log's clock stands: it is given as long again.
        let began = Instant::now();
        own.ask("BLPOP l 0.1", "*-1 ").await;
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
        // It has gone on, and the time is over. A slow machine may tell late.
        let mut clock_ms = 5_000;
        for least_ms in [100, 1_000] {
            let (mut peers, began, ms) = harness.wait_still(least_ms, waits).await;
            clock_ms += 60_000;
            harness.backend.set_clock(clock_ms);
            peers[0].gets("*-1 ").await;
            assert!(began.elapsed() >= Duration::from_millis(ms), "a clock that jumps ends nothing");
            if began.elapsed() < Duration::from_millis(2 * ms) {
                return;
            }
        }
        panic!("it was given as long again");
    });
}

#[test]
fn one_push_makes_one_of_many_try() {
    const MANY: usize = 90;
    with_machine(|harness| async move {
        let mut peers = Vec::new();
        for _ in 0..MANY {
            peers.push(harness.waiter("BLPOP l 0").await);
        }
        let mut own = harness.connect().await;
        let tries = harness.backend.seen.borrow().len();
        harness.apply("RPUSH l a");
        peers[0].gets("*2 $1 l $1 a ").await;
        harness.waiting(MANY - 1).await;
        assert_eq!(harness.backend.seen.borrow().len() - tries, 1);
        own.ask("RPUSH l b", ":1 ").await;
        peers[1].gets("*2 $1 l $1 b ").await;
        harness.waiting(MANY - 2).await;
        assert_eq!(harness.backend.seen.borrow().len() - tries, 3, "the push, and one");
    });
}

#[test]
fn who_was_too_late_keeps_its_place() {
    with_machine(|harness| async move {
        let mut one = harness.waiter("BLPOP l 0").await;
        let mut two = harness.waiter("BLPOP l 0").await;
        harness.backend.paused.set(true);
        harness.apply("RPUSH l a");
        assert!(comes_true(|| harness.backend.waiting() == 1).await, "the first tries, and the first only");
        harness.apply("LPOP l");
        harness.backend.go_on();
        harness.waiting(2).await;
        harness.apply("RPUSH l b");
        one.gets("*2 $1 l $1 b ").await;
        harness.apply("RPUSH l c");
        two.gets("*2 $1 l $1 c ").await;
    });
}

#[test]
fn nobody_overtakes() {
    with_machine(|harness| async move {
        let mut one = harness.waiter("BLPOP l 0").await;
        harness.backend.paused.set(true);
        harness.apply("RPUSH l a");
        assert!(comes_true(|| harness.backend.waiting() == 1).await);
        let mut two = harness.connect().await;
        two.send("BLPOP l 0\r\n").await;
        assert!(comes_true(|| harness.clients.all().iter().all(|client| client.blocked.get())).await);
        assert_eq!(harness.backend.waiting(), 1);
        harness.backend.go_on();
        one.gets("*2 $1 l $1 a ").await;
        harness.waiting(1).await;
        harness.apply("RPUSH l b");
        two.gets("*2 $1 l $1 b ").await;
    });
}

#[test]
fn who_has_left_takes_nothing() {
    with_machine(|harness| async move {
        let one = harness.waiter("BLPOP l 0").await;
        let mut two = harness.waiter("BLPOP l m 0").await;
        drop(one);
        assert!(comes_true(|| harness.clients.len() == 1).await);
        harness.apply("RPUSH l a");
        two.gets("*2 $1 l $1 a ").await;
        let closed = harness.waiter("BLPOP l 0").await;
        two.ask("CLIENT KILL ID 3", ":1 ").await;
        assert!(comes_true(|| harness.clients.len() == 1).await);
        two.ask("RPUSH l b", ":1 ").await;
        two.ask("LLEN l", ":1 ").await;
        assert!(!harness.backend.touches.get());
        drop(closed);
    });
}

/// `nil` would say that there was nothing for as long as it was to wait.
#[test]
fn a_node_that_stops_says_so_to_those_who_wait() {
    with_machine(|mut harness| async move {
        let mut own = harness.connect().await;
        own.ask("XGROUP CREATE s g 0 MKSTREAM", "+OK ").await;
        let calls = [
            "BLPOP l 0",
            "BZPOPMIN z 1000",
            "XREAD BLOCK 0 STREAMS s $",
            "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
        ];
        let mut waiters = Vec::new();
        for call in calls {
            waiters.push(harness.waiter(call).await);
        }
        harness.begin_shutdown();
        for mut waiter in waiters {
            let why = "this node is shutting down; nothing was taken";
            waiter.expect(&format!("-UNBLOCKED force unblock from blocking operation, {why}\r\n")).await;
            waiter.expect_end().await;
        }
    });
}

#[test]
fn a_wait_ends_by_itself_or_by_another_client() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        own.ask("BLPOP l 0.02", "*-1 ").await;
        own.ask("BLMOVE l m LEFT LEFT 0.02", "*-1 ").await;
        own.ask("BLMPOP 0.02 1 l LEFT", "*-1 ").await;
        let mut other = harness.waiter("BLMOVE l m LEFT LEFT 0").await;
        own.send("CLIENT LIST ID 2\r\n").await;
        assert!(own.text().await.contains(" flags=b "));
        own.send("INFO clients\r\n").await;
        assert!(own.text().await.contains("blocked_clients:1\r\n"));
        own.ask("CLIENT UNBLOCK 2 TIMEOUT", ":1 ").await;
        other.gets("*-1 ").await;
        other.send("BLPOP l 0\r\n").await;
        harness.waiting(1).await;
        own.ask("CLIENT UNBLOCK 2 ERROR", ":1 ").await;
        other.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n").await;
        own.ask("CLIENT UNBLOCK 2", ":0 ").await;
        other.ask("RPUSH l a", ":1 ").await;
        other.ask("LLEN l", ":1 ").await;
    });
}

#[test]
fn whatever_brings_a_list_wakes() {
    with_machine(|harness| async move {
        let mut peer = harness.connect().await;
        for bring in [
            vec!["RPUSH from a", "RENAME from l"],
            vec!["RPUSH l b", "LREM l 1 b", "RPUSH from a", "COPY from l", "DEL from"],
            vec!["SET l text", "DEL l", "HSET l f v", "DEL l", "RPUSH l a"],
            vec!["RPUSH n 1", "SORT n BY nosort GET pre* GET # STORE l", "LPOP l"],
            vec!["RPUSH from a", "RPOPLPUSH from l"],
        ] {
            peer.send("BLPOP l 0\r\n").await;
            harness.waiting(1).await;
            harness.backend.paused.set(true);
            bring.iter().for_each(|command| harness.apply(command));
            harness.backend.go_on();
            let expected = if bring[0].starts_with("RPUSH n") { "*2 $1 l $1 1 " } else { "*2 $1 l $1 a " };
            peer.gets(expected).await;
            harness.apply("FLUSHALL");
        }
        for bring in ["SWAPDB 0 1", "MOVE l 0"] {
            peer.send("BLPOP l 0\r\n").await;
            harness.waiting(1).await;
            harness.apply_in(1, "RPUSH l a");
            harness.waiting(1).await;
            harness.apply_in(1, bring);
            peer.gets("*2 $1 l $1 a ").await;
        }
    });
}

#[test]
fn commands_before_and_behind_keep_their_order() {
    with_machine(|harness| async move {
        let mut peer = harness.connect().await;
        peer.send("SET a 1\r\nBLPOP l 0\r\nGET a\r\nBLPOP l 0\r\n").await;
        peer.expect("+OK\r\n").await;
        harness.waiting(1).await;
        harness.apply("RPUSH l x");
        peer.gets("*2 $1 l $1 x $1 1 ").await;
        harness.waiting(1).await;
        harness.apply("RPUSH l y");
        peer.gets("*2 $1 l $1 y ").await;
        // A transaction waits for nobody.
        peer.send("MULTI\r\nBLPOP l 0\r\nBLMOVE l m LEFT LEFT 0\r\nEXEC\r\n").await;
        peer.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n*-1\r\n$-1\r\n").await;
    });
}

#[test]
fn a_pause_holds_for_those_who_wait() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        let mut other = harness.waiter("BLPOP l 0").await;
        own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        harness.apply("RPUSH l a");
        harness.waiting(1).await;
        own.ask("LLEN l", ":1 ").await;
        own.ask("CLIENT UNPAUSE", "+OK ").await;
        other.gets("*2 $1 l $1 a ").await;
    });
}

#[test]
fn a_key_twice_is_one_key_and_too_many_are_refused() {
    with_machine(|harness| async move {
        let mut one = harness.waiter("BLPOP l l l 0").await;
        let mut two = harness.waiter("BLPOP l 0").await;
        harness.apply("RPUSH l a b");
        one.gets("*2 $1 l $1 a ").await;
        two.gets("*2 $1 l $1 b ").await;
        let keys = "k ".repeat(crate::limits::MAX_AWAITED_KEYS + 1);
        one.send(format!("*{}\r\n$5\r\nBLPOP\r\n", crate::limits::MAX_AWAITED_KEYS + 3)).await;
        one.send(keys.replace("k ", "$1\r\nk\r\n") + "$1\r\n0\r\n").await;
        one.expect("-ERR too many keys are waited for on this node\r\n").await;
    });
}
