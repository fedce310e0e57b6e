//! Replicas stay the same, whatever the log holds: one that has applied every entry, one that
//! is again and again restored from a snapshot taken while entries went on, and one that
//! applies all of them anew. And one that hears only what is propagated to replicas of Redis's
//! protocol holds the same keys.

mod calls;
pub mod follower;

use super::*;
use crate::command::{Audience, Handler, Stage};
use crate::keyspace::{Chooser, Event, EvictionPolicy};
use crate::wire::units::{LoadedKey, Step, Upstream};
use calls::Calls;
use follower::Follower;
use rand::Rng;
use std::collections::BTreeSet;

const SEEDS: u64 = 12;
const ENTRIES: u64 = 500;
const DATABASES_USED: u32 = 3;

/// What each replica answers for itself, with its own table's order or its own clock of uses:
/// only its own client gets the reply.
const ANSWERED_FOR_ITSELF: &[&str] =
    &["cluster|getkeysinslot", "keys", "memory|usage", "object|freq", "object|idletime", "randomkey", "scan"];

/// An entry with one batch.
struct Logged {
    index: u64,
    now_ms: u64,
    origin: u64,
    seq: u64,
    body: Vec<u8>,
    outcome: Outcome,
}

/// What an entry did that can be seen from outside.
#[derive(Debug, PartialEq)]
struct Outcome {
    verdict: Verdict,
    replies: Vec<Reply>,
    seen: Vec<(&'static str, Reply)>,
    events: Vec<Event>,
}

fn carry_out(machine: &mut Machine, entry: &Logged) -> Outcome {
    machine.begin_entry(entry.index, entry.now_ms);
    let verdict = machine.accept(entry.origin, 1, entry.seq);
    let (mut replies, mut seen) = (Vec::new(), Vec::new());
    for unit in Units::new(&entry.body).filter(|_| verdict == Verdict::Apply) {
        let mut of_itself = false;
        let reply = machine.execute_seen(&unit.unwrap(), &mut |row, _, reply| {
            let masked = ANSWERED_FOR_ITSELF.contains(&row.full_name);
            of_itself |= masked;
            seen.push((row.full_name, if masked { Reply::Nil } else { reply.clone() }));
        });
        replies.push(if of_itself { Reply::Nil } else { reply });
    }
    machine.end_entry();
    Outcome { verdict, replies, seen, events: machine.take_events() }
}

/// A new replica that somebody listens to.
fn listened_to(mut machine: Machine) -> Machine {
    machine.set_touches(true);
    machine.set_propagates(true);
    machine.take_events();
    machine
}

fn replay(machine: &mut Machine, log: &[Logged]) {
    for entry in log {
        let again = carry_out(machine, entry);
        assert_eq!(again, entry.outcome, "entry {} again", entry.index);
    }
}

/// A cluster's first entry.
fn begun() -> Machine {
    listened_to(bootstrapped(1))
}

/// Keys of one tag that are neighbours in a partition, where the order of a table can differ.
fn neighbours() -> Vec<String> {
    let mut machine = bootstrapped(1);
    let calls: Vec<String> = (0..4000).map(|i| format!("SET {{a}}{i} v")).collect();
    apply(&mut machine, 2, NOW_MS, &calls.iter().map(String::as_str).collect::<Vec<_>>());
    let mut cursor = 0;
    loop {
        let mut keys = Vec::new();
        let visit = |key: &[u8], _: &_| keys.push(String::from_utf8(key.to_vec()).unwrap());
        cursor = machine.keyspace().scan(0, cursor, 1, visit).cursor;
        if keys.len() >= 3 {
            return keys;
        }
        assert_ne!(cursor, 0, "some partition has three of so many keys");
    }
}

/// Two replicas and what has happened to them.
struct Pair {
    calls: Calls,
    steady: Machine,
    other: Machine,
    follower: Follower,
    log: Vec<Logged>,
    /// Of a snapshot under way: how long the log was at its beginning, and its chunks.
    snapshot: Option<(usize, Vec<Vec<u8>>)>,
    /// What `WATCH` has seen, of late and long ago.
    watched: Vec<(u32, Vec<u8>, u64, u64)>,
    seqs: [u64; 3],
    reached: BTreeSet<&'static str>,
    restored: u64,
}

impl Pair {
    fn new(seed: u64, neighbours: &[String]) -> Self {
        let mut pair = Self {
            calls: Calls::new(seed, neighbours.to_vec()),
            steady: begun(),
            other: begun(),
            follower: Follower::new(),
            log: Vec::new(),
            snapshot: None,
            watched: Vec::new(),
            seqs: [0; 3],
            reached: BTreeSet::new(),
            restored: 0,
        };
        let mut donor = bootstrapped(1);
        apply(&mut donor, 2, NOW_MS, &["SET a text", "SET b 12", "APPEND c grown", "PFADD d 1 2 3"]);
        for key in ["a", "b", "c", "d"] {
            let args: Args<'_> = [&b"DUMP"[..], key.as_bytes()].into_iter().collect();
            let Reply::Bulk(payload) = donor.read(&args, 0, 0, 0).0 else { panic!("DUMP {key}") };
            pair.calls.payloads.push(payload.to_vec());
        }
        pair
    }

    fn database(&mut self) -> u32 {
        self.calls.rng.random_range(0..DATABASES_USED)
    }

    /// What a link tells, mostly in its turn.
    fn put_upstream(&mut self, body: &mut Vec<u8>) {
        let Some(source) = self.steady.upstream().source() else { return };
        let (mut session, mut from) = (source.session, source.offset);
        if self.calls.rng.random_bool(0.1) {
            return units::put_command_unit(body, &[b"REPLICAOF", b"no", b"one"], 0);
        }
        if self.calls.rng.random_bool(0.1) {
            (session, from) = (session - 1, from + 1);
        }
        let step = match (source.stage, self.calls.rng.random_range(0..10)) {
            (_, 0) => Step::DOWN,
            (_, 1) => Step::TAKE,
            (_, 2) => Step::CONTINUE,
            (Stage::Loading, 3..8) => Step::KEYS,
            (Stage::Loading, _) => Step::LOADED,
            (Stage::Following, 3..) => Step::COMMANDS,
            _ => Step::LOAD,
        };
        if source.stage == Stage::Loading {
            from = source.loaded;
        }
        let (call, name) = (self.calls.any(), self.calls.one_of(&["s0", "s1", "n0"]));
        let commands =
            vec![units::Command { args: call.iter().map(Vec::as_slice).collect(), db: 1, caller: None }];
        let deadline_ms = self.calls.now_ms;
        let keys = vec![LoadedKey { key: &name, value: b"\x00\x01v", deadline_ms, db: 2, continues: false }];
        let to = from + 7;
        let unit = Upstream { step, session, text: "text", from, to, db: 1, commands, keys };
        units::put_upstream_unit(body, &unit);
    }

    fn put_unit(&mut self, body: &mut Vec<u8>) {
        if self.steady.upstream().is_followed() && self.calls.rng.random_bool(0.5) {
            return self.put_upstream(body);
        }
        match self.calls.rng.random_range(0..100) {
            0..3 => self.put_settings(body),
            3 => {
                let node = self.calls.rng.random_range(1..4);
                let register = Register { node, incarnation: &[9; 16], client_addr: "c", peer_addr: "p" };
                units::put_register_unit(body, &register);
            }
            5..8 => self.put_evict(body),
            4 => units::put_command_unit(body, &[b"DEBUG", b"POPULATE", b"5", b"w_", b"9"], 1),
            8..20 => self.put_transaction(body),
            _ => {
                let (call, db) = (self.calls.any(), self.database());
                let user = self.calls.one_of(&["u0", "u1", "nobody"]);
                let caller = self.calls.rng.random_bool(0.5).then(|| units::Caller {
                    user: self.calls.rng.random_bool(0.7).then_some(&user[..]),
                    lacks_memory: self.calls.rng.random_bool(0.5),
                });
                let args = call.iter().map(Vec::as_slice).collect();
                units::put_caller_unit(body, &units::Command { args, db, caller });
            }
        }
    }

    fn put_settings(&mut self, body: &mut Vec<u8>) {
        let hash = "5".repeat(64);
        let (name, values) = match self.calls.rng.random_range(0..7) {
            5 => ("hash-max-listpack-entries", ["2", "3", "512", "x"]),
            6 => ("zset-max-listpack-entries", ["1", "2", "128", "x"]),
            0 => ("notify-keyspace-events", ["AKE", "", "KEg$xmn", "?"]),
            1 => ("acl-pubsub-default", ["allchannels", "resetchannels", "allchannels", "x"]),
            2 => ("maxmemory-policy", ["allkeys-lru", "volatile-lfu", "noeviction", "x"]),
            3 => ("active-expire", ["yes", "yes", "no", "x"]),
            _ => ("requirepass", ["", &*hash, &*hash, "x"]),
        };
        let value = self.calls.one_of(&values);
        units::put_settings_unit(body, &[(name, &value)]);
    }

    /// What one replica has chosen, of which some was changed since or was never there.
    fn put_evict(&mut self, body: &mut Vec<u8>) {
        let mut chooser = Chooser::new(self.calls.rng.random());
        let policy = [EvictionPolicy::AllkeysLru, EvictionPolicy::VolatileLfu, EvictionPolicy::AllkeysRandom];
        chooser.begin(policy[self.calls.rng.random_range(0..3)]);
        let chosen = std::iter::from_fn(|| chooser.next(self.other.keyspace(), 3, self.calls.now_ms));
        let victims: Vec<_> = chosen.take(self.calls.rng.random_range(0..3)).collect();
        let stale = u64::from(self.calls.rng.random_bool(0.2));
        let victims = victims.iter().map(|victim| units::Victim {
            key: &victim.key,
            revision: victim.revision - stale,
            db: victim.db,
        });
        units::put_evict_unit(body, victims);
    }

    fn put_transaction(&mut self, body: &mut Vec<u8>) {
        let count = self.calls.rng.random_range(0..5);
        let calls: Vec<_> = (0..count).map(|_| (self.calls.any(), self.database())).collect();
        let commands = calls.iter().map(|(call, db)| units::Command {
            args: call.iter().map(Vec::as_slice).collect(),
            db: *db,
            caller: None,
        });
        let mut watches = Vec::new();
        for _ in 0..self.calls.rng.random_range(0..3).min(self.watched.len()) {
            let at = self.calls.rng.random_range(0..self.watched.len());
            let (db, key, revision, seen_at) = &self.watched[at];
            watches.push(Watch { key, revision: *revision, seen_at: *seen_at, db: *db });
        }
        units::put_transaction_unit(body, &watches, &commands.collect::<Vec<_>>());
    }

    fn watch(&mut self) {
        let (db, row) = (self.database(), calls::rows().next().expect("there are rows"));
        let key = self.calls.key(row);
        let (Reply::Array(seen), _) = self.steady.watch(db, &[&key], self.calls.now_ms) else { panic!() };
        let [Reply::Int(revision), Reply::Int(seen_at)] = seen[..] else { panic!("{seen:?}") };
        if self.watched.len() == 8 {
            let at = self.calls.rng.random_range(0..8);
            self.watched.swap_remove(at);
        }
        self.watched.push((db, key, revision as u64, seen_at as u64));
    }

    /// One more entry for both; sometimes a batch comes again, or too early.
    fn entry(&mut self) {
        self.calls.now_ms += match self.calls.rng.random_range(0..200) {
            0 => limits::SESSION_IDLE_MS,
            1..20 => self.calls.rng.random_range(500..3000),
            _ => self.calls.rng.random_range(0..30),
        };
        let origin = self.calls.rng.random_range(0..3);
        let seq = self.seqs[origin] + [1, 1, 1, 1, 1, 1, 1, 1, 0, 2][self.calls.rng.random_range(0..10)];
        let mut body = Vec::new();
        for _ in 0..self.calls.rng.random_range(0..6) {
            self.put_unit(&mut body);
        }
        let (index, now_ms) = (self.log.len() as u64 + 2, self.calls.now_ms);
        let outcome =
            Outcome { verdict: Verdict::Gap, replies: Vec::new(), seen: Vec::new(), events: Vec::new() };
        let mut entry = Logged { index, now_ms, origin: origin as u64 + 1, seq, body, outcome };
        entry.outcome = carry_out(&mut self.steady, &entry);
        if entry.outcome.verdict == Verdict::Apply {
            self.seqs[origin] = seq;
        }
        assert_eq!(carry_out(&mut self.other, &entry), entry.outcome, "entry {index}");
        let answered = entry.outcome.seen.iter().filter(|(_, reply)| !reply.is_error());
        self.reached.extend(answered.map(|(name, _)| *name));
        self.follower.hear(&entry.outcome.events);
        self.log.push(entry);
    }

    fn check_follower(&self) {
        let when = format!("after entry {}", self.log.len() + 1);
        self.follower.check(&self.steady, self.steady.clock_ms(), &when);
    }

    /// Takes a snapshot of the other replica a little further, or begins one; when it is
    /// complete, what is restored from it and catches up takes the replica's place.
    fn snapshot(&mut self) {
        let Some((begin, mut chunks)) = self.snapshot.take() else {
            if self.calls.rng.random_bool(0.05) {
                self.snapshot = Some((self.log.len(), vec![self.other.snapshot_begin()]));
            }
            return;
        };
        match self.other.snapshot_next(self.calls.rng.random_range(1..300)) {
            Some(chunk) => {
                chunks.push(chunk);
                self.snapshot = Some((begin, chunks));
            }
            None => {
                let restored = restore(&chunks, begin as u64 + 1).expect("a snapshot can be restored");
                self.other = listened_to(restored);
                replay(&mut self.other, &self.log[begin..]);
                assert_eq!(self.other.state_hash(), self.steady.state_hash(), "restored from {begin}");
                self.restored += 1;
            }
        }
    }

    /// Reads are answered alike, and leave no trace.
    fn reads(&mut self) {
        let hash = self.steady.state_hash();
        assert_eq!(self.other.state_hash(), hash, "after entry {}", self.log.len() + 1);
        for seed in 0..40 {
            let (call, db) = (self.calls.read(), self.database());
            let args: Args<'_> = call.iter().map(Vec::as_slice).collect();
            let wall_ms = self.calls.now_ms + self.calls.rng.random_range(0..2000);
            let mut name = "";
            let mut see =
                |row: &'static crate::command::Command, _: &Args<'_>, _: &Reply| name = row.full_name;
            let answer = self.steady.read_seen(&args, db, wall_ms, seed, true, &mut see);
            if !answer.0.is_error() {
                self.reached.insert(name);
            }
            if self.calls.rng.random_bool(0.5) && !ANSWERED_FOR_ITSELF.contains(&name) {
                assert_eq!(self.other.read(&args, db, wall_ms, seed), answer, "{}", show(&args));
            }
        }
        assert_eq!(self.steady.state_hash(), hash, "reads have changed the state");
        self.follower.hear(&self.steady.take_events());
        self.other.take_events();
        self.check_follower();
    }
}

fn show(args: &Args<'_>) -> String {
    args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn replicas_stay_the_same_whatever_the_log_holds() {
    let neighbours = neighbours();
    let always_fails = ["function|kill", "script|kill"];
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut restored = 0;
    let mut told = (0, 0);
    for seed in 0..SEEDS {
        println!("seed {seed}");
        let mut pair = Pair::new(seed, &neighbours);
        pair.calls.now_ms = NOW_MS;
        if seed >= SEEDS / 2 {
            let is_wanted = |name| !always_fails.contains(&name) && !reached.contains(name);
            pair.calls.wanted = calls::rows().filter(|row| is_wanted(row.full_name)).collect();
        }
        for step in 1..=ENTRIES {
            if pair.calls.rng.random_bool(0.3) {
                pair.watch();
            }
            pair.entry();
            pair.snapshot();
            if step % 40 == 0 {
                pair.reads();
            }
        }
        // Another node's clients have called: nobody hears of scripts.
        let mut anew = begun();
        anew.set_audience(Audience::Nobody);
        for entry in &pair.log {
            assert_eq!(
                carry_out(&mut anew, entry).verdict,
                entry.outcome.verdict,
                "entry {} anew",
                entry.index
            );
        }
        assert_eq!(anew.state_hash(), pair.steady.state_hash(), "all entries anew");
        reached.extend(pair.reached);
        restored += pair.restored;
        told = (told.0 + pair.follower.told, told.1 + pair.follower.told_together);
    }
    assert!(restored >= SEEDS, "only {restored} snapshots were restored");
    assert!(told.0 > 1000 && told.1 > 100, "{told:?} commands were told to the replica");
    for row in calls::rows().filter(|row| !always_fails.contains(&row.full_name)) {
        let what = if matches!(row.handler, Handler::Write(_)) { "write" } else { "read" };
        let name = row.full_name;
        assert!(reached.contains(name), "no {what} of '{name}' was answered: draw its arguments in calls.rs");
    }
}
