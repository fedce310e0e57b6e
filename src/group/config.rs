//! What a group is started with.

use crate::wire::{GroupId, NodeId};
use raft::eraftpb::{Entry, HardState};

use super::log_view::SnapshotPoint;
use crate::machine::Machine;

/// The settings of a replica. Ticks are what the node sends as [`super::Input::Tick`].
#[derive(Debug, Clone)]
pub struct GroupConfig {
    /// This replica's node.
    pub node_id: NodeId,
    /// The group.
    pub group: GroupId,
    /// How often this node has started: raised, and on disk, before this start.
    pub boot: u64,
    /// Made with the data directory.
    pub incarnation: [u8; 16],
    /// Where clients reach this node.
    pub client_addr: String,
    /// Where peers reach it.
    pub peer_addr: String,
    /// Whether this data directory is known to be the one its id belongs to: see `settled`.
    pub settled: bool,
    /// Ticks without a leader before an election; the draw is between once and twice that.
    pub election_ticks: usize,
    /// Ticks between heartbeats.
    pub heartbeat_ticks: usize,
    /// How long a confirmed round of reads lets a leader answer alone, by its monotonic clock; no
    /// more than 8/9 of the shortest time in which a follower campaigns. 0: leases are off. The
    /// same on every node at every start, or else a node that is started anew keeps less than
    /// it had promised.
    pub lease_us: u64,
    /// How long a command waits without a leader, or without progress, before its error.
    pub unavailable_after_ms: u64,
    /// Of election timeouts, so that a run can be repeated.
    pub seed: u64,
    /// Proposed for a new cluster: its id.
    pub new_cluster_id: [u8; 16],
    /// Proposed for a new cluster: the key of the keyspace's hash.
    pub new_hash_key: [u8; 16],
    /// Proposed for a new cluster: the password of the user `default`, as hexadecimal SHA-256; empty:
    /// it needs none.
    pub new_password: String,
    /// Log bytes since the last snapshot that make a new one due, at least.
    pub snapshot_min_log_bytes: u64,
    /// Memory that the log may take, whoever lags.
    pub log_cache_bytes: usize,
    /// The same at a leader while a follower that answers lacks some of it, or gets a snapshot; more if the state's
    /// snapshot is larger.
    pub log_held_bytes: usize,
    /// How much later than with this leader's disk, on average, the others alone may have an entry for its own
    /// write to wait for more to share its sync (see [`super::Persist::can_wait`]).
    pub others_lag_us: u64,
    /// Whether a new leader's entries go one at a time until it has measured what is more (`rhythm`).
    pub one_at_a_time: bool,
}

/// What a replica's disk held, and the machine restored from its snapshot.
pub struct Recovered {
    /// Term, vote, commit; default when there was none.
    pub hard_state: HardState,
    /// The snapshot's point and membership; for a new directory the first members at point 0.
    pub snapshot: SnapshotPoint,
    /// The log after the snapshot.
    pub entries: Vec<Entry>,
    /// The state at the snapshot.
    pub machine: Machine,
    /// Bytes of that snapshot.
    pub snapshot_bytes: u64,
}

/// The moment of an input. The group has no clock of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Unix time; may jump.
    pub wall_ms: u64,
    /// Never goes back, and counts the time in which the machine was suspended: leases rely on it.
    pub mono_us: u64,
}
