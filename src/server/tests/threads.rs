//! Sockets left to threads (`--io-threads`): what could be lost, reordered or left waiting between
//! them and the node's thread. All other tests of the server run so with `BOWLINE_TEST_IO_THREADS=2`.

use super::*;
use crate::command::hash_password;
use crate::limits;
use tokio::task::yield_now;

const THREADS: usize = 2;

const TOO_MANY: &str = "-ERR wrong number of arguments for 'get' command\r\n";

fn bulk(len: usize) -> String {
    format!("${len}\r\n{}\r\n", "v".repeat(len))
}

impl Harness {
    async fn number(&self, peer: &mut Peer, field: &str) -> u64 {
        peer.send("INFO\r\n").await;
        let info = peer.text().await;
        let line = info.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.expect(field).parse().unwrap()
    }
}

#[test]
fn many_connections_are_answered_each_in_its_order() {
    serve_with(THREADS, config(), |mut harness| async move {
        let mut peers = Vec::new();
        for _ in 0..40 {
            peers.push(harness.connect().await);
        }
        for round in 0..5 {
            for (i, peer) in peers.iter_mut().enumerate() {
                peer.send(format!("SET k{i} {round}\r\nPING\r\nGET k{i}\r\nECHO {i}\r\n")).await;
            }
            for (i, peer) in peers.iter_mut().enumerate() {
                let text = i.to_string();
                peer.expect(format!("+OK\r\n+PONG\r\n$1\r\n{round}\r\n${}\r\n{text}\r\n", text.len())).await;
            }
        }
        let one = &mut peers[0];
        one.send("CONFIG GET io-threads*\r\n").await;
        one.expect("*4\r\n$10\r\nio-threads\r\n$1\r\n3\r\n$19\r\nio-threads-do-reads\r\n$3\r\nyes\r\n").await;
        assert_eq!(harness.number(one, "io_threads_active").await, 1);
        // One read of a connection finds one request or several, and its replies are one write.
        for field in ["io_threaded_reads_processed", "io_threaded_writes_processed"] {
            assert!(harness.number(one, field).await >= 5 * 40, "{field}");
        }
        assert!(harness.number(one, "total_net_input_bytes").await >= 5 * 40 * 30);
        harness.shut_down().await;
        for mut peer in peers {
            peer.expect_orderly_end().await;
        }
    });
}

#[test]
fn what_follows_a_login_is_read_under_its_limits_and_nothing_before() {
    let with_password = ServerConfig { requirepass: Some(hash_password(b"pw")), ..config() };
    serve_with(THREADS, with_password, |harness| async move {
        let login = "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n";
        let long =
            format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n{}", bulk(limits::UNAUTHENTICATED_MAX_BULK_BYTES + 1));
        let many = format!("*{}\r\n$3\r\nGET\r\n{}", 20, "$1\r\nk\r\n".repeat(19));
        let mut peer = harness.connect().await;
        for _ in 0..3 {
            peer.send(format!("PING\r\nPING\r\n{login}{long}{many}RESET\r\nPING\r\n{login}{many}")).await;
            peer.expect("-NOAUTH Authentication required.\r\n".repeat(2)).await;
            peer.expect(format!("+OK\r\n+OK\r\n{TOO_MANY}+RESET\r\n")).await;
            peer.expect(format!("-NOAUTH Authentication required.\r\n+OK\r\n{TOO_MANY}")).await;
            peer.ask("RESET", "+RESET ").await;
        }
        for (request, what) in [(&long, "bulk"), (&many, "multibulk")] {
            let mut peer = harness.connect().await;
            peer.send(format!("PING\r\n{request}{login}")).await;
            peer.expect("-NOAUTH Authentication required.\r\n").await;
            peer.expect(format!("-ERR Protocol error: unauthenticated {what} length\r\n")).await;
            peer.expect_end().await;
        }
    });
}

#[test]
fn a_broken_protocol_ends_a_connection_behind_what_came_before() {
    serve_with(THREADS, config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("SET a 1\r\nMULTI\r\nINCR a\r\nGET a\r\nEXEC\r\n*1\r\nx\r\nPING\r\n").await;
        peer.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n$1\r\n2\r\n").await;
        peer.expect("-ERR Protocol error: expected '$', got 'x'\r\n").await;
        peer.expect_end().await;
        assert!(comes_true(|| harness.clients.is_empty()).await);
    });
}

#[test]
fn long_values_go_both_ways_among_short_ones() {
    serve_with(THREADS, config(), |harness| async move {
        let (mut one, mut two) = (harness.connect().await, harness.connect().await);
        for len in [limits::IO_COPIED_BYTES - 2, limits::IO_COPIED_BYTES, 100_000, 12 << 20] {
            let value = bulk(len);
            let request = format!("GET none\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n{value}GET k\r\nPING\r\n");
            let (_, mut write) = one.0.split();
            let (sent, ()) = tokio::join!(write.write_all(request.as_bytes()), two.ask("GET none", "$-1 "));
            sent.unwrap();
            one.expect("$-1\r\n+OK\r\n").await;
            one.expect(value).await;
            one.expect("+PONG\r\n").await;
        }
    });
}

#[test]
fn who_does_not_read_is_held_back_and_goes_on_later() {
    serve_with(THREADS, config(), |harness| async move {
        let mut slow = harness.connect().await;
        slow.ask("PING", "+PONG ").await;
        let client = harness.clients.all().pop().unwrap();
        slow.send("GET big:100000\r\n".repeat(1000)).await;
        while client.unsent() < limits::OUTPUT_HIGH_WATER_BYTES || client.awaiting() > 0 {
            yield_now().await;
        }
        harness.connect().await.ask("PING", "+PONG ").await;
        let steps: usize = harness.backend.seen.borrow().iter().map(|job| job.0).sum();
        assert!(steps < 900, "{steps} of 1000 were carried out, though nobody reads");
        let reply = format!("$100000\r\n{}\r\n", "x".repeat(100_000));
        for _ in 0..1000 {
            slow.expect(&reply).await;
        }
        slow.send("QUIT\r\n").await;
        slow.expect("+OK\r\n").await;
        drop(client);
        slow.expect_orderly_end().await;
    });
}

#[test]
fn no_more_is_read_ahead_than_its_bound_and_all_of_it_is_answered() {
    serve_with(THREADS, config(), |harness| async move {
        const REQUESTS: usize = 400_000;
        let mut peer = harness.connect().await;
        harness.backend.paused.set(true);
        let requests = "GET a\r\n".repeat(REQUESTS);
        let (mut read, mut write) = peer.0.split();
        let send = write.write_all(requests.as_bytes());
        let receive = async {
            let is_full = || {
                harness.clients.all()[0].input_len.get()
                    >= 2 * limits::READ_AHEAD_BYTES - limits::MAX_READ_BYTES
            };
            while harness.backend.waiting() == 0 || !is_full() {
                yield_now().await;
            }
            for _ in 0..1000 {
                yield_now().await;
            }
            // What is decoded, and as much that is not.
            let most = 2 * limits::READ_AHEAD_BYTES + 2 * limits::MAX_READ_BYTES;
            let held = harness.clients.all()[0].input_len.get();
            assert!(held < most, "{held}");
            harness.backend.go_on();
            let mut replies = vec![0; 5 * REQUESTS];
            timeout(PATIENCE, read.read_exact(&mut replies)).await.expect("all replies").unwrap();
            assert!(replies.chunks(5).all(|reply| reply == b"$-1\r\n"));
        };
        let (sent, ()) = tokio::join!(send, receive);
        sent.unwrap();
    });
}

#[test]
fn who_leaves_is_noticed_at_whatever_it_waits() {
    serve_with(THREADS, config(), |harness| async move {
        let mut others = harness.connect().await;
        for command in ["WAIT 2 0\r\n", "SUBSCRIBE c\r\n", "GET a\r\nGE", "MONITOR\r\n"] {
            let mut leaver = harness.connect().await;
            leaver.ask("PING", "+PONG ").await;
            harness.backend.paused.set(command.starts_with("GET"));
            leaver.send(command).await;
            leaver.0.shutdown().await.unwrap();
            harness.backend.go_on();
            drop(leaver);
            while harness.clients.len() > 1 {
                yield_now().await;
            }
            others.ask("PING", "+PONG ").await;
        }
    });
}

#[test]
fn pushes_reach_those_who_say_nothing_and_the_killed_are_gone() {
    serve_with(THREADS, config(), |harness| async move {
        let mut own = harness.connect().await;
        own.ask("CLIENT ID", ":1 ").await;
        let mut listeners = Vec::new();
        for _ in 0..6 {
            let mut peer = harness.connect().await;
            peer.send("SUBSCRIBE c\r\n").await;
            peer.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").await;
            listeners.push(peer);
        }
        let mut monitor = harness.connect().await;
        monitor.ask("MONITOR", "+OK ").await;
        for i in 0..3 {
            own.ask(&format!("PUBLISH c {i}"), ":6 ").await;
            for listener in &mut listeners {
                listener.expect(format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n{i}\r\n")).await;
            }
        }
        monitor.skip_to("\"PUBLISH\" \"c\" \"2\"\r\n").await;
        own.ask("CLIENT KILL TYPE pubsub", ":6 ").await;
        for mut listener in listeners {
            listener.expect_end().await;
        }
        own.ask("PUBLISH c 3", ":0 ").await;
        own.send("PING\r\nCLIENT KILL ID 1 SKIPME no\r\nPING\r\n").await;
        own.expect("+PONG\r\n:1\r\n").await;
        own.expect_orderly_end().await;
    });
}
