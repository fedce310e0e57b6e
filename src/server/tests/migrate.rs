//! MIGRATE, to another server that is a script: what it is sent, and what is left here when it answers
//! this or that while the keys go on living.

use super::{Harness, PATIENCE, Peer, config, serve};
use crate::config::Redirect;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// The other server.
struct Target {
    listener: TcpListener,
    port: u16,
}

impl Target {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    async fn accept(&self) -> Peer {
        Peer(timeout(PATIENCE, self.listener.accept()).await.expect("somebody connects").unwrap().0)
    }
}

/// What the other server is sent: commands in words, payloads as `...`.
async fn sent(peer: &mut Peer, commands: usize) -> Vec<String> {
    let mut all = Vec::new();
    for _ in 0..commands {
        let words = number(peer, b'*').await;
        let mut command = Vec::new();
        for _ in 0..words {
            let mut word = vec![0; number(peer, b'$').await + 2];
            timeout(PATIENCE, peer.0.read_exact(&mut word)).await.expect("a word").unwrap();
            word.truncate(word.len() - 2);
            command.push(String::from_utf8(word).unwrap_or("...".to_owned()));
        }
        all.push(command.join(" "));
    }
    all
}

async fn number(peer: &mut Peer, kind: u8) -> usize {
    assert_eq!(timeout(PATIENCE, peer.0.read_u8()).await.expect("a command").unwrap(), kind);
    let mut number = 0;
    loop {
        match peer.0.read_u8().await.unwrap() {
            b'\r' => assert_eq!(peer.0.read_u8().await.unwrap(), b'\n'),
            digit => {
                number = number * 10 + usize::from(digit - b'0');
                continue;
            }
        }
        return number;
    }
}

async fn scene(harness: &Harness) -> (Peer, Peer, Target) {
    harness.backend.has_machine.set(true);
    let mut source = harness.connect().await;
    source.ask("MSET a 1000000 b 1000001 c 1000002", "+OK ").await;
    (source, harness.connect().await, Target::new().await)
}

#[test]
fn what_is_acknowledged_is_removed_and_connections_serve_again() {
    serve(config(), |harness| async move {
        let (mut source, _, target) = scene(&harness).await;
        let port = target.port;
        source.send(format!("MIGRATE 127.0.0.1 {port} \"\" 3 0 AUTH2 me secret KEYS a b none\r\n")).await;
        let mut peer = target.accept().await;
        let greeting = ["AUTH me secret", "SELECT 3", "RESTORE a 0 ...", "RESTORE b 0 ..."];
        assert_eq!(sent(&mut peer, 4).await, greeting);
        peer.send("+OK\r\n+OK\r\n+OK\r\n-BUSYKEY Target key name already exists.\r\n").await;
        source
            .expect("-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n")
            .await;
        source.ask("EXISTS a b c", ":2 ").await;
        // After an error the database is chosen anew, and then no more.
        source.send(format!("MIGRATE 127.0.0.1 {port} b 3 0 REPLACE AUTH2 me secret\r\n")).await;
        let again = ["AUTH me secret", "SELECT 3", "RESTORE b 0 ... REPLACE"];
        assert_eq!(sent(&mut peer, 3).await, again);
        peer.send("+OK\r\n+OK\r\n+OK\r\n").await;
        source.expect("+OK\r\n").await;
        source.send(format!("MIGRATE 127.0.0.1 {port} c 3 0 COPY AUTH2 me secret\r\n")).await;
        assert_eq!(sent(&mut peer, 2).await, ["AUTH me secret", "RESTORE c 0 ..."]);
        peer.send("+OK\r\n+OK\r\n").await;
        source.expect("+OK\r\n").await;
        source.ask("EXISTS a b c", ":1 ").await;
        // Nobody else gets a connection that somebody has logged in on.
        source.send(format!("MIGRATE 127.0.0.1 {port} c 3 0\r\n")).await;
        let mut other = target.accept().await;
        assert_eq!(sent(&mut other, 2).await, ["SELECT 3", "RESTORE c 0 ..."]);
        other.send("+OK\r\n+OK\r\n").await;
        source.expect("+OK\r\n").await;
        source.ask(&format!("MIGRATE 127.0.0.1 {port} c 3 0"), "+NOKEY ").await;
    });
}

#[test]
fn what_changes_meanwhile_is_sent_again_and_what_goes_is_deleted_there() {
    serve(config(), |harness| async move {
        let (mut source, mut other, target) = scene(&harness).await;
        source.send(format!("MIGRATE 127.0.0.1 {} \"\" 0 0 KEYS a b c\r\n", target.port)).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 4).await;
        // Deleted and made again: another key, whatever its version.
        other.ask("DEL a b", ":2 ").await;
        other.ask("SET a 1000003", "+OK ").await;
        peer.send("+OK\r\n+OK\r\n+OK\r\n+OK\r\n").await;
        assert_eq!(sent(&mut peer, 2).await, ["RESTORE a 0 ... REPLACE", "DEL b"]);
        other.ask("EXISTS a c", ":1 ").await;
        other.ask("PEXPIREAT a 4102444800000", ":1 ").await;
        peer.send("+OK\r\n:1\r\n").await;
        let [again] = &sent(&mut peer, 1).await[..] else { panic!("one command") };
        assert!(again.starts_with("RESTORE a ") && again.ends_with(" ... REPLACE"), "{again}");
        assert!(!again.starts_with("RESTORE a 0"), "{again}");
        peer.send("+OK\r\n").await;
        source.expect("+OK\r\n").await;
        source.ask("DBSIZE", ":0 ").await;
    });
}

#[test]
fn a_key_that_never_rests_stays_here() {
    serve(config(), |harness| async move {
        let (mut source, mut other, target) = scene(&harness).await;
        source.send(format!("MIGRATE 127.0.0.1 {} a 0 0\r\n", target.port)).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 1).await;
        peer.send("+OK\r\n").await;
        for n in 0..crate::limits::MIGRATE_ATTEMPTS {
            sent(&mut peer, 1).await;
            other.ask("INCR a", &format!(":{} ", 1_000_001 + n)).await;
            peer.send("+OK\r\n").await;
        }
        source.skip_to("-ERR a key is written faster than it can be sent").await;
        source.skip_to("\r\n").await;
        source.ask("EXISTS a", ":1 ").await;
    });
}

#[test]
fn a_way_that_ends_removes_only_what_was_acknowledged() {
    serve(config(), |harness| async move {
        let (mut source, mut other, target) = scene(&harness).await;
        let port = target.port;
        source.send(format!("MIGRATE 127.0.0.1 {port} \"\" 0 0 KEYS a b c\r\n")).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 4).await;
        peer.send("+OK\r\n+OK\r\n+O").await;
        drop(peer);
        source.expect("-IOERR error or timeout reading to target instance\r\n").await;
        source.ask("EXISTS a b c", ":2 ").await;
        // One that takes long.
        source.send(format!("MIGRATE 127.0.0.1 {port} b 0 50\r\n")).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 2).await;
        source.expect("-IOERR error or timeout reading to target instance\r\n").await;
        peer.expect_end().await;
        // A connection that was kept and is closed by the other end: another one is made.
        source.send(format!("MIGRATE 127.0.0.1 {port} b 0 0\r\n")).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 2).await;
        peer.send("+OK\r\n+OK\r\n").await;
        source.expect("+OK\r\n").await;
        drop(peer);
        source.send(format!("MIGRATE 127.0.0.1 {port} c 0 0\r\n")).await;
        let mut peer = target.accept().await;
        assert_eq!(sent(&mut peer, 2).await, ["SELECT 0", "RESTORE c 0 ..."]);
        // Whoever asked may leave; the key goes all the same.
        drop(source);
        peer.send("+OK\r\n+OK\r\n").await;
        while harness.clients.len() > 1 {
            tokio::task::yield_now().await;
        }
        other.ask("DBSIZE", ":0 ").await;
    });
}

#[test]
fn a_login_that_fails_is_what_is_told_and_nothing_is_removed() {
    serve(config(), |harness| async move {
        let (mut source, _, target) = scene(&harness).await;
        source.send(format!("MIGRATE 127.0.0.1 {} a 0 0 AUTH x\r\n", target.port)).await;
        let mut peer = target.accept().await;
        sent(&mut peer, 3).await;
        peer.send("-WRONGPASS no\r\n+OK\r\n+OK\r\n").await;
        source.expect("-ERR Target instance replied with error: WRONGPASS no\r\n").await;
        source.ask("EXISTS a", ":1 ").await;
        drop(target);
        drop(peer);
        source.ask("MIGRATE 127.0.0.1 1 a 0 0", "-IOERR_error_or_timeout_writing_to_target_instance ").await;
    });
}

#[test]
fn others_see_it_wait_and_can_end_it() {
    serve(config(), |harness| async move {
        let (mut source, mut other, target) = scene(&harness).await;
        source.ask("CLIENT ID", ":1 ").await;
        for how in ["TIMEOUT", "ERROR"] {
            source.send(format!("MIGRATE 127.0.0.1 {} a 0 100000\r\n", target.port)).await;
            let mut peer = target.accept().await;
            sent(&mut peer, 2).await;
            other.ask(&format!("CLIENT UNBLOCK 1 {how}"), ":1 ").await;
            source
                .expect(match how {
                    "ERROR" => "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n",
                    _ => "-IOERR error or timeout reading to target instance\r\n",
                })
                .await;
            peer.expect_end().await;
        }
        source.ask("EXISTS a", ":1 ").await;
        for (command, expected) in [
            ("MULTI", "+OK "),
            ("MIGRATE 127.0.0.1 1 a 0 0", "-ERR_Command_not_allowed_inside_a_transaction "),
            ("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. "),
        ] {
            source.ask(command, expected).await;
        }
        // What is asked of an old state would be sent as it was.
        source.ask("READONLY", "+OK ").await;
        source.ask("MIGRATE 127.0.0.1 1 none 0 0", "+NOKEY ").await;
        let (_, consistency) = *harness.backend.seen.borrow().last().expect("a job");
        assert_eq!(consistency, crate::group::Consistency::Linearizable);
    });
}

#[test]
fn a_cluster_tells_the_other_one_that_it_may_not_redirect() {
    serve(super::ServerConfig { redirect: Redirect::Moved, ..config() }, |harness| async move {
        let (mut source, _, target) = scene(&harness).await;
        source.send(format!("MIGRATE 127.0.0.1 {} a 0 0\r\n", target.port)).await;
        let mut peer = target.accept().await;
        assert_eq!(sent(&mut peer, 2).await, ["SELECT 0", "RESTORE-ASKING a 0 ..."]);
        peer.send("+OK\r\n+OK\r\n").await;
        source.expect("+OK\r\n").await;
        let status = &harness.backend.status;
        status.borrow_mut().role = crate::node::Role::Follower;
        status.borrow_mut().leader_id = 2;
        source.ask("MIGRATE h 1 \"\" 0 0 KEYS foo", "-MOVED_12182_127.0.0.1:6380 ").await;
        source.ask("RESTORE foo 0 x", "-MOVED_12182_127.0.0.1:6380 ").await;
        source.ask("RESTORE-ASKING foo 0 x", "-ERR_DUMP_payload_version_or_checksum_are_wrong ").await;
    });
}
