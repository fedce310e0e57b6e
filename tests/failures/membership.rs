//! Members that come, go and change while nodes sleep, die and come back.

use crate::faults::{assert_one_history, pause, restart_all, resume, transfer};
use crate::harness::fill::{OFTEN, check_filled, fill};
use crate::harness::load::Load;
use crate::harness::{Client, Cluster, PATIENCE, Setup, Value, eventually};
use std::io::{Read, Write};
use std::net::TcpListener;

/// A fourth node, let in by `through`, a voter in the end.
#[track_caller]
fn join(cluster: &mut Cluster, id: u64, through: u64) {
    cluster.prepare_joiner(id, through);
    cluster.restart(id);
    await_members(cluster, through, id, Some(true));
    cluster.await_ready();
}

/// Waits until a node says of a member that it votes, that it does not, or that there is none.
#[track_caller]
fn await_members(cluster: &Cluster, at: u64, member: u64, votes: Option<bool>) {
    eventually(&format!("node {at} says of node {member}: votes {votes:?}"), || {
        let members = cluster.members(at)?;
        let found = members.iter().find(|(id, _)| *id == member).map(|(_, votes)| *votes);
        (found == votes).then_some(())
    });
}

/// Asks until it is granted; a wish may be repeated.
#[track_caller]
fn wish(cluster: &Cluster, at: u64, args: &[&str]) {
    eventually(&format!("{args:?} at node {at}"), || {
        let mut client = Client::try_connect(&cluster.node(at).addr, PATIENCE).ok()?;
        client.try_call(args).ok().filter(|reply| reply.error().is_none())
    });
}

#[test]
fn redisraft_17_no_update_is_lost_when_nodes_sleep_while_members_change() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "change", 1, 10);
    for (round, sleeps_before) in [true, false, true, false].into_iter().enumerate() {
        let id = 4 + round as u64;
        let leader = cluster.leader();
        let sleeper = if round < 2 { leader } else { 1 + leader % 3 };
        let through = (1..=3).find(|id| *id != sleeper).expect("three nodes");
        // A node that does not answer while another one comes: before, or in the middle of it.
        cluster.prepare_joiner(id, through);
        if sleeps_before {
            pause(&cluster, sleeper);
        }
        cluster.restart(id);
        if !sleeps_before {
            eventually("it is let in", || cluster.members(through)?.iter().find(|row| row.0 == id).map(drop));
            pause(&cluster, sleeper);
        }
        load.await_writes(30);
        await_members(&cluster, through, id, Some(true));
        resume(&cluster, sleeper);
        load.await_writes(30);
        // And while it goes.
        let leader = eventually("a leader", || cluster.leader_now());
        let sleeper = if leader == id { through } else { leader };
        let awake = (1..=3).find(|id| *id != sleeper).expect("three nodes");
        if sleeps_before {
            pause(&cluster, sleeper);
        }
        let mut client = cluster.client(awake);
        client.send(&["RAFT", "REMOVE", &id.to_string()]).expect("sent");
        if !sleeps_before {
            pause(&cluster, sleeper);
        }
        load.await_writes(30);
        await_members(&cluster, awake, id, None);
        resume(&cluster, sleeper);
        load.await_writes(30);
        cluster.kill(id);
        cluster.forget(id);
    }
    let outcomes = load.stop();
    outcomes.check(&mut cluster);
    assert_one_history(&mut cluster);
    for at in 1..=3 {
        let members = cluster.members(at).expect("its status");
        assert_eq!(members, [(1, true), (2, true), (3, true)], "as node {at} says");
    }
}

#[test]
fn redisraft_30_removed_nodes_do_not_rise_again() {
    let mut cluster = Setup::new().start();
    for (round, dies_first) in [true, false].into_iter().enumerate() {
        let id = 4 + round as u64;
        join(&mut cluster, id, 1);
        if dies_first {
            cluster.kill(id);
        }
        wish(&cluster, 2, &["RAFT", "REMOVE", &id.to_string()]);
        await_members(&cluster, 2, id, None);
        if !dies_first {
            let status = cluster.node_mut(id).wait_end(PATIENCE);
            assert!(status.code().is_some(), "it ends by itself: {status:?}");
        }
        // Now and after all the others have read their logs again.
        for _ in 0..2 {
            cluster.client(1).set("without", id.to_string());
            let before = cluster.leader();
            let said = cluster.node_mut(id).start_refused();
            assert!(said.contains("was removed from the cluster"), "{said}");
            assert_eq!(cluster.leader(), before, "it disturbs nobody");
            for at in 1..=3 {
                await_members(&cluster, at, id, None);
                let read = cluster.client(at).get("without");
                assert_eq!(read, Value::bulk(id.to_string()), "node {at}");
            }
            for at in 1..=3 {
                cluster.kill(at);
            }
            for at in 1..=3 {
                cluster.restart(at);
            }
            cluster.await_ready();
        }
        cluster.kill(id);
        cluster.forget(id);
    }
}

#[test]
fn redisraft_44_the_second_snapshot_has_the_members_too() {
    let mut cluster = Setup::new().flags(&OFTEN).start();
    join(&mut cluster, 4, 2);
    let members = vec![(1, true), (2, true), (3, true), (4, true)];
    for round in 0..2 {
        fill(&mut cluster.client(1), 60, round);
        for id in cluster.ids() {
            assert_eq!(cluster.client(id).call(&["RAFT", "SNAPSHOT"]), Value::ok(), "node {id}");
        }
    }
    for _ in 0..2 {
        restart_all(&mut cluster);
        for id in cluster.ids() {
            assert!(cluster.raft(id, "raft_snapshot_index") > Some(0), "node {id} starts from a snapshot");
            assert_eq!(cluster.members(id).as_ref(), Some(&members), "as node {id} says");
            check_filled(&cluster, id, 60, 1);
        }
    }
    // They count: of four, two are no majority, and three are.
    let leader = cluster.leader();
    cluster.kill(1 + leader % 4);
    cluster.client(leader).set("three", "of four");
    cluster.kill(1 + (leader + 1) % 4);
    let reply = cluster.client(leader).try_call(&["SET", "two", "of four"]).expect("an answer");
    assert!(reply.error().is_some(), "{reply:?}");
}

#[test]
fn redisraft_48_nodes_die_while_votes_are_given_and_taken() {
    let mut cluster = Setup::new().start();
    join(&mut cluster, 4, 1);
    let load = Load::start(&cluster, "votes", 1, 10);
    for round in 0..4u64 {
        let subject = 1 + round % 4;
        let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != subject).collect();
        if cluster.leader() == subject {
            transfer(&cluster, others[0]);
        }
        let verb = ["DEMOTE", "PROMOTE"];
        for (step, verb) in verb.into_iter().enumerate() {
            let leader = cluster.leader();
            let dies = if (round + step as u64).is_multiple_of(2) { subject } else { leader };
            let asked = *others.iter().find(|id| **id != dies).expect("four nodes");
            let mut client = cluster.client(asked);
            client.send(&["RAFT", verb, &subject.to_string()]).expect("sent");
            cluster.kill(dies);
            cluster.restart(dies);
            wish(&cluster, asked, &["RAFT", verb, &subject.to_string()]);
            await_members(&cluster, asked, subject, Some(verb == "PROMOTE"));
            load.await_writes(20);
        }
        cluster.assert_running(&[1, 2, 3, 4]);
    }
    let outcomes = load.stop();
    outcomes.check(&mut cluster);
    restart_all(&mut cluster);
    outcomes.check(&mut cluster);
    assert_one_history(&mut cluster);
}

/// Answers every connection with something that no node says.
fn impostor(host: &str) -> String {
    let listener = TcpListener::bind((host, 0)).expect("a free port");
    let addr = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1000]);
            let _ = stream.write_all(b"-ERR unknown command 'RAFT'\r\n");
        }
    });
    addr
}

#[test]
fn redisraft_187_a_failed_join_spoils_nothing() {
    let mut cluster = Setup::new().start();
    let mut foreign = Setup::new().nodes(1).beside().start();
    let host = cluster.node(1).addr.split(':').next().expect("host:port").to_owned();
    let before = cluster.members(1);
    cluster.prepare_joiner(4, 1);
    let flags = cluster.node(4).flags.clone();
    let place = flags.iter().position(|flag| flag == "--join").expect("a flag of the harness") + 1;
    let through = |cluster: &mut Cluster, targets: &str| {
        let mut wrong = flags.clone();
        wrong[place] = targets.to_owned();
        cluster.node_mut(4).flags = wrong;
    };
    // Somebody who is no node at all, and two clusters at once.
    let stranger = impostor(&host);
    through(&mut cluster, &stranger);
    let said = cluster.node_mut(4).start_refused();
    assert!(said.contains(&stranger) && said.contains("Nothing was made or changed here"), "{said}");
    let both = format!("{},{}", cluster.node(1).addr, foreign.node(1).addr);
    cluster.kill(1); // so that its other end is asked first
    through(&mut cluster, &both);
    cluster.restart(4);
    eventually("the foreign one has let it in, or it has ended", || {
        (foreign.members(1)?.len() > 1 || !cluster.node_mut(4).is_running()).then_some(())
    });
    cluster.kill(4);
    cluster.restart(1);
    cluster.await_ready();
    // A directory that it may have made as a node of the other cluster is refused here.
    if cluster.node(4).data_dir.exists() {
        let other = cluster.node(2).addr.clone();
        through(&mut cluster, &other);
        let said = cluster.node_mut(4).start_refused();
        assert!(said.contains("is of a node of cluster"), "{said}");
        cluster.node_mut(4).lose_disk();
    }
    assert_eq!(cluster.members(1), before, "nobody was added");

    // Nobody is there: it goes on asking, and is let in when somebody is.
    for id in 1..=3 {
        cluster.kill(id);
    }
    let first = cluster.node(1).addr.clone();
    through(&mut cluster, &first);
    cluster.restart(4);
    eventually("it asks in vain", || (cluster.logged(4, "not let in yet") > 0).then_some(()));
    // Killed in the middle of it, and started again in the same way.
    cluster.kill(4);
    for id in 1..=3 {
        cluster.restart(id);
    }
    for _ in 0..3 {
        cluster.restart(4);
        eventually("it is let in", || {
            (cluster.logged(4, "let in") > cluster.logged(4, "not let in yet")).then_some(())
        });
        cluster.kill(4);
    }
    cluster.restart(4);
    await_members(&cluster, 1, 4, Some(true));
    cluster.client(4).set("joined", "properly");
    assert_eq!(cluster.client(2).get("joined"), Value::bulk("properly"));
    assert_eq!(cluster.members(2).map(|members| members.len()), Some(4), "once");
    foreign.assert_running(&[1]);
}
