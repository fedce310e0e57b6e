//! Small random changes of inputs. This module must never depend on anything but its seed.

use rand::Rng;
use rand::rngs::SmallRng;

/// Numbers at which readers change their minds.
const EDGES: &[u8] = &[0, 1, 2, 7, 8, 10, 13, 16, 31, 32, 36, 42, 58, 63, 64, 127, 128, 129, 254, 255];
const MOST_BYTES: usize = 4096;

/// `base`, changed in a few places; sometimes with a part of `other` in it.
pub fn mutate(base: &[u8], other: &[u8], rng: &mut SmallRng) -> Vec<u8> {
    let mut bytes = base.to_vec();
    for _ in 0..rng.random_range(1..=6) {
        let at = rng.random_range(0..=bytes.len());
        let len = rng.random_range(0..=16.min(bytes.len() - at));
        match rng.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = EDGES[rng.random_range(0..EDGES.len())],
            2 if at < bytes.len() => {
                bytes[at] = bytes[at].wrapping_add(rng.random_range(0..7)).wrapping_sub(3)
            }
            3 => bytes.insert(at, rng.random()),
            4 => drop(bytes.drain(at..at + len)),
            5 => {
                let again = bytes[at..at + len].to_vec();
                bytes.splice(at..at, again);
            }
            6 if !other.is_empty() => {
                let from = rng.random_range(0..other.len());
                let to = rng.random_range(from..=other.len());
                bytes.splice(at..at + len, other[from..to].iter().copied());
            }
            _ => bytes.truncate(bytes.len() - rng.random_range(0..=bytes.len() / 8)),
        }
    }
    bytes.truncate(MOST_BYTES);
    bytes
}
