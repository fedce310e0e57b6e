//! How a leader paces its entries and its own disk. This module must never hold anything but constants.

/// Bytes of entries that a leader's own disk may be behind those of others. Beyond: it waits for its own disk.
pub const AHEAD_OF_DISK_BYTES: usize = 4 << 20;

/// Microseconds by which others may on average have an entry later without their leader. Beyond: it writes at once.
pub const OTHERS_LAG_US: u64 = 250;

/// Entries whose lag a leader measures at the same time. Beyond: not measured.
pub const LATE_ENTRIES: usize = 64;

/// Bytes of batches that are proposed whatever is under way. Below, they may wait and share one entry.
pub const HOLD_BACK_BYTES: usize = 64 << 10;

/// Microseconds, at least, for which a leader measures how many commands it applies, to compare two rhythms of its
/// entries; entries in them, at least, or else they say nothing; and such stretches between two comparisons.
pub const RHYTHM_US: u64 = 20_000;
/// See [`RHYTHM_US`].
pub const RHYTHM_ENTRIES: u32 = 8;
/// See [`RHYTHM_US`].
pub const RHYTHM_REST: u32 = 25;

/// Microseconds for which a leader looks at the sockets after answers while nothing arrives; and in all.
pub const ASKED_AGAIN_US: u64 = 5;
/// See [`ASKED_AGAIN_US`].
pub const MOST_ASKED_AGAIN_US: u64 = 400;

/// Looks at the sockets in one turn of a node's loop, as long as each finds more commands.
pub const GATHER_LOOKS: usize = 6;
