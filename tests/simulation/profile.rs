//! What a run is made of: the sizes, delays and faults that its seed has drawn, and the
//! deliberate defects with which the simulator shows that it can see.

use super::faults::{FAULTS, Fault};
use bowline::limits::SNAPSHOT_LONG_BYTES;
use bowline::mutant::Mutant;
use rand::Rng;
use rand::rngs::SmallRng;

/// What is broken, deliberately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Nothing,
    /// Disks say that they have synced, and have not.
    LyingDisk,
    /// A crashed node comes back with an empty disk that claims to be settled.
    SettledButWiped,
    /// Somebody answers rounds of reads for followers that cannot be reached.
    ForgedReadRounds,
    /// The product itself.
    #[cfg_attr(not(feature = "mutants"), expect(dead_code, reason = "there are no mutants"))]
    Product(Mutant),
    /// Nothing; but everything else is as if this were.
    #[cfg_attr(not(feature = "mutants"), expect(dead_code, reason = "there are no mutants"))]
    Provoked(Mutant),
}

impl Broken {
    /// What the run is to provoke.
    pub fn mutant(self) -> Option<Mutant> {
        match self {
            Self::Product(mutant) | Self::Provoked(mutant) => Some(mutant),
            _ => None,
        }
    }
}

/// The rate of the slowest clock of any run, in thousandths.
pub const SLOWEST_CLOCK: u64 = 800;
/// The promise behind it, 9/8 of it, is as long as nine of the shortest ticks of those runs in
/// which leases are on: with clocks whose rates differ by no more than the promise allows.
const LEASE_US: u64 = 64_000;
const MOST_SKEW_OF_LEASES: u64 = 50;

/// Drawn once a run.
#[derive(Debug, Clone)]
pub struct Profile {
    pub nodes: u64,
    pub clients: usize,
    /// Most commands of a job.
    pub pipeline: usize,
    pub faulty_us: u64,
    pub snapshot_min_log_bytes: u64,
    pub log_cache_bytes: usize,
    pub log_held_bytes: usize,
    pub others_lag_us: u64,
    pub segment_bytes: u64,
    pub append_bytes: u64,
    /// Nearly all jobs leave in parts.
    pub splits_jobs: bool,
    /// Values of this length are written in pieces by snapshots.
    pub long_bytes: usize,
    /// How much of what clients do is about values that have elements.
    pub typed: f64,
    pub drop: f64,
    pub repeat: f64,
    pub reorder: f64,
    pub delay_us: (u64, u64),
    pub disk_us: (u64, u64),
    pub disk_stall: f64,
    /// A write that nobody waits for is on disk so much later, at most.
    pub disk_soon_us: u64,
    pub fault_every_us: u64,
    pub think_us: u64,
    /// 0: the members stay.
    pub operator_every_us: u64,
    /// How far the clocks' rates may be from true, in thousandths.
    pub skew: u64,
    /// By fault, in the order of [`FAULTS`].
    pub weights: [u32; FAULTS.len()],
}

impl Profile {
    pub fn draw(rng: &mut SmallRng, broken: Broken) -> Self {
        let often = |rng: &mut SmallRng, p: f64, most: f64| {
            if rng.random_bool(p) { rng.random_range(0.0..most) } else { 0.0 }
        };
        let lan = rng.random_bool(0.7);
        let mut profile = Self {
            nodes: if rng.random_bool(0.7) { 3 } else { 5 },
            clients: rng.random_range(4..24),
            pipeline: rng.random_range(1..32),
            faulty_us: rng.random_range(4_000_000..10_000_000),
            snapshot_min_log_bytes: rng.random_range(2_000..40_000),
            log_cache_bytes: rng.random_range(4_000..60_000),
            log_held_bytes: rng.random_range(4_000..400_000),
            others_lag_us: [250, 2_000, 1_000_000][rng.random_range(0..3)],
            segment_bytes: rng.random_range(1..=8) * 8192,
            append_bytes: [0, 200, 1_000, 1 << 20][rng.random_range(0..4)],
            splits_jobs: false,
            long_bytes: [200, 1_000, 4_000, SNAPSHOT_LONG_BYTES][rng.random_range(0..4)],
            typed: [0.0, 0.4, 0.4, 0.9][rng.random_range(0..4)],
            drop: often(rng, 0.5, 0.1),
            repeat: often(rng, 0.4, 0.1),
            reorder: often(rng, 0.5, 0.3),
            delay_us: if lan { (50, 600) } else { (500, 20_000) },
            disk_us: if rng.random_bool(0.7) { (60, 400) } else { (500, 15_000) },
            disk_stall: often(rng, 0.3, 0.01),
            disk_soon_us: [1, 1_000, 1_000, 20_000][rng.random_range(0..4)],
            fault_every_us: rng.random_range(100_000..1_500_000),
            think_us: rng.random_range(100..4_000),
            operator_every_us: if rng.random_bool(0.5) { rng.random_range(200_000..2_000_000) } else { 0 },
            skew: [0, 20, 50, 1000 - SLOWEST_CLOCK][rng.random_range(0..4)],
            weights: std::array::from_fn(|_| rng.random_range(0..10)),
        };
        profile.splits_jobs = profile.append_bytes < 1_000;
        profile.raise(Fault::Heal, 2);
        profile.provoke(broken);
        profile
    }

    fn raise(&mut self, fault: Fault, by: u32) {
        if let Some(i) = FAULTS.iter().position(|known| *known == fault) {
            self.weights[i] += by;
        }
    }

    /// More of what brings a defect to light.
    fn provoke(&mut self, broken: Broken) {
        match broken {
            Broken::Nothing => {}
            Broken::LyingDisk => self.raise(Fault::CrashAll, 40),
            Broken::SettledButWiped => self.raise(Fault::Crash, 60),
            Broken::ForgedReadRounds => self.raise(Fault::Partition, 40),
            Broken::Product(mutant) | Broken::Provoked(mutant) => self.provoke_product(mutant),
        }
    }

    fn provoke_product(&mut self, mutant: Mutant) {
        match mutant {
            Mutant::AcknowledgeBeforeSync => {
                self.raise(Fault::CrashAll, 60);
                self.disk_us = (5_000, 60_000);
            }
            Mutant::AheadIsCounted => {
                self.raise(Fault::CrashAll, 60);
                (self.disk_us, self.disk_soon_us, self.others_lag_us) = ((5_000, 60_000), 100_000, 1_000_000);
            }
            Mutant::AcknowledgeBeforeCommit => self.raise(Fault::Crash, 40),
            Mutant::ReadsWithoutQuorum | Mutant::LeaseNotChecked => {
                self.raise(Fault::Partition, 30);
                self.raise(Fault::PauseCutOff, 60);
                self.skew = 20;
            }
            Mutant::DedupOff | Mutant::OnceEveryTime => self.raise(Fault::Partition, 30),
            Mutant::VoteNotPersisted => {
                self.many_elections();
                self.raise(Fault::Crash, 60);
                self.fault_every_us = 200_000;
            }
            Mutant::CommitOfStaleTerm => {
                (self.append_bytes, self.splits_jobs) = (0, false);
                self.many_elections();
                self.raise(Fault::Crash, 20);
                self.fault_every_us = 300_000;
            }
            Mutant::SnapshotWithoutMembership | Mutant::CompactionOffByOne => self.raise(Fault::Crash, 40),
            Mutant::ConfigChangeTwice => self.operator_every_us = 500_000,
            Mutant::PushLost | Mutant::PopTwice | Mutant::WrongLeast => self.typed = 0.9,
            Mutant::IncrementLost | Mutant::ScriptHalf | Mutant::AckForgotten => self.typed = 0.9,
            Mutant::TryTwice => {} // nobody waits here
            Mutant::OrderLost | Mutant::LongNotFrozen => (self.typed, self.long_bytes) = (0.9, 1_000),
        }
    }

    /// Votes split more often among five, and when messages are slow. Few clients, so that
    /// more elections fit into a run.
    fn many_elections(&mut self) {
        self.nodes = 5;
        (self.drop, self.operator_every_us) = (0.0, 0);
        (self.delay_us, self.disk_us, self.disk_stall) = ((2_000, 20_000), (60, 400), 0.0);
        (self.clients, self.pipeline, self.think_us) = (3, 2, 20_000);
        self.faulty_us = 30_000_000;
        self.weights = [0; FAULTS.len()];
        self.raise(Fault::Heal, 2);
    }

    /// 0 where the clocks are worse than leases can bear.
    pub fn lease_us(&self) -> u64 {
        if self.skew > MOST_SKEW_OF_LEASES { 0 } else { LEASE_US }
    }

    /// The members of the beginning.
    pub fn first_voters(&self) -> Vec<u64> {
        (1..=self.nodes).collect()
    }
}
