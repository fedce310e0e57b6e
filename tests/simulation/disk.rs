//! A node's disk: what is durable, and what was written and is not durable yet. It must
//! never let a crash keep what the model says is lost, nor lose what it said is durable.

use bowline::group::{LogPoint, LogWrite, Recovered, SnapshotPoint, log_after};
use bowline::machine::{Machine, Restorer};
use raft::eraftpb::{ConfState, Entry, HardState};
use std::collections::VecDeque;
use std::rc::Rc;

/// A snapshot that is durable.
pub struct StoredSnapshot {
    pub at: SnapshotPoint,
    pub chunks: Vec<Vec<u8>>,
}

impl StoredSnapshot {
    pub fn size_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }
}

pub enum Work {
    Write(u64, LogWrite),
    Compact(u64),
}

/// See the module's text.
pub struct Disk {
    pub settled: bool,
    pub boot: u64,
    pub incarnation: [u8; 16],
    hard_state: HardState,
    base: LogPoint,
    entries: Vec<Entry>,
    pub snapshot: Option<Rc<StoredSnapshot>>,
    queue: VecDeque<Work>,
    syncing: Vec<Work>,
}

impl Disk {
    pub fn new(incarnation: [u8; 16]) -> Self {
        Self {
            settled: false,
            boot: 0,
            incarnation,
            hard_state: HardState::default(),
            base: LogPoint::default(),
            entries: Vec::new(),
            snapshot: None,
            queue: VecDeque::new(),
            syncing: Vec::new(),
        }
    }

    pub fn push(&mut self, work: Work) {
        self.queue.push_back(work);
    }

    /// Starts a sync of all that is queued, unless one is under way or there is nothing.
    pub fn start_sync(&mut self) -> bool {
        if !self.syncing.is_empty() || self.queue.is_empty() {
            return false;
        }
        self.syncing = self.queue.drain(..).collect();
        true
    }

    /// The sync is over: the number of the last write that is durable now.
    pub fn sync_done(&mut self) -> Option<u64> {
        let mut last = None;
        for work in std::mem::take(&mut self.syncing) {
            if let Work::Write(number, _) = &work {
                last = Some(*number);
            }
            self.make_durable(work);
        }
        last
    }

    /// The power goes: of what was under way, the first `kept` writes happen to survive.
    pub fn crash(&mut self, kept: usize) {
        let under_way: Vec<_> =
            std::mem::take(&mut self.syncing).into_iter().chain(self.queue.drain(..)).collect();
        for work in under_way.into_iter().take(kept) {
            self.make_durable(work);
        }
    }

    pub fn under_way(&self) -> usize {
        self.syncing.len() + self.queue.len()
    }

    fn make_durable(&mut self, work: Work) {
        match work {
            Work::Write(_, write) => {
                if let Some(point) = write.reset {
                    self.base = point;
                    self.entries.clear();
                }
                if let Some(first) = write.entries.first() {
                    let keep = (first.index - self.base.index - 1) as usize;
                    assert!(keep <= self.entries.len(), "a gap in the log on disk");
                    self.entries.truncate(keep);
                    self.entries.extend(write.entries);
                }
                if let Some(hard_state) = write.hard_state {
                    self.hard_state = hard_state;
                }
            }
            Work::Compact(through) => {
                let count = (through.saturating_sub(self.base.index) as usize).min(self.entries.len());
                if let Some(last) = self.entries.drain(..count).next_back() {
                    self.base = LogPoint { index: last.index, term: last.term };
                }
            }
        }
    }

    /// The newer of two snapshots is the one that counts.
    pub fn store_snapshot(&mut self, snapshot: Rc<StoredSnapshot>) {
        let newest = self.snapshot.as_ref().map_or(0, |known| known.at.point.index);
        if snapshot.at.point.index >= newest {
            self.snapshot = Some(snapshot);
        }
    }

    pub fn log_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.data.len() as u64).sum()
    }

    /// The disk is replaced by an empty one, under the same identity.
    pub fn wipe(&mut self) {
        let boot = self.boot;
        *self = Self { boot, settled: true, ..Self::new(self.incarnation) };
    }

    /// The vote is forgotten, and with it the term.
    pub fn forget_hard_state(&mut self) {
        self.hard_state = HardState::default();
    }

    /// What a node finds when it starts, by the rule of `node::recover`.
    pub fn recover(&mut self, voters: &[u64]) -> Result<Recovered, String> {
        let conf_state = ConfState { voters: voters.to_vec(), ..Default::default() };
        let mut snapshot = SnapshotPoint { point: LogPoint::default(), conf_state };
        let (mut machine, mut snapshot_bytes) = (Machine::new(), 0);
        if let Some(stored) = &self.snapshot {
            machine = restore(stored)?;
            snapshot = stored.at.clone();
            snapshot_bytes = stored.size_bytes();
        }
        let entries = std::mem::take(&mut self.entries);
        let (entries, must_reset) =
            log_after(self.base, entries, snapshot.point).map_err(|error| error.to_string())?;
        if must_reset || self.base.index < snapshot.point.index {
            self.base = snapshot.point;
        }
        if must_reset {
            self.hard_state.commit = self.hard_state.commit.max(snapshot.point.index);
            self.hard_state.term = self.hard_state.term.max(snapshot.point.term);
        }
        self.entries.clone_from(&entries);
        Ok(Recovered { hard_state: self.hard_state.clone(), snapshot, entries, machine, snapshot_bytes })
    }
}

pub fn restore(stored: &StoredSnapshot) -> Result<Machine, String> {
    let mut restorer = Restorer::default();
    for chunk in &stored.chunks {
        restorer.chunk(chunk).map_err(|error| error.to_string())?;
    }
    restorer.finish(stored.at.point.index).map_err(|error| error.to_string())
}
