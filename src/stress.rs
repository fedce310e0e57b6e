//! `bowline stress`: clients that work on a cluster, a relay between that loses what they say and hear,
//! faults, and a judge of what they saw. It is an ordinary client: it must never know of a server what
//! its replies do not say, nor use anything of the server's modules.

pub mod plan;
pub mod record;
pub mod report;
pub mod results;
#[cfg(test)]
mod sample;
pub mod summary;
pub mod values;
pub mod verdict;

mod cas;
mod client;
mod connection;
mod course;
mod dice;
mod events;
mod faults;
mod keys;
mod leader;
mod once;
mod own_dir;
mod progress;
mod recorder;
mod relay;
mod shared;
mod signals;
mod spawn;
mod survey;
mod workload;
mod write;

pub use spawn::become_node;

use crate::config::StressArgs;
use plan::{Plan, PlanError};
use record::{Run, Verdict};
use results::ResultError;
use std::io::Write as _;
use std::path::PathBuf;

/// Why there is no run to judge.
#[derive(Debug, thiserror::Error)]
pub enum StressError {
    /// The configuration is wrong.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The tool itself cannot start.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// The nodes that it was to start do not run.
    #[error("the cluster does not run: {0}")]
    Spawn(String),
    /// The servers cannot be used.
    #[error("{0}")]
    Servers(String),
    /// What came out of the run cannot be kept.
    #[error("{0}")]
    Result(#[from] ResultError),
    /// Ctrl-C, before anything was done.
    #[error("interrupted before the clients began")]
    Interrupted,
}

impl StressError {
    /// The exit status that says so.
    pub fn status(&self) -> u8 {
        match self {
            Self::Plan(_) | Self::File { .. } => 2,
            Self::Runtime(_) | Self::Spawn(_) | Self::Servers(_) | Self::Result(_) | Self::Interrupted => 1,
        }
    }
}

/// Seeds that nobody chose are less than this: they stand in the names of keys, and may be typed.
const MOST_SEED: u64 = 1_000_000;

/// Carries out what the command line asks for, and prints what came out of it.
pub fn run(args: &StressArgs) -> Result<Verdict, StressError> {
    let run = observe(args)?;
    signals::end_at_once();
    let history = args.history.as_ref().map_or(Ok(()), |path| results::write_history(&run, path));
    let verdict = verdict::judge(&run);
    // Nobody may be reading any more; the exit status says it all the same.
    let _ = std::io::stdout().lock().write_all(summary::text(&run, &verdict).as_bytes());
    history?;
    if let Some(path) = &args.report {
        results::write_report(&run, &verdict, path)?;
    }
    Ok(verdict)
}

/// What the clients saw.
fn observe(args: &StressArgs) -> Result<Run, StressError> {
    let mut plan = Plan::load(&args.config)?;
    if let Some(seconds) = args.duration {
        plan.test_duration_seconds = seconds;
    }
    for path in args.history.iter().chain(&args.report).chain(&args.log) {
        // Found out now, not when the run is over.
        std::fs::File::create(path).map_err(|source| StressError::File { path: path.clone(), source })?;
    }
    let seed = match args.seed.or(plan.seed) {
        Some(seed) => seed,
        None => {
            getrandom::u64()
                .map_err(|error| StressError::Runtime(std::io::Error::other(error.to_string())))?
                % MOST_SEED
        }
    };
    course::run(args, plan, seed)
}
