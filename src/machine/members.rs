//! Who belongs to the cluster: what operators asked for, and what nodes said of themselves.
//! Raft's own configuration follows these wishes (`group/membership`) and is never kept here:
//! this module must only learn of it what every replica learns at the same entry.

use crate::command::Reply;
use crate::limits;
use crate::wire::NodeId;
use crate::wire::units::{Change, Membership, Register};
use raft::eraftpb::ConfState;
use std::collections::{BTreeMap, BTreeSet};

pub use crate::wire::proto::snapshot::Wanted;

/// A member, wished for or present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// Made with its data directory: another one under the same id is refused. None: no node
    /// has come under this id yet.
    pub incarnation: Option<[u8; 16]>,
    /// Where clients reach it, `host:port`; empty: not known yet.
    pub client_addr: String,
    /// Where peers reach it, `host:port`; empty: not known yet.
    pub peer_addr: String,
    /// What it is meant to be. A voter is a learner until it has caught up.
    pub wanted: Wanted,
    /// Who leaves in the moment that this one becomes a voter.
    pub replaces: Option<NodeId>,
}

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    pub(super) all: BTreeMap<NodeId, Member>,
    /// Ids that were in use once: never again, for their nodes may still be somewhere.
    pub(super) removed: BTreeSet<NodeId>,
    pub(super) first_voters: Vec<NodeId>,
}

fn error(text: impl Into<String>) -> Reply {
    Reply::error_owned(format!("ERR {}", text.into()))
}

impl Members {
    /// All that are members or are to become or to stop being members.
    pub fn all(&self) -> &BTreeMap<NodeId, Member> {
        &self.all
    }

    /// Ids that were removed.
    pub fn removed(&self) -> &BTreeSet<NodeId> {
        &self.removed
    }

    /// The voters of the log's beginning: what a log without a snapshot starts from.
    pub fn first_voters(&self) -> &[NodeId] {
        &self.first_voters
    }

    pub(super) fn bootstrap(&mut self, voters: &[NodeId]) {
        self.first_voters = voters.to_vec();
        for &voter in voters {
            self.all.entry(voter).or_default();
        }
    }

    pub(super) fn register(&mut self, register: &Register<'_>) -> Reply {
        let Ok(incarnation) = <[u8; 16]>::try_from(register.incarnation) else {
            return Reply::error("ERR malformed incarnation");
        };
        if self.removed.contains(&register.node) {
            return error(format!("node {} was removed from this cluster", register.node));
        }
        let Some(member) = self.all.get_mut(&register.node) else {
            return error(format!("node {} is no member of this cluster", register.node));
        };
        if member.incarnation.is_some_and(|known| known != incarnation) {
            return Reply::error("ERR this node id belongs to another data directory");
        }
        member.incarnation = Some(incarnation);
        register.client_addr.clone_into(&mut member.client_addr);
        register.peer_addr.clone_into(&mut member.peer_addr);
        Reply::Ok
    }

    /// Takes a wish. The reply is the id of the node that it is about, or an error, and then
    /// nothing has changed. A wish that is granted already is granted again.
    pub(super) fn change(&mut self, wish: &Membership<'_>) -> Reply {
        let outcome = match wish.change {
            Change::ADD => self.add(wish, None),
            Change::REPLACE => self.replace(wish),
            Change::REMOVE => self.want(wish.node, Wanted::REMOVED),
            Change::PROMOTE => self.want(wish.node, Wanted::VOTER),
            Change::DEMOTE => self.want(wish.node, Wanted::LEARNER),
        };
        outcome.map_or_else(|error| error, |node| Reply::Int(node as i64))
    }

    fn add(&mut self, wish: &Membership<'_>, replaces: Option<NodeId>) -> Result<NodeId, Reply> {
        if wish.client_addr.is_empty() || wish.peer_addr.is_empty() {
            return Err(error("a new member needs an address"));
        }
        if self.removed.contains(&wish.node) {
            return Err(error(format!(
                "node {} was removed, and an id is never used again: choose another",
                wish.node
            )));
        }
        if let Some(known) = self.all.get_mut(&wish.node) {
            let same = known.client_addr == wish.client_addr && known.peer_addr == wish.peer_addr;
            if !same || known.wanted == Wanted::REMOVED {
                let addr = &known.client_addr;
                return Err(error(format!("node {} is a member already, at {addr}", wish.node)));
            }
            if replaces.is_some() {
                known.replaces = replaces;
                known.wanted = Wanted::VOTER;
            }
            return Ok(wish.node);
        }
        let is_same =
            |member: &Member| member.client_addr == wish.client_addr && member.peer_addr == wish.peer_addr;
        // Asked for once more, perhaps by the node itself, which does not know whom it replaces.
        let asked_for = self.all.iter().find(|(_, member)| {
            let is_free = member.incarnation.is_none() && member.wanted != Wanted::REMOVED;
            is_free && is_same(member) && (replaces.is_none() || member.replaces == replaces)
        });
        if let Some((&id, _)) = asked_for.filter(|_| wish.node == 0) {
            return Ok(id);
        }
        let is_at = |member: &Member| {
            [wish.client_addr, wish.peer_addr]
                .iter()
                .any(|addr| member.client_addr == *addr || member.peer_addr == *addr)
        };
        let holder = self.all.iter().find(|(id, member)| Some(**id) != replaces && is_at(member));
        if let Some((&id, _)) = holder {
            return Err(error(format!(
                "{} is the address of node {id}: a node that has lost its data takes the place of the old one \
                 with RAFT REPLACE {id} * {}",
                wish.client_addr, wish.client_addr
            )));
        }
        if self.all.len() >= limits::MAX_MEMBERS {
            return Err(error(format!("a cluster has at most {} members", limits::MAX_MEMBERS)));
        }
        let node = if wish.node == 0 { self.next_id() } else { wish.node };
        if node > limits::MAX_NODE_ID {
            return Err(error(format!("node {node}: the highest id of a node is {}", limits::MAX_NODE_ID)));
        }
        let (client_addr, peer_addr) = (wish.client_addr.to_owned(), wish.peer_addr.to_owned());
        let member = Member { client_addr, peer_addr, replaces, ..Member::default() };
        self.all.insert(node, member);
        Ok(node)
    }

    fn next_id(&self) -> NodeId {
        let last = [self.all.keys().next_back(), self.removed.iter().next_back()];
        last.into_iter().flatten().max().map_or(1, |last| last.saturating_add(1))
    }

    fn replace(&mut self, wish: &Membership<'_>) -> Result<NodeId, Reply> {
        if wish.old == wish.node {
            return Err(error("the new node needs an id of its own"));
        }
        if self.removed.contains(&wish.old) {
            let is_new = |&(&node, member): &(&NodeId, &Member)| {
                (wish.node == 0 || wish.node == node)
                    && member.client_addr == wish.client_addr
                    && member.peer_addr == wish.peer_addr
            };
            if let Some((&node, _)) = self.all.iter().find(is_new) {
                return Ok(node); // done before
            }
        }
        self.member(wish.old)?;
        let other = |(node, member): (&NodeId, &Member)| {
            let is_other = if wish.node == 0 {
                member.client_addr != wish.client_addr || member.peer_addr != wish.peer_addr
            } else {
                *node != wish.node
            };
            (is_other && member.replaces == Some(wish.old)).then_some(*node)
        };
        if let Some(other) = self.all.iter().find_map(other) {
            return Err(error(format!(
                "node {other} is to take the place of node {} already: RAFT REMOVE {other} takes that back",
                wish.old
            )));
        }
        self.add(wish, Some(wish.old))
    }

    fn member(&mut self, node: NodeId) -> Result<&mut Member, Reply> {
        self.all.get_mut(&node).ok_or_else(|| error(format!("there is no node {node}")))
    }

    fn want(&mut self, node: NodeId, wanted: Wanted) -> Result<NodeId, Reply> {
        if wanted == Wanted::REMOVED && self.removed.contains(&node) {
            return Ok(node);
        }
        let another_votes = self.all.iter().any(|(id, member)| *id != node && member.wanted == Wanted::VOTER);
        let member = self.member(node)?;
        if wanted != Wanted::VOTER && !another_votes {
            return Err(error(format!("node {node} is the last voter")));
        }
        member.wanted = wanted;
        Ok(node)
    }

    /// Raft's configuration has changed, at the same entry on every replica.
    pub(super) fn configured(&mut self, conf_state: &ConfState) {
        let mut replaced = Vec::new();
        for (id, member) in &mut self.all {
            if conf_state.voters.contains(id) {
                replaced.extend(member.replaces.take());
            }
        }
        for old in replaced {
            if let Some(member) = self.all.get_mut(&old) {
                member.wanted = Wanted::REMOVED;
            }
        }
        let is_there = |id: &NodeId| {
            [&conf_state.voters, &conf_state.learners, &conf_state.voters_outgoing, &conf_state.learners_next]
                .iter()
                .any(|ids| ids.contains(id))
        };
        let gone: Vec<NodeId> = self
            .all
            .iter()
            .filter(|(id, member)| member.wanted == Wanted::REMOVED && !is_there(id))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            self.all.remove(&id);
            self.removed.insert(id);
        }
    }
}
