//! What replicas that speak Redis's protocol have to hear: each change as a command that does the
//! same to their keys, whatever their clock says. It is not state; a machine to which nobody has
//! attached makes none.
//!
//! A command that has changed something is told as it is, but for those that say themselves what
//! is to be told in their place ([`Keyspace::propagate`]): a time to live is told as the moment that
//! it ends at, and what Redis does not have as what it did. That a key has expired is told as its
//! deletion, before the command that met it.

use super::{Blob, Event, Keyspace};
use std::cell::RefCell;

/// A command for replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The database that it works in.
    pub db: u32,
    /// Its name and its arguments.
    pub args: Vec<Blob>,
}

/// What is to be told; see the module.
#[derive(Debug, Default)]
pub(super) struct Propagation {
    /// Somebody has attached.
    pub(super) wanted: bool,
    /// Of the unit at hand. Reads, which change nothing else, add what they have met.
    calls: RefCell<Vec<Call>>,
    /// The revision before the command at hand, not counting keys that it found expired.
    before: u64,
    /// The command at hand has said itself what is to be told.
    told: bool,
    /// It is told whatever it has changed.
    always: bool,
}

impl Propagation {
    fn push(&self, db: usize, args: &[&[u8]]) {
        let args = args.iter().map(|arg| Blob::new(arg)).collect();
        self.calls.borrow_mut().push(Call { db: db as u32, args });
    }

    /// A key was removed because its time had come.
    pub(super) fn expired(&mut self, db: usize, key: &[u8]) {
        if self.wanted {
            self.push(db, &[b"DEL", key]);
            self.before += 1;
        }
    }

    /// The command at hand is told even if nothing was there to change.
    pub(super) fn always(&mut self) {
        self.always = true;
    }
}

impl Keyspace {
    /// Whether changes are told as commands from now on.
    pub fn set_propagates(&mut self, wanted: bool) {
        self.propagation = Propagation { wanted, ..Propagation::default() };
    }

    /// Whether they are.
    pub fn propagates(&self) -> bool {
        self.propagation.wanted
    }

    /// A command begins. (For each write, whether anybody listens or not.)
    pub fn begin_command(&mut self) {
        self.propagation.before = self.revision;
        (self.propagation.told, self.propagation.always) = (false, false);
    }

    /// A command has ended, which is told as it is if it has changed something.
    pub fn end_command(&mut self, db: usize, args: &[&[u8]]) {
        let told = self.propagation.told || !self.propagation.wanted;
        if !told && (self.propagation.always || self.revision != self.propagation.before) {
            self.propagation.push(db, args);
        }
    }

    /// Tells this in the place of the command at hand; more than once, if need be.
    pub fn propagate(&mut self, db: usize, args: &[&[u8]]) {
        if self.propagation.wanted {
            self.propagation.told = true;
            self.propagation.push(db, args);
        }
    }

    /// What the command at hand has done was told by commands that it has carried out.
    pub fn told_by_parts(&mut self) {
        self.propagation.told = true;
    }

    /// The command at hand is told as it is, although it has changed no key.
    pub fn propagates_always(&mut self) {
        self.propagation.always();
    }

    /// A key was looked for that counts as expired and may be there still: replicas, whose clocks
    /// decide nothing, have to hear of it before what was done without it.
    pub fn propagate_expired(&self, db: usize, key: &[u8]) {
        if self.propagation.wanted && self.get(db, key, 0).is_some() {
            self.propagation.push(db, &[b"DEL", key]);
        }
    }

    /// What has happened since the last call took place as one.
    pub fn end_unit(&mut self) {
        if !self.propagation.calls.get_mut().is_empty() {
            let calls = std::mem::take(self.propagation.calls.get_mut());
            self.tell(Event::Propagated(calls));
        }
    }

    pub(super) fn has_calls(&mut self) -> bool {
        !self.propagation.calls.get_mut().is_empty()
    }

    /// What has happened since was many things, each of them by itself.
    pub(super) fn end_each(&mut self) {
        for call in std::mem::take(self.propagation.calls.get_mut()) {
            self.tell(Event::Propagated(vec![call]));
        }
    }
}
