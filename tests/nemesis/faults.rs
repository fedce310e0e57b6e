//! What is done to a cluster, and undone. A fault touches processes of the cluster and links
//! between them, never a client.

use super::kind::Kind;
use super::machine::{Clocks, SmallDisk};
use super::relay::{Link, Relays};
use crate::harness::{Client, Cluster, PATIENCE, Value};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long an operator's request is waited for while faults go on.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);

/// How a fault is undone.
pub enum Cure {
    Start(Vec<u64>),
    Continue(u64),
    Open(Vec<(u64, u64)>),
    Room,
    Clocks(Vec<u64>),
    Joined(u64),
    Removed(u64),
    Nothing,
}

/// A fault that goes on.
pub struct Fault {
    pub kind: Kind,
    pub what: String,
    cure: Cure,
}

impl Fault {
    /// Whether it can only end well when everything else has.
    pub fn is_cured_last(&self) -> bool {
        matches!(self.cure, Cure::Joined(_) | Cure::Removed(_))
    }
}

/// What a cluster is made of that faults can reach.
pub struct Surroundings {
    pub relays: Relays,
    /// Where the nodes of the beginning listen for peers, behind their relays.
    pub first_places: BTreeMap<u64, String>,
    pub disk: Option<(u64, SmallDisk)>,
    pub clocks: Option<Clocks>,
}

/// See the module's text.
pub struct Nemesis {
    pub cluster: Cluster,
    pub(super) relays: Relays,
    pub(super) disk: Option<(u64, SmallDisk)>,
    pub(super) clocks: Option<Clocks>,
    pub(super) rng: SmallRng,
    deck: Vec<Kind>,
    available: Vec<Kind>,
    /// Nodes that a fault has stopped in some way.
    pub(super) down: BTreeSet<u64>,
    cut: BTreeSet<(u64, u64)>,
    /// Nodes that have been started to become members.
    pub(super) joining: BTreeSet<u64>,
    pub(super) first_places: BTreeMap<u64, String>,
    pub(super) last_id: u64,
}

impl Nemesis {
    /// Of a cluster that runs; says what cannot be done here.
    pub fn new(cluster: Cluster, surroundings: Surroundings, seed: u64) -> Self {
        let Surroundings { relays, first_places, disk, clocks } = surroundings;
        let mut available = Kind::ALL.to_vec();
        let mut leave_out = |kinds: &[Kind], why: &str| {
            println!("left out: {kinds:?}: {why}");
            available.retain(|kind| !kinds.contains(kind));
        };
        if disk.is_none() {
            leave_out(&[Kind::FillDisk], "mounting a small file system takes root");
        }
        if clocks.is_none() {
            leave_out(&[Kind::JumpClock, Kind::SkewClocks], "no libfaketime in BOWLINE_FAKETIME");
        }
        let mut client = cluster.client(cluster.leader());
        let help = client.try_call(&["RAFT", "TRANSFER", "0"]).ok();
        if help.is_none_or(|reply| reply.error().is_some_and(|text| text.contains("ubcommand"))) {
            leave_out(
                &[Kind::Transfer, Kind::Snapshot, Kind::Join, Kind::Remove],
                "this server has no RAFT TRANSFER",
            );
        }
        let rng = SmallRng::seed_from_u64(seed);
        let last_id = cluster.ids().into_iter().max().unwrap_or(0);
        Self {
            cluster,
            relays,
            disk,
            clocks,
            rng,
            deck: Vec::new(),
            available,
            down: BTreeSet::new(),
            cut: BTreeSet::new(),
            joining: BTreeSet::new(),
            first_places,
            last_id,
        }
    }

    /// Every kind comes once before one comes again.
    fn draw(&mut self) -> Kind {
        if self.deck.is_empty() {
            self.deck.clone_from(&self.available);
            self.deck.shuffle(&mut self.rng);
        }
        self.deck.pop().expect("some faults need nothing of the machine")
    }

    /// Makes a fault of the next kind that is possible besides those that go on.
    pub fn inject(&mut self, is_alone: bool) -> Option<Fault> {
        let mut later = Vec::new();
        let mut fault = None;
        while fault.is_none() && later.len() < self.available.len() {
            let kind = self.draw();
            let wants_to_be_alone = matches!(kind, Kind::KillAll | Kind::FillDisk);
            let target = if is_alone || !wants_to_be_alone { self.target(kind) } else { None };
            match target.and_then(|target| self.make(kind, target)) {
                Some((what, cure)) => fault = Some(Fault { kind, what, cure }),
                None => later.push(kind),
            }
        }
        self.deck.splice(0..0, later);
        fault
    }

    /// The node that it is about: the leader, or another that nothing has been done to.
    fn target(&mut self, kind: Kind) -> Option<u64> {
        let leader = self.cluster.leader_now();
        let of_leader = [Kind::KillLeader, Kind::StopLeader, Kind::PauseLeader, Kind::CutLeaderOff];
        let of_anyone = [Kind::CutOneWay, Kind::StallOneWay, Kind::JumpClock, Kind::Transfer];
        let untouched = |id: &u64| !self.down.contains(id);
        if of_leader.contains(&kind) {
            return leader.filter(untouched);
        }
        let mut ids = self.cluster.ids();
        ids.retain(|id| of_anyone.contains(&kind) || untouched(id) && Some(*id) != leader);
        ids.choose(&mut self.rng).copied()
    }

    fn make(&mut self, kind: Kind, target: u64) -> Option<(String, Cure)> {
        if kind.is_of_processes() {
            return self.make_of_processes(kind, target);
        }
        match kind {
            Kind::CutLeaderOff | Kind::CutFollowerOff => {
                Some((format!("cut node {target} off"), self.links(target, true, true, Link::Cut)))
            }
            Kind::CutOneWay | Kind::StallOneWay => {
                let inwards: bool = self.rng.random();
                let link = if kind == Kind::CutOneWay { Link::Cut } else { Link::Stalled };
                let direction = if inwards { "to" } else { "from" };
                let cure = self.links(target, inwards, !inwards, link);
                Some((format!("{link:?} links {direction} node {target}"), cure))
            }
            Kind::StallFollower => {
                Some((format!("stall links of node {target}"), self.links(target, true, true, Link::Stalled)))
            }
            Kind::SlowLinks => {
                let by = Duration::from_millis(self.rng.random_range(2..80));
                Some((
                    format!("slow links of node {target} by {by:?}"),
                    self.links(target, true, true, Link::Slow(by)),
                ))
            }
            Kind::JumpClock => {
                // A session of ONCE ends after an hour of the log's clock, in which a client may repeat.
                let seconds = self.rng.random_range(-3000..3000);
                self.clocks.as_ref()?.set(target, &format!("{seconds:+}"));
                Some((format!("set node {target}'s clock by {seconds:+} s"), Cure::Clocks(vec![target])))
            }
            Kind::SkewClocks => {
                let ids = self.cluster.ids();
                let rates: Vec<f64> = ids.iter().map(|_| self.rng.random_range(0.7..1.4)).collect();
                for (id, rate) in ids.iter().zip(&rates) {
                    self.clocks.as_ref()?.set(*id, &format!("+0 x{rate:.2}"));
                }
                Some((format!("clocks run at {rates:.2?}"), Cure::Clocks(ids)))
            }
            Kind::Join => self.make_join(),
            Kind::Remove => self.make_remove(),
            Kind::Transfer => self.command(&["RAFT", "TRANSFER", &target.to_string()]),
            _ => self.command(&["RAFT", "SNAPSHOT"]),
        }
    }

    fn make_of_processes(&mut self, kind: Kind, target: u64) -> Option<(String, Cure)> {
        match kind {
            Kind::KillAll => {
                let ids = self.cluster.running();
                ids.iter().for_each(|id| self.cluster.kill(*id));
                self.down.extend(&ids);
                return Some(("kill all nodes".to_owned(), Cure::Start(ids)));
            }
            Kind::FillDisk => return self.fill_disk(),
            _ => self.down.insert(target),
        };
        let role = if matches!(kind, Kind::KillLeader | Kind::StopLeader | Kind::PauseLeader) {
            "leader"
        } else {
            "follower"
        };
        match kind {
            Kind::KillLeader | Kind::KillFollower => {
                self.cluster.kill(target);
                Some((format!("kill {role} {target}"), Cure::Start(vec![target])))
            }
            // One that is still joining has nothing to hand over.
            Kind::StopLeader | Kind::StopFollower if self.joining.contains(&target) => {
                self.cluster.kill(target);
                Some((format!("kill {role} {target}"), Cure::Start(vec![target])))
            }
            Kind::StopLeader | Kind::StopFollower => {
                self.cluster.node(target).signal("TERM");
                let status = self.cluster.node_mut(target).wait_end(PATIENCE);
                assert_eq!(status.code(), Some(0), "the exit status of node {target} after SIGTERM");
                Some((format!("stop {role} {target}"), Cure::Start(vec![target])))
            }
            _ => {
                self.cluster.node(target).signal("STOP");
                Some((format!("pause {role} {target}"), Cure::Continue(target)))
            }
        }
    }

    /// Changes the links of a node that are open, to it and from it.
    fn links(&mut self, node: u64, inwards: bool, outwards: bool, link: Link) -> Cure {
        let others = self.cluster.ids().into_iter().filter(|id| *id != node);
        let pairs = others.flat_map(|id| [(inwards, (id, node)), (outwards, (node, id))]);
        let pairs: Vec<(u64, u64)> =
            pairs.filter(|(is_wanted, _)| *is_wanted).map(|(_, pair)| pair).collect();
        let pairs: Vec<(u64, u64)> = pairs.into_iter().filter(|pair| self.cut.insert(*pair)).collect();
        for (from, to) in &pairs {
            self.relays.set(*from, *to, link);
        }
        Cure::Open(pairs)
    }

    /// The reply of a node that may not be able to give one.
    pub(super) fn ask(&self, node: u64, args: &[&str]) -> String {
        let client = Client::try_connect(&self.cluster.node(node).addr, REQUEST_PATIENCE);
        match client.and_then(|mut client| client.try_call(args)) {
            Ok(Value::Simple(text)) => text,
            Ok(Value::Error(text)) => format!("-{text}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// Something that an operator says to a node that runs; refusals are part of it.
    fn command(&mut self, args: &[&str]) -> Option<(String, Cure)> {
        let ids: Vec<u64> = self.cluster.ids().into_iter().filter(|id| !self.down.contains(id)).collect();
        let at = *ids.choose(&mut self.rng)?;
        let reply = self.ask(at, args);
        Some((format!("{} at node {at}: {reply}", args.join(" ")), Cure::Nothing))
    }

    /// Fills the disk, and writes until the node stops.
    fn fill_disk(&mut self) -> Option<(String, Cure)> {
        let (node, disk) = self.disk.as_ref()?;
        let node = *node;
        disk.fill();
        let other = self.cluster.ids().into_iter().find(|id| *id != node)?;
        let bulk = "x".repeat(500_000);
        let deadline = Instant::now() + PATIENCE;
        let mut client = None;
        while self.cluster.node_mut(node).is_running() && Instant::now() < deadline {
            let reply = client.as_mut().map(|client: &mut Client| client.try_call(&["SET", "bulk", &bulk]));
            if !matches!(reply, Some(Ok(_))) {
                client = Client::try_connect(&self.cluster.node(other).addr, PATIENCE).ok();
            }
        }
        let ended = !self.cluster.node_mut(node).is_running();
        if ended {
            let status = self.cluster.node_mut(node).wait_end(PATIENCE);
            assert_eq!(status.code(), Some(1), "the exit status of node {node}, whose disk is full");
            self.down.insert(node);
        }
        let then = if ended { "it stops" } else { "it goes on" };
        Some((format!("fill the disk of node {node}: {then}"), Cure::Room))
    }

    /// Undoes a fault.
    pub fn heal(&mut self, fault: Fault) {
        match fault.cure {
            Cure::Start(ids) => ids.into_iter().for_each(|id| self.start(id)),
            Cure::Continue(id) => {
                self.down.remove(&id);
                self.cluster.node(id).signal("CONT");
            }
            Cure::Open(pairs) => {
                for (from, to) in pairs {
                    self.cut.remove(&(from, to));
                    self.relays.open(from, to);
                }
            }
            Cure::Room => {
                let node = self.disk.as_ref().map(|(node, disk)| {
                    disk.make_room();
                    *node
                });
                if let Some(node) = node.filter(|node| self.down.contains(node)) {
                    self.start(node);
                }
            }
            Cure::Clocks(ids) => {
                let clocks = self.clocks.as_ref().expect("there were some");
                ids.into_iter().for_each(|id| clocks.set(id, "+0"));
            }
            Cure::Joined(id) => self.cure_joined(id),
            Cure::Removed(id) => self.cure_removed(id),
            Cure::Nothing => {}
        }
    }

    fn start(&mut self, id: u64) {
        self.down.remove(&id);
        self.cluster.restart(id);
    }

    /// Every node runs and takes writes.
    #[track_caller]
    pub fn assert_well(&mut self) {
        let ids = self.cluster.ids();
        self.cluster.assert_running(&ids);
        self.cluster.await_ready();
    }
}
