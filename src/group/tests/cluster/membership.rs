//! Commands of scripts that are about members.

use super::{Cluster, Durable, Node, id};
use crate::command::Reply;
use crate::group::{Input, Job, Step};
use crate::wire::units::{self, Change, Membership};
use smallvec::SmallVec;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What befalls a cluster at some message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// The leader goes down.
    LeaderCrashes,
    /// The leader hears nobody, and nobody hears it.
    LeaderIsCutOff,
    /// Everybody goes down.
    AllCrash,
    /// What is under way is lost.
    MessagesAreLost,
}

impl Cluster {
    /// Plans a strike for the moment when so many more messages were delivered.
    pub fn plan_strike(&mut self, after: u64, strike: Strike) {
        self.delivered = 0;
        self.strike = Some((after, strike));
    }

    /// Whether the planned strike has not come yet.
    pub fn awaits_strike(&self) -> bool {
        self.strike.is_some()
    }

    pub(super) fn strike_when_due(&mut self) {
        self.delivered += 1;
        let Some((_, strike)) = self.strike.take_if(|(after, _)| *after <= self.delivered) else { return };
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        let leads = |id: &u64| self.group(*id).is_some_and(|group| group.status().role == "leader");
        let leader = ids.iter().copied().find(leads);
        match (strike, leader) {
            (Strike::LeaderCrashes, Some(leader)) => self.crash(leader),
            (Strike::LeaderIsCutOff, Some(leader)) => {
                self.cuts.extend(ids.iter().flat_map(|&id| [(id, leader), (leader, id)]));
            }
            (Strike::AllCrash, _) => ids.iter().for_each(|&id| self.crash(id)),
            (Strike::MessagesAreLost, _) => self.under_way.clear(),
            (_, None) => {}
        }
    }

    /// Everybody who is down starts, and everybody hears everybody.
    pub fn mend(&mut self, dead_for_good: &[u64]) {
        self.strike = None;
        self.cuts.clear();
        let down =
            |(id, node): (&u64, &Node)| (node.group.is_none() && !dead_for_good.contains(id)).then_some(*id);
        let down: Vec<u64> = self.nodes.iter().filter_map(down).collect();
        down.into_iter().for_each(|id| self.start(id));
    }

    /// Whether this node has the key.
    pub fn holds(&self, node: u64, key: &str) -> bool {
        let args = [b"EXISTS".as_slice(), key.as_bytes()].into_iter().collect();
        self.group(node).is_some_and(|group| group.machine().read(&args, 0, 0, 0).0 == Reply::Int(1))
    }

    /// What still differs from these members, each with the same state as the others.
    pub fn differs(&self, voters: &[u64], learners: &[u64]) -> Option<String> {
        let mut states = Vec::new();
        let expected: BTreeSet<u64> = voters.iter().chain(learners).copied().collect();
        for &id in voters.iter().chain(learners) {
            let Some(group) = self.group(id) else { return Some(format!("node {id} is down")) };
            let status = group.status();
            let is_there = (&status.voters[..], &status.learners[..]) == (voters, learners);
            if !is_there || !status.voters_outgoing.is_empty() {
                let waits = status.membership_waits.unwrap_or_default();
                return Some(format!("node {id} has {:?} and {:?}; {waits}", status.voters, status.learners));
            }
            let members = group.machine().members();
            if !members.all().keys().eq(&expected) {
                return Some(format!("node {id} has members {:?}", members.all()));
            }
            states.push((status.applied_index, group.machine().state_hash()));
        }
        states.dedup();
        (states.len() != 1).then(|| "states differ".to_owned())
    }

    pub(super) fn membership_command(&mut self, words: &[&str], out: &mut String) {
        match words {
            ["join", node] => self.join(id(node)),
            ["wish", at, "add", node] => self.wish(id(at), Change::ADD, id(node), 0, out),
            ["wish", at, "remove", node] => self.wish(id(at), Change::REMOVE, id(node), 0, out),
            ["wish", at, "promote", node] => self.wish(id(at), Change::PROMOTE, id(node), 0, out),
            ["wish", at, "demote", node] => self.wish(id(at), Change::DEMOTE, id(node), 0, out),
            ["wish", at, "replace", old, new] => self.wish(id(at), Change::REPLACE, id(new), id(old), out),
            ["snapshot", node] => self.input(id(node), Input::TakeSnapshot, out),
            ["members"] => self.members(out),
            words => panic!("no command of scripts: {words:?}"),
        }
    }

    /// A new node, which knows the first voters of the cluster and nothing else.
    pub(super) fn join(&mut self, node: u64) {
        let disk = Durable { incarnation: [node as u8; 16], ..Durable::default() };
        self.nodes.insert(node, Node { disk, ..Node::default() });
        self.start(node);
    }

    fn wish(&mut self, at: u64, change: Change, node: u64, old: u64, out: &mut String) {
        self.tickets += 1;
        let (client_addr, peer_addr) = match change {
            Change::ADD | Change::REPLACE => (format!("c{node}"), format!("p{node}")),
            _ => Default::default(),
        };
        let mut body = Vec::new();
        let wish = Membership { change, node, old, client_addr: &client_addr, peer_addr: &peer_addr };
        units::put_membership_unit(&mut body, &wish);
        let steps = SmallVec::from_iter([Step::Write]);
        self.input(at, Input::Submit(Job { ticket: self.tickets, body, steps, ..Default::default() }), out);
    }

    fn members(&self, out: &mut String) {
        for (id, node) in &self.nodes {
            let Some(group) = &node.group else {
                let _ = writeln!(out, "{id}: down");
                continue;
            };
            let status = group.status();
            let _ = write!(out, "{id}: {} with voters {:?}", status.role, status.voters);
            let removed: Vec<u64> = group.machine().members().removed().iter().copied().collect();
            for (name, ids) in [
                ("outgoing", &status.voters_outgoing),
                ("learners", &status.learners),
                ("learners next", &status.learners_next),
                ("removed", &removed),
            ] {
                if !ids.is_empty() {
                    let _ = write!(out, ", {name} {ids:?}");
                }
            }
            let waits = status.membership_waits.map(|waits| format!("; {waits}"));
            let _ = writeln!(out, "{}", waits.unwrap_or_default());
        }
    }
}
