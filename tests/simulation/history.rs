//! What clients did and what they were told, and whether any order of these operations
//! explains it. This module must never look into a replica, except for the final values.

use bowline::command::Reply;
use bowline::wire::units::Change;
use std::collections::{BTreeMap, BTreeSet};

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

#[derive(Debug, Clone)]
pub struct Operation {
    pub action: Action,
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

/// Where an operation stands in the order of one object: lists and counters only grow.
struct Placed<'a> {
    operation: &'a Operation,
    /// Growth after it; what a read saw.
    at: u64,
    grows: bool,
    ended_us: u64,
}

pub type Check = Result<(), String>;

/// Holds the whole history against the final values of all keys.
pub fn check(history: &[Operation], finally: &BTreeMap<String, Vec<u8>>) -> Check {
    let mut by_key: BTreeMap<&str, Vec<&Operation>> = BTreeMap::new();
    for operation in history {
        let key = match &operation.action {
            Action::Append { key, .. }
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
            Action::Watch { .. } | Action::Member { .. } => continue,
        };
        by_key.entry(key).or_default().push(operation);
    }
    for (key, operations) in by_key {
        let checked = match key.as_bytes()[0] {
            b'l' => list(&operations, finally.get(key)),
            b'p' => pair(&operations, finally, key),
            b'n' => counter(&operations, finally.get(key)),
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

fn bulk(reply: &Reply) -> Result<&[u8], String> {
    match reply {
        Reply::Bulk(bytes) => Ok(bytes),
        Reply::Nil => Ok(b""),
        other => Err(format!("a strange reply: {other:?}")),
    }
}

fn list(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = last.map_or(&b""[..], |bytes| bytes);
    let ends = token_ends(last)?;
    let mut placed = Vec::new();
    for operation in operations {
        match (&operation.action, &operation.outcome) {
            (Action::Append { token, .. }, _) => {
                let end = ends.get(token.as_str()).copied();
                if let Some(Reply::Int(length)) = operation.reply()
                    && end != Some(*length as u64)
                {
                    return Err(format!("{operation:?} was acknowledged; it stands at {end:?}"));
                }
                place_append(&mut placed, operation, end)?;
            }
            (_, Outcome::Done(reply)) => {
                let seen = bulk(reply)?;
                if !last.starts_with(seen) {
                    return Err(format!("{operation:?} saw what is no prefix of the final {}", show(last)));
                }
                placed.push(read(operation, seen.len() as u64));
            }
            _ => {}
        }
    }
    in_real_time(placed)
}

fn pair(operations: &[&Operation], finally: &BTreeMap<String, Vec<u8>>, pair: &str) -> Check {
    let [a, b] = ["a", "b"].map(|half| finally.get(&format!("{pair}{half}")).cloned().unwrap_or_default());
    if a != b {
        return Err(format!("a transaction was torn: {} and {}", show(&a), show(&b)));
    }
    let ends = token_ends(&a)?;
    let mut placed = Vec::new();
    for operation in operations {
        match (&operation.action, operation.reply()) {
            (Action::AppendPair { token, .. }, reply) => {
                let end = ends.get(token.as_str()).copied();
                if let Some(reply) = reply {
                    let length = Reply::Int(end.unwrap_or(0) as i64);
                    if *reply != Reply::Array(vec![length.clone(), length]) {
                        return Err(format!("{operation:?} was acknowledged; it stands at {end:?}"));
                    }
                }
                place_append(&mut placed, operation, end)?;
            }
            (_, Some(Reply::Array(both))) => {
                if both.len() != 2 || both[0] != both[1] || !a.starts_with(bulk(&both[0])?) {
                    return Err(format!("{operation:?} saw half a transaction, or another past"));
                }
                placed.push(read(operation, bulk(&both[0])?.len() as u64));
            }
            _ => {}
        }
    }
    in_real_time(placed)
}

fn token_ends(list: &[u8]) -> Result<BTreeMap<&str, u64>, String> {
    let text = std::str::from_utf8(list).map_err(|error| error.to_string())?;
    let mut ends = BTreeMap::new();
    let mut end = 0;
    for token in text.split_inclusive(',') {
        end += token.len() as u64;
        if ends.insert(token, end).is_some() {
            return Err(format!("{token} was applied twice"));
        }
    }
    Ok(ends)
}

fn place_append<'a>(placed: &mut Vec<Placed<'a>>, operation: &'a Operation, end: Option<u64>) -> Check {
    match (&operation.outcome, end) {
        (Outcome::Done(reply), Some(_)) if reply.is_error() => {
            return Err(format!("{operation:?} was refused and applied"));
        }
        (Outcome::Done(reply), None) if !reply.is_error() => return Err(format!("{operation:?} was lost")),
        (Outcome::Failed, Some(_)) => return Err(format!("{operation:?} failed and was applied")),
        (Outcome::Done(_), Some(at)) => {
            placed.push(Placed { operation, at, grows: true, ended_us: operation.ended_us });
        }
        (Outcome::Unknown | Outcome::Open, Some(at)) => {
            placed.push(Placed { operation, at, grows: true, ended_us: u64::MAX });
        }
        _ => {}
    }
    Ok(())
}

fn read(operation: &Operation, at: u64) -> Placed<'_> {
    Placed { operation, at, grows: false, ended_us: operation.ended_us }
}

/// Whoever began after another had ended must stand behind it. For an object that only
/// grows, with every growth told apart, that is linearizability.
fn in_real_time(placed: Vec<Placed<'_>>) -> Check {
    let mut by_end: Vec<&Placed<'_>> = placed.iter().collect();
    by_end.sort_by_key(|placed| placed.ended_us);
    let mut by_begin = by_end.clone();
    by_begin.sort_by_key(|placed| placed.operation.began_us);
    let mut ended = by_end.into_iter().peekable();
    let mut furthest: Option<&Placed<'_>> = None;
    for later in by_begin {
        while let Some(earlier) = ended.next_if(|earlier| earlier.ended_us < later.operation.began_us) {
            if furthest.is_none_or(|furthest| furthest.at < earlier.at) {
                furthest = Some(earlier);
            }
        }
        let Some(furthest) = furthest else { continue };
        if later.at < furthest.at || (later.grows && later.at == furthest.at) {
            return Err(format!(
                "{:?} stands at {}, but began after {:?}, which stands at {}",
                later.operation, later.at, furthest.operation, furthest.at
            ));
        }
    }
    Ok(())
}

fn number(bytes: &[u8]) -> Result<u64, String> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    text.parse().map_err(|_| format!("{text:?} is no counter"))
}

fn counter(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = number(last.map_or(b"", |bytes| bytes))?;
    let mut placed = Vec::new();
    let mut given = BTreeSet::new();
    let mut unknown = 0;
    for operation in operations {
        match (&operation.action, &operation.outcome) {
            (Action::Incr { .. }, Outcome::Done(Reply::Int(at))) => {
                if !given.insert(*at) {
                    return Err(format!("{operation:?}: somebody else was given the same number"));
                }
                let at = *at as u64;
                placed.push(Placed { operation, at, grows: true, ended_us: operation.ended_us });
            }
            (Action::Incr { .. }, Outcome::Unknown | Outcome::Open) => unknown += 1,
            (Action::Get { .. }, Outcome::Done(reply)) => placed.push(read(operation, number(bulk(reply)?)?)),
            (_, Outcome::Done(reply)) => return Err(format!("a strange reply: {reply:?}")),
            _ => {}
        }
    }
    let known = given.len() as u64;
    if last < known || last > known + unknown {
        return Err(format!("{known} increments acknowledged, {unknown} unknown, and the counter is {last}"));
    }
    in_real_time(placed)
}

/// Counters of read and conditional write, by version or by watch: no update may be lost.
fn guarded_counter(operations: &[&Operation], last: Option<&Vec<u8>>) -> Check {
    let last = number(last.map_or(b"", |bytes| bytes))?;
    let (mut known, mut unknown) = (0, 0);
    for operation in operations {
        if !matches!(operation.action, Action::Cas { .. } | Action::WatchedSet { .. }) {
            continue;
        }
        match &operation.outcome {
            Outcome::Done(Reply::Int(_) | Reply::Array(_)) => known += 1,
            Outcome::Unknown | Outcome::Open => unknown += 1,
            _ => {}
        }
    }
    if last < known || last > known + unknown {
        return Err(format!("{known} updates acknowledged, {unknown} unknown, and the counter is {last}"));
    }
    Ok(())
}

/// The revision of a key never goes back, and says which value it has.
fn register(operations: &[&Operation]) -> Check {
    let mut values: BTreeMap<u64, &Reply> = BTreeMap::new();
    let mut placed = Vec::new();
    for operation in operations {
        if !matches!(operation.action, Action::GetV { .. }) {
            continue;
        }
        let Some(Reply::Array(parts)) = operation.reply() else { continue };
        let [value, _, Reply::Int(revision)] = parts.as_slice() else {
            return Err(format!("a strange reply: {operation:?}"));
        };
        if *values.entry(*revision as u64).or_insert(value) != value {
            return Err(format!("{operation:?}: this revision had another value"));
        }
        placed.push(read(operation, *revision as u64));
    }
    in_real_time(placed)
}

/// Once a key was there, and then seen gone, nobody sees it again.
fn expiring(operations: &[&Operation]) -> Check {
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

fn show(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(200);
    format!("...{}", bytes[from..].escape_ascii())
}
