//! Events in the order of their moments, and of their making within one. It must never give
//! two events in another order than last time.

use super::world::Event;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The heap holds places only: events are large, and would be moved at every level of it.
#[derive(Default)]
pub struct Queue {
    heap: BinaryHeap<Reverse<(u64, u64, usize)>>,
    places: Vec<Option<Event>>,
    free: Vec<usize>,
    made: u64,
}

impl Queue {
    pub fn push(&mut self, at_us: u64, event: Event) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        self.places[place] = Some(event);
        self.made += 1;
        self.heap.push(Reverse((at_us, self.made, place)));
    }

    /// The next event, unless it is later than `end_us`.
    pub fn pop(&mut self, end_us: u64) -> Option<(u64, Event)> {
        let Reverse((at_us, _, place)) = *self.heap.peek()?;
        if at_us > end_us {
            return None;
        }
        self.heap.pop();
        self.free.push(place);
        self.places[place].take().map(|event| (at_us, event))
    }
}
