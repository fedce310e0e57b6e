//! Keys that go because a node is short of memory. Which node, and how much it wants for, must never
//! matter here: what the log names goes everywhere.

use super::Machine;
use crate::command::Reply;
use crate::keyspace::{CountingPace, EvictionPolicy};
use crate::wire::units::Victim;

impl Machine {
    /// Removes what is still as it was when it was chosen; nothing, once the policy forbids it or the
    /// keys are those of an upstream, which decides by itself what goes.
    /// Answers how many keys went.
    pub(super) fn evict(&mut self, victims: &[Victim<'_>]) -> Reply {
        let is_allowed = self.state.settings.eviction != EvictionPolicy::NoEviction;
        if !is_allowed || self.state.upstream.is_followed() {
            return Reply::Int(0);
        }
        let (keyspace, now_ms) = (&mut self.state.keyspace, self.clock_ms);
        let goes =
            |victim: &&Victim<'_>| keyspace.evict(victim.db as usize, victim.key, victim.revision, now_ms);
        let evicted = victims.iter().filter(goes).count();
        self.evicted_total += evicted as u64;
        Reply::Int(evicted as i64)
    }

    /// Keys that went for want of memory; not part of the state.
    pub fn evicted_total(&self) -> u64 {
        self.evicted_total
    }

    /// Goes on counting where another machine of this node ends.
    pub fn inherit(&mut self, before: &Self) {
        (self.expired_total, self.evicted_total) = (before.expired_total, before.evicted_total);
        self.lookups = before.lookups.clone();
        self.state.scripts.inherit(&before.state.scripts);
        self.set_counting_pace(before.state.keyspace.counting_pace());
    }

    /// How fast counters of use rise and fall; not part of the state.
    pub fn set_counting_pace(&mut self, pace: CountingPace) {
        self.state.keyspace.set_counting_pace(pace);
    }
}
