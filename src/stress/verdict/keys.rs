//! The operations of a run by key, and what each key held in the end.

use super::super::record::{Final, Run};
use crate::history::{Action, Operation, Outcome, Value, What};
use std::collections::BTreeMap;

/// A key's kind, by what is done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `SET`, `CAS`, `DEL`.
    Named,
    /// `INCRBY 1`.
    Counter,
    /// `APPEND`.
    Log,
}

/// A write, and how it ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write<'a> {
    pub(super) operation: &'a Operation,
    pub(super) what: &'a What,
    /// None: nobody knows whether it took place.
    pub(super) reply: Option<&'a Value>,
}

impl<'a> Write<'a> {
    /// Of what may have changed something.
    fn of(operation: &'a Operation, what: &'a What) -> Option<Self> {
        let is_write = !matches!(what, What::Get | What::GetV | What::Exists);
        let reply = match &operation.outcome {
            Outcome::Fail | Outcome::Ok(Value::Error(_)) => return None,
            Outcome::Ok(reply) => Some(reply),
            Outcome::Unknown => None,
        };
        // It deleted nothing.
        let is_idle = *what == What::Del && reply == Some(&Value::Int(0));
        (is_write && !is_idle).then_some(Self { operation, what, reply })
    }

    /// When it was over; unknown ones never are.
    pub(super) fn end_ns(&self) -> u64 {
        if self.reply.is_some() { self.operation.end_ns } else { u64::MAX }
    }

    /// What it sets the key to; None: it deletes it.
    pub(super) fn value(&self) -> Option<&'a str> {
        match self.what {
            What::Set(value) | What::Cas { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// A key.
#[derive(Debug)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) writes: Vec<Write<'a>>,
    pub(super) end: Option<&'a Final>,
}

impl<'a> Key<'a> {
    pub(super) fn form(&self) -> Form {
        match self.writes.first().map(|write| write.what) {
            Some(What::IncrBy(_)) => Form::Counter,
            Some(What::Append(_)) => Form::Log,
            _ => Form::Named,
        }
    }

    pub(super) fn acknowledged(&self) -> impl Iterator<Item = &Write<'a>> {
        self.writes.iter().filter(|write| write.reply.is_some())
    }

    pub(super) fn unknown(&self) -> impl Iterator<Item = &Write<'a>> {
        self.writes.iter().filter(|write| write.reply.is_none())
    }
}

/// All keys, by name.
#[derive(Debug)]
pub(super) struct Keys<'a>(BTreeMap<&'a str, Key<'a>>);

impl<'a> Keys<'a> {
    pub(super) fn of(run: &'a Run) -> Self {
        let mut keys: BTreeMap<&str, Key<'_>> = BTreeMap::new();
        let key = |name| Key { name, writes: Vec::new(), end: None };
        for operation in &run.history {
            let Action::One(call) = &operation.action else { continue };
            let entry = keys.entry(&call.key).or_insert_with(|| key(&call.key));
            entry.writes.extend(Write::of(operation, &call.what));
        }
        for end in &run.finals {
            keys.entry(&end.key).or_insert_with(|| key(&end.key)).end = Some(end);
        }
        Self(keys)
    }

    /// Those of a kind that somebody wrote to, and whose end is known.
    pub(super) fn written(&self, form: Form) -> impl Iterator<Item = (&Key<'a>, &'a Final)> {
        let keys = self.0.values().filter(move |key| key.form() == form && !key.writes.is_empty());
        keys.filter_map(|key| Some((key, key.end?)))
    }

    /// Those that somebody wrote to, and that nobody could read in the end.
    pub(super) fn without_final(&self) -> Vec<&'a str> {
        let keys = self.0.values().filter(|key| key.end.is_none() && !key.writes.is_empty());
        keys.map(|key| key.name).collect()
    }
}

/// When, for a reader: seconds since the run began.
pub(super) fn seconds(ns: u64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}
