//! What sled may not forget, kept outside of it: node id, and of each group the highest term
//! and vote, and about how far its log was committed. sled 0.34 can come back from a power cut
//! as an older or an empty database, and leaves out all that follows a damaged page, without
//! an error; this file notices. It must never be ahead of what sled has on disk. As long as it
//! names no group, nothing was acknowledged. It is rewritten with a group's first write, when
//! a term or a vote changes, and now and then while the log grows: the damage
//! that it misses is in entries as young as that.
//!
//! `"bowline guard 1\n"`, u32 LE CRC32C of the rest, u64 LE node id, then per group four
//! u64 LE: group, term, vote, committed index.

use super::super::StoreError;
use super::super::disk::{RealDisk, replace};
use super::SENTINEL;
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::HardState;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const MAGIC: &[u8; 16] = b"bowline guard 1\n";
const GROUP_BYTES: usize = 32;
/// How much may be committed before it is noted.
const COMMIT_NOTED_AFTER: Duration = Duration::from_secs(1);

/// What is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Known {
    term: u64,
    vote: u64,
    commit: u64,
}

/// The sentinel of a data directory.
#[derive(Debug)]
pub(super) struct Sentinel {
    directory: PathBuf,
    node: NodeId,
    groups: BTreeMap<GroupId, Known>,
    written: Instant,
}

impl Sentinel {
    fn new(directory: &Path, node: NodeId, groups: BTreeMap<GroupId, Known>) -> Self {
        Self { directory: directory.to_path_buf(), node, groups, written: Instant::now() }
    }

    /// A first one, durable on return.
    pub(super) fn create(directory: &Path, node: NodeId) -> Result<Self, StoreError> {
        let mut sentinel = Self::new(directory, node, BTreeMap::new());
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
        let known = |it: &[u64; 4]| (it[0], Known { term: it[1], vote: it[2], commit: it[3] });
        let groups = groups.as_chunks::<4>().0.iter().map(known).collect();
        Ok(Some(Self::new(directory, node, groups)))
    }

    /// The groups it knows.
    pub(super) fn groups(&self) -> impl Iterator<Item = GroupId> {
        self.groups.keys().copied()
    }

    /// Whether anything of a group was acknowledged.
    pub(super) fn knows(&self, group: GroupId) -> bool {
        self.groups.contains_key(&group)
    }

    /// Refuses a hard state older than one that was acknowledged, and a log that ends before
    /// what was committed.
    pub(super) fn check(
        &self,
        group: GroupId,
        found: Option<&HardState>,
        last_index: u64,
    ) -> Result<(), StoreError> {
        let Some(&Known { term, vote, commit }) = self.groups.get(&group) else { return Ok(()) };
        let (found_term, found_vote) = found.map_or((0, 0), |it| (it.term, it.vote));
        let is_known = found_term > term || (found_term == term && (found_vote == vote || vote == 0));
        let what = if !is_known {
            format!(
                "sled has come back with term {found_term} and vote {found_vote} of group {group}, after term \
                 {term} and vote {vote} had been acknowledged"
            )
        } else if last_index < commit {
            format!(
                "sled has come back with a log of group {group} that ends at entry {last_index}, after entry \
                 {commit} had been committed"
            )
        } else {
            return Ok(());
        };
        Err(StoreError::forgotten(&self.directory, what))
    }

    /// Takes in what sled now has on disk; writes and syncs when a term or vote is new, or
    /// when more has been committed for some time.
    pub(super) fn note(&mut self, changes: &[(GroupId, HardState)]) -> Result<bool, StoreError> {
        let mut is_due = false;
        for (group, hard_state) in changes {
            is_due |= !self.knows(*group);
            let known = self.groups.entry(*group).or_default();
            let commit = known.commit.max(hard_state.commit);
            let now = Known { term: hard_state.term, vote: hard_state.vote, commit };
            is_due |= (known.term, known.vote) != (now.term, now.vote)
                || (known.commit != commit && self.written.elapsed() >= COMMIT_NOTED_AFTER);
            *known = now;
        }
        if is_due {
            self.write()?;
        }
        Ok(is_due)
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let mut rest = Vec::with_capacity(8 + self.groups.len() * GROUP_BYTES);
        rest.extend_from_slice(&self.node.to_le_bytes());
        for (group, Known { term, vote, commit }) in &self.groups {
            for number in [group, term, vote, commit] {
                rest.extend_from_slice(&number.to_le_bytes());
            }
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&crc32c::crc32c(&rest).to_le_bytes());
        bytes.extend_from_slice(&rest);
        self.written = Instant::now();
        replace(&RealDisk::new(self.directory.clone()), SENTINEL, &bytes)
    }
}
