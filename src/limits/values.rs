//! The bounds of what values are made of. This module must never hold anything but constants.

/// Longest pack (Redis's LISTPACK_MAX_SAFETY_SIZE). Beyond: a collection takes the encoding of large ones, a
/// node of a list or stream is followed by another one.
pub const MAX_PACK_BYTES: usize = 1 << 30;

/// Longest sparse HyperLogLog (`hll-sparse-max-bytes`). Beyond: it becomes dense, of 12 KiB.
pub const HLL_SPARSE_MAX_BYTES: usize = 3000;
