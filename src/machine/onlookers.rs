//! What is told of a machine's work, and to whom. Who looks on is not part of the state: nothing here may have an
//! influence on it, or on a reply.

use super::Machine;
use crate::command::{Audience, Scripts};
use crate::keyspace::{Blob, Event};

impl Machine {
    /// Whether [`Machine::take_events`] has something.
    pub fn has_events(&mut self) -> bool {
        self.state.keyspace.has_events()
    }

    /// What has happened since the last call, for whoever listens; not part of the state.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.state.keyspace.take_events()
    }

    /// Expired keys that reads have met, which nothing but a write of them removes: database and key.
    pub fn take_met_expired(&mut self) -> Vec<(u32, Blob)> {
        self.state.keyspace.take_met_expired()
    }

    /// Whether each key that changes is among the events.
    pub fn set_touches(&mut self, wanted: bool) {
        self.state.keyspace.set_touches(wanted);
    }

    /// Whether what replicas of Redis's protocol have to carry out is among the events.
    pub fn set_propagates(&mut self, wanted: bool) {
        self.state.keyspace.set_propagates(wanted);
    }

    /// Texts and libraries.
    pub fn scripts(&self) -> &Scripts {
        &self.state.scripts
    }

    /// What is called again and again while a script runs.
    pub fn set_breath(&self, breath: fn()) {
        self.state.scripts.set_breath(breath);
    }

    /// Who hears of the scripts that come next.
    pub fn set_audience(&self, audience: Audience) {
        self.state.scripts.set_audience(audience);
    }
}
