//! `RAFT ADD` and the like: what goes to the group, and when the client is answered.

use super::*;
use crate::node::MemberStatus;

fn learner(id: u64) -> MemberStatus {
    MemberStatus { id, client_addr: format!("127.0.0.1:{}", 6378 + id), ..MemberStatus::default() }
}

#[test]
fn a_wish_is_answered_when_it_is_in_effect_and_holds_nobody_else_up() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        operator.send("RAFT ADD * 127.0.0.1:7000\r\nPING\r\n").await;
        let mut other = harness.connect().await;
        other.ask("SET k 1", "+OK ").await;
        other.ask("GET k", "$1 1 ").await;
        harness.backend.status.borrow_mut().members.push(learner(4));
        operator.expect(":4\r\n+PONG\r\n").await;
        harness.backend.status.borrow_mut().members[3].voter = true;
        operator.ask("RAFT PROMOTE 4", "+OK ").await;
        harness.backend.status.borrow_mut().members.pop();
        harness.backend.status.borrow_mut().removed.push(4);
        operator.ask("RAFT REMOVE 4", "+OK ").await;
        operator.ask("RAFT REMOVE 9", "-ERR_there_is_no_node_9 ").await;
    });
}

#[test]
fn a_wish_that_takes_long_is_accepted_all_the_same() {
    serve(config(), |mut harness| async move {
        let mut operator = harness.connect().await;
        operator.send("RAFT DEMOTE 2\r\n").await;
        while harness.backend.seen.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        // A server that stops does not wait for it either.
        harness.shut_down().await;
        operator.expect("+ACCEPTED node 2 is still a voter: RAFT STATUS shows how far it is\r\n").await;
        operator.expect_end().await;
    });
}

#[test]
fn leadership_goes_to_voters_and_whoever_leads_instead_is_named() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        operator.ask("RAFT TRANSFER 1", "+OK ").await;
        operator.ask("RAFT TRANSFER 7", "-ERR_node_7_is_no_voter:_only_a_voter_can_lead ").await;
        let failed = "-ERR_node_3_did_not_take_over_in_time:_node_1_(127.0.0.1:6379)_leads ";
        operator.ask("RAFT TRANSFER 3", failed).await;
        operator.send("RAFT TRANSFER 2\r\n").await;
        while !harness.backend.asked.borrow().contains(&"transfer 2".to_owned()) {
            tokio::task::yield_now().await;
        }
        harness.backend.status.borrow_mut().leader_id = 2;
        operator.expect("+OK\r\n").await;
    });
}

#[test]
fn a_snapshot_is_answered_when_it_is_on_disk() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        operator.send("RAFT SNAPSHOT\r\n").await;
        while harness.backend.asked.borrow().is_empty() {
            tokio::task::yield_now().await;
        }
        harness.backend.status.borrow_mut().snapshot_index = 50;
        operator.expect("+OK\r\n").await;
        operator.ask("RAFT SNAPSHOT", "+OK ").await;
        assert_eq!(*harness.backend.asked.borrow(), ["snapshot"], "what is there is not made again");
    });
}

#[test]
fn none_of_it_runs_in_a_transaction() {
    serve(config(), |harness| async move {
        let mut operator = harness.connect().await;
        operator.ask("MULTI", "+OK ").await;
        for command in ["RAFT ADD * 127.0.0.1:7000", "RAFT REMOVE 2", "RAFT TRANSFER 2", "RAFT SNAPSHOT"] {
            operator.ask(command, "-ERR_Command_not_allowed_inside_a_transaction ").await;
        }
        operator.ask("EXEC", "-EXECABORT_Transaction_discarded_because_of_previous_errors. ").await;
        assert!(harness.backend.asked.borrow().is_empty());
        assert!(harness.backend.seen.borrow().is_empty());
    });
}
