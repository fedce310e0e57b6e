//! One node of the simulated cluster: its group, its disk, its clocks.

use super::disk::{Disk, StoredSnapshot};
use bowline::group::{Group, GroupConfig, Input, Now, SnapshotPoint};
use bowline::wire::FIRST_GROUP;
use bowline::wire::frame::PeerMessage;
use std::collections::VecDeque;
use std::rc::Rc;

use super::profile::Profile;

/// 2023-11-14.
const EPOCH_MS: u64 = 1_700_000_000_000;
pub const UNAVAILABLE_AFTER_MS: u64 = 1500;
/// The promise behind it, 9/8 of it, is as long as nine of the shortest ticks.
const LEASE_US: u64 = 64_000;

/// A snapshot that is being walked.
pub struct Walk {
    pub at: SnapshotPoint,
    pub chunks: Vec<Vec<u8>>,
}

pub struct Node {
    pub id: u64,
    /// None while it is down.
    pub group: Option<Group>,
    pub disk: Disk,
    /// How often it has started: events of an earlier life are void.
    pub life: u64,
    pub paused_until_us: u64,
    pub tick_us: u64,
    pub wall_offset_ms: i64,
    started_us: u64,
    pub inbox: Vec<Input>,
    pub turn_planned: bool,
    pub promises: VecDeque<(u64, Vec<(u64, PeerMessage)>)>,
    pub walk: Option<Walk>,
    pub walks: u64,
    pub receiving: bool,
    pub clock_ms: u64,
    pub last_vote: (u64, u64),
}

impl Node {
    pub fn new(id: u64, tick_us: u64) -> Self {
        Self {
            id,
            group: None,
            disk: Disk::new([id as u8; 16]),
            life: 0,
            paused_until_us: 0,
            tick_us,
            wall_offset_ms: 0,
            started_us: 0,
            inbox: Vec::new(),
            turn_planned: false,
            promises: VecDeque::new(),
            walk: None,
            walks: 0,
            receiving: false,
            clock_ms: 0,
            last_vote: (0, 0),
        }
    }

    pub fn now(&self, now_us: u64) -> Now {
        let wall_ms = (EPOCH_MS + now_us / 1000).saturating_add_signed(self.wall_offset_ms);
        Now { wall_ms, mono_us: now_us - self.started_us }
    }

    pub fn start(&mut self, profile: &Profile, now_us: u64, seed: u64) -> Result<(), String> {
        self.disk.boot += 1;
        let config = GroupConfig {
            node_id: self.id,
            group: FIRST_GROUP,
            boot: self.disk.boot,
            incarnation: self.disk.incarnation,
            client_addr: format!("client:{}", self.id),
            peer_addr: format!("peer:{}", self.id),
            settled: self.disk.settled,
            election_ticks: 10,
            heartbeat_ticks: 2,
            lease_us: LEASE_US,
            unavailable_after_ms: UNAVAILABLE_AFTER_MS,
            seed,
            new_cluster_id: [self.id as u8; 16],
            new_hash_key: [self.id as u8; 16],
            snapshot_min_log_bytes: profile.snapshot_min_log_bytes,
            log_cache_bytes: profile.log_cache_bytes,
        };
        let voters: Vec<u64> = (1..=profile.nodes).collect();
        let recovered = self.disk.recover(&voters)?;
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let group = Group::new(config, recovered, &logger).map_err(|error| error.to_string())?;
        self.clock_ms = group.machine().clock_ms();
        self.group = Some(group);
        self.life += 1;
        self.started_us = now_us;
        self.paused_until_us = 0;
        Ok(())
    }

    /// Everything in memory is gone, and what was on its way to the disk but for `kept` writes.
    pub fn crash(&mut self, kept: usize) {
        self.group = None;
        self.life += 1;
        self.disk.crash(kept);
        self.inbox.clear();
        self.turn_planned = false;
        self.promises.clear();
        self.walk = None;
        self.walks += 1;
        self.receiving = false;
    }

    pub fn finished_walk(&mut self) -> Option<Rc<StoredSnapshot>> {
        self.walk.take().map(|walk| Rc::new(StoredSnapshot { at: walk.at, chunks: walk.chunks }))
    }

    pub fn is_leader(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.status().role == "leader")
    }

    pub fn applied(&self) -> u64 {
        self.group.as_ref().map_or(0, |group| group.status().applied_index)
    }
}
