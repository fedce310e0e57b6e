//! The command line, and the same settings as fields of the configuration file: one struct
//! for both, so that neither can have what the other lacks.

use super::{
    Address, DebugCommand, LogFormat, MemberAddress, Pace, ReadMode, Redirect, Secret, StorageKind,
    StressArgs,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const AFTER_HELP: &str = "\
Without arguments: a durable cluster of one node on 127.0.0.1:6379, with its data in ./bowline-data.

Three nodes on one machine (each on its own data directory):
  bowline --cluster 127.0.0.1:6379,127.0.0.1:6380,127.0.0.1:6381 --bind 127.0.0.1:6379 --data-dir n1
  bowline --cluster 127.0.0.1:6379,127.0.0.1:6380,127.0.0.1:6381 --bind 127.0.0.1:6380 --data-dir n2
  bowline --cluster 127.0.0.1:6379,127.0.0.1:6380,127.0.0.1:6381 --bind 127.0.0.1:6381 --data-dir n3

A fourth, by asking any of them (its directory is made then; the same command starts it again later):
  bowline --join 127.0.0.1:6379,127.0.0.1:6380 --bind 127.0.0.1:6382 --data-dir n4

Every flag can also stand in the file named by --config, under the same name without the dashes:
  cluster = [\"127.0.0.1:6379\", \"127.0.0.1:6380\", \"127.0.0.1:6381\"]
  bind = \"127.0.0.1:6379\"
  data-dir = \"n1\"
A flag on the command line wins over the file.";

/// A Redis-protocol key-value server whose data is replicated by Raft.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, about, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// Something to do other than to serve.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Read settings from this TOML file.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The settings given on the command line.
    #[command(flatten)]
    pub settings: Settings,
}

/// Something to do other than to serve.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Print the log and the snapshots of a stopped node's data directory as JSON lines.
    Inspect {
        /// The data directory.
        dir: PathBuf,
    },
    /// Judge a history of operations (JSON lines): 0 when it is linearizable, 1 when it is not.
    Check {
        /// The history, or - for standard input.
        file: PathBuf,
    },
    /// Set clients on a cluster, lose some of what they say and hear, and judge what they saw: 0 when nothing is
    /// wrong, 1 when something is or could not be decided.
    Stress(Box<StressArgs>),
    /// Become a node that ends with the process that started it: what `stress --spawn` runs.
    #[command(hide = true)]
    StressNode {
        /// That process.
        parent: u32,
        /// The node's flags.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<String>,
    },
}

/// Every setting, as far as it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Which entry of --cluster this node is, counted from 1 [default: the entry equal to --bind]; with
    /// --join, the id to ask for [default: the next one that was never used].
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub node_id: Option<u64>,

    /// Address for clients [default: this node's entry of --cluster, else 127.0.0.1:6379]. To
    /// listen on every address of the machine, bind 0.0.0.0:PORT or [::]:PORT and give --node-id.
    #[arg(long, value_name = "HOST:PORT")]
    pub bind: Option<Address>,

    /// Address for the other nodes [default: the host of --bind, its port + 10000].
    #[arg(long, value_name = "HOST:PORT")]
    pub peer_bind: Option<Address>,

    /// Client addresses of all first members in the order of their ids, the same list on every
    /// node, this node included. A member whose port for peers is not its client port + 10000 is
    /// written host:port@peerport. [default: this node alone]
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',')]
    pub cluster: Option<Vec<MemberAddress>>,

    /// Client addresses of nodes of a running cluster that this node is to become a member of: with
    /// an empty data directory it asks them for an id and joins; with one of its own it just
    /// starts. May be repeated safely. --bind says where this node is.
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', conflicts_with = "cluster")]
    pub join: Option<Vec<Address>>,

    /// Where clients and the other nodes reach this node, when that is not where it listens
    /// (--bind 0.0.0.0:PORT, containers); host:port@peerport if the port for peers is not that of
    /// --peer-bind. For a node without --cluster, whose list says it. [default: --bind]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "cluster")]
    pub advertise: Option<MemberAddress>,

    /// Directory of the log and the snapshots; created when it is missing. No two nodes share
    /// one. [default: bowline-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// What keeps the log: flat files, a sled database, or nothing but memory (a node that stops
    /// has then forgotten everything, and cannot come back under its old id). [default: file]
    #[arg(long, value_name = "KIND")]
    pub storage: Option<StorageKind>,

    /// How fast the cluster lives. fast: tick 20 ms, heartbeat 40 ms, election after 200 to 400
    /// ms. debug: ten times slower. demo: tick 500 ms, and what happens is logged.
    /// [default: fast]
    #[arg(long, value_name = "PACE")]
    pub timing: Option<Pace>,

    /// How new reads are. linearizable: a quorum confirms each. lease: the leader answers alone for
    /// up to 160 ms after a quorum has confirmed it; right as long as no machine's clock runs an
    /// eighth faster or slower than another's. [default: linearizable]
    #[arg(long, value_name = "MODE")]
    pub read_mode: Option<ReadMode>,

    /// Log debug messages too, Raft's own among them.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub verbose: Option<bool>,

    /// How log messages are written to standard error. [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Most clients at once; one more gets an error and is disconnected. [default: 10000]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub maxclients: Option<usize>,

    /// Threads for the connections of clients, the one that carries commands out included; 1: no
    /// others. They read, parse and write. [default: 1 on machines of up to three cores, 3 of up to
    /// seven, else 4]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub io_threads: Option<usize>,

    /// Disconnect a client after this many idle seconds; 0: never. [default: 0]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub timeout: Option<u64>,

    /// MiB of memory that this node's keys may take: above, it has keys evicted from the cluster as CONFIG
    /// SET maxmemory-policy says, or refuses what needs more; 0: no bound. [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub maxmemory_mib: Option<u64>,

    /// MiB of log written since the last snapshot that make the next one due, at least (a snapshot
    /// larger than that waits for as much log as it is long). No more than this, and no more than
    /// 64, is kept in memory for followers that lag: beyond it they get a snapshot. [default: 64]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub snapshot_log_mib: Option<u64>,

    /// What every node of the cluster must present to the others. Prefer the file: other users
    /// of the machine can read a command line. [default: none]
    #[arg(long, value_name = "TEXT")]
    pub secret: Option<Secret>,

    /// Password of the user default of a new cluster: who connects has to give it. It counts when the
    /// cluster is made, so give it to every first member; later, CONFIG SET requirepass or ACL SETUSER
    /// changes it on all nodes. Prefer the environment: other users of the machine can read a command
    /// line. [default: none is needed]
    #[arg(long, value_name = "TEXT", env = "BOWLINE_REQUIREPASS", hide_env_values = true)]
    pub requirepass: Option<Secret>,

    /// As which user to ask the nodes of --join. [default: default]
    #[arg(long, value_name = "NAME", env = "BOWLINE_JOIN_USER")]
    pub join_user: Option<String>,

    /// With which password; not kept. [default: that of --requirepass, if there is one]
    #[arg(long, value_name = "TEXT", env = "BOWLINE_JOIN_PASSWORD", hide_env_values = true)]
    pub join_password: Option<Secret>,

    /// What a node that does not lead does with commands that have keys. none: it serves them.
    /// moved: it answers with the leader's address and says that it is one of a Redis Cluster,
    /// for clients that should talk to the leader alone. [default: none]
    #[arg(long, value_name = "HOW")]
    pub redirect: Option<Redirect>,

    /// Who may use DEBUG, which tests need and nobody else does: no, yes or local (connections
    /// from this machine). [default: no]
    #[arg(long, value_name = "WHO", num_args = 0..=1, default_missing_value = "yes")]
    pub enable_debug_command: Option<DebugCommand>,

    /// Under what name clients of Redis Sentinel find the cluster. [default: mymaster]
    #[arg(long, value_name = "NAME")]
    pub sentinel_name: Option<String>,
}

impl Settings {
    /// These settings, and what they leave open from `file`.
    pub fn or(self, file: Settings) -> Settings {
        Settings {
            node_id: self.node_id.or(file.node_id),
            bind: self.bind.or(file.bind),
            peer_bind: self.peer_bind.or(file.peer_bind),
            cluster: self.cluster.or(file.cluster),
            join: self.join.or(file.join),
            advertise: self.advertise.or(file.advertise),
            data_dir: self.data_dir.or(file.data_dir),
            storage: self.storage.or(file.storage),
            timing: self.timing.or(file.timing),
            read_mode: self.read_mode.or(file.read_mode),
            verbose: self.verbose.or(file.verbose),
            log_format: self.log_format.or(file.log_format),
            maxclients: self.maxclients.or(file.maxclients),
            io_threads: self.io_threads.or(file.io_threads),
            timeout: self.timeout.or(file.timeout),
            maxmemory_mib: self.maxmemory_mib.or(file.maxmemory_mib),
            snapshot_log_mib: self.snapshot_log_mib.or(file.snapshot_log_mib),
            secret: self.secret.or(file.secret),
            requirepass: self.requirepass.or(file.requirepass),
            join_user: self.join_user.or(file.join_user),
            join_password: self.join_password.or(file.join_password),
            redirect: self.redirect.or(file.redirect),
            enable_debug_command: self.enable_debug_command.or(file.enable_debug_command),
            sentinel_name: self.sentinel_name.or(file.sentinel_name),
        }
    }
}
