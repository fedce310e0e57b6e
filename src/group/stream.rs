//! This node's own stream of batches: numbered, sent in order to whoever leads, kept until
//! this node's machine has applied them, sent again when the leader changes. A number, once
//! given, must never be dropped: a batch whose clients were given up on stays in the stream
//! with an empty body, so that those behind it can follow.

mod long;

use super::job::{Job, Step};
use crate::limits;
use crate::wire::NodeId;
use crate::wire::entry::Batch;
use bytes::Bytes;
use long::LongJobs;
use smallvec::SmallVec;
use std::collections::VecDeque;

/// The steps of a job that is part of a batch.
#[derive(Debug)]
pub struct JobSteps {
    pub ticket: u64,
    pub steps: SmallVec<[Step; 1]>,
}

#[derive(Debug)]
struct OwnBatch {
    seq: u64,
    body: Bytes,
    jobs: Vec<JobSteps>,
    since_us: u64,
    /// It was sent to another node, or stands in this node's log: it may be applied.
    is_out: bool,
    is_part: bool,
}

/// A batch whose clients are told that they have waited too long.
#[derive(Debug)]
pub struct GivenUp {
    pub seq: u64,
    pub jobs: Vec<JobSteps>,
    /// Whether it may be applied all the same; otherwise it certainly is not.
    pub is_out: bool,
}

/// See the module's text.
#[derive(Debug)]
pub struct OwnStream {
    node_id: NodeId,
    boot: u64,
    next_seq: u64,
    /// Not in a batch yet.
    waiting: VecDeque<(Job, u64)>, // and since when, in microseconds
    waiting_bytes: usize,
    /// The same of jobs that leave in parts.
    long: LongJobs,
    /// In a batch and not applied, oldest first.
    unapplied: VecDeque<OwnBatch>,
    unapplied_bytes: usize,
    /// How many of `unapplied`, from the front, the present leader was sent.
    sent: usize,
}

impl OwnStream {
    pub fn new(node_id: NodeId, boot: u64) -> Self {
        Self {
            node_id,
            boot,
            next_seq: 1,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            long: LongJobs::default(),
            unapplied: VecDeque::new(),
            unapplied_bytes: 0,
            sent: 0,
        }
    }

    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Bytes of commands that are not applied.
    pub fn pending_bytes(&self) -> usize {
        self.waiting_bytes + self.long.bytes() + self.unapplied_bytes
    }

    /// Whether every batch has been applied.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.long.is_empty() && self.unapplied.is_empty()
    }

    /// Jobs longer than `least_bytes` leave in parts from now on.
    pub fn set_long_jobs(&mut self, least_bytes: usize, part_bytes: usize) {
        self.long.set_lengths(least_bytes, part_bytes);
    }

    /// Takes a job for the next batch.
    pub fn submit(&mut self, job: Job, now_us: u64) {
        if self.long.takes(&job.body) {
            return self.long.push(JobSteps { ticket: job.ticket, steps: job.steps }, job.body, now_us);
        }
        self.waiting_bytes += job.body.len();
        self.waiting.push_back((job, now_us));
    }

    /// Puts all that waits into batches, one unless they would be too long.
    pub fn form_batches(&mut self, now_us: u64) {
        while !self.waiting.is_empty() {
            let mut jobs = Vec::with_capacity(self.waiting.len());
            let mut body = Vec::new();
            while let Some((job, _)) = self.waiting.pop_front() {
                self.waiting_bytes -= job.body.len();
                if body.is_empty() {
                    body = job.body;
                    body.reserve(self.waiting_bytes.min(limits::MAX_BATCH_BYTES.saturating_sub(body.len())));
                } else {
                    body.extend_from_slice(&job.body);
                }
                jobs.push(JobSteps { ticket: job.ticket, steps: job.steps });
                let next_len = self.waiting.front().map_or(0, |(next, _)| next.body.len());
                if body.len() + next_len > limits::MAX_BATCH_BYTES {
                    break;
                }
            }
            self.push_batch(body, jobs, now_us, false);
        }
        while let Some((body, job)) = self.long.next_part(now_us) {
            self.push_batch(body, job.into_iter().collect(), now_us, true);
        }
    }

    fn push_batch(&mut self, body: Vec<u8>, jobs: Vec<JobSteps>, since_us: u64, is_part: bool) {
        self.unapplied_bytes += body.len();
        let (seq, body) = (self.next_seq, body.into());
        self.unapplied.push_back(OwnBatch { seq, body, jobs, since_us, is_out: false, is_part });
        self.next_seq += 1;
    }

    /// The next batch that the present leader was not sent.
    pub fn next_to_send(&mut self) -> Option<Batch> {
        let own = self.unapplied.get(self.sent)?;
        self.sent += 1;
        Some(Batch { origin: self.node_id, boot: self.boot, seq: own.seq, body: own.body.clone() })
    }

    /// The batch `seq` has left this node, or stands in its log.
    pub fn mark_out(&mut self, seq: u64) {
        let position = self.unapplied.partition_point(|own| own.seq < seq);
        if let Some(own) = self.unapplied.get_mut(position).filter(|own| own.seq == seq) {
            own.is_out = true;
        }
    }

    /// Everything is to be sent again: there is another leader, or something got lost.
    pub fn rewind(&mut self) {
        self.sent = 0;
    }

    /// The leader is missing `seq`.
    pub fn rewind_to(&mut self, seq: u64) {
        let position = self.unapplied.partition_point(|own| own.seq < seq);
        self.sent = self.sent.min(position);
    }

    /// The batch `seq` is being applied: whose answers it carries.
    pub fn take_applied(&mut self, seq: u64) -> Vec<JobSteps> {
        if self.unapplied.front().is_none_or(|own| own.seq != seq) {
            return Vec::new();
        }
        self.pop_front().map_or_else(Vec::new, |own| own.jobs)
    }

    /// Batches up to `seq` were applied elsewhere, and came here within a snapshot.
    pub fn take_applied_unseen(&mut self, seq: u64) -> Vec<JobSteps> {
        let mut jobs = Vec::new();
        while self.unapplied.front().is_some_and(|own| own.seq <= seq) {
            jobs.extend(self.pop_front().into_iter().flat_map(|own| own.jobs));
        }
        jobs
    }

    fn pop_front(&mut self) -> Option<OwnBatch> {
        let own = self.unapplied.pop_front()?;
        self.unapplied_bytes -= own.body.len();
        self.sent = self.sent.saturating_sub(1);
        if own.is_part {
            self.long.applied();
        }
        Some(own)
    }

    /// Gives up on jobs older than `before_us` that no leader has been sent: certainly not applied.
    pub fn give_up_waiting(&mut self, before_us: u64) -> Vec<Job> {
        let late = self.waiting.partition_point(|(_, since_us)| *since_us < before_us);
        let jobs: Vec<Job> = self.waiting.drain(..late).map(|(job, _)| job).collect();
        self.waiting_bytes -= jobs.iter().map(|job| job.body.len()).sum::<usize>();
        jobs
    }

    /// The same of jobs that leave in parts, if none has moved since.
    pub fn give_up_long(&mut self, before_us: u64) -> Vec<JobSteps> {
        self.long.give_up(before_us)
    }

    /// Gives up on the jobs of batches older than `before_us`. The batches stay, and are sent
    /// empty from now on.
    pub fn give_up_batches(&mut self, before_us: u64) -> Vec<GivenUp> {
        let mut late = Vec::new();
        for own in self.unapplied.iter_mut().take_while(|own| own.since_us < before_us) {
            self.unapplied_bytes -= own.body.len();
            let is_emptied_now = !std::mem::take(&mut own.body).is_empty();
            if own.is_part && is_emptied_now {
                let cut = self.long.cut().map(|job| GivenUp { seq: 0, jobs: vec![job], is_out: false });
                late.extend(cut);
            }
            late.push(GivenUp { seq: own.seq, jobs: std::mem::take(&mut own.jobs), is_out: own.is_out });
        }
        late
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(ticket: u64, len: usize) -> Job {
        Job { ticket, body: vec![7; len], steps: SmallVec::from_iter([Step::Write]), ..Default::default() }
    }

    #[test]
    fn numbers_are_given_in_order_and_a_rewind_sends_again() {
        let mut stream = OwnStream::new(1, 5);
        stream.submit(job(1, 10), 0);
        stream.submit(job(2, 10), 0);
        stream.form_batches(0);
        stream.submit(job(3, 10), 0);
        stream.form_batches(0);
        let sent: Vec<_> =
            std::iter::from_fn(|| stream.next_to_send()).map(|b| (b.seq, b.body.len())).collect();
        assert_eq!(sent, [(1, 20), (2, 10)]);
        stream.rewind_to(2);
        assert_eq!(stream.next_to_send().map(|b| b.seq), Some(2));
        assert_eq!(stream.take_applied(1).len(), 2);
        assert!(stream.take_applied(1).is_empty());
        stream.rewind();
        assert_eq!(stream.next_to_send().map(|b| b.seq), Some(2));
        assert_eq!(stream.pending_bytes(), 10);
    }

    #[test]
    fn what_is_given_up_keeps_its_number() {
        let mut stream = OwnStream::new(1, 5);
        stream.submit(job(1, 10), 0);
        stream.form_batches(100);
        assert_eq!(stream.give_up_batches(50).len(), 0);
        let late = stream.give_up_batches(101);
        assert_eq!((late.len(), late[0].jobs.len(), late[0].is_out), (1, 1, false));
        let again = stream.next_to_send().unwrap();
        assert_eq!((again.seq, again.body.len(), stream.pending_bytes()), (1, 0, 0));
        stream.mark_out(1);
        stream.mark_out(7);
        let late = stream.give_up_batches(101);
        assert_eq!((late.len(), late[0].jobs.len(), late[0].is_out), (1, 0, true));
    }

    #[test]
    fn long_bodies_take_batches_of_their_own() {
        let mut stream = OwnStream::new(1, 1);
        for ticket in 0..3 {
            stream.submit(job(ticket, limits::MAX_BATCH_BYTES - 1), 0);
        }
        stream.form_batches(0);
        assert_eq!(std::iter::from_fn(|| stream.next_to_send()).count(), 3);
    }
}
