//! A cluster of this very program, for one run: processes on ports of this machine, with the flags that a user
//! would give. They must not outlive the tool, however it ends: each asks the kernel to be killed with
//! its parent. Signals go to them alone, by their ids.

use super::own_dir::OwnDir;
use crate::config::{Address, Pace, Secret, StorageKind, StressArgs};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Lines of a node's log that an error shows.
const SHOWN_LINES: usize = 5;
/// Ports are looked for here: below those that the system gives to connections, any of which could have the
/// port of a node that is to be started again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A node.
struct Node {
    flags: Vec<String>,
    log: PathBuf,
    process: Option<Child>,
}

/// A node that ended by itself.
pub struct Ended {
    /// Which.
    pub node: u64,
    /// How, in a few words.
    pub text: String,
    /// The last lines of its log.
    pub log: String,
}

/// See the module's text.
pub struct Cluster {
    program: PathBuf,
    addresses: Vec<Address>,
    nodes: Vec<Node>,
    storage: StorageKind,
    password: Option<Secret>,
    /// Goes when the nodes have ended.
    _own_dir: Option<OwnDir>,
}

impl Cluster {
    /// Starts `count` nodes. Err: why not.
    pub fn start(count: u64, args: &StressArgs, token: u64) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let unusable =
            |dir: &Path, error: io::Error| format!("cannot use the directory {}: {error}", dir.display());
        let (dir, own_dir) = match &args.data_dir {
            Some(dir) => {
                prepare(dir).map_err(|error| unusable(dir, error))?;
                (dir.clone(), None)
            }
            None => {
                let base = std::env::temp_dir();
                let own_dir = OwnDir::create(&base, token).map_err(|error| unusable(&base, error))?;
                (own_dir.path().to_owned(), Some(own_dir))
            }
        };
        let ports = free_ports(2 * count as usize, token)?;
        let (ports, peer_ports) = ports.split_at(count as usize);
        let addresses: Vec<Address> =
            ports.iter().map(|port| Address { host: "127.0.0.1".to_owned(), port: *port }).collect();
        let members: Vec<String> =
            addresses.iter().zip(peer_ports).map(|(address, peer)| format!("{address}@{peer}")).collect();
        let storage = args.storage.unwrap_or_default();
        let node = |id: u64| {
            let mut flags =
                vec!["--cluster".to_owned(), members.join(","), "--node-id".to_owned(), id.to_string()];
            flags.extend(["--storage".to_owned(), storage.name().to_owned()]);
            if storage != StorageKind::Memory {
                flags.extend(["--data-dir".to_owned(), dir.join(format!("n{id}")).display().to_string()]);
            }
            flags.extend(["--timing".to_owned(), pace_name(args.timing.unwrap_or_default()).to_owned()]);
            Node { flags, log: dir.join(format!("n{id}.log")), process: None }
        };
        let nodes = (1..=count).map(node).collect();
        let password = args.password.clone();
        let mut cluster = Self { program, addresses, nodes, storage, password, _own_dir: own_dir };
        for id in 1..=count {
            cluster.start_node(id)?;
        }
        Ok(cluster)
    }

    /// Where clients reach the nodes, in the order of their ids.
    pub fn addresses(&self) -> &[Address] {
        &self.addresses
    }

    /// What keeps their logs.
    pub fn storage(&self) -> StorageKind {
        self.storage
    }

    fn node(&mut self, id: u64) -> &mut Node {
        &mut self.nodes[id as usize - 1]
    }

    /// Starts a node that does not run; its log goes on.
    pub fn start_node(&mut self, id: u64) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.arg("stress-node").arg(std::process::id().to_string()).arg("--");
        // What somebody has set for other nodes.
        for name in ["BOWLINE_REQUIREPASS", "BOWLINE_JOIN_USER", "BOWLINE_JOIN_PASSWORD"] {
            command.env_remove(name);
        }
        if let Some(password) = &self.password {
            command.env("BOWLINE_REQUIREPASS", password.reveal());
        }
        let node = self.node(id);
        if node.process.is_some() {
            return Ok(());
        }
        let failed = |error: io::Error| format!("cannot start node {id}: {error}");
        let log = OpenOptions::new().create(true).append(true).open(&node.log).map_err(failed)?;
        command.args(&node.flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // Ctrl-C is for the tool, which then ends its nodes.
        command.process_group(0);
        node.process = Some(command.spawn().map_err(failed)?);
        Ok(())
    }

    /// SIGKILL, and its end.
    pub fn kill(&mut self, id: u64) {
        if let Some(mut process) = self.node(id).process.take() {
            // It is a child that has not been waited for: the id is its own.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// SIGSTOP.
    pub fn pause(&mut self, id: u64) {
        self.signal(id, Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&mut self, id: u64) {
        self.signal(id, Signal::CONT);
    }

    fn signal(&mut self, id: u64, signal: Signal) {
        let process = self.node(id).process.as_ref();
        if let Some(pid) = process.and_then(|process| Pid::from_raw(process.id() as i32)) {
            // It can only have ended by itself, which is noticed elsewhere.
            let _ = kill_process(pid, signal);
        }
    }

    /// A node that ended by itself, how, and what it said last.
    pub fn ended(&mut self) -> Option<Ended> {
        for (id, node) in (1..).zip(&mut self.nodes) {
            let status = node.process.as_mut().and_then(|process| process.try_wait().ok().flatten());
            if let Some(status) = status {
                node.process = None;
                let text = format!("node {id} ended by itself ({status})");
                return Some(Ended { node: id, text, log: last_lines(&node.log) });
            }
        }
        None
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for id in 1..=self.nodes.len() as u64 {
            self.kill(id);
        }
    }
}

/// What a process that was started as a node does first: it never returns but with an error.
pub fn become_node(parent: u32, flags: &[String]) -> io::Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return error.into();
    }
    if getppid().map(|pid| pid.as_raw_nonzero().get() as u32) != Some(parent) {
        return io::Error::other("the process that started this node has ended");
    }
    match std::env::current_exe() {
        Ok(program) => Command::new(program).args(flags).exec(),
        Err(error) => error,
    }
}

/// A directory that is there and empty.
fn prepare(dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    match fs::read_dir(dir)?.next() {
        None => Ok(()),
        Some(_) => Err(io::Error::other("it is not empty")),
    }
}

fn pace_name(pace: Pace) -> &'static str {
    match pace {
        Pace::Fast => "fast",
        Pace::Debug => "debug",
        Pace::Demo => "demo",
    }
}

/// Ports that nobody uses now.
fn free_ports(count: usize, token: u64) -> Result<Vec<u16>, String> {
    let len = u64::from(PORTS.end - PORTS.start);
    let mut held = Vec::new();
    // From a place of its own, so that two that begin at the same time do not meet.
    for step in 0..len {
        let port = PORTS.start + ((token + step) % len) as u16;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
        if held.len() == count {
            return Ok(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    Err(format!("there are no {count} free ports from {} to {}", PORTS.start, PORTS.end))
}

fn last_lines(log: &Path) -> String {
    let mut last = VecDeque::new();
    if let Ok(file) = File::open(log) {
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            last.push_back(format!("\n  {line}"));
            if last.len() > SHOWN_LINES {
                last.pop_front();
            }
        }
    }
    last.into_iter().collect()
}
