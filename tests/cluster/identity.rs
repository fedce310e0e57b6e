//! Data directories that are lost, foreign or in use: refused with a sentence, and nothing
//! that was acknowledged is lost by it.

use crate::harness::load::Load;
use crate::harness::{Setup, Value};
use std::time::Duration;

const LOST: &str = "belongs to another data directory";

/// A follower that has forgotten everything is not taken back.
fn forgetful_follower(storage: &'static str) {
    let mut cluster = Setup::new().storage(storage).start();
    let follower = cluster.follower();
    let load = Load::start(&cluster, "lost", 1, 10);
    load.await_writes(100);
    cluster.kill(follower);
    if storage != "memory" {
        cluster.node_mut(follower).lose_disk();
    }
    let said = cluster.node_mut(follower).start_refused();
    assert!(said.contains(&format!("node id {follower} {LOST}")), "{said}");
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
    for id in cluster.running() {
        cluster.client(id).set("after", "yes");
    }
}

#[test]
fn a_node_on_memory_is_refused_when_it_comes_back() {
    forgetful_follower("memory");
}

#[test]
fn a_node_whose_directory_was_emptied_is_refused() {
    forgetful_follower("file");
}

#[test]
fn a_node_whose_sled_was_emptied_is_refused() {
    forgetful_follower("sled");
}

/// With the vote of a node that has forgotten what it acknowledged, a leader could be elected
/// that lacks it: the node that is behind must not win with its help.
#[test]
fn the_vote_of_an_emptied_node_does_not_count() {
    let mut cluster = Setup::new().start();
    let leader = cluster.leader();
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    let (behind, forgetful) = (others[0], others[1]);
    // Acknowledged by the leader and `forgetful` alone.
    cluster.await_caught_up();
    cluster.node(behind).signal("STOP");
    cluster.client(leader).set("precious", "kept");
    cluster.kill(leader);
    cluster.kill(forgetful);
    cluster.node_mut(forgetful).lose_disk();
    // First while nobody can tell it that it is not wanted, then with the other awake.
    cluster.restart(forgetful);
    let _ = cluster.client(forgetful);
    cluster.node(behind).signal("CONT");
    let reply = cluster.client(behind).try_call(&["GET", "precious"]).expect("a reply");
    assert!(reply.error().is_some(), "a majority of one and a half: {reply:?}");
    cluster.restart(leader);
    assert_eq!(cluster.client(leader).get("precious"), Value::bulk("kept"));
    assert_eq!(cluster.client(behind).get("precious"), Value::bulk("kept"));
    assert_eq!(cluster.node_mut(forgetful).wait_end(Duration::from_secs(10)).code(), Some(1));
    let said = cluster.node(forgetful).read_log();
    assert!(said.contains(LOST), "{said}");
}

#[test]
fn directories_of_others_are_refused() {
    let mut ours = Setup::new().start();
    let mut foreign = Setup::new().beside().start();
    for cluster in [&mut ours, &mut foreign] {
        cluster.client(1).set("whose", "x");
        cluster.await_caught_up();
        cluster.kill(2);
    }
    let own_dir = ours.node(2).data_dir.display().to_string();
    let run = |cluster: &mut crate::harness::Cluster, flag: &str, value: &str| {
        let node = cluster.node_mut(2);
        let flags = node.flags.clone();
        let at = flags.iter().position(|found| found == flag).expect("a flag of the harness");
        node.flags[at + 1] = value.to_owned();
        let said = node.start_refused();
        node.flags = flags;
        said
    };

    let dir = foreign.node(2).data_dir.display().to_string();
    let said = run(&mut ours, "--data-dir", &dir);
    assert!(said.contains("it is another cluster's"), "{said}");

    ours.kill(1);
    let dir = ours.node(1).data_dir.display().to_string();
    let said = run(&mut ours, "--data-dir", &dir);
    assert!(said.contains("belongs to node 1") && said.contains("started as node 2"), "{said}");
    ours.restart(1);

    let said = run(&mut ours, "--storage", "sled");
    assert!(said.contains("made for storage file"), "{said}");

    let dir = ours.dir().join("redis");
    std::fs::create_dir(&dir).expect("a directory");
    std::fs::write(dir.join("dump.rdb"), b"REDIS0009").expect("a file");
    let said = run(&mut ours, "--data-dir", &dir.display().to_string());
    assert!(said.contains("dump.rdb"), "{said}");
    assert_eq!(
        std::fs::read_dir(&dir)
            .expect("still there")
            .filter(|e| e.as_ref().is_ok_and(|e| e.file_name() != "LOCK"))
            .count(),
        1,
        "nothing is made in it"
    );

    let dir = ours.node(3).data_dir.display().to_string();
    let said = run(&mut ours, "--data-dir", &dir);
    assert!(said.contains("another process is using it"), "{said}");

    assert!(own_dir.ends_with("n2"));
    ours.restart(2);
    ours.await_ready();
    assert_eq!(ours.client(2).get("whose"), Value::bulk("x"));
    foreign.assert_running(&[1, 3]);
    ours.assert_running(&[1, 2, 3]);
}
