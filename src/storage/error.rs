//! What can go wrong with a data directory, in sentences for the operator: which file, which
//! offset, what to do. This module must never decide what happens next; the node stops.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error of a store. Clone, because a poisoned store answers every later call with its first.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused a call.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// Bytes that were once acknowledged are no longer what was written.
    #[error(
        "{} is damaged at byte {offset}: {what}. The node cannot trust its log any more: remove it from the \
         cluster, empty its data directory, and let it join under a new node id",
        path.display()
    )]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was found there.
        what: String,
    },
    /// The directory exists, but is not for this node as it was started.
    #[error("data directory {}: {why}", path.display())]
    Refused {
        /// The data directory.
        path: PathBuf,
        /// A sentence that says what to do.
        why: String,
    },
    /// The backend lost something that it had acknowledged, or cannot be opened at all.
    #[error(
        "{}: {what}. The node may have forgotten a vote or entries that others count on: remove it from the \
         cluster, empty its data directory, and let it join under a new node id",
        path.display()
    )]
    Forgotten {
        /// Where the backend keeps its files.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// The caller asked for a log that could not be loaded again: a bug, never an operator's fault.
    #[error("group {group}: refused to write an impossible log: {what}")]
    Impossible {
        /// The group.
        group: u64,
        /// What does not fit.
        what: String,
    },
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_path_buf(), source: Arc::new(source) }
    }

    pub(super) fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, what: what.into() }
    }

    pub(super) fn refused(path: &Path, why: impl Into<String>) -> Self {
        Self::Refused { path: path.to_path_buf(), why: why.into() }
    }

    pub(super) fn forgotten(path: &Path, what: impl Into<String>) -> Self {
        Self::Forgotten { path: path.to_path_buf(), what: what.into() }
    }
}
