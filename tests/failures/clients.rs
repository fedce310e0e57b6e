//! Clients that leave, send too much, send nonsense, or rely on time.

use crate::faults::change_leader;
use crate::harness::client::request;
use crate::harness::load::Load;
use crate::harness::{Client, Cluster, Setup, Value, eventually};
use bowline::command::{self, Flags};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn etcd_15271_time_and_revisions_never_run_back_across_failovers() {
    let mut cluster = Setup::new().start();
    let addrs = cluster.addrs();
    let stop = AtomicBool::new(false);
    let looks = AtomicUsize::new(0);
    cluster.client(1).call(&["SET", "ttl", "v", "EX", "100"]);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let (mut revision, mut ttl, mut place, mut short) = (0, i64::MAX, 0, 0);
            while !stop.load(Ordering::Relaxed) {
                let addr = &addrs[place % 3];
                place += 1;
                let Ok(mut client) = Client::try_connect(addr, Duration::from_secs(5)) else { continue };
                let mut ask =
                    |args: &[&str]| client.try_call(args).ok().filter(|reply| reply.error().is_none());
                if let Some(Value::Array(parts)) = ask(&["GETV", "count"]) {
                    assert_eq!(parts[0].text(), parts[1].int().to_string(), "each change is one version");
                    assert!(parts[2].int() >= revision, "revision {} after {revision}", parts[2].int());
                    revision = parts[2].int();
                }
                if let Some(Value::Int(now)) = ask(&["PTTL", "ttl"]) {
                    assert!(now <= ttl, "{now} ms to live after {ttl}");
                    ttl = now;
                }
                // Who has seen a key expire never sees it again, on whichever node.
                let (key, limit) = (format!("short:{short}"), "30");
                if ask(&["SET", &key, "v", "PX", limit, "NX"]) == Some(Value::ok()) {
                    let nodes = addrs
                        .iter()
                        .filter_map(|addr| Client::try_connect(addr, Duration::from_secs(5)).ok());
                    let mut has_expired = false;
                    for mut client in nodes {
                        let Ok(reply) = client.try_call(&["GET", &key]) else { continue };
                        assert!(!(has_expired && reply == Value::bulk("v")), "{key} has come back");
                        has_expired |= reply == Value::Nil;
                    }
                }
                short += 1;
                looks.fetch_add(1, Ordering::Relaxed);
            }
            revision
        });
        let writer = scope.spawn(|| {
            let mut place = 0;
            while !stop.load(Ordering::Relaxed) {
                let client = Client::try_connect(&addrs[place % 3], Duration::from_secs(5));
                place += 1;
                let Ok(mut client) = client else { continue };
                while client.try_call(&["INCR", "count"]).is_ok() {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
            }
        });
        for round in 0..6 {
            change_leader(&mut cluster, round, None);
            let seen = looks.load(Ordering::Relaxed);
            eventually("somebody looks", || {
                (watcher.is_finished() || looks.load(Ordering::Relaxed) > seen + 5).then_some(())
            });
        }
        stop.store(true, Ordering::Relaxed);
        let revision = watcher.join().expect("a watcher that saw nothing wrong");
        writer.join().expect("a writer");
        assert!(revision > 20, "revision {revision}");
    });
}

/// A store that somebody keeps beside bowline, which takes a write only with a token at least
/// as high as any before.
#[derive(Default)]
struct Fenced {
    highest: i64,
    written: Vec<&'static str>,
}

impl Fenced {
    fn write(&mut self, token: i64, what: &'static str) -> bool {
        let is_right = token >= self.highest;
        if is_right {
            self.highest = token;
            self.written.push(what);
        }
        is_right
    }
}

/// The recipe of README: the lock expires, its revision fences, its token releases.
#[test]
fn jepsen_etcd_343_a_revision_fences_off_the_holder_of_an_expired_lock() {
    let mut cluster = Setup::new().start();
    let mut store = Fenced::default();
    let take = |client: &mut Client, token: &str, ms: &str| {
        client.call(&["SET", "lock", token, "NX", "PX", ms]) == Value::ok()
    };
    let revision = |client: &mut Client| match client.call(&["GETV", "lock"]) {
        Value::Array(parts) => parts[2].int(),
        other => panic!("no lock: {other:?}"),
    };
    for round in 0..3 {
        let mut slow = cluster.client(1 + round % 3);
        assert!(take(&mut slow, "slow", "800"));
        let slow_token = revision(&mut slow);
        // It does not notice how time passes: the leader changes, the lock expires.
        change_leader(&mut cluster, round as usize, Some(1 + round % 3));
        let mut quick = cluster.client(1 + (round + 1) % 3);
        eventually("the lock expires", || take(&mut quick, "quick", "30000").then_some(()));
        let quick_token = revision(&mut quick);
        assert!(quick_token > slow_token, "{quick_token} after {slow_token}");
        assert!(store.write(quick_token, "quick"));
        assert!(!store.write(slow_token, "slow"), "the old holder writes");
        assert_eq!(slow.call(&["DELIFEQ", "lock", "slow"]), Value::Int(0), "nor does it release another's");
        assert_eq!(quick.call(&["DELIFEQ", "lock", "quick"]), Value::Int(1));
    }
    assert_eq!(store.written, ["quick"; 3]);
}

/// xorshift64 (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A client, and another of its node that ends what it waits for, be it for ever.
struct Woken {
    client: Client,
    waker: Client,
    id: String,
    /// How often something was to be ended.
    wakes: i64,
}

impl Woken {
    fn connect(cluster: &Cluster, node: u64) -> Self {
        let (mut client, waker) = (cluster.client(node), cluster.client(node));
        let id = client.call(&["CLIENT", "ID"]).int().to_string();
        Self { client, waker, id, wakes: 0 }
    }

    /// As [`Client::try_call`]; the wait may begin at any time, so the other asks until the reply has come.
    fn try_call(&mut self, args: &[&str]) -> io::Result<Value> {
        std::thread::scope(|scope| {
            let call = scope.spawn(|| self.client.try_call(args));
            while !call.is_finished() {
                self.wakes += self.waker.call(&["CLIENT", "UNBLOCK", &self.id]).int();
            }
            call.join().expect("a client does not panic")
        })
    }
}

#[test]
fn tigerbeetle_odd_queries_crash_nobody_and_each_is_answered() {
    let seed = std::env::var("BOWLINE_SEED").ok().map(|text| text.parse().expect("a number"));
    let seed = seed.unwrap_or(u64::from(std::process::id()) | 1 << 40);
    println!("seed {seed}: BOWLINE_SEED={seed} repeats it");
    let mut random = Random(seed);
    let mut cluster = Setup::new().start();
    let long = "x".repeat(100_000);
    let words = [
        "",
        "0",
        "-1",
        "1",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551616",
        "1e999",
        "nan",
        "k",
        "k\r\n",
        "\0",
        "*",
        "[",
        "[^",
        "\\",
        "EX",
        "PX",
        "GET",
        "NX",
        "MATCH",
        "COUNT",
        "TYPE",
        "KEEPTTL",
        "PXAT",
        "STATUS",
        "HELP",
        "ONCE",
        "INCR",
        "MULTI",
        &long,
    ];
    let of_waits = [
        "0",
        "1",
        "100000",
        "none",
        "1 none",
        "LEFT",
        "MIN",
        "BLOCK 0",
        "GROUP g c",
        "STREAMS none $",
        "STREAMS s >",
        "0-0",
    ];
    // What would end the connection or the node, hold it up, change the members or whom they follow, or
    // has another number of replies than one, is tested elsewhere.
    let elsewhere = [
        "quit",
        "hello",
        "raft",
        "monitor",
        "shutdown",
        "sync",
        "psync",
        "replicaof",
        "slaveof",
        "client|kill",
        "client|pause",
        "client|reply",
    ];
    let rows: Vec<_> = command::all()
        .filter(|row| !elsewhere.contains(&row.full_name) && !row.full_name.starts_with("raft|"))
        .filter(|row| !row.name.ends_with("subscribe"))
        .collect();
    for id in cluster.ids() {
        let mut woken = Woken::connect(&cluster, id);
        woken.client.try_call(&["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"]).expect("a reply");
        for call in 0..700 {
            let row = rows[call % rows.len()];
            let waits = row.flags.has(Flags::BLOCKING) || ["wait", "waitaof", "migrate"].contains(&row.name);
            let name: Vec<&str> = row.full_name.split('|').collect();
            let others = std::iter::repeat_n(&of_waits[..], if waits { 20 } else { 0 });
            for words in others.chain([&words[..]]) {
                let mut args = name.clone();
                let drawn = (0..random.below(6)).flat_map(|_| words[random.below(words.len())].split(' '));
                args.extend(drawn);
                let reply = if waits { woken.try_call(&args) } else { woken.client.try_call(&args) };
                let shown: Vec<&str> = args.iter().map(|arg| &arg[..arg.len().min(30)]).collect();
                assert!(reply.is_ok(), "node {id}, {shown:?}: {reply:?}");
            }
        }
        assert_eq!(woken.client.call(&["RESET"]), Value::Simple("RESET".to_owned()));
        println!("node {id}: {} waits had to be ended", woken.wakes);
    }
    cluster.assert_running(&[1, 2, 3]);
    cluster.await_caught_up();
    cluster.client(1).set("still", "here");
    assert_eq!(cluster.client(2).get("still"), Value::bulk("here"));
}

#[test]
fn redisraft_49_clients_that_vanish_in_the_middle_of_a_request_leave_nothing_behind() {
    let mut cluster = Setup::new().start();
    let id = cluster.follower();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            let mut client = cluster.client(id);
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                count += 1;
                client.set("busy", count.to_string());
                assert_eq!(client.get("busy"), Value::bulk(count.to_string()), "somebody else's reply");
            }
        });
        for i in 0..200 {
            let mut client: Client = cluster.client(id);
            let whole = request(&["SET", &format!("gone:{i}"), &"z".repeat(100_000)]);
            let sent = match i % 4 {
                0 => client.stream.write_all(&whole[..whole.len() / 2]),
                1 => client.stream.write_all(&whole),
                2 => client.stream.write_all(&[request(&["MULTI"]), whole].concat()),
                _ => client.stream.write_all(&request(&["GET", "busy"]).repeat(1000)),
            };
            sent.expect("the node reads");
        }
        stop.store(true, Ordering::Relaxed);
        busy.join().expect("the other client is served");
    });
    let mut client = cluster.client(id);
    eventually("they are forgotten", || (client.info("connected_clients").ok()?? == "1").then_some(()));
    for i in 0..200 {
        let found = client.call(&["STRLEN", &format!("gone:{i}")]);
        // A whole request may be carried out; what was not whole may not.
        let is_right = if i % 4 == 1 {
            found == Value::Int(0) || found == Value::Int(100_000)
        } else {
            found == Value::Int(0)
        };
        assert!(is_right, "client {i} left {found:?}");
    }
    cluster.assert_running(&[1, 2, 3]);
}

/// Writes long values through a follower, and reads them back from the others, while others write
/// short ones.
fn long_values(value_bytes: usize) {
    let mut cluster = Setup::new().start();
    let follower = cluster.follower();
    let before = cluster.terms();
    let load = Load::start(&cluster, "small", 1, 10);
    let mut value: Vec<u8> = (0..value_bytes).map(|at| (at / 7 + at / 4099) as u8).collect();
    let mut client = cluster.client(follower);
    for round in 0..3 {
        value[value_bytes / 2] = round;
        client.set(&format!("long:{round}"), &value);
        for id in cluster.ids() {
            let found = cluster.client(id).get(&format!("long:{round}"));
            assert!(found == Value::bulk(&value), "node {id} gives another value");
        }
    }
    load.await_writes(1000); // others come through
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    outcomes.check(&mut cluster);
    let gap = outcomes.longest_gap(0);
    println!("{} MiB through a follower: longest gap of another client {gap:?}", value_bytes >> 20);
    assert_eq!(cluster.terms(), before, "nobody has campaigned");
    for id in cluster.ids() {
        assert_eq!(cluster.client(id).call(&["STRLEN", "long:2"]), Value::Int(value_bytes as i64));
    }
}

#[test]
fn redisraft_d33344d_a_long_value_through_a_follower_causes_no_election() {
    long_values(8 << 20);
}

/// 64 MiB take longer than an election to get through a disk: nobody may wait for all of them.
#[test]
fn redisraft_d33344d_nor_does_one_of_64_mib() {
    long_values(64 << 20);
}
