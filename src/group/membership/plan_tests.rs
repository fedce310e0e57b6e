//! Plans by what a leader sees; how they are carried out is in the golden scripts.

use super::*;
use crate::machine::Machine;
use crate::wire::units::{self, Change, Membership, Register, Units};

fn carry_out(machine: &mut Machine, body: &[u8]) {
    for unit in Units::new(body) {
        let reply = machine.execute(&unit.unwrap());
        assert!(!reply.is_error(), "{reply:?}");
    }
}

/// What node 1 sees, whose log has 5,000 entries.
struct Scene {
    machine: Machine,
    conf: ConfState,
    peers: BTreeMap<NodeId, Peer>,
}

const READY: Peer = Peer { matched: 4990, replicates: true, active: true, settled: true };

/// All are up, and the configuration is as it should be.
fn scene(voters: &[NodeId]) -> Scene {
    let mut machine = Machine::new();
    let mut body = Vec::new();
    units::put_bootstrap_unit(&mut body, &[7; 16], &[8; 16], voters, "");
    carry_out(&mut machine, &body);
    let mut scene = Scene {
        machine,
        conf: ConfState { voters: voters.to_vec(), ..Default::default() },
        peers: voters.iter().filter(|&&node| node != 1).map(|&node| (node, READY)).collect(),
    };
    voters.iter().for_each(|&node| scene.register(node));
    scene
}

impl Scene {
    fn register(&mut self, node: NodeId) {
        let mut body = Vec::new();
        let (client_addr, peer_addr) = (format!("c{node}"), format!("p{node}"));
        let register = Register {
            node,
            incarnation: &[node as u8; 16],
            client_addr: &client_addr,
            peer_addr: &peer_addr,
        };
        units::put_register_unit(&mut body, &register);
        carry_out(&mut self.machine, &body);
    }

    fn wish(&mut self, change: Change, node: NodeId, old: NodeId) {
        let mut body = Vec::new();
        let (client_addr, peer_addr) = (format!("c{node}"), format!("p{node}"));
        let wish = Membership { change, node, old, client_addr: &client_addr, peer_addr: &peer_addr };
        units::put_membership_unit(&mut body, &wish);
        carry_out(&mut self.machine, &body);
    }

    fn learner(&mut self, node: NodeId, peer: Peer) {
        self.conf.learners.push(node);
        self.peers.insert(node, peer);
        self.register(node);
    }

    fn silent(&mut self, node: NodeId) {
        self.peers.insert(node, Peer { active: false, ..READY });
    }

    /// The step as words, `+4` a voter, `~4` a learner, `-4` nobody; and what waits.
    fn plan(&self) -> (String, String) {
        let view = View {
            me: 1,
            members: self.machine.members(),
            conf: &self.conf,
            last_index: 5000,
            peers: &self.peers,
        };
        let plan = view.plan();
        let step = match plan.step {
            None => String::new(),
            Some(Step::HandOver(to)) => format!("hand over to {to}"),
            Some(Step::Change(change)) if change.changes.is_empty() => "leave joint".to_owned(),
            Some(Step::Change(change)) => {
                let word = |single: &ConfChangeSingle| {
                    let sign = match single.get_change_type() {
                        ConfChangeType::AddNode => '+',
                        ConfChangeType::AddLearnerNode => '~',
                        ConfChangeType::RemoveNode => '-',
                    };
                    format!("{sign}{}", single.node_id)
                };
                change.changes.iter().map(word).collect::<Vec<_>>().join(" ")
            }
        };
        (step, plan.waits.unwrap_or_default())
    }

    fn steps(&self, step: &str) {
        assert_eq!(self.plan(), (step.to_owned(), String::new()));
    }

    fn waits(&self, words: &str) {
        let (step, waits) = self.plan();
        assert!(step.is_empty() && waits.contains(words), "{step:?} {waits:?}");
    }
}

#[test]
fn nothing_is_done_when_all_is_as_it_should_be() {
    scene(&[1]).steps("");
    scene(&[1, 2, 3]).steps("");
}

#[test]
fn a_new_member_learns_and_votes_when_it_has_everything() {
    let mut s = scene(&[1, 2, 3]);
    s.wish(Change::ADD, 4, 0);
    s.steps("~4");
    s.conf.learners.push(4);
    s.waits("does not answer");
    s.peers.insert(4, READY);
    s.waits("has not come yet");
    s.register(4);
    s.steps("+4");
    for (peer, words) in [
        (Peer { active: false, ..READY }, "does not answer"),
        (Peer { replicates: false, ..READY }, "is catching up"),
        (Peer { matched: 4000 - 1, ..READY }, "1001 entries behind"),
        (Peer { settled: false, ..READY }, "about to hear"),
    ] {
        s.peers.insert(4, peer);
        s.waits(words);
    }
    s.peers.insert(4, Peer { matched: 4000, ..READY });
    s.steps("+4");
}

#[test]
fn no_change_leaves_voters_without_a_majority_that_answers() {
    let mut s = scene(&[1, 2, 3]);
    s.silent(3);
    s.wish(Change::REMOVE, 2, 0);
    s.waits("node 2 stays a voter: without it no majority of the voters 1, 3 answers");
    s.wish(Change::DEMOTE, 2, 0);
    s.waits("RAFT PROMOTE 2 takes the wish back");
    s.wish(Change::PROMOTE, 2, 0);
    s.steps("");
    s.wish(Change::REMOVE, 3, 0);
    s.steps("-3");
    // Both are to go: the one that is down goes first, and then the other may.
    s.wish(Change::REMOVE, 2, 0);
    s.steps("-3");
    // A vote more must not make a majority out of reach either.
    let mut s = scene(&[1, 2]);
    s.silent(2);
    s.wish(Change::REPLACE, 3, 1);
    s.learner(3, READY);
    s.waits("of the voters 2, 3 no majority answers");
}

#[test]
fn the_only_voter_stays() {
    let mut s = scene(&[1]);
    s.wish(Change::ADD, 2, 0);
    s.wish(Change::REMOVE, 1, 0);
    s.steps("~2");
    s.learner(2, Peer { replicates: false, ..READY });
    let (step, waits) = s.plan();
    assert!(step.is_empty() && waits.contains("catching up"), "{step} {waits}");
    s.peers.insert(2, READY);
    s.steps("+2");
    s.conf = ConfState { voters: vec![1, 2], ..Default::default() };
    s.steps("hand over to 2");
}

#[test]
fn promotions_come_before_removals() {
    let mut s = scene(&[1, 2, 3]);
    s.wish(Change::REMOVE, 3, 0);
    s.wish(Change::ADD, 4, 0);
    s.wish(Change::ADD, 5, 0);
    s.steps("~4");
    s.learner(4, READY);
    s.steps("~5");
    s.learner(5, READY);
    s.steps("+4");
    // Who is not ready does not keep the others waiting.
    s.peers.insert(4, Peer { replicates: false, ..READY });
    assert_eq!(s.plan().0, "+5");
    s.silent(5);
    assert_eq!(s.plan().0, "-3");
}

#[test]
fn a_replacement_takes_its_place_in_one_change() {
    let mut s = scene(&[1, 2, 3]);
    s.silent(3);
    s.wish(Change::REPLACE, 4, 3);
    s.learner(4, READY);
    s.steps("+4 -3");
    s.conf = ConfState { voters: vec![1, 2, 4], voters_outgoing: vec![1, 2, 3], ..Default::default() };
    s.steps("leave joint");
    // The old one has left by itself meanwhile.
    s.conf = ConfState { voters: vec![1, 2], learners: vec![4], ..Default::default() };
    s.wish(Change::REMOVE, 3, 0);
    s.steps("+4");
    // The new one voted already when it was given the place.
    s.conf = ConfState { voters: vec![1, 2, 3, 4], ..Default::default() };
    s.wish(Change::PROMOTE, 3, 0);
    s.steps("-3");
}

#[test]
fn a_leader_that_is_to_lose_its_vote_lets_another_one_lead() {
    for change in [Change::REMOVE, Change::DEMOTE] {
        let mut s = scene(&[1, 2, 3]);
        s.wish(change, 1, 0);
        s.peers.insert(2, Peer { matched: 4999, ..READY });
        s.steps("hand over to 2");
        s.peers.insert(2, Peer { replicates: false, ..READY });
        s.steps("hand over to 3");
        s.silent(2);
        s.waits("stays a voter");
        s.silent(3);
        s.waits("stays a voter");
    }
    let mut s = scene(&[1, 2, 3]);
    s.wish(Change::REPLACE, 4, 1);
    s.learner(4, READY);
    s.steps("hand over to 3");
    s.wish(Change::REMOVE, 3, 0);
    s.steps("hand over to 2");
}

#[test]
fn others_go_before_the_leader() {
    let mut s = scene(&[1, 2, 3, 4, 5]);
    for node in [1, 2, 4] {
        s.wish(Change::REMOVE, node, 0);
    }
    s.silent(4);
    s.steps("-4");
    s.conf.voters = vec![1, 2, 3, 5];
    s.peers.insert(4, READY);
    s.steps("-4"); // it has no vote any more, and nothing depends on it
}

#[test]
fn whoever_leads_ends_a_joint_configuration() {
    let mut s = scene(&[1, 2, 3]);
    s.wish(Change::REPLACE, 4, 1);
    s.learner(4, READY);
    s.conf = ConfState { voters: vec![2, 3, 4], voters_outgoing: vec![1, 2, 3], ..Default::default() };
    s.steps("hand over to 4");
    (2..=4).for_each(|node| s.silent(node));
    s.waits("no other voter has caught up");
    s.conf = ConfState { voters: vec![1, 2, 4], voters_outgoing: vec![1, 2, 3], ..Default::default() };
    s.steps("leave joint");
}

#[test]
fn who_never_came_into_the_configuration_leaves_through_the_log_all_the_same() {
    let mut s = scene(&[1, 2, 3]);
    s.wish(Change::ADD, 4, 0);
    s.wish(Change::REMOVE, 4, 0);
    s.steps("-4");
    s.wish(Change::DEMOTE, 3, 0);
    s.steps("-4");
    s.machine.configured(&s.conf);
    s.steps("~3");
}
