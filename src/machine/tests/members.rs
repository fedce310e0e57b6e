//! Wishes for other members: every answer, every repetition, and what the log's
//! configurations make of them.

use super::{NOW_MS, apply_body, bootstrapped, restore, snapshot};
use crate::command::Reply;
use crate::limits;
use crate::machine::{Machine, Verdict, Wanted};
use crate::wire::units::{self, Change, Membership, Register};
use raft::eraftpb::ConfState;

fn ask(machine: &mut Machine, wish: Membership<'_>) -> Reply {
    let mut body = Vec::new();
    units::put_membership_unit(&mut body, &wish);
    apply_body(machine, 2, NOW_MS, &body).remove(0)
}

fn add(machine: &mut Machine, node: u64, addr: &str) -> Reply {
    replace(machine, Change::ADD, 0, node, addr)
}

fn replace(machine: &mut Machine, change: Change, old: u64, node: u64, addr: &str) -> Reply {
    let (client_addr, peer_addr) = match addr {
        "" => Default::default(),
        addr => (format!("{addr}:1"), format!("{addr}:2")),
    };
    ask(machine, Membership { change, node, old, client_addr: &client_addr, peer_addr: &peer_addr })
}

fn wish(machine: &mut Machine, change: Change, node: u64) -> Reply {
    ask(machine, Membership { change, node, old: 0, client_addr: "", peer_addr: "" })
}

fn register(machine: &mut Machine, node: u64, incarnation: u8) -> Reply {
    let mut body = Vec::new();
    let (client_addr, peer_addr) = (format!("n{node}:1"), format!("n{node}:2"));
    let register =
        Register { node, incarnation: &[incarnation; 16], client_addr: &client_addr, peer_addr: &peer_addr };
    units::put_register_unit(&mut body, &register);
    apply_body(machine, 2, NOW_MS, &body).remove(0)
}

fn configured(machine: &mut Machine, voters: &[u64], learners: &[u64]) {
    let conf_state = ConfState { voters: voters.to_vec(), learners: learners.to_vec(), ..Default::default() };
    machine.configured(&conf_state);
}

/// The first three have registered.
fn three() -> Machine {
    let mut machine = bootstrapped(1);
    for node in 1..=3 {
        assert_eq!(register(&mut machine, node, node as u8), Reply::Ok);
    }
    machine
}

/// `words` stand in the error, and nothing else has changed.
fn refused(machine: &mut Machine, words: &str, ask: impl FnOnce(&mut Machine) -> Reply) {
    let before = machine.members().clone();
    let Reply::Error(text) = ask(machine) else { panic!("not refused: {words}") };
    assert!(text.starts_with("ERR ") && text.contains(words), "{text}");
    assert_eq!(machine.members(), &before, "{text}");
}

/// `reply` once more, and nothing changes.
fn again(machine: &mut Machine, reply: Reply, ask: impl FnOnce(&mut Machine) -> Reply) {
    let before = machine.members().clone();
    assert_eq!(ask(machine), reply);
    assert_eq!(machine.members(), &before);
}

#[test]
fn a_member_is_added_once() {
    let m = &mut three();
    assert_eq!(add(m, 4, "n4"), Reply::Int(4));
    again(m, Reply::Int(4), |m| add(m, 4, "n4"));
    refused(m, "is a member already, at n4:1", |m| add(m, 4, "n5"));
    refused(m, "needs an address", |m| add(m, 5, ""));
    refused(m, "is the address of node 2", |m| add(m, 5, "n2"));
    refused(m, "is the address of node 4", |m| add(m, 5, "n4"));
    refused(m, "the highest id", |m| add(m, limits::MAX_NODE_ID + 1, "n5"));
    refused(m, "the highest id", |m| add(m, u64::MAX, "n5"));
    assert_eq!(register(m, 4, 4), Reply::Ok);
    again(m, Reply::Int(4), |m| add(m, 4, "n4"));
    refused(m, "no member", |m| register(m, 5, 5));
    refused(m, "another data directory", |m| register(m, 4, 5));
}

#[test]
fn an_id_is_chosen_for_who_has_none() {
    let m = &mut three();
    assert_eq!(add(m, 0, "n4"), Reply::Int(4));
    again(m, Reply::Int(4), |m| add(m, 0, "n4"));
    assert_eq!(register(m, 4, 4), Reply::Ok);
    refused(m, "is the address of node 4", |m| add(m, 0, "n4"));
    assert_eq!(wish(m, Change::REMOVE, 4), Reply::Int(4));
    configured(m, &[1, 2, 3], &[]);
    assert_eq!(add(m, 0, "n4"), Reply::Int(5), "an id is never used again");
    assert_eq!(add(m, limits::MAX_NODE_ID, "last"), Reply::Int(limits::MAX_NODE_ID as i64));
    refused(m, "the highest id", |m| add(m, 0, "n6"));
}

#[test]
fn there_are_only_so_many() {
    let m = &mut three();
    for node in 4..=limits::MAX_MEMBERS as u64 {
        assert_eq!(add(m, node, &format!("n{node}")), Reply::Int(node as i64));
    }
    refused(m, "at most 32 members", |m| add(m, 99, "n99"));
    again(m, Reply::Int(32), |m| add(m, 32, "n32"));
}

#[test]
fn a_removed_id_is_gone_for_good() {
    let m = &mut three();
    assert_eq!(m.accept(3, 1, 1), Verdict::Apply);
    assert_eq!(wish(m, Change::REMOVE, 3), Reply::Int(3));
    assert_eq!(m.members().all()[&3].wanted, Wanted::REMOVED);
    again(m, Reply::Int(3), |m| wish(m, Change::REMOVE, 3));
    refused(m, "is a member already", |m| add(m, 3, "n3"));
    configured(m, &[1, 2, 3], &[]);
    assert!(m.members().all().contains_key(&3), "it still votes");
    let joint = ConfState { voters: vec![1, 2], voters_outgoing: vec![1, 2, 3], ..Default::default() };
    m.configured(&joint);
    assert!(m.members().all().contains_key(&3), "and still");
    configured(m, &[1, 2], &[]);
    assert!(m.members().removed().contains(&3) && !m.members().all().contains_key(&3));
    again(m, Reply::Int(3), |m| wish(m, Change::REMOVE, 3));
    refused(m, "never used again", |m| add(m, 3, "n9"));
    refused(m, "there is no node 3", |m| wish(m, Change::PROMOTE, 3));
    refused(m, "was removed", |m| register(m, 3, 3));
    assert_eq!(m.accept(3, 1, 1), Verdict::Stale, "how far its stream had come is forgotten");
    assert_eq!(m.accept(3, 2, 1), Verdict::Stale);
}

#[test]
fn a_wish_is_taken_back_by_another() {
    let m = &mut three();
    for (change, wanted) in [
        (Change::REMOVE, Wanted::REMOVED),
        (Change::PROMOTE, Wanted::VOTER),
        (Change::DEMOTE, Wanted::LEARNER),
        (Change::REMOVE, Wanted::REMOVED),
        (Change::DEMOTE, Wanted::LEARNER),
        (Change::PROMOTE, Wanted::VOTER),
    ] {
        assert_eq!(wish(m, change, 2), Reply::Int(2));
        again(m, Reply::Int(2), |m| wish(m, change, 2));
        assert_eq!(m.members().all()[&2].wanted, wanted);
    }
    // Raft's configuration lacks a voter that is wanted again: it is a member all the same.
    configured(m, &[1, 3], &[]);
    assert!(m.members().all().contains_key(&2) && m.members().removed().is_empty());
}

#[test]
fn there_is_always_a_voter() {
    let m = &mut three();
    for change in [Change::REMOVE, Change::DEMOTE, Change::PROMOTE] {
        refused(m, "there is no node 7", |m| wish(m, change, 7));
    }
    assert_eq!(wish(m, Change::DEMOTE, 1), Reply::Int(1));
    assert_eq!(wish(m, Change::REMOVE, 2), Reply::Int(2));
    refused(m, "node 3 is the last voter", |m| wish(m, Change::DEMOTE, 3));
    refused(m, "node 3 is the last voter", |m| wish(m, Change::REMOVE, 3));
    assert_eq!(wish(m, Change::PROMOTE, 1), Reply::Int(1));
    assert_eq!(wish(m, Change::REMOVE, 3), Reply::Int(3));
}

#[test]
fn a_node_takes_the_place_of_another() {
    let m = &mut three();
    refused(m, "there is no node 7", |m| replace(m, Change::REPLACE, 7, 4, "n4"));
    refused(m, "an id of its own", |m| replace(m, Change::REPLACE, 3, 3, "n3"));
    refused(m, "needs an address", |m| replace(m, Change::REPLACE, 3, 4, ""));
    refused(m, "is the address of node 2", |m| replace(m, Change::REPLACE, 3, 4, "n2"));
    assert_eq!(replace(m, Change::REPLACE, 3, 4, "n3"), Reply::Int(4), "on the same machine");
    again(m, Reply::Int(4), |m| replace(m, Change::REPLACE, 3, 4, "n3"));
    refused(m, "node 4 is to take the place of node 3", |m| replace(m, Change::REPLACE, 3, 5, "n5"));
    configured(m, &[1, 2, 3], &[4]);
    assert_eq!(m.members().all()[&3].wanted, Wanted::VOTER, "until then the old one counts");
    configured(m, &[1, 2, 4], &[]);
    assert!(m.members().removed().contains(&3));
    assert_eq!(m.members().all()[&4].replaces, None);
    again(m, Reply::Int(4), |m| replace(m, Change::REPLACE, 3, 4, "n3"));
    again(m, Reply::Int(4), |m| replace(m, Change::REPLACE, 3, 0, "n3"));
    refused(m, "there is no node 3", |m| replace(m, Change::REPLACE, 3, 5, "n5"));
}

#[test]
fn a_learner_takes_the_place_of_a_voter_under_an_id_that_is_chosen() {
    let m = &mut three();
    assert_eq!(replace(m, Change::REPLACE, 3, 0, "n4"), Reply::Int(4));
    again(m, Reply::Int(4), |m| replace(m, Change::REPLACE, 3, 0, "n4"));
    refused(m, "node 4 is to take the place", |m| replace(m, Change::REPLACE, 3, 0, "n5"));
    assert_eq!(wish(m, Change::REMOVE, 4), Reply::Int(4));
    configured(m, &[1, 2, 3], &[]);
    assert_eq!(m.members().all()[&3].wanted, Wanted::VOTER);
    assert_eq!(add(m, 5, "n5"), Reply::Int(5));
    assert_eq!(wish(m, Change::DEMOTE, 5), Reply::Int(5));
    assert_eq!(replace(m, Change::REPLACE, 3, 5, "n5"), Reply::Int(5));
    let member = &m.members().all()[&5];
    assert_eq!((member.wanted, member.replaces), (Wanted::VOTER, Some(3)));
}

#[test]
fn members_are_in_snapshots() {
    let m = &mut three();
    add(m, 4, "n4");
    replace(m, Change::REPLACE, 2, 5, "n5");
    wish(m, Change::DEMOTE, 1);
    wish(m, Change::REMOVE, 3);
    configured(m, &[1, 2], &[4]);
    let chunks = snapshot(m, |_| {});
    let restored = restore(&chunks, 9).unwrap();
    assert_eq!(restored.members(), m.members());
    assert_eq!(restored.members().first_voters(), [1, 2, 3]);
    assert_eq!(restored.state_hash(), m.state_hash());
}
