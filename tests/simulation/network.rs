//! The network between nodes: cuts, losses, delays, repetitions. Within a lane of a pair of
//! nodes messages keep their order, except for those that are drawn to overtake.

use super::profile::Profile;
use bowline::wire::frame::{Lane, PeerMessage};
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::BTreeMap;

/// Ids of nodes are below this.
const NODES: u64 = 64;

#[derive(Default)]
pub struct Network {
    /// Whom each node cannot reach, a bit a node.
    cut: BTreeMap<u64, u64>,
    last_us: BTreeMap<(u64, u64, bool), u64>,
    pub calm: bool,
}

impl Network {
    pub fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cut.get(&from).is_some_and(|cut| cut & (1 << (to % NODES)) != 0)
    }

    pub fn is_any_cut(&self) -> bool {
        !self.cut.is_empty()
    }

    pub fn cut(&mut self, from: u64, to: u64) {
        *self.cut.entry(from).or_insert(0) |= 1 << (to % NODES);
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// When the message arrives: never, once, or twice.
    pub fn arrivals(
        &mut self,
        rng: &mut SmallRng,
        profile: &Profile,
        now_us: u64,
        (from, to): (u64, u64),
        message: &PeerMessage,
    ) -> [Option<u64>; 2] {
        if self.is_cut(from, to) || (!self.calm && rng.random_bool(profile.drop)) {
            return [None; 2];
        }
        let delay = |rng: &mut SmallRng| now_us + rng.random_range(profile.delay_us.0..profile.delay_us.1);
        let first = if !self.calm && rng.random_bool(profile.reorder) {
            // It may come long after what was sent behind it, even in another life of its receiver.
            let late = if rng.random_bool(0.1) { rng.random_range(0..2_000_000) } else { 0 };
            delay(rng) + late + rng.random_range(0..5 * profile.delay_us.1)
        } else {
            let last_us = self.last_us.entry((from, to, message.lane() == Lane::Data)).or_insert(0);
            *last_us = delay(rng).max(*last_us + 1);
            *last_us
        };
        let repeated = !self.calm && rng.random_bool(profile.repeat);
        [Some(first), repeated.then(|| first + rng.random_range(0..100_000))]
    }
}
