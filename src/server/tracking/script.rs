//! Keys of scripts. A client has those that were named for a script if the script has read anything, whatever it was:
//! so Redis takes it. Which commands a script has carried out is known when it has ended, before its reply leaves.
//! This module must never let a client keep what its script has changed behind its back.

use super::super::clients::ClientTable;
use super::super::connection::Connection;
use super::step::StepKeys;
use super::{Invalidation, Tracker};
use crate::command::{Command, Request};
use crate::keyspace::Blob;
use std::collections::BTreeSet;

/// Of one step that is a script.
#[derive(Debug, Default)]
pub(super) struct ScriptKeys {
    /// Named for it, and not changed since it began.
    pub(super) named: BTreeSet<Blob>,
    /// Named for it, and changed by it.
    pub(super) changed: Vec<Blob>,
}

impl ScriptKeys {
    pub(super) fn touched(&mut self, key: &Blob) {
        self.changed.extend(self.named.take(key));
    }
}

impl Tracker {
    /// The script of the step under way has read something. What the client is to be told, after the reply.
    fn script_has_read(&self) -> Option<Invalidation> {
        let mut steps = self.steps.borrow_mut();
        let (_, keys) = steps.front_mut().filter(|(step, _)| *step == self.answered.get())?;
        let ScriptKeys { named, changed } = std::mem::take(&mut keys.script);
        keys.last.extend(named);
        if self.mode.borrow().noloop {
            keys.last.extend(changed);
            return None;
        }
        // It may have read them before.
        (!changed.is_empty()).then_some(Invalidation::Keys(changed))
    }
}

impl ClientTable {
    /// A script of this client has ended, and has read something.
    pub(in super::super) fn script_has_read(&self, ticket: u64) {
        if self.tracking.clients.get() == 0 {
            return;
        }
        let client = self.get(ticket).filter(|client| client.tracker.on.get());
        if let Some(client) = client
            && let Some(what) = client.tracker.script_has_read()
        {
            client.tracker.pending.borrow_mut().push(what);
        }
    }
}

impl Connection {
    /// A client that tracks has a script run in this step.
    pub(in super::super) fn track_script(&mut self, step: usize, row: &Command, request: &Request) {
        if self.client.tracker.remembers() {
            self.note_keys(step, StepKeys::of_script(row, request));
        }
    }
}
