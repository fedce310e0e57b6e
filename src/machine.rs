//! One replica's state machine: what a log entry does, what a read sees, what a snapshot
//! holds. It must never ask a clock or a random source, and never fail on what the log
//! says: every replica comes to the same state and the same replies.

mod evictions;
mod members;
mod migrate;
mod onlookers;
mod parts;
mod rdb;
mod reads;
mod snapshot;
#[cfg(test)]
mod tests;
mod upstream;

use crate::command::{
    self, Acl, ConnectionCommand, Handler, Refusals, Reply, Sessions, Settings, State, Upstream, WriteContext,
};
use crate::keyspace::Keyspace;
use crate::limits;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::units::{Args, Command, Transaction, Unit};
use bytes::Bytes;
use raft::eraftpb::ConfState;
use std::cell::Cell;
use std::collections::BTreeMap;

pub use members::{Member, Members, Wanted};
pub use parts::Joined;
pub use rdb::RdbWriter;
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
    parts: parts::Parts,
    members: Members,
    expired_total: u64,
    evicted_total: u64,
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
            parts: parts::Parts::default(),
            members: Members::default(),
            expired_total: 0,
            evicted_total: 0,
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
                if boot != last.boot {
                    self.parts.forget(origin); // whoever would have sent the rest has ended
                }
                self.origins.insert(origin, Origin { boot, seq });
                Verdict::Apply
            }
        }
    }

    /// The units that follow lie in this buffer, if it is long: see [`Keyspace::lend`].
    pub fn lend(&mut self, buffer: Option<Bytes>) {
        self.state.keyspace.lend(buffer);
    }

    /// Carries out one unit of an accepted batch.
    pub fn execute(&mut self, unit: &Unit<'_>) -> Reply {
        self.execute_seen(unit, &mut |_, _, _| {})
    }

    /// The same, with somebody who looks on.
    pub fn execute_seen(&mut self, unit: &Unit<'_>, seen: &mut Seen<'_>) -> Reply {
        let reply = match unit {
            Unit::Command(command) => match self.refuses(command) {
                Some(error) => error,
                None => self.run(command, seen),
            },
            Unit::Transaction(transaction) => self.run_transaction(transaction, seen),
            Unit::Register(register) => self.members.register(register),
            Unit::Membership(wish) => self.members.change(wish),
            Unit::Settings(settings) => self.change_settings(settings),
            Unit::Evict(victims) => self.evict(victims),
            Unit::Upstream(unit) => self.follow(unit),
            Unit::Part(_) => Reply::error("ERR a part of a command"), // of the other units of a body
            Unit::Bootstrap { cluster_id, hash_key, voters, password } => {
                self.bootstrap(cluster_id, hash_key, voters, password)
            }
        };
        self.state.keyspace.end_unit();
        reply
    }

    /// Ends an entry: removes keys and sessions whose time has come, a bounded number of each.
    pub fn end_entry(&mut self) {
        self.state.sessions.end_idle(self.clock_ms, limits::SESSIONS_ENDED_PER_ENTRY);
        if self.removes_due() {
            let removed = self.state.keyspace.expire_due(self.clock_ms, limits::EXPIRE_PER_ENTRY);
            self.expired_total += removed as u64;
        }
    }

    /// Any key may be another than it was: the state itself was replaced.
    pub fn touch_all(&mut self) {
        self.state.keyspace.touch_all();
        self.state.keyspace.tell_users_replaced();
        self.state.tell_refusals();
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
        self.release(limits::RELEASE_PER_TICK);
    }

    /// The same, of so many tables. Whether there is more.
    pub fn release(&mut self, tables: usize) -> bool {
        self.state.keyspace.release(tables)
    }

    fn run(&mut self, command: &Command<'_>, seen: &mut Seen<'_>) -> Reply {
        match command::resolve(&command.args) {
            Err(error) => error,
            Ok(resolved) => match &resolved.handler {
                Handler::Write(write) => {
                    self.commands_run += 1;
                    let (now_ms, seed) = (self.clock_ms, mix(self.index, self.commands_run));
                    let (state, db) = (&mut self.state, command.db as usize);
                    let caller = command.caller.unwrap_or_default();
                    state.keyspace.begin_command();
                    let reply = write(&mut WriteContext { state, db, now_ms, seed, caller }, &command.args);
                    self.state.keyspace.end_command(db, &command.args[resolved.wraps..]);
                    seen(resolved, &command.args, &reply);
                    reply
                }
                Handler::Read(_) => {
                    let how = (command.db, self.clock_ms, self.index, true);
                    self.read_as(resolved, &command.args, how, command.caller, seen).0
                }
                Handler::Connection(ConnectionCommand::Debug) => {
                    let (now_ms, seed) = (self.clock_ms, self.index);
                    let (state, db) = (&mut self.state, command.db as usize);
                    let caller = Default::default();
                    command::debug_populate(
                        &mut WriteContext { state, db, now_ms, seed, caller },
                        &command.args,
                    )
                }
                Handler::Connection(ConnectionCommand::Migrate) => self.remove_migrated(command),
                Handler::Connection(_) => Reply::error("ERR not a command of the keyspace"),
            },
        }
    }

    fn run_transaction(&mut self, transaction: &Transaction<'_>, seen: &mut Seen<'_>) -> Reply {
        if let Some(error) = self.refuses_exec(transaction.commands.iter().map(|it| it.args.clone())) {
            return error;
        }
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
        self.parts.retain(|node| !members.removed().contains(&node));
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
        self.state.keyspace.next_deadline().filter(|_| self.removes_due())
    }

    /// What is configured for the whole cluster.
    pub fn settings(&self) -> &Settings {
        &self.state.settings
    }

    /// The keys.
    pub fn keyspace(&self) -> &Keyspace {
        &self.state.keyspace
    }

    /// Which Redis is followed.
    pub fn upstream(&self) -> &Upstream {
        &self.state.upstream
    }

    /// What clients may not do now.
    pub fn refusals(&self) -> Refusals {
        self.state.refusals()
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

    /// Equal on all replicas at equal applied indexes.
    pub fn state_hash(&self) -> u64 {
        let mut text = format!("{:?} {} {:?}", self.cluster_id, self.clock_ms, self.hash_key).into_bytes();
        for (node, origin) in &self.origins {
            text.extend_from_slice(format!("{node} {origin:?}").as_bytes());
        }
        self.parts.put_hashed(&mut text);
        text.extend_from_slice(format!("{:?}", self.members).as_bytes());
        text.extend_from_slice(format!("{:?}", self.state.settings).as_bytes());
        text.extend_from_slice(format!("{:?}", self.state.upstream).as_bytes());
        text.extend_from_slice(&self.state.acl.state_hash().to_le_bytes());
        text.extend_from_slice(&self.state.sessions.state_hash().to_le_bytes());
        text.extend_from_slice(&self.state.scripts.state_hash().to_le_bytes());
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
