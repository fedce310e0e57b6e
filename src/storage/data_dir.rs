//! The data directory: whose it is, and that nobody else uses it. It is for one node of one
//! cluster, made once with a random incarnation; everything that does not fit is refused with
//! a sentence that says what to do. This module must never delete or repair anything: a wrong
//! guess would let a node vote twice.
//!
//! ```text
//! LOCK        held while a process uses the directory; holds its process id, for people
//! identity    "bowline\n", u32 LE length, u32 LE CRC32C of the rest, a record.Identity
//! log/        storage file
//! sled/       storage sled, with `sentinel` beside it
//! snapshots/
//! ```

mod identity;
#[cfg(test)]
mod tests;

pub(super) use identity::{check_format, incarnation_of, read_identity};

use super::disk::{make_directory, sync_directory};
use super::{StoreError, file, sled, snapshot_file};
use crate::wire::NodeId;
use crate::wire::proto::record;
use identity::{check, new_identity, write_identity};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

const LOCK: &str = "LOCK";
const IDENTITY: &str = "identity";

/// Which backend holds the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StorageKind {
    /// Segmented files with checksums, synced before every acknowledgement.
    #[default]
    File,
    /// A sled database, synced before every acknowledgement.
    Sled,
    /// Nothing survives the process. For trying things out.
    Memory,
}

impl StorageKind {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Sled => "sled",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl std::str::FromStr for StorageKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let kinds = [Self::File, Self::Sled, Self::Memory];
        let kind = kinds.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("unknown storage `{name}`: file, sled and memory are known"))
    }
}

/// A member of the cluster as it was first configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstMember {
    /// Its id.
    pub node: NodeId,
    /// Where clients reach it, `host:port`.
    pub client_addr: String,
    /// Where peers reach it, `host:port`.
    pub peer_addr: String,
}

/// What the node was started as.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// The node's id.
    pub node: NodeId,
    /// The backend.
    pub storage: StorageKind,
    /// Kept when the directory is made, not compared later: the members change since.
    pub first_members: Vec<FirstMember>,
    /// The voters of the log's beginning; kept in the same way. Empty: the first members.
    pub first_voters: Vec<NodeId>,
    /// The cluster that the node was let into; kept in the same way. None: a new one.
    pub cluster_id: Option<[u8; 16]>,
}

/// Whose a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Its node's id.
    pub node: NodeId,
    /// Its cluster, once the node has heard of it.
    pub cluster_id: Option<[u8; 16]>,
}

/// An open, locked data directory.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    storage: StorageKind,
    incarnation: [u8; 16],
    identity: record::Identity,
    is_new: bool,
    /// Unlocked when it is dropped. Storage `memory` has none.
    _lock: Option<File>,
}

impl DataDir {
    /// Opens the directory, or makes it when it is missing or empty; raises the boot counter,
    /// durably. Storage `memory` leaves no trace on disk.
    pub fn open(path: &Path, expected: &Expectations) -> Result<Self, StoreError> {
        if expected.storage == StorageKind::Memory {
            return Self::in_memory(path, expected);
        }
        if !path.is_dir() {
            make_directory(path)?;
        }
        let lock = lock(path)?;
        let found = read_identity(path)?;
        let is_new = found.is_none();
        let mut identity = match found {
            Some(identity) => identity,
            None => {
                refuse_foreign(path)?;
                make_subdirectories(path, expected.storage)?;
                new_identity(expected)?
            }
        };
        check(path, &identity, expected)?;
        identity.set_boot(identity.get_boot() + 1);
        write_identity(path, &identity)?;
        let incarnation = incarnation_of(path, &identity)?;
        let storage = expected.storage;
        Ok(Self { path: path.to_path_buf(), storage, incarnation, identity, is_new, _lock: Some(lock) })
    }

    fn in_memory(path: &Path, expected: &Expectations) -> Result<Self, StoreError> {
        if let Some(identity) = read_identity(path)? {
            check(path, &identity, expected)?;
        }
        let mut identity = new_identity(expected)?;
        identity.set_boot(1);
        let incarnation = incarnation_of(path, &identity)?;
        let storage = StorageKind::Memory;
        Ok(Self { path: path.to_path_buf(), storage, incarnation, identity, is_new: true, _lock: None })
    }

    /// Whose directory this is; none when there is none yet, and one could be made here. Changes
    /// nothing.
    pub fn owner(path: &Path) -> Result<Option<Owner>, StoreError> {
        let Some(identity) = read_identity(path)? else {
            if path.is_dir() {
                refuse_foreign(path)?;
            }
            return Ok(None);
        };
        check_format(path, &identity)?;
        let cluster_id = identity.get_cluster_id().try_into().ok();
        Ok(Some(Owner { node: identity.get_node(), cluster_id }))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which backend it is for.
    pub fn storage(&self) -> StorageKind {
        self.storage
    }

    /// Whose it is.
    pub fn node(&self) -> NodeId {
        self.identity.get_node()
    }

    /// 16 random bytes, made with the directory: the same node id in another directory is
    /// another node.
    pub fn incarnation(&self) -> [u8; 16] {
        self.incarnation
    }

    /// How often the directory was opened, this time included.
    pub fn boot(&self) -> u64 {
        self.identity.get_boot()
    }

    /// The cluster's id, once the node has heard it.
    pub fn cluster_id(&self) -> Option<[u8; 16]> {
        self.identity.get_cluster_id().try_into().ok()
    }

    /// The members that the directory was made with.
    pub fn first_members(&self) -> Vec<FirstMember> {
        let members = self.identity.get_first_members().iter();
        let member = |member: &record::FirstMember| FirstMember {
            node: member.get_node(),
            client_addr: member.get_client_addr().to_owned(),
            peer_addr: member.get_peer_addr().to_owned(),
        };
        members.map(member).collect()
    }

    /// The voters of the log's beginning: what a log without a snapshot starts from.
    pub fn first_voters(&self) -> Vec<NodeId> {
        match self.identity.get_first_voters() {
            [] => self.first_members().iter().map(|member| member.node).collect(),
            voters => voters.to_vec(),
        }
    }

    /// Whether this call of `open` made the directory.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Remembers the cluster, durably. The first one stays: another is refused.
    pub fn set_cluster_id(&mut self, cluster_id: [u8; 16]) -> Result<(), StoreError> {
        match self.cluster_id() {
            Some(known) if known == cluster_id => return Ok(()),
            Some(known) => {
                let why = format!(
                    "it belongs to cluster {}, and the peers are of cluster {}: correct the peers' addresses, \
                     or give the node an empty data directory and a new node id",
                    hex(&known),
                    hex(&cluster_id)
                );
                return Err(StoreError::refused(&self.path, why));
            }
            None => {}
        }
        let mut identity = self.identity.clone();
        identity.set_cluster_id(cluster_id.to_vec());
        self.replace_identity(identity)
    }

    /// Whether this directory is known to be the one that its node id belongs to.
    pub fn settled(&self) -> bool {
        self.identity.get_settled()
    }

    /// Remembers that it is, durably.
    pub fn set_settled(&mut self) -> Result<(), StoreError> {
        let mut identity = self.identity.clone();
        identity.set_settled(true);
        self.replace_identity(identity)
    }

    fn replace_identity(&mut self, identity: record::Identity) -> Result<(), StoreError> {
        if self.storage != StorageKind::Memory {
            write_identity(&self.path, &identity)?;
        }
        self.identity = identity;
        Ok(())
    }
}

/// Bytes as people compare them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let name = path.join(LOCK);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&name);
    let mut file = open.map_err(|source| StoreError::io("open", &name, source))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only for the message: without it, the message is shorter.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let holder = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
            let why =
                format!("another process is using it{holder}: stop that one first, or use another directory");
            return Err(StoreError::refused(path, why));
        }
        Err(TryLockError::Error(source)) => return Err(StoreError::io("lock", &name, source)),
    }
    let noted = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(|source| StoreError::io("write", &name, source))?;
    Ok(file)
}

/// Whether a process has the directory open right now.
pub(super) fn is_in_use(path: &Path) -> bool {
    let Ok(file) = File::open(path.join(LOCK)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// A directory without an identity must be empty, or our own, left half-made by a crash.
fn refuse_foreign(path: &Path) -> Result<(), StoreError> {
    let listed = |path: &Path| -> Result<Vec<fs::DirEntry>, StoreError> {
        let entries = fs::read_dir(path).and_then(Iterator::collect);
        entries.map_err(|source| StoreError::io("list", path, source))
    };
    for entry in listed(path)? {
        let name = entry.file_name();
        let ours = [file::LOG_DIRECTORY, sled::DIRECTORY, snapshot_file::SNAPSHOT_DIRECTORY];
        if name == LOCK || name == "identity.tmp" || name == "lost+found" {
            continue;
        }
        let is_ours = name == sled::SENTINEL || ours.iter().any(|ours| name == *ours);
        if is_ours && entry.path().is_dir() && listed(&entry.path())?.is_empty() {
            continue;
        }
        let why = if is_ours {
            format!(
                "it has {} but no identity: its file `identity` was removed. Without it the node cannot know \
                 its votes: let it join again with an empty directory and a new node id",
                name.display()
            )
        } else {
            format!("it is not empty (it has {}) and not bowline's: use an empty directory", name.display())
        };
        return Err(StoreError::refused(path, why));
    }
    Ok(())
}

/// Made before the identity: once there is one, a missing log is a lost log.
fn make_subdirectories(path: &Path, storage: StorageKind) -> Result<(), StoreError> {
    let log = if storage == StorageKind::Sled { sled::DIRECTORY } else { file::LOG_DIRECTORY };
    for name in [log, snapshot_file::SNAPSHOT_DIRECTORY] {
        make_directory(&path.join(name))?;
    }
    sync_directory(path)
}
