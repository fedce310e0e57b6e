//! Everything that leaves a process as bytes: the replicated entry, the peer frames, the
//! on-disk records. Schemas are in `proto/`; this module must never do IO, and must never
//! trust a length: every decoder answers malformed input with [`WireError`].

pub mod entry;
pub mod frame;
mod replication;
pub mod units;

/// The code generated from `proto/*.proto`.
#[allow(warnings, clippy::all, rustdoc::all)]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/protos/mod.rs"));
}

/// Names a node, 1 and up; never used again once it was removed.
pub type NodeId = u64;

/// Names a Raft group. There is one today, [`FIRST_GROUP`].
pub type GroupId = u64;

/// The only group there is now.
pub const FIRST_GROUP: GroupId = 1;

/// Malformed bytes, from a peer or a disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {what}")]
pub struct WireError {
    /// What was being read.
    pub what: &'static str,
}

impl WireError {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self { what }
    }
}
