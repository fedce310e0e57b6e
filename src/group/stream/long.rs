//! Jobs that are too long for one entry: they leave in parts, few at a time, and what is short goes
//! between them. So nobody waits for all of another's long command: no loop, disk or lane holds
//! more of it at once than some parts. The job is carried out where its last part stands; until that has
//! been sent it is certainly not applied.

use super::JobSteps;
use crate::limits;
use crate::wire::units::{Part, put_part_unit};
use bytes::Bytes;
use std::collections::VecDeque;

#[derive(Debug)]
struct Long {
    steps: JobSteps,
    body: Bytes,
    sent: usize,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct LongJobs {
    /// The first may have left in part.
    queue: VecDeque<Long>,
    /// Of bodies, whatever has left of the first.
    bytes: usize,
    /// Parts in batches that are not applied.
    in_flight: usize,
    /// Some parts of a job have left, and the rest never will.
    is_cut: bool,
    /// When the queue last moved.
    moved_us: u64,
    /// Jobs up to this length are not long.
    least_bytes: usize,
    part_bytes: usize,
}

impl Default for LongJobs {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            in_flight: 0,
            is_cut: false,
            moved_us: 0,
            least_bytes: limits::LONG_JOB_BYTES,
            part_bytes: limits::PART_BYTES,
        }
    }
}

impl LongJobs {
    /// From now on jobs longer than `least_bytes` are long.
    pub fn set_lengths(&mut self, least_bytes: usize, part_bytes: usize) {
        (self.least_bytes, self.part_bytes) = (least_bytes, part_bytes.max(1));
    }

    pub fn takes(&self, body: &[u8]) -> bool {
        body.len() > self.least_bytes
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn push(&mut self, steps: JobSteps, body: Vec<u8>, now_us: u64) {
        if self.queue.is_empty() {
            self.moved_us = now_us;
        }
        self.bytes += body.len();
        self.queue.push_back(Long { steps, body: body.into(), sent: 0 });
    }

    /// The body of the next batch, if it may leave now; with the last part of a job the job.
    pub fn next_part(&mut self, now_us: u64) -> Option<(Vec<u8>, Option<JobSteps>)> {
        let mut out = Vec::new();
        if std::mem::take(&mut self.is_cut) {
            put_part_unit(&mut out, &Part::default());
            self.in_flight += 1;
            return Some((out, None));
        }
        if self.in_flight >= limits::PARTS_IN_FLIGHT {
            return None;
        }
        let first = self.queue.front_mut()?;
        let end = first.body.len().min(first.sent + self.part_bytes);
        let (offset, total) = (first.sent as u64, first.body.len() as u64);
        put_part_unit(&mut out, &Part { offset, total, bytes: &first.body[first.sent..end] });
        first.sent = end;
        self.in_flight += 1;
        self.moved_us = now_us;
        if end < first.body.len() {
            return Some((out, None));
        }
        let done = self.queue.pop_front()?;
        self.bytes -= done.body.len();
        Some((out, Some(done.steps)))
    }

    /// A batch that holds a part is applied.
    pub fn applied(&mut self) {
        self.in_flight -= 1;
    }

    /// A part that had left was given up: what is left of its job makes no sense.
    pub fn cut(&mut self) -> Option<JobSteps> {
        self.is_cut = true;
        self.queue.front().filter(|first| first.sent > 0)?;
        let first = self.queue.pop_front()?;
        self.bytes -= first.body.len();
        Some(first.steps)
    }

    /// Gives all up if none has moved since `before_us`.
    pub fn give_up(&mut self, before_us: u64) -> Vec<JobSteps> {
        if self.queue.is_empty() || self.moved_us >= before_us {
            return Vec::new();
        }
        self.is_cut |= self.queue.front().is_some_and(|first| first.sent > 0);
        self.bytes = 0;
        self.queue.drain(..).map(|long| long.steps).collect()
    }
}
