//! Nodes die under load and come back: one, or a minority. (More of them: tests/failures.)

use crate::harness::load::Load;
use crate::harness::{Setup, eventually};

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
