//! What `MIGRATE` asks of the state: a key to be sent, and the removal of those that were.

use super::Machine;
use crate::command::{ReadContext, Reply, WriteContext, remove_migrated};
use crate::keyspace::Item;
use crate::wire::units::Command;

impl Machine {
    /// A key as a command that reads it would see it. It counts as a read.
    pub fn look_up(&self, db: u32, key: &[u8], wall_ms: u64) -> Option<&Item> {
        let mut context = ReadContext::new(&self.state, db as usize, self.clock_ms, wall_ms, 0);
        let item = context.get(key);
        let (hits, misses) = self.lookups.get();
        self.lookups.set((hits + context.lookups.0, misses + context.lookups.1));
        item
    }

    pub(super) fn remove_migrated(&mut self, command: &Command<'_>) -> Reply {
        let (now_ms, seed) = (self.clock_ms, self.index);
        let (state, db) = (&mut self.state, command.db as usize);
        state.keyspace.begin_command();
        let caller = Default::default();
        remove_migrated(&mut WriteContext { state, db, now_ms, seed, caller }, &command.args)
    }
}
