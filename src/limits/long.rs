//! Bounds that keep a long command or value from holding up short ones. This module must never
//! hold anything but constants.

use super::{MAX_BATCH_BYTES, MAX_WRITE_BYTES, SNAPSHOT_CHUNK_BYTES};

/// A job longer than this leaves in parts, with short ones between them. Not more than one entry
/// takes, so that no client waits for more than some parts of another's command.
pub const LONG_JOB_BYTES: usize = MAX_BATCH_BYTES;

/// Bytes of such a part.
pub const PART_BYTES: usize = 1 << 20;

/// Parts that an origin has on their way at a time. Beyond: they wait, and short jobs do not.
pub const PARTS_IN_FLIGHT: usize = 2;

/// Bytes of a body that is put together of parts: a job is full when a command makes it longer than
/// [`MAX_PIPELINE_BYTES`]. Beyond: refused, which nobody should see.
pub const MAX_JOINED_BYTES: usize = MAX_WRITE_BYTES + (16 << 20);

/// Bytes written to one client at a time. What is left follows when the others had their turn.
pub const FLUSH_BYTES: usize = 1 << 20;

/// A string this long stands in a snapshot in pieces, each of a chunk of its own.
pub const SNAPSHOT_LONG_BYTES: usize = 4 * SNAPSHOT_CHUNK_BYTES;

/// Expired keys that reads have met and that are to be removed; more are met again.
pub const MAX_MET_EXPIRED: usize = 1000;
