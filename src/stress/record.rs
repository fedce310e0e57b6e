//! What a run leaves behind: all that verdict, summary and report know of it. Nothing here may
//! come from anywhere but the clients, who know what any client knows, and those who caused faults:
//! what the relay lost is counted, and must never decide how an operation is recorded.
//!
//! What the history has, by keys (`stress:<seed>:<name>` and a suffix):
//!
//! | key | writes | reads |
//! |---|---|---|
//! | `...name` | `CAS`, `SET`, `DEL` | `GETV`, of a server without versions `GET` |
//! | `...name:n` | `INCRBY 1` | `GET` |
//! | `...name:log` | `APPEND` of tokens of [`TOKEN_BYTES`] | `GET` |
//!
//! No two operations write the same value or token, but for the attempts of one `CAS`: it is sent again
//! with its version and value when the key is still at that version. When a value is read that only one
//! operation can have written, but several attempts of it are open, the first is recorded as done.
//! Values are recorded by their [tag](super::values), without what fills them up.

use super::plan::Plan;
use crate::history::Operation;
use crate::limits;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Length of what an `APPEND` adds.
pub const TOKEN_BYTES: usize = 16;

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Run {
    /// Of the configuration.
    pub name: String,
    /// With it, the clients choose alike.
    pub seed: u64,
    /// When it began.
    pub began_unix_ms: u64,
    /// How long its clients were at work.
    pub lasted: Duration,
    /// As they were given, or spawned.
    pub servers: Vec<String>,
    /// Of servers that were spawned.
    pub storage: Option<String>,
    /// Whether the servers know `CAS` and `GETV`.
    pub has_versions: bool,
    /// Whether writes were sent with `ONCE`.
    pub once: bool,
    /// The configuration.
    pub plan: Plan,
    /// What the clients did, in the order in which they knew how it had ended; times since the run
    /// began. At most [`limits::STRESS_MAX_OPERATIONS`].
    pub history: Vec<Operation>,
    /// What each client counted; its place, from 0, is its number in the history.
    pub clients: Vec<ClientRecord>,
    /// Each second of the run, by when an operation ended.
    pub seconds: Vec<Second>,
    /// What happened to the servers, in the order of time.
    pub marks: Vec<Mark>,
    /// What the relay lost.
    pub losses: Losses,
    /// What each key held in the end, read directly; without what could not be read.
    pub finals: Vec<Final>,
    /// How it ended.
    pub ended: Ended,
}

impl Run {
    /// Of all clients together.
    pub fn counts(&self) -> BTreeMap<Kind, Counts> {
        let mut all = BTreeMap::new();
        for (kind, counts) in self.clients.iter().flat_map(|client| &client.counts) {
            all.entry(*kind).or_insert_with(Counts::default).add(counts);
        }
        all
    }
}

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Reads, those included by which a client finds out how a write ended.
    Get,
    /// `SET`.
    Set,
    /// `CAS`.
    Cas,
    /// `APPEND`.
    Append,
    /// `INCR`.
    Incr,
    /// `DEL`.
    Del,
}

impl Kind {
    /// All, in the order of tables.
    pub const ALL: [Kind; 6] = [Kind::Get, Kind::Set, Kind::Cas, Kind::Append, Kind::Incr, Kind::Del];

    /// As in the configuration, and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Get => "get",
            Kind::Set => "set",
            Kind::Cas => "cas",
            Kind::Append => "append",
            Kind::Incr => "incr",
            Kind::Del => "del",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A client.
#[derive(Debug, Clone)]
pub struct ClientRecord {
    /// Its name.
    pub name: String,
    /// What it did.
    pub counts: BTreeMap<Kind, Counts>,
}

/// Operations of one kind. Each counts in one of `ok`, `conflicts`, `refused` and `unknown`.
#[derive(Debug, Clone)]
pub struct Counts {
    /// That took place, those included of which it was found out later.
    pub ok: u64,
    /// `CAS` that found another version (`KEYEXISTS`, `VERSIONMISMATCH`).
    pub conflicts: u64,
    /// That certainly did not take place: the server refused them, or could not be reached.
    pub refused: u64,
    /// Of which it could not be found out whether they took place; reads without a reply.
    pub unknown: u64,
    /// Requests without a reply that says how they ended: lost, timed out, `-UNKNOWN`; refusals.
    pub errors: u64,
    /// Requests that were sent again, and reads by which it was found out how a write had ended.
    pub retries: u64,
    /// Of `ok`, `conflicts` and `refused`: found out only after a loss.
    pub recovered: u64,
    /// Of `ok` and `conflicts`, in microseconds, from the first request to the last reply.
    pub latency: Histogram<u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            ok: 0,
            conflicts: 0,
            refused: 0,
            unknown: 0,
            errors: 0,
            retries: 0,
            recovered: 0,
            latency: latencies(),
        }
    }
}

impl Counts {
    /// Adds those of another client.
    pub fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.conflicts += other.conflicts;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.errors += other.errors;
        self.retries += other.retries;
        self.recovered += other.recovered;
        // Of the same bounds: nothing can be left out.
        let _ = self.latency.add(&other.latency);
    }
}

/// An empty histogram of latencies in microseconds: as precise as a reader could want (one per cent), and small.
pub fn latencies() -> Histogram<u64> {
    let mut histogram = Histogram::new(2).expect("0 to 5 digits are possible");
    histogram.auto(true);
    histogram
}

/// A second of a run.
#[derive(Debug, Clone)]
pub struct Second {
    /// Operations that ended with a reply (`ok` and `conflicts`).
    pub done: u64,
    /// See [`Counts::errors`].
    pub errors: u64,
    /// See [`Counts::retries`].
    pub retries: u64,
    /// See [`Counts::latency`].
    pub latency: Histogram<u64>,
}

impl Default for Second {
    fn default() -> Self {
        Self { done: 0, errors: 0, retries: 0, latency: latencies() }
    }
}

/// Something that happened to the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Since the run began.
    pub at_ms: u64,
    /// What.
    pub what: Happening,
}

/// What happened. Nodes have the ids that they have in their cluster: of one that was spawned 1, 2, ... in the
/// order of [`Run::servers`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// By SIGKILL.
    NodeKilled {
        /// Which.
        node: u64,
    },
    /// Its process runs again.
    NodeRestarted {
        /// Which.
        node: u64,
    },
    /// By SIGSTOP.
    NodePaused {
        /// Which.
        node: u64,
    },
    /// By SIGCONT.
    NodeResumed {
        /// Which.
        node: u64,
    },
    /// A spawned node ended by itself.
    NodeEnded {
        /// Which.
        node: u64,
    },
    /// Seen by asking: later than it happened.
    LeaderChanged {
        /// Who led; none at first.
        from: Option<u64>,
        /// Who leads.
        to: u64,
    },
    /// No client has got a reply for a while.
    ServersLost,
    /// One has again.
    ServersBack,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeKilled { node } => write!(f, "node {node} killed"),
            Self::NodeRestarted { node } => write!(f, "node {node} restarted"),
            Self::NodePaused { node } => write!(f, "node {node} paused"),
            Self::NodeResumed { node } => write!(f, "node {node} resumed"),
            Self::NodeEnded { node } => write!(f, "node {node} ended by itself"),
            Self::LeaderChanged { from: None, to } => write!(f, "node {to} leads"),
            Self::LeaderChanged { from: Some(from), to } => write!(f, "node {to} leads, after node {from}"),
            Self::ServersLost => f.write_str("no server answers"),
            Self::ServersBack => f.write_str("a server answers again"),
        }
    }
}

/// What the relay lost on purpose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// That never reached a server.
    pub requests: u64,
    /// That a server had sent.
    pub replies: u64,
}

/// What a key held in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Final {
    /// The key, as on the server.
    pub key: String,
    /// Its value, by its tag (or a log's text, a counter's digits); none: there is no such key.
    pub value: Option<String>,
    /// Its version, 0 for no such key; none on a server that has none.
    pub version: Option<u64>,
    /// How it was read, by one more client, so that it can be judged with the rest.
    pub read: Operation,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// When its time was over.
    Whole,
    /// By Ctrl-C.
    Interrupted,
    /// With as many operations as a run may have.
    Full,
    /// Because it could not go on.
    BrokeOff(String),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("whole"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Full => write!(f, "ended early, after {} operations", limits::STRESS_MAX_OPERATIONS),
            Self::BrokeOff(why) => write!(f, "broken off: {why}"),
        }
    }
}

/// What was found of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Everything that is wrong, the most important first.
    pub findings: Vec<Finding>,
    /// Everything that was looked at.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Whether nothing is wrong, and nothing is left open.
    pub fn is_ok(&self) -> bool {
        let open = |check: &&Check| matches!(check.judged, Judged::NotOk | Judged::NotDecided);
        self.findings.is_empty() && self.checks.iter().find(open).is_none()
    }
}

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The name of the [`Check`] that found it.
    pub check: String,
    /// What, in a sentence or several lines.
    pub text: String,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Such as `acknowledged writes`.
    pub name: String,
    /// What was counted, in a few words.
    pub counted: String,
    /// What came out.
    pub judged: Judged,
}

/// What came out of a [`Check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It holds.
    Ok,
    /// It does not.
    NotOk,
    /// Too much work, or the run broke off.
    NotDecided,
    /// The run has nothing of that kind, or the server does not know it.
    NotApplicable,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::NotOk => "not ok",
            Self::NotDecided => "not decided",
            Self::NotApplicable => "not applicable",
        })
    }
}
