//! The choices of a run: splitmix64, written out here so that a seed means the same in every version.
//! It must never be asked for anything secret.

/// See the module's text.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice of their own for each `purpose` of a run.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut dice = Self(seed);
        Self(dice.next() ^ Self(purpose).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number less than `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// Whether something that happens in so many per cent of cases happens.
    pub fn happens(&mut self, percent: f64) -> bool {
        // 53 bits, as precise as the number is.
        let throw = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        throw * 100.0 < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_choices_each_time() {
        let choices = |seed, purpose| {
            let mut dice = Dice::new(seed, purpose);
            (0..100).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(choices(1, 2), choices(1, 2));
        assert_ne!(choices(1, 2), choices(1, 3));
        assert_ne!(choices(1, 2), choices(2, 2));
        assert_eq!(choices(1, 2)[..4], [272, 360, 137, 650], "in every version");
    }

    #[test]
    fn rates_are_kept() {
        let mut dice = Dice::new(1, 1);
        let count = |dice: &mut Dice, percent| (0..100_000).filter(|_| dice.happens(percent)).count();
        assert_eq!((count(&mut dice, 0.0), count(&mut dice, 100.0)), (0, 100_000));
        assert!((1_800..2_200).contains(&count(&mut dice, 2.0)));
    }
}
