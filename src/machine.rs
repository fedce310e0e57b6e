//! One replica's state machine: what a log entry does, what a read sees, what a snapshot
//! holds. It must never ask a clock or a random source, and never fail on what the log
//! says: every replica comes to the same state and the same replies.

mod members;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::command::{self, Handler, ReadContext, Reply, Sessions, WriteContext};
use crate::keyspace::Keyspace;
use crate::limits;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::units::{Args, Command, Transaction, Unit, Watch};
use raft::eraftpb::ConfState;
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

/// The state of one replica.
pub struct Machine {
    keyspace: Keyspace,
    /// Of clients that use `ONCE`.
    sessions: Sessions,
    /// Unix time of the last entry; all time in the state machine.
    clock_ms: u64,
    /// The entry being applied, or the last one: the seed of what looks random.
    index: u64,
    cluster_id: Option<[u8; 16]>,
    hash_key: [u8; 16],
    origins: BTreeMap<NodeId, Origin>,
    members: Members,
    expired_total: u64,
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
            keyspace: Keyspace::new([0; 16]),
            sessions: Sessions::default(),
            clock_ms: 0,
            index: 0,
            cluster_id: None,
            hash_key: [0; 16],
            origins: BTreeMap::new(),
            members: Members::default(),
            expired_total: 0,
            walking: false,
            pending_end: None,
        }
    }

    /// Starts on an entry: time moves to its stamp, never back.
    pub fn begin_entry(&mut self, index: u64, now_ms: u64) {
        self.index = index;
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
        match unit {
            Unit::Command(command) => self.run(command),
            Unit::Transaction(transaction) => self.run_transaction(transaction),
            Unit::Register(register) => self.members.register(register),
            Unit::Membership(wish) => self.members.change(wish),
            Unit::Bootstrap { cluster_id, hash_key, voters } => self.bootstrap(cluster_id, hash_key, voters),
        }
    }

    /// Ends an entry: removes keys and sessions whose time has come, a bounded number of each.
    pub fn end_entry(&mut self) {
        self.sessions.end_idle(self.clock_ms, limits::SESSIONS_ENDED_PER_ENTRY);
        self.expired_total += self.keyspace.expire_due(self.clock_ms, limits::EXPIRE_PER_ENTRY) as u64;
    }

    /// Frees some of the memory that a flush has put aside; not part of the state.
    pub fn release_some(&mut self) {
        self.keyspace.release(limits::RELEASE_PER_TICK);
    }

    /// Answers a command that changes nothing. `wall_ms` is the node's own clock: the second
    /// part of the answer is whether a key was met whose deadline lies between the two clocks,
    /// so that the log's clock has to move before this answer may be given.
    pub fn read(&self, args: &Args<'_>, wall_ms: u64) -> (Reply, bool) {
        let command = match command::resolve(args) {
            Ok(command) => command,
            Err(error) => return (error, false),
        };
        let Handler::Read(read) = &command.handler else {
            return (Reply::error("ERR not a command that reads"), false);
        };
        let mut context = ReadContext::new(&self.keyspace, &self.sessions, self.clock_ms, wall_ms);
        let reply = read(&mut context, args);
        (reply, context.saw_expiring)
    }

    /// What `WATCH` keeps of each key: its revision (0: not there) and the group's, flat.
    pub fn watch(&self, keys: &[&[u8]]) -> Reply {
        let mut pairs = Vec::with_capacity(2 * keys.len());
        for key in keys {
            let (revision, seen_at) = self.keyspace.watch(key, self.clock_ms);
            pairs.push(Reply::Int(revision as i64));
            pairs.push(Reply::Int(seen_at as i64));
        }
        Reply::Array(pairs)
    }

    /// Whether nothing that was watched has changed.
    pub fn watches_hold(&self, watches: &[Watch<'_>]) -> bool {
        watches.iter().all(|watch| self.keyspace.watch_holds(watch, self.clock_ms))
    }

    fn run(&mut self, command: &Command<'_>) -> Reply {
        match command::resolve(&command.args) {
            Err(error) => error,
            Ok(resolved) => match &resolved.handler {
                Handler::Write(write) => {
                    let (keyspace, sessions) = (&mut self.keyspace, &mut self.sessions);
                    let (now_ms, seed) = (self.clock_ms, self.index);
                    write(&mut WriteContext { keyspace, sessions, now_ms, seed }, &command.args)
                }
                Handler::Read(_) => self.read(&command.args, self.clock_ms).0,
                Handler::Connection(_) => Reply::error("ERR not a command of the keyspace"),
            },
        }
    }

    fn run_transaction(&mut self, transaction: &Transaction<'_>) -> Reply {
        if !self.watches_hold(&transaction.watches) {
            return Reply::NilArray;
        }
        Reply::Array(transaction.commands.iter().map(|command| self.run(command)).collect())
    }

    /// Raft's configuration has changed.
    pub fn configured(&mut self, conf_state: &ConfState) {
        self.members.configured(conf_state);
        let (origins, members) = (&mut self.origins, &self.members);
        origins.retain(|node, _| !members.removed().contains(node));
    }

    fn bootstrap(&mut self, cluster_id: &[u8], hash_key: &[u8], voters: &[NodeId]) -> Reply {
        let (Ok(cluster_id), Ok(hash_key)) = (cluster_id.try_into(), hash_key.try_into()) else {
            return Reply::error("ERR malformed bootstrap");
        };
        if self.cluster_id.is_none() {
            self.cluster_id = Some(cluster_id);
            self.hash_key = hash_key;
            // It is the first entry of every log, so there is no key to hash again.
            self.keyspace = Keyspace::new(hash_key);
            self.members.bootstrap(voters);
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

    /// The earliest deadline of any key.
    pub fn next_deadline(&self) -> Option<u64> {
        self.keyspace.next_deadline()
    }

    /// The keys.
    pub fn keyspace(&self) -> &Keyspace {
        &self.keyspace
    }

    /// The sessions of clients that use `ONCE`.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
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
        text.extend_from_slice(format!("{:?}", self.members).as_bytes());
        text.extend_from_slice(&self.sessions.state_hash().to_le_bytes());
        let around = u64::from(crc32c::crc32c(&text));
        self.keyspace.state_hash() ^ around.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
