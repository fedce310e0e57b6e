//! Members come, go and change places, under load: nothing is lost, and clients of nodes that
//! stay up notice nothing.

use crate::harness::load::Load;
use crate::harness::{Cluster, PATIENCE, Setup, Value, eventually, free_ports, own_address};
use std::time::{Duration, Instant};

const REMOVED: &str = "was removed from the cluster";

/// The reply to a command on node `id`.
#[track_caller]
fn raft(cluster: &Cluster, id: u64, words: &str) -> Value {
    let words: Vec<&str> = std::iter::once("RAFT").chain(words.split(' ')).collect();
    cluster.client(id).try_call(&words).expect("a reply")
}

/// A command that has to have taken effect when its reply comes.
#[track_caller]
fn raft_ok(cluster: &Cluster, id: u64, words: &str) {
    assert_eq!(raft(cluster, id, words), Value::ok(), "RAFT {words} on node {id}");
}

/// A node that was removed ends by itself, and again at each start.
#[track_caller]
fn assert_gone(cluster: &mut Cluster, id: u64) {
    assert_eq!(cluster.node_mut(id).wait_end(PATIENCE).code(), Some(1));
    assert!(cluster.node(id).read_log().contains(REMOVED));
    for _ in 0..2 {
        let said = cluster.node_mut(id).start_refused();
        assert!(said.contains(REMOVED) && said.contains("--join"), "{said}");
    }
}

fn joining(cluster: &mut Cluster, ids: &[u64]) {
    for id in ids {
        cluster.prepare_joining(*id).start();
    }
}

/// FAILURES: redisraft 30 (removed nodes rise again), 48 (an assertion on a change of voters).
#[test]
fn three_nodes_become_five_and_three_again() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "grow", 2, 100);
    load.await_writes(100);
    joining(&mut cluster, &[4, 5]);
    cluster.await_voters(&[1, 2, 3, 4, 5]);
    load.await_writes(100);
    let outcomes = load.stop();
    outcomes.assert_unnoticed_but(&[]);
    outcomes.check(&mut cluster);

    // They are members like any other: they lead, and two of the first may die.
    raft_ok(&cluster, 2, "TRANSFER 4");
    let load = Load::start(&cluster, "five", 1, 100);
    load.await_writes(100);
    for id in [1, 2] {
        cluster.kill(id);
    }
    load.await_writes(100);
    for id in [1, 2] {
        cluster.restart(id);
    }
    cluster.await_ready();
    let five = load.stop();
    five.assert_unnoticed_but(&[1, 2]);
    five.check(&mut cluster);

    // The leader is one of those that go.
    raft_ok(&cluster, 3, "TRANSFER 4");
    let load = Load::start(&cluster, "shrink", 1, 100);
    load.await_writes(100);
    raft_ok(&cluster, 1, "REMOVE 4");
    raft_ok(&cluster, 3, "REMOVE 5");
    load.await_writes(100);
    let shrunk = load.stop();
    shrunk.assert_unnoticed_but(&[4, 5]);
    for id in [4, 5] {
        assert_gone(&mut cluster, id);
    }
    cluster.await_voters(&[1, 2, 3]);
    for outcomes in [outcomes, five, shrunk] {
        outcomes.check(&mut cluster);
    }
    // With the two gone, one of the three may be missing again.
    cluster.kill(2);
    cluster.client(1).set("still", "three");
}

#[test]
fn a_leader_removes_itself() {
    let mut cluster = Setup::new().start();
    let leader = cluster.leader();
    let load = Load::start(&cluster, "itself", 2, 100);
    load.await_writes(100);
    raft_ok(&cluster, leader, &format!("REMOVE {leader}"));
    load.await_writes(100);
    let outcomes = load.stop();
    outcomes.assert_unnoticed_but(&[leader]);
    println!("a leader removes itself: slowest write elsewhere {:?}", outcomes.slowest_write(leader).0);
    assert_gone(&mut cluster, leader);
    outcomes.check(&mut cluster);
}

#[test]
fn a_dead_node_is_replaced() {
    let mut cluster = Setup::new().start();
    let dead = cluster.follower();
    let load = Load::start(&cluster, "dead", 2, 100);
    load.await_writes(100);
    cluster.kill(dead);
    load.await_writes(100);
    let new = cluster.prepare_joining(4);
    let addr = format!("{}@{}", new.addr, new.peer_addr.rsplit_once(':').expect("host:port").1);
    let asked = cluster.leader();
    let reply = raft(&cluster, asked, &format!("REPLACE {dead} 4 {addr}"));
    assert!(matches!(&reply, Value::Simple(text) if text.starts_with("ACCEPTED node 4")), "{reply:?}");
    cluster.restart(4);
    let left: Vec<u64> = (1..=4).filter(|id| *id != dead).collect();
    cluster.await_voters(&left);
    raft_ok(&cluster, asked, &format!("REPLACE {dead} 4 {addr}"));
    load.await_writes(100);
    let outcomes = load.stop();
    outcomes.assert_unnoticed_but(&[dead]);
    cluster.restart(dead); // it has slept through all of it
    assert_gone(&mut cluster, dead);
    outcomes.check(&mut cluster);
}

/// The machine stays, its disk was lost: under the same address, with an empty directory.
#[test]
fn a_wiped_node_is_replaced_in_its_place() {
    let mut cluster = Setup::new().start();
    let wiped = cluster.follower();
    let load = Load::start(&cluster, "wiped", 2, 100);
    load.await_writes(100);
    cluster.kill(wiped);
    cluster.node_mut(wiped).lose_disk();
    let said = cluster.node_mut(wiped).start_refused();
    assert!(said.contains(&format!("RAFT REPLACE {wiped} * host:port")), "{said}");
    let old = cluster.forget(wiped);
    let asked = cluster.leader();
    let said = cluster.prepare_joining_at(4, old.addr.clone(), old.peer_addr.clone()).start_refused();
    assert!(said.contains(&format!("RAFT REPLACE {wiped} * {}", old.addr)), "{said}");
    let addr = format!("{}@{}", old.addr, old.peer_addr.rsplit_once(':').expect("host:port").1);
    let reply = raft(&cluster, asked, &format!("REPLACE {wiped} * {addr}"));
    assert!(matches!(&reply, Value::Simple(text) if text.starts_with("ACCEPTED node 4")), "{reply:?}");
    cluster.restart(4);
    let left: Vec<u64> = (1..=4).filter(|id| *id != wiped).collect();
    cluster.await_voters(&left);
    load.await_writes(100);
    let outcomes = load.stop();
    outcomes.assert_unnoticed_but(&[wiped]);
    outcomes.check(&mut cluster);
}

#[test]
fn leadership_and_votes_go_where_operators_want_them() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "votes", 2, 100);
    for round in 0..3 {
        load.await_writes(50);
        let to = round % 3 + 1;
        raft_ok(&cluster, to % 3 + 1, &format!("TRANSFER {to}"));
        assert_eq!(cluster.leader(), to);
        // The leader loses its vote, and with it leadership; and gets it back.
        raft_ok(&cluster, round % 3 + 1, &format!("DEMOTE {to}"));
        assert_ne!(cluster.leader(), to);
        let error = raft(&cluster, to, &format!("TRANSFER {to}"));
        assert!(error.error().is_some_and(|text| text.contains("is no voter")), "{error:?}");
        load.await_writes(50);
        raft_ok(&cluster, to, &format!("PROMOTE {to}"));
    }
    for id in 1..=3 {
        raft_ok(&cluster, id, "SNAPSHOT");
        let (snapshot, applied) =
            (cluster.raft(id, "raft_snapshot_index"), cluster.raft(id, "raft_first_index"));
        assert!(snapshot > Some(0) && applied.is_some());
    }
    let outcomes = load.stop();
    outcomes.assert_unnoticed_but(&[]);
    cluster.await_voters(&[1, 2, 3]);
    // From snapshots that hold the members.
    for id in 1..=3 {
        cluster.kill(id);
    }
    for id in 1..=3 {
        cluster.restart(id);
    }
    cluster.await_ready();
    outcomes.check(&mut cluster);
}

#[test]
fn a_rolling_restart_goes_unnoticed() {
    let mut cluster = Setup::new().start();
    let mut gaps = Vec::new();
    for round in 0..2 {
        for id in cluster.ids() {
            let led = cluster.leader() == id;
            let load = Load::start(&cluster, &format!("roll{round}:{id}"), 2, 100);
            load.await_writes(200);
            let mut idle = cluster.client(id);
            assert_eq!(idle.get("nothing"), Value::Nil);
            let asked = Instant::now();
            cluster.node(id).signal("TERM");
            let status = cluster.node_mut(id).wait_end(Duration::from_secs(5));
            let end = idle.read().expect_err("an end");
            assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof, "in good order: {end}");
            assert_eq!(status.code(), Some(0), "the exit status, {:?} after SIGTERM", asked.elapsed());
            let ended = asked.elapsed();
            load.await_writes(100);
            let restarted = asked.elapsed();
            cluster.restart(id);
            cluster.await_ready();
            load.await_writes(100);
            let outcomes = load.stop();
            outcomes.assert_unnoticed_but(&[id]);
            let (gap, at) = outcomes.slowest_write(id);
            let after = at.and_then(|at| at.checked_duration_since(asked));
            println!(
                "node {id} stops (led: {led}), ends after {ended:?}, starts again after {restarted:?}: the \
                 slowest write elsewhere took {gap:?}, sent after {after:?}"
            );
            gaps.push(gap);
            outcomes.check(&mut cluster);
        }
    }
    let longest = gaps.into_iter().max().unwrap_or_default();
    assert!(longest < Duration::from_millis(300), "a gap of {longest:?}");
}

/// Only the new leader can tell a node that slept of its own coming.
#[test]
fn a_node_that_slept_follows_a_leader_that_it_has_never_heard_of() {
    let mut cluster = Setup::new().start();
    let sleeper = cluster.follower();
    cluster.kill(sleeper);
    joining(&mut cluster, &[4]);
    let awake: Vec<u64> = (1..=3).filter(|id| *id != sleeper).collect();
    eventually("node 4 votes", || (cluster.node(awake[0]).info("raft_voters")? == "1,2,3,4").then_some(()));
    raft_ok(&cluster, awake[0], "TRANSFER 4");
    cluster.client(awake[0]).set("told", "yes");
    cluster.restart(sleeper);
    cluster.await_voters(&[1, 2, 3, 4]);
    assert_eq!(cluster.client(sleeper).get("told"), Value::bulk("yes"));
    assert_eq!(cluster.raft(sleeper, "raft_leader_id"), Some(4));
    cluster.assert_running(&[1, 2, 3, 4]);
}

/// The members are in the log, and the command line of the first ones has not changed.
#[test]
fn members_that_came_later_are_found_after_all_have_stopped() {
    let mut cluster = Setup::new().nodes(1).start();
    joining(&mut cluster, &[2, 3]);
    cluster.await_voters(&[1, 2, 3]);
    let load = Load::start(&cluster, "single", 1, 10);
    load.await_writes(100);
    let outcomes = load.stop();
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
    outcomes.check(&mut cluster);
    cluster.kill(1);
    eventually("the two that joined go on alone", || cluster.leader_now().filter(|leader| *leader != 1));
    cluster.client(2).set("alone", "yes");
}

/// Two of three get other addresses at once: they find each other by their command lines, and
/// the third, which has not heard of it, learns it from the log.
#[test]
fn a_majority_that_moves_is_found_again() {
    let mut cluster = Setup::new().start();
    cluster.client(1).set("before", "yes");
    cluster.await_caught_up();
    let host = own_address();
    let ports = free_ports(&host, 4);
    let member = |i: usize| format!("{host}:{}@{}", ports[i], ports[i + 2]);
    let flags = &cluster.node(2).flags;
    let at = flags.iter().position(|flag| flag == "--cluster").expect("a flag") + 1;
    let first = flags[at].split(',').next().expect("node 1").to_owned();
    for id in [2, 3] {
        cluster.kill(id);
    }
    for (i, id) in [2, 3].into_iter().enumerate() {
        let node = cluster.node_mut(id);
        node.flags[at] = [first.clone(), member(0), member(1)].join(",");
        node.addr = format!("{host}:{}", ports[i]);
        node.start();
    }
    cluster.await_ready();
    for id in 1..=3 {
        assert_eq!(cluster.client(id).get("before"), Value::bulk("yes"), "on node {id}");
        let addr = cluster.node(id).addr.clone();
        let leader = cluster.leader();
        eventually("node 1 names the new addresses", || {
            let seen = cluster.node(leader).info(&format!("raft_peer{id}"));
            (id == leader || seen?.contains(&addr)).then_some(())
        });
    }
}
