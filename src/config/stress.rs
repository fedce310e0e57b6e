//! The command line of `bowline stress`. What it asks for is checked here as far as flags alone can tell.

use super::{Address, Pace, Secret, StorageKind};
use crate::limits::{STRESS_MAX_DURATION_S, STRESS_MAX_SPAWN};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct StressArgs {
    /// What the clients are to do: a JSON file (docs/stress.md; examples in scripts/stress).
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,

    /// Where the servers are: one, or nodes of one cluster. [default: 127.0.0.1:6379]
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', conflicts_with = "spawn")]
    pub servers: Vec<Address>,

    /// Start a cluster of so many nodes of this very program, on free ports of this machine, and end it
    /// when the run is over.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=STRESS_MAX_SPAWN))]
    pub spawn: Option<u64>,

    /// What keeps the log of the nodes that are started. [default: file]
    #[arg(long, value_name = "KIND", requires = "spawn")]
    pub storage: Option<StorageKind>,

    /// How fast the cluster that is started lives. [default: fast]
    #[arg(long, value_name = "PACE", requires = "spawn")]
    pub timing: Option<Pace>,

    /// Kill the node that leads, again and again, and start it anew a second later (500ms, 5s, 1m). On --storage
    /// memory it is paused instead, for longer than an election takes: there, a node that stops cannot
    /// come back.
    #[arg(long, value_name = "TIME", requires = "spawn", value_parser = time)]
    pub kill_leader_every: Option<Duration>,

    /// Where the nodes keep their data and logs; must be empty, and stays. [default: a temporary
    /// directory, which is removed]
    #[arg(long, value_name = "DIR", requires = "spawn")]
    pub data_dir: Option<PathBuf>,

    /// Send writes with ONCE: when a reply is lost, the same number is sent again, until it has one.
    #[arg(long)]
    pub once: bool,

    /// How long the clients are at work; wins over the file.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=STRESS_MAX_DURATION_S))]
    pub duration: Option<u64>,

    /// With the same seed, clients choose alike; keys are called stress:SEED:name. Wins over the file. [default: a
    /// random one]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// As which user to connect; nodes that are started have no other than the default. [default: default]
    #[arg(long, value_name = "NAME", env = "BOWLINE_STRESS_USER")]
    pub user: Option<String>,

    /// With which password. Prefer the environment: other users of the machine can read a command line.
    /// Nodes that are started want it, too.
    #[arg(long, value_name = "TEXT", env = "BOWLINE_STRESS_PASSWORD", hide_env_values = true)]
    pub password: Option<Secret>,

    /// Write what the clients saw as JSON lines, which `bowline check` reads.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,

    /// Write a page with the run's course, for a browser.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,

    /// Write the log lines into a file. [default: standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "quiet")]
    pub log: Option<PathBuf>,

    /// No log lines.
    #[arg(long)]
    pub quiet: bool,

    /// No progress bar.
    #[arg(long)]
    pub no_progress: bool,
}

/// A time such as 500ms, 5s, 2m; a number alone is seconds.
fn time(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_ms = match unit {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        _ => return Err("such as 500ms, 5s or 1m".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "such as 500ms, 5s or 1m".to_owned())?;
    let time_ms = number.saturating_mul(unit_ms);
    match (100..=STRESS_MAX_DURATION_S * 1000).contains(&time_ms) {
        true => Ok(Duration::from_millis(time_ms)),
        false => Err(format!("from 100ms to {STRESS_MAX_DURATION_S}s")),
    }
}
