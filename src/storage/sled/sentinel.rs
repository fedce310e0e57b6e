//! What sled may not forget, kept outside of it: node id, and the highest term and vote of each
//! group. sled 0.34 can come back from a power cut as an older or an empty database, without
//! an error; this file notices. It must never be ahead of what sled has on disk, and is
//! rewritten only when a term or a vote changes.
//!
//! `"bowline guard 1\n"`, u32 LE CRC32C of the rest, u64 LE node id, then per group four
//! u64 LE: group, term, vote, reserved (0).

use super::super::StoreError;
use super::super::disk::{RealDisk, replace};
use super::SENTINEL;
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::HardState;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"bowline guard 1\n";
const GROUP_BYTES: usize = 32;

/// The sentinel of a data directory.
#[derive(Debug)]
pub(super) struct Sentinel {
    directory: PathBuf,
    node: NodeId,
    /// (term, vote) of each group.
    votes: BTreeMap<GroupId, (u64, u64)>,
}

impl Sentinel {
    /// A first one, durable on return.
    pub(super) fn create(directory: &Path, node: NodeId) -> Result<Self, StoreError> {
        let sentinel = Self { directory: directory.to_path_buf(), node, votes: BTreeMap::new() };
        sentinel.write()?;
        Ok(sentinel)
    }

    /// Reads it; `None` when there is none.
    pub(super) fn read(directory: &Path, node: NodeId) -> Result<Option<Self>, StoreError> {
        let path = directory.join(SENTINEL);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::io("read", &path, source)),
        };
        let damaged = |what: &str| StoreError::corrupt(&path, 0, what);
        let Some((crc, rest)) = bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first_chunk) else {
            return Err(damaged("it does not begin as a sentinel does"));
        };
        if u32::from_le_bytes(*crc) != crc32c::crc32c(rest) {
            return Err(damaged("the sentinel fails its checksum"));
        }
        let numbers: Vec<u64> = rest.as_chunks::<8>().0.iter().map(|it| u64::from_le_bytes(*it)).collect();
        let Some((&found, groups)) = numbers.split_first() else {
            return Err(damaged("the sentinel is cut off"));
        };
        if found != node {
            return Err(StoreError::refused(
                directory,
                format!("its sentinel is of node {found}, not of node {node}"),
            ));
        }
        let votes = groups.as_chunks::<4>().0.iter().map(|it| (it[0], (it[1], it[2]))).collect();
        Ok(Some(Self { directory: directory.to_path_buf(), node, votes }))
    }

    /// The groups it knows.
    pub(super) fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.votes.keys().copied()
    }

    /// Refuses a hard state older than one that was acknowledged.
    pub(super) fn check(&self, group: GroupId, found: Option<&HardState>) -> Result<(), StoreError> {
        let Some(&(term, vote)) = self.votes.get(&group) else { return Ok(()) };
        let (found_term, found_vote) = found.map_or((0, 0), |it| (it.term, it.vote));
        if found_term > term || (found_term == term && (found_vote == vote || vote == 0)) {
            return Ok(());
        }
        let what = format!(
            "sled has come back with term {found_term} and vote {found_vote} of group {group}, after term {term} \
             and vote {vote} had been acknowledged"
        );
        Err(StoreError::forgotten(&self.directory, what))
    }

    /// Takes in what sled now has on disk; writes and syncs when a term or vote is new.
    pub(super) fn note(&mut self, changes: &[(GroupId, &HardState)]) -> Result<bool, StoreError> {
        let mut is_changed = false;
        for (group, hard_state) in changes {
            let vote = (hard_state.term, hard_state.vote);
            is_changed |= self.votes.insert(*group, vote) != Some(vote);
        }
        if is_changed {
            self.write()?;
        }
        Ok(is_changed)
    }

    fn write(&self) -> Result<(), StoreError> {
        let mut rest = Vec::with_capacity(8 + self.votes.len() * GROUP_BYTES);
        rest.extend_from_slice(&self.node.to_le_bytes());
        for (group, (term, vote)) in &self.votes {
            for number in [*group, *term, *vote, 0] {
                rest.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&rest).to_le_bytes());
        bytes.extend_from_slice(&rest);
        replace(&RealDisk::new(self.directory.clone()), SENTINEL, &bytes)
    }
}
