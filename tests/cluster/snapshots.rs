//! Snapshots: streamed to who has missed too much, taken while clients write, and what they
//! leave on disk.

use crate::harness::fill::{OFTEN, check_filled, outrun};
use crate::harness::load::Load;
use crate::harness::{Setup, Value, eventually};

#[test]
fn snapshots_and_a_returning_follower_disturb_no_client() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let follower = cluster.follower();
    let load = Load::start(&cluster, "busy", 1, 30_000);
    cluster.kill(follower);
    let leader = cluster.leader();
    outrun(&cluster, leader, 20, 0);
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
