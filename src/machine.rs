//! One replica's state machine: what a log entry does, what a read sees, what a snapshot
//! holds. It must never ask a clock or a random source, and never fail on what the log
//! says: every replica comes to the same state and the same replies.

mod members;
mod migrate;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::command::{
    self, Acl, ConnectionCommand, Handler, ReadContext, Reply, Sessions, Settings, State, WriteContext,
};
use crate::keyspace::{Blob, Event, Keyspace};
use crate::limits;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::units::{Args, Command, Transaction, Unit, Watch};
use raft::eraftpb::ConfState;
use std::cell::Cell;
use std::collections::BTreeMap;

pub use members::{Member, Members, Wanted};
pub use snapshot::{Restorer, SnapshotError};

/// What becomes of a batch, by its number in its origin's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one: apply it.
    Apply,
    /// It was applied before.
    Duplicate,
    /// One before it is missing: it is refused, and its origin sends it again.
    Gap,
    /// It is of an earlier life of its origin.
    Stale,
}

/// How far an origin's stream has been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Origin {
    boot: u64,
    seq: u64,
}

/// Whoever looks on hears of each command that was carried out, and its reply.
pub type Seen<'a> = dyn FnMut(&'static command::Command, &Args<'_>, &Reply) + 'a;

/// The state of one replica.
pub struct Machine {
    state: State,
    /// Unix time of the last entry; all time in the state machine.
    clock_ms: u64,
    /// The entry being applied, or the last one: the seed of what looks random.
    index: u64,
    /// How many commands of that entry have run.
    commands_run: u64,
    cluster_id: Option<[u8; 16]>,
    hash_key: [u8; 16],
    origins: BTreeMap<NodeId, Origin>,
    members: Members,
    expired_total: u64,
    /// Of reads: see [`ReadContext::lookups`].
    lookups: Cell<(u64, u64)>,
    /// A snapshot is being walked; its last chunk, made at its beginning.
    walking: bool,
    pending_end: Option<Vec<u8>>,
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

impl Machine {
    /// A replica that has seen nothing yet.
    pub fn new() -> Self {
        Self {
            state: State::new([0; 16]),
            clock_ms: 0,
            index: 0,
            commands_run: 0,
            cluster_id: None,
            hash_key: [0; 16],
            origins: BTreeMap::new(),
            members: Members::default(),
            expired_total: 0,
            lookups: Cell::default(),
            walking: false,
            pending_end: None,
        }
    }

    /// Starts on an entry: time moves to its stamp, never back.
    pub fn begin_entry(&mut self, index: u64, now_ms: u64) {
        self.index = index;
        self.commands_run = 0;
        self.clock_ms = self.clock_ms.max(now_ms);
    }

    /// Decides on a batch, and takes note of it when it is to be applied.
    /// `seq` 0 is the leader's own housekeeping, which is harmless to repeat.
    pub fn accept(&mut self, origin: NodeId, boot: u64, seq: u64) -> Verdict {
        if seq == 0 {
            return Verdict::Apply;
        }
        if self.members.removed().contains(&origin) {
            return Verdict::Stale; // how far its stream had come is forgotten
        }
        let last = self.origins.get(&origin).copied().unwrap_or_default();
        let expected = match boot.cmp(&last.boot) {
            std::cmp::Ordering::Less => return Verdict::Stale,
            std::cmp::Ordering::Equal => last.seq + 1,
            std::cmp::Ordering::Greater => 1,
        };
        match seq.cmp(&expected) {
            std::cmp::Ordering::Less if mutant::is(Mutant::DedupOff) => Verdict::Apply,
            std::cmp::Ordering::Less => Verdict::Duplicate,
            std::cmp::Ordering::Greater => Verdict::Gap,
            std::cmp::Ordering::Equal => {
                self.origins.insert(origin, Origin { boot, seq });
                Verdict::Apply
            }
        }
    }

    /// Carries out one unit of an accepted batch.
    pub fn execute(&mut self, unit: &Unit<'_>) -> Reply {
        self.execute_seen(unit, &mut |_, _, _| {})
    }

    /// The same, with somebody who looks on.
    pub fn execute_seen(&mut self, unit: &Unit<'_>, seen: &mut Seen<'_>) -> Reply {
        match unit {
            Unit::Command(command) => self.run(command, seen),
            Unit::Transaction(transaction) => self.run_transaction(transaction, seen),
            Unit::Register(register) => self.members.register(register),
            Unit::Membership(wish) => self.members.change(wish),
            Unit::Settings(settings) => self.change_settings(settings),
            Unit::Bootstrap { cluster_id, hash_key, voters, password } => {
                self.bootstrap(cluster_id, hash_key, voters, password)
            }
        }
    }

    /// Ends an entry: removes keys and sessions whose time has come, a bounded number of each.
    pub fn end_entry(&mut self) {
        self.state.sessions.end_idle(self.clock_ms, limits::SESSIONS_ENDED_PER_ENTRY);
        if self.state.settings.active_expire {
            let removed = self.state.keyspace.expire_due(self.clock_ms, limits::EXPIRE_PER_ENTRY);
            self.expired_total += removed as u64;
        }
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

    /// Any key may be another than it was: the state itself was replaced.
    pub fn touch_all(&mut self) {
        self.state.keyspace.touch_all();
        self.state.keyspace.tell_users_replaced();
    }

    /// All of them, or none.
    fn change_settings(&mut self, settings: &[(&str, &[u8])]) -> Reply {
        let mut trial = self.state.settings.clone();
        for (name, value) in settings {
            if let Err(error) = trial.set(name, value) {
                return error;
            }
        }
        for (name, value) in settings {
            if let Err(error) = self.state.set(name, value) {
                return error;
            }
        }
        Reply::Ok
    }

    /// Frees some of the memory that a flush has put aside; not part of the state.
    pub fn release_some(&mut self) {
        self.state.keyspace.release(limits::RELEASE_PER_TICK);
    }

    /// Answers a command that changes nothing. `wall_ms` is the node's own clock: the second
    /// part of the answer is whether a key was met whose deadline lies between the two clocks,
    /// so that the log's clock has to move before this answer may be given. `seed` is for
    /// what is to look random.
    pub fn read(&self, args: &Args<'_>, db: u32, wall_ms: u64, seed: u64) -> (Reply, bool) {
        self.read_seen(args, db, wall_ms, seed, true, &mut |_, _, _| {})
    }

    /// The same, with somebody who looks on; `touches`: keys that are read count as used.
    pub fn read_seen(
        &self,
        args: &Args<'_>,
        db: u32,
        wall_ms: u64,
        seed: u64,
        touches: bool,
        seen: &mut Seen<'_>,
    ) -> (Reply, bool) {
        let command = match command::resolve(args) {
            Ok(command) => command,
            Err(error) => return (error, false),
        };
        let Handler::Read(read) = &command.handler else {
            return (Reply::error("ERR not a command that reads"), false);
        };
        let mut context = ReadContext::new(&self.state, db as usize, self.clock_ms, wall_ms, seed);
        context.touches = touches;
        let reply = read(&mut context, args);
        let (hits, misses) = self.lookups.get();
        self.lookups.set((hits + context.lookups.0, misses + context.lookups.1));
        seen(command, args, &reply);
        (reply, context.saw_expiring)
    }

    /// What `WATCH` keeps of each key: its revision (0: not there) and the group's, flat. For
    /// `wall_ms` and the second part of the answer see [`Machine::read`].
    pub fn watch(&self, db: u32, keys: &[&[u8]], wall_ms: u64) -> (Reply, bool) {
        let mut pairs = Vec::with_capacity(2 * keys.len());
        let mut saw_expiring = false;
        for key in keys {
            let item = self.state.keyspace.get(db as usize, key, self.clock_ms);
            saw_expiring |= item.is_some_and(|item| item.has_expired(wall_ms));
            let (revision, seen_at) = self.state.keyspace.watch(db as usize, key, self.clock_ms);
            pairs.push(Reply::Int(revision as i64));
            pairs.push(Reply::Int(seen_at as i64));
        }
        (Reply::Array(pairs), saw_expiring)
    }

    /// Whether nothing that was watched has changed.
    pub fn watches_hold(&self, watches: &[Watch<'_>]) -> bool {
        watches.iter().all(|watch| self.state.keyspace.watch_holds(watch, self.clock_ms))
    }

    fn run(&mut self, command: &Command<'_>, seen: &mut Seen<'_>) -> Reply {
        match command::resolve(&command.args) {
            Err(error) => error,
            Ok(resolved) => match &resolved.handler {
                Handler::Write(write) => {
                    self.commands_run += 1;
                    let (now_ms, seed) = (self.clock_ms, mix(self.index, self.commands_run));
                    let (state, db) = (&mut self.state, command.db as usize);
                    let reply = write(&mut WriteContext { state, db, now_ms, seed }, &command.args);
                    seen(resolved, &command.args, &reply);
                    reply
                }
                Handler::Read(_) => {
                    self.read_seen(&command.args, command.db, self.clock_ms, self.index, true, seen).0
                }
                Handler::Connection(ConnectionCommand::Debug) => {
                    let (now_ms, seed) = (self.clock_ms, self.index);
                    let (state, db) = (&mut self.state, command.db as usize);
                    command::debug_populate(&mut WriteContext { state, db, now_ms, seed }, &command.args)
                }
                Handler::Connection(ConnectionCommand::Migrate) => self.remove_migrated(command),
                Handler::Connection(_) => Reply::error("ERR not a command of the keyspace"),
            },
        }
    }

    fn run_transaction(&mut self, transaction: &Transaction<'_>, seen: &mut Seen<'_>) -> Reply {
        if !self.watches_hold(&transaction.watches) {
            return Reply::NilArray;
        }
        Reply::Array(transaction.commands.iter().map(|command| self.run(command, seen)).collect())
    }

    /// Raft's configuration has changed.
    pub fn configured(&mut self, conf_state: &ConfState) {
        self.members.configured(conf_state);
        let (origins, members) = (&mut self.origins, &self.members);
        origins.retain(|node, _| !members.removed().contains(node));
    }

    fn bootstrap(&mut self, cluster_id: &[u8], hash_key: &[u8], voters: &[NodeId], password: &str) -> Reply {
        let (Ok(cluster_id), Ok(hash_key)) = (cluster_id.try_into(), hash_key.try_into()) else {
            return Reply::error("ERR malformed bootstrap");
        };
        if self.cluster_id.is_none() {
            self.cluster_id = Some(cluster_id);
            self.hash_key = hash_key;
            // It is the first entry of every log, so there is no key to hash again.
            self.state.keyspace.set_hash_key(hash_key);
            self.members.bootstrap(voters);
            if !password.is_empty() {
                self.state.acl.set_default_password(Some(password));
            }
            self.state.keyspace.tell_users_replaced();
        }
        Reply::Ok
    }

    /// The log's clock, Unix time.
    pub fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    /// Names the cluster; none before its first entry is applied.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.cluster_id
    }

    /// Who belongs to the cluster.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// The last number applied of this life of an origin.
    pub fn applied_seq(&self, origin: NodeId, boot: u64) -> u64 {
        self.origins.get(&origin).filter(|known| known.boot == boot).map_or(0, |known| known.seq)
    }

    /// The life of an origin that was last heard of.
    pub fn origin_boot(&self, origin: NodeId) -> u64 {
        self.origins.get(&origin).map_or(0, |known| known.boot)
    }

    /// The earliest deadline of any key that an entry would remove.
    pub fn next_deadline(&self) -> Option<u64> {
        self.state.keyspace.next_deadline().filter(|_| self.state.settings.active_expire)
    }

    /// What is configured for the whole cluster.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// The keys.
    pub fn keyspace(&self) -> &Keyspace {
        &self.state.keyspace
    }

    /// The users, and what they may do.
    pub fn acl(&self) -> &Acl {
        &self.state.acl
    }

    /// The sessions of clients that use `ONCE`.
    pub fn sessions(&self) -> &Sessions {
        &self.state.sessions
    }

    /// Keys that deadlines have removed, not counting those met on access.
    pub fn expired_total(&self) -> u64 {
        self.expired_total
    }

    /// How many keys reads have found, and how many they have not; not part of the state.
    pub fn lookups(&self) -> (u64, u64) {
        self.lookups.get()
    }

    /// Equal on all replicas at equal applied indexes.
    pub fn state_hash(&self) -> u64 {
        let mut text = format!("{:?} {} {:?}", self.cluster_id, self.clock_ms, self.hash_key).into_bytes();
        for (node, origin) in &self.origins {
            text.extend_from_slice(format!("{node} {origin:?}").as_bytes());
        }
        text.extend_from_slice(format!("{:?}", self.members).as_bytes());
        text.extend_from_slice(format!("{:?}", self.state.settings).as_bytes());
        text.extend_from_slice(&self.state.acl.state_hash().to_le_bytes());
        text.extend_from_slice(&self.state.sessions.state_hash().to_le_bytes());
        let around = u64::from(crc32c::crc32c(&text));
        self.state.keyspace.state_hash() ^ around.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A number that looks random and is the same on every replica, of an entry and a command in it
/// (the finalizer of SplitMix64).
fn mix(index: u64, command: u64) -> u64 {
    let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(command);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
