//! MurmurHash64A (Austin Appleby), little-endian everywhere, and where it places an element.

use super::sketch::{INDEX_BITS, REGISTERS};

const SEED: u64 = 0xadc8_3b19;

fn hash(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    const R: u32 = 47;
    let mut h = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut k = u64::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        h = (h ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        h = (h ^ u64::from_le_bytes(tail)).wrapping_mul(M);
    }
    h ^= h >> R;
    h = h.wrapping_mul(M);
    h ^ (h >> R)
}

/// The register of an element, and the length of its run of zeros with the one that ends it.
pub(super) fn place(element: &[u8]) -> (usize, u8) {
    let hash = hash(element);
    let index = hash as usize % REGISTERS;
    let run = (hash >> INDEX_BITS) | 1 << (u64::BITS - INDEX_BITS);
    (index, run.trailing_zeros() as u8 + 1)
}
