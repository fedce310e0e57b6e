//! What peers say: Raft's own messages, forwarded batches, and the rounds of reads.

use super::Group;
use super::reads::Asker;
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer;
use raft::eraftpb::{Message, MessageType};
use std::collections::HashSet;

impl Group {
    pub(super) fn peer_message(&mut self, from: NodeId, message: PeerMessage) {
        match message {
            PeerMessage::Raft(message) => self.raft_message(from, message),
            PeerMessage::Forward(batch) => {
                if batch.origin == from {
                    self.forwarded(batch);
                }
            }
            PeerMessage::ForwardRefused(refused) => {
                if from == self.leader() && refused.boot == self.stream.boot() {
                    self.stream.rewind_to(refused.seq);
                }
            }
            PeerMessage::ReadIndexRequest(request) => {
                if self.is_leader() {
                    self.reads.submit(Asker::Follower { node: from, context: request.context });
                }
            }
            PeerMessage::ReadIndexResponse(response) => self.reads.answered(response.context, response.index),
            PeerMessage::ReadRound(round) => {
                if self.raft.raft.term == round.term && self.leader() == from {
                    let ack =
                        peer::ReadRoundAck { term: round.term, round: round.round, ..Default::default() };
                    self.effects.send_now.push((from, PeerMessage::ReadRoundAck(ack)));
                }
            }
            PeerMessage::ReadRoundAck(ack) => {
                if self.is_leader() && ack.term == self.raft.raft.term {
                    self.reads.ack(from, ack.round);
                    self.finish_round();
                }
            }
            PeerMessage::TransferLeader(asked) => {
                if self.is_leader() {
                    self.transfer_leader(asked.to);
                }
            }
        }
    }

    fn raft_message(&mut self, from: NodeId, message: Message) {
        // A snapshot comes as `Input::SnapshotFetched`, never by itself.
        let is_snapshot = message.get_msg_type() == MessageType::MsgSnapshot;
        let is_unfit = message.from != from || is_snapshot || self.is_from_removed(from, &message);
        if is_unfit || !self.is_sound(&message) || !self.admits(&message) {
            return;
        }
        if self.proves_loss(&message) {
            return self.refused();
        }
        self.note_answer(from, &message);
        // An error means that Raft has no use for it: a peer that was removed, an old term.
        let _ = self.raft.step(message);
    }

    /// A node that was removed without having heard of it would disturb for ever. Its appends and
    /// heartbeats are those of a leader whom this node may have to hear, or of an old term.
    fn is_from_removed(&self, from: NodeId, message: &Message) -> bool {
        let asks_for_vote =
            matches!(message.get_msg_type(), MessageType::MsgRequestVote | MessageType::MsgRequestPreVote);
        asks_for_vote && self.machine.members().removed().contains(&from)
    }

    /// Whether an append is one piece, and its answer speaks of entries that there are.
    /// raft-rs takes both on trust.
    fn is_sound(&self, message: &Message) -> bool {
        match message.get_msg_type() {
            MessageType::MsgAppend => {
                let follows = message.entries.first().is_none_or(|first| first.index == message.index + 1);
                follows && (message.log_term > 0 || message.index == 0)
            }
            MessageType::MsgAppendResponse => {
                message.reject || message.index <= self.raft.raft.raft_log.last_index()
            }
            _ => true,
        }
    }

    /// A leader's heartbeat commits no more than this node has acknowledged to it: when that
    /// is more than the log holds, this directory has lost what it once held.
    fn proves_loss(&self, message: &Message) -> bool {
        message.get_msg_type() == MessageType::MsgHeartbeat
            && message.term >= self.raft.raft.term
            && message.commit > self.raft.raft.raft_log.last_index()
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
        if self.is_leader() {
            if self.reads.wants_round() && self.raft.raft.commit_to_current_term() {
                let round = self.reads.begin_round(self.raft.raft.raft_log.committed);
                let followers = self.followers();
                // Just enough for a quorum; the others are asked when one is late.
                let is_joint = !self.raft.store().conf_state().voters_outgoing.is_empty();
                let enough = if is_joint { followers.len() } else { followers.len().div_ceil(2) };
                let chosen = self.reads.first_choice(&followers, enough);
                self.ask_round(round, &chosen);
                self.finish_round();
            }
        } else if self.leader() != 0
            && let Some(context) = self.reads.ask()
        {
            let request = peer::ReadIndexRequest { context, ..Default::default() };
            self.effects.send_now.push((self.leader(), PeerMessage::ReadIndexRequest(request)));
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
        let Some(confirmers) = self.reads.confirmers() else { return };
        let mut quorum: HashSet<NodeId, _> = HashSet::default();
        quorum.extend(confirmers);
        quorum.insert(self.config.node_id);
        if !self.raft.raft.prs().has_quorum(&quorum) {
            return;
        }
        for (node, context, index) in self.reads.finish_round() {
            let mut response = peer::ReadIndexResponse { context, index, ..Default::default() };
            response.set_matched(self.matched().into());
            self.effects.send_now.push((node, PeerMessage::ReadIndexResponse(response)));
            self.commits.wait(node);
        }
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
