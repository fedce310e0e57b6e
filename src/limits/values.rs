//! The bounds of what values are made of. This module must never hold anything but constants.

/// Longest pack (Redis's LISTPACK_MAX_SAFETY_SIZE). Beyond: a collection takes the encoding of large ones, a
/// node of a list or stream is followed by another one.
pub const MAX_PACK_BYTES: usize = 1 << 30;

/// Members of an intset. Beyond, whatever `set-max-intset-entries` says: it becomes a dictionary.
pub const MAX_INTS: usize = 1 << 30;

/// Members of a small set of strings. Beyond: it becomes a dictionary.
pub const SET_PACK_MAX_MEMBERS: usize = 128;

/// Longest member of a small set of strings. Beyond: it becomes a dictionary.
pub const SET_PACK_MAX_MEMBER_BYTES: usize = 64;

/// Longest sparse HyperLogLog (`hll-sparse-max-bytes`). Beyond: it becomes dense, of 12 KiB.
pub const HLL_SPARSE_MAX_BYTES: usize = 3000;

/// Keys and elements that are freed in one step; a write makes one while there is something to free.
pub const RELEASE_ELEMENTS: usize = 1000;

/// A collection with more elements is freed in steps.
pub const RELEASE_WHOLE_ELEMENTS: usize = 1000;

/// Such steps in one tick: a flush of ten million keys is given back within ten seconds, some milliseconds at a
/// time.
pub const RELEASE_PER_TICK: usize = 32;

/// Elements that a command draws at random when it may draw the same one again. Beyond: `value is out of range`.
pub const MAX_DRAWN_ELEMENTS: usize = 1 << 20;

/// Nodes of a stream that a trim which is not exact removes at most, as entries of full nodes, ...
pub const TRIM_NODES: usize = 100;

/// ... where full nodes have no number of entries, ...
pub const TRIM_DEFAULT_ENTRIES: usize = 10_000;

/// ... and where that would be too many. Beyond: they stay for the next one.
pub const TRIM_MAX_ENTRIES: usize = 1_000_000;
