//! XREAD and XREADGROUP with BLOCK: who gets what. What they answer at once is in redis-tests/golden/stream*.golden.

use super::waiters::with_machine;
use std::time::Duration;

/// An entry with the field f, as part of a reply.
fn entry(id: &str, value: &str) -> String {
    format!("*2 ${} {id} *2 $1 f ${} {value} ", id.len(), value.len())
}

/// What one stream has, as RESP2 shows it.
fn stream(key: &str, entries: &[String]) -> String {
    format!("*1 *2 ${} {key} *{} {}", key.len(), entries.len(), entries.concat())
}

#[test]
fn all_who_read_are_told() {
    with_machine(|harness| async move {
        harness.apply("XADD s 1-1 f old");
        let mut new = harness.waiter("XREAD BLOCK 0 STREAMS s $").await;
        let mut both = harness.waiter("XREAD COUNT 1 BLOCK 0 STREAMS t s 0 1-1").await;
        let mut later = harness.waiter("XREAD BLOCK 0 STREAMS s 1-5").await;
        let mut tries = harness.backend.seen.borrow().len();
        harness.apply("XADD s 1-2 f a");
        new.gets(&stream("s", &[entry("1-2", "a")])).await;
        both.gets(&stream("s", &[entry("1-2", "a")])).await;
        harness.waiting(1).await;
        tries = harness.backend.seen.borrow().len() - tries;
        assert_eq!(tries, 2, "who has nothing to read does not ask");
        later.send("GET k\r\n").await;
        harness.apply("XADD s 1-6 f b");
        later.gets(&(stream("s", &[entry("1-6", "b")]) + "$-1 ")).await;
        // A stream that is not there has no last entry.
        new.send("XREAD BLOCK 0 STREAMS none other $ $\r\n").await;
        harness.waiting(1).await;
        harness.apply("XADD none 0-1 f c");
        new.gets(&stream("none", &[entry("0-1", "c")])).await;
        assert!(!harness.backend.touches.get(), "nobody waits any more");
    });
}

#[test]
fn one_who_has_waited_gets_what_came_first() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        let mut one = harness.waiter("XREAD BLOCK 0 STREAMS a b $ $").await;
        own.send("MULTI\r\nXADD b 1-1 f x\r\nXADD a 1-2 f y\r\nXADD b 1-3 f z\r\nEXEC\r\n").await;
        one.gets(&stream("b", &[entry("1-1", "x"), entry("1-3", "z")])).await;
        // What is of another type is none of its business, nor is what is gone.
        let mut one = harness.waiter("XREAD BLOCK 0 STREAMS a b $ $").await;
        harness.apply("SET b text");
        harness.apply("XDEL a 1-2");
        harness.apply("DEL a");
        harness.waiting(1).await;
        harness.apply("XADD a 1-9 f x");
        one.gets(&stream("a", &[entry("1-9", "x")])).await;
        one.ask(
            "XREAD BLOCK 0 STREAMS a b 9 0",
            "-WRONGTYPE_Operation_against_a_key_holding_the_wrong_kind_of_value ",
        )
        .await;
        one.send("HELLO 3\r\n").await;
        one.skip_to("modules\r\n*0\r\n").await;
        one.send("XREAD BLOCK 0 STREAMS a 2\r\n").await;
        harness.waiting(1).await;
        harness.apply("XADD a 3-1 f y");
        one.gets(&format!("%1 $1 a *1 {}", entry("3-1", "y"))).await;
        one.send("XREAD BLOCK 20 STREAMS a 5\r\n").await;
        one.expect("_\r\n").await;
    });
}

#[test]
fn consumers_of_a_group_are_served_in_turn() {
    with_machine(|harness| async move {
        let mut own = harness.connect().await;
        for group in ["g", "h"] {
            own.ask(&format!("XGROUP CREATE s {group} $ MKSTREAM"), "+OK ").await;
        }
        let mut one = harness.waiter("XREADGROUP GROUP g one BLOCK 0 STREAMS s >").await;
        let mut two = harness.waiter("XREADGROUP GROUP g two BLOCK 0 NOACK STREAMS s >").await;
        let mut other = harness.waiter("XREADGROUP GROUP h one BLOCK 0 STREAMS s >").await;
        let mut reader = harness.waiter("XREAD BLOCK 0 STREAMS s $").await;
        own.send("XADD s 1-1 f a\r\nXPENDING s g\r\n").await;
        let first = stream("s", &[entry("1-1", "a")]);
        one.gets(&first).await;
        other.gets(&first).await;
        reader.gets(&first).await;
        // As in Redis, before the next command.
        own.gets("$3 1-1 *4 :1 $3 1-1 $3 1-1 *1 *2 $3 one $1 1 ").await;
        harness.waiting(1).await;
        harness.apply("XADD s 1-2 f b");
        two.gets(&stream("s", &[entry("1-2", "b")])).await;
        own.ask("XPENDING s g - + 9 two", "*0 ").await;
        own.ask("XREADGROUP GROUP g two BLOCK 20 STREAMS s >", "*-1 ").await;
        own.send("XREADGROUP GROUP g one BLOCK 0 STREAMS s 0\r\n").await;
        own.gets(&first).await;
    });
}

#[test]
fn a_group_that_is_gone_ends_the_wait() {
    const GONE: &str = "-UNBLOCKED the stream key no longer exists\r\n";
    const NO_GROUP: &str = "-NOGROUP the consumer group this client was blocked on no longer exists\r\n";
    with_machine(|harness| async move {
        for (end, expected) in [
            ("DEL s", GONE),
            ("SET s text", GONE),
            ("RENAME s elsewhere", GONE),
            ("FLUSHALL", GONE),
            ("SWAPDB 0 1", GONE),
            ("EXPIRE s -1", GONE),
            ("XGROUP DESTROY s g", NO_GROUP),
        ] {
            harness.apply("FLUSHALL");
            harness.apply("XGROUP CREATE s g $ MKSTREAM");
            let mut both = Vec::new();
            for consumer in ["one", "two"] {
                both.push(
                    harness.waiter(&format!("XREADGROUP GROUP g {consumer} BLOCK 0 STREAMS s >")).await,
                );
            }
            let mut reader = harness.waiter("XREAD BLOCK 0 STREAMS s $").await;
            harness.apply(end);
            for peer in &mut both {
                peer.expect(expected).await;
            }
            harness.waiting(1).await;
            harness.apply("DEL s");
            harness.apply("XADD s 7-1 f x");
            reader.gets(&stream("s", &[entry("7-1", "x")])).await;
        }
        // A group of that name that is not the same one serves as well.
        harness.apply("FLUSHALL");
        harness.apply("XGROUP CREATE s g $ MKSTREAM");
        let mut one = harness.waiter("XREADGROUP GROUP g one BLOCK 0 STREAMS s >").await;
        let mut own = harness.connect().await;
        own.send("MULTI\r\nDEL s\r\nXADD s 1-1 f x\r\nEXEC\r\n").await;
        one.expect(NO_GROUP).await;
        own.gets("+OK +QUEUED +QUEUED *2 :1 $3 1-1 ").await;
    });
}

#[test]
fn a_wait_for_entries_ends_with_a_last_look() {
    with_machine(|harness| async move {
        harness.apply("XGROUP CREATE s g $ MKSTREAM");
        harness.backend.is_deaf.set(true);
        let waits = |ms| {
            let reads = format!("XREAD BLOCK {ms} STREAMS t s $ $");
            vec![reads, format!("XREADGROUP GROUP g one BLOCK {ms} STREAMS s >")]
        };
        let (mut peers, began, ms) = harness.wait_still(100, waits).await;
        harness.apply("XADD s 1-1 f x");
        for peer in &mut peers {
            peer.gets(&stream("s", &[entry("1-1", "x")])).await;
            assert!(began.elapsed() >= Duration::from_millis(ms));
        }
        let mut own = harness.connect().await;
        own.ask("XREAD BLOCK 20 STREAMS s $", "*-1 ").await;
        let mut reader = harness.waiter("XREAD BLOCK 0 STREAMS s $").await;
        own.send("CLIENT LIST\r\n").await;
        let list = own.text().await;
        let waiting = list.lines().find(|line| line.contains(" flags=b ")).expect("it is listed");
        let id = waiting.split_once(' ').and_then(|(id, _)| id.strip_prefix("id=")).expect("it has a number");
        own.ask(&format!("CLIENT UNBLOCK {id} ERROR"), ":1 ").await;
        reader.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n").await;
    });
}
