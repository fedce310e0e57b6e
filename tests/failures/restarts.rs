//! Nodes that die and come back.

use crate::faults::{assert_one_history, assert_one_leader_a_term, pause, restart_all, resume, transfer};
use crate::harness::fill::OFTEN;
use crate::harness::load::Load;
use crate::harness::{Client, PATIENCE, Setup, Value, eventually};
use std::time::{Duration, Instant};

#[test]
fn redisraft_18_the_first_read_after_a_restart_is_right() {
    let mut cluster = Setup::new().start();
    let sets: [&[u64]; 6] = [&[1], &[2], &[3], &[1, 2], &[2, 3], &[1, 2, 3]];
    for (round, dead) in sets.into_iter().enumerate() {
        let value = round.to_string();
        let write = |cluster: &crate::harness::Cluster, id: u64| cluster.client(id).set("fresh", &value);
        // With a majority the write is made while they are dead, who then know nothing of it.
        if dead.len() > 1 {
            write(&cluster, dead[0]);
        }
        dead.iter().for_each(|id| cluster.kill(*id));
        if dead.len() == 1 {
            write(&cluster, 1 + dead[0] % 3);
        }
        dead.iter().for_each(|id| cluster.restart(*id));
        for id in cluster.ids() {
            let read = first_answer(&cluster.node(id).addr, &["GET", "fresh"]);
            assert_eq!(
                read,
                Value::bulk(&value),
                "the first read from node {id} after the death of {dead:?}"
            );
        }
        cluster.await_ready();
    }
}

#[test]
fn redisraft_28_and_52_mixed_faults_leave_one_history() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    let load = Load::start(&cluster, "mixed", 1, 5_000);
    let until = Instant::now() + Duration::from_secs(10);
    let mut fault = 0;
    while Instant::now() < until {
        let leader = cluster.leader();
        let victim = 1 + fault % 3;
        match fault % 5 {
            0 => {
                pause(&cluster, leader);
                eventually("another leader", || cluster.leader_now().filter(|now| *now != leader));
                resume(&cluster, leader);
            }
            1 => {
                cluster.kill(victim);
                load.await_writes(50);
                cluster.restart(victim);
            }
            2 => transfer(&cluster, 1 + leader % 3),
            3 => restart_all(&mut cluster),
            _ => drop(cluster.client(victim).try_call(&["RAFT", "SNAPSHOT"])),
        }
        cluster.await_ready();
        load.await_writes(100);
        fault += 1;
    }
    println!("{fault} faults");
    let outcomes = load.stop();
    outcomes.check(&mut cluster);
    assert_one_history(&mut cluster);
    assert_one_leader_a_term(&cluster);
}

#[test]
fn redisraft_46a6ad0_term_and_vote_outlive_the_rewriting_of_the_log() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    for round in 0..4 {
        let load = Load::start(&cluster, &format!("rewrite{round}"), 1, 60_000);
        let first = cluster.raft(1, "raft_first_index");
        eventually("the log is compacted", || (cluster.raft(1, "raft_first_index") > first).then_some(()));
        let before = cluster.terms();
        for id in cluster.ids() {
            cluster.kill(id);
        }
        let outcomes = load.stop();
        // Alone, a node shows what its disk says.
        for (id, before) in cluster.ids().into_iter().zip(before) {
            cluster.restart(id);
            let after = eventually("it answers", || cluster.raft(id, "raft_term"));
            assert!(Some(after) >= before, "node {id}: term {after} after {before:?}");
            cluster.kill(id);
        }
        restart_all(&mut cluster);
        outcomes.check(&mut cluster);
    }
    assert_one_leader_a_term(&cluster);
}

/// The first reply that is no error, from as soon as the node takes connections.
#[track_caller]
fn first_answer(addr: &str, args: &[&str]) -> Value {
    eventually("an answer", || {
        let mut client = Client::try_connect(addr, PATIENCE).ok()?;
        client.try_call(args).ok().filter(|reply| reply.error().is_none())
    })
}

#[test]
fn etcd_13766_state_and_applied_index_agree_after_the_death_of_all() {
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

#[test]
fn etcd_14370_a_single_node_has_what_it_acknowledged() {
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

#[test]
fn redisraft_53_entries_that_clash_with_committed_ones_are_cut_at_the_start() {
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
