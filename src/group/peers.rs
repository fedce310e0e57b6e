//! What peers say: Raft's own messages, forwarded batches, and the rounds of reads. This module
//! must never let Raft see a message that would break what this node has promised.

use super::Group;
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use raft::eraftpb::{Message, MessageType};

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
            PeerMessage::ReadIndexRequest(request) => self.read_index_asked(from, &request),
            PeerMessage::ReadIndexResponse(response) => self.reads.answered(response.context, response.index),
            PeerMessage::ReadRound(round) => self.round_asked(from, &round),
            PeerMessage::ReadRoundAck(ack) => self.round_confirmed(from, &ack),
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
        if self.is_forbidden(&message) {
            return;
        }
        if self.proves_loss(&message) {
            return self.refused();
        }
        self.note_answer(from, &message);
        self.linger();
        let tells_matched = message.get_msg_type() == MessageType::MsgAppendResponse;
        // An error means that Raft has no use for it: a peer that was removed, an old term.
        let _ = self.raft.step(message);
        if tells_matched {
            self.look_at_others();
        }
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
            // A transfer is asked for with a message of our own.
            MessageType::MsgTransferLeader => false,
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
}
