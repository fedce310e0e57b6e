//! Clusters of real processes for tests: started on a loopback address of their own, killed,
//! paused and started again by process id, and cleaned up at the end. When a test fails, the
//! ends of the nodes' logs are printed. This module must never touch a process that it has
//! not started.

#![allow(dead_code, reason = "each file of tests uses its own part of the harness")]

pub mod client;
pub mod fill;
pub mod load;
mod members;
mod node;
pub mod turn;

pub use client::{Client, Value};
pub use node::Node;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long anything may take that is expected to happen soon, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at again.
const POLL: Duration = Duration::from_millis(5);

/// The binary under test.
pub fn binary() -> PathBuf {
    let chosen = std::env::var_os("BOWLINE_BIN");
    let path = chosen.map_or_else(|| env!("CARGO_BIN_EXE_bowline").into(), PathBuf::from);
    // Some tests run it elsewhere.
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Waits until `condition` gives something; fails with `what` when it does not within `patience`.
#[track_caller]
pub fn within<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// See [`within`].
#[track_caller]
pub fn eventually<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, what, condition)
}

/// An address of 127.0.0.0/8 that no other cluster of this machine uses: outgoing connections
/// start from 127.0.0.1, so that nothing takes its ports between two lives of a node.
pub fn own_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let pid = std::process::id();
    format!("127.{}.{}.{}", 1 + pid / 256 % 254, pid % 256, 1 + count % 254)
}

/// Ports of an address that are free now.
pub fn free_ports(host: &str, count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind((host, 0)).expect("a free port");
    let listeners: Vec<TcpListener> = (0..count).map(bind).collect();
    listeners.iter().map(|listener| listener.local_addr().expect("bound").port()).collect()
}

/// What a cluster is to be like.
pub struct Setup {
    nodes: usize,
    storage: &'static str,
    flags: Vec<String>,
    shares_turn: bool,
}

impl Setup {
    /// Three nodes on files.
    pub fn new() -> Self {
        Self { nodes: 3, storage: "file", flags: Vec::new(), shares_turn: false }
    }

    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    pub fn storage(mut self, storage: &'static str) -> Self {
        self.storage = storage;
        self
    }

    /// Flags for every node.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.flags.extend(flags.iter().map(|flag| (*flag).to_owned()));
        self
    }

    /// A second cluster of a test, which has had its turn with the first.
    pub fn beside(mut self) -> Self {
        self.shares_turn = true;
        self
    }

    /// Addresses, directories and command lines; nothing runs yet.
    pub fn prepare(self) -> Cluster {
        let turn = (!self.shares_turn).then(turn::take);
        let dir = tempfile::Builder::new().prefix("bowline-").tempdir().expect("a directory");
        let host = own_address();
        let ports = free_ports(&host, 2 * self.nodes);
        let addrs: Vec<String> = ports[..self.nodes].iter().map(|port| format!("{host}:{port}")).collect();
        let members: Vec<String> =
            addrs.iter().zip(&ports[self.nodes..]).map(|(addr, peer)| format!("{addr}@{peer}")).collect();
        let mut nodes = BTreeMap::new();
        for (id, (addr, peer_port)) in (1..).zip(addrs.iter().zip(&ports[self.nodes..])) {
            let mut flags = vec!["--cluster".to_owned(), members.join(",")];
            flags.extend(["--node-id".to_owned(), id.to_string()]);
            flags.extend(["--storage".to_owned(), self.storage.to_owned()]);
            let data_dir = dir.path().join(format!("n{id}"));
            if self.storage != "memory" {
                flags.extend(["--data-dir".to_owned(), data_dir.display().to_string()]);
            }
            flags.extend(self.flags.iter().cloned());
            let log = dir.path().join(format!("n{id}.log"));
            let peer_addr = format!("{host}:{peer_port}");
            nodes.insert(id, Node::new(id, addr.clone(), peer_addr, data_dir, log, flags));
        }
        let mut common = vec!["--storage".to_owned(), self.storage.to_owned()];
        common.extend(self.flags);
        Cluster { nodes, dir, host, common, _turn: turn }
    }

    /// Starts all nodes and waits until each knows the leader.
    pub fn start(self) -> Cluster {
        let mut cluster = self.prepare();
        for id in cluster.ids() {
            cluster.node_mut(id).start();
        }
        cluster.await_ready();
        cluster
    }
}

/// A cluster of processes.
pub struct Cluster {
    nodes: BTreeMap<u64, Node>,
    dir: TempDir,
    host: String,
    /// Flags of every node.
    common: Vec<String>,
    _turn: Option<turn::Turn>,
}

impl Cluster {
    pub fn ids(&self) -> Vec<u64> {
        self.nodes.keys().copied().collect()
    }

    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    #[track_caller]
    pub fn node(&self, id: u64) -> &Node {
        self.nodes.get(&id).expect("a node of the cluster")
    }

    #[track_caller]
    pub fn node_mut(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of the cluster")
    }

    /// A connection to a node, which may still be starting.
    #[track_caller]
    pub fn client(&self, id: u64) -> Client {
        let addr = &self.node(id).addr;
        eventually(&format!("node {id} takes connections"), || Client::try_connect(addr, PATIENCE).ok())
    }

    pub fn addrs(&self) -> Vec<String> {
        self.nodes.values().map(|node| node.addr.clone()).collect()
    }

    pub fn running(&mut self) -> Vec<u64> {
        self.nodes.iter_mut().filter_map(|(id, node)| node.is_running().then_some(*id)).collect()
    }

    /// A field of `INFO raft` as a number; none when the node does not answer.
    pub fn raft(&self, id: u64, field: &str) -> Option<u64> {
        self.node(id).info(field)?.parse().ok()
    }

    /// The term of each node.
    pub fn terms(&self) -> Vec<Option<u64>> {
        self.ids().iter().map(|id| self.raft(*id, "raft_term")).collect()
    }

    /// How often a node has logged this.
    pub fn logged(&self, id: u64, what: &str) -> usize {
        self.node(id).read_log().matches(what).count()
    }

    /// The leader, if the node with the highest term that answers knows one.
    pub fn leader_now(&self) -> Option<u64> {
        let terms = self.ids().into_iter().filter_map(|id| Some((self.raft(id, "raft_term")?, id)));
        let (_, id) = terms.max()?;
        self.raft(id, "raft_leader_id").filter(|leader| *leader != 0)
    }

    /// Waits for a leader that says itself that it leads.
    #[track_caller]
    pub fn leader(&self) -> u64 {
        eventually("a leader", || {
            let leader = self.leader_now()?;
            (self.node(leader).info("raft_role")? == "leader").then_some(leader)
        })
    }

    /// Some node that runs and does not lead.
    #[track_caller]
    pub fn follower(&mut self) -> u64 {
        let leader = self.leader();
        self.running().into_iter().find(|id| *id != leader).expect("a follower")
    }

    /// Waits until every running node takes writes.
    #[track_caller]
    pub fn await_ready(&mut self) {
        for id in self.running() {
            eventually(&format!("node {id} takes a write"), || {
                self.nodes.get_mut(&id).expect("a node").assert_running();
                let mut client = Client::try_connect(&self.node(id).addr, PATIENCE).ok()?;
                let reply = client.try_call(&["SET", "harness:ready", "yes"]).ok()?;
                (reply == Value::Simple("OK".to_owned())).then_some(())
            });
        }
    }

    /// Waits until all running nodes have applied what any of them has committed.
    #[track_caller]
    pub fn await_caught_up(&mut self) {
        let running = self.running();
        eventually("all nodes have applied the same", || {
            let commit = running.iter().map(|id| self.raft(*id, "raft_commit_index")).max()??;
            running.iter().all(|id| self.raft(*id, "raft_applied_index") >= Some(commit)).then_some(())
        });
    }

    /// Until all nodes have on their disks what they have applied: a leader may be ahead of its own.
    pub fn await_on_disk(&mut self) {
        let running = self.running();
        eventually("all disks have what is applied", || {
            let is_written = |id: &u64| {
                let applied = self.raft(*id, "raft_applied_index");
                applied.is_some() && self.raft(*id, "raft_persisted_index") >= applied
            };
            running.iter().all(is_written).then_some(())
        });
    }

    pub fn kill(&mut self, id: u64) {
        self.node_mut(id).kill();
    }

    pub fn restart(&mut self, id: u64) {
        self.node_mut(id).start();
    }

    /// Ends a cluster that has to be healthy: every process that ran still does.
    #[track_caller]
    pub fn assert_running(&mut self, ids: &[u64]) {
        for id in ids {
            self.node_mut(*id).assert_running();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in self.nodes.values_mut() {
            node.kill();
            if std::thread::panicking() {
                node.print_log(30);
            }
        }
    }
}
