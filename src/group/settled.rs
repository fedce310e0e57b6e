//! Whether this data directory is the one that its node id belongs to.
//!
//! A node that comes back with an empty disk has forgotten its votes and what it
//! acknowledged: with its vote, a leader could be elected that lacks committed entries.
//! Until it is known that this directory never held more than it holds now, the node takes
//! the log but neither votes nor campaigns once anything may have been committed. It is
//! known when the node took part in the very first entries of the log, or when its
//! registration went through the log: an id that another directory has registered is refused.

use super::job::{Job, Step};
use super::{Event, Group, OWN_TICKET};
use crate::wire::units::{self, Register};
use raft::eraftpb::{Message, MessageType};
use smallvec::SmallVec;

impl Group {
    pub(super) fn settle(&mut self) {
        if !self.settled {
            self.settled = true;
            self.effects.settle = true;
        }
    }

    fn log_is_empty(&self) -> bool {
        self.raft.store().last().index == 0
    }

    pub(super) fn may_campaign(&self) -> bool {
        (self.settled || self.log_is_empty()) && !self.is_installing()
    }

    /// A leader's snapshot was taken and is not on disk yet. raft-rs counts it as applied only
    /// then, and until then panics when it campaigns: it looks for the entries before it.
    fn is_installing(&self) -> bool {
        self.applied() + 1 < self.raft.store().first()
    }

    /// Whether Raft may see this message. Also settles on the first entries of a log: what a
    /// leader of this very term appends from the start, with nothing committed.
    pub(super) fn admits(&mut self, message: &Message) -> bool {
        if message.get_msg_type() == MessageType::MsgTimeoutNow && self.is_installing() {
            return false;
        }
        if self.settled {
            return true;
        }
        match message.get_msg_type() {
            MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
                message.index == 0 && self.log_is_empty()
            }
            MessageType::MsgTimeoutNow => false,
            MessageType::MsgAppend => {
                let first_term = message.entries.first().map(|entry| entry.term);
                if message.index == 0 && message.commit == 0 && first_term == Some(message.term) {
                    self.settle();
                }
                true
            }
            _ => true,
        }
    }

    /// Says who this node is, through the log, when the log does not say so yet. When it does, that is enough to
    /// vote: whoever waits for this vote may be the only one who could lead.
    pub(super) fn maybe_register(&mut self) {
        if self.registering || self.membership.is_removed() {
            return;
        }
        let config = &self.config;
        let known = self.machine.members().all().get(&config.node_id);
        if let Some(member) = known
            && let Some(registered) = member.incarnation
        {
            if registered != config.incarnation {
                return self.refused();
            }
            let is_here = member.client_addr == config.client_addr && member.peer_addr == config.peer_addr;
            self.settle();
            if is_here {
                return;
            }
        } else if known.is_none() && self.machine.cluster_id().is_some() {
            // Its own state does not know of it yet: the entry that adds it is still to be applied.
            return;
        }
        if self.leader() == 0 {
            return;
        }
        let config = &self.config;
        let register = Register {
            node: config.node_id,
            incarnation: &config.incarnation,
            client_addr: &config.client_addr,
            peer_addr: &config.peer_addr,
        };
        let mut body = Vec::new();
        units::put_register_unit(&mut body, &register);
        self.registering = true;
        let steps = SmallVec::from_iter([Step::Write]);
        let job = Job { ticket: OWN_TICKET, body, steps, ..Default::default() };
        self.stream.submit(job, self.now.mono_us);
        self.is_stirred = true;
    }

    pub(super) fn refused(&mut self) {
        let reason = format!(
            "node id {0} belongs to another data directory: this one is new or foreign. Start the node with \
             its old directory; if that is lost, put a new node in its place with RAFT REPLACE {0} * host:port \
             on any node of the cluster, and start this one with an empty directory and --join",
            self.config.node_id
        );
        self.halt(Event::Refused { reason });
    }
}
