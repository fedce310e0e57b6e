//! The next step from Raft's configuration to the members that operators want: a pure function
//! of what the leader sees. This module must never plan a change whose voters would have no
//! majority that answers, and never one that its own node would not survive as leader.

use crate::limits;
use crate::machine::{Members, Wanted};
use crate::wire::NodeId;
use raft::eraftpb::{ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState};
use std::collections::{BTreeMap, BTreeSet};

/// What the leader knows of another node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer {
    /// The last entry known to be on its disk.
    pub matched: u64,
    /// It takes entries as they come: neither probed nor waiting for a snapshot.
    pub replicates: bool,
    /// It has answered within an election timeout.
    pub active: bool,
    /// It has heard that its registration is committed: until then it would not use its vote.
    pub settled: bool,
}

/// What the leader sees.
pub struct View<'a> {
    /// The leader.
    pub me: NodeId,
    /// What is wanted.
    pub members: &'a Members,
    /// What is.
    pub conf: &'a ConfState,
    /// Of the leader's log.
    pub last_index: u64,
    /// All nodes of the configuration but the leader.
    pub peers: &'a BTreeMap<NodeId, Peer>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Propose this.
    Change(ConfChangeV2),
    /// Let this node lead: what is next would take the leader's vote, so its successor does it.
    HandOver(NodeId),
}

/// The next step, and what has to wait, and for what.
#[derive(Debug, Default, PartialEq)]
pub struct Plan {
    /// None: nothing to do, or nothing that may be done yet.
    pub step: Option<Step>,
    /// A sentence for the operator.
    pub waits: Option<String>,
}

/// One way in which the configuration is not what it is to be, in the order of their turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// A new member is to receive the log.
    Learn(NodeId),
    /// A learner is to vote.
    Promote(NodeId),
    /// A member without a vote leaves.
    Forget(NodeId),
    /// A voter is to lose its vote: nodes that are down first, the leader last.
    Retire(Retired, NodeId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Retired {
    Silent,
    Active,
    Leader,
}

fn single(kind: ConfChangeType, node_id: NodeId) -> ConfChangeSingle {
    let mut single = ConfChangeSingle { node_id, ..Default::default() };
    single.set_change_type(kind);
    single
}

/// Several at once go through joint consensus. Its end is proposed by whoever leads then:
/// raft-rs would end it by itself only while the same node leads.
fn change(singles: Vec<ConfChangeSingle>) -> ConfChangeV2 {
    let mut change = ConfChangeV2::default();
    if singles.len() > 1 {
        change.set_transition(ConfChangeTransition::Explicit);
    }
    change.set_changes(singles.into());
    change
}

fn list(nodes: &BTreeSet<NodeId>) -> String {
    nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl View<'_> {
    /// What comes next.
    pub fn plan(&self) -> Plan {
        let mut plan = Plan::default();
        if !self.conf.voters_outgoing.is_empty() {
            let leaving_joint = Step::Change(ConfChangeV2::default());
            self.decide(&mut plan, self.after_vote_of_leader(leaving_joint));
            return plan;
        }
        for difference in self.differences() {
            let decision = match difference {
                Difference::Learn(node) => Ok(self.one(ConfChangeType::AddLearnerNode, node)),
                Difference::Forget(node) => Ok(self.one(ConfChangeType::RemoveNode, node)),
                Difference::Promote(node) => self.promote(node),
                Difference::Retire(_, node) => self.retire(node),
            };
            if self.decide(&mut plan, decision) {
                break;
            }
        }
        plan
    }

    fn decide(&self, plan: &mut Plan, decision: Result<Step, String>) -> bool {
        match decision {
            Ok(step) => plan.step = Some(step),
            Err(reason) => {
                plan.waits.get_or_insert(reason);
            }
        }
        plan.step.is_some()
    }

    fn one(&self, kind: ConfChangeType, node: NodeId) -> Step {
        Step::Change(change(vec![single(kind, node)]))
    }

    fn votes(&self, node: NodeId) -> bool {
        self.conf.voters.contains(&node)
    }

    fn is_there(&self, node: NodeId) -> bool {
        self.votes(node) || self.conf.learners.contains(&node)
    }

    /// Whether this member is to go: by wish, or because another one has taken its place.
    fn leaves(&self, node: NodeId, wanted: Wanted) -> bool {
        let is_replaced = || {
            let mut all = self.members.all().iter();
            all.any(|(&other, member)| member.replaces == Some(node) && self.votes(other))
        };
        wanted == Wanted::REMOVED || is_replaced()
    }

    fn differences(&self) -> BTreeSet<Difference> {
        let difference = |(&node, member): (&NodeId, &crate::machine::Member)| {
            let votes = self.votes(node);
            if self.leaves(node, member.wanted) {
                return Some(if votes { self.retirement(node) } else { Difference::Forget(node) });
            }
            match member.wanted {
                _ if !self.is_there(node) => Some(Difference::Learn(node)),
                Wanted::VOTER if !votes => Some(Difference::Promote(node)),
                Wanted::LEARNER if votes => Some(self.retirement(node)),
                _ => None,
            }
        };
        self.members.all().iter().filter_map(difference).collect()
    }

    fn retirement(&self, node: NodeId) -> Difference {
        let how = match node {
            node if node == self.me => Retired::Leader,
            node if self.is_active(node) => Retired::Active,
            _ => Retired::Silent,
        };
        Difference::Retire(how, node)
    }

    fn is_active(&self, node: NodeId) -> bool {
        node == self.me || self.peers.get(&node).is_some_and(|peer| peer.active)
    }

    fn has_live_majority(&self, voters: &BTreeSet<NodeId>) -> bool {
        let active = voters.iter().filter(|&&node| self.is_active(node)).count();
        active > voters.len() / 2
    }

    fn voters_without(&self, node: Option<NodeId>) -> BTreeSet<NodeId> {
        self.conf.voters.iter().copied().filter(|&voter| Some(voter) != node).collect()
    }

    fn promote(&self, node: NodeId) -> Result<Step, String> {
        let Some(member) = self.members.all().get(&node) else { return Err(String::new()) };
        let Some(peer) = self.peers.get(&node).filter(|peer| peer.active) else {
            return Err(format!("node {node} does not answer: it gets its vote once it has caught up"));
        };
        if member.incarnation.is_none() {
            return Err(format!("node {node} has not come yet: it gets its vote once it has caught up"));
        }
        let behind = self.last_index.saturating_sub(peer.matched);
        if !peer.replicates || behind > limits::MAX_PROMOTION_LAG_ENTRIES {
            return Err(format!("node {node} is catching up: it is {behind} entries behind"));
        }
        if !peer.settled {
            return Err(format!("node {node} is about to hear that it is a member"));
        }
        let old = member.replaces.filter(|&old| self.is_there(old));
        let mut voters = self.voters_without(old);
        voters.insert(node);
        if !self.has_live_majority(&voters) {
            return Err(format!(
                "node {node} gets no vote yet: of the voters {} no majority answers",
                list(&voters)
            ));
        }
        let mut singles = vec![single(ConfChangeType::AddNode, node)];
        if old == Some(self.me) {
            // Whoever takes over swaps the two. When there is nobody else, the new node has to
            // vote beside this one first, to take over itself.
            return self.hand_over().or(Ok(Step::Change(change(singles))));
        }
        singles.extend(old.map(|old| single(ConfChangeType::RemoveNode, old)));
        Ok(Step::Change(change(singles)))
    }

    fn retire(&self, node: NodeId) -> Result<Step, String> {
        let wanted = self.members.all().get(&node).map_or(Wanted::REMOVED, |member| member.wanted);
        let voters = self.voters_without(Some(node));
        if voters.is_empty() {
            return Err(format!("node {node} is the only voter: it stays until another one votes"));
        }
        if !self.has_live_majority(&voters) {
            return Err(format!(
                "node {node} stays a voter: without it no majority of the voters {} answers \
                 (RAFT PROMOTE {node} takes the wish back)",
                list(&voters)
            ));
        }
        if node == self.me {
            return self.hand_over();
        }
        let kind = if self.leaves(node, wanted) {
            ConfChangeType::RemoveNode
        } else {
            ConfChangeType::AddLearnerNode
        };
        Ok(self.one(kind, node))
    }

    /// `step`, if the leader has a vote after it; otherwise its successor does it.
    fn after_vote_of_leader(&self, step: Step) -> Result<Step, String> {
        if self.votes(self.me) { Ok(step) } else { self.hand_over() }
    }

    fn hand_over(&self) -> Result<Step, String> {
        let successor = self.successor();
        successor.map(Step::HandOver).ok_or_else(|| {
            format!("node {} leads, and no other voter has caught up to take that over", self.me)
        })
    }

    /// Who leads best when this node does not: a voter that stays one, with most of the log.
    pub fn successor(&self) -> Option<NodeId> {
        let stays = |node: &NodeId| {
            let member = self.members.all().get(node);
            member.is_some_and(|member| member.wanted == Wanted::VOTER && !self.leaves(*node, member.wanted))
        };
        let able =
            self.peers.iter().filter(|(node, peer)| self.votes(**node) && peer.active && peer.replicates);
        able.max_by_key(|(node, peer)| (stays(node), peer.matched, **node)).map(|(node, _)| *node)
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
