//! A node's disk: the real file log and snapshot files, on a simulated disk each. What is
//! written here counts as written in the moment that the world says so; a crash before that
//! carries the write out in part. It must never let a crash keep what the disk says is lost.

use bowline::group::{LogWrite, Recovered};
use bowline::node;
use bowline::storage::{Disk, DiskFile, LogBase, LogBatch, SnapshotWriter, StoreError, Stores, open_on};
use bowline::wire::FIRST_GROUP;
use bowline::wire::proto::snapshot::Meta;
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

#[allow(dead_code, reason = "the storage's own tests use more of it")]
#[path = "../../src/storage/disk/sim.rs"]
mod sim;

use sim::{Failure, SimDisk};

/// A snapshot on its way from one node to another.
pub struct StoredSnapshot {
    pub meta: Meta,
    pub chunks: Vec<Vec<u8>>,
}

pub enum Work {
    Write { number: u64, log: LogWrite, can_wait: bool },
    Compact(u64),
}

/// See the module's text.
pub struct NodeDisk {
    pub settled: bool,
    pub boot: u64,
    pub incarnation: [u8; 16],
    log: SimDisk,
    snapshots: SimDisk,
    segment_bytes: u64,
    stores: Option<Stores>,
    /// The node's own snapshot, being written.
    pub own: Option<Box<dyn SnapshotWriter>>,
    /// A leader's, being received.
    pub incoming: Option<Box<dyn SnapshotWriter>>,
    queue: VecDeque<Work>,
    syncing: Vec<Work>,
    /// Something is wrong with it, and will be until it is repaired.
    pub is_failing: bool,
}

impl NodeDisk {
    pub fn new(incarnation: [u8; 16], segment_bytes: u64, seed: u64) -> Self {
        Self {
            settled: false,
            boot: 0,
            incarnation,
            log: SimDisk::new(seed),
            snapshots: SimDisk::new(!seed),
            segment_bytes,
            stores: None,
            own: None,
            incoming: None,
            queue: VecDeque::new(),
            syncing: Vec::new(),
            is_failing: false,
        }
    }

    /// Loads what there is, as a node does that starts.
    pub fn open(&mut self, first_voters: &[u64]) -> Result<Recovered, String> {
        self.boot += 1;
        let (log, snapshots) = (Box::new(self.log.clone()), Arc::new(self.snapshots.clone()));
        let mut stores = open_on(log, snapshots, &self.incarnation, self.segment_bytes)
            .map_err(|error| error.to_string())?;
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let recovered = node::recover(&mut *stores.0, &*stores.1, FIRST_GROUP, first_voters, &logger)
            .map_err(|error| error.to_string())?;
        self.stores = Some(stores);
        Ok(recovered)
    }

    pub fn stores(&mut self) -> &mut Stores {
        self.stores.as_mut().expect("a node that runs has opened them")
    }

    pub fn push(&mut self, work: Work) {
        self.queue.push_back(work);
    }

    /// Starts a sync of all that is queued, unless one is under way or there is nothing: whether
    /// somebody waits for it.
    pub fn start_sync(&mut self) -> Option<bool> {
        if !self.syncing.is_empty() || self.queue.is_empty() {
            return None;
        }
        self.syncing = self.queue.drain(..).collect();
        Some(!self.syncing.iter().all(|work| matches!(work, Work::Write { can_wait: true, .. })))
    }

    /// The sync is over: the number of the last write that is durable now. In the order of the
    /// real disk thread: the writes together, then what may be forgotten.
    pub fn finish_sync(&mut self) -> Result<Option<u64>, StoreError> {
        let (mut batches, mut compactions, mut last) = (Vec::new(), Vec::new(), None);
        for work in self.syncing.drain(..) {
            match work {
                Work::Write { number, log, .. } => {
                    last = Some(number);
                    let reset = log.reset.map(|point| LogBase { index: point.index, term: point.term });
                    let batch = LogBatch { hard_state: log.hard_state, reset, entries: log.entries };
                    if !batch.is_empty() {
                        batches.push((FIRST_GROUP, batch));
                    }
                }
                Work::Compact(through) => compactions.push(through),
            }
        }
        let log = &mut self.stores().0;
        if !batches.is_empty() {
            log.write(&batches)?;
        }
        for through in compactions {
            log.compact(FIRST_GROUP, through)?;
        }
        Ok(last)
    }

    /// The process ends; with `power_loss` the machine as well. What was under way is carried
    /// out up to some operation of the disk, or not at all.
    pub fn crash(&mut self, rng: &mut SmallRng, power_loss: bool) {
        self.log.plan(rng.random_range(1..8), Failure::Crash);
        self.snapshots.plan(1, Failure::Crash);
        if self.stores.is_some() {
            self.syncing.extend(self.queue.drain(..));
            let _ = self.finish_sync();
        }
        self.queue.clear();
        (self.own, self.incoming, self.stores) = (None, None, None);
        for disk in [&self.log, &self.snapshots] {
            if power_loss {
                disk.restart();
            } else {
                disk.reopen();
            }
        }
        self.is_failing = false;
    }

    /// From the `after`th operation on the disk is full, or else fails to sync.
    pub fn fail(&mut self, after: u64, is_full: bool) {
        let failure = if is_full { Failure::NoSpace } else { Failure::SyncFails };
        self.is_failing = true;
        self.log.plan(after, failure);
        self.snapshots.plan(after, failure);
    }

    pub fn repair(&mut self) {
        self.is_failing = false;
        self.log.reopen();
        self.snapshots.reopen();
    }

    /// Its syncs do nothing from now on.
    pub fn lie(&self) {
        self.log.lie();
        self.snapshots.lie();
    }

    /// The disk is replaced by an empty one, under the same identity.
    pub fn wipe(&mut self, seed: u64) {
        let boot = self.boot;
        *self = Self { boot, settled: true, ..Self::new(self.incarnation, self.segment_bytes, seed) };
    }

    /// Bytes of the log's files.
    pub fn log_bytes(&self) -> u64 {
        self.stores.as_ref().map_or(0, |stores| {
            let status = stores.0.status();
            status.disk_bytes - status.spare_bytes
        })
    }

    /// The newest snapshot, all of it.
    pub fn newest_snapshot(&mut self) -> Result<Option<Rc<StoredSnapshot>>, String> {
        let opened = self.stores().1.open_latest(FIRST_GROUP);
        let Some(mut reader) = opened.map_err(|error| error.to_string())? else { return Ok(None) };
        let mut snapshot = StoredSnapshot { meta: reader.meta().clone(), chunks: Vec::new() };
        while let Some(chunk) = reader.next_chunk().map_err(|error| error.to_string())? {
            snapshot.chunks.push(chunk);
        }
        Ok(Some(Rc::new(snapshot)))
    }
}
