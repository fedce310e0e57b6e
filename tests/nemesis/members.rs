//! Members that come and go while other things happen. A node that leaves from one of the
//! first addresses, where clients are, is followed by a new one at the same place.

use super::faults::{Cure, Nemesis};
use crate::harness::{PATIENCE, eventually};
use rand::seq::IndexedRandom as _;

/// Members at once.
const MOST_MEMBERS: usize = 5;

impl Nemesis {
    /// Starts a node that asks for membership itself.
    pub(super) fn make_join(&mut self) -> Option<(String, Cure)> {
        if self.cluster.ids().len() >= MOST_MEMBERS {
            return None;
        }
        let id = self.new_id();
        let peer_addr = self.cluster.prepare_joining(id).peer_addr.clone();
        let behind = self.relays.behind(&peer_addr);
        self.start_joining(id, &behind);
        Some((format!("node {id} joins"), Cure::Joined(id)))
    }

    /// Asks some node for the removal of another, which may lead.
    pub(super) fn make_remove(&mut self) -> Option<(String, Cure)> {
        let is_fixed = |id: &u64| self.disk.as_ref().is_some_and(|(on_disk, _)| on_disk == id);
        let may_go = |id: &u64| !is_fixed(id) && !self.down.contains(id) && !self.joining.contains(id);
        let ids: Vec<u64> = self.cluster.ids().into_iter().filter(may_go).collect();
        let target = *ids.choose(&mut self.rng)?;
        self.down.insert(target);
        let (asked, reply) = self.ask_for_removal(target);
        Some((format!("remove node {target}, at node {asked}: {reply}"), Cure::Removed(target)))
    }

    /// An id is never used again.
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Starts a node that was prepared to join, with its address for peers behind a relay.
    fn start_joining(&mut self, id: u64, behind: &str) {
        self.joining.insert(id);
        let node = self.cluster.node_mut(id);
        let port = node.peer_addr.rsplit_once(':').expect("an address").1;
        let advertised = format!("{}@{port}", node.addr);
        let peer_bind = node.flags.iter().position(|flag| flag == "--peer-bind").expect("it has one");
        node.flags[peer_bind + 1] = behind.to_owned();
        node.flags.extend(["--advertise".to_owned(), advertised]);
        if let Some(clocks) = &self.clocks {
            clocks.under(node);
        }
        node.start();
    }

    /// Which node was asked, and what it said.
    fn ask_for_removal(&mut self, target: u64) -> (u64, String) {
        let others: Vec<u64> = self.cluster.running().into_iter().filter(|id| *id != target).collect();
        let Some(&asked) = others.choose(&mut self.rng) else { return (0, "nobody is there".to_owned()) };
        let reply = self.ask(asked, &["RAFT", "REMOVE", &target.to_string()]);
        (asked, reply)
    }

    /// The node has become a member like any other.
    pub(super) fn cure_joined(&mut self, id: u64) {
        self.joining.remove(&id);
        if !self.cluster.node_mut(id).is_running() {
            self.cluster.restart(id); // what a half-done join takes is to be done again
        }
        let sees = |cluster: &crate::harness::Cluster, at: u64| {
            let voters = cluster.node(at).info("raft_voters")?;
            voters.split(',').any(|voter| voter == id.to_string()).then_some(())
        };
        // One that is being removed may end before it hears of it.
        for at in self.cluster.running().into_iter().filter(|at| !self.down.contains(at)) {
            eventually(&format!("node {at} sees the voter {id}"), || sees(&self.cluster, at));
        }
    }

    /// The node is gone for good, and says so.
    pub(super) fn cure_removed(&mut self, id: u64) {
        eventually(&format!("node {id} is removed"), || (self.ask_for_removal(id).1 == "OK").then_some(()));
        let node = self.cluster.node_mut(id);
        if node.pid().is_none() {
            node.start();
        }
        let status = node.wait_end(PATIENCE);
        assert_eq!(status.code(), Some(1), "the exit status of node {id}, which was removed");
        assert!(node.read_log().contains("was removed from the cluster"), "node {id} says why it ends");
        self.down.remove(&id);
        let old = self.cluster.forget(id);
        if let Some(behind) = self.first_places.remove(&id) {
            let new = self.new_id();
            self.cluster.prepare_joining_at(new, old.addr, old.peer_addr);
            self.cluster.node_mut(new).flags.extend(["--node-id".to_owned(), new.to_string()]);
            self.start_joining(new, &behind);
            self.first_places.insert(new, behind);
            self.cure_joined(new);
        }
    }
}
