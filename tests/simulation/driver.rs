//! What a node's loop does, in the real one's order: a turn of the group, its effects, and
//! what its disk says. It must never do what a promise waits for before the promise is kept.

use super::profile::Broken;
use super::world::{Event, Outcome, World};
use bowline::group::{Effects, Event as GroupEvent, Input, Persist};
use bowline::mutant::Mutant;
use bowline::wire::frame::PeerMessage;
use bowline::wire::proto::peer::ReadRoundAck;
use raft::eraftpb::MessageType;
use rand::Rng;

use super::disk::Work;

/// Whether it gives a candidate its sender's vote.
fn is_vote(message: &PeerMessage) -> bool {
    let PeerMessage::Raft(message) = message else { return false };
    message.get_msg_type() == MessageType::MsgRequestVoteResponse && !message.reject
}

impl World {
    pub(super) fn turn(&mut self, id: u64) -> Outcome {
        let now_us = self.now_us;
        let node = self.node(id);
        if node.paused_until_us > now_us {
            let (delay_us, life) = (node.paused_until_us - now_us, node.life);
            self.after(delay_us, Event::Turn { node: id, life });
            return Ok(());
        }
        node.turn_planned = false;
        let mut inputs = std::mem::take(&mut node.inbox);
        let now = node.now(now_us);
        let Some(group) = node.group.as_mut() else { return Ok(()) };
        for input in inputs.drain(..) {
            group.step(input, now);
        }
        let urgent = group.take_urgent_effects();
        node.inbox = inputs;
        self.carry_out(id, urgent)?;
        let Some(group) = self.node(id).group.as_mut() else { return Ok(()) };
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
            self.send_snapshot(id, to, message)?;
        }
        for (ticket, reply) in effects.replies {
            self.answer(ticket, reply)?;
        }
        if effects.look_again {
            self.figures.looks_again += 1;
            self.plan_turn(id);
        }
        if effects.abort_snapshot {
            self.abort_walk(id);
        }
        if let Some(at) = effects.start_snapshot {
            self.begin_walk(id, at);
        }
        for event in effects.events {
            self.note(|| format!("node {id} says {event:?}"));
            match event {
                GroupEvent::Refused { .. } | GroupEvent::Corrupt { .. } => {
                    return Err(format!("node {id} stopped: {event:?}"));
                }
                GroupEvent::Removed { .. } => return self.removed(id),
                GroupEvent::SnapshotInstalled { .. } => self.figures.snapshots_installed += 1,
                GroupEvent::Role { role: "leader", .. } => self.elected(id),
                _ => {}
            }
        }
        Ok(())
    }

    fn persist(&mut self, id: u64, persist: Persist) {
        let Persist { number, can_wait, log, send_after } = persist;
        if send_after.iter().any(|(_, message)| is_vote(message)) && self.is_to_crash(id) {
            self.crash_after_vote = None;
            // It is back before what it was asked in its earlier life has arrived everywhere.
            let (delay_us, down_us) = (self.rng.random_range(500..6_000), self.rng.random_range(100..3_000));
            let life = self.node(id).life;
            self.after(delay_us, Event::Crash { node: id, life, down_us });
        }
        let node = self.node(id);
        node.disk.push(Work::Write { number, log, can_wait });
        if !send_after.is_empty() {
            node.promises.push_back((number, send_after));
        }
    }

    /// Whether the voter that has just voted is to lose its power.
    fn is_to_crash(&mut self, id: u64) -> bool {
        let often = self.broken.mutant() == Some(Mutant::VoteNotPersisted) && !self.calm;
        self.crash_after_vote == Some(id) || (often && self.rng.random_bool(0.8))
    }

    fn elected(&mut self, id: u64) {
        self.figures.elections += 1;
        // Before its first entries a new cluster needs all of its nodes.
        let is_time = self.now_us > 1_500_000 && !self.calm;
        let often = self.broken.mutant() == Some(Mutant::CommitOfStaleTerm) && is_time;
        if std::mem::take(&mut self.crash_after_election) || (often && self.rng.random_bool(0.8)) {
            // Before anybody has its first entry, or when some have. Down for long enough for
            // another one to be elected, and not always for a third.
            let early = self.rng.random_bool(0.5);
            let delay_us = self.rng.random_range(if early { 500..5_000 } else { 20_000..80_000 });
            let down_us = self.rng.random_range(1_000..500_000);
            let life = self.node(id).life;
            self.after(delay_us, Event::Crash { node: id, life, down_us });
        }
    }

    fn start_sync(&mut self, id: u64) {
        let now_us = self.now_us;
        let node = self.node(id);
        let Some(is_urgent) = node.disk.start_sync() else { return };
        let (life, is_slow) = (node.life, node.slow_until_us > now_us);
        let (least, most) = self.profile.disk_us;
        let mut delay_us = self.rng.random_range(least..most);
        if !self.calm && (is_slow || self.rng.random_bool(self.profile.disk_stall)) {
            delay_us += self.rng.random_range(10_000..600_000);
        }
        if !is_urgent {
            self.figures.late_syncs += 1;
            delay_us += self.rng.random_range(0..self.profile.disk_soon_us);
        }
        self.after(delay_us, Event::DiskDone { node: id, life });
    }

    pub(super) fn disk_done(&mut self, id: u64) {
        let now_us = self.now_us;
        let node = self.node(id);
        let (life, paused_until_us) = (node.life, node.paused_until_us);
        if paused_until_us > now_us {
            return self.after(paused_until_us - now_us, Event::DiskDone { node: id, life });
        }
        match node.disk.finish_sync() {
            Ok(Some(number)) => {
                while self.node(id).promises.front().is_some_and(|(waiting, _)| *waiting <= number) {
                    let promised = self.node(id).promises.pop_front().map_or_else(Vec::new, |(_, m)| m);
                    self.send(id, promised);
                }
                self.input(id, Input::Persisted(number));
            }
            Ok(None) => {}
            Err(error) => {
                // After a failed write or sync a node stops; somebody starts it again later.
                self.note(|| format!("the disk of node {id} fails: {error}"));
                self.figures.disks_failed += 1;
                return self.crash_and_restart(id, false);
            }
        }
        self.start_sync(id);
    }

    fn send(&mut self, from: u64, messages: Vec<(u64, PeerMessage)>) {
        for (to, message) in messages {
            let [first, second] =
                self.network.arrivals(&mut self.rng, &self.profile, self.now_us, (from, to), &message);
            self.digest = self.digest.rotate_left(5) ^ (self.now_us.wrapping_mul(31) + to + from * 7);
            self.note(|| format!("{from} -> {to} {} {message:?}", if first.is_none() { "LOST" } else { "" }));
            let Some(at_us) = first else {
                self.lost(from, to, &message);
                continue;
            };
            if let Some(again_us) = second {
                let message = message.clone();
                self.after(again_us - self.now_us, Event::Arrive { from, to, message });
            }
            self.after(at_us - self.now_us, Event::Arrive { from, to, message });
        }
    }

    fn lost(&mut self, from: u64, to: u64, message: &PeerMessage) {
        if self.rng.random_bool(0.1) {
            self.input(from, Input::Unreachable(to));
        }
        if let (PeerMessage::ReadRound(round), Broken::ForgedReadRounds) = (message, self.broken) {
            let ack = ReadRoundAck { term: round.term, round: round.round, ..Default::default() };
            self.after(500, Event::Arrive { from: to, to: from, message: PeerMessage::ReadRoundAck(ack) });
        }
    }
}
