//! `CONFIG`: what is shown is what is done, all or nothing is set, and errors are Redis's.

use super::*;
use crate::wire::units::Unit;

const FAILED: &str = "-ERR CONFIG SET failed (possibly related to argument";

async fn error(peer: &mut Peer, command: &str, expected: &str) {
    peer.send(format!("{command}\r\n")).await;
    peer.expect(format!("{expected}\r\n")).await;
}

async fn value(peer: &mut Peer, name: &str) -> String {
    peer.send(format!("CONFIG GET {name}\r\n")).await;
    peer.expect(format!("*2\r\n${}\r\n{name}\r\n", name.len())).await;
    peer.text().await
}

#[test]
fn values_are_read_as_redis_reads_them() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (name, given, shown) in [
            ("maxmemory", "10mb", "10485760"),
            ("maxmemory", "1K", "1000"),
            ("maxmemory", "0", "0"),
            ("slowlog-log-slower-than", "-1", "-1"),
            ("latency-tracking", "NO", "no"),
            ("latency-tracking-info-percentiles", "\"50.5 99\"", "50.5 99"),
            ("latency-tracking-info-percentiles", "\"\"", ""),
            ("hash-max-listpack-value", "1kb", "1024"),
            ("timeout", "7", "7"),
            ("read-mode", "LEASE", "lease"),
            ("notify-keyspace-events", "KEA", "AKE"),
            ("appendfsync", "always", "always"),
            ("save", "\"\"", ""),
        ] {
            peer.ask(&format!("CONFIG SET {name} {given}"), "+OK ").await;
            assert_eq!(value(&mut peer, name).await, shown, "{name} {given}");
        }
        for (name, given, reason) in [
            ("maxmemory", "x", "argument must be a memory value"),
            ("maxmemory-clients", "200%", "percentage argument must be less or equal to 100"),
            ("maxmemory-clients", "x", "argument must be a memory or percent value"),
            ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
            ("timeout", "01", "argument couldn't be parsed into an integer"),
            ("latency-tracking", "maybe", "argument must be 'yes' or 'no'"),
            ("appendfsync", "x", "argument(s) must be one of the following: everysec, always, no"),
            ("save", "1", "Invalid save parameters"),
            ("databases", "2", "can't set immutable config"),
            ("dir", "/", "can't set protected config"),
            ("notify-keyspace-events", "q", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."),
        ] {
            let expected = format!("{FAILED} '{name}') - {reason}");
            error(&mut peer, &format!("CONFIG SET {name} {given}"), &expected).await;
        }
        let unknown = "-ERR Unknown option or number of arguments for CONFIG SET - 'NoSuch'";
        error(&mut peer, "CONFIG SET NoSuch 1", unknown).await;
        error(&mut peer, "CONFIG SET timeout", "-ERR wrong number of arguments for 'config|set' command")
            .await;
        error(&mut peer, "CONFIG SET timeout 1 x", "-ERR syntax error").await;
    });
}

#[test]
fn what_cannot_be_is_refused_with_its_reason_and_sets_nothing() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        let reason = "bowline's log is synced before every reply, and nothing weaker can be chosen";
        let expected = format!("{FAILED} 'appendfsync') - {reason}");
        error(&mut peer, "CONFIG SET timeout 9 appendfsync everysec", &expected).await;
        assert_eq!(value(&mut peer, "timeout").await, "0");
        let expected = format!("{FAILED} 'Timeout') - duplicate parameter");
        error(&mut peer, "CONFIG SET timeout 9 Timeout 8", &expected).await;
        let expected = format!("{FAILED} 'save') - Invalid save parameters");
        error(&mut peer, "CONFIG SET notify-keyspace-events KEA timeout 9 save x", &expected).await;
        assert_eq!(value(&mut peer, "notify-keyspace-events").await, "");
    });
}

#[test]
fn parameters_of_the_cluster_and_of_the_node_are_set_together() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("CONFIG SET notify-keyspace-events Kx timeout 9\r\nCONFIG GET timeout\r\n").await;
        peer.expect("+OK\r\n*2\r\n$7\r\ntimeout\r\n$1\r\n9\r\n").await;
        assert_eq!(value(&mut peer, "notify-keyspace-events").await, "xK");
        peer.ask("MULTI", "+OK ").await;
        peer.ask("CONFIG SET timeout 5", "+QUEUED ").await;
        peer.ask("CONFIG SET notify-keyspace-events E", "+QUEUED ").await;
        peer.send("EXEC\r\n").await;
        let reason = "a parameter of the whole cluster cannot be set inside a transaction";
        peer.expect(format!("*2\r\n+OK\r\n-ERR {reason}\r\n")).await;
        assert_eq!(value(&mut peer, "timeout").await, "5");
    });
}

#[test]
fn a_look_at_a_parameter_of_the_cluster_sees_what_other_nodes_have_set() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("READONLY", "+OK ").await;
        let asked = || harness.backend.seen.borrow().clone();
        value(&mut peer, "timeout").await;
        assert_eq!(asked(), [], "the node knows that by itself");
        harness.backend.paused.set(true);
        peer.send("PING\r\nCONFIG GET timeou? notify*\r\nPING\r\n").await;
        peer.expect("+PONG\r\n").await;
        while harness.backend.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        // Meanwhile this node hears of it.
        let unit = Unit::Settings(vec![("notify-keyspace-events", b"KEA")]);
        harness.backend.apply(&unit, &harness.clients);
        harness.backend.go_on();
        peer.expect("*4\r\n$22\r\nnotify-keyspace-events\r\n$3\r\nAKE\r\n$7\r\ntimeout\r\n$1\r\n0\r\n").await;
        peer.expect("+PONG\r\n").await;
        assert_eq!(asked(), [(1, Consistency::Linearizable)]);
    });
}

#[test]
fn patterns_show_each_parameter_once_and_hidden_ones_never() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("CONFIG GET maxclients MAXC* key-load* *of\r\n").await;
        peer.expect("*6\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n").await;
        peer.expect("$9\r\nreplicaof\r\n$0\r\n\r\n$7\r\nslaveof\r\n$0\r\n\r\n").await;
        peer.send("CONFIG GET KEY-load-delay\r\n").await;
        peer.expect("*2\r\n$14\r\nKEY-load-delay\r\n$1\r\n0\r\n").await;
    });
}

#[test]
fn every_parameter_can_be_set_to_the_value_that_it_has() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for row in crate::server::parameters::ROWS.iter().filter(|row| row.refusal().is_none()) {
            let before = value(&mut peer, row.name).await;
            peer.ask(&format!("CONFIG SET {} \"{before}\"", row.name), "+OK ").await;
            assert_eq!(value(&mut peer, row.name).await, before, "{}", row.name);
        }
    });
}

#[test]
fn more_connections_are_taken_when_it_is_set() {
    serve(ServerConfig { max_clients: 1, ..config() }, |harness| async move {
        let mut first = harness.connect().await;
        first.ask("PING", "+PONG ").await;
        harness.connect().await.expect("-ERR max number of clients reached\r\n").await;
        first.ask("CONFIG SET maxclients 2", "+OK ").await;
        harness.connect().await.ask("PING", "+PONG ").await;
    });
}

#[test]
fn a_node_above_its_memory_takes_nothing_that_needs_more() {
    const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.";
    const FULL_AT_EXEC: &str = "-EXECABORT_Transaction_discarded_because_of:_OOM_command_not_allowed_when_used_memory_>_'maxmemory'. ";
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("SET a 1", "+OK ").await;
        peer.ask("CONFIG SET maxmemory 1", "+OK ").await;
        error(&mut peer, "SET a 2", FULL).await;
        peer.ask("GET a", "$1 1 ").await;
        peer.ask("MULTI", "+OK ").await;
        error(&mut peer, "SET a 2", FULL).await;
        error(&mut peer, "EXEC", "-EXECABORT Transaction discarded because of previous errors.").await;
        peer.ask("CONFIG SET maxmemory 0", "+OK ").await;
        peer.ask("SET a 2", "+OK ").await;
        // Memory fills between what is queued and EXEC.
        let mut other = harness.connect().await;
        for (command, outcome) in [("SET a 3", FULL_AT_EXEC), ("GET a", "*1 $1 2 ")] {
            peer.ask("MULTI", "+OK ").await;
            peer.ask(command, "+QUEUED ").await;
            other.ask("CONFIG SET maxmemory 1", "+OK ").await;
            peer.ask("EXEC", outcome).await;
            peer.ask("EXEC", "-ERR_EXEC_without_MULTI ").await;
            other.ask("CONFIG SET maxmemory 0", "+OK ").await;
        }
    });
}
