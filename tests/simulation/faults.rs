//! What goes wrong, and the end of it.

use super::profile::Defect;
use super::world::{Event, Outcome, World};
use rand::Rng;

/// The longest that a process is frozen.
pub const MAX_FREEZE_US: u64 = 1_500_000;

impl World {
    pub(super) fn start(&mut self, id: u64) -> Outcome {
        if self.node(id).group.is_some() {
            if self.defect != Defect::ForgottenVote || self.calm {
                return Ok(());
            }
            self.crash(id);
        }
        let seed = self.rng.random();
        let (profile, now_us) = (self.profile.clone(), self.now_us);
        let node = self.node(id);
        node.start(&profile, now_us, seed)?;
        let (life, tick_us) = (node.life, node.tick_us);
        self.note(|| format!("node {id} starts"));
        let first_us = self.rng.random_range(0..tick_us);
        self.after(first_us, Event::Tick { node: id, life });
        Ok(())
    }

    fn crash(&mut self, id: u64) {
        if self.node(id).group.is_none() {
            return;
        }
        self.figures.crashes += 1;
        let under_way = self.node(id).disk.under_way();
        let kept = if self.defect == Defect::None { self.rng.random_range(0..=under_way) } else { 0 };
        self.note(|| format!("node {id} crashes; {kept} of {under_way} writes under way survive"));
        self.node(id).crash(kept);
        match self.defect {
            Defect::SettledButWiped if !self.calm => self.node(id).disk.wipe(),
            Defect::ForgottenVote => self.node(id).disk.forget_hard_state(),
            _ => {}
        }
        let now_us = self.now_us;
        for client in self.clients.node_crashed(id, now_us) {
            self.client_later(client);
        }
    }

    fn crash_and_restart(&mut self, id: u64) {
        self.crash(id);
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
        match kind {
            0 => {
                let id = self.victim();
                self.crash_and_restart(id);
            }
            1 => {
                for id in 1..=self.profile.nodes {
                    self.crash_and_restart(id);
                }
            }
            2 => {
                let id = self.victim();
                let pause_us = self.rng.random_range(5_000..MAX_FREEZE_US);
                self.note(|| format!("node {id} freezes for {pause_us} us"));
                self.node(id).paused_until_us = self.now_us + pause_us;
            }
            3 => self.partition(),
            4 => {
                let id = self.victim();
                let jump_ms = self.rng.random_range(-2_000..2_000);
                self.note(|| format!("the clock of node {id} jumps by {jump_ms} ms"));
                self.node(id).wall_offset_ms += jump_ms;
            }
            _ => self.network.heal(),
        }
    }

    /// Any node, or the leader, who has most to lose.
    fn victim(&mut self) -> u64 {
        let leader = self.nodes.iter().find(|node| node.is_leader()).map(|node| node.id);
        match leader {
            Some(leader) if self.rng.random_bool(0.4) => leader,
            _ => self.rng.random_range(1..=self.profile.nodes),
        }
    }

    fn partition(&mut self) {
        let nodes = self.profile.nodes;
        let one_way = self.rng.random_bool(0.3);
        let alone = self.victim();
        let minority: Vec<u64> = if self.rng.random_bool(0.6) {
            vec![alone]
        } else {
            (1..=nodes).filter(|_| self.rng.random_bool(0.4)).collect()
        };
        let inwards = self.rng.random_bool(0.5);
        self.note(|| format!("{minority:?} cut off; one way: {one_way}, inwards: {inwards}"));
        for a in 1..=nodes {
            for b in 1..=nodes {
                if minority.contains(&a) && !minority.contains(&b) {
                    if !one_way || !inwards {
                        self.network.cut(a, b);
                    }
                    if !one_way || inwards {
                        self.network.cut(b, a);
                    }
                }
            }
        }
        let heal_us = self.rng.random_range(10_000..3_000_000);
        self.after(heal_us, Event::HealNetwork);
    }

    /// Everything works again, and no client begins anything.
    pub(super) fn calm_down(&mut self) {
        self.note(|| "calm".to_owned());
        self.calm = true;
        self.network.calm = true;
        self.network.heal();
        for node in 1..=self.profile.nodes {
            let now_us = self.now_us;
            self.node(node).paused_until_us = self.node(node).paused_until_us.min(now_us);
            if self.node(node).group.is_none() {
                self.after(10_000, Event::Start { node });
            }
        }
    }
}
