//! Connections between nodes: framing, lanes, bounded queues, snapshot streams. Each node
//! dials its peers and only sends on what it dialled; it receives on what it accepted.
//! Everything runs on one thread (a `LocalSet` of a current_thread runtime). This module
//! must never block that thread, never hoard what a peer cannot take now, never trust a
//! byte that it read, and never call [`Inbound`] from within a call that was made to it.

mod accept;
mod dial;
mod handshake;
mod lane;
mod queue;
mod snapshot;
mod socket;
mod status;
#[cfg(test)]
mod tests;

pub use handshake::PROTOCOL;
pub use snapshot::{ChunkSink, ChunkSource, SnapshotPart, TransportError};
pub use status::{LaneStatus, PeerStatus};

use crate::limits::{MAX_CONTROL_QUEUE_BYTES, MAX_DATA_QUEUE_BYTES};
use crate::wire::frame::{Lane, PeerMessage};
use crate::wire::proto::peer;
use crate::wire::{GroupId, NodeId};
use accept::Accepted;
use lane::OutLane;
use raft::eraftpb;
use slog::Logger;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

/// Who this node is to its peers, and how patient it is with them.
#[derive(Clone)]
pub struct TransportConfig {
    /// This node.
    pub node_id: NodeId,
    /// The group that these connections serve.
    pub group: GroupId,
    /// Where peers reach this node, `host:port`.
    pub peer_addr: String,
    /// Of this node's data, for its life.
    pub incarnation: [u8; 16],
    /// Counts this node's starts.
    pub boot: u64,
    /// Known to every node of the cluster, proved and never sent; `None`: not asked for.
    pub secret: Option<String>,
    /// How long things may take.
    pub timing: Timing,
    /// Of the jitter in the pauses between dials.
    pub jitter_seed: u64,
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// The pause after a lost connection or a failed dial, at first; jitter takes up to half of it.
    pub backoff_min: Duration,
    /// The same after many failures.
    pub backoff_max: Duration,
    /// Name look-up, connect and handshake together; on the accepting side the handshake.
    pub handshake: Duration,
    /// A peer whose kernel acknowledges nothing for this long is gone (TCP_USER_TIMEOUT and
    /// keepalive: nothing is sent for it, and a silent but reachable peer is not idle).
    pub idle: Duration,
    /// Between two steps of a snapshot stream.
    pub snapshot_stall: Duration,
    /// From the last chunk to the receiver's verdict: it has to store the whole.
    pub snapshot_result: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(1),
            handshake: Duration::from_secs(3),
            idle: Duration::from_secs(10),
            snapshot_stall: Duration::from_secs(20),
            snapshot_result: Duration::from_secs(120),
        }
    }
}

/// What the node knows of itself at the moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Identity {
    /// `None`: not known yet.
    pub cluster_id: Option<[u8; 16]>,
}

/// Why a peer may not connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence for the peer's log.
    pub reason: String,
    /// Trying again is useless: the peer must stop.
    pub is_final: bool,
}

/// The node, as the transport sees it. Called from the transport's own tasks only: an
/// implementation may call the transport back, whatever it has borrowed meanwhile.
pub trait Inbound {
    /// Asked at every handshake.
    fn identity(&self) -> Identity;
    /// In the order sent, for each peer and lane.
    fn message(&self, from: NodeId, message: PeerMessage);
    /// After the messages of one read: time to wake up, once.
    fn messages_end(&self);
    /// Messages to this peer were lost: once per lost connection, and once per time that a
    /// queue is full or a peer without a connection is sent to.
    fn unreachable(&self, peer: NodeId);
    /// May it connect? Protocol, address and secret are in order.
    fn greet(&self, hello: &peer::Hello) -> Result<(), Refusal>;
    /// A peer answered a dial; `refusal` may be set, and then may be `final`.
    fn welcomed(&self, welcome: &peer::Welcome);
    /// A peer sends a snapshot.
    fn snapshot(&self, from: NodeId, message: eraftpb::Message) -> Result<ChunkSink, String>;
}

struct Peer {
    id: NodeId,
    address: String,
    control: OutLane,
    data: OutLane,
    tasks: RefCell<Vec<AbortHandle>>,
}

impl Peer {
    fn lanes(&self) -> [&OutLane; 2] {
        [&self.control, &self.data]
    }

    fn lane(&self, lane: Lane) -> &OutLane {
        if lane == Lane::Control { &self.control } else { &self.data }
    }
}

/// What arrived from a node, over all of its connections.
#[derive(Default)]
struct Received {
    messages: Cell<u64>,
    bytes: Cell<u64>,
}

struct Shared {
    config: TransportConfig,
    inbound: Rc<dyn Inbound>,
    log: Logger,
    /// A handful: looked through, in the order given.
    peers: RefCell<Vec<Rc<Peer>>>,
    accepted: RefCell<Accepted>,
    /// Where greeted peers say that they are: tried when they are not found elsewhere.
    said: RefCell<BTreeMap<NodeId, String>>,
    received: RefCell<BTreeMap<NodeId, Rc<Received>>>,
    /// `None` after shutdown.
    tasks: RefCell<Option<JoinSet<()>>>,
    lost: RefCell<BTreeSet<NodeId>>,
    lost_wake: Notify,
    jitter: Cell<u64>,
    closed: watch::Sender<bool>,
}

/// A handle on the connections of this node. They stay until [`Transport::shutdown`].
#[derive(Clone)]
pub struct Transport {
    shared: Rc<Shared>,
}

impl Transport {
    /// Accepts peers from now on; dials none before [`Transport::set_peers`]. To be called,
    /// as everything here, within a `LocalSet`.
    pub fn start(
        config: TransportConfig,
        listener: TcpListener,
        inbound: Rc<dyn Inbound>,
        log: Logger,
    ) -> Self {
        let shared = Rc::new(Shared {
            jitter: Cell::new(config.jitter_seed),
            config,
            inbound,
            log,
            peers: RefCell::default(),
            accepted: RefCell::default(),
            said: RefCell::default(),
            received: RefCell::default(),
            tasks: RefCell::new(Some(JoinSet::new())),
            lost: RefCell::default(),
            lost_wake: Notify::new(),
            closed: watch::Sender::new(false),
        });
        shared.spawn(report_lost(shared.clone()));
        shared.spawn(accept::listen(shared.clone(), listener));
        Self { shared }
    }

    /// The peers to dial, and their addresses (`host:port`, looked up at each dial; of several
    /// with commas between them, the first that answers as the peer counts). A peer
    /// that is no longer in the list loses its connections, one with a new address is dialled
    /// anew; this node itself is passed over. A lane that was refused for good stays down until
    /// its peer was out of the list, or has a new address.
    pub fn set_peers(&self, peers: &[(NodeId, String)]) {
        let mut kept = Vec::new();
        let mut removed = self.shared.peers.take();
        for (id, address) in peers.iter().filter(|(id, _)| *id != self.shared.config.node_id) {
            let known = removed.iter().position(|peer| peer.id == *id && peer.address == *address);
            kept.push(known.map_or_else(|| self.shared.dial(*id, address), |at| removed.swap_remove(at)));
        }
        for peer in removed {
            peer.tasks.take().iter().for_each(AbortHandle::abort);
            peer.lanes().iter().for_each(|lane| lane.close());
            if !kept.iter().any(|kept| kept.id == peer.id) {
                self.shared.accepted.borrow_mut().close(peer.id);
                self.shared.received.borrow_mut().remove(&peer.id);
                self.shared.said.borrow_mut().remove(&peer.id);
            }
        }
        *self.shared.peers.borrow_mut() = kept;
    }

    /// Those that are dialled.
    pub fn peers(&self) -> impl Iterator<Item = NodeId> + use<> {
        let ids: Vec<_> = self.shared.peers.borrow().iter().map(|peer| peer.id).collect();
        ids.into_iter()
    }

    /// Encodes the message into its lane's queue; [`Transport::flush`] sends it. Dropped and
    /// counted when the lane is full or not connected, or the peer unknown.
    pub fn send(&self, to: NodeId, message: PeerMessage) {
        let lane = message.lane();
        let first_lost = match self.shared.peers.borrow().iter().find(|peer| peer.id == to) {
            Some(peer) => peer.lane(lane).push(message, &self.shared.log),
            None => false,
        };
        if first_lost {
            self.shared.report_lost(to);
        }
    }

    /// Sends what is queued: one system call per lane that has something and whose socket
    /// takes it; the rest follows by itself as the socket takes more.
    pub fn flush(&self) {
        for peer in self.shared.peers.borrow().iter() {
            peer.lanes().iter().for_each(|lane| lane.flush());
        }
    }

    /// Streams a snapshot on a connection of its own, and waits for the receiver's verdict.
    pub fn send_snapshot(
        &self,
        to: NodeId,
        message: eraftpb::Message,
        source: ChunkSource,
    ) -> impl Future<Output = Result<(), TransportError>> + use<> {
        snapshot::send(self.shared.clone(), to, message, source)
    }

    /// How things stand with each peer.
    pub fn status(&self) -> Vec<PeerStatus> {
        status::of(&self.shared)
    }

    /// Sends what the sockets take at once, closes every connection and the listener, and
    /// returns when no task is left. Not to be awaited within [`Inbound`].
    pub async fn shutdown(&self) {
        self.flush();
        self.shared.closed.send_replace(true);
        let tasks = self.shared.tasks.take();
        for peer in self.shared.peers.take() {
            peer.lanes().iter().for_each(|lane| lane.close());
        }
        if let Some(mut tasks) = tasks {
            tasks.shutdown().await;
        }
        *self.shared.accepted.borrow_mut() = Accepted::default();
    }
}

impl Shared {
    /// `None` after shutdown.
    fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Option<AbortHandle> {
        let mut tasks = self.tasks.borrow_mut();
        let tasks = tasks.as_mut()?;
        while let Some(ended) = tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                slog::crit!(self.log, "a task of the transport panicked"; "error" => %error);
            }
        }
        Some(tasks.spawn_local(task))
    }

    fn dial(self: &Rc<Self>, id: NodeId, address: &str) -> Rc<Peer> {
        let peer = Rc::new(Peer {
            id,
            address: address.to_string(),
            control: OutLane::new(Lane::Control, MAX_CONTROL_QUEUE_BYTES),
            data: OutLane::new(Lane::Data, MAX_DATA_QUEUE_BYTES),
            tasks: RefCell::default(),
        });
        for lane in [Lane::Control, Lane::Data] {
            let task = self.spawn(lane::run(self.clone(), peer.clone(), lane));
            peer.tasks.borrow_mut().extend(task);
        }
        peer
    }

    /// The peer is there: no need to wait out a pause before dialling it.
    fn retry_now(&self, id: NodeId) {
        for peer in self.peers.borrow().iter().filter(|peer| peer.id == id) {
            peer.lanes().iter().for_each(|lane| lane.retry_now());
        }
    }

    /// From a task of its own, because who sends may well hold what [`Inbound`] borrows.
    fn report_lost(&self, id: NodeId) {
        self.lost.borrow_mut().insert(id);
        self.lost_wake.notify_one();
    }

    /// Between half of `pause` and all of it (SplitMix64).
    fn jittered(&self, pause: Duration) -> Duration {
        let state = self.jitter.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.jitter.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let fraction = ((mixed ^ (mixed >> 31)) >> 40) as f64 / (1_u64 << 24) as f64;
        pause.mul_f64(0.5 + fraction / 2.0)
    }

    async fn closed(&self) {
        // An error would mean that the sender is gone, which `self` holds.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }
}

async fn report_lost(shared: Rc<Shared>) {
    loop {
        shared.lost_wake.notified().await;
        for peer in shared.lost.take() {
            shared.inbound.unreachable(peer);
        }
    }
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("closed by the peer")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Wire(#[from] crate::wire::WireError),
    #[error("{0}")]
    Protocol(String),
    #[error("no {0} in time")]
    TimedOut(&'static str),
    #[error("refused: {reason}")]
    Refused { reason: String, is_final: bool },
}
