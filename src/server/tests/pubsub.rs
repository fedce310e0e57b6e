//! Who hears what, and what becomes of those who do not listen. The replies themselves are in
//! redis-tests/golden/pubsub.golden.

use super::*;
use crate::command::Reply;
use crate::limits;
use crate::wire::units::{Command, Unit};

fn command<'a>(words: &[&'a str]) -> Unit<'a> {
    let args = words.iter().map(|word| word.as_bytes()).collect();
    Unit::Command(Command { args, db: 0, caller: None })
}

fn push(words: &[&str]) -> String {
    let items: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{items}", words.len())
}

impl Harness {
    /// A client that listens.
    async fn listener(&self, what: &str, channel: &str) -> Peer {
        let mut peer = self.connect().await;
        peer.send(format!("{what} {channel}\r\n")).await;
        let confirm = what.to_ascii_lowercase();
        peer.expect(format!(
            "*3\r\n${}\r\n{confirm}\r\n${}\r\n{channel}\r\n:1\r\n",
            confirm.len(),
            channel.len()
        ))
        .await;
        peer
    }

    fn publish(&self, channel: &str, message: &str) {
        self.backend.apply(&command(&["PUBLISH", channel, message]), &self.clients);
    }
}

#[test]
fn messages_of_other_nodes_reach_all_who_listen_and_nobody_else() {
    serve(config(), |harness| async move {
        let mut exact = harness.listener("SUBSCRIBE", "news").await;
        let mut pattern = harness.listener("PSUBSCRIBE", "n*").await;
        let mut shard = harness.listener("SSUBSCRIBE", "news").await;
        harness.publish("news", "1");
        harness.publish("note", "2");
        harness.backend.apply(&command(&["SPUBLISH", "news", "3"]), &harness.clients);
        exact.expect(push(&["message", "news", "1"])).await;
        pattern
            .expect(push(&["pmessage", "n*", "news", "1"]) + &push(&["pmessage", "n*", "note", "2"]))
            .await;
        shard.expect(push(&["smessage", "news", "3"])).await;
        for peer in [&mut exact, &mut pattern, &mut shard] {
            peer.ask("PING", "*2 $4 pong $0  ").await;
        }
    });
}

#[test]
fn the_reply_counts_the_receivers_of_this_node_and_comes_after_the_message() {
    serve(config(), |harness| async move {
        let mut other = harness.listener("SUBSCRIBE", "news").await;
        let mut own = harness.connect().await;
        own.send("HELLO 3\r\n").await;
        own.skip_to("modules\r\n*0\r\n").await;
        own.ask("PSUBSCRIBE n?ws", ">3 $10 psubscribe $4 n?ws :1 ").await;
        // The last number is that of the first call: nothing is published again.
        own.send("PUBLISH news a\r\nONCE s 1 PUBLISH none b\r\nONCE s 2 PUBLISH news c\r\nONCE s 2 PUBLISH news c\r\n")
            .await;
        let pushed = |text: &str| format!(">4 $8 pmessage $4 n?ws $4 news $1 {text} ");
        let expected = format!("{}:2 :0 {}:2 :0 ", pushed("a"), pushed("c"));
        own.expect(expected.replace(' ', "\r\n")).await;
        other.expect(push(&["message", "news", "a"]) + &push(&["message", "news", "c"])).await;
        // In EXEC, each at its place; messages of others do not count.
        own.send("MULTI\r\nPUBLISH none a\r\nPUBLISH news b\r\nEXEC\r\n").await;
        own.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n").await;
        own.expect(format!("{}*2 :0 :2 ", pushed("b")).replace(' ', "\r\n")).await;
        harness.publish("news", "d");
        own.ask("PUBLISH none e", &format!("{}:0 ", pushed("d"))).await;
    });
}

#[test]
fn keyspace_events_have_the_channels_that_were_configured() {
    serve(config(), |harness| async move {
        let apply = |unit: &Unit<'_>| harness.backend.apply(unit, &harness.clients);
        let mut all = harness.listener("PSUBSCRIBE", "*").await;
        let mut one = harness.listener("SUBSCRIBE", "__keyevent@0__:new").await;
        for (flags, expected) in [
            ("Kn", push(&["pmessage", "*", "__keyspace@0__:k1", "new"])),
            ("En", push(&["pmessage", "*", "__keyevent@0__:new", "k2"])),
            (
                "KEn",
                push(&["pmessage", "*", "__keyspace@0__:k3", "new"])
                    + &push(&["pmessage", "*", "__keyevent@0__:new", "k3"]),
            ),
            ("n", String::new()),
            ("KEx", String::new()),
        ] {
            let settings = vec![("notify-keyspace-events", flags.as_bytes())];
            assert_eq!(apply(&Unit::Settings(settings)), Reply::Ok);
            let key = match flags {
                "Kn" => "k1",
                "En" => "k2",
                "KEn" => "k3",
                _ => "k4",
            };
            apply(&command(&["SET", key, "v"]));
            all.expect(expected).await;
        }
        one.expect(push(&["message", "__keyevent@0__:new", "k2"])).await;
        one.expect(push(&["message", "__keyevent@0__:new", "k3"])).await;
        all.ask("PING", "*2 $4 pong $0  ").await;
    });
}

#[test]
fn nothing_is_left_of_whoever_leaves() {
    serve(config(), |harness| async move {
        let counts = || harness.clients.pubsub().counts();
        let mut resets = harness.listener("SUBSCRIBE", "a").await;
        resets.ask("PSUBSCRIBE a* b*", "*3 $10 psubscribe $2 a* :2 *3 $10 psubscribe $2 b* :3 ").await;
        let mut leaves = harness.listener("SSUBSCRIBE", "a").await;
        leaves.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :1 ").await;
        assert_eq!(counts(), [1, 2, 1]);
        resets.ask("RESET", "+RESET ").await;
        assert_eq!(counts(), [1, 0, 1]);
        resets.ask("PUBLISH a 1", ":1 ").await;
        leaves.expect(push(&["message", "a", "1"])).await;
        drop(leaves);
        while harness.clients.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(counts(), [0, 0, 0]);
        resets.ask("PUBLISH a 1", ":0 ").await;
    });
}

#[test]
fn a_confirmation_is_no_reply_to_what_came_before() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("SET k v\r\nSUBSCRIBE a b\r\nGET k\r\nPING\r\nUNSUBSCRIBE\r\nGET k\r\n").await;
        peer.expect(
            "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n",
        )
        .await;
        peer.expect("-ERR Can't execute 'get'").await;
        peer.skip_to("context\r\n").await;
        peer.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n").await;
        peer.expect(
            "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n",
        )
        .await;
        peer.expect("$1\r\nv\r\n").await;
    });
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_and_the_others_hear_everything() {
    serve(config(), |harness| async move {
        let mut reads = harness.listener("SUBSCRIBE", "news").await;
        let mut sleeps = harness.listener("SUBSCRIBE", "news").await;
        let message = "x".repeat(1 << 20);
        let expected = push(&["message", "news", &message]);
        let mut sent_bytes = 0;
        while harness.clients.pubsub().listeners(false, b"news") == 2 {
            harness.publish("news", &message);
            sent_bytes += expected.len();
            reads.expect(&expected).await;
            tokio::task::yield_now().await; // its connection's task is to end
            assert!(sent_bytes < 4 * limits::MAX_SUBSCRIBER_BUFFER_BYTES, "it is still there");
        }
        assert!(sent_bytes > limits::MAX_SUBSCRIBER_BUFFER_BYTES);
        harness.publish("news", "last");
        reads.expect(push(&["message", "news", "last"])).await;
        reads.ask("PING", "*2 $4 pong $0  ").await;
        // What the kernel had taken is still to be read; then comes the end.
        let mut rest = Vec::new();
        let end = timeout(PATIENCE, sleeps.0.read_to_end(&mut rest)).await.expect("an end");
        assert!(end.is_ok_and(|read| read < sent_bytes));
    });
}

#[test]
fn subscriptions_have_a_bound() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let patterns: String = (0..limits::MAX_PATTERNS).map(|i| format!(" {i}*")).collect();
        let sent = format!("PSUBSCRIBE{patterns}");
        let words: Vec<&str> = sent.split(' ').collect();
        peer.send(push(&words)).await;
        peer.skip_to(&format!(":{}\r\n", limits::MAX_PATTERNS)).await;
        peer.ask("SUBSCRIBE a", "*3 $9 subscribe $1 a :10001 ").await;
        peer.send("PSUBSCRIBE one-more\r\n").await;
        peer.expect("-ERR too many subscriptions").await;
        peer.skip_to("\r\n").await;
        assert_eq!(harness.clients.pubsub().counts(), [1, limits::MAX_PATTERNS, 0]);
        peer.ask("RESET", "+RESET ").await;
        assert_eq!(harness.clients.pubsub().counts(), [0, 0, 0]);
    });
}

#[test]
fn a_client_that_asks_a_sentinel_hears_of_another_leader_once() {
    serve(config(), |harness| async move {
        let mut peer = harness.listener("PSUBSCRIBE", "*").await;
        let lead = |id| harness.backend.status.borrow_mut().leader_id = id;
        let switched = |old: u16, new: u16| {
            let message = format!("mymaster 127.0.0.1 {old} 127.0.0.1 {new}");
            push(&["pmessage", "*", "+switch-master", &message])
        };
        lead(0);
        lead(2);
        peer.expect(switched(6379, 6380)).await;
        lead(3);
        peer.expect(switched(6380, 6381)).await;
        peer.ask("PING", "*2 $4 pong $0  ").await;
    });
}
