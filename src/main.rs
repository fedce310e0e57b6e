//! The `bowline` binary: from the command line to a running node, and its end. Nothing is
//! decided here that a test of the library could not reach.

use bowline::command::hash_password;
use bowline::config::{Cli, Command, Config, ReadMode, StorageKind, StressArgs};
use bowline::group::Consistency;
use bowline::history::{self, Operation};
use bowline::limits;
use bowline::logging;
use bowline::node::{self, JoinRequest, Node, NodeConfig, NodeError};
use bowline::server::{self, ClientTable, Server, ServerConfig};
use bowline::storage::{self, FirstMember};
use bowline::stress;
use clap::Parser as _;
use slog::{Logger, crit, info, warn};
use std::io::{BufRead, ErrorKind};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit status of a wrong command line or configuration, as clap's own.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        Some(Command::Inspect { dir }) => {
            return match storage::inspect(dir, &mut std::io::stdout().lock()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => failure(&error.to_string(), 1),
            };
        }
        Some(Command::Check { file }) => return check(file),
        Some(Command::Stress(args)) => return stress(args),
        Some(Command::StressNode { parent, flags }) => {
            return failure(&stress::become_node(*parent, flags).to_string(), 1);
        }
        None => {}
    }
    let config = match Config::load(cli) {
        Ok(config) => config,
        Err(error) => return failure(&error.to_string(), USAGE),
    };
    let early = server::give_back_early();
    let (log, _guard) = logging::start(&config);
    if let Err(error) = early {
        warn!(log, "freed memory is given back late"; "error" => %error);
    }
    #[cfg(feature = "mutants")]
    if let Ok(name) = std::env::var("BOWLINE_MUTANT") {
        let mutant = bowline::mutant::named(&name);
        if mutant.is_none() {
            return failure(&format!("BOWLINE_MUTANT: no defect is called {name:?}"), USAGE);
        }
        bowline::mutant::set(mutant);
    }
    match run(&config, &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            crit!(log, "{}{}", error, advice(&config, &error));
            ExitCode::FAILURE
        }
    }
}

/// What the error cannot say, because it does not know the configuration.
fn advice(config: &Config, error: &NodeError) -> &'static str {
    match (error, config.storage) {
        (NodeError::Refused(_), StorageKind::Memory) => {
            "; with --storage memory, a node that stops has forgotten who it was and cannot come back"
        }
        _ => "",
    }
}

fn failure(text: &str, status: u8) -> ExitCode {
    eprintln!("bowline: {text}");
    ExitCode::from(status)
}

/// Sets clients on a cluster, and judges what they saw.
fn stress(args: &StressArgs) -> ExitCode {
    match stress::run(args) {
        Ok(verdict) if verdict.is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => failure(&error.to_string(), error.status()),
    }
}

/// Judges the history in a file.
fn check(file: &Path) -> ExitCode {
    let read = match file.to_str() {
        Some("-") => read_history(std::io::stdin().lock()),
        _ => std::fs::File::open(file)
            .map_err(|error| error.to_string())
            .and_then(|file| read_history(std::io::BufReader::new(file))),
    };
    let history = match read {
        Ok(history) => history,
        Err(error) => return failure(&format!("{}: {error}", file.display()), USAGE),
    };
    let report = history::check(&history, history::Bounds::default());
    println!("{report}");
    if report.is_linearizable() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read_history(lines: impl BufRead) -> Result<Vec<Operation>, String> {
    let mut history = Vec::new();
    for (number, line) in (1..).zip(lines.lines()) {
        let line = line.map_err(|error| error.to_string())?;
        if !line.trim().is_empty() {
            let operation = history::read_line(&line);
            history.push(operation.map_err(|error| format!("line {number}: {error}"))?);
        }
    }
    Ok(history)
}

fn io_error(what: &str) -> impl FnOnce(std::io::Error) -> NodeError {
    let what = what.to_owned();
    move |source| NodeError::Io { what, source }
}

fn run(config: &Config, log: &Logger) -> Result<(), NodeError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(io_error("start the runtime"))?;
    // A task like the others, not the one that the runtime blocks on: waking that one from a task
    // costs the runtime a look at the sockets before it gets its turn.
    let (config, log) = (config.clone(), log.clone());
    let served = async {
        let task = tokio::task::spawn_local(async move { serve(&config, &log).await });
        // Nobody aborts it: it can only have panicked.
        task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    };
    let outcome = LocalSet::new().block_on(&runtime, served);
    // A helper thread that still reads a snapshot must not hold the end up.
    runtime.shutdown_background();
    outcome
}

async fn listen(address: &str, whose: &str, flag: &str) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|source| {
        let advice = match source.kind() {
            ErrorKind::AddrInUse => {
                "the address is in use: stop the program that serves it, or choose another with"
            }
            ErrorKind::AddrNotAvailable => "this machine has no such address: choose one that it has with",
            _ => return io_error(&format!("serve {whose} on {address}"))(source),
        };
        let explained = std::io::Error::new(source.kind(), format!("{advice} {flag}"));
        io_error(&format!("serve {whose} on {address}"))(explained)
    })
}

async fn serve(config: &Config, log: &Logger) -> Result<(), NodeError> {
    let client_listener = listen(&config.bind.to_string(), "clients", "--bind").await?;
    let peer_listener = listen(&config.peer_bind.to_string(), "peers", "--peer-bind").await?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io_error("listen for signals"))?;
    let raft_log = logging::raft_logger(log, config);
    let mut node_config = node_config(config);
    if node_config.joins {
        let request = join_request(config);
        let (node_id, admission) = tokio::select! {
            outcome = node::join(&request, log) => outcome?,
            _ = terminate.recv() => return Ok(()),
        };
        node_config.members.iter_mut().for_each(|me| me.node = node_id);
        node_config.node_id = node_id;
        node_config.admission = admission;
    }
    let (node, helpers) = Node::start(&node_config, peer_listener, log, &raft_log)?;
    let clients = ClientTable::new(log.clone());
    clients.start_io_threads(config.io_threads - 1).map_err(io_error("start the I/O threads"))?;
    node.set_observer(clients.observer());
    node.set_clients(clients.clone());
    info!(log, "ready"; "node" => node_config.node_id, "clients" => %config.bind, "peers" => %config.peer_bind,
        "storage" => config.storage.name(), "version" => env!("CARGO_PKG_VERSION"));
    let successor = node.clone();
    let asked = clients.clone();
    let stop = async move {
        let signal = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        };
        // Clients are served until another node leads: then nobody waits for an election.
        asked.stop().wait(signal, async || successor.hand_over().await).await;
    };
    let backend = Rc::new(node.clone());
    let server =
        Server::run(client_listener, stop, server_config(config, &node), backend, clients, log.clone());
    // The node outlives its connections: it answers what they have asked.
    let (serving, served) = oneshot::channel::<()>();
    let server = tokio::task::spawn_local(async move {
        server.await;
        drop(serving);
    });
    let tick = Duration::from_millis(config.timing.tick_ms);
    let outcome = node.run(tick, helpers, async { drop(served.await) }).await;
    server.abort();
    if outcome.is_ok() {
        info!(log, "stopped");
    }
    outcome
}

fn server_config(config: &Config, node: &Node) -> ServerConfig {
    let idle = (config.idle_timeout_s > 0).then(|| Duration::from_secs(config.idle_timeout_s));
    ServerConfig {
        max_clients: config.max_clients,
        idle_timeout: idle,
        max_memory_bytes: config.max_memory_bytes,
        tcp_keepalive: Some(Duration::from_secs(limits::TCP_KEEPALIVE_S)),
        drain_timeout: Duration::from_secs(limits::DRAIN_S),
        run_id: node.run_id(),
        read_mode: match config.read_mode {
            ReadMode::Linearizable => Consistency::Linearizable,
            ReadMode::Lease => Consistency::Lease,
        },
        election_timeout: Duration::from_millis(
            config.timing.election_ticks.end as u64 * config.timing.tick_ms,
        ),
        redirect: config.redirect,
        enable_debug: config.enable_debug_command,
        sentinel_name: config.sentinel_name.clone(),
        requirepass: password_hash(config),
        awaits_users: node.is_of_a_cluster(),
        directory: config.data_dir.display().to_string(),
    }
}

/// A password goes no further than here.
fn password_hash(config: &Config) -> Option<String> {
    config.requirepass.as_ref().map(|password| hash_password(password.reveal().as_bytes()))
}

fn join_request(config: &Config) -> JoinRequest {
    let me = config.this_member();
    JoinRequest {
        targets: config.join.iter().map(ToString::to_string).collect(),
        node_id: config.node_id,
        client_addr: me.client_addr.to_string(),
        peer_addr: me.peer_addr.to_string(),
        data_dir: config.data_dir.clone(),
        storage: config.storage,
        credentials: config
            .join_as
            .as_ref()
            .map(|(user, password)| (user.clone(), password.reveal().to_owned())),
        unavailable_after_ms: config.timing.unavailable_after_ms,
    }
}

fn node_config(config: &Config) -> NodeConfig {
    let member = |member: &bowline::config::Member| FirstMember {
        node: member.id,
        client_addr: member.client_addr.to_string(),
        peer_addr: member.peer_addr.to_string(),
    };
    NodeConfig {
        node_id: config.node_id,
        members: config.members.iter().map(member).collect(),
        joins: !config.join.is_empty(),
        admission: None,
        data_dir: config.data_dir.clone(),
        storage: config.storage,
        election_ticks: config.timing.election_ticks.start,
        heartbeat_ticks: config.timing.heartbeat_ticks,
        lease_us: config.timing.lease_us,
        unavailable_after_ms: config.timing.unavailable_after_ms,
        password: password_hash(config),
        secret: config.secret.as_ref().map(|secret| secret.reveal().to_owned()),
        snapshot_min_log_bytes: config.snapshot_log_bytes,
    }
}
