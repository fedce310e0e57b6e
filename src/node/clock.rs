//! The only place where the time of day is asked. What the group learns of time comes from
//! here, with its inputs. This module must never give a monotonic time that stands still while
//! the machine sleeps: a leader that wakes up would take its lease for valid.

use crate::group::Now;
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The clocks of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Duration,
}

/// Since this machine was started, time in which it was suspended included: std's `Instant`
/// leaves that out.
fn since_boot() -> Duration {
    // Neither part is ever negative on this clock.
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Clock {
    /// Monotonic time counts from now.
    pub fn start() -> Self {
        Self { started: since_boot() }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        // A clock before 1970 is wrong anyway; the log's clock never goes back.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = since_boot().saturating_sub(self.started);
        Now { wall_ms: wall.as_millis() as u64, mono_us: mono.as_micros() as u64 }
    }
}
