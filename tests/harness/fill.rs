//! Keys that fill logs and snapshots, and whether they are all there.

use super::{Client, Cluster, Value, eventually};

/// The least log between two snapshots: they come all the time.
pub const OFTEN: [&str; 2] = ["--snapshot-log-mib", "1"];

const VALUE_BYTES: usize = 64 << 10;

fn value(key: usize, round: usize) -> String {
    let mut value = format!("{key}:{round}:");
    value.extend(std::iter::repeat_n('v', VALUE_BYTES));
    value
}

/// Overwrites `keys` keys.
#[track_caller]
pub fn fill(client: &mut Client, keys: usize, round: usize) {
    for key in 0..keys {
        client.set(&format!("fill:{key}"), value(key, round));
    }
}

/// The keys of [`fill`], as a node has them.
#[track_caller]
pub fn check_filled(cluster: &Cluster, id: u64, keys: usize, round: usize) {
    let mut client = cluster.client(id);
    for key in 0..keys {
        let found = client.get(&format!("fill:{key}"));
        assert!(found == Value::bulk(value(key, round)), "key {key} of round {round} on node {id}");
    }
}

/// Writes until the leader has forgotten what a follower needs next that is down, or asleep.
#[track_caller]
pub fn outrun(cluster: &Cluster, leader: u64, keys: usize, round: usize) {
    // It has no more than this. (What it said of itself before others may have added to.)
    let last_index = cluster.raft(leader, "raft_last_index").expect("it runs");
    let mut client = cluster.client(leader);
    eventually("the log is trimmed beyond the follower", || {
        fill(&mut client, keys, round);
        (cluster.raft(leader, "raft_first_index")? > last_index + 1).then_some(())
    });
}
