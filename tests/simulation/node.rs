//! One node of the simulated cluster: its group, its disk, its clocks.

use super::disk::NodeDisk;
use super::profile::Profile;
use bowline::group::{Group, GroupConfig, Input, Now, SnapshotPoint};
use bowline::wire::FIRST_GROUP;
use bowline::wire::frame::PeerMessage;
use rand::rngs::SmallRng;
use std::collections::VecDeque;

/// 2023-11-14.
const EPOCH_MS: u64 = 1_700_000_000_000;
pub const UNAVAILABLE_AFTER_MS: u64 = 1500;
pub const ELECTION_TICKS: usize = 10;
/// By the node's own clock.
pub const TICK_US: u64 = 10_000;

/// A snapshot that is being walked.
pub struct Walk {
    pub at: SnapshotPoint,
    pub size_bytes: u64,
    /// The state's revision when the first piece of a collection came.
    pub piece_at: Option<u64>,
    /// The state has changed between two pieces.
    pub changed_between: bool,
}

pub struct Node {
    pub id: u64,
    /// None while it is down.
    pub group: Option<Group>,
    pub disk: NodeDisk,
    /// How often it has started: events of an earlier life are void.
    pub life: u64,
    pub paused_until_us: u64,
    /// What it sent before it crashed is lost if it has not arrived: until then.
    pub mute_until_us: u64,
    /// How long it has been frozen, in all its lives.
    pub frozen_us: u64,
    /// The disk is slow until then.
    pub slow_until_us: u64,
    /// How fast its clocks run, in thousandths.
    pub clock_rate: u64,
    pub wall_offset_ms: i64,
    started_us: u64,
    pub inbox: Vec<Input>,
    pub turn_planned: bool,
    pub promises: VecDeque<(u64, Vec<(u64, PeerMessage)>)>,
    pub walk: Option<Walk>,
    pub walks: u64,
    /// Up to here its committed entries have been compared, in this life.
    pub compared: u64,
    /// The log's clock as last seen.
    pub clock_ms: u64,
    /// The cluster knows of it.
    pub has_joined: bool,
    /// It has heard that it is no member any more.
    pub is_removed: bool,
}

impl Node {
    pub fn new(id: u64, clock_rate: u64, disk: NodeDisk) -> Self {
        Self {
            id,
            group: None,
            disk,
            life: 0,
            paused_until_us: 0,
            mute_until_us: 0,
            frozen_us: 0,
            slow_until_us: 0,
            clock_rate,
            wall_offset_ms: 0,
            started_us: 0,
            inbox: Vec::new(),
            turn_planned: false,
            promises: VecDeque::new(),
            walk: None,
            walks: 0,
            compared: 0,
            clock_ms: 0,
            has_joined: false,
            is_removed: false,
        }
    }

    pub fn now(&self, now_us: u64) -> Now {
        let wall_ms =
            (EPOCH_MS + now_us * self.clock_rate / 1_000_000).saturating_add_signed(self.wall_offset_ms);
        Now { wall_ms, mono_us: (now_us - self.started_us) * self.clock_rate / 1000 }
    }

    /// The time between two ticks.
    pub fn tick_us(&self) -> u64 {
        TICK_US * 1000 / self.clock_rate
    }

    pub fn start(&mut self, profile: &Profile, now_us: u64, seed: u64) -> Result<(), String> {
        let recovered = self.disk.open(&profile.first_voters())?;
        let config = GroupConfig {
            node_id: self.id,
            group: FIRST_GROUP,
            boot: self.disk.boot,
            incarnation: self.disk.incarnation,
            client_addr: client_addr(self.id),
            peer_addr: peer_addr(self.id),
            settled: self.disk.settled,
            election_ticks: ELECTION_TICKS,
            heartbeat_ticks: 2,
            lease_us: profile.lease_us(),
            unavailable_after_ms: UNAVAILABLE_AFTER_MS,
            seed,
            new_cluster_id: [self.id as u8; 16],
            new_hash_key: [self.id as u8; 16],
            new_password: String::new(),
            snapshot_min_log_bytes: profile.snapshot_min_log_bytes,
            log_cache_bytes: profile.log_cache_bytes,
            log_held_bytes: profile.log_held_bytes,
            others_lag_us: profile.others_lag_us,
            one_at_a_time: profile.think_us.is_multiple_of(2), // as good as a draw
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let mut group = Group::new(config, recovered, &logger).map_err(|error| error.to_string())?;
        group.limit_appends(profile.append_bytes);
        group.cut_values(profile.long_bytes);
        if profile.splits_jobs {
            // A job that adds many elements has no more parts than others.
            group.split_jobs(60, if profile.typed > 0.0 { 150 } else { 25 });
        }
        self.clock_ms = group.machine().clock_ms();
        self.group = Some(group);
        self.compared = 0;
        self.life += 1;
        self.started_us = now_us;
        self.paused_until_us = 0;
        Ok(())
    }

    /// The process ends: everything in memory is gone, and what was on its way to the disk.
    pub fn crash(&mut self, rng: &mut SmallRng, power_loss: bool) {
        self.group = None;
        self.life += 1;
        self.disk.crash(rng, power_loss);
        self.inbox.clear();
        self.turn_planned = false;
        self.promises.clear();
        self.walk = None;
        self.walks += 1;
    }

    pub fn is_leader(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.glance().leads)
    }

    pub fn applied(&self) -> u64 {
        self.group.as_ref().map_or(0, |group| group.glance().applied)
    }
}

pub fn client_addr(node: u64) -> String {
    format!("client:{node}")
}

pub fn peer_addr(node: u64) -> String {
    format!("peer:{node}")
}
