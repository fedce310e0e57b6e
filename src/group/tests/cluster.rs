//! The cluster of the golden scripts: every message, write and tick happens when a script
//! says so. Only `run` and `deliver` do what a quiet machine would.

mod jobs;
mod membership;
mod reads;
mod show;
mod snapshots;

use super::restored;
use crate::group::{
    Consistency, Effects, Event, Group, GroupConfig, Input, LogPoint, Now, Persist, Recovered, SnapshotPoint,
    log_after,
};
use crate::machine::Machine;
use crate::wire::entry::Batch;
use crate::wire::frame::PeerMessage;
use crate::wire::units::{self, Args};
pub use membership::Strike;
use raft::eraftpb::{ConfState, Entry, HardState, Message};
use show::{show, show_answers};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

#[derive(Default)]
struct Durable {
    settled: bool,
    boot: u64,
    incarnation: [u8; 16],
    hard_state: HardState,
    base: LogPoint,
    entries: Vec<Entry>,
    snapshot: Option<(SnapshotPoint, Vec<Vec<u8>>)>,
}

#[derive(Default)]
struct Node {
    group: Option<Group>,
    disk: Durable,
    persists: VecDeque<Persist>,
    disk_is_off: bool,
    is_paused: bool,
    inbox: Vec<Input>,
    wall_offset_ms: i64,
    walking: Option<SnapshotPoint>,
    walk_is_off: bool,
}

/// The promise behind it, 72 ms, is shorter than the shortest election timeout, 100 ms.
const LEASE_US: u64 = 64_000;

/// Shorter than the time that [`Cluster::command`]s let pass.
const LAG_US: u64 = 250;

/// See the module's text.
#[derive(Default)]
pub struct Cluster {
    nodes: BTreeMap<u64, Node>,
    first_voters: Vec<u64>,
    under_way: VecDeque<(u64, u64, PeerMessage)>,
    snapshots_under_way: Vec<(u64, u64, Message)>,
    cuts: BTreeSet<(u64, u64)>,
    last_forward: Option<(u64, u64, PeerMessage)>,
    now_ms: u64,
    tickets: u64,
    /// Messages delivered since a strike was planned.
    delivered: u64,
    strike: Option<(u64, Strike)>,
    /// See [`Cluster::build`].
    sizes: [u64; 3],
}

fn id(word: &str) -> u64 {
    word.parse().expect("a number")
}

impl Cluster {
    /// Carries out a line of a script.
    pub fn command(&mut self, line: &str, out: &mut String) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["cluster", count] => self.build(id(count), [1 << 20; 3]),
            ["cluster", count, log, cache] => self.build(id(count), [id(log), id(cache), 1 << 20]),
            ["cluster", count, log, cache, held] => self.build(id(count), [id(log), id(cache), id(held)]),
            ["tick", node, count] => (0..id(count)).for_each(|_| {
                self.now_ms += 10;
                self.input(id(node), Input::Tick, out);
            }),
            ["run", count] => (0..id(count)).for_each(|_| self.run_tick(out)),
            ["elect", node] => self.elect(id(node), out),
            ["deliver"] => self.deliver(out),
            ["deliver", node] => self.deliver_to(id(node), out),
            ["cut", a, b] => self.cuts.extend([(id(a), id(b)), (id(b), id(a))]),
            ["heal"] => self.cuts.clear(),
            ["lose"] => self.under_way.clear(),
            ["crash", node] => self.crash(id(node)),
            ["start", node] => self.start(id(node)),
            ["wipe", node] => {
                let disk = &mut self.node(id(node)).disk;
                *disk = Durable { incarnation: [99; 16], ..Durable::default() };
            }
            ["pause", node] => self.node(id(node)).is_paused = true,
            ["walk", node, state] => self.node(id(node)).walk_is_off = *state == "off",
            ["resume", node] => self.resume(id(node), out),
            ["persist", node, state] => self.set_disk(id(node), *state == "off", out),
            ["clock", node, ms] => self.node(id(node)).wall_offset_ms = ms.parse().expect("a number"),
            ["repeat"] => self.under_way.extend(self.last_forward.clone()),
            ["forward", from, to, boot, seq, rest @ ..] => {
                let mut body = Vec::new();
                let args: Vec<&[u8]> = rest.iter().map(|word| word.as_bytes()).collect();
                units::put_command_unit(&mut body, &args, 0);
                let batch = Batch { origin: id(from), boot: id(boot), seq: id(seq), body: body.into() };
                self.input(id(to), Input::Peer { from: id(from), message: PeerMessage::Forward(batch) }, out);
            }
            ["split", least, part] => self
                .nodes
                .values_mut()
                .filter_map(|node| node.group.as_mut())
                .for_each(|group| group.split_jobs(id(least) as usize, id(part) as usize)),
            ["pending"] => self.pending(out),
            ["status"] => self.status(out),
            ["writes", node] => self.writes(id(node), out),
            ["costs"] => self.costs(out),
            ["fill", node, count] => (0..id(count)).for_each(|i| {
                self.submit(
                    id(node),
                    &["SET", &i.to_string(), &"v".repeat(72)],
                    Consistency::Linearizable,
                    out,
                );
                self.run_tick(out);
            }),
            ["submit", node, rest @ ..] => self.submit(id(node), rest, Consistency::Linearizable, out),
            ["settings", node, name, value] => self.set(id(node), name, value, out),
            ["exec", node, rest @ ..] => self.exec(id(node), rest, out),
            ["value", node, key] => {
                let args: Args<'_> = [b"GET".as_slice(), key.as_bytes()].into_iter().collect();
                let value = self.group(id(node)).map(|group| group.machine().read(&args, 0, 0, 0).0);
                let _ = writeln!(out, "{node}: {key} is {}", value.map_or("?".to_owned(), |v| show(&v)));
            }
            words => self.read_command(words, out),
        }
    }

    /// `sizes`: log that makes a snapshot due, log in memory, and log held for who lags.
    fn build(&mut self, count: u64, sizes: [u64; 3]) {
        self.sizes = sizes;
        self.nodes.clear();
        self.first_voters = (1..=count).collect();
        (1..=count).for_each(|node| self.join(node));
    }

    fn node(&mut self, id: u64) -> &mut Node {
        self.nodes.get_mut(&id).expect("a node of the cluster")
    }

    fn group(&self, id: u64) -> Option<&Group> {
        self.nodes.get(&id)?.group.as_ref()
    }

    /// For what goes on within a turn.
    pub fn group_mut(&mut self, id: u64) -> &mut Group {
        self.node(id).group.as_mut().expect("a node that runs")
    }

    fn start(&mut self, id: u64) {
        let voters = self.first_voters.clone();
        let [snapshot_min_log_bytes, log_cache_bytes, log_held_bytes] = self.sizes;
        let now_ms = self.now_ms;
        let node = self.node(id);
        node.disk.boot += 1;
        let config = GroupConfig {
            node_id: id,
            group: 1,
            boot: node.disk.boot,
            incarnation: node.disk.incarnation,
            client_addr: format!("c{id}"),
            peer_addr: format!("p{id}"),
            settled: node.disk.settled,
            election_ticks: 10,
            heartbeat_ticks: 2,
            lease_us: LEASE_US,
            unavailable_after_ms: 1000,
            seed: id,
            new_cluster_id: [id as u8; 16],
            new_hash_key: [id as u8; 16],
            new_password: String::new(),
            snapshot_min_log_bytes,
            log_cache_bytes: log_cache_bytes as usize,
            log_held_bytes: log_held_bytes as usize,
            others_lag_us: LAG_US,
            one_at_a_time: false,
        };
        let conf_state = ConfState { voters, ..Default::default() };
        let mut snapshot = SnapshotPoint { point: LogPoint::default(), conf_state };
        let mut machine = Machine::new();
        if let Some((at, chunks)) = &node.disk.snapshot {
            snapshot = at.clone();
            machine = restored(at.point.index, chunks);
        }
        let (entries, _) = log_after(node.disk.base, node.disk.entries.clone(), snapshot.point).unwrap();
        let hard_state = node.disk.hard_state.clone();
        let recovered = Recovered { hard_state, snapshot, entries, machine, snapshot_bytes: 0 };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let mut group = Group::new(config, recovered, &logger).unwrap();
        // Something always comes soon after a start, if only a tick: this means nothing.
        let now = Now { wall_ms: 0, mono_us: now_ms * 1000 };
        group.step(Input::Unreachable(id), now);
        node.group = Some(group);
    }

    fn crash(&mut self, id: u64) {
        let node = self.node(id);
        node.group = None;
        node.persists.clear();
        node.inbox.clear();
        node.walking = None;
        node.is_paused = false;
        node.disk_is_off = false;
        node.walk_is_off = false;
    }

    fn resume(&mut self, id: u64, out: &mut String) {
        self.node(id).is_paused = false;
        self.take_turn(id, out);
    }

    fn set_disk(&mut self, id: u64, is_off: bool, out: &mut String) {
        self.node(id).disk_is_off = is_off;
        self.write_out(id, out);
    }

    fn run_tick(&mut self, out: &mut String) {
        self.now_ms += 10;
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        for id in ids {
            if !self.node(id).is_paused {
                self.input(id, Input::Tick, out);
            }
        }
        self.deliver(out);
    }

    /// Only this node's time passes until it leads.
    fn elect(&mut self, id: u64, out: &mut String) {
        for _ in 0..60 {
            if self.group(id).is_some_and(|group| group.status().role == "leader") {
                return;
            }
            self.now_ms += 10;
            self.input(id, Input::Tick, out);
            self.deliver(out);
        }
        let _ = writeln!(out, "{id}: does not win");
    }

    fn input(&mut self, id: u64, input: Input, out: &mut String) {
        if self.group(id).is_some() {
            self.node(id).inbox.push(input);
            self.take_turn(id, out);
        }
    }

    fn take_turn(&mut self, id: u64, out: &mut String) {
        let now_ms = self.now_ms;
        let node = self.node(id);
        if node.is_paused {
            return;
        }
        let wall_ms = (1_700_000_000_000 + now_ms).saturating_add_signed(node.wall_offset_ms);
        let Some(group) = node.group.as_mut() else { return };
        for input in node.inbox.drain(..) {
            group.step(input, Now { wall_ms, mono_us: now_ms * 1000 });
        }
        let effects = group.take_effects();
        self.carry_out(id, effects, out);
    }

    fn carry_out(&mut self, id: u64, effects: Effects, out: &mut String) {
        let node = self.node(id);
        node.disk.settled |= effects.settle;
        node.persists.extend(effects.persists);
        if let Some(through) = effects.compact {
            let last = node.disk.entries.iter().rfind(|entry| entry.index <= through);
            let base = last.map(|entry| LogPoint { index: entry.index, term: entry.term });
            node.disk.base = base.unwrap_or(node.disk.base);
            node.disk.entries.retain(|entry| entry.index > through);
        }
        if effects.abort_snapshot {
            node.walking = None;
        }
        node.walking = effects.start_snapshot.or(node.walking.take());
        self.under_way.extend(effects.send_now.into_iter().map(|(to, message)| (id, to, message)));
        self.snapshots_under_way.extend(effects.send_snapshots.into_iter().map(|(to, m)| (id, to, m)));
        show_answers(id, effects.replies, effects.notices, out);
        for event in effects.events {
            let _ = match event {
                Event::Role { role: role @ ("leader" | "follower"), term } => {
                    writeln!(out, "{id}: {role} in term {term}")
                }
                Event::Refused { .. } => writeln!(out, "{id}: refused, stops"),
                Event::Removed { node } => writeln!(out, "{id}: node {node} was removed, stops"),
                Event::Corrupt { index, reason } => writeln!(out, "{id}: entry {index}: {reason}"),
                Event::SnapshotInstalled { index } => writeln!(out, "{id}: snapshot {index} installed"),
                _ => Ok(()),
            };
        }
        self.write_out(id, out);
    }

    fn write_out(&mut self, id: u64, out: &mut String) {
        let node = self.node(id);
        if node.disk_is_off || node.persists.is_empty() {
            return;
        }
        let mut last = 0;
        let mut promised = Vec::new();
        for persist in node.persists.drain(..) {
            last = persist.number;
            if let Some(point) = persist.log.reset {
                node.disk.base = point;
                node.disk.entries.clear();
            }
            if let Some(first) = persist.log.entries.first() {
                node.disk.entries.retain(|entry| entry.index < first.index);
                node.disk.entries.extend(persist.log.entries);
            }
            node.disk.hard_state = persist.log.hard_state.unwrap_or(node.disk.hard_state.clone());
            promised.extend(persist.send_after.into_iter().map(|(to, message)| (id, to, message)));
        }
        self.under_way.extend(promised);
        self.input(id, Input::Persisted(last), out);
    }

    /// Delivers everything until nothing moves.
    fn deliver(&mut self, out: &mut String) {
        loop {
            if let Some((from, to, message)) = self.under_way.pop_front() {
                self.strike_when_due();
                if matches!(message, PeerMessage::Forward(_)) {
                    self.last_forward = Some((from, to, message.clone()));
                }
                if !self.cuts.contains(&(from, to)) {
                    self.input(to, Input::Peer { from, message }, out);
                }
            } else if let Some((from, to, message)) = self.snapshots_under_way.pop() {
                self.carry_snapshot(from, to, message, out);
            } else if !self.walk_snapshots(out) {
                return;
            }
        }
    }

    /// Delivers only what is under way to this node now.
    fn deliver_to(&mut self, id: u64, out: &mut String) {
        let (here, elsewhere) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(_, to, _)| *to == id);
        self.under_way = elsewhere;
        let here: VecDeque<_> = here;
        for (from, to, message) in here {
            self.input(to, Input::Peer { from, message }, out);
        }
    }
}
