//! Raft's configuration follows the members that operators want (`machine::members`): the
//! leader compares the two and proposes one change at a time; whoever leads next goes on. The
//! wishes are replicated, and this module keeps nothing that must survive its node. It must
//! never make this node propose what takes its own vote: see `membership/plan`.

mod plan;

use super::{Event, Group};
use crate::limits;
use crate::wire::NodeId;
use plan::{Peer, Step, View};
use raft::eraftpb::{ConfState, Message, MessageType};
use raft::{ProgressState, StateRole};
use std::collections::BTreeMap;

/// See the module's text. All but the last is the leader's, of its present term.
#[derive(Debug, Default)]
pub struct Membership {
    /// Something may have changed since the last look.
    is_due: bool,
    /// The tick at which each node has answered last. (raft-rs's `recent_active` is false for
    /// everybody for a while after each of its checks.)
    answered: BTreeMap<NodeId, u64>,
    /// Members that are registered, and an index at which they were.
    registered: BTreeMap<NodeId, u64>,
    waits: Option<String>,
    /// An attempt to hand leadership over stops all writes for up to an election timeout: the
    /// next one has to wait until this tick.
    next_hand_over_tick: u64,
    /// This node was removed, and ends at this tick.
    ends_at_tick: Option<u64>,
}

impl Membership {
    /// Members, configuration or peers may have changed.
    pub fn look_again(&mut self) {
        self.is_due = true;
    }

    /// What was known of the others is void.
    pub fn leader_changed(&mut self) {
        *self = Self { is_due: true, ends_at_tick: self.ends_at_tick, ..Self::default() };
    }

    /// Why a wish is not carried out yet.
    pub fn waits(&self) -> Option<&String> {
        self.waits.as_ref()
    }

    /// Whether this node was removed from the cluster.
    pub fn is_removed(&self) -> bool {
        self.ends_at_tick.is_some()
    }
}

/// The same set, in the same order on every replica.
fn sorted(mut conf_state: ConfState) -> ConfState {
    conf_state.voters.sort_unstable();
    conf_state.learners.sort_unstable();
    conf_state.voters_outgoing.sort_unstable();
    conf_state.learners_next.sort_unstable();
    conf_state
}

impl Group {
    /// Notes that a follower or learner of this term has answered.
    pub(super) fn note_answer(&mut self, from: NodeId, message: &Message) {
        let is_answer = matches!(
            message.get_msg_type(),
            MessageType::MsgAppendResponse | MessageType::MsgHeartbeatResponse
        );
        if is_answer && self.is_leader() && message.term == self.raft.raft.term {
            self.membership.answered.insert(from, self.ticks);
        }
    }

    fn is_active(&self, node: NodeId) -> bool {
        self.has_answered_within(node, 1)
    }

    /// Whether a follower or learner of this term has answered since so many election timeouts.
    pub(super) fn has_answered_within(&self, node: NodeId, elections: u64) -> bool {
        let answered = self.membership.answered.get(&node);
        answered.is_some_and(|tick| self.ticks - tick <= elections * self.config.election_ticks as u64)
    }

    fn note_registered(&mut self) {
        let applied = self.applied();
        for (&node, member) in self.machine.members().all() {
            if member.incarnation.is_some() {
                self.membership.registered.entry(node).or_insert(applied);
            }
        }
    }

    fn peers(&self) -> BTreeMap<NodeId, Peer> {
        let last_index = self.raft.raft.raft_log.last_index();
        let others = self.raft.raft.prs().iter().filter(|(node, _)| **node != self.config.node_id);
        let peer = |(&node, progress): (&NodeId, &raft::Progress)| {
            let registered = self.membership.registered.get(&node);
            let peer = Peer {
                matched: progress.matched,
                // A probe of who has everything is not answered before there is something to probe with.
                replicates: progress.state == ProgressState::Replicate
                    || progress.state == ProgressState::Probe && progress.matched == last_index,
                active: self.is_active(node),
                settled: registered.is_some_and(|&index| progress.committed_index >= index),
            };
            (node, peer)
        };
        others.map(peer).collect()
    }

    fn view<'a>(&'a self, peers: &'a BTreeMap<NodeId, Peer>) -> View<'a> {
        View {
            me: self.config.node_id,
            members: self.machine.members(),
            conf: self.raft.store().conf_state(),
            last_index: self.raft.raft.raft_log.last_index(),
            peers,
        }
    }

    /// The next step towards the members that are wanted, if there is one.
    pub(super) fn reconcile(&mut self) {
        if !self.membership.is_due || !self.leads_and_knows() || self.machine.cluster_id().is_none() {
            return;
        }
        self.membership.is_due = false;
        if self.raft.raft.has_pending_conf() || self.raft.raft.lead_transferee.is_some() {
            return; // its end, or the next tick, brings us here again
        }
        self.note_registered();
        let peers = self.peers();
        let plan = self.view(&peers).plan();
        self.membership.waits = plan.waits;
        match plan.step {
            // Refused when too much is under way: the next tick tries again.
            Some(Step::Change(change)) => drop(self.raft.propose_conf_change(Vec::new(), change)),
            Some(Step::HandOver(to)) if self.ticks >= self.membership.next_hand_over_tick => {
                self.membership.next_hand_over_tick = self.ticks + 3 * self.config.election_ticks as u64;
                self.raft.transfer_leader(to);
            }
            Some(Step::HandOver(_)) | None => {}
        }
    }

    /// Who takes over best from this leader.
    pub(super) fn successor(&self) -> Option<NodeId> {
        let peers = self.peers();
        self.view(&peers).successor()
    }

    /// Raft's configuration has changed, at an entry that was just applied.
    pub(super) fn configured(&mut self, conf_state: ConfState) {
        let conf_state = sorted(conf_state);
        self.lease.reconfigured(self.now.mono_us);
        self.machine.configured(&conf_state);
        self.effects.events.push(Event::Membership {
            voters: conf_state.voters.clone(),
            learners: conf_state.learners.clone(),
        });
        self.effects.members_changed = true;
        self.membership.look_again();
        self.raft.mut_store().set_conf_state(conf_state);
        self.give_up_office();
        self.notice_removal();
        // What a round lacked for its quorum may be no voter any more.
        self.finish_round();
    }

    /// raft-rs leaves a node without a vote in its role, and panics at the leader's next step
    /// when that node is no member at all. Happens to a leader whose predecessor proposed it.
    fn give_up_office(&mut self) {
        let raft = &mut self.raft.raft;
        if !raft.promotable() && raft.state != StateRole::Follower {
            let term = raft.term;
            raft.become_follower(term, raft::INVALID_ID);
        }
    }

    /// A node that finds itself removed serves nobody any more, but answers Raft a while longer:
    /// the others may not know yet that they can do without its vote.
    pub(super) fn notice_removal(&mut self) {
        let is_removed = self.machine.members().removed().contains(&self.config.node_id);
        if is_removed && self.membership.ends_at_tick.is_none() {
            let lingers_ticks = limits::REMOVED_LINGERS_ELECTIONS * self.config.election_ticks as u64;
            self.membership.ends_at_tick = Some(self.ticks + lingers_ticks);
            self.give_up_all();
        }
    }

    /// Somebody still counts on this node, although it was removed: its time begins again.
    pub(super) fn linger(&mut self) {
        if let Some(tick) = &mut self.membership.ends_at_tick {
            *tick = self.ticks + limits::REMOVED_LINGERS_ELECTIONS * self.config.election_ticks as u64;
        }
    }

    /// Ends a node that was removed, when its time has come.
    pub(super) fn end_when_removed(&mut self) {
        if self.membership.ends_at_tick.is_some_and(|tick| self.ticks >= tick) {
            self.halt(Event::Removed { node: self.config.node_id });
        }
    }
}
