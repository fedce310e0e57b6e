//! How fast the walk of a snapshot goes on in the node's loop. A chunk is a pause for whoever waits
//! for the loop, so while there is other work the walk rests after each chunk for a multiple of the
//! time that the chunk took; without other work it goes on at once. It must never stand still: a
//! rest is bounded, and a walk that the log is about to overtake does not rest.

use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// After a chunk the walk rests so many times as long as that took: a fifth of the loop's time is its own.
const REST: u32 = 4;
/// A rest takes at most that long, whatever stopped the loop in a chunk: 32 KiB in 5 ms are 6 MiB a second.
const LONGEST_REST: Duration = Duration::from_millis(5);

/// The walk of the snapshot under way, if there is one.
#[derive(Debug, Default)]
pub struct Walk {
    is_on: Cell<bool>,
    /// Whether the loop had other work since the last chunk.
    was_busy: Cell<bool>,
    rests_until: Cell<Option<Instant>>,
}

impl Walk {
    /// Begins a walk.
    pub fn begin(&self) {
        self.is_on.set(true);
        self.rests_until.set(None);
    }

    /// It is complete, or given up.
    pub fn end(&self) {
        self.is_on.set(false);
    }

    /// Whether one is under way.
    pub fn is_on(&self) -> bool {
        self.is_on.get()
    }

    /// The loop has work of others in this turn.
    pub fn note_work(&self) {
        self.was_busy.set(true);
    }

    /// Whether it is under way and may go on in this turn.
    pub fn is_due(&self, now: Instant) -> bool {
        self.is_on.get() && self.rests_until.get().is_none_or(|until| until <= now)
    }

    /// A chunk was made, from `begun` until `now`. `is_late`: there is no time for rests.
    pub fn walked(&self, begun: Instant, now: Instant, is_late: bool) {
        let rests = self.was_busy.take() && !is_late;
        let rest = ((now - begun) * REST).min(LONGEST_REST);
        self.rests_until.set(rests.then(|| now + rest));
    }

    /// Whether it goes on as soon as the sockets have been looked at.
    pub fn goes_on_at_once(&self) -> bool {
        self.is_on.get() && self.rests_until.get().is_none()
    }

    /// Waits for the end of a rest; without one, for ever.
    pub async fn rested(&self) {
        match self.rests_until.get().filter(|_| self.is_on.get()) {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: Duration = Duration::from_micros(100);

    #[test]
    fn a_walk_rests_when_there_is_other_work_and_only_then() {
        let (walk, begun) = (Walk::default(), Instant::now());
        assert!(!walk.is_due(begun), "there is none");
        walk.begin();
        assert!(walk.is_due(begun) && walk.goes_on_at_once());
        let mut now = begun + CHUNK;
        walk.walked(begun, now, false);
        assert!(walk.is_due(now) && walk.goes_on_at_once(), "nobody waits");

        walk.note_work();
        walk.walked(now, now + CHUNK, false);
        now += CHUNK;
        assert!(!walk.is_due(now + 3 * CHUNK) && !walk.goes_on_at_once());
        assert!(walk.is_due(now + 4 * CHUNK));
        walk.walked(now, now + CHUNK, false);
        assert!(walk.goes_on_at_once(), "the work is done");

        walk.note_work();
        walk.walked(now, now + CHUNK, true);
        assert!(walk.goes_on_at_once(), "the log does not wait");
        walk.end();
        assert!(!walk.is_due(now + CHUNK) && !walk.goes_on_at_once());
    }

    #[test]
    fn a_rest_is_bounded_whatever_a_chunk_took() {
        let (walk, begun) = (Walk::default(), Instant::now());
        walk.begin();
        walk.note_work();
        let now = begun + Duration::from_secs(3);
        walk.walked(begun, now, false);
        assert!(!walk.is_due(now) && walk.is_due(now + LONGEST_REST));
    }
}
