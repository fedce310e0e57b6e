//! What is done to the clusters of more than one of these tests.

use crate::harness::{Cluster, PATIENCE, Value, eventually};

/// Hands leadership to a running node.
#[track_caller]
pub fn transfer(cluster: &Cluster, to: u64) {
    eventually(&format!("node {to} leads"), || {
        let mut client = cluster.client(to);
        let reply = client.try_call(&["RAFT", "TRANSFER", &to.to_string()]).ok()?;
        (reply == Value::ok() && cluster.leader_now() == Some(to)).then_some(())
    });
}

/// Another leader than before: in turn because the old one dies (and comes back at once), and
/// because it is told to hand over. `spared` is never killed.
#[track_caller]
pub fn change_leader(cluster: &mut Cluster, round: usize, spared: Option<u64>) {
    let old = cluster.leader();
    if Some(old) == spared || !round.is_multiple_of(2) {
        let other = cluster.running().into_iter().find(|id| *id != old).expect("another node");
        return transfer(cluster, other);
    }
    cluster.kill(old);
    eventually("another leader", || cluster.leader_now().filter(|now| *now != old));
    cluster.restart(old);
    cluster.await_ready();
}

/// Sleeps as if it were cut off: what is sent to it waits in its sockets.
pub fn pause(cluster: &Cluster, id: u64) {
    cluster.node(id).signal("STOP");
}

pub fn resume(cluster: &Cluster, id: u64) {
    cluster.node(id).signal("CONT");
}

/// Everything dies and comes back.
#[track_caller]
pub fn restart_all(cluster: &mut Cluster) {
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
}

/// All keys of a node with value, version and revision: its history, as far as it left traces.
#[track_caller]
pub fn history(cluster: &Cluster, id: u64) -> Vec<(String, Value)> {
    let mut client = cluster.client(id);
    let Value::Array(keys) = client.call(&["KEYS", "*"]) else { panic!("no list of keys") };
    let mut keys: Vec<String> = keys.iter().map(Value::text).collect();
    keys.sort();
    keys.into_iter().map(|key| (key.clone(), client.call(&["GETV", &key]))).collect()
}

/// All running nodes have the same keys, values, versions and revisions.
#[track_caller]
pub fn assert_one_history(cluster: &mut Cluster) {
    let running = cluster.running();
    let first = history(cluster, running[0]);
    for id in &running[1..] {
        let other = history(cluster, *id);
        assert_eq!(first.len(), other.len(), "keys of node {} and of node {id}", running[0]);
        for (one, other) in first.iter().zip(&other) {
            assert!(one == other, "node {} and node {id} differ in {}", running[0], one.0);
        }
    }
}

/// In no term did two nodes lead, by what the nodes have logged.
#[track_caller]
pub fn assert_one_leader_a_term(cluster: &Cluster) {
    let mut leaders = std::collections::BTreeMap::new();
    for id in cluster.ids() {
        let log = cluster.node(id).read_log();
        for line in log.lines().filter(|line| line.contains("leader") && line.contains("role")) {
            let term = line.split("term").nth(1).map(|rest| {
                let digits = rest.chars().skip_while(|c| !c.is_ascii_digit());
                digits.take_while(char::is_ascii_digit).collect::<String>()
            });
            let Some(term) = term.filter(|term| !term.is_empty()) else { continue };
            let other = *leaders.entry(term.clone()).or_insert(id);
            assert_eq!(other, id, "two leaders in term {term}");
        }
    }
    assert!(!leaders.is_empty(), "nodes log who leads");
}

/// A client's connection, made again when it broke.
pub struct Steady {
    pub addr: String,
    client: Option<crate::harness::Client>,
}

impl Steady {
    pub fn new(addr: &str) -> Self {
        Self { addr: addr.to_owned(), client: None }
    }

    /// None: the connection broke, and the outcome is not known.
    pub fn with<T>(
        &mut self,
        f: impl FnOnce(&mut crate::harness::Client) -> std::io::Result<T>,
    ) -> Option<T> {
        if self.client.is_none() {
            self.client = crate::harness::Client::try_connect(&self.addr, PATIENCE).ok();
        }
        let Some(client) = &mut self.client else {
            std::thread::sleep(std::time::Duration::from_millis(20)); // until the node runs again
            return None;
        };
        let outcome = f(client).ok();
        if outcome.is_none() {
            self.client = None;
        }
        outcome
    }
}
