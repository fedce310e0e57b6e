//! What a command's function is given. A context must never offer a clock or randomness
//! that is not the same on every replica, but for reads, which leave no trace.

use super::settings::REQUIREPASS;
use super::{Acl, Reply, Scripts, Sessions, Settings, Upstream};
use crate::keyspace::{Edit, EventClass, Item, Keyspace, UserChange};
use crate::wire::units::Caller;

/// What commands read and write: the replicated state, without what only the log itself changes.
#[derive(Debug)]
pub struct State {
    /// The keys.
    pub keyspace: Keyspace,
    /// Of clients that use `ONCE`.
    pub sessions: Sessions,
    /// Who may do what.
    pub acl: Acl,
    /// What is configured for the whole cluster.
    pub settings: Settings,
    /// Which Redis is followed.
    pub upstream: Upstream,
    /// What scripts need.
    pub scripts: Scripts,
}

impl State {
    /// Nothing yet. For `hash_key` see [`Keyspace::new`].
    pub fn new(hash_key: [u8; 16]) -> Self {
        Self {
            keyspace: Keyspace::new(hash_key),
            sessions: Sessions::default(),
            acl: Acl::default(),
            settings: Settings::default(),
            upstream: Upstream::default(),
            scripts: Scripts::default(),
        }
    }

    /// Changes a setting, and what depends on it; an error changes nothing.
    pub fn set(&mut self, name: &str, value: &[u8]) -> Result<(), Reply> {
        self.settings.set(name, value)?;
        if name == REQUIREPASS {
            self.acl.set_default_password(std::str::from_utf8(value).ok().filter(|hash| !hash.is_empty()));
            self.keyspace.tell_user(b"default", UserChange::Changed { channels: None });
        }
        self.keyspace.set_event_classes(self.settings.notify);
        self.keyspace.set_eviction_policy(self.settings.eviction);
        self.keyspace.set_compact(self.settings.compact);
        if self.upstream.is_followed() {
            self.tell_refusals();
        }
        Ok(())
    }

    /// A key was met that may have expired and be there still, and that nothing removes: whoever
    /// has cached it hears of it, and replicas do unless it is an upstream's to say so.
    pub fn tell_expired(&self, db: usize, key: &[u8]) {
        self.keyspace.met_expired(db, key);
        if !self.upstream.is_followed() {
            self.keyspace.propagate_expired(db, key);
        }
    }
}

/// For a command that changes nothing.
#[derive(Debug)]
pub struct ReadContext<'a> {
    /// What is read.
    pub state: &'a State,
    /// The database that the command works in.
    pub db: usize,
    /// The log's clock.
    pub now_ms: u64,
    /// The node's clock, which may be ahead of the log's.
    pub wall_ms: u64,
    /// For what is to look random (`RANDOMKEY`); another one for each command.
    pub seed: u64,
    /// A key that is got counts as used; not for a client that asked for `CLIENT NO-TOUCH`.
    pub touches: bool,
    /// Set when the outcome rests on a key that the log's clock still keeps alive and the
    /// node's clock would not: advance the log's clock, then read again.
    pub saw_expiring: bool,
    /// Looks that found a key, and looks that did not.
    pub lookups: (u64, u64),
    /// For whom a script runs.
    pub caller: Caller<'a>,
}

impl<'a> ReadContext<'a> {
    /// Nothing seen yet.
    pub fn new(state: &'a State, db: usize, now_ms: u64, wall_ms: u64, seed: u64) -> Self {
        let (touches, saw_expiring, lookups) = (true, false, (0, 0));
        let caller = Caller::default();
        Self { state, db, now_ms, wall_ms, seed, touches, saw_expiring, lookups, caller }
    }

    /// The key as a client sees it.
    pub fn get(&mut self, key: &[u8]) -> Option<&'a Item> {
        self.get_in(self.db, key)
    }

    /// The key in another database.
    pub fn get_in(&mut self, db: usize, key: &[u8]) -> Option<&'a Item> {
        let keyspace = &self.state.keyspace;
        let found = match self.touches {
            true => keyspace.access(db, key, self.now_ms, self.wall_ms),
            false => keyspace.get(db, key, self.now_ms),
        };
        let Some(item) = found else {
            self.missed(db, key);
            return None;
        };
        self.lookups.0 += 1;
        if item.has_expired(self.wall_ms) {
            self.expires(db, key);
        }
        Some(item)
    }

    /// The key, for a look that does not count as an access (`OBJECT`, `TTL`, `TYPE`, `EXISTS`).
    pub fn peek(&mut self, key: &[u8]) -> Option<&'a Item> {
        let Some(item) = self.state.keyspace.get(self.db, key, self.now_ms) else {
            self.missed(self.db, key);
            return None;
        };
        self.lookups.0 += 1;
        if item.has_expired(self.wall_ms) {
            self.expires(self.db, key);
        }
        Some(item)
    }

    fn expires(&mut self, db: usize, key: &[u8]) {
        self.saw_expiring = true;
        if !self.state.settings.active_expire {
            self.state.keyspace.met_expired(db, key);
        }
    }

    fn missed(&mut self, db: usize, key: &[u8]) {
        self.lookups.1 += 1;
        self.state.keyspace.missed(db, key);
        self.met_expired(db, key);
    }

    /// Nobody would remove what has expired, and tell of it then.
    fn met_expired(&self, db: usize, key: &[u8]) {
        if !self.state.settings.active_expire || self.state.upstream.is_followed() {
            self.state.tell_expired(db, key);
        }
    }
}

/// For a command that may change something.
#[derive(Debug)]
pub struct WriteContext<'a> {
    /// What is changed.
    pub state: &'a mut State,
    /// The database that the command works in.
    pub db: usize,
    /// The log's clock.
    pub now_ms: u64,
    /// The same on every replica, different for each command.
    pub seed: u64,
    /// For whom a script runs.
    pub caller: Caller<'a>,
}

impl WriteContext<'_> {
    /// The key, for a write.
    pub fn edit<'k>(&mut self, key: &'k [u8]) -> Edit<'_, 'k> {
        self.edit_in(self.db, key)
    }

    /// The key in another database.
    pub fn edit_in<'k>(&mut self, db: usize, key: &'k [u8]) -> Edit<'_, 'k> {
        self.state.keyspace.edit(db, key, self.now_ms)
    }

    /// Whether what ends then has ended. What an upstream says ends when the upstream says so: its
    /// clock may be behind the log's, and it may still change the key.
    pub fn has_passed(&self, deadline_ms: u64) -> bool {
        deadline_ms <= self.now_ms && !self.state.keyspace.keeps_expired()
    }

    /// The key as a client sees it, for a look that may be all there is.
    pub fn get(&self, key: &[u8]) -> Option<&Item> {
        self.get_in(self.db, key)
    }

    /// The key, for what does no more than read it: that it is not there is told, as of a read.
    pub fn read(&self, key: &[u8]) -> Option<&Item> {
        let item = self.get(key);
        if item.is_none() {
            self.state.keyspace.missed(self.db, key);
        }
        item
    }

    /// The key in another database.
    pub fn get_in(&self, db: usize, key: &[u8]) -> Option<&Item> {
        let item = self.state.keyspace.access(db, key, self.now_ms, self.now_ms);
        if item.is_none() {
            self.state.keyspace.propagate_expired(db, key);
        }
        item
    }

    /// Tells whoever listens to keyspace events what was done; `name` as Redis calls it. That a
    /// key was touched, created or has expired is told by [`Edit`] itself.
    pub fn notify(&mut self, class: EventClass, name: &'static str, key: &[u8]) {
        self.state.keyspace.notify(self.db, class, name, key);
    }
}

/// What a function answers: an error is only a way out early.
pub(super) type Outcome = Result<Reply, Reply>;

/// Either way it is a reply.
pub(super) fn reply(outcome: Outcome) -> Reply {
    outcome.unwrap_or_else(|error| error)
}
