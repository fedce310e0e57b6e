//! `ONCE` on bad days: clients that give up early, and repeat on whichever node until they have
//! their reply. Each number adds one to the session's counter, so the reply to it says at once
//! whether any was applied twice, or not at all.

use crate::harness::{Client, Cluster, Setup, Value, eventually};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Less than an election takes: the first attempt is often still under way when the next comes.
const SHORT_PATIENCE: Duration = Duration::from_millis(300);
/// Between attempts, so that dead nodes are not asked in a busy loop.
const PAUSE: Duration = Duration::from_millis(10);

/// A client of one session.
struct Repeater {
    session: String,
    addrs: Vec<String>,
    /// The node to ask next, in `addrs`.
    place: usize,
    seq: u64,
    repetitions: u64,
    replies: Arc<AtomicU64>,
}

impl Repeater {
    fn run(mut self, stop: &AtomicBool) -> Self {
        while !stop.load(Ordering::Relaxed) {
            self.seq += 1;
            self.call_once();
            if self.seq.is_multiple_of(5) {
                self.read_back();
            }
            self.replies.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// One command, on each node in turn, until some node answers it.
    fn ask(&mut self, args: &[&str]) -> Value {
        loop {
            let reply = Client::try_connect(&self.addrs[self.place], SHORT_PATIENCE)
                .and_then(|mut client| client.try_call(args));
            match reply {
                Ok(Value::Error(text)) if is_temporary(&text) => {
                    assert!(args[0] == "ONCE" || !text.starts_with("UNKNOWN"), "to a read: {text}");
                }
                Ok(reply) => return reply,
                Err(_) => {}
            }
            self.repetitions += 1;
            self.place = (self.place + 1) % self.addrs.len();
            std::thread::sleep(PAUSE);
        }
    }

    fn call_once(&mut self) {
        let (seq, key) = (self.seq.to_string(), format!("counter:{}", self.session));
        let session = self.session.clone();
        let reply = self.ask(&["ONCE", &session, &seq, "INCR", &key]);
        assert_eq!(reply, Value::Int(self.seq as i64), "{session}: the reply to {seq}");
        // Another node on each third: it has to know what this one was told.
        self.place = (self.place + usize::from(self.seq.is_multiple_of(3))) % self.addrs.len();
    }

    fn read_back(&mut self) {
        let key = format!("counter:{}", self.session);
        let reply = self.ask(&["GET", &key]);
        assert_eq!(reply, Value::bulk(self.seq.to_string()), "{}: a read after the reply", self.session);
    }
}

fn is_temporary(text: &str) -> bool {
    ["UNKNOWN", "CLUSTERDOWN", "TRYAGAIN"].iter().any(|code| text.starts_with(code))
}

/// Clients under way.
struct Repeaters {
    stop: Arc<AtomicBool>,
    replies: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Repeater>>,
}

impl Repeaters {
    fn start(cluster: &Cluster, count: usize) -> Self {
        let (stop, replies) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut threads = Vec::new();
        for place in 0..count {
            let repeater = Repeater {
                session: format!("session {place}"),
                addrs: cluster.addrs(),
                place: place % cluster.ids().len(),
                seq: 0,
                repetitions: 0,
                replies: replies.clone(),
            };
            let stop = stop.clone();
            threads.push(std::thread::spawn(move || repeater.run(&stop)));
        }
        Self { stop, replies, threads }
    }

    #[track_caller]
    fn await_replies(&self, more: u64) {
        let goal = self.replies.load(Ordering::Relaxed) + more;
        eventually("repeated commands get their replies", || {
            assert!(!self.threads.iter().any(JoinHandle::is_finished), "a client has seen what must not be");
            (self.replies.load(Ordering::Relaxed) >= goal).then_some(())
        });
    }

    fn stop(self) -> Vec<Repeater> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads
            .into_iter()
            .map(|thread| thread.join().expect("a client that saw nothing wrong"))
            .collect()
    }
}

/// Every node knows every session as its client does, and gives the last replies again.
#[track_caller]
fn check(cluster: &mut Cluster, repeaters: &[Repeater]) {
    for id in cluster.running() {
        let mut client = cluster.client(id);
        for Repeater { session, seq, .. } in repeaters {
            let key = format!("counter:{session}");
            assert_eq!(client.get(&key), Value::bulk(seq.to_string()), "{session} on node {id}");
            let status = client.call(&["ONCE", "STATUS", session]);
            let Value::Array(fields) = &status else { panic!("{status:?}") };
            assert_eq!(
                fields[..2],
                [Value::bulk("last_seq"), Value::Int(*seq as i64)],
                "{session} on node {id}"
            );
            for back in 0..(*seq).min(10) {
                let again = (seq - back).to_string();
                let reply = client.call(&["ONCE", session, &again, "INCR", &key]);
                assert_eq!(reply, Value::Int((seq - back) as i64), "{session} on node {id}");
            }
            assert_eq!(client.get(&key), Value::bulk(seq.to_string()), "{session} on node {id}");
        }
    }
}

#[test]
fn each_number_is_applied_once_while_leaders_die() {
    let mut cluster = Setup::new().start();
    let repeaters = Repeaters::start(&cluster, 6);
    for _ in 0..4 {
        repeaters.await_replies(60);
        let leader = cluster.leader();
        cluster.kill(leader);
        repeaters.await_replies(60);
        cluster.restart(leader);
        cluster.await_ready();
    }
    let repeaters = repeaters.stop();
    check(&mut cluster, &repeaters);
    let repetitions: u64 = repeaters.iter().map(|repeater| repeater.repetitions).sum();
    let numbers: u64 = repeaters.iter().map(|repeater| repeater.seq).sum();
    println!("four leaders dead: {numbers} numbers, {repetitions} repetitions");
    assert!(repetitions > 0, "nothing was put to the test");
}

#[test]
fn sessions_outlive_a_pause_of_the_leader_and_the_death_of_all() {
    let mut cluster = Setup::new().start();
    let repeaters = Repeaters::start(&cluster, 4);
    for _ in 0..2 {
        repeaters.await_replies(40);
        let leader = cluster.leader();
        cluster.node(leader).signal("STOP");
        repeaters.await_replies(40);
        cluster.node(leader).signal("CONT");
        repeaters.await_replies(40);
        for id in cluster.ids() {
            cluster.kill(id);
        }
        for id in cluster.ids() {
            cluster.restart(id);
        }
        cluster.await_ready();
    }
    repeaters.await_replies(40);
    let repeaters = repeaters.stop();
    check(&mut cluster, &repeaters);
}

#[test]
fn sessions_are_in_the_snapshots_that_nodes_start_from_and_send() {
    let mut cluster = Setup::new().flags(&["--snapshot-log-mib", "1"]).start();
    let repeaters = Repeaters::start(&cluster, 3);
    let value = "x".repeat(64 << 10);
    for _ in 0..2 {
        let follower = cluster.follower();
        cluster.kill(follower);
        let leader = cluster.leader();
        let last_index = cluster.raft(leader, "raft_last_index").expect("it runs"); // the follower has no more
        let mut client = cluster.client(leader);
        eventually("the log is trimmed beyond the follower", || {
            (0..40).for_each(|key| client.set(&format!("fill:{key}"), &value));
            (cluster.raft(leader, "raft_first_index")? > last_index + 1).then_some(())
        });
        repeaters.await_replies(30);
        cluster.restart(follower);
        cluster.await_ready();
        assert!(cluster.node(follower).read_log().contains("snapshot installed"), "how it caught up");
    }
    let repeaters = repeaters.stop();
    check(&mut cluster, &repeaters);
    for id in cluster.ids() {
        let stored = cluster.raft(id, "raft_snapshot_index");
        assert!(stored > Some(0), "node {id} has a snapshot to start from");
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
    check(&mut cluster, &repeaters);
}
