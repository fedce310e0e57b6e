//! `CONFIG GET`, `SET`, `RESETSTAT`, `REWRITE`. What parameters there are is told by
//! `parameters`. This module must never pretend that a parameter was set.

use super::Shared;
use super::connection::{Capture, Connection};
use super::dispatch::Flow;
use super::parameters::{self, Holder, Row};
use crate::command::{ConnectionCommand as Do, Reply, glob_matches};
use crate::group::{Job, Step};
use crate::wire::units::{Args, put_settings_unit};
use std::collections::BTreeMap;

/// What `CONFIG SET` is going to set, checked.
pub type Changes = Vec<(&'static Row, String)>;

/// Whether a call looks at what the whole cluster shares: another node may just have set it.
pub fn needs_news(what: Do, args: &Args<'_>) -> bool {
    what == Do::ConfigGet && asked_for(&args[2..]).values().any(|row| matches!(row.holder, Holder::Cluster))
}

/// `CONFIG GET pattern ...`.
pub fn get(shared: &Shared, patterns: &[&[u8]]) -> Reply {
    let pairs = asked_for(patterns)
        .into_iter()
        .map(|(name, row)| (Reply::bulk(name), Reply::bulk(row.value(shared))));
    Reply::Map(pairs.collect())
}

/// By the names that are shown.
fn asked_for(patterns: &[&[u8]]) -> BTreeMap<Vec<u8>, &'static Row> {
    let mut found: BTreeMap<Vec<u8>, &'static Row> = BTreeMap::new();
    for pattern in patterns {
        if !pattern.iter().any(|letter| b"[*?".contains(letter)) {
            found.extend(parameters::find(pattern).map(|row| (pattern.to_vec(), row)));
            continue;
        }
        let pattern = pattern.to_ascii_lowercase();
        let matching = parameters::ROWS.iter().filter(|row| !row.is_hidden);
        let matching = matching.filter(|row| glob_matches(&pattern, row.name.as_bytes()));
        found.extend(matching.map(|row| (row.name.as_bytes().to_vec(), row)));
    }
    found
}

/// `CONFIG SET name value ...`: what to set, if all of it can be.
fn changes(shared: &Shared, args: &[&[u8]]) -> Result<Changes, Reply> {
    if !args.len().is_multiple_of(2) {
        return Err(Reply::error("ERR syntax error"));
    }
    let mut rows: Vec<&'static Row> = Vec::with_capacity(args.len() / 2);
    for pair in args.chunks_exact(2) {
        let asked = crate::command::shown(pair[0]);
        let Some(row) = parameters::find(pair[0]) else {
            let reason = format!("Unknown option or number of arguments for CONFIG SET - '{asked}'");
            return Err(Reply::error_owned(format!("ERR {reason}")));
        };
        if let Some(reason) = row.refusal() {
            return Err(failed(&asked, reason));
        }
        if rows.iter().any(|other| std::ptr::eq(*other, row)) {
            return Err(failed(&asked, "duplicate parameter"));
        }
        rows.push(row);
    }
    let values = rows.into_iter().zip(args.chunks_exact(2));
    let checked = values.map(|(row, pair)| match row.check(shared, pair[1]) {
        Ok(value) => Ok((row, value)),
        Err(reason) => Err(failed(row.name, &reason)),
    });
    checked.collect()
}

fn failed(name: &str, reason: &str) -> Reply {
    Reply::error_owned(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"))
}

fn apply(shared: &Shared, changes: &Changes) {
    for (row, value) in changes {
        row.set(shared, value);
    }
    shared.parameters_changed();
}

fn of_cluster(changes: &Changes) -> Vec<(&str, &[u8])> {
    let of_cluster = changes.iter().filter(|(row, _)| matches!(row.holder, Holder::Cluster));
    of_cluster.map(|(row, value)| (row.name, value.as_bytes())).collect()
}

/// Within `EXEC`, where nothing can be asked of the group.
pub fn set_queued(shared: &Shared, args: &[&[u8]]) -> Reply {
    match changes(shared, args) {
        Ok(changes) if of_cluster(&changes).is_empty() => {
            apply(shared, &changes);
            Reply::Ok
        }
        Ok(_) => Reply::error("ERR a parameter of the whole cluster cannot be set inside a transaction"),
        Err(error) => error,
    }
}

impl Connection {
    /// `CONFIG SET`. Err: the reply, and the group has nothing to do.
    pub(super) fn start_config_set(&mut self, args: &[&[u8]], job: &mut Job) -> Result<Flow, Reply> {
        let changes = changes(&self.shared, &args[2..])?;
        let of_cluster = of_cluster(&changes);
        if of_cluster.is_empty() {
            apply(&self.shared, &changes);
            return Err(Reply::Ok);
        }
        put_settings_unit(&mut job.body, &of_cluster);
        job.steps.push(Step::Write);
        self.capture = Some(Capture::Settings(changes));
        Ok(Flow::Submit)
    }

    /// The log has taken the parameters of the cluster: those of this node follow.
    pub(super) fn settings_taken(&self, changes: &Changes, reply: Reply) -> Reply {
        if !reply.is_error() {
            apply(&self.shared, changes);
        }
        reply
    }
}
