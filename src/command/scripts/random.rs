//! The numbers of `math.random`: those of `lrand48` (POSIX, 48 bits), as on every platform of Redis. They
//! follow from the seed alone.

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
const LOW: u64 = 0x330E;

/// A sequence of numbers.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub(super) fn new(seed: i32) -> Self {
        Self((u64::from(seed as u32) << 16) | LOW)
    }

    /// From 0 to 2^31 - 1.
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT) & MASK;
        (self.0 >> 17) as u32
    }

    /// From 0 to less than 1.
    pub(super) fn fraction(&mut self) -> f64 {
        const END: u32 = i32::MAX as u32;
        f64::from(self.next() % END) / f64::from(END)
    }
}
