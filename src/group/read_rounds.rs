//! Rounds of reads, as the group carries them out: when one begins, whom it asks, who has
//! confirmed it, and what a lease spares. This module must never confirm a round without
//! Raft's own notion of a quorum.

use super::reads::{Answer, Asker};
use super::{Consistency, Group, Job};
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer;
use std::collections::HashSet;

impl Group {
    /// Whether a job may be answered from what this node has applied, without asking anybody.
    /// A bound that is half used up is renewed meanwhile.
    pub(super) fn is_fresh_enough(&mut self, job: &Job) -> bool {
        let Consistency::Stale { max_age_ms } = job.consistency else { return false };
        let Some(max_age_ms) = max_age_ms else { return true };
        let max_age_us = max_age_ms.saturating_mul(1000);
        let Some(age_us) = self.reads.age_us(self.now.mono_us) else { return false };
        if age_us > max_age_us / 2 {
            self.reads.want_renewal();
        }
        age_us <= max_age_us
    }

    /// A follower asks how far it has to apply.
    pub(super) fn read_index_asked(&mut self, from: NodeId, request: &peer::ReadIndexRequest) {
        if self.is_leader() {
            let (context, lease) = (request.context, request.lease);
            self.reads.submit(Asker::Follower { node: from, context, lease });
        }
    }

    /// A leader asks whether this node still follows it.
    pub(super) fn round_asked(&mut self, from: NodeId, round: &peer::ReadRound) {
        if self.raft.raft.term != round.term || self.leader() != from || self.is_leader() {
            return;
        }
        let promise_us = self.promise();
        let (term, round) = (round.term, round.round);
        let ack = peer::ReadRoundAck { term, round, promise_us, ..Default::default() };
        self.effects.send_now.push((from, PeerMessage::ReadRoundAck(ack)));
    }

    /// A follower still follows.
    pub(super) fn round_confirmed(&mut self, from: NodeId, ack: &peer::ReadRoundAck) {
        if self.is_leader() && ack.term == self.raft.raft.term {
            self.reads.ack(from, ack.round, ack.promise_us);
            self.finish_round();
        }
    }

    fn followers(&self) -> Vec<NodeId> {
        let conf_state = self.raft.store().conf_state();
        let mut voters: Vec<NodeId> =
            conf_state.voters.iter().chain(&conf_state.voters_outgoing).copied().collect();
        voters.sort_unstable();
        voters.dedup();
        voters.retain(|&node| node != self.config.node_id);
        voters
    }

    /// Begins a round of reads, or asks the leader for one, when something waits.
    pub(super) fn start_reads(&mut self) {
        let now_us = self.now.mono_us;
        if self.is_leader() {
            self.answer_by_lease();
            if self.reads.wants_round() && self.raft.raft.commit_to_current_term() {
                let round = self.reads.begin_round(self.raft.raft.raft_log.committed, now_us);
                let followers = self.followers();
                // Just enough for a quorum; the others are asked when one is late.
                let is_joint = !self.raft.store().conf_state().voters_outgoing.is_empty();
                let enough = if is_joint { followers.len() } else { followers.len().div_ceil(2) };
                let chosen = self.reads.first_choice(&followers, enough);
                self.ask_round(round, &chosen);
                self.finish_round();
            }
        } else if self.leader() != 0
            && let Some((context, lease)) = self.reads.ask(now_us)
        {
            let request = peer::ReadIndexRequest { context, lease, ..Default::default() };
            self.effects.send_now.push((self.leader(), PeerMessage::ReadIndexRequest(request)));
        }
    }

    /// Answers whom a lease will do. A lease that is in use is renewed before it is over, so
    /// that a steady stream of reads never waits for a round.
    fn answer_by_lease(&mut self) {
        if !self.reads.wants_lease() || !self.lease_holds() {
            return;
        }
        let (index, now_us) = (self.raft.raft.raft_log.committed, self.now.mono_us);
        for answer in self.reads.take_by_lease(index, now_us) {
            self.answer_index(&answer);
        }
        if self.lease.is_half_over(now_us) {
            self.reads.want_renewal();
        }
    }

    fn ask_round(&mut self, round: u64, followers: &[NodeId]) {
        let term = self.raft.raft.term;
        for &follower in followers {
            let message = peer::ReadRound { term, round, ..Default::default() };
            self.effects.send_now.push((follower, PeerMessage::ReadRound(message)));
        }
    }

    /// A round that outlives a tick is late: everybody is asked.
    pub(super) fn hurry_round(&mut self) {
        if self.is_leader()
            && let Some(round) = self.reads.open_round()
        {
            let followers = self.followers();
            self.ask_round(round, &followers);
        }
    }

    pub(super) fn finish_round(&mut self) {
        let Some((confirmers, promise_us)) = self.reads.confirmers() else { return };
        let mut quorum: HashSet<NodeId, _> = HashSet::default();
        quorum.extend(confirmers);
        quorum.insert(self.config.node_id);
        if !self.raft.raft.prs().has_quorum(&quorum) && !mutant::is(Mutant::ReadsWithoutQuorum) {
            return;
        }
        let Some((begun_us, answers)) = self.reads.finish_round() else { return };
        let promise_us = promise_us.unwrap_or(u64::MAX).min(self.config.promise_us());
        self.lease.confirmed(self.raft.raft.term, begun_us, promise_us);
        for answer in answers {
            self.answer_index(&answer);
        }
    }

    /// Tells a follower how far it has to apply.
    fn answer_index(&mut self, answer: &Answer) {
        let Answer { node, context, index } = *answer;
        let mut response = peer::ReadIndexResponse { context, index, ..Default::default() };
        response.set_matched(self.matched().into());
        self.effects.send_now.push((node, PeerMessage::ReadIndexResponse(response)));
        self.commits.wait(node);
    }

    fn matched(&self) -> Vec<peer::Match> {
        let mut matched: Vec<_> = self
            .raft
            .raft
            .prs()
            .iter()
            .map(|(&node, progress)| peer::Match { node, index: progress.matched, ..Default::default() })
            .collect();
        matched.sort_by_key(|known| known.node);
        matched
    }
}
