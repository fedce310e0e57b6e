//! How new reads are: of the node, of a connection, and in transactions.

use super::{Harness, config, serve};
use crate::group::Consistency::{self, Lease, Linearizable, Stale};

const ANY_AGE: Consistency = Stale { max_age_ms: None };

fn bounded(ms: u64) -> Consistency {
    Stale { max_age_ms: Some(ms) }
}

/// The consistency of each job since the last look.
fn seen(harness: &Harness) -> Vec<Consistency> {
    harness.backend.seen.take().into_iter().map(|job| job.1).collect()
}

#[test]
fn readonly_makes_reads_stale_until_readwrite() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("GET a\r\nREADONLY\r\nGET a\r\nGET b\r\nREADWRITE\r\nGET a\r\n").await;
        peer.expect("$-1\r\n+OK\r\n$-1\r\n$-1\r\n+OK\r\n$-1\r\n").await;
        assert_eq!(*harness.backend.seen.borrow(), [(1, Linearizable), (2, ANY_AGE), (1, Linearizable)]);
    });
}

#[test]
fn client_list_shows_who_is_readonly() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, flags) in [
            ("READONLY", "r"),
            ("READWRITE", "N"),
            ("CLIENT CONSISTENCY STALE", "r"),
            ("CLIENT CONSISTENCY LEASE", "N"),
            ("READONLY", "r"),
            ("CLIENT NO-TOUCH ON", "rT"),
        ] {
            peer.ask(command, "+OK ").await;
            peer.send("CLIENT LIST\r\n").await;
            let list = peer.text().await;
            assert!(list.contains(&format!(" flags={flags} ")), "{command}: {list}");
        }
        peer.ask("RESET", "+RESET ").await;
        peer.send("CLIENT LIST\r\n").await;
        assert!(peer.text().await.contains(" flags=N "));
    });
}

#[test]
fn reads_of_a_client_that_does_not_touch_are_no_use_of_a_key() {
    serve(config(), |harness| async move {
        harness.backend.has_machine.set(true);
        let (mut own, mut other) = (harness.connect().await, harness.connect().await);
        own.ask("SET k v", "+OK ").await;
        own.ask("CLIENT NO-TOUCH ON", "+OK ").await;
        harness.backend.wall_ms.set(100_000);
        own.ask("GET k", "$1 v ").await;
        own.ask("MULTI", "+OK ").await;
        own.ask("MGET k", "+QUEUED ").await;
        own.ask("EXEC", "*1 *1 $1 v ").await;
        own.ask("OBJECT IDLETIME k", ":100 ").await;
        own.ask("TOUCH k", ":1 ").await;
        own.ask("OBJECT IDLETIME k", ":0 ").await;
        harness.backend.wall_ms.set(150_000);
        own.ask("OBJECT IDLETIME k", ":50 ").await;
        other.ask("GET k", "$1 v ").await;
        other.ask("OBJECT IDLETIME k", ":0 ").await;
        harness.backend.wall_ms.set(170_000);
        own.ask("CLIENT NO-TOUCH OFF", "+OK ").await;
        own.ask("GET k", "$1 v ").await;
        own.ask("OBJECT IDLETIME k", ":0 ").await;
    });
}

#[test]
fn a_connection_chooses_how_new_its_reads_are() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("CLIENT CONSISTENCY", "$12 linearizable "),
            ("CLIENT CONSISTENCY Lease", "+OK "),
            ("CLIENT CONSISTENCY", "$5 lease "),
            ("GET a", "$-1 "),
            ("CLIENT CONSISTENCY stale 0", "+OK "),
            ("GET a", "$-1 "),
            ("CLIENT CONSISTENCY STALE 250", "+OK "),
            ("CLIENT CONSISTENCY", "$9 stale_250 "),
            // What is refused changes nothing.
            ("CLIENT CONSISTENCY stale -1", "-ERR_max-ms_is_not_an_integer_or_out_of_range "),
            ("CLIENT CONSISTENCY stale x", "-ERR_max-ms_is_not_an_integer_or_out_of_range "),
            ("CLIENT CONSISTENCY stale 1 2", "-ERR_syntax_error "),
            ("CLIENT CONSISTENCY lease 1", "-ERR_syntax_error "),
            ("CLIENT CONSISTENCY eventual", "-ERR_syntax_error "),
            ("GET a", "$-1 "),
            ("CLIENT CONSISTENCY stale", "+OK "),
            ("GET a", "$-1 "),
            ("READWRITE", "+OK "),
            ("CLIENT CONSISTENCY", "$12 linearizable "),
            ("CLIENT CONSISTENCY stale", "+OK "),
            ("RESET", "+RESET "),
            ("GET a", "$-1 "),
        ] {
            peer.ask(command, expected).await;
        }
        assert_eq!(seen(&harness), [Lease, bounded(0), bounded(250), ANY_AGE, Linearizable]);
    });
}

#[test]
fn the_node_s_mode_is_of_all_connections_that_do_not_say_otherwise() {
    serve(config(), |harness| async move {
        let (mut one, mut two) = (harness.connect().await, harness.connect().await);
        two.ask("CLIENT CONSISTENCY linearizable", "+OK ").await;
        one.ask("CONFIG GET read-mode", "*2 $9 read-mode $12 linearizable ").await;
        one.ask("CONFIG SET Read-Mode LEASE", "+OK ").await;
        one.ask("CONFIG GET read-mode", "*2 $9 read-mode $5 lease ").await;
        one.ask("GET a", "$-1 ").await;
        one.ask("CLIENT CONSISTENCY", "$5 lease ").await;
        two.ask("GET a", "$-1 ").await;
        one.ask("CONFIG SET read-mode linearizable", "+OK ").await;
        one.ask("GET a", "$-1 ").await;
        assert_eq!(seen(&harness), [Lease, Linearizable, Linearizable]);
    });
}

#[test]
fn a_parameter_that_cannot_be_set_is_not() {
    let refused = |name: &str, reason: &str| {
        format!("-ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}\r\n")
    };
    let no_mode = "argument(s) must be one of the following: linearizable, lease";
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            (
                "CONFIG SET nosuch 1",
                "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n".to_owned(),
            ),
            ("CONFIG SET databases 7", refused("databases", "can't set immutable config")),
            ("CONFIG SET read-mode lease save x", refused("save", "Invalid save parameters")),
            ("CONFIG SET read-mode lease read-mode lease", refused("read-mode", "duplicate parameter")),
            ("CONFIG SET READ-MODE stale", refused("read-mode", no_mode)),
            ("CONFIG SET read-mode lease save", "-ERR syntax error\r\n".to_owned()),
            (
                "CONFIG SET read-mode",
                "-ERR wrong number of arguments for 'config|set' command\r\n".to_owned(),
            ),
        ] {
            peer.send(format!("{command}\r\n")).await;
            peer.expect(expected).await;
        }
        peer.ask("CONFIG GET read-mode", "*2 $9 read-mode $12 linearizable ").await;
    });
}

/// In a pipeline too: what came before is as it was, what comes after is new.
#[test]
fn a_change_takes_hold_where_it_stands() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.send("GET a\r\nCLIENT CONSISTENCY lease\r\nGET a\r\nCONFIG SET read-mode lease\r\n").await;
        peer.send("READWRITE\r\nGET a\r\n").await;
        peer.expect("$-1\r\n+OK\r\n$-1\r\n+OK\r\n+OK\r\n$-1\r\n").await;
        assert_eq!(seen(&harness), [Linearizable, Lease, Lease]);
    });
}

#[test]
fn transactions_of_reads_and_watches_are_as_new_as_other_reads() {
    serve(config(), |harness| async move {
        let mut peer = harness.connect().await;
        for (command, expected) in [
            ("CLIENT CONSISTENCY stale 50", "+OK "),
            ("WATCH a", "+OK "),
            ("MULTI", "+OK "),
            ("GET a", "+QUEUED "),
            ("CLIENT CONSISTENCY lease", "+QUEUED "),
            ("EXEC", "*2 $-1 +OK "),
            ("GET a", "$-1 "),
        ] {
            peer.ask(command, expected).await;
        }
        assert_eq!(seen(&harness), [bounded(50), bounded(50), Lease]);
    });
}
