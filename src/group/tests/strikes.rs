//! A change of the members, interrupted at each single message: whatever happens then, the
//! change comes to its end when the wish is repeated, and nothing that was acknowledged is lost.

use super::cluster::{Cluster, Strike};

struct Change {
    name: &'static str,
    /// Leads to the moment of the wish.
    before: &'static [&'static str],
    wish: &'static str,
    /// Who may be asked once more.
    ask_again: u64,
    voters: &'static [u64],
    learners: &'static [u64],
    dead: &'static [u64],
    /// The others go on at once when the leader is gone.
    needs_no_leader: bool,
}

const CHANGES: &[Change] = &[
    Change {
        name: "a fourth node",
        before: &["cluster 3", "elect 1", "run 5", "join 4"],
        wish: "add 4",
        ask_again: 2,
        voters: &[1, 2, 3, 4],
        learners: &[],
        dead: &[],
        needs_no_leader: true,
    },
    Change {
        name: "a second node",
        before: &["cluster 1", "elect 1", "run 5", "join 2"],
        wish: "add 2",
        ask_again: 1,
        voters: &[1, 2],
        learners: &[],
        dead: &[],
        needs_no_leader: false,
    },
    Change {
        name: "another node for a dead one",
        before: &["cluster 3", "elect 1", "run 5", "join 4", "crash 3", "run 20"],
        wish: "replace 3 4",
        ask_again: 2,
        voters: &[1, 2, 4],
        learners: &[],
        dead: &[3],
        needs_no_leader: false,
    },
    Change {
        name: "another node for the leader",
        before: &["cluster 3", "elect 1", "run 5", "join 4"],
        wish: "replace 1 4",
        ask_again: 2,
        voters: &[2, 3, 4],
        learners: &[],
        dead: &[],
        needs_no_leader: true,
    },
    Change {
        name: "without the leader",
        before: &["cluster 4", "elect 1", "run 5"],
        wish: "remove 1",
        ask_again: 2,
        voters: &[2, 3, 4],
        learners: &[],
        dead: &[],
        needs_no_leader: true,
    },
    Change {
        name: "one of four leaves",
        before: &["cluster 4", "elect 1", "run 5"],
        wish: "remove 3",
        ask_again: 2,
        voters: &[1, 2, 4],
        learners: &[],
        dead: &[],
        needs_no_leader: true,
    },
    Change {
        name: "one of two leaves",
        before: &["cluster 2", "elect 1", "run 5"],
        wish: "remove 2",
        ask_again: 1,
        voters: &[1],
        learners: &[],
        dead: &[],
        needs_no_leader: false,
    },
    Change {
        name: "the leader learns",
        before: &["cluster 4", "elect 1", "run 5"],
        wish: "demote 1",
        ask_again: 3,
        voters: &[2, 3, 4],
        learners: &[1],
        dead: &[],
        needs_no_leader: true,
    },
    Change {
        name: "a learner votes",
        before: &["cluster 3", "elect 1", "run 5", "wish 1 demote 3", "run 5"],
        wish: "promote 3",
        ask_again: 2,
        voters: &[1, 2, 3],
        learners: &[],
        dead: &[],
        needs_no_leader: false,
    },
];

/// Whether the strike came before the change was over.
fn interrupted(change: &Change, strike: Strike, after: u64) -> bool {
    let what = format!("{}: {strike:?} after {after} messages", change.name);
    let mut out = String::new();
    let mut cluster = Cluster::default();
    change.before.iter().for_each(|line| cluster.command(line, &mut out));
    cluster.command("submit 1 SET k kept", &mut out);
    cluster.command("run 2", &mut out);
    assert!(out.contains("Ok"), "{what}: {out}");

    cluster.plan_strike(after, strike);
    cluster.command(&format!("wish 1 {}", change.wish), &mut out);
    let mut ticks = 0;
    while ticks < 30 && cluster.awaits_strike() && cluster.differs(change.voters, change.learners).is_some() {
        cluster.command("run 1", &mut out);
        ticks += 1;
    }
    let was_struck = !cluster.awaits_strike();
    if change.needs_no_leader && matches!(strike, Strike::LeaderCrashes | Strike::LeaderIsCutOff) {
        cluster.command("run 50", &mut out);
        for node in change.voters {
            cluster.command(&format!("submit {node} SET meanwhile done"), &mut out);
        }
        cluster.command("run 10", &mut out);
        let done = change.voters.iter().any(|node| cluster.holds(*node, "meanwhile"));
        assert!(done, "{what}: the others do not go on\n{out}");
    }
    cluster.mend(change.dead);
    cluster.command(&format!("wish {} {}", change.ask_again, change.wish), &mut out);
    for _ in 0..40 {
        cluster.command("run 10", &mut out);
        if cluster.differs(change.voters, change.learners).is_none() {
            break;
        }
    }
    if let Some(difference) = cluster.differs(change.voters, change.learners) {
        cluster.command("members", &mut out);
        cluster.command("status", &mut out);
        panic!("{what}: {difference}\n{out}");
    }
    let last = change.voters.last().expect("a voter");
    out.clear();
    cluster.command(&format!("submit {last} GET k"), &mut out);
    cluster.command("run 40", &mut out);
    assert!(out.contains("\"kept\""), "{what}: {out}");
    was_struck
}

fn interrupt_everywhere(strike: Strike, stride: usize) {
    for change in CHANGES {
        let last = (1..200).step_by(stride).take_while(|&after| interrupted(change, strike, after)).last();
        assert!(last.is_some_and(|last| last > 5), "{}: {last:?}", change.name);
    }
}

#[test]
fn a_change_survives_the_crash_of_the_leader_at_every_message() {
    interrupt_everywhere(Strike::LeaderCrashes, 1);
}

#[test]
fn a_change_survives_partitions_of_the_leader() {
    interrupt_everywhere(Strike::LeaderIsCutOff, 3);
}

#[test]
fn a_change_survives_the_crash_of_all_nodes_at_every_message() {
    interrupt_everywhere(Strike::AllCrash, 1);
}

#[test]
fn a_change_survives_the_loss_of_messages() {
    interrupt_everywhere(Strike::MessagesAreLost, 3);
}
