//! Clients that wait for what others bring (`BLPOP` and its like). Who waits for a key waits in the order of arrival; when
//! the key is touched the first is told, and tries its command again through the log, as any other write: what it takes
//! it takes once. It keeps its place until it has something, and whoever leaves tells the next. Who sends this node
//! what will bring something ([`Blocked::expect`]) has the tries of those who wait for it stand right behind it in the log.
//! Those who only read are all told, and read what this node has applied.
//! This module must never take an element itself, nor answer before the log has.

mod connection;
mod waiter;

pub use waiter::{Block, Waiter};

use crate::keyspace::{Blob, Kind};
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// A key of a database.
pub type Key = (u32, Blob);

/// Who waits behind whom at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lane {
    /// Those who take elements of a value of this type.
    Elements(Kind),
    /// Consumers of this group.
    Group(Blob),
    /// Those who only read: nobody behind anybody.
    Readers,
}

/// Those of a lane at a key, by arrival; each with the place of the key among those that it waits for.
struct Queue {
    lane: Lane,
    waiters: BTreeMap<u64, (Rc<Waiter>, usize)>,
}

/// Who waits for which keys.
#[derive(Default)]
pub struct Blocked {
    queues: RefCell<BTreeMap<Key, Vec<Queue>>>,
    /// Places in all queues together.
    places: Cell<usize>,
    arrivals: Cell<u64>,
}

impl Blocked {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.places.get() == 0
    }

    /// Whether somebody waits for the key.
    fn awaits(&self, key: &Key) -> bool {
        self.queues.borrow().contains_key(key)
    }

    /// A key is not what it was.
    pub(super) fn touched(&self, key: &Key) {
        if self.is_empty() {
            return;
        }
        if let Some(queues) = self.queues.borrow().get(key) {
            queues.iter().for_each(Queue::tell);
        }
    }

    /// Any key may be another than it was. (In whatever order: each looks for itself.)
    pub(super) fn touched_all(&self) {
        self.queues.borrow().values().flatten().for_each(Queue::tell);
    }

    /// What is on its way to the log will bring so many elements to keys. Those who wait for them try at once, behind
    /// it; and behind them those who wait for what they may bring. Who finds nothing has lost nothing.
    pub(super) fn expect(&self, brought: Vec<(Key, usize)>) {
        let mut brought = VecDeque::from(brought);
        let mut left = limits::EXPECTED_TRIES;
        while let Some((key, elements)) = brought.pop_front() {
            for (waiter, place) in self.free_at(&key, elements.min(left)) {
                if waiter.try_for(&[place]) {
                    left -= 1;
                    brought.extend(waiter.brings());
                }
            }
        }
    }

    /// The first at a key that can try now. So many have tries under way, at most, that they are passed over.
    fn free_at(&self, key: &Key, count: usize) -> Vec<(Rc<Waiter>, usize)> {
        let queues = self.queues.borrow();
        let takers = queues.get(key).into_iter().flatten().filter(|queue| queue.lane != Lane::Readers);
        let free = |queue: &'_ Queue| {
            let first = queue.waiters.values().take(limits::EXPECTED_TRIES);
            first.filter(|(waiter, _)| waiter.is_free()).take(count).cloned().collect::<Vec<_>>()
        };
        takers.flat_map(free).collect()
    }

    fn next_arrival(&self) -> u64 {
        self.arrivals.replace(self.arrivals.get() + 1)
    }

    fn join(&self, waiter: &Rc<Waiter>) {
        let mut all = self.queues.borrow_mut();
        self.places.set(self.places.get() + waiter.keys.len());
        for (place, key) in &waiter.keys {
            let queues = all.entry(key.clone()).or_default();
            let at = queues.iter().position(|queue| queue.lane == waiter.lane).unwrap_or_else(|| {
                queues.push(Queue { lane: waiter.lane.clone(), waiters: BTreeMap::new() });
                queues.len() - 1
            });
            queues[at].waiters.insert(waiter.arrival, (Rc::clone(waiter), *place));
        }
    }

    fn leave(&self, waiter: &Waiter) {
        let mut all = self.queues.borrow_mut();
        for (_, key) in &waiter.keys {
            let Some(queues) = all.get_mut(key) else { continue };
            if let Some(queue) = queues.iter_mut().find(|queue| queue.lane == waiter.lane) {
                let was_first = queue.lane != Lane::Readers && queue.is_first(waiter.arrival);
                if queue.waiters.remove(&waiter.arrival).is_some() {
                    self.places.set(self.places.get() - 1);
                }
                if was_first {
                    queue.tell();
                }
            }
            queues.retain(|queue| !queue.waiters.is_empty());
            if queues.is_empty() {
                all.remove(key);
            }
        }
    }

    /// Whether it comes before all others at the key.
    fn is_first(&self, key: &Key, waiter: &Waiter) -> bool {
        let queues = self.queues.borrow();
        let queue = queues.get(key).and_then(|queues| queues.iter().find(|queue| queue.lane == waiter.lane));
        queue.is_none_or(|queue| queue.is_first(waiter.arrival))
    }
}

impl Queue {
    /// Tells the first, or all if nobody takes anything from the others.
    fn tell(&self) {
        let told = if self.lane == Lane::Readers { usize::MAX } else { 1 };
        self.waiters.values().take(told).for_each(|(waiter, place)| waiter.tell(*place));
    }

    fn is_first(&self, arrival: u64) -> bool {
        self.waiters.keys().next().is_none_or(|first| *first == arrival)
    }
}
