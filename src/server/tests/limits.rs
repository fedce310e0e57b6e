//! Clients that ask for too much, never read, never speak, or leave at a bad time.

use super::{config, serve};
use crate::limits;
use crate::server::ServerConfig;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::task::yield_now;

#[test]
fn one_client_too_many_is_told_so() {
    serve(ServerConfig { max_clients: 2, ..config() }, |harness| async move {
        let (mut one, mut two) = (harness.connect().await, harness.connect().await);
        one.ask("PING", "+PONG ").await;
        two.ask("PING", "+PONG ").await;
        let mut three = harness.connect().await;
        three.expect("-ERR max number of clients reached\r\n").await;
        three.expect_end().await;
        drop(one);
        while harness.clients.len() > 1 {
            yield_now().await;
        }
        harness.connect().await.ask("PING", "+PONG ").await;
    });
}

#[test]
fn a_client_that_never_reads_is_held_back_and_its_memory_bounded() {
    serve(config(), |harness| async move {
        let mut slow = harness.connect().await;
        slow.ask("PING", "+PONG ").await;
        let client = harness.clients.all().pop().unwrap();
        // One job may pass the mark at which parsing stops; the rest waits.
        slow.send("GET big:100000\r\n".repeat(3000)).await;
        while client.unsent() < limits::OUTPUT_HIGH_WATER_BYTES || client.awaiting() > 0 {
            yield_now().await;
        }
        harness.connect().await.ask("PING", "+PONG ").await;
        let steps: usize = harness.backend.seen.borrow().iter().map(|job| job.0).sum();
        assert!(steps < 1000, "{steps} of 3000 were carried out, though nobody reads");
        assert!(client.closing().is_none() && client.unsent() < limits::MAX_OUTPUT_BUFFER_BYTES);
    });
}

#[test]
fn a_client_whose_replies_pass_the_limit_is_closed() {
    serve(config(), |harness| async move {
        let mut slow = harness.connect().await;
        slow.ask("PING", "+PONG ").await;
        let client = harness.clients.all().pop().unwrap();
        slow.send("GET big:100000000\r\n".repeat(4)).await;
        while !harness.clients.is_empty() {
            assert!(client.unsent() <= limits::MAX_OUTPUT_BUFFER_BYTES);
            yield_now().await;
        }
        assert_eq!(client.closing(), Some("output buffer limit"));
        harness.connect().await.ask("PING", "+PONG ").await;
    });
}

#[test]
fn a_slow_reader_gets_everything_in_the_end() {
    serve(config(), |harness| async move {
        let mut slow = harness.connect().await;
        slow.send("GET big:3000000\r\n".repeat(10)).await;
        slow.send("PING\r\n".repeat(1000)).await;
        let big = format!("$3000000\r\n{}\r\n", "x".repeat(3_000_000));
        for _ in 0..10 {
            slow.expect(&big).await;
        }
        slow.expect("+PONG\r\n".repeat(1000)).await;
    });
}

#[test]
fn a_pipeline_of_more_replies_than_the_buffer_may_hold_is_served_to_who_reads() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let (count, size) = (2000, 200_000);
        peer.send(format!("GET big:{size}\r\n").repeat(count)).await;
        let big = format!("${size}\r\n{}\r\n", "x".repeat(size));
        assert!(count * size > limits::MAX_OUTPUT_BUFFER_BYTES);
        for _ in 0..count {
            peer.expect(&big).await;
        }
        let seen = harness.backend.seen.borrow();
        assert!(seen[1..].iter().all(|job| job.0 * size <= limits::JOB_OUTPUT_BYTES), "{seen:?}");
    });
}

#[test]
fn a_large_value_goes_in_and_out() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let value = "v".repeat(20 << 20);
        peer.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\nGET k\r\n", value.len())).await;
        peer.expect(format!("+OK\r\n${}\r\n{value}\r\n", value.len())).await;
    });
}

#[test]
fn silent_clients_are_closed_when_asked_for() {
    serve(ServerConfig { idle_timeout: Some(Duration::from_secs(1)), ..config() }, |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("PING\r\n").await;
        peer.expect("+PONG\r\n").await;
        peer.expect_end().await;
    });
}

#[test]
fn shutdown_answers_what_is_under_way() {
    serve(config(), |mut harness| async move {
        let (mut busy, mut idle) = (harness.connect().await, harness.connect().await);
        idle.ask("PING", "+PONG ").await;
        harness.backend.paused.set(true);
        busy.send("SET a 1\r\n").await;
        while harness.backend.waiting() == 0 {
            yield_now().await;
        }
        harness.begin_shutdown();
        idle.expect_end().await;
        harness.backend.go_on();
        busy.expect("+OK\r\n").await;
        busy.expect_end().await;
        harness.server.take().unwrap().await.unwrap();
        assert!(tokio::net::TcpStream::connect(harness.addr).await.is_err());
    });
}

#[test]
fn shutdown_does_not_wait_for_ever() {
    serve(ServerConfig { drain_timeout: Duration::from_millis(50), ..config() }, |mut harness| async move {
        let mut busy = harness.connect().await;
        harness.backend.paused.set(true);
        busy.send("SET a 1\r\n").await;
        while harness.backend.waiting() == 0 {
            yield_now().await;
        }
        harness.shut_down().await;
        busy.expect_end().await;
        assert!(harness.clients.is_empty());
        busy.0.shutdown().await.ok();
    });
}

#[test]
fn what_comes_after_the_last_command_does_not_take_its_reply_away() {
    serve(config(), |harness| async move {
        for _ in 0..20 {
            let mut peer = harness.connect().await;
            peer.send(format!("QUIT\r\n{}", "PING\r\n".repeat(2_000))).await;
            peer.expect("+OK\r\n").await;
            peer.expect_orderly_end().await;
        }
    });
}

#[test]
fn a_browser_is_not_served() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nSET a 1\r\n").await;
        peer.expect_end().await;
        harness.connect().await.ask("GET a", "$-1 ").await;
    });
}

#[test]
fn a_silent_connection_gives_its_buffers_back_and_goes_on() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let value = "v".repeat(1 << 20);
        peer.send(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n*2\r\n$3\r\nGE", value.len()))
            .await;
        peer.expect("+OK\r\n").await;
        let client = harness.clients.all().pop().unwrap();
        while client.input_capacity.get() > 2 * limits::IDLE_BUFFER_BYTES {
            tokio::time::sleep(Duration::from_millis(20)).await; // housekeeping comes once a second
        }
        peer.send("T\r\n$1\r\nk\r\n").await;
        peer.expect(format!("${}\r\n{value}\r\n", value.len())).await;
    });
}
