//! A disk in memory that forgets what was not synced: a crash keeps or loses each unsynced
//! sector and each unsynced directory change on its own, by a seeded choice, and may flip bits
//! of what it keeps. A failed sync drops its dirty pages from what will ever be written, as
//! Linux does. The simulation of whole clusters runs on it as well (`tests/simulation`).

use super::{Disk, DiskFile};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

const SECTOR_BYTES: usize = 512;

/// What happens at a planned operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Failure {
    /// The power goes: this and every later operation fails, until [`SimDisk::restart`].
    Crash,
    /// ENOSPC, with half of the bytes written.
    NoSpace,
    /// EIO of a sync; other operations are not affected.
    SyncFails,
}

#[derive(Default)]
struct Inode {
    durable: Vec<u8>,
    current: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Sectors written since the last sync: nothing else may be damaged by a crash.
    written: Vec<Range<usize>>,
}

/// One unsynced change of the directory: a name removed, then a name set.
type Change = (Option<String>, Option<(String, u64)>);

struct State {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    unsynced: Vec<Change>,
    rng: SmallRng,
    operations: u64,
    inodes_made: u64,
    plan: Option<(u64, Failure)>,
    is_crashed: bool,
    /// Syncs say that they are done and do nothing.
    lies: bool,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub(in super::super) struct SimDisk {
    path: PathBuf,
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    pub(in super::super) fn new(seed: u64) -> Self {
        let state = State {
            inodes: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            rng: SmallRng::seed_from_u64(seed),
            operations: 0,
            inodes_made: 0,
            plan: None,
            is_crashed: false,
            lies: false,
        };
        Self { path: PathBuf::from("/sim"), state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets the `after`th changing operation from now on fail.
    pub(in super::super) fn plan(&self, after: u64, failure: Failure) {
        let mut state = self.state();
        state.plan = Some((state.operations + after, failure));
    }

    #[allow(dead_code, reason = "only the simulation of clusters has such disks")]
    /// From now on syncs say that they are done and do nothing, as some hardware does.
    pub(in super::super) fn lie(&self) {
        self.state().lies = true;
    }

    /// The process ends and the machine goes on: what was written is still there, synced or
    /// not, and what was wrong with the disk is repaired.
    pub(in super::super) fn reopen(&self) {
        let mut state = self.state();
        state.is_crashed = false;
        state.plan = None;
    }

    /// Loses power, if it has not, and comes back with what was durable and a part of the rest.
    pub(in super::super) fn restart(&self) {
        let state = &mut *self.state();
        // Everything, nothing or any part of what was unsynced reached the disk.
        let chance = [0.0, 0.5, 0.5, 0.9, 1.0][state.rng.random_range(0..5)];
        let flips = state.rng.random_bool(0.3);
        for inode in state.inodes.values_mut() {
            for sector in std::mem::take(&mut inode.dirty) {
                if state.rng.random_bool(chance) {
                    inode.persist(sector);
                }
            }
            let written = std::mem::take(&mut inode.written);
            for range in written.into_iter().filter(|range| flips && !range.is_empty()) {
                let (at, bit) = (state.rng.random_range(range), state.rng.random_range(0..8));
                if let Some(byte) = inode.durable.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            inode.current.clone_from(&inode.durable);
        }
        for (removed, set) in std::mem::take(&mut state.unsynced) {
            if state.rng.random_bool(chance) {
                removed.map(|name| state.durable_names.remove(&name));
                set.map(|(name, inode)| state.durable_names.insert(name, inode));
            }
        }
        state.names = state.durable_names.clone();
        let named: BTreeSet<u64> = state.names.values().copied().collect();
        state.inodes.retain(|inode, _| named.contains(inode));
        state.is_crashed = false;
        state.plan = None;
    }

    /// Flips a bit of a file, durably.
    pub(in super::super) fn flip(&self, name: &str, offset: usize, bit: u8) {
        let state = &mut *self.state();
        let inode = state.inodes.get_mut(&state.names[name]).unwrap();
        inode.current[offset] ^= 1 << bit;
        inode.durable[offset] ^= 1 << bit;
    }

    /// Changing operations so far.
    pub(in super::super) fn operations(&self) -> u64 {
        self.state().operations
    }
}

impl Inode {
    fn persist(&mut self, sector: usize) {
        let from = sector * SECTOR_BYTES;
        let to = (from + SECTOR_BYTES).min(self.current.len());
        if self.durable.len() < to {
            self.durable.resize(to, 0);
        }
        self.durable[from..to].copy_from_slice(&self.current[from..to]);
    }
}

impl State {
    /// Counts an operation; the failure that is planned for it.
    fn step(&mut self) -> io::Result<Option<Failure>> {
        let crashed = || io::Error::other("the power is gone");
        if self.is_crashed {
            return Err(crashed());
        }
        self.operations += 1;
        let due = self.plan.filter(|(at, _)| self.operations >= *at).map(|(_, failure)| failure);
        self.is_crashed = due == Some(Failure::Crash);
        Ok(due)
    }

    fn change(&mut self, removed: Option<&str>, set: Option<(&str, u64)>) -> io::Result<()> {
        let due = self.step()?;
        if due == Some(Failure::NoSpace) && set.is_some() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        removed.map(|name| self.names.remove(name));
        set.map(|(name, inode)| self.names.insert(name.into(), inode));
        self.unsynced.push((removed.map(Into::into), set.map(|(name, inode)| (name.into(), inode))));
        if self.is_crashed { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn inode_of(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Disk for SimDisk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn open(&self, name: &str, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        if create {
            if state.names.contains_key(name) {
                return Err(io::Error::from(io::ErrorKind::AlreadyExists));
            }
            state.inodes_made += 1;
            let inode = state.inodes_made;
            state.inodes.insert(inode, Inode::default());
            state.change(None, Some((name, inode)))?;
        }
        let inode = state.inode_of(name)?;
        Ok(Box::new(SimFile { inode, disk: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.inode_of(from)?;
        state.change(Some(from), Some((to, inode)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.inode_of(name)?;
        state.change(Some(name), None)
    }

    fn sync_directory(&self) -> io::Result<()> {
        let mut state = self.state();
        match state.step()? {
            Some(Failure::Crash | Failure::SyncFails) => Err(io::Error::other("sync failed")),
            _ => {
                if !state.lies {
                    state.durable_names = state.names.clone();
                    state.unsynced.clear();
                }
                Ok(())
            }
        }
    }
}

struct SimFile {
    inode: u64,
    disk: SimDisk,
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[&self.inode].current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.state();
        let from = offset as usize;
        let found = state.inodes[&self.inode].current.get(from..from + buffer.len());
        buffer.copy_from_slice(found.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let due = state.step()?;
        let written = if due == Some(Failure::NoSpace) { bytes.len() / 2 } else { bytes.len() };
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        let (from, to) = (offset as usize, offset as usize + written);
        if inode.current.len() < to {
            inode.current.resize(to, 0);
        }
        // The same bytes once more cannot be torn or damaged: sectors are written as a whole.
        if inode.current[from..to] != bytes[..written] {
            inode.current[from..to].copy_from_slice(&bytes[..written]);
            // A sector that was being written may hold anything.
            inode.written.push(from / SECTOR_BYTES * SECTOR_BYTES..to.next_multiple_of(SECTOR_BYTES));
        }
        inode.dirty.extend(from / SECTOR_BYTES..to.div_ceil(SECTOR_BYTES));
        match due {
            Some(Failure::NoSpace) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Some(Failure::Crash) => Err(io::Error::other("the power is gone")),
            _ => Ok(()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = &mut *self.disk.state();
        let due = state.step()?;
        if due == Some(Failure::Crash) {
            return Err(io::Error::other("the power is gone"));
        }
        if state.lies {
            return Ok(());
        }
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        inode.written.clear();
        let dirty = std::mem::take(&mut inode.dirty);
        if due == Some(Failure::SyncFails) {
            return Err(io::Error::other("sync failed"));
        }
        dirty.into_iter().for_each(|sector| inode.persist(sector));
        Ok(())
    }
}
