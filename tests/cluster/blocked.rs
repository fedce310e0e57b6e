//! Clients that wait for elements, on whatever node: each element reaches one of them, whatever becomes of nodes meanwhile.

use crate::harness::{Client, Cluster, PATIENCE, Setup, Value, eventually};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// `unavailable_after_ms` of `--timing fast`.
const UNAVAILABLE_AFTER: Duration = Duration::from_secs(4);

fn blocked(cluster: &Cluster, id: u64) -> usize {
    let count = eventually("a node counts who waits", || cluster.node(id).info("blocked_clients"));
    count.parse().expect("a number")
}

/// A client that waits, alone or behind others of its node.
fn waiter(cluster: &Cluster, id: u64, command: &[&str]) -> Client {
    let before = blocked(cluster, id);
    let mut client = cluster.client(id);
    client.send(command).expect("it is connected");
    eventually("it waits", || (blocked(cluster, id) == before + 1).then_some(()));
    client
}

/// What `BLPOP` has answered.
fn element(client: &mut Client) -> String {
    match client.read().expect("a reply") {
        Value::Array(pair) => pair[1].text(),
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn each_element_reaches_one_of_those_who_wait_in_the_order_of_their_arrival() {
    const EACH: usize = 5;
    let cluster = Setup::new().start();
    let mut waiters: BTreeMap<u64, Vec<Client>> = BTreeMap::new();
    for _ in 0..EACH {
        for id in cluster.ids() {
            waiters.entry(id).or_default().push(waiter(&cluster, id, &["BLPOP", "other", "q", "0"]));
        }
    }
    let mut pushers: Vec<Client> = cluster.ids().into_iter().map(|id| cluster.client(id)).collect();
    for i in 0..EACH * 3 {
        pushers[i % 3].call(&["RPUSH", "q", &i.to_string()]);
    }
    let mut all = Vec::new();
    for (id, own) in &mut waiters {
        let got: Vec<usize> =
            own.iter_mut().map(|client| element(client).parse().expect("a number")).collect();
        assert!(got.is_sorted(), "on node {id}: {got:?}");
        all.extend(got);
    }
    all.sort_unstable();
    assert_eq!(all, (0..EACH * 3).collect::<Vec<_>>());
    for id in cluster.ids() {
        assert_eq!(blocked(&cluster, id), 0);
        assert_eq!(cluster.client(id).call(&["EXISTS", "q"]), Value::Int(0));
    }
}

/// As in Redis, for those who wait on the node of who pushes.
#[test]
fn what_a_push_brings_is_taken_before_the_next_command_on_the_node() {
    let cluster = Setup::new().start();
    for id in cluster.ids() {
        let mut own = cluster.client(id);
        for round in 0..20 {
            let mut one = waiter(&cluster, id, &["BLMOVE", "one", "two", "RIGHT", "LEFT", "0"]);
            let mut two = waiter(&cluster, id, &["BRPOPLPUSH", "two", "one", "0"]);
            let mut three = waiter(&cluster, id, &["BZPOPMIN", "z", "0"]);
            own.call(&["RPUSH", "one", "a"]);
            assert_eq!(own.call(&["LLEN", "two"]), Value::Int(0), "round {round} on node {id}");
            assert_eq!(own.call(&["LPOP", "one"]), Value::bulk("a"), "round {round} on node {id}");
            own.call(&["ZADD", "z", "1", "m"]);
            assert_eq!(own.call(&["EXISTS", "z"]), Value::Int(0), "round {round} on node {id}");
            assert_eq!(one.read().expect("a reply"), Value::bulk("a"));
            assert_eq!(two.read().expect("a reply"), Value::bulk("a"));
            assert!(matches!(three.read().expect("a reply"), Value::Array(_)));
        }
        let stats = own.call(&["INFO", "commandstats"]).text();
        assert!(stats.contains("cmdstat_blmove:calls=20,"), "a try is no command: {stats}");
    }
}

#[test]
fn one_push_is_one_try_however_many_wait() {
    const MANY: usize = 2_000;
    let mut cluster = Setup::new().start();
    let (leader, id) = (cluster.leader(), cluster.follower());
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..MANY {
        let mut client = cluster.client(id);
        client.send(&["BLPOP", "q", "0"]).expect("it is connected");
        clients.push(client);
    }
    eventually("all wait", || (blocked(&cluster, id) == MANY).then_some(()));
    let entries = |cluster: &mut Cluster| {
        cluster.await_caught_up();
        cluster.raft(id, "raft_applied_index").expect("it lives")
    };
    let before = entries(&mut cluster);
    cluster.client(leader).call(&["RPUSH", "q", "a"]);
    eventually("one of them has it", || (blocked(&cluster, id) == MANY - 1).then_some(()));
    let tries = entries(&mut cluster) - before;
    assert!(tries <= 3, "{tries} entries for a push and a pop");
    let (mut leaves, began) = (clients.split_off(MANY / 2), Instant::now());
    leaves.clear();
    eventually("half of them have left", || (blocked(&cluster, id) <= MANY / 2).then_some(()));
    println!("{} have left after {:?}", MANY / 2, began.elapsed());
    cluster.client(leader).call(&["RPUSH", "q", "b"]);
    eventually("the next has it", || {
        (cluster.client(leader).call(&["EXISTS", "q"]) == Value::Int(0)).then_some(())
    });
    // The leader's answer says that the pop took place, not that the follower has carried it out.
    cluster.await_caught_up();
    eventually("who got it has its reply", || (blocked(&cluster, id) <= MANY / 2 - 2).then_some(()));
    assert_eq!(blocked(&cluster, id), MANY / 2 - 2);
}

#[test]
fn who_has_left_takes_nothing() {
    let cluster = Setup::new().start();
    for id in cluster.ids() {
        drop(waiter(&cluster, id, &["BLPOP", "q", "0"]));
        eventually("it has left", || (blocked(&cluster, id) == 0).then_some(()));
    }
    let mut client = cluster.client(1);
    client.call(&["RPUSH", "q", "a"]);
    assert_eq!(client.call(&["LRANGE", "q", "0", "-1"]), Value::Array(vec![Value::bulk("a")]));
}

/// What a client took, and how often it cannot know whether it has taken something.
#[derive(Default)]
struct Taken {
    elements: Vec<String>,
    unknown: usize,
}

fn take(addr: &str, stop: &AtomicBool) -> Taken {
    let mut taken = Taken::default();
    let mut client = Client::connect(addr);
    while !stop.load(Ordering::Relaxed) {
        match client.try_call(&["BLPOP", "q", "0.5"]).expect("its node lives") {
            Value::Array(pair) => taken.elements.push(pair[1].text()),
            Value::Nil => {}
            Value::Error(text) if text.starts_with("UNKNOWN") => taken.unknown += 1,
            Value::Error(text) if text.starts_with("CLUSTERDOWN") || text.starts_with("TRYAGAIN") => {}
            reply => panic!("{reply:?}"),
        }
    }
    taken
}

/// What was pushed for certain, and what may have been.
fn push(addr: &str, name: &str, stop: &AtomicBool) -> (Vec<String>, Vec<String>) {
    let (mut certain, mut perhaps) = (Vec::new(), Vec::new());
    let mut client = Client::connect(addr);
    for i in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let text = format!("{name}:{i}");
        match client.try_call(&["RPUSH", "q", &text]).expect("its node lives") {
            Value::Int(_) => certain.push(text),
            Value::Error(error) if error.starts_with("UNKNOWN") => perhaps.push(text),
            Value::Error(error) if error.starts_with("CLUSTERDOWN") || error.starts_with("TRYAGAIN") => {}
            reply => panic!("{reply:?}"),
        }
    }
    (certain, perhaps)
}

/// Clients push and wait on these nodes while `disturb` runs; then everything is counted.
fn nothing_is_lost_nor_taken_twice(cluster: &mut Cluster, nodes: &[u64], disturb: impl FnOnce(&mut Cluster)) {
    const TAKERS: usize = 3;
    let addrs: Vec<String> = nodes.iter().map(|id| cluster.node(*id).addr.clone()).collect();
    let (stop_pushes, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let (taken, pushed) = std::thread::scope(|scope| {
        let (stop_pushes, stop) = (&stop_pushes, &stop);
        let takers =
            addrs.iter().flat_map(|addr| (0..TAKERS).map(move |_| scope.spawn(move || take(addr, stop))));
        let takers: Vec<_> = takers.collect();
        let pushers = addrs.iter().map(|addr| scope.spawn(move || push(addr, addr, stop_pushes)));
        let pushers: Vec<_> = pushers.collect();
        disturb(cluster);
        stop_pushes.store(true, Ordering::Relaxed);
        let pushed: Vec<_> = pushers.into_iter().map(|it| it.join().expect("it saw nothing wrong")).collect();
        let mut client = cluster.client(nodes[0]);
        eventually("all is taken", || (client.try_call(&["LLEN", "q"]).ok()? == Value::Int(0)).then_some(()));
        stop.store(true, Ordering::Relaxed);
        let taken: Vec<_> = takers.into_iter().map(|it| it.join().expect("it saw nothing wrong")).collect();
        (taken, pushed)
    });
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for text in taken.iter().flat_map(|it| &it.elements) {
        *times.entry(text).or_default() += 1;
    }
    assert!(times.values().all(|&count| count == 1), "taken twice");
    let unknown: usize = taken.iter().map(|it| it.unknown).sum();
    let certain = pushed.iter().flat_map(|(certain, _)| certain);
    let lost = certain.filter(|text| times.remove(text.as_str()).is_none()).count();
    assert!(lost <= unknown, "{lost} lost, and {unknown} cannot know");
    let perhaps: Vec<_> = pushed.iter().flat_map(|(_, perhaps)| perhaps).collect();
    assert!(times.keys().all(|text| perhaps.iter().any(|it| it == text)), "{times:?} was never pushed");
    println!("{} pushed, {unknown} replies unknown", pushed.iter().map(|it| it.0.len()).sum::<usize>());
}

#[test]
fn nothing_is_lost_when_leaders_die() {
    let mut cluster = Setup::new().start();
    let leader = cluster.leader();
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != leader).collect();
    nothing_is_lost_nor_taken_twice(&mut cluster, &others, |cluster| {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300)); // of work
            cluster.kill(leader);
            eventually("another leads", || cluster.leader_now().filter(|id| *id != leader));
            std::thread::sleep(Duration::from_millis(300));
            cluster.restart(leader);
            cluster.await_ready();
            eventually("it leads again", || {
                let mut client = cluster.client(leader);
                let _ = client.try_call(&["RAFT", "TRANSFER", &leader.to_string()]);
                (cluster.leader_now() == Some(leader)).then_some(())
            });
        }
    });
}

#[test]
fn nothing_is_lost_when_a_node_is_alone_for_a_while() {
    let mut cluster = Setup::new().start();
    let alone = cluster.leader();
    nothing_is_lost_nor_taken_twice(&mut cluster, &[alone], |cluster| {
        for pause in [Duration::from_millis(700), UNAVAILABLE_AFTER + Duration::from_secs(2)] {
            std::thread::sleep(Duration::from_millis(300));
            let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != alone).collect();
            others.iter().for_each(|id| cluster.node(*id).signal("STOP"));
            std::thread::sleep(pause);
            others.iter().for_each(|id| cluster.node(*id).signal("CONT"));
            cluster.await_ready();
        }
    });
}

/// Clients of a node that wait, from when on at the earliest, and how long. These nodes have stopped before the time of
/// any of them was over: a slow machine needs more time for that than a quick one.
fn stopped_amid_waits(
    cluster: &Cluster,
    id: u64,
    commands: &[&[&str]],
    stopped: &[u64],
) -> (Vec<Client>, Instant, Duration) {
    let before = blocked(cluster, id);
    for seconds in [1, 4, 16] {
        let mut clients: Vec<Client> = commands.iter().map(|_| cluster.client(id)).collect();
        let (time, began) = (Duration::from_secs(seconds), Instant::now());
        for (client, command) in clients.iter_mut().zip(commands) {
            client.send(&[command, &[&*seconds.to_string()][..]].concat()).expect("it is connected");
        }
        eventually("they wait, or have waited", || {
            (blocked(cluster, id) == before + clients.len() || began.elapsed() >= time).then_some(())
        });
        stopped.iter().for_each(|id| cluster.node(*id).signal("STOP"));
        if began.elapsed() < time {
            return (clients, began, time);
        }
        stopped.iter().for_each(|id| cluster.node(*id).signal("CONT"));
        clients.iter_mut().for_each(|client| _ = client.read().expect("their time is over"));
    }
    panic!("the machine is too slow");
}

#[test]
fn a_wait_without_a_majority_ends_and_says_why() {
    let mut cluster = Setup::new().start();
    let alone = cluster.follower();
    let mut long = waiter(&cluster, alone, &["BLPOP", "q", "0"]);
    let others: Vec<u64> = cluster.ids().into_iter().filter(|id| *id != alone).collect();
    let (mut short, began, time) = stopped_amid_waits(&cluster, alone, &[&["BLPOP", "q"]], &others);
    let reply = short[0].read().expect("it ends");
    assert!(
        reply.error().is_some_and(|text| text.starts_with("CLUSTERDOWN") || text.starts_with("UNKNOWN")),
        "{reply:?}"
    );
    assert!(began.elapsed() >= time, "{:?}", began.elapsed());
    assert!(began.elapsed() < time + UNAVAILABLE_AFTER + PATIENCE);
    assert_eq!(blocked(&cluster, alone), 1, "who waits for ever waits on");
    others.iter().for_each(|id| cluster.node(*id).signal("CONT"));
    cluster.await_ready();
    cluster.client(others[0]).call(&["RPUSH", "q", "a"]);
    assert_eq!(element(&mut long), "a");
}

/// A clock that went on while the node did not must not end a wait for what has been there for long.
#[test]
fn a_node_that_was_paused_gives_what_came_meanwhile() {
    let mut cluster = Setup::new().start();
    let (leader, paused) = (cluster.leader(), cluster.follower());
    let (mut clients, _, time) =
        stopped_amid_waits(&cluster, paused, &[&["BLPOP", "q"], &["BZPOPMIN", "z"]], &[paused]);
    cluster.client(leader).call(&["RPUSH", "q", "a"]);
    std::thread::sleep(time); // that of both is over
    cluster.node(paused).signal("CONT");
    assert_eq!(element(&mut clients[0]), "a");
    assert_eq!(clients[1].read().expect("its time is over"), Value::Nil);
}
