//! From a configuration and a data directory to a running node.

use super::clock::Clock;
use super::disk::Disk;
use super::driver::Helpers;
use super::recover::recover;
use super::snapshots::SnapshotThread;
use super::{Node, NodeError, Shared};
use crate::group::{Group, GroupConfig};
use crate::limits;
use crate::machine::Member;
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
    /// The first members of the cluster.
    pub members: Vec<FirstMember>,
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
        let expected = Expectations {
            node: config.node_id,
            storage: config.storage,
            first_members: config.members.clone(),
        };
        let data_dir = DataDir::open(&config.data_dir, &expected)?;
        let (mut store, snapshot_store) = storage::open(config.storage, &data_dir)?;
        refuse_strangers(config, &data_dir)?;
        let first_members = data_dir.first_members();
        let voters: Vec<NodeId> = first_members.iter().map(|member| member.node).collect();
        let recovered = recover(&mut *store, &*snapshot_store, FIRST_GROUP, &voters, log)?;
        let group_config = group_config(config, &data_dir)?;
        let group = Group::new(group_config, recovered, raft_log)
            .map_err(|error| NodeError::Incoherent(error.to_string()))?;
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
            group: RefCell::new(group),
            inbox: RefCell::default(),
            wake: Notify::new(),
            jobs_waiting: Cell::new(0),
            clock: Clock::start(),
            disk: RefCell::new(disk),
            data_dir: RefCell::new(data_dir),
            transport: OnceCell::new(),
            clients: OnceCell::new(),
            snapshot_store,
            snapshot_thread,
            snapshot_events,
            receiving_snapshot: Arc::new(AtomicBool::new(false)),
            walking_snapshot: Cell::new(false),
            promises: RefCell::new(VecDeque::new()),
            stop: RefCell::new(None),
            log: log.clone(),
        });
        let transport = Transport::start(transport_config, peer_listener, shared.clone(), log.clone());
        let registered = shared.group.borrow().machine().members().all().clone();
        transport.set_peers(&peers(config.node_id, &shared.first_members, &registered));
        let _ = shared.transport.set(transport);
        Ok((Self { shared }, Helpers { written, snapshots }))
    }
}

/// Refuses a data directory made among other members: with it this node would move into their
/// cluster, and they would look for that node here from then on.
fn refuse_strangers(config: &NodeConfig, data_dir: &DataDir) -> Result<(), NodeError> {
    let others = |members: &[FirstMember]| {
        let others = members.iter().filter(|member| member.node != config.node_id);
        others.map(|member| member.peer_addr.clone()).collect::<Vec<_>>()
    };
    let (known, given) = (others(&data_dir.first_members()), others(&config.members));
    if known.is_empty() && given.is_empty() || given.iter().any(|address| known.contains(address)) {
        return Ok(());
    }
    let list = |addresses: Vec<String>| match addresses.is_empty() {
        true => "without other members".to_owned(),
        false => format!("with other members that serve peers on {}", addresses.join(", ")),
    };
    Err(NodeError::Incoherent(format!(
        "data directory {}: it is another cluster's: it was made {}, and this node was started {}. Correct \
         --cluster, or use this node's own directory",
        config.data_dir.display(),
        list(known),
        list(given)
    )))
}

/// Where the others are.
pub fn peers(
    node_id: NodeId,
    first_members: &[FirstMember],
    registered: &BTreeMap<NodeId, Member>,
) -> Vec<(NodeId, String)> {
    let first = first_members.iter().map(|member| (member.node, member.peer_addr.clone()));
    let since = registered
        .iter()
        .filter(|(_, member)| !member.peer_addr.is_empty())
        .map(|(node, member)| (*node, member.peer_addr.clone()));
    let mut all: BTreeMap<NodeId, String> = first.collect();
    all.extend(since);
    all.remove(&node_id);
    all.into_iter().collect()
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
        snapshot_min_log_bytes: config.snapshot_min_log_bytes,
        log_cache_bytes: limits::LOG_CACHE_BYTES.min(config.snapshot_min_log_bytes as usize),
    })
}

fn transport_config(config: &NodeConfig, data_dir: &DataDir) -> Result<TransportConfig, NodeError> {
    Ok(TransportConfig {
        node_id: config.node_id,
        group: FIRST_GROUP,
        incarnation: data_dir.incarnation(),
        boot: data_dir.boot(),
        secret: config.secret.clone(),
        timing: crate::transport::Timing::default(),
        jitter_seed: u64::from_le_bytes(random()?),
    })
}
