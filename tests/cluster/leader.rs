//! The leader dies, sleeps, or is asked to stop.

use crate::harness::load::{Load, median};
use crate::harness::{Setup, eventually};
use std::time::{Duration, Instant};

/// Far above what an election takes on an idle machine.
const MOST_GAP: Duration = Duration::from_secs(1);

/// Prints the gaps, and asks that their median is short.
#[track_caller]
fn assert_short(what: &str, gaps: Vec<Duration>) {
    let longest = gaps.iter().max().copied().unwrap_or_default();
    let median = median(gaps);
    println!("{what}: median {median:?}, longest {longest:?}");
    assert!(median < MOST_GAP, "{what}: {median:?} is too long");
}

/// Kills the leader `rounds` times under load; clients of the others must not notice.
fn kill_the_leader(storage: &'static str, rounds: usize) {
    let mut cluster = Setup::new().storage(storage).start();
    let mut gaps = Vec::new();
    for round in 0..rounds {
        let leader = cluster.leader();
        let load = Load::start(&cluster, &format!("kill{round}"), 2, 10);
        load.await_writes(200); // under load, not in the beginning of it
        let killed = Instant::now();
        cluster.kill(leader);
        eventually("another leader", || cluster.leader_now().filter(|now| *now != leader));
        load.await_writes(100);
        let outcomes = load.stop();
        outcomes.assert_no_errors();
        for id in cluster.running() {
            assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, which lives");
        }
        gaps.push(outcomes.first_after(killed, leader).expect("writes go on"));
        outcomes.check(&mut cluster);
        cluster.restart(leader);
        cluster.await_ready();
        outcomes.check(&mut cluster);
    }
    assert_short(&format!("{storage}: from the leader's death to a write"), gaps);
}

/// FAILURES: redisraft 13 (a forwarded write applied again), 23, 26 (another client's reply).
#[test]
fn killing_the_leader_again_and_again_costs_surviving_clients_nothing_but_time() {
    kill_the_leader("file", 10);
}

#[test]
fn killing_the_leader_on_sled() {
    kill_the_leader("sled", 2);
}

/// The pause is so short that it stays the leader, or just does not: writes sent to it and
/// through it happen once.
#[test]
fn pauses_about_as_long_as_an_election_take_nothing_away() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "nap", 2, 10);
    for pause_ms in [50, 150, 250, 300, 350, 400, 600, 1500] {
        let leader = cluster.leader();
        cluster.node(leader).signal("STOP");
        std::thread::sleep(Duration::from_millis(pause_ms)); // what is tested
        cluster.node(leader).signal("CONT");
        load.await_writes(50);
    }
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
    assert_eq!((1..=3).map(|id| outcomes.breaks(id)).sum::<usize>(), 0);
}

#[test]
fn a_leader_that_is_asked_to_stop_hands_over_first() {
    let mut cluster = Setup::new().start();
    let mut gaps = Vec::new();
    for round in 0..4 {
        let leader = cluster.leader();
        let load = Load::start(&cluster, &format!("term{round}"), 2, 10);
        load.await_writes(200);
        let asked = Instant::now();
        cluster.node(leader).signal("TERM");
        let status = cluster.node_mut(leader).wait_end(Duration::from_secs(3));
        assert_eq!(status.code(), Some(0), "the exit status, {:?} after SIGTERM", asked.elapsed());
        load.await_writes(200);
        let outcomes = load.stop();
        outcomes.assert_no_errors();
        for id in cluster.running() {
            assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, which lives");
        }
        gaps.push(outcomes.longest_gap(leader));
        outcomes.check(&mut cluster);
        cluster.restart(leader);
        cluster.await_ready();
        outcomes.check(&mut cluster);
    }
    assert_short("a leader stops: longest gap of a client elsewhere", gaps);
}
