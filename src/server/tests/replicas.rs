//! Replicas of Redis's protocol over the wire: what they are sent, in which order, and when not.

use super::{Harness, PATIENCE, Peer, comes_true, config, serve};
use crate::command::Reply;
use crate::node::{Clients, SnapshotNews};
use std::future::Future;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// With a machine behind the server.
fn run<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    serve(config(), |harness| {
        harness.backend.has_machine.set(true);
        test(harness)
    });
}

/// A command as it stands in the stream; a word that is `_` is empty.
fn streamed(line: &str) -> String {
    line.split(" / ")
        .map(|command| {
            let words: Vec<_> = command.split(' ').map(|word| word.replace('_', "")).collect();
            let bulks: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
            format!("*{}\r\n{bulks}", words.len())
        })
        .collect()
}

/// One line, newlines that keep the connection alive left out.
async fn line(peer: &mut Peer) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        match timeout(PATIENCE, peer.0.read_u8()).await.expect("a line").unwrap() {
            b'\n' if line.is_empty() => {}
            byte => line.push(byte),
        }
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

/// Its end; what keeps a connection alive may come before.
async fn end(peer: &mut Peer) {
    let mut rest = Vec::new();
    match timeout(PATIENCE, peer.0.read_to_end(&mut rest)).await.expect("the connection ends") {
        Ok(_) => assert!(rest.iter().all(|&byte| byte == b'\n'), "{}", rest.escape_ascii()),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

/// A file of that length.
async fn file(peer: &mut Peer, size_bytes: usize) -> Vec<u8> {
    let mut file = vec![0; size_bytes];
    timeout(PATIENCE, peer.0.read_exact(&mut file)).await.expect("a file").unwrap();
    assert!(file.starts_with(b"REDIS0010\xfa\x09redis-ver\x067.0.15"), "{}", file.escape_ascii());
    file
}

async fn sized_file(peer: &mut Peer) -> Vec<u8> {
    let header = line(peer).await;
    file(peer, header.strip_prefix('$').expect(&header).parse().expect(&header)).await
}

/// Asks for a snapshot, and waits until the server knows.
async fn attach(harness: &Harness, how: &str) -> Peer {
    let before = asked(harness);
    let mut replica = harness.connect().await;
    replica.send(how).await;
    for _ in how.matches("REPLCONF") {
        replica.expect("+OK\r\n").await;
    }
    assert!(comes_true(|| asked(harness) > before).await, "a snapshot is asked for");
    replica
}

fn asked(harness: &Harness) -> usize {
    harness.backend.asked.borrow().iter().filter(|asked| *asked == "snapshot").count()
}

fn tell(harness: &Harness, news: SnapshotNews) {
    harness.clients.snapshot(news);
    harness.clients.flush();
}

#[test]
fn a_replica_is_sent_the_keys_and_then_what_changes() {
    run(|harness| async move {
        let mut client = harness.connect().await;
        client.ask("SET before 1", "+OK ").await;
        let mut replica = attach(&harness, "SYNC\r\n").await;
        client.ask("SET waiting 1", "+OK ").await; // it is in the file
        tell(&harness, SnapshotNews::Begun(51));
        client.ask("SET begun 1", "+OK ").await;
        tell(&harness, SnapshotNews::Stored(50)); // another's
        tell(&harness, SnapshotNews::Stored(51));
        let keys = sized_file(&mut replica).await;
        for key in ["\x06before\u{c0}\x01", "\x07waiting\u{c0}\x01"] {
            let key: Vec<u8> = key.chars().map(|c| c as u8).collect();
            assert!(keys.windows(key.len()).any(|window| window == key), "{}", keys.escape_ascii());
        }
        replica.expect(streamed("SELECT 0 / SET begun 1")).await;
        client.send("SELECT 3\r\nMULTI\r\nSET a 1 GET\r\nGET a\r\nGETDEL a\r\nEXEC\r\nGETEX a\r\n").await;
        replica.expect(streamed("SELECT 3 / MULTI / SET a 1 / DEL a / EXEC")).await;
        client.send("MULTI\r\nPUBLISH c m\r\nEXEC\r\nFLUSHDB\r\nSET b 1 NX PXAT 9999999999999\r\n").await;
        replica.expect(streamed("PUBLISH c m / FLUSHDB / SET b 1 PXAT 9999999999999")).await;
        client
            .send("MSET c 1 d 2\r\nCAS d 1 _\r\nDELIFEQ c 1\r\nONCE s 1 INCR n\r\nONCE s 1 INCR n\r\n")
            .await;
        replica.expect(streamed("MSET c 1 d 2")).await;
        replica.expect("*3\r\n$3\r\nSET\r\n$1\r\nd\r\n$1\r\n_\r\n").await;
        replica.expect(streamed("DEL c / INCR n")).await;
        // What it says is heard, and not answered; it is no ordinary client any more.
        replica.send("REPLCONF ACK 100\r\nREPLCONF GETACK *\r\nSYNC\r\n\n").await;
        assert!(comes_true(|| harness.clients.replicas.all()[0].acknowledged.get() == 100).await);
        let mut other = harness.connect().await;
        other.send("INFO replication\r\n").await;
        let info = other.text().await;
        assert!(info.contains("attached_replicas:1\r\n"), "{info}");
        assert!(info.contains(",state=online,offset=100,lag=0\r\n"), "{info}");
        other.send("CLIENT LIST TYPE replica\r\n").await;
        assert!(other.text().await.contains(" flags=S "));
        other.ask("CONFIG SET repl-ping-slave-period 1", "+OK ").await;
        replica.expect(streamed("PING")).await;
        replica.send("GET b\r\n").await;
        replica.expect_end().await;
    });
}

#[test]
fn nothing_follows_a_mark_before_the_replica_has_found_it() {
    run(|harness| async move {
        let mut client = harness.connect().await;
        let how = "REPLCONF listening-port 7 ip-address h\r\nREPLCONF capa eof capa psync2\r\nPSYNC ? -1\r\n";
        let mut replica = attach(&harness, how).await;
        tell(&harness, SnapshotNews::Begun(51));
        assert_eq!(line(&mut replica).await, format!("+FULLRESYNC {} 0", "0".repeat(40)));
        client.ask("SET a 1", "+OK ").await;
        tell(&harness, SnapshotNews::Stored(51));
        let header = line(&mut replica).await;
        let mark = header.strip_prefix("$EOF:").expect(&header).to_owned();
        assert_eq!(mark.len(), 40);
        let mut read = Vec::new();
        while !read.ends_with(mark.as_bytes()) {
            read.push(timeout(PATIENCE, replica.0.read_u8()).await.expect(&mark).unwrap());
        }
        assert!(read.starts_with(b"REDIS0010"));
        let stream = streamed("SELECT 0 / SET a 1");
        harness.clients.flush();
        client.send("INFO replication\r\n").await;
        let info = client.text().await;
        let told =
            format!("ip=h,port=7,state=send_bulk,offset=0,lag=0\r\nattached_stream_offset:{}", stream.len());
        assert!(info.contains(&told), "{info}");
        replica.send("REPLCONF ACK 0\r\n").await;
        replica.expect(&stream).await;
        // A second one has a stream of its own beginning: all hear of the database again.
        let mut second = attach(&harness, "PSYNC 0000 77\r\n").await;
        tell(&harness, SnapshotNews::Begun(60));
        tell(&harness, SnapshotNews::Stored(60));
        assert_eq!(line(&mut second).await, format!("+FULLRESYNC {} {}", "0".repeat(40), stream.len()));
        sized_file(&mut second).await;
        client.ask("SET a 2", "+OK ").await;
        for replica in [&mut replica, &mut second] {
            replica.expect(streamed("SELECT 0 / SET a 2")).await;
        }
        // The state is another: the stream does not follow from it.
        tell(&harness, SnapshotNews::Installed);
        replica.expect_end().await;
        second.expect_end().await;
        let none = || !harness.clients.all().iter().any(|client| client.replicates.get());
        assert!(comes_true(none).await);
    });
}

#[test]
fn a_snapshot_that_is_there_already_is_not_waited_for() {
    run(|harness| async move {
        let mut replica = attach(&harness, "SYNC\r\n").await;
        harness.backend.status.borrow_mut().snapshot_index = 50; // what is applied
        sized_file(&mut replica).await;
        let mut client = harness.connect().await;
        client.ask("INCR n", ":1 ").await;
        replica.expect(streamed("SELECT 0 / INCR n")).await;
    });
}

#[test]
fn who_wants_the_file_only_gets_no_more() {
    run(|harness| async move {
        let mut client = harness.connect().await;
        client.ask("SET key 1", "+OK ").await;
        harness.backend.status.borrow_mut().snapshot_index = 50;
        let how =
            "REPLCONF rdb-only 1\r\nREPLCONF capa eof\r\nREPLCONF rdb-filter-only functions\r\nSYNC\r\n";
        let mut replica = attach(&harness, how).await;
        let header = line(&mut replica).await;
        let mut rest = Vec::new();
        timeout(PATIENCE, replica.0.read_to_end(&mut rest)).await.expect("it ends").unwrap();
        let file = rest.strip_suffix(&header.as_bytes()[5..]).expect("the mark is the end");
        assert!(file.starts_with(b"REDIS0010") && !file.windows(3).any(|window| window == b"key"));
    });
}

#[test]
fn one_whose_snapshot_fails_or_that_falls_behind_is_closed() {
    run(|harness| async move {
        let mut failed = attach(&harness, "SYNC\r\n").await;
        tell(&harness, SnapshotNews::Failed); // another's
        tell(&harness, SnapshotNews::Begun(51));
        tell(&harness, SnapshotNews::Failed);
        end(&mut failed).await;
        // Its stream is held only up to a bound.
        let mut slow = attach(&harness, "SYNC\r\n").await;
        tell(&harness, SnapshotNews::Begun(52));
        let mut client = harness.connect().await;
        let value = "x".repeat(60 << 20);
        for _ in 0..5 {
            client.send(format!("*3\r\n$3\r\nSET\r\n$1\r\na\r\n${}\r\n{value}\r\n", value.len())).await;
            client.expect("+OK\r\n").await;
        }
        end(&mut slow).await;
        client.ask("GET b", "$-1 ").await;
    });
}

#[test]
fn without_a_leader_nobody_is_synchronized() {
    run(|harness| async move {
        harness.backend.paused.set(true);
        let mut replica = harness.connect().await;
        replica.send("SYNC\r\n").await;
        assert!(comes_true(|| harness.backend.waiting() == 1).await);
        let ticket = harness.clients.all()[0].id;
        harness.clients.reply(ticket, Reply::error("CLUSTERDOWN no leader"));
        harness.clients.flush();
        replica.expect("-NOMASTERLINK Can't SYNC while not connected with my master\r\n").await;
        replica.ask("PING", "+PONG ").await;
    });
}
