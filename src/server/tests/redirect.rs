//! `--redirect moved`: who is sent to the leader, and who is served where it asked.

use super::{ServerConfig, config, serve};
use crate::config::Redirect;
use crate::node::Role;

fn moved() -> ServerConfig {
    ServerConfig { redirect: Redirect::Moved, ..config() }
}

const MOVED_A: &str = "-MOVED_15495_127.0.0.1:6380 ";
const ABORTED: &str = "-EXECABORT_Transaction_discarded_because_of_previous_errors. ";

#[test]
fn a_node_that_does_not_lead_sends_keys_to_the_one_that_does() {
    serve(moved(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("SET a 1", "+OK ").await; // it leads
        {
            let mut status = harness.backend.status.borrow_mut();
            (status.role, status.leader_id) = (Role::Follower, 2);
        }
        peer.ask("GET a", MOVED_A).await;
        peer.ask("SET a 2", MOVED_A).await;
        peer.ask("MSET b 1 a 2", "-MOVED_3300_127.0.0.1:6380 ").await;
        peer.ask("WATCH a", MOVED_A).await;
        peer.ask("ONCE s 1 SET a 2", MOVED_A).await;
        // Every node tells every message, as every replica of a shard does in a Redis Cluster.
        peer.ask("SSUBSCRIBE a", "*3 $10 ssubscribe $1 a :1 ").await;
        peer.ask("SUNSUBSCRIBE", "*3 $12 sunsubscribe $1 a :0 ").await;
        peer.ask("SPUBLISH a m", ":0 ").await;
        peer.ask("PUBLISH a m", ":0 ").await;
        peer.ask("PING", "+PONG ").await;
        peer.ask("CLUSTER KEYSLOT a", ":15495 ").await;
        peer.ask("GET", "-ERR_wrong_number_of_arguments_for_'get'_command ").await;
        // In a pipeline, each in its turn.
        peer.send("PING\r\nGET a\r\nPING\r\n").await;
        peer.expect("+PONG\r\n-MOVED 15495 127.0.0.1:6380\r\n+PONG\r\n").await;
        peer.ask("ASKING", "+OK ").await;
        peer.ask("GET a", MOVED_A).await;
        harness.backend.status.borrow_mut().members[1].client_addr = "[::1]:6380".to_owned();
        peer.ask("GET a", "-MOVED_15495_::1:6380 ").await;
        assert_eq!(harness.backend.seen.borrow().len(), 3, "nothing else came to the group");
    });
}

#[test]
fn a_redirection_breaks_a_transaction() {
    serve(moved(), |harness| async move {
        let mut peer = harness.connect().await;
        peer.ask("MULTI", "+OK ").await;
        peer.ask("SET a 1", "+QUEUED ").await;
        {
            let mut status = harness.backend.status.borrow_mut();
            (status.role, status.leader_id) = (Role::Follower, 2);
        }
        peer.ask("SET a 2", MOVED_A).await;
        peer.ask("PING", "+QUEUED ").await;
        peer.ask("EXEC", ABORTED).await;
        peer.ask("MULTI", "+OK ").await;
        peer.ask("PING", "+QUEUED ").await;
        peer.ask("EXEC", "*1 +PONG ").await;
        assert!(harness.backend.seen.borrow().is_empty());
        // What was accepted by the leader is carried out, although it leads no more.
        harness.backend.status.borrow_mut().role = Role::Leader;
        peer.ask("MULTI", "+OK ").await;
        peer.ask("SET a 1", "+QUEUED ").await;
        harness.backend.status.borrow_mut().role = Role::Follower;
        peer.ask("EXEC", "*1 +OK ").await;
    });
}

#[test]
fn readonly_connections_are_served_reads_here() {
    serve(moved(), |harness| async move {
        {
            let mut status = harness.backend.status.borrow_mut();
            (status.role, status.leader_id) = (Role::Follower, 2);
        }
        let mut peer = harness.connect().await;
        peer.ask("READONLY", "+OK ").await;
        peer.ask("GET a", "$-1 ").await;
        peer.ask("SET a 1", MOVED_A).await;
        peer.ask("WATCH a", "+OK ").await;
        peer.ask("MULTI", "+OK ").await;
        peer.ask("GET a", "+QUEUED ").await;
        peer.ask("EXEC", "*1 $-1 ").await;
        peer.ask("READWRITE", "+OK ").await;
        peer.ask("GET a", MOVED_A).await;
    });
}

#[test]
fn an_election_is_waited_for_and_only_without_a_majority_the_cluster_is_down() {
    serve(moved(), |harness| async move {
        let change = |role: Role, leader_id: u64, reached: [bool; 2]| {
            let mut status = harness.backend.status.borrow_mut();
            (status.role, status.leader_id) = (role, leader_id);
            (status.members[1].connected, status.members[2].connected) = (reached[0], reached[1]);
        };
        let mut peer = harness.connect().await;
        change(Role::Follower, 2, [false, true]); // the leader has died, and is not yet missed
        peer.ask("GET a", "$-1 ").await;
        change(Role::Candidate, 0, [false, true]);
        peer.ask("SET a 1", "+OK ").await;
        change(Role::Candidate, 0, [false, false]);
        peer.ask("GET a", "-CLUSTERDOWN_The_cluster_is_down ").await;
        peer.ask("SET a 1", "-CLUSTERDOWN_The_cluster_is_down ").await;
        peer.ask("PING", "+PONG ").await;
        change(Role::Follower, 3, [false, true]);
        peer.ask("GET a", "-MOVED_15495_127.0.0.1:6381 ").await;
    });
}

#[test]
fn a_node_says_that_it_is_of_a_cluster_when_it_redirects_and_only_then() {
    for (config, enabled, answer, mode) in [
        (config(), "cluster_enabled:0", "no", "standalone"),
        (moved(), "cluster_enabled:1", "yes", "cluster"),
    ] {
        serve(config, |harness| async move {
            {
                let mut status = harness.backend.status.borrow_mut();
                (status.role, status.leader_id) = (Role::Follower, 2);
            }
            let mut peer = harness.connect().await;
            peer.send("INFO\r\n").await;
            let info = peer.text().await;
            for line in [enabled.to_owned(), format!("redis_mode:{mode}")] {
                assert!(info.lines().any(|found| found == line), "{line} in {info}");
            }
            let answer = format!("*2 $15 cluster-enabled ${} {answer} ", answer.len());
            peer.ask("CONFIG GET cluster-enabled", &answer).await;
            if mode == "standalone" {
                peer.ask("GET a", "$-1 ").await;
            }
            peer.send("HELLO 2\r\n").await;
            peer.expect("*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n").await;
            peer.expect("$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n").await;
            peer.expect(format!("${}\r\n{mode}\r\n$4\r\nrole\r\n$7\r\nreplica\r\n", mode.len())).await;
        });
    }
}
