//! What a run is made of: the sizes, delays and faults that its seed has drawn, and the
//! deliberate defects with which the simulator shows that it can see.

use rand::Rng;
use rand::rngs::SmallRng;

/// A defect of the world around the group (never of the group itself).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    None,
    /// Writes are acknowledged before they are durable.
    EarlyPersist,
    /// A crashed node comes back with an empty disk that claims to be settled.
    SettledButWiped,
    /// Somebody answers rounds of reads for followers that cannot be reached.
    ForgedReadRounds,
    /// A crashed node comes back without its vote and term.
    ForgottenVote,
}

/// Drawn once a run.
#[derive(Debug, Clone)]
pub struct Profile {
    pub nodes: u64,
    pub clients: usize,
    pub faulty_us: u64,
    pub snapshot_min_log_bytes: u64,
    pub log_cache_bytes: usize,
    pub drop: f64,
    pub repeat: f64,
    pub reorder: f64,
    pub delay_us: (u64, u64),
    pub disk_us: (u64, u64),
    pub disk_stall: f64,
    pub fault_every_us: u64,
    pub think_us: u64,
    /// Weights of [`super::faults::Fault`]s: crash, crash all, pause, partition, clock, heal.
    pub weights: [u32; 6],
}

impl Profile {
    pub fn draw(rng: &mut SmallRng, defect: Defect) -> Self {
        let often = |rng: &mut SmallRng, p: f64, most: f64| {
            if rng.random_bool(p) { rng.random_range(0.0..most) } else { 0.0 }
        };
        let lan = rng.random_bool(0.7);
        let mut profile = Self {
            nodes: if rng.random_bool(0.6) { 3 } else { 5 },
            clients: rng.random_range(3..12),
            faulty_us: rng.random_range(4_000_000..12_000_000),
            snapshot_min_log_bytes: rng.random_range(2_000..40_000),
            log_cache_bytes: rng.random_range(4_000..60_000),
            drop: often(rng, 0.5, 0.1),
            repeat: often(rng, 0.4, 0.1),
            reorder: often(rng, 0.5, 0.3),
            delay_us: if lan { (50, 600) } else { (500, 20_000) },
            disk_us: if rng.random_bool(0.7) { (60, 400) } else { (500, 15_000) },
            disk_stall: often(rng, 0.3, 0.01),
            fault_every_us: rng.random_range(100_000..1_500_000),
            think_us: rng.random_range(200..30_000),
            weights: std::array::from_fn(|_| rng.random_range(0..10)),
        };
        profile.weights[5] += 2;
        match defect {
            Defect::None => {}
            Defect::EarlyPersist => profile.weights[1] += 20,
            Defect::SettledButWiped => profile.weights[0] += 40,
            Defect::ForgedReadRounds => profile.weights[3] += 30,
            Defect::ForgottenVote => {
                // Votes split more often among five, and when messages are slow.
                profile.weights[0] += 60;
                profile.nodes = 5;
                profile.delay_us = (500, 20_000);
                profile.disk_us = (60, 400);
                profile.fault_every_us = 200_000;
            }
        }
        profile
    }
}
