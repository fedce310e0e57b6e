//! The world: one queue of events in virtual time, and what each does. All that happens
//! follows from the seed; this module must never look at a real clock.

use super::clients::Clients;
use super::disk::{StoredSnapshot, Work, restore};
use super::network::Network;
use super::node::{Node, Walk};
use super::profile::{Defect, Profile};
use bowline::command::Reply;
use bowline::group::{Effects, Event as GroupEvent, Input, Job, Persist};
use bowline::wire::frame::PeerMessage;
use bowline::wire::proto::peer::ReadRoundAck;
use raft::eraftpb::Message;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

pub enum Event {
    Tick { node: u64, life: u64 },
    Turn { node: u64, life: u64 },
    Arrive { from: u64, to: u64, message: PeerMessage },
    DiskDone { node: u64, life: u64 },
    WalkOn { node: u64, walk: u64 },
    Stored { node: u64, walk: u64, snapshot: Rc<StoredSnapshot> },
    SnapshotArrives { from: u64, life: u64, to: u64, message: Message, snapshot: Rc<StoredSnapshot> },
    Fetched { from: u64, life: u64, to: u64, to_life: u64, message: Message, snapshot: Rc<StoredSnapshot> },
    SnapshotSent { from: u64, life: u64, to: u64, ok: bool },
    Client { client: usize },
    Start { node: u64 },
    Fault,
    HealNetwork,
    Calm,
}

#[derive(Debug, Default, Clone, Copy)]
pub struct Figures {
    pub events: u64,
    pub operations: u64,
    pub virtual_us: u64,
    pub crashes: u64,
    pub snapshots_stored: u64,
    pub snapshots_installed: u64,
    pub elections: u64,
}

pub struct World {
    pub rng: SmallRng,
    pub profile: Profile,
    pub defect: Defect,
    pub now_us: u64,
    pub queue: BTreeMap<(u64, u64), Event>,
    events: u64,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub clients: Clients,
    pub calm: bool,
    pub leaders: BTreeMap<u64, u64>,
    pub hashes: BTreeMap<u64, (u64, u64)>,
    pub figures: Figures,
    pub digest: u64,
    /// The last lines of what happened; empty unless asked for.
    pub trace: Option<VecDeque<String>>,
}

pub type Outcome = Result<(), String>;

impl World {
    pub fn new(seed: u64, defect: Defect, traced: bool) -> Result<Self, String> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let profile = Profile::draw(&mut rng, defect);
        let nodes = (1..=profile.nodes).map(|id| Node::new(id, rng.random_range(8_000..12_500))).collect();
        let mut world = Self {
            rng,
            defect,
            now_us: 0,
            queue: BTreeMap::new(),
            events: 0,
            nodes,
            network: Network::default(),
            clients: Clients::default(),
            calm: false,
            leaders: BTreeMap::new(),
            hashes: BTreeMap::new(),
            figures: Figures::default(),
            digest: seed,
            trace: traced.then(VecDeque::new),
            profile,
        };
        for node in 1..=world.profile.nodes {
            let after_us = world.rng.random_range(0..300_000);
            world.after(after_us, Event::Start { node });
        }
        for client in 0..world.profile.clients {
            world.after(200_000, Event::Client { client });
        }
        world.after(800_000, Event::Fault);
        world.after(world.profile.faulty_us, Event::Calm);
        Ok(world)
    }

    pub fn after(&mut self, delay_us: u64, event: Event) {
        self.events += 1;
        self.queue.insert((self.now_us + delay_us, self.events), event);
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push_back(format!("{:>9} {}", self.now_us, text()));
            if trace.len() > 3000 {
                trace.pop_front();
            }
        }
    }

    pub fn node(&mut self, id: u64) -> &mut Node {
        &mut self.nodes[id as usize - 1]
    }

    fn is_life(&self, id: u64, life: u64) -> bool {
        let node = &self.nodes[id as usize - 1];
        node.life == life && node.group.is_some()
    }

    /// Runs everything up to a moment.
    pub fn run_until(&mut self, end_us: u64) -> Outcome {
        while let Some(entry) = self.queue.first_entry() {
            let (at_us, _) = *entry.key();
            if at_us > end_us {
                break;
            }
            let event = entry.remove();
            self.now_us = at_us;
            self.figures.events += 1;
            self.happen(event)?;
        }
        self.now_us = end_us;
        self.figures.virtual_us = end_us;
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Outcome {
        match event {
            Event::Tick { node, life } if self.is_life(node, life) => {
                let (tick_us, paused_until_us) = (self.node(node).tick_us, self.node(node).paused_until_us);
                // A frozen process makes up for no tick.
                let delay_us = tick_us.max(paused_until_us.saturating_sub(self.now_us));
                if paused_until_us <= self.now_us {
                    self.input(node, Input::Tick);
                }
                self.after(delay_us, Event::Tick { node, life });
            }
            Event::Turn { node, life } if self.is_life(node, life) => return self.turn(node),
            Event::Arrive { from, to, message } => self.input(to, Input::Peer { from, message }),
            Event::DiskDone { node, life } if self.is_life(node, life) => self.disk_done(node),
            Event::WalkOn { node, walk } if self.node(node).walks == walk => self.walk_on(node),
            Event::Stored { node, walk, snapshot } if self.node(node).walks == walk => {
                let (index, size_bytes) = (snapshot.at.point.index, snapshot.size_bytes());
                self.figures.snapshots_stored += 1;
                self.node(node).disk.store_snapshot(snapshot);
                self.input(node, Input::SnapshotStored { index, size_bytes });
            }
            Event::SnapshotArrives { from, life, to, message, snapshot } => {
                self.snapshot_arrives(from, life, to, message, snapshot);
            }
            Event::Fetched { from, life, to, to_life, message, snapshot } => {
                let ok = self.is_life(to, to_life);
                if ok {
                    let machine = Box::new(restore(&snapshot)?);
                    let size_bytes = snapshot.size_bytes();
                    self.node(to).receiving = false;
                    self.node(to).disk.store_snapshot(snapshot);
                    self.input(to, Input::SnapshotFetched { message, machine, size_bytes });
                }
                self.after(300, Event::SnapshotSent { from, life, to, ok });
            }
            Event::SnapshotSent { from, life, to, ok } if self.is_life(from, life) => {
                self.input(from, Input::SnapshotSent { to, ok });
            }
            Event::Client { client } => self.client_acts(client),
            Event::Start { node } => self.start(node)?,
            Event::Fault => self.fault(),
            Event::HealNetwork => self.network.heal(),
            Event::Calm => self.calm_down(),
            _ => {} // of an earlier life
        }
        Ok(())
    }

    /// Something arrives at a node, and soon it takes a turn.
    pub fn input(&mut self, id: u64, input: Input) {
        let busy_us = if self.rng.random_bool(0.9) { 20 } else { self.rng.random_range(20..2_000) };
        let now_us = self.now_us;
        let node = self.node(id);
        if node.group.is_none() {
            return;
        }
        node.inbox.push(input);
        if !node.turn_planned {
            node.turn_planned = true;
            let delay_us = busy_us.max(node.paused_until_us.saturating_sub(now_us));
            let life = node.life;
            self.after(delay_us, Event::Turn { node: id, life });
        }
    }

    fn turn(&mut self, id: u64) -> Outcome {
        let now_us = self.now_us;
        let node = self.node(id);
        if node.paused_until_us > now_us {
            let (delay_us, life) = (node.paused_until_us - now_us, node.life);
            self.after(delay_us, Event::Turn { node: id, life });
            return Ok(());
        }
        node.turn_planned = false;
        let (inputs, now) = (std::mem::take(&mut node.inbox), node.now(now_us));
        let Some(group) = node.group.as_mut() else { return Ok(()) };
        for input in inputs {
            group.step(input, now);
        }
        let effects = group.take_effects();
        self.carry_out(id, effects)?;
        self.look_at(id)
    }

    /// In the order of the real node's driver.
    fn carry_out(&mut self, id: u64, effects: Effects) -> Outcome {
        if effects.settle {
            self.node(id).disk.settled = true;
        }
        for persist in effects.persists {
            self.persist(id, persist);
        }
        if let Some(through) = effects.compact {
            self.node(id).disk.push(Work::Compact(through));
        }
        self.start_sync(id);
        self.send(id, effects.send_now);
        for (to, message) in effects.send_snapshots {
            self.send_snapshot(id, to, message);
        }
        for (ticket, reply) in effects.replies {
            self.answer(ticket, reply)?;
        }
        if effects.abort_snapshot {
            let node = self.node(id);
            node.walk = None;
            node.walks += 1;
        }
        if let Some(at) = effects.start_snapshot {
            self.note(|| format!("node {id} begins a snapshot at {:?}", at.point));
            let node = self.node(id);
            node.walk = Some(Walk { at, chunks: Vec::new() });
            node.walks += 1;
            let walk = node.walks;
            self.after(100, Event::WalkOn { node: id, walk });
        }
        for event in effects.events {
            self.note(|| format!("node {id} says {event:?}"));
            match event {
                GroupEvent::Refused { .. } | GroupEvent::Corrupt { .. } => {
                    return Err(format!("node {id} stopped: {event:?}"));
                }
                GroupEvent::SnapshotInstalled { .. } => self.figures.snapshots_installed += 1,
                GroupEvent::Role { role: "leader", .. } => self.figures.elections += 1,
                _ => {}
            }
        }
        Ok(())
    }

    fn persist(&mut self, id: u64, persist: Persist) {
        let Persist { number, log, send_after } = persist;
        if let Some(hard_state) = &log.hard_state {
            let vote = (hard_state.term, hard_state.vote);
            let voted = vote != self.node(id).last_vote && vote.1 != 0;
            self.node(id).last_vote = vote;
            if voted && self.defect == Defect::ForgottenVote && !self.calm && self.rng.random_bool(0.5) {
                self.node(id).paused_until_us = 0;
                let at = self.rng.random_range(1_000..15_000);
                self.after(at, Event::Start { node: id }); // a start of a running node crashes it first
            }
        }
        self.node(id).disk.push(Work::Write(number, log));
        if self.defect == Defect::EarlyPersist {
            self.send(id, send_after);
            self.input(id, Input::Persisted(number));
        } else {
            self.node(id).promises.push_back((number, send_after));
        }
    }

    fn start_sync(&mut self, id: u64) {
        if !self.node(id).disk.start_sync() {
            return;
        }
        let (least, most) = self.profile.disk_us;
        let mut delay_us = self.rng.random_range(least..most);
        if !self.calm && self.rng.random_bool(self.profile.disk_stall) {
            delay_us += self.rng.random_range(10_000..600_000);
        }
        if self.defect == Defect::EarlyPersist && !self.calm {
            delay_us += 50_000;
        }
        let life = self.node(id).life;
        self.after(delay_us, Event::DiskDone { node: id, life });
    }

    fn disk_done(&mut self, id: u64) {
        let (life, paused_until_us) = (self.node(id).life, self.node(id).paused_until_us);
        if paused_until_us > self.now_us {
            return self.after(paused_until_us - self.now_us, Event::DiskDone { node: id, life });
        }
        let done = self.node(id).disk.sync_done();
        if let Some(number) = done.filter(|_| self.defect != Defect::EarlyPersist) {
            while self.node(id).promises.front().is_some_and(|(waiting, _)| *waiting <= number) {
                let promised = self.node(id).promises.pop_front().map_or_else(Vec::new, |(_, m)| m);
                self.send(id, promised);
            }
            self.input(id, Input::Persisted(number));
        }
        self.start_sync(id);
    }

    fn send(&mut self, from: u64, messages: Vec<(u64, PeerMessage)>) {
        for (to, message) in messages {
            let arrivals =
                self.network.arrivals(&mut self.rng, &self.profile, self.now_us, (from, to), &message);
            self.digest = self.digest.rotate_left(5) ^ (self.now_us.wrapping_mul(31) + to + from * 7);
            self.note(|| {
                format!("{from} -> {to} {} {message:?}", if arrivals.is_empty() { "LOST" } else { "" })
            });
            if arrivals.is_empty() {
                self.lost(from, to, &message);
            }
            for at_us in arrivals {
                let delay_us = at_us - self.now_us;
                self.after(delay_us, Event::Arrive { from, to, message: message.clone() });
            }
        }
    }

    fn lost(&mut self, from: u64, to: u64, message: &PeerMessage) {
        if self.rng.random_bool(0.1) {
            self.input(from, Input::Unreachable(to));
        }
        if let (PeerMessage::ReadRound(round), Defect::ForgedReadRounds) = (message, self.defect) {
            let ack = ReadRoundAck { term: round.term, round: round.round, ..Default::default() };
            self.after(500, Event::Arrive { from: to, to: from, message: PeerMessage::ReadRoundAck(ack) });
        }
    }

    pub fn submit(&mut self, id: u64, job: Job) {
        self.input(id, Input::Submit(job));
    }

    fn answer(&mut self, ticket: u64, reply: Reply) -> Outcome {
        self.note(|| format!("job {ticket} is answered {reply:?}"));
        self.figures.operations += 1;
        self.slowest_answer(ticket)?;
        if let Some(client) = self.clients.reply(ticket, reply, self.now_us)? {
            self.client_later(client);
        }
        Ok(())
    }

    pub fn client_later(&mut self, client: usize) {
        let think_us = self.rng.random_range(0..2 * self.profile.think_us);
        self.after(think_us, Event::Client { client });
    }

    fn client_acts(&mut self, client: usize) {
        if self.calm {
            return;
        }
        let up: Vec<u64> = self.nodes.iter().filter(|n| n.group.is_some()).map(|n| n.id).collect();
        if up.is_empty() {
            return self.after(50_000, Event::Client { client });
        }
        let node = up[self.rng.random_range(0..up.len())];
        let job = self.clients.job(&mut self.rng, client, node, self.now_us);
        self.note(|| format!("client {client} asks node {node}: job {} {:?}", job.ticket, job.steps));
        self.submit(node, job);
    }
}
