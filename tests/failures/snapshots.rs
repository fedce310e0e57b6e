//! Snapshots, and the log that goes with them.

use crate::faults::{assert_one_history, pause, restart_all, resume, transfer};
use crate::harness::fill::{OFTEN, check_filled, fill, outrun};
use crate::harness::load::Load;
use crate::harness::{Cluster, Setup, Value, eventually};
use std::time::Duration;

#[test]
fn redisraft_50_51_and_54_compaction_goes_with_appends_and_faults() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let load = Load::start(&cluster, "compact", 1, 30_000);
    for round in 0..3 {
        // What a sleeping follower needs goes away while the others append.
        let follower = cluster.follower();
        let leader = cluster.leader();
        pause(&cluster, follower);
        outrun(&cluster, leader, 60, round);
        // The leader dies while the follower is being helped.
        resume(&cluster, follower);
        cluster.kill(leader);
        load.await_writes(50);
        cluster.restart(leader);
        cluster.await_ready();
    }
    let outcomes = load.stop();
    outcomes.check(&mut cluster);
    for id in cluster.ids() {
        check_filled(&cluster, id, 60, 2);
    }
    restart_all(&mut cluster);
    outcomes.check(&mut cluster);
    assert_one_history(&mut cluster);
}

#[test]
fn redisraft_654_what_is_left_of_a_snapshot_does_not_hide_the_older_one() {
    let mut cluster = Setup::new().nodes(1).start();
    let mut client = cluster.client(1);
    fill(&mut client, 20, 0);
    client.call(&["RAFT", "SNAPSHOT"]);
    client.set("after", "the snapshot");
    cluster.kill(1);
    let whole = |cluster: &Cluster| {
        cluster
            .node(1)
            .files("/snapshots/")
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == "snapshot"))
    };
    let snapshot = whole(&cluster).expect("a snapshot");
    let bytes = std::fs::read(&snapshot).expect("a file");
    // A crash leaves any part of the next one under its temporary name.
    for part in [0, 1, 7, 100, bytes.len() / 2, bytes.len() - 1, bytes.len()] {
        let unfinished = snapshot.with_file_name("1.tmp");
        std::fs::write(&unfinished, &bytes[..part]).expect("written");
        cluster.restart(1);
        cluster.await_ready();
        check_filled(&cluster, 1, 20, 0);
        assert_eq!(cluster.client(1).get("after"), Value::bulk("the snapshot"), "{part} bytes");
        cluster.kill(1);
        assert!(!unfinished.exists(), "it is cleared away");
        assert_eq!(whole(&cluster), Some(snapshot.clone()));
    }
}

#[test]
fn etcd_18055_snapshots_back_to_back() {
    let mut cluster = Setup::new().start();
    for round in 0..3 {
        for id in cluster.ids() {
            let mut client = cluster.client(id);
            for number in 0..5 {
                let value = format!("{round}:{id}:{number}");
                client.set("between", &value);
                assert_eq!(client.call(&["RAFT", "SNAPSHOT"]), Value::ok());
                assert_eq!(client.get("between"), Value::bulk(&value));
            }
        }
        transfer(&cluster, 1 + cluster.leader() % 3);
    }
    cluster.assert_running(&[1, 2, 3]);
    restart_all(&mut cluster);
    for id in cluster.ids() {
        assert_eq!(cluster.client(id).get("between"), Value::bulk("2:3:4"), "node {id}");
    }
}

/// A peer that takes everything and answers nothing, until what it needs is gone.
#[test]
fn etcd_failpoints_a_black_holed_peer_needs_a_snapshot_in_the_end() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let follower = cluster.follower();
    let before = cluster.terms();
    let load = Load::start(&cluster, "hole", 1, 10);
    pause(&cluster, follower);
    let leader = cluster.leader();
    outrun(&cluster, leader, 60, 0);
    assert_eq!(cluster.leader(), leader, "the others do not mind");
    resume(&cluster, follower);
    cluster.await_ready();
    check_filled(&cluster, follower, 60, 0);
    assert!(cluster.logged(follower, "snapshot installed") >= 1, "how it caught up");
    let outcomes = load.stop();
    // What its own client was writing has happened, and the reply went by in its sleep.
    let own = format!("node {follower}: ");
    let errors = outcomes.errors();
    assert!(errors.iter().all(|it| it.starts_with(&own) && it.contains(": UNKNOWN ")), "{errors:?}");
    outcomes.check(&mut cluster);
    println!("terms {before:?}, then {:?}", cluster.terms());
}

#[test]
fn redisraft_14_an_aged_cluster_keeps_every_key_through_failovers() {
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
fn redisraft_42_and_43_no_gap_between_log_and_snapshot() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let follower = cluster.follower();
    for round in 0..3 {
        cluster.kill(follower);
        let leader = cluster.leader();
        outrun(&cluster, leader, 40, round);
        cluster.restart(follower);
        check_filled(&cluster, follower, 40, round);
        assert_eq!(cluster.logged(follower, "snapshot installed"), round + 1, "how it caught up");
        cluster.kill(follower);
        cluster.restart(follower);
        check_filled(&cluster, follower, 40, round);
        assert_eq!(cluster.logged(follower, "snapshot installed"), round + 1, "it needs no other");
    }
    // It counts as a member: with it, the others may go.
    let leader = cluster.leader();
    cluster.await_caught_up();
    cluster.kill(leader);
    cluster.client(follower).set("after", "all");
}

#[test]
fn redisraft_654_nodes_that_die_while_they_take_snapshots_lose_nothing() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    for round in 0..6 {
        let load = Load::start(&cluster, &format!("snap{round}"), 1, 60_000);
        let saves = |cluster: &Cluster| cluster.logged(1, "snapshot begun");
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

#[test]
fn etcd_18055_snapshots_from_two_leaders() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    for round in 0..3 {
        let follower = cluster.follower();
        cluster.kill(follower);
        let leader = cluster.leader();
        outrun(&cluster, leader, 200, round);
        let before = cluster.logged(follower, "receiving a snapshot");
        cluster.restart(follower);
        eventually("the snapshot is on its way", || {
            (cluster.logged(follower, "receiving a snapshot") > before).then_some(())
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
