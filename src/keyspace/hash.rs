//! [`KeyHash`]: what of a key's hash is used, and where each part of it goes. It must never
//! need more of the hash than an entry keeps.

use super::partition::PARTITIONS;

const PARTITION_BITS: u32 = PARTITIONS.trailing_zeros();

/// 46 bits of a key's hash: 14 choose its partition, 32 are kept beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyHash(u64);

impl KeyHash {
    pub(super) fn new(hash: u64) -> Self {
        Self(hash & ((1 << (PARTITION_BITS + u32::BITS)) - 1))
    }

    pub(super) fn partition(self) -> usize {
        self.0 as usize % PARTITIONS
    }

    /// What an entry keeps: within its partition it is all there is of the hash.
    pub(super) fn kept(self) -> u32 {
        (self.0 >> PARTITION_BITS) as u32
    }

    /// See [`table_hash`].
    pub(super) fn in_table(self) -> u64 {
        table_hash(self.kept())
    }
}

/// The hash for the table: hashbrown takes the bucket from the low bits, and a tag, which should
/// be others, from the top seven.
pub(super) fn table_hash(kept: u32) -> u64 {
    const TAG_BITS: u32 = 7;
    u64::from(kept) | u64::from(kept >> (u32::BITS - TAG_BITS)) << (u64::BITS - TAG_BITS)
}
