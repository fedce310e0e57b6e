//! The world: one queue of events in virtual time, and what each does. All that happens
//! follows from the seed; this module must never look at a real clock.

use super::check::Known;
use super::clients::Clients;
use super::disk::{NodeDisk, StoredSnapshot};
use super::network::Network;
use super::node::Node;
use super::profile::{Broken, Profile};
use super::queue::Queue;
use bowline::command::Reply;
use bowline::group::{Input, Job};
use bowline::wire::frame::PeerMessage;
use raft::eraftpb::Message;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::VecDeque;
use std::rc::Rc;

pub enum Event {
    Tick { node: u64, life: u64 },
    Turn { node: u64, life: u64 },
    Arrive { from: u64, to: u64, message: PeerMessage },
    DiskDone { node: u64, life: u64 },
    WalkOn { node: u64, walk: u64 },
    Stored { node: u64, walk: u64 },
    SnapshotArrives { from: u64, life: u64, to: u64, message: Message, snapshot: Rc<StoredSnapshot> },
    Fetched { from: u64, life: u64, to: u64, to_life: u64, message: Message, snapshot: Rc<StoredSnapshot> },
    SnapshotSent { from: u64, life: u64, to: u64, ok: bool },
    Client { client: usize },
    Start { node: u64 },
    Crash { node: u64, life: u64, down_us: u64 },
    Repaired { node: u64 },
    Join { node: u64 },
    Operator,
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
    pub disks_failed: u64,
    /// Syncs of writes that nobody waited for.
    pub late_syncs: u64,
    /// Turns that followed since somebody who was answered might ask again.
    pub looks_again: u64,
    pub snapshots_stored: u64,
    pub snapshots_installed: u64,
    /// Turns of a leader that held more of its log for who lagged.
    pub log_held: u64,
    /// Some collection stood in pieces, between which the state changed.
    pub snapshots_of_changing: u64,
    /// Fetched by a follower, with such pieces.
    pub long_installed: u64,
    /// Operations on values that have elements; those that ended while something was wrong.
    pub typed: u64,
    pub typed_amid_faults: u64,
    pub typed_unknown: u64,
    pub elections: u64,
    pub wishes: u64,
    pub removals: u64,
}

pub struct World {
    pub rng: SmallRng,
    pub profile: Profile,
    pub broken: Broken,
    pub now_us: u64,
    queue: Queue,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub clients: Clients,
    pub calm: bool,
    pub crash_after_vote: Option<u64>,
    pub crash_after_election: bool,
    pub known: Known,
    pub figures: Figures,
    /// Over all that was sent, and when: two runs of a seed give the same.
    pub digest: u64,
    /// The last lines of what happened; empty unless asked for.
    pub trace: Option<VecDeque<String>>,
}

pub type Outcome = Result<(), String>;

impl World {
    pub fn new(seed: u64, broken: Broken, traced: bool) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let profile = Profile::draw(&mut rng, broken);
        let mut world = Self {
            rng,
            broken,
            now_us: 0,
            queue: Queue::default(),
            nodes: Vec::new(),
            network: Network::default(),
            clients: Clients::new(profile.typed),
            calm: false,
            crash_after_vote: None,
            crash_after_election: false,
            known: Known::default(),
            figures: Figures::default(),
            digest: seed,
            trace: traced.then(VecDeque::new),
            profile,
        };
        for node in 1..=world.profile.nodes {
            world.add_node();
            world.node(node).has_joined = true;
            let after_us = world.rng.random_range(0..300_000);
            world.after(after_us, Event::Start { node });
        }
        for client in 0..world.profile.clients {
            world.after(200_000, Event::Client { client });
        }
        world.after(800_000, Event::Fault);
        if world.profile.operator_every_us > 0 {
            world.after(1_000_000, Event::Operator);
        }
        world.after(world.profile.faulty_us, Event::Calm);
        world
    }

    /// A machine with an empty disk; it is not started.
    pub fn add_node(&mut self) -> u64 {
        let id = self.nodes.len() as u64 + 1;
        let skew = self.profile.skew;
        let disk = NodeDisk::new([id as u8; 16], self.profile.segment_bytes, self.rng.random());
        if self.broken == Broken::LyingDisk {
            disk.lie();
        }
        let clock_rate = self.rng.random_range(1000 - skew..=1000 + skew);
        self.nodes.push(Node::new(id, clock_rate, disk));
        id
    }

    pub fn after(&mut self, delay_us: u64, event: Event) {
        self.queue.push(self.now_us + delay_us, event);
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

    pub fn is_life(&self, id: u64, life: u64) -> bool {
        let node = &self.nodes[id as usize - 1];
        node.life == life && node.group.is_some()
    }

    /// Runs everything up to a moment.
    pub fn run_until(&mut self, end_us: u64) -> Outcome {
        while let Some((at_us, event)) = self.queue.pop(end_us) {
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
            Event::Tick { node, life } if self.is_life(node, life) => self.tick(node),
            Event::Turn { node, life } if self.is_life(node, life) => return self.turn(node),
            Event::Arrive { from, to, message } if self.node(from).mute_until_us <= self.now_us => {
                self.input(to, Input::Peer { from, message });
            }
            Event::DiskDone { node, life } if self.is_life(node, life) => self.disk_done(node),
            Event::WalkOn { node, walk } if self.node(node).walks == walk => self.walk_on(node),
            Event::Stored { node, walk } if self.node(node).walks == walk => self.stored(node),
            Event::SnapshotArrives { from, life, to, message, snapshot } => {
                self.snapshot_arrives((from, life), to, message, snapshot);
            }
            Event::Fetched { from, life, to, to_life, message, snapshot } => {
                let ok = self.is_life(to, to_life) && self.fetched(to, message, &snapshot)?;
                self.after(300, Event::SnapshotSent { from, life, to, ok });
            }
            Event::SnapshotSent { from, life, to, ok } if self.is_life(from, life) => {
                self.input(from, Input::SnapshotSent { to, ok });
            }
            Event::Client { client } => self.client_acts(client),
            Event::Start { node } => self.start(node)?,
            Event::Crash { node, life, down_us } if self.is_life(node, life) => {
                self.crash(node, true);
                self.after(down_us, Event::Start { node });
            }
            Event::Repaired { node } => self.node(node).disk.repair(),
            Event::Join { node } => self.join(node)?,
            Event::Operator => self.operator_acts(),
            Event::Fault => self.fault(),
            Event::HealNetwork => self.network.heal(),
            Event::Calm => self.calm_down(),
            _ => {} // of an earlier life, or lost with it
        }
        Ok(())
    }

    fn tick(&mut self, id: u64) {
        let node = &self.nodes[id as usize - 1];
        let (life, tick_us, paused_until_us) = (node.life, node.tick_us(), node.paused_until_us);
        // A frozen process makes up for no tick.
        let delay_us = tick_us.max(paused_until_us.saturating_sub(self.now_us));
        if paused_until_us <= self.now_us {
            self.input(id, Input::Tick);
        }
        self.after(delay_us, Event::Tick { node: id, life });
    }

    /// Something arrives at a node, and soon it takes a turn.
    pub fn input(&mut self, id: u64, input: Input) {
        let Some(node) = self.nodes.get_mut(id as usize - 1).filter(|node| node.group.is_some()) else {
            return;
        };
        node.inbox.push(input);
        self.plan_turn(id);
    }

    /// Soon, unless one is planned.
    pub fn plan_turn(&mut self, id: u64) {
        let Some(node) = self.nodes.get_mut(id as usize - 1).filter(|node| node.group.is_some()) else {
            return;
        };
        if !node.turn_planned {
            node.turn_planned = true;
            let busy_us = if self.rng.random_bool(0.9) { 20 } else { self.rng.random_range(20..2_000) };
            let delay_us = busy_us.max(node.paused_until_us.saturating_sub(self.now_us));
            let life = node.life;
            self.after(delay_us, Event::Turn { node: id, life });
        }
    }

    pub fn submit(&mut self, id: u64, job: Job) {
        let node = &self.nodes[id as usize - 1];
        if let Some(open) = self.clients.open.get_mut(&job.ticket) {
            open.frozen_us = node.frozen_us - node.paused_until_us.saturating_sub(self.now_us);
        }
        self.input(id, Input::Submit(job));
    }

    pub fn answer(&mut self, ticket: u64, reply: Reply) -> Outcome {
        self.note(|| format!("job {ticket} is answered {reply:?}"));
        self.figures.operations += 1;
        self.slowest_answer(ticket)?;
        if self.clients.answers_typed(ticket) {
            self.figures.typed += 1;
            self.figures.typed_amid_faults += u64::from(self.is_anything_wrong());
            self.figures.typed_unknown +=
                u64::from(matches!(&reply, Reply::Error(text) if text.starts_with("UNKNOWN")));
        }
        if let Some(client) = self.clients.reply(ticket, reply, self.now_us)? {
            self.client_later(client);
        }
        Ok(())
    }

    /// Whether some node is down or frozen, a link is cut, or a disk fails.
    fn is_anything_wrong(&self) -> bool {
        let is_wrong = |node: &Node| {
            let is_out = node.has_joined && !node.is_removed && node.group.is_none();
            is_out
                || node.paused_until_us > self.now_us
                || node.slow_until_us > self.now_us
                || node.disk.is_failing
        };
        self.network.is_any_cut() || self.nodes.iter().any(is_wrong)
    }

    pub fn client_later(&mut self, client: usize) {
        if client == usize::MAX {
            return; // the operator, whose moments are drawn otherwise
        }
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
        let job = self.clients.job(&mut self.rng, self.profile.pipeline, client, node, self.now_us);
        self.note(|| format!("client {client} asks node {node}: job {} {:?}", job.ticket, job.steps));
        self.submit(node, job);
    }
}
