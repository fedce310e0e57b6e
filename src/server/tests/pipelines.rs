//! Replies leave in the order of the requests, whatever is pipelined.

use super::{config, serve};
use crate::group::Consistency;
use std::fmt::Write;
use tokio::io::AsyncWriteExt;
use tokio::task::yield_now;

#[test]
fn a_mixed_pipeline_is_answered_in_order_by_one_job() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send(
            "PING\r\nSET a 1\r\nPING x\r\nNOSUCH\r\nGET a\r\nGET\r\nINCR a\r\nECHO \"q q\"\r\nGET b\r\n",
        )
        .await;
        peer.expect(
            "+PONG\r\n+OK\r\n$1\r\nx\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n$1\r\n1\r\n\
             -ERR wrong number of arguments for 'get' command\r\n:2\r\n$3\r\nq q\r\n$-1\r\n",
        )
        .await;
        assert_eq!(*harness.backend.seen.borrow(), [(8, Consistency::Linearizable)]);
        peer.ask("GET a", "$1 2 ").await;
    });
}

#[test]
fn input_in_single_bytes_is_answered_as_a_whole_one() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\nvw\r\nGET k\r\n*1\r\n$4\r\nPING\r\n" {
            peer.send([*byte]).await;
            yield_now().await;
        }
        peer.expect("+OK\r\n$2\r\nvw\r\n+PONG\r\n").await;
    });
}

#[test]
fn a_hundred_thousand_commands_in_one_write() {
    serve(config(), |harness| async move {
        let peer = harness.connect().await;
        let (mut input, mut expected) = (String::new(), String::new());
        for i in 1..=50_000 {
            input.push_str("INCR n\r\n*2\r\n$3\r\nGET\r\n$1\r\nn\r\n");
            let text = i.to_string();
            write!(expected, ":{i}\r\n${}\r\n{text}\r\n", text.len()).unwrap();
        }
        let mut peer = peer;
        let socket =
            std::mem::replace(&mut peer.0, tokio::net::TcpStream::connect(harness.addr).await.unwrap());
        let (read, mut write) = socket.into_split();
        let writer = tokio::task::spawn_local(async move {
            write.write_all(input.as_bytes()).await.unwrap();
            write
        });
        let mut got = vec![0; expected.len()];
        let mut read = read;
        tokio::time::timeout(super::PATIENCE, tokio::io::AsyncReadExt::read_exact(&mut read, &mut got))
            .await
            .expect("all replies")
            .unwrap();
        assert!(got == expected.as_bytes(), "in order");
        writer.await.unwrap();
        let largest = harness.backend.seen.borrow().iter().map(|job| job.0).max();
        assert!(largest <= Some(crate::limits::MAX_PIPELINE_COMMANDS));
    });
}

#[test]
fn hello_3_midway_changes_only_what_follows() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        harness.backend.paused.set(true);
        peer.send("GET none\r\nHELLO 3\r\nGET none\r\nHELLO 2\r\nGET none\r\n").await;
        while harness.backend.waiting() == 0 {
            yield_now().await;
        }
        harness.backend.go_on();
        let hello = |header: &str, proto: u8| {
            format!(
                "{header}\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:{proto}\r\n\
                 $2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"
            )
        };
        peer.expect(format!("$-1\r\n{}_\r\n{}$-1\r\n", hello("%7", 3), hello("*14", 2))).await;
    });
}

#[test]
fn protocol_errors_come_after_what_was_asked_and_close() {
    serve(config(), |harness| async move {
        for (input, text) in
            [("*1\r\n:3\r\n", "expected '$', got ':'"), ("PING \"\r\n", "unbalanced quotes in request")]
        {
            let mut peer = harness.connect().await;
            peer.send(format!("SET a 1\r\nGET a\r\n{input}PING\r\n")).await;
            peer.expect(format!("+OK\r\n$1\r\n1\r\n-ERR Protocol error: {text}\r\n")).await;
            peer.expect_end().await;
        }
    });
}

#[test]
fn quit_answers_what_came_before_and_nothing_after() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("SET a 1\r\nQUIT\r\nSET a 2\r\nPING\r\n").await;
        peer.expect("+OK\r\n+OK\r\n").await;
        peer.expect_end().await;
        harness.connect().await.ask("GET a", "$1 1 ").await;
    });
}

#[test]
fn a_client_that_closed_its_half_still_gets_its_answers() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        harness.backend.paused.set(true);
        peer.send("SET a 1\r\nHELLO 2 SETNAME x\r\nGET a\r\nGE").await;
        peer.0.shutdown().await.unwrap();
        while harness.backend.waiting() == 0 {
            yield_now().await;
        }
        harness.backend.go_on();
        peer.expect("+OK\r\n*14\r\n").await;
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut peer.0, &mut rest).await.unwrap();
        assert!(rest.ends_with(b"$1\r\n1\r\n"), "{}", rest.escape_ascii());
    });
}

#[test]
fn replies_to_a_client_that_left_are_dropped() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        harness.backend.paused.set(true);
        peer.send("SET a 1\r\n").await;
        while harness.backend.waiting() == 0 {
            yield_now().await;
        }
        socket2::SockRef::from(&peer.0).set_linger(Some(std::time::Duration::ZERO)).unwrap();
        drop(peer); // a reset, not an orderly end
        while !harness.clients.is_empty() {
            yield_now().await;
        }
        harness.backend.go_on();
        harness.connect().await.ask("GET a", "$1 1 ").await;
    });
}

#[test]
fn a_full_node_refuses_what_it_did_not_take() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        harness.backend.full.set(true);
        peer.send("SET a 1\r\nPING\r\nWATCH a\r\nGET a\r\n").await;
        let refused = "-TRYAGAIN the node holds too many pending commands, nothing was done\r\n";
        peer.expect(format!("{refused}+PONG\r\n{refused}{refused}")).await;
        harness.backend.full.set(false);
        peer.ask("GET a", "$-1 ").await;
    });
}
