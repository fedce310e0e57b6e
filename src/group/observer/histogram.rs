//! [`Histogram`]: how often what time was taken, to two significant digits, up to a second (Gil
//! Tene's HdrHistogram, in the layout that Redis uses it in, so that quantiles are cut alike).

use std::cell::Cell;

/// Values below are told apart; above, ever two, four, eight of them are one.
const LINEAR: u64 = 256;
const HALF: usize = (LINEAR / 2) as usize;
/// The longest time that is told from longer ones.
const HIGHEST_NS: u64 = 1_000_000_000;
const LEN: usize = 24 * HALF;
/// The first step of the distribution that `LATENCY HISTOGRAM` shows.
const FIRST_STEP_NS: u64 = 1024;

/// See the module.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[Cell<u64>]>,
    count: Cell<u64>,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self { counts: vec![Cell::new(0); LEN].into(), count: Cell::new(0) }
    }

    /// One more of this.
    pub fn record(&self, ns: u64) {
        let slot = &self.counts[index(ns.clamp(1, HIGHEST_NS))];
        slot.set(slot.get() + 1);
        self.count.set(self.count.get() + 1);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    pub(super) fn reset(&self) {
        self.counts.iter().for_each(|slot| slot.set(0));
        self.count.set(0);
    }

    /// The time that as many per cent do not exceed.
    pub fn percentile_ns(&self, percent: f64) -> u64 {
        let wanted = (percent / 100.0 * self.count() as f64 + 0.5) as u64;
        let mut so_far = 0;
        for (i, slot) in self.counts.iter().enumerate() {
            so_far += slot.get();
            if so_far >= wanted.max(1) {
                return highest(i);
            }
        }
        0
    }

    /// Microseconds, each the double of the one before, and how many took no longer; only where
    /// there are more than at the step before.
    pub fn steps_us(&self) -> Vec<(u64, u64)> {
        let mut steps = Vec::new();
        let (mut step_ns, mut so_far, mut told, mut i) = (FIRST_STEP_NS, 0, 0, 0);
        while told < self.count() && i < LEN {
            let end_ns = highest(index(step_ns)).min(highest(LEN - 1));
            while i < LEN && highest(i) <= end_ns {
                so_far += self.counts[i].get();
                i += 1;
            }
            if so_far > told {
                steps.push((end_ns / 1000, so_far));
                told = so_far;
            }
            step_ns *= 2;
        }
        steps
    }
}

fn index(ns: u64) -> usize {
    let doublings = (ns | (LINEAR - 1)).ilog2() - (LINEAR - 1).ilog2();
    doublings as usize * HALF + (ns >> doublings) as usize
}

/// The longest time of a slot.
fn highest(index: usize) -> u64 {
    let doublings = (index / HALF).saturating_sub(1);
    let within = index - doublings * HALF;
    ((within as u64 + 1) << doublings) - 1
}
