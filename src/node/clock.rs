//! The only place where the time of day is asked. What the group learns of time comes from
//! here, with its inputs.

use crate::group::Now;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clocks of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// Monotonic time counts from now.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        // A clock before 1970 is wrong anyway; the log's clock never goes back.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { wall_ms: wall.as_millis() as u64, mono_us: self.started.elapsed().as_micros() as u64 }
    }
}
