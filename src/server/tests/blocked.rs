//! BLPOP and its like: who gets what, and who does not. What they answer at once is in redis-tests/golden/list.golden.

use super::*;
use crate::wire::units::{Args, Command, Unit};

/// On a machine that has keys.
fn with_machine<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    serve(config(), |harness| {
        harness.backend.has_machine.set(true);
        test(harness)
    });
}

impl Harness {
    /// A command of another node's client.
    fn apply(&self, command: &str) {
        self.apply_in(0, command);
    }

    fn apply_in(&self, db: u32, command: &str) {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        let reply =
            self.backend.apply(&Unit::Command(Command { args: Args::from_slice(&args), db }), &self.clients);
        assert!(!reply.is_error(), "{command}: {reply:?}");
    }

    /// So many clients wait, and the log has nothing more to do for them.
    async fn waiting(&self, count: usize) {
        let blocked = || self.clients.all().iter().filter(|client| client.blocked.get()).count();
        let is_quiet =
            || self.backend.waiting() == 0 && self.clients.all().iter().all(|client| client.awaiting() == 0);
        assert!(comes_true(|| blocked() == count && is_quiet()).await, "{} wait", blocked());
    }

    /// A client that waits.
    async fn waiter(&self, command: &str) -> Peer {
        let before = self.clients.all().iter().filter(|client| client.blocked.get()).count();
        let mut peer = self.connect().await;
        peer.send(format!("{command}\r\n")).await;
        self.waiting(before + 1).await;
        peer
    }
}

impl Peer {
    async fn gets(&mut self, expected: &str) {
        self.expect(expected.replace(' ', "\r\n")).await;
    }
}

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
