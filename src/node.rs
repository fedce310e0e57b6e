//! Who runs a group: drains what arrived, steps, and carries out the effects. One thread,
//! one loop; the disk and snapshots have helper threads. This module must never parse a
//! client's bytes, and never acknowledge what its disk has not.

mod breath;
mod clock;
mod compaction;
mod disk;
mod driver;
mod gather;
mod inbound;
mod join;
mod persist;
mod rdb;
mod recover;
mod snapshots;
mod start;
mod status;
mod strangers;
mod walk;

pub use join::{Admission, JoinRequest, join};
pub use rdb::{RdbPart, RdbParts, RdbRequest};
pub use recover::recover;
pub use snapshots::{conf_state_of, meta_of};
pub use start::NodeConfig;
pub use status::{Clients, MemberStatus, NodeStatus, Role, SnapshotNews};

use crate::group::{Group, Input, Job, Observer};
use crate::keyspace::CountingPace;
use crate::machine::{Machine, SnapshotError};
use crate::storage::{DataDir, FirstMember, SnapshotStore, StoreError};
use crate::transport::Transport;
use crate::wire::frame::PeerMessage;
use crate::wire::{GroupId, NodeId};
use breath::Breath;
use clock::Clock;
use disk::Disk;
use slog::{Logger, info};
use snapshots::{SnapshotEvent, SnapshotThread};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;
use walk::Walk;

/// Why a node cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A snapshot on disk cannot be restored.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// What is on disk does not fit together.
    #[error("{0}")]
    Incoherent(String),
    /// The cluster will not have this node.
    #[error("the cluster refuses this node: {0}")]
    Refused(String),
    /// The node is no member any more, as its own log says.
    #[error("{0}")]
    Removed(String),
    /// The node could not become a member of the cluster that it was told to join.
    #[error("cannot join the cluster: {0}")]
    Join(String),
    /// A committed entry cannot be read.
    #[error("entry {index} of the log is damaged: {reason}")]
    Corrupt {
        /// Which.
        index: u64,
        /// How.
        reason: String,
    },
    /// The operating system refused something at the start.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// How long one successor may take, and how many are tried; a look at it costs little.
const HAND_OVER_PATIENCE: Duration = Duration::from_millis(500);
const HAND_OVER_TRIES: usize = 2;
const HAND_OVER_POLL: Duration = Duration::from_millis(1);

/// Messages that wait for the write of this number.
type Promise = (u64, Vec<(NodeId, PeerMessage)>);

struct Shared {
    node_id: NodeId,
    group_id: GroupId,
    storage: &'static str,
    first_members: Vec<FirstMember>,
    /// Nodes that named the cluster and that the log does not know yet, and where they are.
    newcomers: RefCell<BTreeMap<NodeId, String>>,
    /// There is another peer to dial.
    peers_changed: Cell<bool>,
    /// Where members may be that are not where they were.
    hints: Vec<FirstMember>,
    group: RefCell<Group>,
    /// What arrived since the last turn.
    inbox: RefCell<Vec<Input>>,
    wake: Notify,
    /// How many of `inbox` are commands of clients.
    jobs_waiting: Cell<usize>,
    /// Whoever was answered in the last turn may ask again before the next.
    looks_again: Cell<bool>,
    clock: Clock,
    disk: RefCell<Disk>,
    data_dir: RefCell<DataDir>,
    transport: OnceCell<Transport>,
    breath: Breath,
    /// The transport has something that it was not told to let out.
    has_unsent: Cell<bool>,
    /// When a peer said that this node was removed, of which its own log knows nothing yet.
    told_removed: Cell<Option<Instant>>,
    clients: OnceCell<Rc<dyn Clients>>,
    snapshot_store: Arc<dyn SnapshotStore>,
    snapshot_thread: SnapshotThread,
    snapshot_events: UnboundedSender<SnapshotEvent>,
    receiving_snapshot: Arc<AtomicBool>,
    walk: Walk,
    /// Unix time at which the last snapshot was on disk; if there was none, of the start.
    last_snapshot_ms: Cell<u64>,
    /// How many could not be written, and whether that is true of the last.
    snapshots_failed: Cell<(u64, bool)>,
    promises: RefCell<VecDeque<Promise>>,
    /// Writes of the log under way whose time is taken: number, and when they began.
    syncs_begun: RefCell<VecDeque<(u64, u64)>>,
    /// The loop has written the log itself, and the group has not taken that in.
    wrote: Cell<bool>,
    stop: RefCell<Option<NodeError>>,
    log: Logger,
}

/// A handle on a running node.
#[derive(Clone)]
pub struct Node {
    shared: Rc<Shared>,
}

impl Node {
    /// Hands over commands of a connection. The answers come through [`Clients`], later.
    pub fn submit(&self, job: Job) {
        let mut inbox = self.shared.inbox.borrow_mut();
        // Whoever put the first input there has woken the loop.
        if inbox.is_empty() {
            self.shared.wake.notify_one();
        }
        inbox.push(Input::Submit(job));
        self.shared.jobs_waiting.set(self.shared.jobs_waiting.get() + 1);
    }

    /// Who is to be told the answers; must be set before the first job.
    pub fn set_clients(&self, clients: Rc<dyn Clients>) {
        if self.shared.clients.set(clients).is_err() {
            slog::error!(self.shared.log, "the clients of a node were set twice");
        }
    }

    /// Who hears of what commands cost.
    pub fn set_observer(&self, observer: Rc<Observer>) {
        self.shared.group.borrow_mut().set_observer(observer);
    }

    /// Hands leadership over, if this node leads.
    pub fn step_down(&self) {
        self.shared.input(Input::StepDown);
    }

    /// Hands leadership over and waits until another node has taken it, so that whoever is served
    /// here until then does not wait for an election. Gives up after a while: the others elect
    /// a leader by themselves.
    pub async fn hand_over(&self) {
        for _ in 0..HAND_OVER_TRIES {
            if !self.leads_others() {
                return;
            }
            info!(self.shared.log, "handing leadership over");
            self.step_down();
            let deadline = tokio::time::Instant::now() + HAND_OVER_PATIENCE;
            while self.leads_others() && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(HAND_OVER_POLL).await;
            }
        }
    }

    fn leads_others(&self) -> bool {
        let status = self.shared.group.borrow().status();
        status.role == "leader" && status.voters.len() > 1
    }

    /// Asks whoever leads to hand leadership to `node`.
    pub fn transfer_leader(&self, node: NodeId) {
        self.shared.input(Input::TransferLeader(node));
    }

    /// Takes a snapshot of what is applied.
    pub fn take_snapshot(&self) {
        self.shared.input(Input::TakeSnapshot);
    }

    /// 40 hexadecimal digits that name this run of the process, as Redis's `run_id`.
    pub fn run_id(&self) -> String {
        let data_dir = self.shared.data_dir.borrow();
        let incarnation = u128::from_be_bytes(data_dir.incarnation());
        format!("{incarnation:032x}{:08x}", data_dir.boot())
    }

    /// Whether this node was of a cluster before this start: then there is something to hear before
    /// it knows who its clients are.
    pub fn is_of_a_cluster(&self) -> bool {
        self.shared.data_dir.borrow().cluster_id().is_some()
    }

    /// Whether this node leads its group: what [`Node::status`] says of it, for less.
    pub fn leads(&self) -> bool {
        self.shared.group.borrow().is_leader()
    }

    /// Lets `look` see what is applied.
    pub fn look(&self, look: &mut dyn FnMut(&Machine)) {
        look(self.shared.group.borrow().machine());
    }

    /// Whether [`Clients::notice`] is to hear of each key that changes.
    pub fn set_touches(&self, wanted: bool) {
        self.shared.group.borrow_mut().set_touches(wanted);
    }

    /// Memory of the log, about.
    pub fn log_bytes(&self) -> usize {
        self.shared.group.borrow().log().size_bytes()
    }

    /// Frees some of what a flush has put aside. Whether there is more.
    pub fn release_flushed(&self, tables: usize) -> bool {
        self.shared.group.borrow_mut().release_flushed(tables)
    }

    /// How this node counts uses of keys.
    pub fn set_counting_pace(&self, pace: CountingPace) {
        self.shared.group.borrow_mut().set_counting_pace(pace);
    }

    /// Whether [`Clients::notice`] is to hear what replicas of Redis's protocol have to carry out.
    pub fn set_propagates(&self, wanted: bool) {
        self.shared.group.borrow_mut().set_propagates(wanted);
    }

    /// The snapshot on disk as an RDB file.
    pub fn rdb(&self, request: RdbRequest) -> RdbParts {
        let (store, group) = (self.shared.snapshot_store.clone(), self.shared.group_id);
        // A node that keeps everything in memory has no directory of its own.
        let directory = match self.shared.storage {
            "memory" => std::env::temp_dir(),
            _ => self.shared.data_dir.borrow().path().to_owned(),
        };
        rdb::start(store, group, directory, request)
    }

    /// Makes the state anew from a snapshot of it, while everything else waits: for tests.
    pub fn reload(&self) -> Result<(), String> {
        self.shared.group.borrow_mut().reload()
    }

    /// The node as it is now.
    pub fn status(&self) -> NodeStatus {
        status::of(&self.shared)
    }
}

impl Shared {
    fn input(&self, input: Input) {
        self.inbox.borrow_mut().push(input);
        self.wake.notify_one();
    }

    fn stop_with(&self, error: NodeError) {
        self.stop.borrow_mut().get_or_insert(error);
        self.wake.notify_one();
    }
}
