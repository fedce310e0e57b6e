//! Committed entries, into the machine; answers to those whose commands they hold; and the
//! reads that were waiting for them.

use super::ahead::{JobsAhead, UnitsAhead};
use super::effects::Notice;
use super::job::{Consistency, Job, ReadTransaction, Step};
use super::stream::JobSteps;
use super::{Event, Group, LogView, OWN_TICKET};
use crate::command::{self, Audience, Reply, Request};
use crate::keyspace::{Event as KeyspaceEvent, EventClass};
use crate::machine::{Joined, Verdict};
use crate::mutant::{self, Mutant};
use crate::wire::WireError;
use crate::wire::entry::{self, BatchRef};
use crate::wire::units::{Unit, Watch};
use raft::RawNode;
use raft::eraftpb::{ConfChange, ConfChangeV2, ConfState, Entry, EntryType};

const CORRUPT: Reply = Reply::error("UNKNOWN The log is damaged on this node, which is stopping");

const PART_LOST: Reply = Reply::error(
    "CLUSTERDOWN A part of the command was given up on its way to the log; the command was not applied",
);

fn read_change<C: protobuf::Message>(entry: &Entry) -> Result<C, WireError> {
    C::parse_from_bytes(&entry.data).map_err(|_| WireError::new("membership change"))
}

impl Group {
    pub(super) fn apply(&mut self, entry: Entry) {
        self.entries_applied_total += 1;
        if self.clock_entry_index.is_some_and(|index| index <= entry.index) {
            self.clock_entry_index = None;
        }
        let outcome = match entry.get_entry_type() {
            EntryType::EntryNormal if entry.data.is_empty() => Ok(()), // a leader's first
            EntryType::EntryNormal => self.apply_batches(&entry),
            EntryType::EntryConfChange => read_change::<ConfChange>(&entry)
                .map(|change| self.reconfigure(|raft| raft.apply_conf_change(&change)))
                .and_then(|outcome| self.membership_changed(outcome)),
            EntryType::EntryConfChangeV2 => read_change::<ConfChangeV2>(&entry)
                .map(|change| self.reconfigure(|raft| raft.apply_conf_change(&change)))
                .and_then(|outcome| self.membership_changed(outcome)),
        };
        if let Err(error) = outcome {
            self.halt(Event::Corrupt { index: entry.index, reason: error.to_string() });
        }
    }

    fn reconfigure<T>(
        &mut self,
        change: impl Fn(&mut RawNode<LogView>) -> raft::Result<T>,
    ) -> raft::Result<T> {
        if mutant::is(Mutant::ConfigChangeTwice) {
            change(&mut self.raft)?;
        }
        change(&mut self.raft)
    }

    fn membership_changed(&mut self, outcome: raft::Result<ConfState>) -> Result<(), WireError> {
        let conf_state = outcome.map_err(|_| WireError::new("membership change"))?;
        self.configured(conf_state);
        Ok(())
    }

    fn apply_batches(&mut self, entry: &Entry) -> Result<(), WireError> {
        let (now_ms, batches) = entry::decode(&entry.data)?;
        self.machine.begin_entry(entry.index, now_ms);
        self.replays = entry.index <= self.old_log.index && entry.term <= self.old_log.term;
        for batch in batches {
            let batch = batch?;
            let is_own = batch.origin == self.config.node_id && batch.boot == self.config.boot;
            if batch.origin != self.config.node_id {
                self.commits.wait(batch.origin);
            }
            match self.machine.accept(batch.origin, batch.boot, batch.seq) {
                Verdict::Apply => self.apply_batch(&batch, is_own)?,
                Verdict::Gap => {
                    // Its origin sends again, from what has been applied.
                    self.intake.forget(batch.origin);
                    if is_own {
                        self.stream.rewind();
                    }
                }
                Verdict::Duplicate | Verdict::Stale => {}
            }
        }
        self.end_entry();
        self.note_events(0);
        Ok(())
    }

    fn apply_batch(&mut self, batch: &BatchRef<'_>, is_own: bool) -> Result<(), WireError> {
        let jobs = if is_own {
            self.last_progress_us = self.now.mono_us;
            self.stream.take_applied(batch.seq)
        } else {
            Vec::new()
        };
        match self.machine.join(batch.origin, batch.body) {
            Joined::Alone => self.apply_body(batch.body, jobs, is_own, &CORRUPT),
            Joined::Waits => self.apply_body(&[], jobs, is_own, &CORRUPT),
            Joined::Lost => self.apply_body(&[], jobs, is_own, &PART_LOST),
            Joined::Whole(body) => {
                self.machine.lend(Some(body.clone()));
                let outcome = self.apply_body(&body, jobs, is_own, &CORRUPT);
                self.machine.lend(None);
                outcome
            }
        }
    }

    /// `missing` answers this node's own writes of which the body does not tell.
    fn apply_body(
        &mut self,
        body: &[u8],
        jobs: Vec<JobSteps>,
        is_own: bool,
        missing: &Reply,
    ) -> Result<(), WireError> {
        if is_own {
            return self.apply_own(body, jobs, missing);
        }
        self.machine.set_audience(Audience::Nobody);
        let mut units = UnitsAhead::new(body);
        while let Some(unit) = units.next(&self.machine) {
            self.apply_unit(&unit?, 0);
        }
        Ok(())
    }

    /// Deadlines have their effects, which is an event that may be watched.
    fn end_entry(&mut self) {
        let observer = &self.observer;
        let began_ns = observer.watches_events().then(|| observer.now_ns());
        self.machine.end_entry();
        if let Some(began_ns) = began_ns {
            observer.event("expire-cycle", observer.now_ns().saturating_sub(began_ns));
        }
    }

    /// Applies a batch of this node's own: its jobs' steps, reads between writes included,
    /// in their order.
    fn apply_own(&mut self, body: &[u8], jobs: Vec<JobSteps>, missing: &Reply) -> Result<(), WireError> {
        let mut units = UnitsAhead::new(body);
        self.machine.set_audience(Audience::of_caller(self.observer.shows_scripts.get()));
        self.observer.begin();
        self.effects.replies.reserve(jobs.iter().map(|job| job.steps.len()).sum());
        for job in jobs {
            for step in job.steps {
                let reply = match step {
                    Step::Purge => {
                        if let Some(unit) = units.next(&self.machine) {
                            self.machine.execute(&unit?);
                            self.note_events(job.ticket);
                        }
                        continue;
                    }
                    Step::Write | Step::Again => match units.next(&self.machine) {
                        Some(unit) if matches!(step, Step::Again) => self.apply_again(&unit?, job.ticket),
                        Some(unit) => self.apply_unit(&unit?, job.ticket),
                        None => missing.clone(), // the number was used by a batch that had been given up
                    },
                    step => {
                        let reply = self.read_step(step, job.ticket).0;
                        self.note_events(job.ticket);
                        reply
                    }
                };
                if job.ticket == OWN_TICKET {
                    self.registered(&reply);
                } else {
                    self.effects.replies.push((job.ticket, reply));
                }
            }
        }
        while let Some(unit) = units.next(&self.machine) {
            self.apply_unit(&unit?, 0); // whoever asked for it was given up on
        }
        self.purge_rest();
        Ok(())
    }

    /// What has happened in the machine comes before the next answer. What was in the log when
    /// this node started is not told: it was sent before anybody could listen here.
    pub(super) fn note_events(&mut self, ticket: u64) {
        if self.machine.has_events() {
            self.take_events(ticket);
        }
    }

    fn take_events(&mut self, ticket: u64) {
        let before = self.effects.replies.len();
        let replays = self.replays;
        let is_told = |event: &KeyspaceEvent| match event {
            // Only to the clients of the node that read.
            KeyspaceEvent::Named { class: EventClass::KeyMiss, .. } => ticket != 0,
            KeyspaceEvent::Scripted(_) => ticket != 0,
            KeyspaceEvent::Named { .. } | KeyspaceEvent::Message { .. } => !replays,
            KeyspaceEvent::Touched { .. }
            | KeyspaceEvent::TouchedAll
            | KeyspaceEvent::Propagated(_)
            | KeyspaceEvent::Refusals(_)
            | KeyspaceEvent::User { .. }
            | KeyspaceEvent::UsersReplaced => true,
        };
        let events = self.machine.take_events().into_iter().filter(is_told);
        self.effects.notices.extend(events.map(|event| Notice { before, ticket, event }));
    }

    /// `ticket`: the job of this node that asked for it, if one did.
    fn apply_unit(&mut self, unit: &Unit<'_>, ticket: u64) -> Reply {
        let reply = match ticket {
            0 | OWN_TICKET => self.machine.execute(unit),
            _ => self.execute_observed(unit, ticket),
        };
        self.rhythm.unit();
        self.note_events(ticket);
        let concerns_members =
            matches!(unit, Unit::Register(_) | Unit::Membership(_) | Unit::Bootstrap { .. });
        if concerns_members && !reply.is_error() {
            self.effects.members_changed = true;
            self.membership.look_again();
        }
        if let (Unit::Register(register), Reply::Ok) = (unit, &reply) {
            self.effects.events.push(Event::Member {
                node: register.node,
                client_addr: register.client_addr.to_owned(),
                peer_addr: register.peer_addr.to_owned(),
            });
        }
        reply
    }

    /// A try that is repeated, of a command of one of this node's clients.
    fn apply_again(&mut self, unit: &Unit<'_>, ticket: u64) -> Reply {
        let observer = &self.observer;
        let reply = self.machine.execute_seen(unit, &mut |row, args, reply| {
            observer.record_again(row, ticket, args, reply.is_error());
        });
        self.note_events(ticket);
        reply
    }

    /// A unit of one of this node's clients; of a transaction each command is observed, and all
    /// of them as `EXEC`.
    fn execute_observed(&mut self, unit: &Unit<'_>, ticket: u64) -> Reply {
        let observer = &self.observer;
        let is_transaction = matches!(unit, Unit::Transaction(_));
        let began_ns = observer.mark_ns();
        let reply = self.machine.execute_seen(unit, &mut |row, args, reply| {
            observer.record(row, ticket, args, reply.is_error());
            if let (true, Reply::Error(text)) = (is_transaction, reply) {
                observer.count_error(text);
            }
        });
        if is_transaction {
            self.observe_exec(began_ns, ticket);
        }
        reply
    }

    fn observe_exec(&self, began_ns: u64, ticket: u64) {
        let args = [&b"EXEC"[..]].into_iter().collect();
        if let Ok(row) = command::resolve(&args) {
            self.observer.record_since(began_ns, row, ticket, &args, false);
        }
        self.observer.ends_exec(ticket);
    }

    fn registered(&mut self, reply: &Reply) {
        self.registering = false;
        let is_member = self.machine.members().all().contains_key(&self.config.node_id);
        match reply.is_error() {
            false => self.settle(),
            true if is_member => self.refused(),
            true => {} // `maybe_register` waits until it is one
        }
    }

    /// Answers reads whose index has been applied.
    pub(super) fn serve_reads(&mut self) {
        let jobs = self.reads.take_ready(self.applied());
        if !jobs.is_empty() {
            self.observer.begin();
            self.is_stirred = true; // some may have to be submitted
        }
        let mut jobs = JobsAhead::new(jobs);
        while let Some(job) = jobs.next(&self.machine) {
            self.answer_job(job);
        }
    }

    /// Answers a job without writes from the present state. When it met a key whose deadline
    /// this node's clock has passed and the log's has not, the log's clock has to move first:
    /// what one client saw expire, nobody sees again.
    pub(super) fn answer_job(&mut self, mut job: Job) {
        let ticket = job.ticket;
        self.machine.set_audience(Audience::of_caller(self.observer.shows_scripts.get()));
        let stale = matches!(job.consistency, Consistency::Stale { .. });
        let (mark, notices_mark) = (self.effects.replies.len(), self.effects.notices.len());
        let mut saw_expiring = false;
        self.effects.replies.reserve(job.steps.len());
        for step in &job.steps {
            let (reply, expiring) = self.read_step_ref(step, ticket);
            saw_expiring |= expiring;
            self.note_events(ticket);
            self.effects.replies.push((ticket, reply));
        }
        if stale {
            return self.purge_rest();
        }
        if self.purge_met(&mut job) || saw_expiring {
            self.effects.replies.truncate(mark);
            self.effects.notices.truncate(notices_mark);
            // A batch without units: its entry carries the leader's clock, and the job's
            // steps are carried out at its apply.
            self.stream.submit(job, self.now.mono_us);
        }
    }

    /// For reads that are to look random; no state depends on it.
    fn read_seed(&self) -> u64 {
        self.reads_served.set(self.reads_served.get() + 1);
        self.config.seed ^ self.reads_served.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn read_step(&self, step: Step, ticket: u64) -> (Reply, bool) {
        match step {
            Step::Ready(reply) => (reply, false),
            step => self.read_step_ref(&step, ticket),
        }
    }

    fn read_step_ref(&self, step: &Step, ticket: u64) -> (Reply, bool) {
        match step {
            Step::Ready(reply) => (reply.clone(), false),
            Step::Read(request) => self.read_observed(request, ticket, false),
            Step::ReadAgain(request) => {
                let (wall_ms, seed) = (self.now.wall_ms, self.read_seed());
                self.machine.read_request(request, wall_ms, seed, &mut |row, args, reply| {
                    self.observer.record_again(row, ticket, args, reply.is_error());
                })
            }
            Step::Watch(request) => {
                let args = request.args();
                let seen = self.machine.watch(request.db, &args[1..], self.now.wall_ms);
                if let Ok(row) = command::resolve(&args) {
                    self.observer.record(row, ticket, &args, false);
                }
                seen
            }
            Step::ReadTransaction(transaction) => self.read_transaction(transaction, ticket),
            Step::Write | Step::Again | Step::Purge => (CORRUPT, false), // writes are answered where they are applied
        }
    }

    fn read_observed(&self, request: &Request, ticket: u64, in_transaction: bool) -> (Reply, bool) {
        self.machine.read_request(request, self.now.wall_ms, self.read_seed(), &mut |row, args, reply| {
            self.observer.record(row, ticket, args, reply.is_error());
            if let (true, Reply::Error(text)) = (in_transaction, reply) {
                self.observer.count_error(text);
            }
        })
    }

    fn read_transaction(&self, transaction: &ReadTransaction, ticket: u64) -> (Reply, bool) {
        if let Some(error) = self.machine.refuses_exec(transaction.commands.iter().map(Request::args)) {
            return (error, false);
        }
        let began_ns = self.observer.mark_ns();
        let mut watches = transaction.watches.iter().map(|(db, key, revision, seen_at)| Watch {
            key,
            revision: *revision,
            seen_at: *seen_at,
            db: *db,
        });
        if !watches.all(|watch| self.machine.watches_hold(&[watch])) {
            return (Reply::NilArray, false);
        }
        let mut expiring = false;
        let read = |request: &Request| {
            let (reply, met) = self.read_observed(request, ticket, true);
            expiring |= met;
            reply
        };
        let replies = transaction.commands.iter().map(read).collect();
        self.observe_exec(began_ns, ticket);
        (Reply::Array(replies), expiring)
    }
}
