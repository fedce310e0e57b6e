//! When writes succeeded, and for how long none did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shorter times without a write are nothing to remark.
const SHORTEST_GAP_NS: u64 = 150_000_000;

/// A time without a successful write.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    pub from_ns: u64,
    pub to_ns: u64,
}

impl Gap {
    pub fn len_ms(&self) -> u64 {
        (self.to_ns - self.from_ns) / 1_000_000
    }
}

#[derive(Default)]
pub struct Availability {
    last_ns: AtomicU64,
    gaps: Mutex<Vec<Gap>>,
}

impl Availability {
    /// A write was acknowledged.
    pub fn succeeded(&self, now_ns: u64) {
        let from_ns = self.last_ns.fetch_max(now_ns, Ordering::Relaxed);
        if from_ns != 0 && now_ns > from_ns + SHORTEST_GAP_NS {
            let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
            gaps.push(Gap { from_ns, to_ns: now_ns });
        }
    }

    /// All gaps, the longest first.
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner).clone();
        gaps.sort_by_key(|gap| std::cmp::Reverse(gap.to_ns - gap.from_ns));
        gaps
    }
}
