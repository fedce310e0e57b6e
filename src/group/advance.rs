//! From what has happened to all that follows from it: over and over, until there is nothing more
//! to do. This module must never look only once: each step may make work for one before it.

use super::commits::Commits;
use super::others::Others;
use super::rhythm::Rhythm;
use super::{Event, Group, Seen, status};

impl Group {
    pub(super) fn advance_and_apply(&mut self) {
        self.advance();
        while !self.halted && !self.committed.is_empty() {
            self.apply_committed();
            self.advance(); // there may be followers to be told, or a change of the membership to finish
        }
    }

    /// Does nothing while nothing has happened: most calls of a turn.
    pub(super) fn advance(&mut self) {
        if !std::mem::take(&mut self.is_stirred) {
            return;
        }
        while !self.halted {
            self.observe();
            self.send_batches();
            self.propose();
            self.reconcile();
            self.start_reads();
            self.get_ahead_of_disk();
            if !self.raft.has_ready() && !self.tell_commits() {
                break;
            }
            self.drain_ready();
        }
        self.observe();
    }

    /// Notes a change of role, term or leader, and what follows from it.
    pub(super) fn observe(&mut self) {
        self.note_transfer();
        let seen = Seen { role: self.raft.raft.state, term: self.raft.raft.term, leader: self.leader() };
        let before = std::mem::replace(&mut self.seen, seen);
        if seen.leader == 0 {
            self.leaderless_since_us.get_or_insert(self.now.mono_us);
        } else {
            self.leaderless_since_us = None;
        }
        if seen == before {
            return;
        }
        self.is_stirred = true;
        if (seen.role, seen.term) != (before.role, before.term) {
            self.draw_election_timeout();
        }
        if seen.role != before.role {
            self.effects.events.push(Event::Role { role: status::role_name(seen.role), term: seen.term });
        }
        if seen.leader != before.leader {
            self.effects.events.push(Event::Leader { leader: seen.leader, term: seen.term });
        }
        if (seen.leader, seen.term) != (before.leader, before.term) {
            self.intake.clear();
            self.commits = Commits::default();
            self.others = Others::default();
            self.rhythm = Rhythm::new(self.config.one_at_a_time);
            self.membership.leader_changed();
            self.held.clear();
            self.stream.rewind();
            self.reads.leader_changed();
            self.clock_entry_index = None;
            if self.is_leader() {
                self.settle();
            }
        }
    }
}
