//! [`Refusals`]: what clients may not do while the cluster follows a Redis. Decided where a command
//! stands in the log, and before that by the node that takes it, by the same rules. Nothing may be
//! refused while nothing is followed.

use crate::command::row::{Command, Flags};
use crate::command::{Reply, State};
use crate::keyspace::Event;

const READ_ONLY: &str = "READONLY You can't write against a read only replica.";
const MASTER_DOWN: &str = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
const LOADING: &str = "LOADING Redis is loading the dataset in memory";

/// What is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusals(u8);

const WRITES: u8 = 1;
const STALE: u8 = 2;
const INCOMPLETE: u8 = 4;

impl Refusals {
    /// Nothing is refused.
    pub const NONE: Self = Self(0);

    /// Whether nothing is.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the keys are a copy that is not complete.
    pub fn is_loading(self) -> bool {
        self.0 & INCOMPLETE != 0
    }

    /// As a number, for an event.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The number of an event.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Why calls of these rows, which take place together, are refused.
    pub fn of<'a>(self, rows: impl Iterator<Item = &'a Command> + Clone) -> Option<Reply> {
        let lacks = |flag| rows.clone().any(|row| !row.flags.has(flag));
        if self.0 & WRITES != 0 && rows.clone().any(|row| row.flags.has(Flags::WRITE)) {
            return Some(Reply::error(READ_ONLY));
        }
        if self.0 & STALE != 0 && lacks(Flags::STALE) {
            return Some(Reply::error(MASTER_DOWN));
        }
        // It is how a copy that cannot be completed is ended.
        let ends_it = |row: &Command| matches!(row.full_name, "replicaof" | "slaveof");
        let incomplete = |row: &Command| !row.flags.has(Flags::LOADING) && !ends_it(row);
        (self.is_loading() && rows.clone().any(incomplete)).then_some(Reply::error(LOADING))
    }

    /// The same of what was queued for `EXEC`, which then does nothing.
    pub fn of_exec<'a>(self, rows: impl Iterator<Item = &'a Command> + Clone) -> Option<Reply> {
        match self.of(rows)? {
            Reply::Error(why) => {
                Some(Reply::error_owned(format!("EXECABORT Transaction discarded because of: {why}")))
            }
            other => Some(other),
        }
    }
}

impl State {
    /// What clients may not do now.
    pub fn refusals(&self) -> Refusals {
        let Some(source) = self.upstream.source() else { return Refusals::NONE };
        let stale = !source.is_up && !self.settings.serve_stale;
        let bit = |is_set: bool, bit| if is_set { bit } else { 0 };
        Refusals(WRITES | bit(stale, STALE) | bit(self.upstream.is_loading(), INCOMPLETE))
    }

    /// Tells the node's clients of it.
    pub fn tell_refusals(&mut self) {
        let refusals = self.refusals();
        self.keyspace.tell(Event::Refusals(refusals.bits()));
    }
}
