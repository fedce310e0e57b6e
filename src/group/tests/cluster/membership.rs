//! Commands of scripts that are about members.

use super::{Cluster, Durable, Node, id};
use crate::group::{Input, Job, Step};
use crate::wire::units::{self, Change, Membership};
use smallvec::SmallVec;
use std::fmt::Write as _;

impl Cluster {
    pub(super) fn membership_command(&mut self, words: &[&str], out: &mut String) {
        match words {
            ["join", node] => self.join(id(node)),
            ["wish", at, "add", node] => self.wish(id(at), Change::ADD, id(node), 0, out),
            ["wish", at, "remove", node] => self.wish(id(at), Change::REMOVE, id(node), 0, out),
            ["wish", at, "promote", node] => self.wish(id(at), Change::PROMOTE, id(node), 0, out),
            ["wish", at, "demote", node] => self.wish(id(at), Change::DEMOTE, id(node), 0, out),
            ["wish", at, "replace", old, new] => self.wish(id(at), Change::REPLACE, id(new), id(old), out),
            ["transfer", at, to] => self.input(id(at), Input::TransferLeader(id(to)), out),
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
