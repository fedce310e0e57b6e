//! Nodes die and come back: one, a minority, a majority, all.

use crate::harness::load::Load;
use crate::harness::{Client, PATIENCE, Setup, Value, eventually};
use std::time::{Duration, Instant};

/// `unavailable_after_ms` of `--timing fast`.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(4);

/// FAILURES: redisraft 53 (a log that has to be truncated), 18 (reads after a restart).
#[test]
fn a_follower_that_dies_under_load_comes_back_with_everything() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "follower", 2, 100);
    let mut died = Vec::new();
    for _ in 0..4 {
        load.await_writes(100);
        let follower = cluster.follower();
        died.push(follower);
        cluster.kill(follower);
        load.await_writes(100);
        cluster.restart(follower);
        cluster.await_ready();
    }
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    for id in cluster.ids().into_iter().filter(|id| !died.contains(id)) {
        assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, which lives");
    }
    outcomes.check(&mut cluster);
}

#[test]
fn two_of_five_die_under_load() {
    let mut cluster = Setup::new().nodes(5).start();
    for round in 0..3 {
        let load = Load::start(&cluster, &format!("two{round}"), 1, 100);
        load.await_writes(100);
        let leader = cluster.leader();
        let dead = [leader, leader % 5 + 1];
        for id in dead {
            cluster.kill(id);
        }
        eventually("another leader", || cluster.leader_now().filter(|now| !dead.contains(now)));
        load.await_writes(100);
        let outcomes = load.stop();
        outcomes.assert_no_errors();
        for id in cluster.running() {
            assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, which lives");
        }
        outcomes.check(&mut cluster);
        for id in dead {
            cluster.restart(id);
        }
        cluster.await_ready();
        outcomes.check(&mut cluster);
    }
}

/// FAILURES: redisraft 14 (all data gone), 18 (empty reads after a restart: the first read
/// that is answered has to be right), 53.
#[test]
fn all_nodes_die_at_once_under_load_and_come_back_with_everything() {
    let mut cluster = Setup::new().start();
    for round in 0..4 {
        let load = Load::start(&cluster, &format!("all{round}"), 2, 100);
        let mut client = cluster.client(1);
        client.set("before", format!("round {round}"));
        load.await_writes(100);
        for id in cluster.ids() {
            cluster.kill(id);
        }
        let outcomes = load.stop();
        for id in cluster.ids() {
            cluster.restart(id);
        }
        for id in cluster.ids() {
            let read = first_answer(&cluster.node(id).addr, &["GET", "before"]);
            assert_eq!(read, Value::bulk(format!("round {round}")), "the first read from node {id}");
        }
        outcomes.check(&mut cluster);
    }
}

/// The first reply that is no error, from as soon as the node takes connections.
#[track_caller]
fn first_answer(addr: &str, args: &[&str]) -> Value {
    eventually("an answer", || {
        let mut client = Client::try_connect(addr, PATIENCE).ok()?;
        client.try_call(args).ok().filter(|reply| reply.error().is_none())
    })
}

/// FAILURES: redisraft 18.
#[test]
fn a_read_right_after_the_restart_of_one_node_is_right() {
    let mut cluster = Setup::new().start();
    for round in 0..6 {
        let id = 1 + round % 3;
        cluster.kill(id);
        let other = 1 + id % 3;
        // Another node answers as soon as there is a leader; the write is unknown to the dead.
        let mut client = cluster.client(other);
        client.set("fresh", round.to_string());
        cluster.restart(id);
        let read = first_answer(&cluster.node(id).addr, &["GET", "fresh"]);
        assert_eq!(read, Value::bulk(round.to_string()), "the first read from node {id}");
    }
}

/// FAILURES: etcd 14370 (a single node acknowledges before it has synced).
#[test]
fn a_single_node_that_dies_under_load_has_everything() {
    let mut cluster = Setup::new().nodes(1).start();
    for round in 0..5 {
        let load = Load::start(&cluster, &format!("one{round}"), 4, 100);
        load.await_writes(100);
        cluster.kill(1);
        let outcomes = load.stop();
        cluster.restart(1);
        let _ = first_answer(&cluster.node(1).addr, &["GET", "anything"]);
        outcomes.check(&mut cluster);
    }
}

/// FAILURES: redisraft 23 (an error for a write that was in fact committed).
#[test]
fn without_a_majority_errors_come_in_time_and_are_true() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "minority", 2, 10);
    load.await_writes(100);
    let left = cluster.leader();
    let dead: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != left).collect();
    let mut client = cluster.client(left);
    client.set("alone", "before");
    for id in &dead {
        cluster.kill(*id);
    }
    let asked = Instant::now();
    let mut reader = cluster.client(left);
    reader.send(&["GET", "alone"]).expect("sent");
    let write = client.try_call(&["SET", "alone", "perhaps"]).expect("an answer");
    let text = write.error().expect("an error: there is no majority").to_owned();
    assert!(text.starts_with("UNKNOWN") || text.starts_with("CLUSTERDOWN"), "{text}");
    let read = reader.read().expect("an answer");
    assert!(read.error().is_some_and(|text| text.starts_with("CLUSTERDOWN")), "{read:?}");
    let bound = UNAVAILABLE_AFTER * 2 + Duration::from_secs(2);
    assert!(asked.elapsed() < bound, "the errors took {:?}", asked.elapsed());
    println!("without a majority: errors after {:?}", asked.elapsed());
    // What comes now is refused at once, and never happens.
    let refused = eventually("a definite refusal", || {
        let reply = client.try_call(&["SET", "refused", "yes"]).expect("an answer");
        reply.error().filter(|text| text.starts_with("CLUSTERDOWN")).map(str::to_owned)
    });
    println!("then: {refused}");
    let outcomes = load.stop();
    cluster.restart(dead[0]);
    cluster.await_ready();
    assert_eq!(cluster.client(left).get("refused"), Value::Nil, "it was refused");
    outcomes.check(&mut cluster);
    cluster.restart(dead[1]);
    cluster.await_ready();
    outcomes.check(&mut cluster);
    assert!(outcomes.errors().iter().all(|e| e.contains("UNKNOWN") || e.contains("CLUSTERDOWN")));
}

/// FAILURES: redisraft 21 (a node of a healthy cluster says that there is no leader).
#[test]
fn no_node_of_a_healthy_cluster_ever_says_that_there_is_no_leader() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "healthy", 2, 10);
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        for id in cluster.ids() {
            assert_ne!(cluster.raft(id, "raft_leader_id"), Some(0), "node {id} knows no leader");
            let mut client = cluster.client(id);
            client.set("healthy", id.to_string());
            assert_eq!(client.get("healthy"), Value::bulk(id.to_string()));
        }
    }
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
}

/// FAILURES: redisraft 53 (appended entries clash with committed ones at the start).
#[test]
fn entries_that_were_never_committed_are_cut_from_the_log_of_an_old_leader() {
    let mut cluster = Setup::new().start();
    for round in 0..3 {
        let old = cluster.leader();
        let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != old).collect();
        cluster.await_caught_up();
        for id in &others {
            cluster.kill(*id);
        }
        let before = cluster.raft(old, "raft_last_index").expect("it runs");
        let mut alone = cluster.client(old);
        for key in 0..20 {
            alone.send(&["SET", &format!("cut:{round}:{key}"), "never"]).expect("sent");
        }
        eventually("it is in the old leader's log", || {
            (cluster.raft(old, "raft_last_index")? > before).then_some(())
        });
        cluster.kill(old);
        for id in &others {
            cluster.restart(*id);
        }
        for key in 0..20 {
            cluster.client(others[0]).set(&format!("kept:{round}:{key}"), "yes");
        }
        // Twice: with the log that has to be cut, and with the log that was.
        for _ in 0..2 {
            cluster.restart(old);
            for id in cluster.ids() {
                let mut client = cluster.client(id);
                for key in 0..20 {
                    assert_eq!(client.get(&format!("cut:{round}:{key}")), Value::Nil, "on node {id}");
                    assert_eq!(
                        client.get(&format!("kept:{round}:{key}")),
                        Value::bulk("yes"),
                        "on node {id}"
                    );
                }
            }
            cluster.kill(old);
        }
        cluster.restart(old);
        cluster.await_ready();
    }
}
