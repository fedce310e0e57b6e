//! Snapshots: streamed to who has missed too much, taken while clients write, and what they
//! leave on disk.

use crate::harness::load::Load;
use crate::harness::{Client, Cluster, Setup, Value, eventually};
use std::time::Duration;

/// The least log between two snapshots: they come all the time.
const OFTEN: [&str; 2] = ["--snapshot-log-mib", "1"];

const VALUE_BYTES: usize = 64 << 10;

fn value(key: usize, round: usize) -> String {
    let mut value = format!("{key}:{round}:");
    value.extend(std::iter::repeat_n('v', VALUE_BYTES));
    value
}

/// Overwrites `keys` keys.
#[track_caller]
fn fill(client: &mut Client, keys: usize, round: usize) {
    for key in 0..keys {
        client.set(&format!("fill:{key}"), value(key, round));
    }
}

#[track_caller]
fn check_filled(cluster: &Cluster, id: u64, keys: usize, round: usize) {
    let mut client = cluster.client(id);
    for key in 0..keys {
        let found = client.get(&format!("fill:{key}"));
        assert!(found == Value::bulk(value(key, round)), "key {key} of round {round} on node {id}");
    }
}

fn count(cluster: &Cluster, id: u64, what: &str) -> usize {
    cluster.node(id).read_log().matches(what).count()
}

/// Writes until the leader has forgotten what `follower` needs next.
#[track_caller]
fn outrun(cluster: &Cluster, leader: u64, last_index: u64, keys: usize, round: usize) {
    let mut client = cluster.client(leader);
    eventually("the log is trimmed beyond the follower", || {
        fill(&mut client, keys, round);
        (cluster.raft(leader, "raft_first_index")? > last_index + 1).then_some(())
    });
}

/// FAILURES: redisraft 42 and 43 (a gap between log and snapshot), 44 (a second snapshot
/// without the membership), etcd 18055 (two snapshots in quick succession).
#[test]
fn a_follower_that_was_off_for_long_gets_a_snapshot_and_restarts_from_it() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let follower = cluster.follower();
    for round in 0..3 {
        let last_index = cluster.raft(follower, "raft_last_index").expect("it runs");
        cluster.kill(follower);
        let leader = cluster.leader();
        outrun(&cluster, leader, last_index, 40, round);
        cluster.restart(follower);
        check_filled(&cluster, follower, 40, round);
        assert_eq!(count(&cluster, follower, "snapshot installed"), round + 1, "how it caught up");
        cluster.kill(follower);
        cluster.restart(follower);
        check_filled(&cluster, follower, 40, round);
        assert_eq!(count(&cluster, follower, "snapshot installed"), round + 1, "it needs no other");
    }
    // It counts as a member: with it, the others may go.
    let leader = cluster.leader();
    cluster.await_caught_up();
    cluster.kill(leader);
    cluster.client(follower).set("after", "all");
}

/// FAILURES: etcd 18055 (snapshots from two leaders).
#[test]
fn a_leader_that_stops_while_it_sends_a_snapshot_is_followed_by_another_that_sends_one() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    for round in 0..3 {
        let follower = cluster.follower();
        let last_index = cluster.raft(follower, "raft_last_index").expect("it runs");
        cluster.kill(follower);
        let leader = cluster.leader();
        outrun(&cluster, leader, last_index, 200, round);
        let before = count(&cluster, follower, "receiving a snapshot");
        cluster.restart(follower);
        eventually("the snapshot is on its way", || {
            (count(&cluster, follower, "receiving a snapshot") > before).then_some(())
        });
        cluster.node(leader).signal("TERM");
        cluster.node_mut(leader).wait_end(Duration::from_secs(5));
        cluster.client(follower).set("handed", "over");
        check_filled(&cluster, follower, 200, round);
        cluster.restart(leader);
        cluster.await_ready();
        check_filled(&cluster, leader, 200, round);
    }
}

/// FAILURES: redisraft 654 (a crash during a snapshot), 42, 43, 46a6ad0 (term and vote lost
/// when the log was rewritten).
#[test]
fn nodes_that_die_while_they_take_snapshots_lose_nothing() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    for round in 0..6 {
        let load = Load::start(&cluster, &format!("snap{round}"), 1, 60_000);
        let saves = |cluster: &Cluster| count(cluster, 1, "snapshot begun");
        let before = saves(&cluster);
        eventually("snapshots are taken", || (saves(&cluster) > before + 1).then_some(()));
        for id in cluster.ids() {
            cluster.kill(id);
        }
        let outcomes = load.stop();
        for id in cluster.ids() {
            cluster.restart(id);
        }
        cluster.await_ready();
        outcomes.check(&mut cluster);
    }
}

/// FAILURES: redisraft 14 (all data gone on a failover of an aged, snapshotted cluster).
#[test]
fn an_aged_cluster_keeps_every_key_through_failovers() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let mut client = cluster.client(1);
    for key in 0..2000 {
        client.set(&format!("small:{key}"), key.to_string());
    }
    for round in 0..3 {
        fill(&mut client, 60, round);
    }
    for id in cluster.ids() {
        cluster.kill(id);
        cluster.restart(id);
        cluster.await_ready();
    }
    for _ in 0..2 {
        let leader = cluster.leader();
        cluster.kill(leader);
        for id in cluster.running() {
            check_filled(&cluster, id, 60, 2);
            let mut client = cluster.client(id);
            let keys: Vec<String> = (0..2000).map(|key| format!("small:{key}")).collect();
            let args: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
            let all = (0..2000).map(|key: usize| Value::bulk(key.to_string())).collect();
            assert_eq!(client.call(&args), Value::Array(all), "on node {id}");
        }
        cluster.restart(leader);
        cluster.await_ready();
    }
}

#[test]
fn snapshots_and_a_returning_follower_disturb_no_client() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let follower = cluster.follower();
    let load = Load::start(&cluster, "busy", 1, 30_000);
    let last_index = cluster.raft(follower, "raft_last_index").expect("it runs");
    cluster.kill(follower);
    let leader = cluster.leader();
    outrun(&cluster, leader, last_index, 20, 0);
    cluster.restart(follower);
    cluster.await_ready();
    check_filled(&cluster, follower, 20, 0);
    let leader = cluster.leader();
    let stored = cluster.raft(leader, "raft_snapshot_index").expect("it runs");
    eventually("another snapshot under load", || {
        cluster.raft(leader, "raft_snapshot_index").filter(|now| *now > stored)
    });
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
    println!("snapshots under load: longest gap of a client elsewhere {:?}", outcomes.longest_gap(follower));
}

#[test]
fn overwriting_does_not_make_the_data_directory_grow() {
    let mut cluster = Setup::new().nodes(1).flags(&OFTEN).start();
    let mut client = cluster.client(1);
    let value = "x".repeat(1 << 20);
    let mut largest = 0;
    for write in 0..300 {
        client.set(&format!("over:{}", write % 4), &value);
        largest = largest.max(cluster.node(1).disk_bytes());
    }
    println!("300 MiB written over 4 MiB: at most {} MiB on disk", largest >> 20);
    assert!(largest < 160 << 20, "{largest} bytes on disk");
    cluster.kill(1);
    cluster.restart(1);
    cluster.await_ready();
    assert_eq!(cluster.client(1).call(&["STRLEN", "over:3"]), Value::Int(1 << 20));
}
