//! The protocol at its boundary: bytes in, requests out; replies in, bytes out.

mod decoding;
mod encoding;

use rand::{SeedableRng, rngs::SmallRng};

/// A generator whose seed is printed, so that a failure can be run again with BOWLINE_SEED.
fn seeded() -> SmallRng {
    let seed = std::env::var("BOWLINE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| getrandom::u64().expect("the system's random source"));
    println!("BOWLINE_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}
