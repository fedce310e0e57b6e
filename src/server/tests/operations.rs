//! MONITOR, SHUTDOWN, SAVE and its like, WAIT and WAITAOF over the wire.

use super::{Harness, Peer, config, serve};
use std::cell::Cell;
use std::future::pending;

/// Reads what a monitor is shown next: the line behind its time and client.
async fn shown(monitor: &mut Peer) -> String {
    monitor.skip_to("] ").await;
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        let mut byte = [0];
        tokio::io::AsyncReadExt::read_exact(&mut monitor.0, &mut byte).await.unwrap();
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

#[test]
fn a_monitor_is_shown_each_command_as_it_is_taken() {
    serve(config(), |harness| async move {
        let mut client = harness.connect().await;
        client.ask("SET before 1", "+OK ").await;
        let mut monitor = harness.connect().await;
        monitor.ask("MONITOR", "+OK ").await;
        client
            .send("SET a 1\r\nGET a\r\nPING\r\nNOSUCH\r\nGET\r\nCONFIG GET x\r\nAUTH secret\r\nSET b 2\r\n")
            .await;
        for line in
            [r#""SET" "a" "1""#, r#""GET" "a""#, r#""PING""#, r#""AUTH" "(redacted)""#, r#""SET" "b" "2""#]
        {
            assert_eq!(shown(&mut monitor).await, line);
        }
        client.skip_to("+PONG\r\n").await;
        client.send("MULTI\r\nSET c 3\r\nEXEC\r\nMULTI\r\nNOSUCH\r\nEXEC\r\nWATCH a\r\n").await;
        for line in
            [r#""MULTI""#, r#""SET" "c" "3""#, r#""EXEC""#, r#""MULTI""#, r#""EXEC""#, r#""WATCH" "a""#]
        {
            assert_eq!(shown(&mut monitor).await, line);
        }
        let mut other = harness.connect().await;
        other.send("MULTI\r\nMONITOR\r\nEXEC\r\nCLIENT LIST\r\n").await;
        other.expect("+OK\r\n+QUEUED\r\n*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n").await;
        assert!(other.text().await.contains(" flags=O "));
        other.ask("PING", "+PONG ").await;
        monitor.skip_to("\"PING\"\r\n").await;
        // It does nothing with keys, does not answer twice, and is an ordinary client after RESET.
        monitor.send("MONITOR\r\nGET a\r\n").await;
        monitor.expect("-ERR Replica can't interact with the keyspace\r\n").await;
        other.send("MONITOR\r\n").await;
        other.expect("+OK\r\n").await;
        monitor.send("RESET\r\n").await;
        monitor.expect("+RESET\r\n").await;
        other.skip_to("\"RESET\"\r\n").await;
        other.send("RESET\r\n").await;
        other.expect("+RESET\r\n").await;
        client.send("PING\r\n").await;
        monitor.ask("GET a", "$1 1 ").await;
        other.send("CLIENT LIST\r\n").await;
        assert!(!other.text().await.contains(" flags=O "));
    });
}

#[test]
fn a_monitor_that_does_not_read_is_closed_and_nobody_else() {
    serve(config(), |harness| async move {
        let mut monitor = harness.connect().await;
        monitor.ask("MONITOR", "+OK ").await;
        let mut client = harness.connect().await;
        let echo = format!("ECHO {}\r\n", "x".repeat(60_000));
        let mut sent = 0;
        while harness.clients.len() == 2 {
            client.send(&echo).await;
            client.skip_to("x\r\n").await;
            sent += echo.len();
            assert!(sent < 4 * crate::limits::MAX_MONITOR_OUTPUT_BYTES, "it holds ever more");
        }
        client.ask("PING", "+PONG ").await;
    });
}

/// Waits until the server is to stop, and stops it, as the process does.
async fn stop_when_asked(harness: &mut Harness, hand_over: impl AsyncFnMut()) {
    harness.clients.stop().wait(async || pending().await, hand_over).await;
    harness.shut_down().await;
}

#[test]
fn shutdown_hands_over_first_and_the_end_is_its_answer() {
    serve(config(), |mut harness| async move {
        let (mut asking, mut other) = (harness.connect().await, harness.connect().await);
        for (command, expected) in [
            ("SHUTDOWN x", "-ERR_syntax_error "),
            ("SHUTDOWN SAVE NOSAVE", "-ERR_syntax_error "),
            ("SHUTDOWN ABORT NOW", "-ERR_syntax_error "),
            ("SHUTDOWN ABORT", "-ERR_No_shutdown_in_progress. "),
            ("MULTI", "+OK "),
            ("SHUTDOWN", "-ERR_Command_not_allowed_inside_a_transaction "),
            ("DISCARD", "+OK "),
        ] {
            asking.ask(command, expected).await;
        }
        asking.send("SHUTDOWN\r\n").await;
        stop_when_asked(&mut harness, async || other.ask("PING", "+PONG ").await).await;
        asking.expect_orderly_end().await;
        other.expect_orderly_end().await;
    });
}

#[test]
fn a_shutdown_that_waits_for_a_successor_can_be_taken_back() {
    serve(config(), |mut harness| async move {
        let (mut asking, mut other) = (harness.connect().await, harness.connect().await);
        let clients = harness.clients.clone();
        let tries = Cell::new(0);
        let hand_over = async || {
            tries.set(tries.get() + 1);
            if tries.get() == 1 {
                pending::<()>().await;
            }
        };
        let conversation = async {
            asking.send("SHUTDOWN\r\n").await;
            while tries.get() == 0 {
                tokio::task::yield_now().await;
            }
            other.ask("SHUTDOWN ABORT", "+OK ").await;
            asking.expect("-ERR Errors trying to SHUTDOWN. Check logs.\r\n").await;
            asking.ask("PING", "+PONG ").await;
            asking.send("SHUTDOWN\r\n").await;
        };
        tokio::join!(clients.stop().wait(async || pending().await, hand_over), conversation);
        assert_eq!(tries.get(), 2);
        harness.shut_down().await;
        asking.expect_orderly_end().await;
    });
}

#[test]
fn shutdown_save_waits_for_the_snapshot_and_now_for_nobody() {
    serve(config(), |mut harness| async move {
        let mut asking = harness.connect().await;
        asking.send("SHUTDOWN SAVE NOW\r\n").await;
        while harness.backend.asked.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(*harness.backend.asked.borrow(), ["snapshot"]);
        harness.connect().await.ask("SHUTDOWN ABORT", "-ERR_No_shutdown_in_progress. ").await;
        harness.backend.status.borrow_mut().snapshot_index = 50;
        stop_when_asked(&mut harness, async || panic!("it does not hand over")).await;
        asking.expect_orderly_end().await;
    });
}

#[test]
fn saves_are_answered_as_they_are_true() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        harness.backend.status.borrow_mut().last_snapshot_s = 1_700_000_000;
        operator.ask("LASTSAVE", ":1700000000 ").await;
        operator.ask("BGSAVE", "+Background_saving_started ").await;
        operator.ask("BGSAVE x", "-ERR_syntax_error ").await;
        operator.ask("BGREWRITEAOF", "+Background_append_only_file_rewriting_started ").await;
        operator.send("MULTI\r\nBGSAVE SCHEDULE\r\nBGREWRITEAOF\r\nEXEC\r\n").await;
        operator.skip_to("*2\r\n").await;
        operator.expect("+Background saving scheduled\r\n").await;
        operator.expect("+Background append only file rewriting scheduled\r\n").await;
        assert_eq!(*harness.backend.asked.borrow(), ["snapshot"; 4]);
        harness.backend.status.borrow_mut().snapshot_in_progress = true;
        operator.ask("SAVE", "-ERR_Background_save_already_in_progress ").await;
        operator.ask("BGSAVE SCHEDULE", "-ERR_Background_save_already_in_progress ").await;
        let running = "-ERR_Background_append_only_file_rewriting_already_in_progress ";
        operator.ask("BGREWRITEAOF", running).await;
        harness.backend.status.borrow_mut().snapshot_in_progress = false;
        operator.send("SAVE\r\n").await;
        while harness.backend.asked.borrow().len() < 5 {
            tokio::task::yield_now().await;
        }
        harness.backend.status.borrow_mut().snapshot_index = 50;
        operator.expect("+OK\r\n").await;
        // One that fails is not waited for.
        harness.backend.status.borrow_mut().applied_index = 60;
        operator.send("SAVE\r\n").await;
        while harness.backend.asked.borrow().len() < 6 {
            tokio::task::yield_now().await;
        }
        harness.backend.status.borrow_mut().snapshots_failed_total = 1;
        operator.expect("-ERR\r\n").await;
        harness.backend.status.borrow_mut().last_snapshot_failed = true;
        operator.send("INFO persistence\r\n").await;
        assert!(operator.text().await.contains("rdb_last_bgsave_status:err\r\n"));
        operator.expect("").await;
        operator.send("SHUTDOWN SAVE\r\n").await;
        while harness.backend.asked.borrow().len() < 7 {
            tokio::task::yield_now().await;
        }
        harness.backend.status.borrow_mut().snapshots_failed_total = 2;
        operator.expect("-ERR Errors trying to SHUTDOWN. Check logs.\r\n").await;
    });
}

#[test]
fn snapshots_are_taken_as_save_says() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        operator.ask("CONFIG SET save \"100 1000 3600 5\"", "+OK ").await;
        operator.ask("CONFIG GET save", "*2 $4 save $15 100_1000_3600_5 ").await;
        // Never saved; too few changes for the first, enough for the second.
        harness.backend.status.borrow_mut().unsaved_changes = 5;
        while harness.backend.asked.borrow().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(*harness.backend.asked.borrow(), ["snapshot"]);
        operator.ask("CONFIG SET save \"\" repl-backlog-size 10mb", "+OK ").await;
        operator.ask("CONFIG GET repl-backlog-size", "*2 $17 repl-backlog-size $8 10485760 ").await;
    });
}

#[test]
fn waits_count_from_the_own_last_write() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("WAIT 2 0", ":2 "), // it wrote nothing
            ("WAITAOF 1 2 0", "*2 :1 :2 "),
            ("WAITAOF 2 0 0", "-ERR_value_is_out_of_range,_value_must_between_0_and_1 "),
            ("WAITAOF a 0 0", "-ERR_value_is_not_an_integer_or_out_of_range "),
            ("WAITAOF 1 -1 0", "-ERR_value_is_out_of_range,_must_be_positive "),
            ("WAITAOF 1 1 -1", "-ERR_timeout_is_negative "),
            ("WAITAOF 1 1 x", "-ERR_timeout_is_not_an_integer_or_out_of_range "),
            ("SET k v", "+OK "),
            ("WAITAOF 0 1 0", "*2 :0 :1 "),
            ("WAITAOF 1 1 5", "*2 :0 :1 "),
        ] {
            peer.ask(command, expected).await;
        }
        // What others write meanwhile is not waited for.
        harness.backend.status.borrow_mut().applied_index = 60;
        harness.backend.status.borrow_mut().persisted_index = 50;
        peer.ask("WAITAOF 1 1 0", "*2 :1 :1 ").await;
        peer.ask("WAIT 1 0", ":1 ").await;
        peer.send("MULTI\r\nWAITAOF 1 2 0\r\nEXEC\r\n").await;
        peer.expect("+OK\r\n+QUEUED\r\n*1\r\n*2\r\n:1\r\n:1\r\n").await;
        peer.ask("SET k w", "+OK ").await;
        peer.ask("WAIT 1 5", ":0 ").await;
        harness.backend.status.borrow_mut().storage = "memory";
        peer.send("WAITAOF 1 0 0\r\n").await;
        peer.expect("-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.\r\n").await;
        peer.ask("WAITAOF 0 0 0", "*2 :0 :0 ").await;
    });
}
