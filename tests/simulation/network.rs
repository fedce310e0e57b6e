//! The network between nodes: cuts, losses, delays, repetitions. Within a lane of a pair of
//! nodes messages keep their order, except for those that are drawn to overtake.

use super::profile::Profile;
use bowline::wire::frame::{Lane, PeerMessage};
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Network {
    cut: BTreeSet<(u64, u64)>,
    last: BTreeMap<(u64, u64, bool), u64>,
    pub calm: bool,
}

impl Network {
    pub fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cut.contains(&(from, to))
    }

    pub fn cut(&mut self, from: u64, to: u64) {
        self.cut.insert((from, to));
    }

    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// When the message arrives: never, once, or several times.
    pub fn arrivals(
        &mut self,
        rng: &mut SmallRng,
        profile: &Profile,
        now_us: u64,
        (from, to): (u64, u64),
        message: &PeerMessage,
    ) -> Vec<u64> {
        if self.is_cut(from, to) || (!self.calm && rng.random_bool(profile.drop)) {
            return Vec::new();
        }
        let delay = |rng: &mut SmallRng| now_us + rng.random_range(profile.delay_us.0..profile.delay_us.1);
        let lane = (from, to, message.lane() == Lane::Data);
        let first = if !self.calm && rng.random_bool(profile.reorder) {
            // It may come long after what was sent behind it, even in another life of its receiver.
            let late = if rng.random_bool(0.1) { rng.random_range(0..2_000_000) } else { 0 };
            delay(rng) + late + rng.random_range(0..5 * profile.delay_us.1)
        } else {
            let at = delay(rng).max(self.last.get(&lane).map_or(0, |last| last + 1));
            self.last.insert(lane, at);
            at
        };
        let mut arrivals = vec![first];
        if !self.calm && rng.random_bool(profile.repeat) {
            arrivals.push(first + rng.random_range(0..100_000));
        }
        arrivals
    }
}
