//! CLIENT PAUSE, REPLY, KILL and UNBLOCK, as others see them. Replies to wrong calls are in
//! redis-tests/golden/client.golden.

use super::*;

impl Peer {
    /// Everything before it was answered, and this too.
    async fn is_alive(&mut self) {
        self.ask("PING", "+PONG ").await;
    }
}

async fn blocked(harness: &Harness, count: usize) {
    let is_blocked = |client: &&Rc<crate::server::client::Client>| client.blocked.get();
    while harness.clients.all().iter().filter(is_blocked).count() != count {
        tokio::task::yield_now().await;
    }
}

#[test]
fn writes_wait_for_the_end_of_a_pause_and_reads_do_not() {
    serve(config(), |harness| async move {
        let mut own = harness.connect().await;
        let mut other = harness.connect().await;
        let mut queued = harness.connect().await;
        queued.ask("MULTI", "+OK ").await;
        queued.ask("SET b 1", "+QUEUED ").await;
        own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        other.send("GET a\r\nSET a 1\r\nGET a\r\n").await;
        other.expect("$-1\r\n").await;
        queued.send("EXEC\r\n").await;
        blocked(&harness, 2).await;
        own.send("MULTI\r\nGET a\r\nEXEC\r\nSET a\r\n").await;
        own.expect("+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n").await;
        own.expect("-ERR wrong number of arguments for 'set' command\r\n").await;
        own.send("CLIENT LIST ID 2\r\n").await;
        assert!(own.text().await.contains(" flags=b "));
        own.ask("CLIENT UNBLOCK 2", ":0 ").await;
        own.ask("CLIENT UNPAUSE", "+OK ").await;
        other.expect("+OK\r\n$1\r\n1\r\n").await;
        queued.expect("*1\r\n+OK\r\n").await;
        blocked(&harness, 0).await;
    });
}

#[test]
fn scripts_that_say_that_they_write_nothing_do_not_wait() {
    serve(config(), |harness| async move {
        harness.backend.has_machine.set(true);
        let mut own = harness.connect().await;
        let mut other = harness.connect().await;
        let reads = "\"#!lua flags=no-writes\\nreturn 1\"";
        own.send(format!("SCRIPT LOAD {reads}\r\n")).await;
        let sha = own.text().await;
        let function = "redis.register_function{function_name='f', callback=function() return 2 end, flags={'no-writes'}}";
        own.send(format!("FUNCTION LOAD \"#!lua name=l\\n{function}\"\r\n")).await;
        own.expect("$1\r\nl\r\n").await;
        own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        other.send(format!("EVAL {reads} 0\r\nEVALSHA {sha} 0\r\nFCALL f 0\r\n")).await;
        other.expect(":1\r\n:1\r\n:2\r\n").await;
        // Nor does what Redis keeps for itself.
        other.send("SCRIPT LOAD \"return 3\"\r\n").await;
        assert_eq!(other.text().await.len(), 40);
        other.ask("ACL SETUSER somebody", "+OK ").await;
        other.send(format!("MULTI\r\nEVAL {reads} 0\r\nFCALL f 0\r\nEXEC\r\n")).await;
        other.expect("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n:2\r\n").await;
        for (waits, reply) in [
            ("EVAL \"return 3\" 0", ":3\r\n"),
            ("PUBLISH channel message", ":0\r\n"),
            ("EVAL \"#!lua\\nreturn 4\" 0", ":4\r\n"),
            ("MULTI\r\nEVAL \"return 5\" 0\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n:5\r\n"),
        ] {
            other.send(format!("{waits}\r\n")).await;
            blocked(&harness, 1).await;
            own.ask("CLIENT UNPAUSE", "+OK ").await;
            other.expect(reply).await;
            own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        }
    });
}

#[test]
fn a_pause_of_all_ends_by_itself_and_a_new_one_takes_the_place_of_the_old() {
    serve(config(), |harness| async move {
        let mut own = harness.connect().await;
        let mut other = harness.connect().await;
        other.is_alive().await;
        own.ask("CLIENT PAUSE 30 ALL", "+OK ").await;
        other.send("PING\r\nPING\r\n").await;
        other.expect("+PONG\r\n+PONG\r\n").await;
        own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        other.send("SET a 1\r\n").await;
        blocked(&harness, 1).await;
        own.ask("CLIENT PAUSE 30 WRITE", "+OK ").await;
        other.expect("+OK\r\n").await;
        // Who leaves meanwhile is let go.
        own.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        other.send("SET a 1\r\n").await;
        blocked(&harness, 1).await;
        drop(other);
        while harness.clients.len() > 1 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_stopping_node_answers_what_was_paused() {
    serve(config(), |mut harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CLIENT PAUSE 100000", "+OK ").await;
        peer.send("SET a 1\r\n").await;
        blocked(&harness, 1).await;
        harness.begin_shutdown();
        peer.expect("+OK\r\n").await;
        peer.expect_orderly_end().await;
    });
}

#[test]
fn replies_are_left_out_as_asked() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send(
            "SET a 1\r\nCLIENT REPLY SKIP\r\nGET a\r\nECHO x\r\nCLIENT REPLY OFF\r\nSET a 2\r\nnosuch\r\n",
        )
        .await;
        peer.expect("+OK\r\n$1\r\nx\r\n").await;
        peer.send("CLIENT REPLY SKIP\r\nMULTI\r\nGET a\r\nEXEC\r\nCLIENT REPLY ON\r\nGET a\r\n").await;
        peer.expect("+OK\r\n$1\r\n2\r\n").await;
        peer.send("CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\nCLIENT REPLY OFF\r\nRESET\r\nPING\r\n")
            .await;
        peer.expect("+OK\r\n+PONG\r\n+RESET\r\n+PONG\r\n").await;
        // The next one waits in a pause: it is still the next one.
        peer.send("CLIENT REPLY SKIP\r\n").await;
        let mut other = harness.connect().await;
        other.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        peer.send("SET a 3\r\nGET a\r\n").await;
        blocked(&harness, 1).await;
        other.ask("CLIENT UNPAUSE", "+OK ").await;
        peer.expect("$1\r\n3\r\n").await;
        // What is no reply comes all the same.
        peer.send("CLIENT REPLY OFF\r\nSUBSCRIBE news\r\n").await;
        peer.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n").await;
        peer.send("PING\r\nUNSUBSCRIBE news\r\nCLIENT REPLY ON\r\n").await;
        peer.expect("*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:0\r\n+OK\r\n").await;
    });
}

#[test]
fn the_killed_are_gone_at_once() {
    serve(config(), |harness| async move {
        let mut own = harness.connect().await;
        own.ask("CLIENT ID", ":1 ").await;
        let mut others = Vec::new();
        for _ in 0..3 {
            let mut peer = harness.connect().await;
            peer.is_alive().await;
            others.push(peer);
        }
        let addr = others[0].0.local_addr().unwrap();
        own.ask(&format!("CLIENT KILL {addr}"), "+OK ").await;
        others.remove(0).expect_end().await;
        own.ask("CLIENT KILL ID 3 SKIPME yes", ":1 ").await;
        assert_eq!(harness.clients.len(), 2);
        others.remove(0).expect_end().await;
        own.ask("CLIENT KILL TYPE normal", ":1 ").await;
        others.remove(0).expect_end().await;
        own.ask("CLIENT KILL ID 1", ":0 ").await;
        own.send("PING\r\nCLIENT KILL ID 1 SKIPME no\r\nPING\r\n").await;
        own.expect("+PONG\r\n:1\r\n").await;
        own.expect_orderly_end().await;
    });
}

#[test]
fn a_wait_can_be_ended_by_another() {
    serve(config(), |harness| async move {
        let mut own = harness.connect().await;
        let mut other = harness.connect().await;
        own.is_alive().await;
        own.ask("CLIENT UNBLOCK 2", ":0 ").await;
        other.ask("SET k v", "+OK ").await;
        other.send("WAIT 2 0\r\n").await;
        blocked(&harness, 1).await;
        own.ask("CLIENT UNBLOCK 2", ":1 ").await;
        other.expect(":1\r\n").await;
        other.send("WAIT 2 0\r\n").await;
        blocked(&harness, 1).await;
        own.ask("CLIENT UNBLOCK 2 ERROR", ":1 ").await;
        other.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n").await;
        other.is_alive().await;
    });
}
