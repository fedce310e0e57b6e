//! Counts of latencies in buckets of which each is at most 1/128 wide of what it holds (the layout of
//! HdrHistogram), so that percentiles of any number of requests take 60 KiB. Must never allocate
//! while it records.

const SUB_BITS: u32 = 7;
const SUBS: u64 = 1 << SUB_BITS;

pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

fn index(value: u64) -> usize {
    if value < SUBS {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - SUB_BITS;
    (u64::from(shift + 1) * SUBS + ((value >> shift) & (SUBS - 1))) as usize
}

/// The largest value that falls into a bucket.
fn highest(index: usize) -> u64 {
    let (octave, sub) = (index as u64 / SUBS, index as u64 % SUBS);
    if octave == 0 { sub } else { ((SUBS + sub + 1) << (octave - 1)).wrapping_sub(1) }
}

impl Histogram {
    pub fn new() -> Self {
        Self { counts: vec![0; index(u64::MAX) + 1], total: 0, max: 0 }
    }

    pub fn record(&mut self, value: u64, times: u64) {
        self.counts[index(value)] += times;
        self.total += times;
        self.max = self.max.max(value);
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn max(&self) -> u64 {
        self.max
    }

    /// What `share` (0 to 1) of the values do not exceed; None: there are no values.
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Some(highest(index).min(self.max));
            }
        }
        None
    }

    pub fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.max) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_a_hundredth_of_the_value() {
        let mut histogram = Histogram::new();
        for value in 1..=100_000 {
            histogram.record(value * 1000, 1);
        }
        for (share, wanted) in [(0.5, 50_000_000.0), (0.99, 99_000_000.0), (0.999, 99_900_000.0)] {
            let found = histogram.percentile(share).expect("there are values") as f64;
            assert!((found / wanted - 1.0).abs() < 0.01, "{share}: {found}, not {wanted}");
        }
        assert_eq!((histogram.percentile(1.0), histogram.max()), (Some(100_000_000), 100_000_000));
    }

    #[test]
    fn every_value_has_a_bucket_and_small_ones_are_exact() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.percentile(0.5), None);
        for value in [0, 1, 127, 128, 129, 255, 256, u64::MAX] {
            histogram.clear();
            histogram.record(value, 3);
            assert_eq!((histogram.percentile(0.5), histogram.total()), (Some(value), 3));
        }
    }

    #[test]
    fn one_slow_request_of_a_hundred_is_the_maximum_and_not_the_99th() {
        let mut histogram = Histogram::new();
        histogram.record(10, 99);
        histogram.record(5_000_000, 1);
        assert_eq!(histogram.percentile(0.99), Some(10));
        assert_eq!(histogram.percentile(0.999), Some(5_000_000));
    }
}
