//! From a job to an entry: this node's batches, to whoever leads; the leader's entries, of
//! everything that waits; and what becomes of jobs for which there is no leader.

use super::intake::Offered;
use super::job::{Job, Step};
use super::reads::{Asker, Local};
use super::stream::JobSteps;
use super::{Group, OWN_TICKET};
use crate::command::Reply;
use crate::limits;
use crate::wire::entry::{self, Batch};
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer;
use crate::wire::units::{self, Units};

const NO_LEADER: Reply =
    Reply::error("CLUSTERDOWN The cluster is down: no leader is known; the command was not applied");
const NO_ANSWER: Reply =
    Reply::error("CLUSTERDOWN The leader did not answer in time; the command was not applied");
const OUTCOME_UNKNOWN: Reply =
    Reply::error("UNKNOWN The command was sent, but its outcome is not known: it may have been applied");
const REPLY_LOST: Reply =
    Reply::error("UNKNOWN The command was applied, but its reply was lost while this node was behind");
const READ_LOST: Reply =
    Reply::error("TRYAGAIN This node was behind when the command's turn came; it was not carried out");
const REMOVED: Reply = Reply::error(
    "CLUSTERDOWN This node was removed from the cluster; the command was not applied. Ask another node",
);
const TOO_MUCH: Reply =
    Reply::error("TRYAGAIN Too many commands are waiting on this node; the command was not applied");

impl Group {
    pub(super) fn submit(&mut self, job: Job) {
        if !job.writes() && self.is_fresh_enough(&job) {
            self.observer.begin();
            return self.answer_job(job);
        }
        if self.membership.is_removed() {
            return self.refuse(job.ticket, &job.steps, &REMOVED, &REMOVED);
        }
        if self.given_up() {
            return self.refuse(job.ticket, &job.steps, &NO_LEADER, &NO_LEADER);
        }
        if !job.writes() {
            return self.reads.submit(Asker::Here(Local { job, since_us: self.now.mono_us }));
        }
        if self.stream.pending_bytes() + job.body.len() > limits::MAX_PENDING_BYTES
            && self.stream.pending_bytes() > 0
        {
            return self.refuse(job.ticket, &job.steps, &TOO_MUCH, &TOO_MUCH);
        }
        self.stream.submit(job, self.now.mono_us);
    }

    /// Sends this node's batches to the leader, if there is one.
    pub(super) fn send_batches(&mut self) {
        let leader = self.leader();
        if leader == 0 || self.membership.is_removed() || (self.is_leader() && !self.leads_and_knows()) {
            return;
        }
        self.stream.form_batches(self.now.mono_us);
        while let Some(batch) = self.stream.next_to_send() {
            if self.is_leader() {
                self.intake.offer(&self.machine, batch);
            } else {
                self.stream.mark_out(batch.seq);
                self.effects.send_now.push((leader, PeerMessage::Forward(batch)));
            }
        }
        if self.is_leader() {
            while let Some(batch) = self.held.pop_front() {
                self.offer_forwarded(batch);
            }
        }
    }

    /// A follower's batch has arrived.
    pub(super) fn forwarded(&mut self, batch: Batch) {
        // A body that cannot be read would stop every node once it is in the log.
        if Units::new(&batch.body).any(|unit| unit.is_err()) {
            return;
        }
        // Whoever is no member, or not yet as far as this leader knows, has to ask again.
        let members = self.machine.members().all();
        if self.machine.cluster_id().is_some() && !members.contains_key(&batch.origin) {
            return;
        }
        // Too much waits for Raft already: as if it were lost, and its origin sends it again.
        let waiting_bytes = self.intake.size_bytes() + self.held_bytes();
        if waiting_bytes > 0 && waiting_bytes + batch.body.len() > limits::MAX_INTAKE_BYTES {
            return;
        }
        if self.leads_and_knows() {
            self.offer_forwarded(batch);
        } else if self.is_leader() {
            self.held.push_back(batch);
        }
        // A node that does not lead says nothing: the sender learns of the leader from Raft,
        // and sends everything again.
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(|batch| batch.body.len()).sum()
    }

    fn offer_forwarded(&mut self, batch: Batch) {
        let (origin, boot) = (batch.origin, batch.boot);
        if let Offered::Missing { expected } = self.intake.offer(&self.machine, batch) {
            let refused = peer::ForwardRefused { boot, seq: expected, ..Default::default() };
            self.effects.send_now.push((origin, PeerMessage::ForwardRefused(refused)));
        }
    }

    /// Proposes everything that waits as one entry, as long as Raft takes it.
    pub(super) fn propose(&mut self) {
        if !self.leads_and_knows() {
            return;
        }
        if self.machine.cluster_id().is_none() && self.clock_entry_index.is_none() {
            self.propose_bootstrap();
            if self.clock_entry_index.is_none() {
                return; // nothing may stand before it
            }
        }
        while !self.intake.is_empty() && !self.holds_back() {
            let batches = self.intake.take(limits::MAX_BATCH_BYTES);
            if !self.propose_entry(&batches) {
                self.intake.put_back(batches);
                return;
            }
            for batch in batches.iter().filter(|batch| batch.origin == self.config.node_id) {
                self.stream.mark_out(batch.seq);
            }
        }
    }

    fn propose_entry(&mut self, batches: &[Batch]) -> bool {
        let now_ms = self.now.wall_ms.max(self.machine.clock_ms());
        self.raft.propose(Vec::new(), entry::encode(now_ms, batches)).is_ok()
    }

    fn propose_bootstrap(&mut self) {
        let mut body = Vec::new();
        units::put_bootstrap_unit(
            &mut body,
            &self.config.new_cluster_id,
            &self.config.new_hash_key,
            &self.raft.store().conf_state().voters,
            &self.config.new_password,
        );
        self.propose_housekeeping(vec![Batch {
            origin: self.config.node_id,
            boot: self.config.boot,
            seq: 0,
            body: body.into(),
        }]);
    }

    fn propose_housekeeping(&mut self, batches: Vec<Batch>) {
        if self.propose_entry(&batches) {
            self.clock_entry_index = Some(self.raft.raft.raft_log.last_index());
        }
    }

    /// On an idle cluster, deadlines pass with entries of their own.
    pub(super) fn move_idle_clock(&mut self) {
        let is_due = self.machine.next_deadline().is_some_and(|deadline| deadline <= self.now.wall_ms);
        if is_due && self.clock_entry_index.is_none() && self.leads_and_knows() {
            self.propose_housekeeping(Vec::new());
        }
    }

    /// What was sent long ago and is not applied may have got lost on its way.
    pub(super) fn repeat_lost_batches(&mut self) {
        let patience_ticks = 5 * self.config.election_ticks as u64;
        if self.ticks.is_multiple_of(patience_ticks) && !self.is_leader() {
            self.stream.rewind();
        }
    }

    fn given_up(&self) -> bool {
        let limit_us = self.config.unavailable_after_ms * 1000;
        self.leaderless_since_us.is_some_and(|since| self.now.mono_us.saturating_sub(since) > limit_us)
    }

    /// Gives up on commands that have waited too long, for a leader, its answer or its
    /// progress. That another one was found meanwhile makes no difference to who waits.
    pub(super) fn give_up_late(&mut self) {
        let limit_us = self.config.unavailable_after_ms * 1000;
        let before_us = self.now.mono_us.saturating_sub(limit_us);
        let (patience_ends_us, reason) =
            if self.given_up() { (u64::MAX, &NO_LEADER) } else { (before_us, &NO_ANSWER) };
        let mut late = self.stream.give_up_waiting(patience_ends_us);
        late.extend(self.reads.give_up(patience_ends_us));
        for job in late {
            self.refuse(job.ticket, &job.steps, reason, reason);
        }
        for job in self.stream.give_up_long(patience_ends_us) {
            self.refuse(job.ticket, &job.steps, reason, reason);
        }
        // Progress is that of this node's own stream: under load it is slow, but it moves.
        if self.last_progress_us < before_us {
            self.give_up_batches(before_us, reason);
        }
    }

    /// Gives up on batches older than `before_us`; `reason` is for what was certainly not applied.
    fn give_up_batches(&mut self, before_us: u64, reason: &Reply) {
        for late in self.stream.give_up_batches(before_us) {
            if !late.is_out {
                self.intake.empty(self.config.node_id, late.seq);
            }
            let of_write = if late.is_out { &OUTCOME_UNKNOWN } else { reason };
            for job in late.jobs {
                self.refuse(job.ticket, &job.steps, of_write, reason);
            }
        }
    }

    /// Answers everything that waits: this node was removed, and will not learn the outcome.
    pub(super) fn give_up_all(&mut self) {
        let mut unsent = self.stream.give_up_waiting(u64::MAX);
        unsent.extend(self.reads.give_up(u64::MAX));
        for job in unsent {
            self.refuse(job.ticket, &job.steps, &REMOVED, &REMOVED);
        }
        for job in self.stream.give_up_long(u64::MAX) {
            self.refuse(job.ticket, &job.steps, &REMOVED, &REMOVED);
        }
        self.give_up_batches(u64::MAX, &REMOVED);
    }

    /// The replies to these jobs' writes went by while this node was behind.
    pub(super) fn lose_replies(&mut self, jobs: Vec<JobSteps>) {
        for job in jobs {
            self.refuse(job.ticket, &job.steps, &REPLY_LOST, &READ_LOST);
        }
    }

    fn refuse(&mut self, ticket: u64, steps: &[Step], of_write: &Reply, of_read: &Reply) {
        if ticket == OWN_TICKET {
            self.registering = false;
            return;
        }
        for step in steps {
            let reply = match step {
                Step::Purge => continue,
                Step::Write | Step::Again => of_write.clone(),
                Step::Ready(reply) => reply.clone(),
                _ => of_read.clone(),
            };
            self.effects.replies.push((ticket, reply));
        }
    }
}
