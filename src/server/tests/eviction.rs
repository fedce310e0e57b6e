//! A node that is over its `maxmemory` evicts before it takes what needs more, and refuses that only
//! when nothing can go. Memory is pretended here: that of the keys.

use super::*;
use crate::server::Backend;
use crate::wire::units::{Command, Unit};

const FULL: &str = "-OOM_command_not_allowed_when_used_memory_>_'maxmemory'. ";

/// As `MEMORY USAGE` says of a short one.
const KEY_BYTES: usize = 93;

fn serve_pretending<F: Future<Output = ()>>(test: impl FnOnce(Harness) -> F) {
    serve(config(), |harness| {
        harness.backend.has_machine.set(true);
        let backend = Rc::clone(&harness.backend);
        let bytes = move || {
            let mut keys = 0;
            backend.look(&mut |machine| keys = machine.keyspace().total_len());
            KEY_BYTES * keys
        };
        *harness.clients.stats().pretended.borrow_mut() = Some(Box::new(bytes));
        test(harness)
    });
}

impl Harness {
    async fn bound(&self, peer: &mut Peer, keys: usize) {
        peer.ask(&format!("CONFIG SET maxmemory {}", KEY_BYTES * keys), "+OK ").await;
    }

    fn keys(&self) -> usize {
        let mut keys = 0;
        self.backend.look(&mut |machine| keys = machine.keyspace().total_len());
        keys
    }
}

#[test]
fn writes_wait_for_keys_to_go_and_are_never_refused() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET maxmemory-policy allkeys-lru", "+OK ").await;
        harness.bound(&mut peer, 20).await;
        for i in 0..200 {
            peer.ask(&format!("SET k{i} v"), "+OK ").await;
            assert!(harness.keys() <= 21, "{} keys after {i}", harness.keys());
        }
        // In a transaction too, and in a pipeline: what is under way is the most that is too much.
        peer.ask("MULTI", "+OK ").await;
        peer.ask("SET a 1", "+QUEUED ").await;
        peer.ask("SET b 2", "+QUEUED ").await;
        peer.ask("EXEC", "*2 +OK +OK ").await;
        let pipeline: String = (0..50).map(|i| format!("SET p{i} v\r\n")).collect();
        peer.send(pipeline).await;
        peer.expect("+OK\r\n".repeat(50)).await;
        assert!(comes_true(|| harness.keys() <= 20).await, "{} keys", harness.keys());
        peer.send("INFO stats\r\n").await;
        let text = peer.text().await;
        let evicted = text.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap();
        assert_eq!(evicted.parse::<usize>().unwrap() + harness.keys(), 252);
    });
}

#[test]
fn a_node_may_be_started_with_a_bound() {
    serve(ServerConfig { max_memory_bytes: 1 << 40, ..config() }, |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG GET maxmemory", "*2 $9 maxmemory $13 1099511627776 ").await;
    });
}

#[test]
fn what_cannot_go_leaves_no_room() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET maxmemory-policy volatile-lru", "+OK ").await;
        peer.ask("MSET a 1 b 2 c 3", "+OK ").await;
        peer.ask("SET t 1 EX 1000", "+OK ").await;
        harness.bound(&mut peer, 2).await;
        assert!(comes_true(|| harness.keys() == 3).await, "only the key with a deadline goes");
        peer.ask("SET d 4", FULL).await;
        peer.ask("GET a", "$1 1 ").await;
        // What is queued takes memory, whatever it is.
        peer.ask("MULTI", "+OK ").await;
        peer.ask("GET a", FULL).await;
        peer.ask("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. ").await;
        peer.ask("DEL a b", ":2 ").await;
        peer.ask("SET d 4", "+OK ").await;
        peer.ask("SET e 5", "+OK ").await;
        peer.ask("SET f 6", FULL).await;
        peer.ask("CONFIG SET maxmemory-policy allkeys-random", "+OK ").await;
        peer.ask("SET f 6", "+OK ").await;
        peer.ask("CONFIG SET maxmemory-policy noeviction", "+OK ").await;
        let keys = harness.keys();
        peer.ask("CONFIG SET maxmemory 1", "+OK ").await;
        peer.ask("SET f 6", FULL).await;
        assert_eq!(harness.keys(), keys);
    });
}

#[test]
fn a_lower_bound_takes_effect_without_a_command() {
    serve_pretending(|harness| async move {
        let (mut peer, mut listener) = (harness.connect().await, harness.connect().await);
        peer.ask("CONFIG SET notify-keyspace-events Ee maxmemory-policy allkeys-lru", "+OK ").await;
        listener.ask("PSUBSCRIBE *", "*3 $10 psubscribe $1 * :1 ").await;
        peer.ask("SET foo bar", "+OK ").await;
        peer.ask("CONFIG SET maxmemory 1", "+OK ").await;
        listener
            .expect("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$22\r\n__keyevent@0__:evicted\r\n$3\r\nfoo\r\n")
            .await;
        // Others' writes count as well.
        harness.bound(&mut peer, 1).await;
        for key in [&b"x"[..], b"y"] {
            let args = [&b"SET"[..], key, b"v"].into_iter().collect();
            harness.backend.apply(&Unit::Command(Command { args, db: 3, caller: None }), &harness.clients);
        }
        listener.expect("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$22\r\n__keyevent@3__:evicted\r\n$1\r\n").await;
    });
}

#[test]
fn whoever_has_cached_a_key_hears_that_it_went_before_the_next_reply() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET maxmemory-policy volatile-random", "+OK ").await;
        harness.bound(&mut peer, 1).await;
        peer.send("HELLO 3\r\n").await;
        peer.skip_to("$7\r\nmodules\r\n*0\r\n").await;
        peer.ask("CLIENT TRACKING on", "+OK ").await;
        peer.ask("SET volatile 1 EX 1000", "+OK ").await;
        peer.ask("GET volatile", "$1 1 ").await;
        peer.ask("SETBIT big 9 0", ":0 ").await;
        peer.send("GETBIT big 0\r\n").await;
        peer.expect(">2\r\n$10\r\ninvalidate\r\n*1\r\n$8\r\nvolatile\r\n:0\r\n").await;
    });
}

#[test]
fn a_key_that_changed_since_it_was_chosen_stays() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET maxmemory-policy allkeys-lru", "+OK ").await;
        peer.ask("MSET a 1 b 1", "+OK ").await;
        harness.backend.paused.set(true);
        harness.bound(&mut peer, 1).await;
        assert!(comes_true(|| harness.backend.waiting() == 1).await, "a batch was submitted");
        for key in [&b"a"[..], b"b"] {
            let args = [&b"SET"[..], key, b"2"].into_iter().collect();
            harness.backend.apply(&Unit::Command(Command { args, db: 0, caller: None }), &harness.clients);
        }
        assert!(!comes_true(|| harness.backend.waiting() > 1).await, "one batch at a time");
        harness.backend.paused.set(false);
        let mut last = harness.connect().await;
        last.ask("CONFIG SET maxmemory 0", "+OK ").await;
        harness.backend.go_on();
        last.ask("MGET a b", "*2 $1 2 $1 2 ").await;
    });
}

#[test]
fn a_write_that_waits_is_refused_by_the_group_if_the_eviction_was() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("MSET a 1 b 1", "+OK ").await;
        peer.ask("CONFIG SET maxmemory-policy allkeys-lru", "+OK ").await;
        harness.backend.full.set(true);
        peer.ask("CONFIG SET maxmemory 1", "+OK ").await;
        peer.send("SET c 1\r\n").await;
        peer.expect("-TRYAGAIN ").await;
        assert_eq!(harness.keys(), 2);
    });
}

#[test]
fn a_pause_of_the_clients_keeps_keys_as_they_are() {
    serve_pretending(|harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("CONFIG SET maxmemory-policy allkeys-lru", "+OK ").await;
        peer.ask("MSET a 1 b 1", "+OK ").await;
        peer.ask("CLIENT PAUSE 100000 WRITE", "+OK ").await;
        peer.ask("CONFIG SET maxmemory 1", "+OK ").await;
        peer.ask("GET a", "$1 1 ").await;
        assert!(!comes_true(|| harness.keys() < 2).await);
        peer.ask("CLIENT UNPAUSE", "+OK ").await;
        peer.ask("PING", "+PONG ").await;
        assert!(comes_true(|| harness.keys() == 0).await);
    });
}
