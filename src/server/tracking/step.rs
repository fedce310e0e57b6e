//! [`StepKeys`]: the keys of one step of a job that its client may keep. This module must never
//! leave a key out that a reply shows.

use super::super::connection::Connection;
use super::super::session::Queued;
use super::script::ScriptKeys;
use crate::command::{ClientCommand as Sub, Command, ConnectionCommand as Do, Flags, Handler, Request};
use crate::keyspace::Blob;
use std::collections::BTreeSet;

/// See the module.
#[derive(Debug, Default)]
pub struct StepKeys {
    /// Read, and perhaps changed later in the same transaction: what the client was shown may
    /// be old already when it arrives.
    pub before_changes: Vec<Blob>,
    /// Read, and not changed by the same transaction afterwards.
    pub last: BTreeSet<Blob>,
    /// The step changes something.
    pub writes: bool,
    /// Those of a script, if the step is one.
    pub(super) script: ScriptKeys,
}

fn keys<'a>(row: &Command, request: &'a Request) -> impl Iterator<Item = Blob> + use<'a> {
    let positions = row.keys_of(&request.args()).map(|(at, _)| at);
    positions.collect::<Vec<_>>().into_iter().filter_map(|at| request.arg(at)).map(Blob::new)
}

impl StepKeys {
    pub(super) fn of_script(row: &Command, request: &Request) -> Self {
        let script = ScriptKeys { named: keys(row, request).collect(), changed: Vec::new() };
        Self { script, writes: row.is_write(), ..Self::default() }
    }

    fn read(&mut self, row: &Command, request: &Request) {
        self.last.extend(keys(row, request));
    }

    /// A command that names no keys, or not where its row says, may change any.
    fn write(&mut self, row: &Command, request: &Request) {
        self.writes = true;
        let mut named = keys(row, request).peekable();
        if named.peek().is_none() || row.flags.has(Flags::MOVABLEKEYS) {
            self.before_changes.extend(std::mem::take(&mut self.last));
            return;
        }
        let changed = named.filter_map(|key| self.last.take(&key));
        self.before_changes.extend(changed);
    }

    fn is_empty(&self) -> bool {
        self.before_changes.is_empty() && self.last.is_empty() && self.script.named.is_empty()
    }
}

impl Connection {
    /// A command of a client that tracks was taken: `CLIENT CACHING` held for it, unless it is one
    /// of `CLIENT` or of a transaction that goes on.
    pub(in super::super) fn end_caching(&self) {
        let is_client = self.client.last_command.get().starts_with("client");
        if !is_client && self.session.multi.is_none() {
            self.client.tracker.end_caching();
        }
    }

    /// A client that tracks reads something in this step.
    pub(in super::super) fn track_read(&mut self, step: usize, row: &Command, request: &Request) {
        if self.client.tracker.remembers() {
            let keys = match row.runs_script() {
                true => StepKeys::of_script(row, request),
                false => {
                    let mut keys = StepKeys::default();
                    keys.read(row, request);
                    keys
                }
            };
            self.note_keys(step, keys);
        }
    }

    /// A client that tracks has its transaction carried out in this step.
    pub(in super::super) fn track_transaction(&mut self, step: usize, commands: &[Queued]) {
        let tracker = &self.client.tracker;
        let mut remembers = tracker.remembers();
        let mut keys = StepKeys::default();
        for Queued { request, row, .. } in commands {
            if matches!(row.handler, Handler::Connection(Do::Client(Sub::Caching))) {
                remembers = tracker.remembers_when_told();
                continue;
            }
            if remembers && (row.flags.has(Flags::READONLY) || row.runs_script()) {
                keys.read(row, request);
            }
            if row.is_write() {
                keys.write(row, request);
            }
        }
        self.note_keys(step, keys);
    }

    pub(super) fn note_keys(&mut self, step: usize, keys: StepKeys) {
        if !keys.is_empty() {
            self.step_keys.push((step, keys));
        }
    }
}
