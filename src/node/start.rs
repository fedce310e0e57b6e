//! From a configuration and a data directory to a running node.

use super::breath::{Breath, breathe};
use super::clock::Clock;
use super::disk::Disk;
use super::driver::Helpers;
use super::join::Admission;
use super::recover::recover;
use super::snapshots::SnapshotThread;
use super::walk::Walk;
use super::{Node, NodeError, Shared, strangers};
use crate::group::{Group, GroupConfig};
use crate::limits;
use crate::storage::{self, DataDir, Expectations, FirstMember, StorageKind};
use crate::transport::{Transport, TransportConfig};
use crate::wire::{FIRST_GROUP, NodeId};
use slog::Logger;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

/// What a node is started with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// This node; one of `members`.
    pub node_id: NodeId,
    /// Members as far as they are known beforehand, this node included: the first ones of a new
    /// cluster; later, where else to look for those that are not where they were.
    pub members: Vec<FirstMember>,
    /// Whether it was told to join a cluster, not of whom one is made.
    pub joins: bool,
    /// What it was told when it was let in; nothing, if it has its directory already.
    pub admission: Option<Admission>,
    /// Where its state lives.
    pub data_dir: PathBuf,
    /// How.
    pub storage: StorageKind,
    /// Of elections.
    pub election_ticks: usize,
    /// Of heartbeats.
    pub heartbeat_ticks: usize,
    /// How long a lease lasts.
    pub lease_us: u64,
    /// How long commands wait without a leader.
    pub unavailable_after_ms: u64,
    /// What peers must know of each other.
    pub secret: Option<String>,
    /// Of the user `default` of a new cluster, as its hash.
    pub password: Option<String>,
    /// Log bytes that make a snapshot due.
    pub snapshot_min_log_bytes: u64,
}

fn io_error(what: &str) -> impl FnOnce(std::io::Error) -> NodeError {
    let what = what.to_owned();
    move |source| NodeError::Io { what, source }
}

fn random<const N: usize>() -> Result<[u8; N], NodeError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| NodeError::Io {
        what: "ask the operating system for random bytes".to_owned(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

impl Node {
    /// Loads the state and starts the helper threads and the peer connections; the caller
    /// then awaits [`Node::run`]. Must be called within a `LocalSet`.
    pub fn start(
        config: &NodeConfig,
        peer_listener: TcpListener,
        log: &Logger,
        raft_log: &Logger,
    ) -> Result<(Self, Helpers), NodeError> {
        let data_dir = DataDir::open(&config.data_dir, &expectations(config))?;
        let (mut store, snapshot_store) = storage::open(config.storage, &data_dir)?;
        let voters = data_dir.first_voters();
        let recovered = recover(&mut *store, &*snapshot_store, FIRST_GROUP, &voters, log)?;
        strangers::refuse(config, &data_dir, &recovered)?;
        let first_members = data_dir.first_members();
        let group_config = group_config(config, &data_dir)?;
        let mut group = Group::new(group_config, recovered, raft_log)
            .map_err(|error| NodeError::Incoherent(error.to_string()))?;
        group.set_breath(breathe);
        let (disk, written) = Disk::start(store).map_err(io_error("start the disk thread"))?;
        let (snapshot_events, snapshots) = unbounded_channel();
        let snapshot_thread = SnapshotThread::start(snapshot_store.clone(), snapshot_events.clone())
            .map_err(io_error("start the snapshot thread"))?;
        let transport_config = transport_config(config, &data_dir)?;
        let shared = Rc::new(Shared {
            node_id: config.node_id,
            group_id: FIRST_GROUP,
            storage: config.storage.name(),
            first_members,
            newcomers: RefCell::default(),
            peers_changed: Cell::new(false),
            hints: config.members.clone(),
            group: RefCell::new(group),
            inbox: RefCell::default(),
            wake: Notify::new(),
            jobs_waiting: Cell::new(0),
            looks_again: Cell::new(false),
            clock: Clock::start(),
            disk: RefCell::new(disk),
            data_dir: RefCell::new(data_dir),
            transport: OnceCell::new(),
            breath: Breath::default(),
            has_unsent: Cell::new(false),
            told_removed: Cell::new(None),
            clients: OnceCell::new(),
            snapshot_store,
            snapshot_thread,
            snapshot_events,
            receiving_snapshot: Arc::new(AtomicBool::new(false)),
            walk: Walk::default(),
            last_snapshot_ms: Cell::new(Clock::start().now().wall_ms),
            snapshots_failed: Cell::default(),
            promises: RefCell::new(VecDeque::new()),
            syncs_begun: RefCell::default(),
            wrote: Cell::new(false),
            stop: RefCell::new(None),
            log: log.clone(),
        });
        let transport = Transport::start(transport_config, peer_listener, shared.clone(), log.clone());
        transport.set_peers(&shared.peers());
        let _ = shared.transport.set(transport);
        Ok((Self { shared }, Helpers { written, snapshots }))
    }
}

fn expectations(config: &NodeConfig) -> Expectations {
    let mut expected = Expectations {
        node: config.node_id,
        storage: config.storage,
        first_members: config.members.clone(),
        ..Expectations::default()
    };
    if let Some(admission) = &config.admission {
        expected.first_members.extend(admission.members.iter().cloned());
        expected.first_voters.clone_from(&admission.first_voters);
        expected.cluster_id = Some(admission.cluster_id);
    }
    expected
}

impl Shared {
    /// Where the others are: members of the log at the addresses that they gave last; those
    /// that the log does not place yet, where this directory was told; and those that are not
    /// found there, where this start was told; newcomers where they say that they are. A member
    /// that was removed is nowhere.
    pub(super) fn peers(&self) -> Vec<(NodeId, String)> {
        let group = self.group.borrow();
        let members = group.machine().members();
        let mut places: BTreeMap<NodeId, Vec<&str>> = BTreeMap::new();
        let registered = members.all().iter().map(|(node, member)| (*node, member.peer_addr.as_str()));
        let told = |told: &FirstMember| (told.node, told.peer_addr.clone());
        let first: Vec<_> = self.first_members.iter().map(told).collect();
        let hints: Vec<_> = self.hints.iter().map(told).collect();
        for (node, addr) in registered.filter(|(_, addr)| !addr.is_empty()) {
            places.entry(node).or_default().push(addr);
        }
        for (node, addr) in &first {
            places.entry(*node).or_insert_with(|| vec![addr]);
        }
        for (node, addr) in &hints {
            let known = places.entry(*node).or_default();
            if !known.contains(&addr.as_str()) {
                known.push(addr);
            }
        }
        let newcomers = self.newcomers.borrow();
        for (node, addr) in newcomers.iter() {
            places.entry(*node).or_insert_with(|| vec![addr]);
        }
        places.retain(|node, _| *node != self.node_id && !members.removed().contains(node));
        places.into_iter().map(|(node, places)| (node, places.join(","))).collect()
    }
}

fn group_config(config: &NodeConfig, data_dir: &DataDir) -> Result<GroupConfig, NodeError> {
    let me = config.members.iter().find(|member| member.node == config.node_id);
    let me = me.ok_or_else(|| {
        NodeError::Incoherent(format!("node {} is not among the members it was given", config.node_id))
    })?;
    Ok(GroupConfig {
        node_id: config.node_id,
        group: FIRST_GROUP,
        boot: data_dir.boot(),
        incarnation: data_dir.incarnation(),
        client_addr: me.client_addr.clone(),
        peer_addr: me.peer_addr.clone(),
        settled: data_dir.settled(),
        election_ticks: config.election_ticks,
        heartbeat_ticks: config.heartbeat_ticks,
        lease_us: config.lease_us,
        unavailable_after_ms: config.unavailable_after_ms,
        seed: u64::from_le_bytes(random()?),
        new_cluster_id: random()?,
        new_hash_key: random()?,
        new_password: config.password.clone().unwrap_or_default(),
        snapshot_min_log_bytes: config.snapshot_min_log_bytes,
        log_cache_bytes: limits::LOG_CACHE_BYTES.min(config.snapshot_min_log_bytes as usize),
        log_held_bytes: limits::LOG_HELD_BYTES,
        others_lag_us: limits::OTHERS_LAG_US,
        one_at_a_time: false,
    })
}

fn transport_config(config: &NodeConfig, data_dir: &DataDir) -> Result<TransportConfig, NodeError> {
    let me = config.members.iter().find(|member| member.node == config.node_id);
    Ok(TransportConfig {
        node_id: config.node_id,
        peer_addr: me.map_or_else(String::new, |me| me.peer_addr.clone()),
        group: FIRST_GROUP,
        incarnation: data_dir.incarnation(),
        boot: data_dir.boot(),
        secret: config.secret.clone(),
        timing: crate::transport::Timing::default(),
        jitter_seed: u64::from_le_bytes(random()?),
    })
}
