//! [`Job`]: what one connection asks of the group at once.

use crate::command::{Reply, Request};
use smallvec::SmallVec;

/// A run of commands of one connection, answered in order, one reply a step.
///
/// Without a [`Step::Write`] it waits for a read index and is then answered from this
/// node's own state. With one it becomes part of a batch, and all its steps are carried
/// out at the apply of that batch, reads included: they are linearizable there.
#[derive(Debug, Default)]
pub struct Job {
    /// Names the connection; comes back with each reply.
    pub ticket: u64,
    /// An `entry.Body`: one unit for each [`Step::Write`], in order (`wire::units::put_*_unit`).
    pub body: Vec<u8>,
    /// How new the answers of a job without writes have to be.
    pub consistency: Consistency,
    /// What is to be done, in order.
    pub steps: SmallVec<[Step; 1]>,
}

/// How new what a read sees has to be. Means nothing for a job that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Every write that finished before: confirmed by a quorum.
    #[default]
    Linearizable,
    /// The same, as long as no clock runs faster or slower than the lease's margin allows.
    Lease,
    /// What this node has applied, however old; with a bound, as it was no longer ago than
    /// this, or else like [`Consistency::Lease`].
    Stale {
        /// In milliseconds; None: no bound.
        max_age_ms: Option<u64>,
    },
}

/// One command of a job.
#[derive(Debug)]
pub enum Step {
    /// The next unit of the job's body.
    Write,
    /// The next unit of the job's body, which is tried once more: as a command it was counted before.
    Again,
    /// A command that changes nothing, likewise.
    ReadAgain(Request),
    /// The next unit of the job's body, which the group has put there: it has no reply.
    Purge,
    /// A command that changes nothing.
    Read(Request),
    /// `MULTI` ... `EXEC` of reads only, with what was watched.
    ReadTransaction(Box<ReadTransaction>),
    /// `WATCH key ...`: answered with an array of (revision, seen_at) pairs, flat, for the connection to keep.
    Watch(Request),
    /// Already answered; only waits for its turn.
    Ready(Reply),
}

/// A transaction that changes nothing.
#[derive(Debug, Default)]
pub struct ReadTransaction {
    /// What `WATCH` saw: database, key, revision, seen_at.
    pub watches: Vec<(u32, Vec<u8>, u64, u64)>,
    /// What was queued.
    pub commands: Vec<Request>,
}

impl Job {
    /// Whether any step is a write.
    pub fn writes(&self) -> bool {
        !self.body.is_empty()
    }
}
