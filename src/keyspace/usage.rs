//! When, and how often, a key was used, as this replica has seen it. This is not state: no change
//! may rest on it, and a restored key counts as just used.
//!
//! 32 bits a key, as they were left of an entry: 24 of the Unix time in seconds, which wrap after
//! 194 days, and the 8 of a logarithmic counter (the sizes that Redis gives them, which keeps one or
//! the other; here both are kept, so that a change of the policy finds both). The counter moves only
//! under a policy that goes by it.

use super::Keyspace;
use super::random::SplitMix;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

const COUNTER_BITS: u32 = 8;
const COUNTER_MASK: u32 = (1 << COUNTER_BITS) - 1;
/// The clock wraps after so many seconds.
const CLOCK_S: u32 = 1 << (u32::BITS - COUNTER_BITS);
/// A use seems to lie ahead when clocks differ; by more than this it lies far back.
const AHEAD_S: u32 = 3600;
/// What a new key's counter begins with, so that it has a chance against old ones.
const FIRST_COUNT: u8 = 5;

/// The last use of a key and its counter; atomic, so that reading a key may set it.
#[derive(Debug)]
pub(super) struct Usage(AtomicU32);

impl Usage {
    /// Of a key that comes at `now_ms`.
    pub(super) fn new(now_ms: u64) -> Self {
        Self(AtomicU32::new(packed(clock_s(now_ms), FIRST_COUNT)))
    }

    fn load(&self) -> (u32, u8) {
        let bits = self.0.load(Ordering::Relaxed);
        (bits >> COUNTER_BITS, (bits & COUNTER_MASK) as u8)
    }

    fn store(&self, clock_s: u32, counter: u8) {
        self.0.store(packed(clock_s, counter), Ordering::Relaxed);
    }

    /// Seconds since the last use.
    pub(super) fn idle_s(&self, now_ms: u64) -> u64 {
        let idle_s = clock_s(now_ms).wrapping_sub(self.load().0) % CLOCK_S;
        if idle_s >= CLOCK_S - AHEAD_S { 0 } else { u64::from(idle_s) }
    }

    /// Lets the last use be so long ago, or as long as the clock can tell.
    pub(super) fn set_idle(&self, now_ms: u64, idle_s: u64) {
        let idle_s = idle_s.min(u64::from(CLOCK_S - AHEAD_S - 1)) as u32;
        self.store(clock_s(now_ms).wrapping_sub(idle_s) % CLOCK_S, self.load().1);
    }

    pub(super) fn set_frequency(&self, now_ms: u64, frequency: u8) {
        self.store(clock_s(now_ms), frequency);
    }
}

fn clock_s(now_ms: u64) -> u32 {
    (now_ms / 1000) as u32 % CLOCK_S
}

fn packed(clock_s: u32, counter: u8) -> u32 {
    clock_s << COUNTER_BITS | u32::from(counter)
}

/// How uses are counted on this replica.
#[derive(Debug)]
pub(super) struct Counting {
    /// Whether they are: under a policy that goes by the frequency of use.
    pub(super) is_on: bool,
    pace: CountingPace,
    /// Of a counter's chance to move.
    random: AtomicU64,
}

/// How fast counters of use rise and fall: a node's own choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountingPace {
    /// `lfu-log-factor`: the higher, the more uses it takes to raise a counter that is high.
    pub log_factor: u32,
    /// `lfu-decay-time`: minutes without a use that lower it by one; 0: it never falls.
    pub decay_minutes: u32,
}

impl Default for CountingPace {
    fn default() -> Self {
        Self { log_factor: 10, decay_minutes: 1 }
    }
}

impl Default for Counting {
    fn default() -> Self {
        Self { is_on: false, pace: CountingPace::default(), random: AtomicU64::new(0) }
    }
}

impl Counting {
    /// Takes note of a use.
    #[inline]
    pub(super) fn note(&self, usage: &Usage, now_ms: u64) {
        if self.is_on {
            self.count(usage, now_ms);
        } else {
            usage.store(clock_s(now_ms), usage.load().1);
        }
    }

    /// The logarithmic increment of Redis: the chance falls with what the counter is above its
    /// beginning.
    #[cold]
    fn count(&self, usage: &Usage, now_ms: u64) {
        let counter = self.frequency(usage, now_ms);
        let above = u64::from(counter.saturating_sub(FIRST_COUNT));
        let bound = (above * u64::from(self.pace.log_factor)).saturating_add(1);
        let mut random = SplitMix::new(self.random.load(Ordering::Relaxed));
        let rises = random.below_u64(bound) == 0;
        self.random.store(random.state(), Ordering::Relaxed);
        usage.store(clock_s(now_ms), counter.saturating_add(u8::from(rises)));
    }

    /// What the counter has fallen to by now.
    pub(super) fn frequency(&self, usage: &Usage, now_ms: u64) -> u8 {
        let idle_minutes = usage.idle_s(now_ms) / 60;
        let periods = idle_minutes.checked_div(u64::from(self.pace.decay_minutes)).unwrap_or(0);
        usage.load().1.saturating_sub(u8::try_from(periods).unwrap_or(u8::MAX))
    }
}

impl Keyspace {
    /// How fast counters of use rise and fall from now on.
    pub fn set_counting_pace(&mut self, pace: CountingPace) {
        self.counting.pace = pace;
    }

    /// The same, as it is now.
    pub fn counting_pace(&self) -> CountingPace {
        self.counting.pace
    }

    /// Seconds since the key was last used, as this replica has seen it: not part of the state.
    pub fn idle_s(&self, db: usize, key: &[u8], wall_ms: u64) -> Option<u64> {
        Some(self.databases[db].find(self.hash(key), key)?.usage.idle_s(wall_ms))
    }

    /// The counter of uses of a key, the same.
    pub fn frequency(&self, db: usize, key: &[u8], wall_ms: u64) -> Option<u8> {
        let entry = self.databases[db].find(self.hash(key), key)?;
        Some(self.counting.frequency(&entry.usage, wall_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: u64 = 86_400;

    #[test]
    fn the_last_use_is_told_over_the_wrap_of_the_clock() {
        for used_s in [0, 1, u64::from(CLOCK_S) - 1, u64::from(CLOCK_S), 1_700_000_000] {
            let usage = Usage::new(used_s * 1000);
            for idle_s in [0, 1, 59, DAY_S, 190 * DAY_S] {
                assert_eq!(usage.idle_s((used_s + idle_s) * 1000), idle_s, "{used_s} {idle_s}");
            }
            assert_eq!(usage.idle_s(used_s.saturating_sub(3000) * 1000), 0, "another clock is behind");
        }
    }

    #[test]
    fn a_time_of_last_use_can_be_given() {
        let usage = Usage::new(5000);
        for (given, told) in [(0, 0), (1000, 1000), (300 * DAY_S, u64::from(CLOCK_S - AHEAD_S) - 1)] {
            usage.set_idle(1_700_000_000_000, given);
            assert_eq!(usage.idle_s(1_700_000_000_000), told);
        }
        assert_eq!(usage.load().1, FIRST_COUNT, "the counter stays");
    }

    #[test]
    fn counters_rise_by_the_logarithm_and_fall_with_time() {
        let counting = Counting { is_on: true, ..Counting::default() };
        // The table of redis.conf for the factor 10: uses, and about what the counter is then.
        for (uses, about) in [(100, 10), (1000, 18), (100_000, 142)] {
            let usage = Usage::new(0);
            (0..uses).for_each(|_| counting.note(&usage, 0));
            let counter = i32::from(counting.frequency(&usage, 0));
            assert!((counter - about).abs() <= 2 + about / 8, "{uses} uses: {counter}");
            assert_eq!(i32::from(counting.frequency(&usage, 3 * 60_000)), counter - 3);
            assert_eq!(counting.frequency(&usage, DAY_S * 1000), 0);
        }
        let pace = CountingPace { decay_minutes: 0, ..CountingPace::default() };
        let usage = Usage::new(0);
        assert_eq!(Counting { pace, ..Counting::default() }.frequency(&usage, DAY_S * 1000), FIRST_COUNT);
    }

    #[test]
    fn what_is_off_moves_no_counter() {
        let (counting, usage) = (Counting::default(), Usage::new(0));
        (0..1000).for_each(|_| counting.note(&usage, 7000));
        assert_eq!((usage.load(), usage.idle_s(9000)), ((7, FIRST_COUNT), 2));
    }
}
