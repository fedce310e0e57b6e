//! What a command's function is given. A context must never offer a clock or randomness
//! that is not the same on every replica.

use super::{Reply, Sessions};
use crate::keyspace::{Edit, Item, Keyspace};

/// For a command that changes nothing.
#[derive(Debug)]
pub struct ReadContext<'a> {
    /// The keys.
    pub keyspace: &'a Keyspace,
    /// Of clients that use `ONCE`.
    pub sessions: &'a Sessions,
    /// The log's clock.
    pub now_ms: u64,
    /// The node's clock, which may be ahead of the log's.
    pub wall_ms: u64,
    /// Set when the outcome rests on a key that the log's clock still keeps alive and the
    /// node's clock would not: advance the log's clock, then read again.
    pub saw_expiring: bool,
}

impl<'a> ReadContext<'a> {
    /// Nothing seen yet.
    pub fn new(keyspace: &'a Keyspace, sessions: &'a Sessions, now_ms: u64, wall_ms: u64) -> Self {
        Self { keyspace, sessions, now_ms, wall_ms, saw_expiring: false }
    }

    /// The key as a client sees it.
    pub fn get(&mut self, key: &[u8]) -> Option<&'a Item> {
        let item = self.keyspace.get(key, self.now_ms)?;
        self.saw_expiring |= item.has_expired(self.wall_ms);
        Some(item)
    }
}

/// For a command that may change something.
#[derive(Debug)]
pub struct WriteContext<'a> {
    /// The keys.
    pub keyspace: &'a mut Keyspace,
    /// Of clients that use `ONCE`.
    pub sessions: &'a mut Sessions,
    /// The log's clock.
    pub now_ms: u64,
    /// The same on every replica, different for each command.
    pub seed: u64,
}

impl WriteContext<'_> {
    /// The key, for a write.
    pub fn edit<'k>(&mut self, key: &'k [u8]) -> Edit<'_, 'k> {
        self.keyspace.edit(key, self.now_ms)
    }
}

/// What a function answers: an error is only a way out early.
pub(super) type Outcome = Result<Reply, Reply>;

/// Either way it is a reply.
pub(super) fn reply(outcome: Outcome) -> Reply {
    outcome.unwrap_or_else(|error| error)
}
