//! What goes wrong, and the end of it.

use super::profile::Broken;
use super::world::{Event, Outcome, World};
use bowline::group::Input;
use bowline::mutant::Mutant;
use rand::Rng;

/// The longest that a process is frozen at once.
const MAX_FREEZE_US: u64 = 1_500_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power of one node goes.
    Crash,
    /// The power of all nodes goes.
    CrashAll,
    /// A process ends; its machine goes on.
    Kill,
    /// Who has just voted, or stood for election, loses its power soon.
    CrashAfterVote,
    /// Who is elected next loses its power soon.
    CrashAfterElection,
    /// A process is frozen.
    Pause,
    /// A process is frozen, and finds itself cut off when it goes on: nobody tells it what it
    /// has missed, but for its clock.
    PauseCutOff,
    Partition,
    Heal,
    /// A wall clock jumps.
    ClockJump,
    DiskFull,
    SyncFails,
    SlowDisk,
    /// An operator moves leadership.
    Transfer,
    /// An operator stops a node in good order.
    StepDown,
    /// An operator wants a snapshot.
    Snapshot,
}

pub const FAULTS: [Fault; 16] = [
    Fault::Crash,
    Fault::CrashAll,
    Fault::Kill,
    Fault::CrashAfterVote,
    Fault::CrashAfterElection,
    Fault::Pause,
    Fault::PauseCutOff,
    Fault::Partition,
    Fault::Heal,
    Fault::ClockJump,
    Fault::DiskFull,
    Fault::SyncFails,
    Fault::SlowDisk,
    Fault::Transfer,
    Fault::StepDown,
    Fault::Snapshot,
];

impl World {
    pub(super) fn start(&mut self, id: u64) -> Outcome {
        let node = self.node(id);
        if node.group.is_some() || !node.has_joined || node.is_removed {
            return Ok(());
        }
        let seed = self.rng.random();
        let (profile, now_us) = (&self.profile, self.now_us);
        let node = &mut self.nodes[id as usize - 1];
        if let Err(error) = node.start(profile, now_us, seed) {
            if !node.disk.is_failing {
                return Err(format!("node {id} does not start: {error}"));
            }
            // It tries again until the disk is repaired.
            node.crash(&mut self.rng, false);
            node.disk.is_failing = true;
            self.after(200_000, Event::Start { node: id });
            return Ok(());
        }
        let (life, tick_us) = (node.life, node.tick_us());
        self.note(|| format!("node {id} starts"));
        let first_us = self.rng.random_range(0..tick_us);
        self.after(first_us, Event::Tick { node: id, life });
        Ok(())
    }

    /// The process of a node ends, with or without its machine.
    pub(super) fn crash(&mut self, id: u64, power_loss: bool) {
        let node = &mut self.nodes[id as usize - 1];
        if node.group.is_none() {
            return;
        }
        self.figures.crashes += 1;
        node.crash(&mut self.rng, power_loss);
        let is_lost = self.broken.mutant() == Some(Mutant::CommitOfStaleTerm);
        if is_lost || self.rng.random_bool(0.5) {
            node.mute_until_us = self.now_us + self.rng.random_range(1_000..50_000);
        }
        self.note(|| format!("node {id} crashes; power loss: {power_loss}"));
        if self.broken == Broken::SettledButWiped && !self.calm {
            let seed = self.rng.random();
            self.node(id).disk.wipe(seed);
        }
        for client in self.clients.node_crashed(id, self.now_us) {
            self.client_later(client);
        }
    }

    pub(super) fn crash_and_restart(&mut self, id: u64, power_loss: bool) {
        self.crash(id, power_loss);
        let down_us = match self.rng.random_range(0..10) {
            0..5 => self.rng.random_range(1_000..50_000),
            5..9 => self.rng.random_range(50_000..1_000_000),
            _ => self.rng.random_range(1_000_000..6_000_000),
        };
        self.after(down_us, Event::Start { node: id });
    }

    pub(super) fn fault(&mut self) {
        if self.calm {
            return;
        }
        let next_us = self.rng.random_range(0..2 * self.profile.fault_every_us);
        self.after(next_us, Event::Fault);
        let total: u32 = self.profile.weights.iter().sum();
        let mut draw = self.rng.random_range(0..total);
        let mut kind = 0;
        while draw >= self.profile.weights[kind] {
            draw -= self.profile.weights[kind];
            kind += 1;
        }
        self.inflict(FAULTS[kind]);
    }

    fn inflict(&mut self, fault: Fault) {
        let id = self.victim();
        self.note(|| format!("{fault:?} of node {id}"));
        match fault {
            Fault::Crash => self.crash_and_restart(id, true),
            Fault::Kill => self.crash_and_restart(id, false),
            Fault::CrashAll => {
                for id in 1..=self.nodes.len() as u64 {
                    self.crash_and_restart(id, true);
                }
            }
            Fault::CrashAfterVote => self.crash_after_vote = Some(id),
            Fault::CrashAfterElection => self.crash_after_election = true,
            Fault::Pause => {
                let pause_us = self.rng.random_range(5_000..MAX_FREEZE_US);
                self.freeze(id, pause_us);
            }
            Fault::PauseCutOff => {
                let pause_us = self.rng.random_range(100_000..600_000);
                self.freeze(id, pause_us);
                self.cut_off(&[id], true, true);
                let heal_us = pause_us + self.rng.random_range(0..300_000);
                self.after(heal_us, Event::HealNetwork);
            }
            Fault::Partition => self.partition(),
            Fault::Heal => self.network.heal(),
            Fault::ClockJump => self.node(id).wall_offset_ms += self.rng.random_range(-2_000..2_000),
            Fault::DiskFull => self.fail_disk(id, true),
            Fault::SyncFails => self.fail_disk(id, false),
            Fault::SlowDisk => self.node(id).slow_until_us = self.now_us + 1_000_000,
            Fault::Transfer => {
                let to = self.any_node();
                self.input(id, Input::TransferLeader(to));
            }
            Fault::StepDown => self.input(id, Input::StepDown),
            Fault::Snapshot => self.input(id, Input::TakeSnapshot),
        }
    }

    fn fail_disk(&mut self, id: u64, is_full: bool) {
        let after = self.rng.random_range(1..20);
        let repaired_us = self.rng.random_range(100_000..2_000_000);
        self.node(id).disk.fail(after, is_full);
        self.after(repaired_us, Event::Repaired { node: id });
    }

    fn any_node(&mut self) -> u64 {
        self.rng.random_range(1..=self.nodes.len() as u64)
    }

    /// Any node, or the leader, who has most to lose.
    fn victim(&mut self) -> u64 {
        let leader = self.nodes.iter().find(|node| node.is_leader()).map(|node| node.id);
        match leader {
            Some(leader) if self.rng.random_bool(0.4) => leader,
            _ => self.any_node(),
        }
    }

    fn freeze(&mut self, id: u64, pause_us: u64) {
        self.note(|| format!("for {pause_us} us"));
        let now_us = self.now_us;
        let node = self.node(id);
        let until_us = node.paused_until_us.max(now_us + pause_us);
        node.frozen_us += until_us - node.paused_until_us.max(now_us);
        node.paused_until_us = until_us;
    }

    /// Nothing comes out of, or into, these nodes.
    fn cut_off(&mut self, these: &[u64], outwards: bool, inwards: bool) {
        let nodes = self.nodes.len() as u64;
        for a in these {
            for b in (1..=nodes).filter(|b| !these.contains(b)) {
                if outwards {
                    self.network.cut(*a, b);
                }
                if inwards {
                    self.network.cut(b, *a);
                }
            }
        }
    }

    fn partition(&mut self) {
        let nodes = self.nodes.len() as u64;
        let one_way = self.rng.random_bool(0.3);
        let alone = self.victim();
        let minority: Vec<u64> = if self.rng.random_bool(0.6) {
            vec![alone]
        } else {
            (1..=nodes).filter(|_| self.rng.random_bool(0.4)).collect()
        };
        let inwards = self.rng.random_bool(0.5);
        self.note(|| format!("{minority:?} cut off; one way: {one_way}, inwards: {inwards}"));
        self.cut_off(&minority, !one_way || !inwards, !one_way || inwards);
        let heal_us = self.rng.random_range(10_000..3_000_000);
        self.after(heal_us, Event::HealNetwork);
    }

    /// Everything works again, and no client begins anything.
    pub(super) fn calm_down(&mut self) {
        self.note(|| "calm".to_owned());
        self.calm = true;
        self.network.calm = true;
        self.network.heal();
        (self.crash_after_vote, self.crash_after_election) = (None, false);
        for id in 1..=self.nodes.len() as u64 {
            let now_us = self.now_us;
            let node = self.node(id);
            node.paused_until_us = node.paused_until_us.min(now_us);
            node.slow_until_us = 0;
            node.disk.repair();
            // One that was removed helps once more: the others may not know that they can do
            // without it, and its operator starts it again when nobody leads.
            node.is_removed = false;
            if node.group.is_none() {
                self.after(10_000, Event::Start { node: id });
            }
        }
    }
}
