//! Leaders that change while clients are at work.

use crate::faults::{Steady, change_leader};
use crate::harness::load::Load;
use crate::harness::{Client, Cluster, Setup, Value, eventually};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `unavailable_after_ms` of `--timing fast`.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(4);

/// A client, until it is told to stop.
type Work = Box<dyn FnOnce(&AtomicBool) + Send>;

/// Runs clients until `rounds` leaders have come and gone.
fn while_leaders_change(cluster: &mut Cluster, rounds: usize, spared: Option<u64>, clients: Vec<Work>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stop = &stop;
        let running: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || client(stop))).collect();
        for round in 0..rounds {
            change_leader(cluster, round, spared);
            if running.iter().any(|client| client.is_finished()) {
                break; // it has seen what must not be
            }
        }
        stop.store(true, Ordering::Relaxed);
        for client in running {
            client.join().expect("a client that saw nothing wrong");
        }
    });
}

#[test]
fn redisraft_13_a_forwarded_write_is_applied_once() {
    const PIPELINE: u64 = 20;
    let mut cluster = Setup::new().start();
    let follower = cluster.follower();
    let addr = cluster.node(follower).addr.clone();
    let (done, count) = std::sync::mpsc::channel();
    let appender = move |stop: &AtomicBool| {
        let mut client = Client::connect(&addr);
        let mut number = 0;
        let mut len = 0;
        while !stop.load(Ordering::Relaxed) {
            for i in 1..=PIPELINE {
                client.send(&["APPEND", "list", &format!("{};", number + i)]).expect("its node lives");
            }
            for _ in 0..PIPELINE {
                number += 1;
                len += format!("{number};").len() as i64;
                assert_eq!(client.read().expect("its node lives"), Value::Int(len), "the reply to {number}");
            }
        }
        done.send(number).expect("it is waited for");
    };
    while_leaders_change(&mut cluster, 8, Some(follower), vec![Box::new(appender)]);
    let count = count.recv().expect("it has ended");
    println!("{count} appended through node {follower} while leaders changed");
    let all: String = (1..=count).map(|number| format!("{number};")).collect();
    for id in cluster.ids() {
        assert!(cluster.client(id).get("list") == Value::bulk(&all), "the list on node {id}");
    }
}

/// Counts in two keys at once, leaves half a transaction behind, and watches.
fn transactions(addr: &str, name: &str, stop: &AtomicBool) -> (i64, i64) {
    let mut steady = Steady::new(addr);
    let (a, b) = (format!("a:{name}"), format!("b:{name}"));
    let (mut least, mut perhaps) = (0, 0);
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let last: &[&str] = if round % 3 == 0 { &["DISCARD"] } else { &["EXEC"] };
        let watches = round % 3 == 1;
        perhaps += i64::from(round % 3 != 0);
        let outcome = steady.with(|client| {
            if watches {
                assert_eq!(client.try_call(&["WATCH", &a])?, Value::ok());
            }
            assert_eq!(client.try_call(&["MULTI"])?, Value::ok(), "MULTI never fails");
            for key in [&a, &b] {
                assert_eq!(client.try_call(&["INCR", key])?, Value::Simple("QUEUED".to_owned()));
            }
            client.try_call(last)
        });
        match outcome {
            Some(Value::Array(both)) => {
                assert_eq!(both[0], both[1], "{name}: one without the other");
                let count = both[0].int();
                assert!(
                    (least + 1..=least + perhaps).contains(&count),
                    "{name}: {count}, not {least} and more"
                );
                (least, perhaps) = (count, 0);
            }
            Some(Value::Simple(text)) => assert_eq!((text.as_str(), last), ("OK", &["DISCARD"][..])),
            // A watched key that an attempt of unknown outcome has changed after all.
            Some(Value::Nil) => assert!(watches, "{name}: a transaction that did not take place"),
            Some(Value::Error(text)) => panic!("{name}: {text}: its node lives, and there is a leader soon"),
            Some(other) => panic!("{name}: {other:?}"),
            None => {}
        }
    }
    (least, perhaps)
}

#[test]
fn redisraft_25_transactions_are_whole_across_elections() {
    let mut cluster = Setup::new().start();
    let (done, ends) = std::sync::mpsc::channel();
    let mut clients: Vec<Work> = Vec::new();
    for id in cluster.ids() {
        for i in 0..2 {
            let (addr, name, done) = (cluster.node(id).addr.clone(), format!("{id}:{i}"), done.clone());
            clients.push(Box::new(move |stop| {
                let end = transactions(&addr, &name, stop);
                done.send((name, end)).expect("it is waited for");
            }));
        }
    }
    drop(done);
    while_leaders_change(&mut cluster, 6, None, clients);
    for (name, (least, perhaps)) in ends {
        for id in cluster.ids() {
            let mut client = cluster.client(id);
            let both = ["a", "b"].map(|key| client.get(&format!("{key}:{name}")).text());
            assert_eq!(both[0], both[1], "{name} on node {id}");
            let count: i64 = both[0].parse().expect("a count");
            assert!((least..=least + perhaps).contains(&count), "{name} on node {id}: {count}, {least}");
        }
    }
}

/// Pipelines of commands whose replies say whose they are.
fn tagged(addr: &str, name: &str, stop: &AtomicBool) {
    let mut steady = Steady::new(addr);
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let tags: Vec<String> = (0..8).map(|i| format!("{name}:{number}:{i}")).collect();
        let key = format!("tag:{name}");
        steady.with(|client| {
            for tag in &tags {
                client.send(&["ECHO", tag])?;
                client.send(&["SET", &key, tag])?;
                client.send(&["GET", &key])?;
                client.send(&["NOSUCH", tag])?;
            }
            for tag in &tags {
                assert_eq!(client.read()?, Value::bulk(tag), "{name}: somebody else's reply");
                assert_eq!(client.read()?, Value::ok(), "{name}");
                assert_eq!(client.read()?, Value::bulk(tag), "{name}: somebody else's value");
                let refused = client.read()?;
                assert!(refused.error().is_some_and(|text| text.contains(tag)), "{name}: {refused:?}");
            }
            Ok(())
        });
    }
}

#[test]
fn redisraft_26_no_client_gets_anothers_reply() {
    let mut cluster = Setup::new().start();
    let mut clients: Vec<Work> = Vec::new();
    for id in cluster.ids() {
        for i in 0..4 {
            let (addr, name) = (cluster.node(id).addr.clone(), format!("{id}:{i}"));
            clients.push(Box::new(move |stop| tagged(&addr, &name, stop)));
        }
    }
    while_leaders_change(&mut cluster, 6, None, clients);
    cluster.assert_running(&[1, 2, 3]);
}

/// The leader sleeps while another one writes, again and again, and is asked in its sleep and
/// as soon as it wakes up.
fn wake_up_old_leaders(flags: &[&str]) {
    let mut cluster = Setup::new().flags(flags).start();
    for round in 0..5 {
        let old = cluster.leader();
        let mut on_old = cluster.client(old);
        on_old.set("paused", format!("old{round}"));
        // Whatever allows it to answer alone is as new as it can be.
        for _ in 0..20 {
            assert_eq!(on_old.get("paused"), Value::bulk(format!("old{round}")));
        }
        cluster.node(old).signal("STOP");
        let other = cluster.ids().into_iter().find(|id| *id != old).expect("three nodes");
        cluster.client(other).set("paused", format!("new{round}"));
        on_old.send(&["GET", "paused"]).expect("the kernel takes it");
        cluster.node(old).signal("CONT");
        let mut fresh = cluster.client(old);
        assert_eq!(fresh.get("paused"), Value::bulk(format!("new{round}")), "a new connection");
        assert_eq!(on_old.read().expect("a reply"), Value::bulk(format!("new{round}")), "an old connection");
    }
    cluster.assert_running(&[1, 2, 3]);
}

#[test]
fn redisraft_19_a_leader_that_was_paused_never_answers_with_an_old_value() {
    wake_up_old_leaders(&[]);
}

#[test]
fn etcd_20418_nor_does_it_with_a_lease() {
    wake_up_old_leaders(&["--read-mode", "lease"]);
}

#[test]
fn redisraft_21_no_node_of_a_healthy_cluster_says_that_there_is_no_leader() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "healthy", 2, 10);
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        for id in cluster.ids() {
            assert_ne!(cluster.raft(id, "raft_leader_id"), Some(0), "node {id} knows no leader");
            let mut client = cluster.client(id);
            client.set("healthy", id.to_string());
            assert_eq!(client.get("healthy"), Value::bulk(id.to_string()));
        }
    }
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
}

#[test]
fn redisraft_23_an_error_that_denies_a_write_is_true() {
    let mut cluster = Setup::new().start();
    let load = Load::start(&cluster, "minority", 2, 10);
    load.await_writes(100);
    let left = cluster.leader();
    let dead: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != left).collect();
    let mut client = cluster.client(left);
    client.set("alone", "before");
    for id in &dead {
        cluster.kill(*id);
    }
    let asked = Instant::now();
    let mut reader = cluster.client(left);
    reader.send(&["GET", "alone"]).expect("sent");
    let write = client.try_call(&["SET", "alone", "perhaps"]).expect("an answer");
    let text = write.error().expect("an error: there is no majority").to_owned();
    assert!(text.starts_with("UNKNOWN") || text.starts_with("CLUSTERDOWN"), "{text}");
    let read = reader.read().expect("an answer");
    assert!(read.error().is_some_and(|text| text.starts_with("CLUSTERDOWN")), "{read:?}");
    let bound = UNAVAILABLE_AFTER * 2 + Duration::from_secs(2);
    assert!(asked.elapsed() < bound, "the errors took {:?}", asked.elapsed());
    println!("without a majority: errors after {:?}", asked.elapsed());
    // What comes now is refused at once, and never happens.
    let refused = eventually("a definite refusal", || {
        let reply = client.try_call(&["SET", "refused", "yes"]).expect("an answer");
        reply.error().filter(|text| text.starts_with("CLUSTERDOWN")).map(str::to_owned)
    });
    println!("then: {refused}");
    let outcomes = load.stop();
    cluster.restart(dead[0]);
    cluster.await_ready();
    assert_eq!(cluster.client(left).get("refused"), Value::Nil, "it was refused");
    outcomes.check(&mut cluster);
    cluster.restart(dead[1]);
    cluster.await_ready();
    outcomes.check(&mut cluster);
    assert!(outcomes.errors().iter().all(|e| e.contains("UNKNOWN") || e.contains("CLUSTERDOWN")));
}
