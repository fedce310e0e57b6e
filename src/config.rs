//! What the operator asked for: the command line and the configuration file, laid over each
//! other and validated as a whole, once, into a [`Config`] that the rest can trust. A refusal
//! is a sentence that says what is wrong and what to do. Apart from reading the one file
//! named by `--config`, this module must never touch the machine: it resolves no names,
//! opens no sockets and creates no directories.

mod address;
mod cli;
mod debug_command;
mod place;
mod read_mode;
mod stress;
#[cfg(test)]
mod tests;
mod validate;

pub use address::{Address, AddressError, MemberAddress};
pub use cli::{Cli, Command, Settings};
pub use debug_command::DebugCommand;
pub use read_mode::ReadMode;
pub use stress::StressArgs;

pub use crate::storage::StorageKind;
use crate::wire::NodeId;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A client port plus this is the port for peers, as in Redis Cluster.
pub const PEER_PORT_OFFSET: u16 = 10_000;

/// A whole, consistent configuration of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Which of `members` this node is; 0: the cluster that it joins gives it an id.
    pub node_id: NodeId,
    /// Where clients are served; may be a wildcard address.
    pub bind: Address,
    /// Where peers are served; may be a wildcard address.
    pub peer_bind: Address,
    /// The first members of the cluster in the order of their ids, this node included; of a
    /// node that joins one, this node alone.
    pub members: Vec<Member>,
    /// Where clients reach nodes of the cluster that this node joins; empty: it joins none.
    pub join: Vec<Address>,
    /// Where the log and the snapshots are kept; not used by [`StorageKind::Memory`].
    pub data_dir: PathBuf,
    /// What keeps the log.
    pub storage: StorageKind,
    /// How fast the cluster lives.
    pub timing: Timing,
    /// Whether debug messages are logged.
    pub verbose: bool,
    /// How log messages are written.
    pub log_format: LogFormat,
    /// How new reads are, of connections that do not say otherwise.
    pub read_mode: ReadMode,
    /// Most clients at once.
    pub max_clients: usize,
    /// Threads for connections, the node's own included.
    pub io_threads: usize,
    /// A client idle for longer is disconnected; 0: never.
    pub idle_timeout_s: u64,
    /// Memory of which the node's keys may take no more; 0: no bound.
    pub max_memory_bytes: u64,
    /// Bytes of log since the last snapshot that make the next one due, at least.
    pub snapshot_log_bytes: u64,
    /// What peers have to know to be let in.
    pub secret: Option<Secret>,
    /// Password of the user `default` when the cluster is made.
    pub requirepass: Option<Secret>,
    /// As whom to ask the nodes of `join`.
    pub join_as: Option<(String, Secret)>,
    /// What a node that does not lead does with commands that have keys.
    pub redirect: Redirect,
    /// Who may use `DEBUG`.
    pub enable_debug_command: DebugCommand,
    /// What `SENTINEL` calls the cluster.
    pub sentinel_name: String,
}

/// One of the first members of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its place in the cluster list, from 1.
    pub id: NodeId,
    /// Where clients reach it.
    pub client_addr: Address,
    /// Where peers reach it.
    pub peer_addr: Address,
}

/// How log messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// What a node that does not lead does with commands that have keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Redirect {
    /// Serves them, as every node does.
    #[default]
    None,
    /// Answers `-MOVED` with the leader's address, as a node of a Redis Cluster.
    Moved,
}

/// A named pace; see [`Timing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// A dead leader is replaced within about half a second.
    #[default]
    Fast,
    /// Ten times slower: room for a debugger or a very slow machine.
    Debug,
    /// Slow enough to watch; elections and other events are logged.
    Demo,
}

/// The clockwork of Raft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// Time between two ticks of a group.
    pub tick_ms: u64,
    /// A follower that heard nothing for a random number of ticks from this range campaigns.
    pub election_ticks: Range<usize>,
    /// A leader speaks at least this often.
    pub heartbeat_ticks: usize,
    /// A confirmed round of reads lets a leader answer alone for this long. Not longer at a slower
    /// pace: a node that comes back at another one keeps to what it had promised before.
    pub lease_us: u64,
    /// Without a leader for longer than this, commands are refused instead of kept waiting.
    pub unavailable_after_ms: u64,
    /// Whether Raft's own events (elections, changes of role) are logged without `--verbose`.
    pub narrate: bool,
}

/// The shortest tick of any pace.
const FAST_TICK_MS: u64 = 20;

impl From<Pace> for Timing {
    fn from(pace: Pace) -> Self {
        let (tick_ms, narrate) = match pace {
            Pace::Fast => (FAST_TICK_MS, false),
            Pace::Debug => (200, false),
            Pace::Demo => (500, true),
        };
        let election_ticks = 10..20;
        // The first of the shortest election timeout's ticks may come at once.
        let promise_us = 1000 * FAST_TICK_MS * (election_ticks.start as u64 - 1);
        let lease_us = promise_us / 9 * 8;
        // Ten elections, each as long as it can last, have failed by then.
        let unavailable_after_ms = 10 * election_ticks.end as u64 * tick_ms;
        Timing { tick_ms, election_ticks, heartbeat_ticks: 2, lease_us, unavailable_after_ms, narrate }
    }
}

/// A shared secret, which never shows in a log.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by `--config` could not be read.
    #[error("cannot read the configuration file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is not TOML, or holds a field that there is not; says in which line.
    #[error("in the configuration file {}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// Values that are impossible, or that contradict each other.
    #[error("{0}")]
    Invalid(String),
}

impl Config {
    /// The configuration that `cli` asks for, with the file that it names, if any.
    pub fn load(cli: Cli) -> Result<Self, ConfigError> {
        let settings = match &cli.config {
            None => cli.settings,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
                cli.settings.or(Settings::from_toml(&text, path)?)
            }
        };
        settings.validate()
    }

    /// This node's entry of `members`.
    pub fn this_member(&self) -> &Member {
        self.members.iter().find(|m| m.id == self.node_id).expect("validation found this node in the list")
    }

    /// The members other than this node.
    pub fn peers(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|m| m.id != self.node_id)
    }
}

impl Settings {
    /// Reads a configuration file's text; `path` is for the error only.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text)
            .map_err(|source| ConfigError::Toml { path: path.to_owned(), source: Box::new(source) })
    }
}
