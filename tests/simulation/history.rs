//! What clients did and what they were told, and whether any order of these operations
//! explains it. This module must never look into a replica, except for the final values.

use bowline::command::Reply;
use bowline::wire::units::Change;
use grown::{counter, guarded_counter, list, pair};
use register::register;
use std::collections::{BTreeMap, BTreeSet};

mod grown;
mod register;
pub mod typed;

/// The database and the name of a key, which is written `name@db` here; of a pair, the letter of
/// its half stands behind that.
pub fn place(key: &str) -> (u32, String) {
    let (name, rest) = key.split_once('@').expect("each key has a database");
    let (db, half) = rest.split_at(1);
    (db.parse().expect("it is a digit"), format!("{name}{half}"))
}

/// What reads a string or a field of a hash: the database, and the command.
pub fn read_of(key: &str) -> (u32, Vec<String>) {
    let (db, name) = place(key);
    let words = match name.split_once('/') {
        Some((hash, field)) => vec!["HGET", hash, field],
        None => vec!["GET", &name],
    };
    (db, words.into_iter().map(str::to_owned).collect())
}

/// One command of a client.
#[derive(Debug, Clone)]
pub enum Action {
    /// `APPEND key token`.
    Append { key: String, token: String },
    /// A transaction that appends one token to both lists of a pair.
    AppendPair { pair: String, token: String },
    /// `MGET` of both lists of a pair.
    ReadPair { pair: String },
    /// `INCR key`.
    Incr { key: String },
    /// `GET key` of a list or counter.
    Get { key: String },
    /// `CAS key version value`, of a counter.
    Cas { key: String, version: i64, value: i64 },
    /// A transaction with a watch: sets a counter.
    WatchedSet { key: String, watched: (i64, i64), value: i64 },
    /// `GETV key`.
    GetV { key: String },
    /// `WATCH key`.
    Watch { key: String },
    /// `SET key value`; each value is used once.
    Set { key: String, value: String },
    /// `DEL key`.
    Del { key: String },
    /// `SET key value PX ms`; each key is set once.
    SetPx { key: String, ms: u64 },
    /// `GET key` of such a key.
    GetPx { key: String },
    /// `ONCE session seq APPEND key token`.
    Once { session: usize, seq: u64, key: String, token: String },
    /// What is done to values that have elements. (A field of a hash is a counter `name/field@db`.)
    Typed(Box<bowline::history::Action>),
    /// `XGROUP CREATE key g 0 MKSTREAM`.
    MakeGroup { key: String },
    /// Sets parameters of the cluster.
    Forms { sizes: Vec<(&'static str, usize)> },
    /// What an operator wants of the membership.
    Member { change: Change, node: u64, old: u64 },
}

#[derive(Debug, Clone)]
pub enum Outcome {
    /// No answer yet.
    Open,
    /// It may have happened or not.
    Unknown,
    /// It certainly did not happen.
    Failed,
    Done(Reply),
}

/// How new what it sees has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// As new as can be.
    Last,
    /// No newer than can be.
    Any,
    /// As new as it was this long ago.
    Within { us: u64 },
}

#[derive(Debug, Clone)]
pub struct Operation {
    pub client: usize,
    pub action: Action,
    pub freshness: Freshness,
    /// Only to be shown.
    #[allow(dead_code)]
    pub node: u64,
    pub began_us: u64,
    pub ended_us: u64,
    pub outcome: Outcome,
}

impl Operation {
    fn reply(&self) -> Option<&Reply> {
        match &self.outcome {
            Outcome::Done(reply) => Some(reply),
            _ => None,
        }
    }
}

pub type Check = Result<(), String>;

/// Holds the whole history against the final values of all keys.
pub fn check(history: &[Operation], finally: &BTreeMap<String, Vec<u8>>) -> Check {
    let mut by_key: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        let key = match &operation.action {
            Action::Append { key, .. }
            | Action::Once { key, .. }
            | Action::Incr { key }
            | Action::Get { key }
            | Action::Cas { key, .. }
            | Action::WatchedSet { key, .. }
            | Action::GetV { key }
            | Action::Set { key, .. }
            | Action::Del { key }
            | Action::SetPx { key, .. }
            | Action::GetPx { key } => key,
            Action::AppendPair { pair, .. } | Action::ReadPair { pair } => pair,
            Action::Watch { .. }
            | Action::Member { .. }
            | Action::Typed(_)
            | Action::MakeGroup { .. }
            | Action::Forms { .. } => {
                continue;
            }
        };
        by_key.entry(key).or_default().push(operation);
    }
    for (key, operations) in by_key {
        let checked = match key.as_bytes()[0] {
            b'l' => list(&operations, finally.get(key)),
            b'p' => pair(&operations, finally, key),
            b'n' | b'h' => counter(&operations, finally.get(key)),
            b'c' | b'w' => guarded_counter(&operations, finally.get(key)),
            b'r' => register(&operations),
            b't' => expiring(&operations),
            _ => Err("a key of no kind".to_owned()),
        };
        checked.map_err(|error| format!("key {key}: {error}"))?;
    }
    Ok(())
}

/// Every key whose final value tells something.
pub fn keys(history: &[Operation]) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for operation in history {
        match &operation.action {
            Action::Append { key, .. }
            | Action::Once { key, .. }
            | Action::Get { key }
            | Action::Incr { key }
            | Action::GetV { key }
            | Action::Cas { key, .. }
            | Action::WatchedSet { key, .. }
                if !keys.contains(key) =>
            {
                keys.insert(key.clone());
            }
            Action::AppendPair { pair, .. } => {
                keys.insert(format!("{pair}a"));
                keys.insert(format!("{pair}b"));
            }
            _ => {}
        }
    }
    keys
}

/// Once a key was there, and then seen gone, nobody sees it again.
fn expiring(operations: &[&Operation]) -> Check {
    let fresh = |o: &&&Operation| o.freshness == Freshness::Last;
    let operations: Vec<&Operation> = operations.iter().filter(fresh).copied().collect();
    let there = |operation: &Operation| match (&operation.action, operation.reply()) {
        (Action::SetPx { .. }, Some(Reply::Ok)) => true,
        (Action::GetPx { .. }, Some(reply)) => *reply != Reply::Nil,
        _ => false,
    };
    let Some(there_us) = operations.iter().filter(|o| there(o)).map(|o| o.ended_us).min() else {
        return Ok(());
    };
    let is_gone = |o: &Operation| {
        matches!(o.action, Action::GetPx { .. }) && o.reply() == Some(&Reply::Nil) && o.began_us > there_us
    };
    let Some(gone) = operations.iter().filter(|o| is_gone(o)).min_by_key(|o| o.ended_us) else {
        return Ok(());
    };
    let back = operations
        .iter()
        .find(|o| matches!(o.action, Action::GetPx { .. }) && there(o) && o.began_us > gone.ended_us);
    back.map_or(Ok(()), |back| Err(format!("{back:?} saw what {gone:?} had seen expire")))
}
