//! Room in memory: whether this node is over its `maxmemory`, and which keys it then asks the log to
//! remove, by what it has seen of their use. It asks for one batch at a time, and for the next when
//! that was applied; so several nodes that are over their bounds at once throw away a batch each too
//! much, at most. This module must never remove a key itself.

use super::Shared;
use super::client::Client;
use super::clients::ClientTable;
use super::connection::Connection;
use super::stats::Stats;
use crate::command::{Command, ConnectionCommand, Flags, Handler, Reply};
use crate::group::{Job, Step};
use crate::keyspace::{Chooser, CountingPace, EvictionPolicy, Victim};
use crate::limits;
use crate::wire::units::{self, put_evict_unit};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;

/// The ticket of what evicts; no client ever has this number.
const TICKET: u64 = u64::MAX - 2;
/// After the group has refused a batch, commands are not held up for another one so soon.
const REFUSED_FOR: Duration = Duration::from_millis(100);
/// Victims that are chosen between two looks at the time.
const VICTIMS_AT_ONCE: usize = 16;

/// Whether a command finds memory for what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// Keys are being evicted for it.
    Making,
    /// Nothing can be evicted.
    None,
}

/// What a node knows of its bound; times as `INFO` tells them.
pub struct Eviction {
    /// `maxmemory`; 0: no bound.
    pub max_memory_bytes: Cell<i64>,
    /// `maxmemory-samples`
    pub samples: Cell<i64>,
    /// `maxmemory-eviction-tenacity`
    pub tenacity: Cell<i64>,
    /// `lfu-log-factor`
    pub log_factor: Cell<i64>,
    /// `lfu-decay-time`
    pub decay_minutes: Cell<i64>,
    chooser: RefCell<Chooser>,
    /// A batch was submitted and is not answered.
    under_way: Cell<bool>,
    /// What was begun goes on until there is some room again.
    goes_on: Cell<bool>,
    /// Nothing can be evicted, or nothing may: only commands and the clock try again.
    rests: Cell<bool>,
    refused_at: Cell<Option<Instant>>,
    /// Memory that did not count when it was last asked for.
    not_counted_bytes: Cell<usize>,
    /// Whose commands wait for the batch under way.
    waiting: RefCell<Vec<Rc<Client>>>,
    wake: Notify,
    over_since: Cell<Option<Instant>>,
    over_before: Cell<Duration>,
}

impl Default for Eviction {
    fn default() -> Self {
        let pace = CountingPace::default();
        Self {
            max_memory_bytes: Cell::new(0),
            samples: Cell::new(5),
            tenacity: Cell::new(10),
            log_factor: Cell::new(pace.log_factor.into()),
            decay_minutes: Cell::new(pace.decay_minutes.into()),
            // Without random bytes the choice is as good, and could be foretold.
            chooser: RefCell::new(Chooser::new(getrandom::u64().unwrap_or_default())),
            under_way: Cell::default(),
            goes_on: Cell::default(),
            rests: Cell::default(),
            refused_at: Cell::default(),
            not_counted_bytes: Cell::default(),
            waiting: RefCell::default(),
            wake: Notify::new(),
            over_since: Cell::default(),
            over_before: Cell::default(),
        }
    }
}

impl Eviction {
    fn max_bytes(&self) -> u64 {
        self.max_memory_bytes.get() as u64
    }

    /// Ends when somebody has to look at the memory.
    pub async fn woken(&self) {
        self.wake.notified().await;
    }

    /// The node has carried out what had arrived: is there more than there may be?
    pub fn after_turn(&self, stats: &Stats) {
        if self.max_bytes() != 0 && !self.under_way.get() && !self.rests.get() {
            let counted_bytes = stats.allocated_estimate().saturating_sub(self.not_counted_bytes.get());
            if counted_bytes as u64 > self.max_bytes() {
                self.wake.notify_one();
            }
        }
    }

    fn note_excess(&self, excess_bytes: u64) {
        match (self.over_since.get(), excess_bytes > 0) {
            (None, true) => self.over_since.set(Some(Instant::now())),
            (Some(since), false) => {
                self.over_before.set(self.over_before.get() + since.elapsed());
                self.over_since.set(None);
            }
            _ => {}
        }
    }

    /// How long memory was over the bound: in all, and this time.
    pub fn times_over(&self) -> [Duration; 2] {
        let now = self.over_since.get().map_or(Duration::ZERO, |since| since.elapsed());
        [self.over_before.get() + now, now]
    }

    /// `CONFIG RESETSTAT`
    pub fn reset(&self) {
        self.over_before.set(Duration::ZERO);
        if self.over_since.get().is_some() {
            self.over_since.set(Some(Instant::now()));
        }
    }

    /// How far below the bound an eviction goes.
    fn headroom_bytes(&self) -> u64 {
        (self.max_bytes() / limits::EVICTION_HEADROOM_PART).min(limits::EVICTION_HEADROOM_BYTES)
    }

    /// How long victims are chosen for one batch: as Redis has it, and longer when other nodes, which
    /// nothing holds up here, write faster than that.
    fn time_limit(&self, excess_bytes: u64) -> Duration {
        let limit = match self.tenacity.get() as u32 {
            linear @ 0..=10 => Duration::from_micros(50 * u64::from(linear)),
            geometric @ 11..100 => {
                Duration::from_micros((500.0 * 1.15f64.powi(geometric as i32 - 10)) as u64)
            }
            _ => return Duration::MAX,
        };
        let hurry = excess_bytes / self.headroom_bytes().max(1);
        limit * hurry.clamp(1, limits::EVICTION_HURRY_MOST) as u32
    }

    fn refused_lately(&self) -> bool {
        self.refused_at.get().is_some_and(|at| at.elapsed() < REFUSED_FOR)
    }
}

impl ClientTable {
    /// A reply came for nobody who is connected.
    pub(super) fn answer_nobody(&self, ticket: u64, reply: Reply) {
        if ticket != TICKET {
            return self.upstream.answer(ticket, reply);
        }
        let eviction = &self.eviction;
        eviction.under_way.set(false);
        eviction.refused_at.set(reply.is_error().then(Instant::now));
        for client in eviction.waiting.take() {
            client.control.awaits_room.set(false);
            client.wake();
        }
        eviction.wake.notify_one();
    }
}

impl Shared {
    fn eviction(&self) -> &Eviction {
        &self.clients.eviction
    }

    /// Memory that no eviction would free: the log's, and that of a snapshot under way.
    pub(super) fn not_counted_bytes(&self) -> usize {
        let mut bytes = self.backend.log_bytes();
        self.backend.look(&mut |machine| bytes += machine.keyspace().snapshot_bytes());
        self.eviction().not_counted_bytes.set(bytes);
        bytes
    }

    /// Bytes above `bound_bytes`. What would be above it is measured; below, it is estimated.
    fn excess_bytes(&self, bound_bytes: u64) -> u64 {
        let stats = self.clients.stats();
        let above = |allocated: usize, not_counted: usize| {
            (allocated.saturating_sub(not_counted) as u64).saturating_sub(bound_bytes)
        };
        if above(stats.allocated_estimate(), 0) == 0 {
            return 0;
        }
        let not_counted_bytes = self.not_counted_bytes();
        match above(stats.allocated_estimate(), not_counted_bytes) {
            0 => 0,
            _ => above(stats.allocated_bytes(), not_counted_bytes),
        }
    }

    /// For a command: it finds memory, or lets it be made.
    fn room(&self) -> Room {
        let eviction = self.eviction();
        let excess_bytes = self.excess_bytes(eviction.max_bytes());
        eviction.note_excess(excess_bytes);
        if excess_bytes == 0 { Room::Enough } else { self.make_room() }
    }

    /// For nobody: lets memory be made where it is missing, or goes on with that.
    pub(super) fn look_for_room(&self) {
        let eviction = self.eviction();
        let max_bytes = eviction.max_bytes();
        let mut is_wanted = false;
        if max_bytes != 0 {
            self.clients.stats().memory(); // what is estimated rests on it
            let excess_bytes = self.excess_bytes(max_bytes);
            eviction.note_excess(excess_bytes);
            let low_bytes = max_bytes - eviction.headroom_bytes();
            is_wanted = excess_bytes > 0 || eviction.goes_on.get() && self.excess_bytes(low_bytes) > 0;
        }
        if is_wanted {
            self.make_room();
        } else {
            eviction.goes_on.set(false);
            eviction.rests.set(false);
        }
    }

    /// A parameter of this node has another value.
    pub(super) fn parameters_changed(&self) {
        let eviction = self.eviction();
        let pace = |cell: &Cell<i64>| u32::try_from(cell.get()).unwrap_or(u32::MAX);
        let pace = CountingPace {
            log_factor: pace(&eviction.log_factor),
            decay_minutes: pace(&eviction.decay_minutes),
        };
        self.backend.set_counting_pace(pace);
        self.look_for_room();
    }

    /// Memory is over the bound, or not far enough below it.
    fn make_room(&self) -> Room {
        let eviction = self.eviction();
        // While clients are paused, keys are to stay as they are.
        let is_paused = self.clients.paused().is_some();
        if is_paused || self.backend.release_flushed(limits::EVICTION_RELEASE_TABLES) {
            return Room::Enough;
        }
        let excess_bytes = self.excess_bytes(eviction.max_bytes() - eviction.headroom_bytes());
        let (mut policy, mut follows) = (EvictionPolicy::NoEviction, false);
        self.backend.look(&mut |machine| {
            (policy, follows) = (machine.settings().eviction, machine.upstream().is_followed());
        });
        let room = match policy {
            _ if excess_bytes == 0 || follows => Room::Enough,
            EvictionPolicy::NoEviction => Room::None,
            _ if eviction.under_way.get() => Room::Making,
            _ if eviction.refused_lately() => Room::Enough, // the group tells the command why
            _ => self.evict(policy, excess_bytes),
        };
        eviction.goes_on.set(room == Room::Making);
        eviction.rests.set(room == Room::None);
        room
    }

    /// Asks for a batch that frees so much, or what can be chosen of it in a moment.
    fn evict(&self, policy: EvictionPolicy, excess_bytes: u64) -> Room {
        let eviction = self.eviction();
        let began_ns = self.observer().now_ns();
        let victims = self.choose(policy, excess_bytes);
        self.observer().event("eviction-cycle", self.observer().now_ns().saturating_sub(began_ns));
        if victims.is_empty() {
            return Room::None;
        }
        let mut job = Job { ticket: TICKET, ..Job::default() };
        job.steps.push(Step::Write);
        let named = victims.iter().map(|it| units::Victim { key: &it.key, revision: it.revision, db: it.db });
        put_evict_unit(&mut job.body, named);
        if self.backend.submit(job).is_err() {
            eviction.refused_at.set(Some(Instant::now()));
            return Room::Enough;
        }
        eviction.under_way.set(true);
        Room::Making
    }

    fn choose(&self, policy: EvictionPolicy, excess_bytes: u64) -> Vec<Victim> {
        let eviction = self.eviction();
        let samples = eviction.samples.get() as usize;
        let wall_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let (began, time_limit) = (Instant::now(), eviction.time_limit(excess_bytes));
        let mut chooser = eviction.chooser.borrow_mut();
        chooser.begin(policy);
        let mut victims = Vec::new();
        let (mut freed_bytes, mut key_bytes) = (0, 0);
        self.backend.look(&mut |machine| {
            while freed_bytes < excess_bytes
                && victims.len() < limits::EVICTION_BATCH_KEYS
                && key_bytes < limits::EVICTION_BATCH_BYTES
                && (victims.len() % VICTIMS_AT_ONCE != VICTIMS_AT_ONCE - 1 || began.elapsed() < time_limit)
                && let Some(victim) = chooser.next(machine.keyspace(), samples, wall_ms)
            {
                freed_bytes += victim.size_bytes as u64;
                key_bytes += victim.key.len();
                victims.push(victim);
            }
        });
        victims
    }
}

impl Connection {
    /// Whether a command finds the memory that it may need. One that has to wait is noted.
    #[inline]
    pub(super) fn room_for(&mut self, row: &'static Command) -> Room {
        match self.shared.clients.eviction.max_memory_bytes.get() {
            0 => Room::Enough,
            _ => self.room_within_bound(row),
        }
    }

    fn room_within_bound(&mut self, row: &'static Command) -> Room {
        let needs_memory = self.needs_memory(row);
        let room = self.shared.room();
        let waits = room == Room::Making
            && !self.shared.clients.shutting_down()
            && match self.awaits_room_since {
                Some(since) => {
                    needs_memory && since.elapsed().as_millis() < limits::EVICTION_PATIENCE_MS.into()
                }
                // What reads waits only to hear first of keys that it has cached.
                None => needs_memory || self.client.tracker.is_on(),
            };
        if waits {
            self.awaits_room_since.get_or_insert_with(Instant::now);
            self.client.control.awaits_room.set(true);
            self.shared.clients.eviction.waiting.borrow_mut().push(Rc::clone(&self.client));
            return Room::Making;
        }
        self.awaits_room_since = None;
        if needs_memory && room == Room::None { Room::None } else { Room::Enough }
    }

    /// Whether a command is refused when there is no memory. Those of a script are, as it comes to them.
    pub(super) fn is_refused_without_memory(&self, row: &'static Command) -> bool {
        match (&self.session.multi, row.handler) {
            (Some(multi), Handler::Connection(ConnectionCommand::Exec)) => multi.is_refused_without_memory(),
            (None, _) => row.flags.has(Flags::DENYOOM),
            _ => self.needs_memory(row),
        }
    }

    /// Whether a command is better carried out when there is memory: whatever a transaction queues takes some.
    fn needs_memory(&self, row: &'static Command) -> bool {
        use ConnectionCommand as Do;
        match (&self.session.multi, row.handler) {
            (Some(multi), Handler::Connection(Do::Exec)) => multi.needs_memory(),
            (Some(_), Handler::Connection(Do::Discard | Do::Quit | Do::Reset)) => false,
            (Some(_), _) => true,
            (None, _) => row.needs_memory(),
        }
    }
}
