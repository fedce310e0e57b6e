//! The client side of a node: accepts connections, turns what arrives into jobs, and
//! writes the answers out in order. Everything runs on one thread (a `LocalSet`). This
//! module must never look into the keyspace, and never answer a write before the group did.

mod accept;
mod access;
mod acl_commands;
mod acl_log;
mod admin_commands;
mod allocator;
mod blocked;
mod client;
mod client_command;
mod client_list;
mod clients;
mod cluster_commands;
mod config_command;
mod connection;
mod consistency;
mod control;
mod control_command;
mod databases;
mod debug;
mod dispatch;
mod eviction;
mod exec;
mod failovers;
mod info;
mod io;
mod journal;
mod latency_command;
mod local;
mod memory_command;
mod migrate;
mod monitor;
mod operations;
mod output;
mod parameters;
mod pubsub;
mod pubsub_commands;
mod raft_commands;
mod reader;
mod redirect;
mod replicas;
mod save;
mod scripts;
mod sentinel_commands;
mod session;
mod slowlog_command;
mod stats;
mod stop;
#[cfg(test)]
mod tests;
mod tracking;
mod upstream;
mod wait;
mod wake;
mod writer;

pub use allocator::give_back_early;
pub use clients::ClientTable;

use crate::command::{Acl, Reply};
use crate::config::{DebugCommand, Redirect};
use crate::group::{Consistency, Job, Observer};
use crate::keyspace::CountingPace;
use crate::machine::Machine;
use crate::node::{NodeStatus, RdbParts, RdbRequest, Role};
use crate::wire::NodeId;
use migrate::Sockets;
use parameters::Parameters;
use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;

/// The node behind the connections.
pub trait Backend {
    /// Takes a job; its replies come through [`crate::node::Clients`]. Err: too much is
    /// pending, and nothing of the job was taken.
    #[expect(clippy::result_large_err, reason = "refusing is rare, and the job comes back whole")]
    fn submit(&self, job: Job) -> Result<(), Job>;
    /// The node at this moment.
    fn status(&self) -> NodeStatus;
    /// Asks whoever leads to hand leadership to `node`.
    fn transfer_leader(&self, node: NodeId);
    /// Takes a snapshot of what is applied.
    fn take_snapshot(&self);
    /// Lets `look` see what is applied.
    fn look(&self, look: &mut dyn FnMut(&Machine));
    /// Makes what is applied anew from a snapshot of it.
    fn reload(&self) -> Result<(), String>;
    /// Whether [`crate::node::Clients::notice`] is to hear of each key that changes.
    fn set_touches(&self, wanted: bool);
    /// Memory of the log, about.
    fn log_bytes(&self) -> usize;
    /// Frees some of what a flush has put aside. Whether there is more.
    fn release_flushed(&self, tables: usize) -> bool;
    /// How this node counts uses of keys, where the policy goes by that.
    fn set_counting_pace(&self, pace: CountingPace);
    /// Whether [`crate::node::Clients::notice`] is to hear what replicas of Redis's protocol have to
    /// carry out.
    fn set_propagates(&self, wanted: bool);
    /// The snapshot on disk as an RDB file.
    fn rdb(&self, request: RdbRequest) -> RdbParts;
    /// Whether the node leads, which is asked before every command when others are redirected.
    fn leads(&self) -> bool {
        self.status().role == Role::Leader
    }
}

impl Backend for crate::node::Node {
    fn submit(&self, job: Job) -> Result<(), Job> {
        // The group itself refuses what is too much, step by step.
        crate::node::Node::submit(self, job);
        Ok(())
    }

    fn status(&self) -> NodeStatus {
        crate::node::Node::status(self)
    }

    fn transfer_leader(&self, node: NodeId) {
        crate::node::Node::transfer_leader(self, node);
    }

    fn take_snapshot(&self) {
        crate::node::Node::take_snapshot(self);
    }

    fn look(&self, look: &mut dyn FnMut(&Machine)) {
        crate::node::Node::look(self, look);
    }

    fn reload(&self) -> Result<(), String> {
        crate::node::Node::reload(self)
    }

    fn set_touches(&self, wanted: bool) {
        crate::node::Node::set_touches(self, wanted);
    }

    fn log_bytes(&self) -> usize {
        crate::node::Node::log_bytes(self)
    }

    fn release_flushed(&self, tables: usize) -> bool {
        crate::node::Node::release_flushed(self, tables)
    }

    fn set_counting_pace(&self, pace: CountingPace) {
        crate::node::Node::set_counting_pace(self, pace);
    }

    fn set_propagates(&self, wanted: bool) {
        crate::node::Node::set_propagates(self, wanted);
    }

    fn rdb(&self, request: RdbRequest) -> RdbParts {
        crate::node::Node::rdb(self, request)
    }

    fn leads(&self) -> bool {
        crate::node::Node::leads(self)
    }
}

/// What a server is told once, at its start.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Most connections at a time.
    pub max_clients: usize,
    /// A connection silent for this long is closed; None: never.
    pub idle_timeout: Option<Duration>,
    /// Memory of which keys may take no more, at first (`maxmemory`); 0: no bound.
    pub max_memory_bytes: u64,
    /// Silence before the kernel probes the other end; None: never.
    pub tcp_keepalive: Option<Duration>,
    /// How long a shutdown waits for what is in flight.
    pub drain_timeout: Duration,
    /// 40 hexadecimal digits, new at each start (`run_id`).
    pub run_id: String,
    /// How new reads have to be, at first (`read-mode`).
    pub read_mode: Consistency,
    /// How long an election may take, and so `RAFT TRANSFER`.
    pub election_timeout: Duration,
    /// What a node that does not lead does with commands that have keys.
    pub redirect: Redirect,
    /// Who may use `DEBUG`.
    pub enable_debug: DebugCommand,
    /// What `SENTINEL` calls the group.
    pub sentinel_name: String,
    /// The password of `default` as this start gives it, as its hash.
    pub requirepass: Option<String>,
    /// Whether the node is of a cluster whose users it may have to hear of first.
    pub awaits_users: bool,
    /// Of the node's data.
    pub directory: String,
}

/// The server of one node.
pub struct Server;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub config: ServerConfig,
    pub backend: Rc<dyn Backend>,
    pub clients: Rc<ClientTable>,
    pub logger: slog::Logger,
    /// Where it listens.
    pub addr: SocketAddr,
    pub parameters: Parameters,
    /// What counts as long as the node does not know its cluster's users.
    pub early_users: Option<Acl>,
    pub warned_of_password: Cell<bool>,
    pub migrations: Rc<Sockets>,
}

impl Shared {
    /// Of what commands cost on this node.
    fn observer(&self) -> &Observer {
        &self.clients.stats().observer
    }
}

impl Server {
    /// Serves `listener` until `shutdown` resolves, then answers what is in flight and
    /// returns. `clients` is what `backend` replies to. Runs on a `LocalSet`.
    pub async fn run(
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
        config: ServerConfig,
        backend: Rc<dyn Backend>,
        clients: Rc<ClientTable>,
        logger: slog::Logger,
    ) {
        let addr = listener.local_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
        let parameters = Parameters::new(&config);
        clients.eviction.max_memory_bytes.set(config.max_memory_bytes as i64);
        let early_users = access::early_users(config.requirepass.as_deref());
        let warned_of_password = Cell::new(false);
        let shared = Rc::new(Shared {
            config,
            backend,
            clients,
            logger,
            addr,
            parameters,
            early_users,
            warned_of_password,
            migrations: Rc::default(),
        });
        let link = tokio::task::spawn_local(upstream::run(Rc::clone(&shared)));
        let io = tokio::task::spawn_local(io::run(Rc::clone(&shared)));
        accept::run(listener, shutdown, Rc::clone(&shared)).await;
        link.abort();
        io.abort();
        if let Some(io) = shared.clients.io() {
            io.stop();
        }
    }
}

const TRY_AGAIN: Reply = Reply::error("TRYAGAIN the node holds too many pending commands, nothing was done");
