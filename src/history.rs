//! Judges what clients saw: whether some order of their operations, which respects what
//! finished before what began, explains every reply (linearizability; Herlihy and Wing, 1990).
//! A pure function of the history: this module must never ask a clock, a file or a server,
//! and must never call a history right that it has not decided.
//!
//! Keys are empty when the history begins. An operation of unknown outcome may take effect at
//! any time after it began, or never; one that failed never does. Histories stay decidable
//! with up to about 1,000 operations, ten clients at once and ten unknown writes a key; those
//! whose replies or values tell the order (`appends.rs`, `counters.rs`, `versions.rs`), whatever
//! their size.

mod appends;
mod chain;
mod compile;
mod counters;
mod explain;
mod json;
mod model;
mod partition;
mod search;
#[cfg(test)]
mod tests;
mod typed;
mod versions;
mod words;

pub use explain::Violation;
pub use json::{LineError, read_line, write_line};
pub use typed::{By, GROUP, Typed};

use std::fmt;
use std::sync::Arc;

/// One command on one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The key.
    pub key: Arc<str>,
    /// What is done to it.
    pub what: What,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// `GET key`.
    Get,
    /// `GETV key`: value, version, revision.
    GetV,
    /// `EXISTS key`.
    Exists,
    /// `SET key value`.
    Set(Box<str>),
    /// `SET key value NX`.
    SetNx(Box<str>),
    /// `SET key value IFEQ old`.
    SetIfEq {
        /// The new value.
        value: Box<str>,
        /// What it has to be before.
        old: Box<str>,
    },
    /// `SET key value PX ms`: the key may disappear at any time after.
    SetPx {
        /// The new value.
        value: Box<str>,
        /// Its time to live, by the servers' clocks.
        ms: u64,
    },
    /// `DEL key`.
    Del,
    /// `DELIFEQ key old`.
    DelIfEq(Box<str>),
    /// `APPEND key tail`.
    Append(Box<str>),
    /// `INCRBY key n`, and `INCR`, `DECR`.
    IncrBy(i64),
    /// `CAS key version value`.
    Cas {
        /// What its version has to be; 0: there is no such key.
        version: u64,
        /// The new value.
        value: Box<str>,
    },
    /// `CAD key version`.
    Cad(u64),
    /// In a transaction: it takes place only if the key is at this version, because the key was
    /// watched and then read at it.
    Watch(u64),
    /// A command on a value that has elements.
    Typed(Typed),
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// One command.
    One(Call),
    /// `MULTI` ... `EXEC`: all at one moment.
    Transaction(Vec<Call>),
    /// `MGET`: reads at one moment.
    MGet(Vec<Arc<str>>),
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// No value; an `EXEC` that did not take place.
    Nil,
    /// `OK`.
    Ok,
    /// A number.
    Int(i64),
    /// A string.
    Text(Box<str>),
    /// An error that says something of the key, such as `VERSIONMISMATCH expected 5 found 7`.
    Error(Box<str>),
    /// Several.
    Array(Vec<Value>),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With this reply.
    Ok(Value),
    /// It certainly did not happen.
    Fail,
    /// Nobody knows.
    Unknown,
}

/// One operation of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// What was asked.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was sent, by a clock that all clients share.
    pub start_ns: u64,
    /// When the reply was there, or the client gave up.
    pub end_ns: u64,
}

/// How much work one set of connected keys may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Configurations and strings remembered.
    pub memory_bytes: usize,
    /// Operations tried.
    pub steps: u64,
}

impl Default for Bounds {
    /// Half a GiB, and some ten seconds.
    fn default() -> Self {
        Self { memory_bytes: 512 << 20, steps: 100_000_000 }
    }
}

/// Keys whose operations could not be decided within the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecided {
    /// The keys.
    pub keys: Vec<Arc<str>>,
    /// Operations on them.
    pub operations: usize,
    /// Of these, writes of unknown outcome.
    pub unknown: usize,
}

/// What [`check`] found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Operations judged, those that failed included.
    pub operations: usize,
    /// Sets of keys that were judged apart from each other.
    pub components: usize,
    /// What no order explains: one for each set of keys that has any.
    pub violations: Vec<Violation>,
    /// What was too much work. A run that ends with any has proved nothing about these keys.
    pub undecided: Vec<Undecided>,
}

impl Report {
    /// Whether every operation is explained.
    pub fn is_linearizable(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    /// Adds what was found in another part of the history, on other keys.
    pub fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.components += other.components;
        self.violations.extend(other.violations);
        self.undecided.extend(other.undecided);
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "undecided: {} operations ({} writes of unknown outcome) on {}: use more keys, with fewer \
             operations each",
            self.operations,
            self.unknown,
            self.keys.join(", ")
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        for undecided in &self.undecided {
            writeln!(f, "{undecided}")?;
        }
        let verdict = match (self.violations.len(), self.undecided.len()) {
            (0, 0) => "linearizable".to_owned(),
            (0, n) => format!("NOT DECIDED in {n} sets of keys"),
            (n, _) => format!("NOT LINEARIZABLE in {n} sets of keys"),
        };
        write!(f, "{} operations on {} sets of keys: {verdict}", self.operations, self.components)
    }
}

/// Sets of keys that may be too much work before others get less of it, and violations that are
/// explained at length. The verdict stands by then.
const AT_LENGTH: usize = 3;

/// Judges a history; the operations may stand in any order.
pub fn check(history: &[Operation], bounds: Bounds) -> Report {
    let mut report = Report { operations: history.len(), ..Report::default() };
    let less = Bounds { steps: bounds.steps / 20, ..bounds };
    for part in partition::partition(history) {
        report.components += 1;
        if let Some(verdict) = appends::check(history, &part) {
            report.violations.extend(verdict.err());
            continue;
        }
        if let Some(verdict) = counters::check(history, &part).or_else(|| versions::check(history, &part)) {
            if let Err(found) = verdict {
                let at_length = report.violations.len() < AT_LENGTH && part.operations.len() < MOST_EXPLAINED;
                let found = if at_length { explained(history, &part, found) } else { found };
                report.violations.push(found);
            }
            continue;
        }
        match typed::check(history, &part) {
            None => {}
            Some(Ok(verdict)) => {
                report.violations.extend(verdict.err());
                continue;
            }
            Some(Err(typed::Mixed)) => {
                let (keys, operations) = (part.keys, part.operations.len());
                report.undecided.push(Undecided { keys, operations, unknown: 0 });
                continue;
            }
        }
        let mut component = compile::compile(history, &part);
        let bounds = if report.undecided.len() < AT_LENGTH { bounds } else { less };
        match search::search(&mut component, bounds) {
            search::Found::Order => {}
            search::Found::Stuck(stuck) => {
                report.violations.push(explain::explain(history, &component, &stuck));
            }
            search::Found::TooMuch => report.undecided.push(Undecided {
                keys: part.keys,
                operations: part.operations.len(),
                unknown: component.unknown.len(),
            }),
        }
    }
    report
}

/// Operations on a set of keys that the general search looks at again.
const MOST_EXPLAINED: usize = 20_000;

/// What the general search has to say of a violation is more, if it gets that far.
fn explained(history: &[Operation], part: &partition::Part, found: Violation) -> Violation {
    const SMALL: Bounds = Bounds { memory_bytes: 64 << 20, steps: 1_000_000 };
    let mut component = compile::compile(history, part);
    match search::search(&mut component, SMALL) {
        search::Found::Stuck(stuck) => explain::explain(history, &component, &stuck),
        _ => found,
    }
}
