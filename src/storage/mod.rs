//! The disk: the Raft log and hard state ([`LogStore`]), snapshots ([`SnapshotStore`]) and the
//! data directory that holds both ([`DataDir`]). Three backends, one contract: what `write`
//! acknowledged is there after any crash, each call wholly or not at all.
//!
//! Nothing here may retry a failed write or sync: the kernel may have dropped the dirty pages
//! and report success the next time. A store that failed once answers every later call with
//! that first error. Nothing here may interpret an entry's data (but `inspect`, for people).

mod codec;
mod data_dir;
mod disk;
mod error;
mod file;
mod inspect;
mod memory;
mod shape;
mod sled;
mod snapshot_file;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod conformance;

pub use data_dir::{DataDir, Expectations, FirstMember, Owner, StorageKind};
pub use disk::{Disk, DiskFile, Remains};
pub use error::StoreError;
pub use inspect::inspect;

use crate::wire::GroupId;
use crate::wire::proto::snapshot::Meta;
use raft::eraftpb::{Entry, HardState};
use std::sync::Arc;

/// One atomic change of one group's log: the hard state, then the reset, then the entries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogBatch {
    /// The new hard state, when it changed.
    pub hard_state: Option<HardState>,
    /// Forget the whole log: it now starts after this point (a snapshot was installed).
    pub reset: Option<LogBase>,
    /// Consecutive entries that replace everything from the first one's index on.
    pub entries: Vec<Entry>,
}

impl LogBatch {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.reset.is_none() && self.entries.is_empty()
    }
}

/// The point after which a log starts: 0, 0 until something was compacted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogBase {
    /// Of the last entry that is no longer in the log.
    pub index: u64,
    /// Its term.
    pub term: u64,
}

/// A group's log as found on disk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadedLog {
    /// `None`: the group has never written one.
    pub hard_state: Option<HardState>,
    /// Where the log starts.
    pub base: LogBase,
    /// Consecutive, the first one at `base.index + 1`.
    pub entries: Vec<Entry>,
}

/// What a store did since it was opened, for `INFO` and metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStatus {
    /// `file`, `sled` or `memory`.
    pub kind: &'static str,
    /// Bytes that the log takes on disk, spare segments included.
    pub disk_bytes: u64,
    /// Of these, bytes of spare segments, which hold nothing.
    pub spare_bytes: u64,
    /// Files of the log, spare segments included.
    pub files: u64,
    /// Calls of `write` and `compact` that reached the disk.
    pub writes: u64,
    /// Syncs of data files.
    pub syncs: u64,
    /// Bytes handed to the disk or engine.
    pub written_bytes: u64,
    /// The error that poisoned the store.
    pub error: Option<String>,
}

/// The logs and hard states of all groups of a node. Lives on the disk thread.
pub trait LogStore: Send {
    /// The log of a group; empty when the group is not known.
    fn load(&mut self, group: GroupId) -> Result<LoadedLog, StoreError>;

    /// Writes all batches with one sync. Durable on return; after a crash before that, each
    /// batch is there wholly or not at all.
    fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError>;

    /// Forgets the entries up to and with `through`, which a durable snapshot covers.
    fn compact(&mut self, group: GroupId, through: u64) -> Result<(), StoreError>;

    /// The same, but at most so much of it as takes milliseconds. Whether there is more of it to do, for
    /// another such call.
    fn compact_some(&mut self, group: GroupId, through: u64) -> Result<bool, StoreError> {
        self.compact(group, through).map(|()| false)
    }

    /// What the store did so far.
    fn status(&self) -> StoreStatus;

    /// Ends in good order. A store that is only dropped loses nothing either.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// The snapshots of all groups of a node: one for each, and the next one while it is written.
pub trait SnapshotStore: Send + Sync {
    /// Starts a snapshot beside the latest one.
    fn begin(&self, meta: &Meta) -> Result<Box<dyn SnapshotWriter>, StoreError>;

    /// Opens the latest finished snapshot. A damaged one is an error, never an older one
    /// instead: the log between the two is gone.
    fn open_latest(&self, group: GroupId) -> Result<Option<Box<dyn SnapshotReader>>, StoreError>;
}

/// A snapshot being written. Dropped without `finish`, it never existed.
pub trait SnapshotWriter: Send {
    /// Appends one `snapshot.Chunk`.
    fn append(&mut self, chunk: &[u8]) -> Result<(), StoreError>;

    /// Makes it durable and the latest, then removes the one before.
    fn finish(self: Box<Self>) -> Result<(), StoreError>;
}

/// A finished snapshot being read. Stays readable when a later one replaces it.
pub trait SnapshotReader: Send {
    /// What it is a snapshot of.
    fn meta(&self) -> &Meta;

    /// The next chunk, verified; `None` after the last.
    fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, StoreError>;
}

/// A node's two stores: for its disk thread, and for its snapshot thread.
pub type Stores = (Box<dyn LogStore>, Arc<dyn SnapshotStore>);

/// Opens the stores that the data directory was made for.
pub fn open(kind: StorageKind, dir: &DataDir) -> Result<Stores, StoreError> {
    if kind != dir.storage() {
        let why = format!("it was opened for storage {}, not {kind}", dir.storage());
        return Err(StoreError::refused(dir.path(), why));
    }
    let log: Box<dyn LogStore> = match kind {
        StorageKind::Memory => {
            return Ok((
                Box::new(memory::MemoryLog::default()),
                Arc::new(memory::MemorySnapshots::default()),
            ));
        }
        StorageKind::File => {
            let disk = disk::RealDisk::new(dir.path().join(file::LOG_DIRECTORY));
            Box::new(file::FileLog::open(Box::new(disk), &dir.incarnation(), crate::limits::SEGMENT_BYTES)?)
        }
        StorageKind::Sled => Box::new(sled::SledLog::open(dir.path(), dir.node())?),
    };
    let snapshots = disk::RealDisk::new(dir.path().join(snapshot_file::SNAPSHOT_DIRECTORY));
    Ok((log, Arc::new(snapshot_file::SnapshotFiles::open(Arc::new(snapshots))?)))
}

/// The backend `file` on any disk: a node's log in one directory, its snapshots in another.
/// Files of the log are of `segment_bytes`.
pub fn open_on(
    log: Box<dyn Disk>,
    snapshots: Arc<dyn Disk>,
    incarnation: &[u8; 16],
    segment_bytes: u64,
) -> Result<Stores, StoreError> {
    let log = file::FileLog::open(log, incarnation, segment_bytes)?;
    Ok((Box::new(log), Arc::new(snapshot_file::SnapshotFiles::open(snapshots)?)))
}
