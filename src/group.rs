//! One Raft group on one node: what is proposed, replicated, applied and read. Inputs in,
//! effects out; this module must never do IO, nor ask a clock or a random source, so that
//! one seeded loop can run whole clusters of it.

mod advance;
mod ahead;
mod apply;
mod commits;
mod config;
mod effects;
mod intake;
mod job;
mod lease;
mod log_view;
mod membership;
mod observer;
mod others;
mod own_disk;
mod peers;
mod purge;
mod read_rounds;
mod reads;
mod ready;
mod recovered;
mod rhythm;
mod settled;
mod snapshots;
mod status;
mod stream;
mod submit;
#[cfg(test)]
mod tests;

pub use config::{GroupConfig, Now, Recovered};
pub use effects::{Effects, Event, Input, LogWrite, Notice, Persist};
pub use job::{Consistency, Job, ReadTransaction, Step};
pub use log_view::{LogPoint, LogView, SnapshotPoint};
pub use observer::{Histogram, Observer, RowStats, Slow};
pub use recovered::{LogGap, log_after};
pub use status::{Glance, GroupStatus, PeerStatus, Standing};

use crate::keyspace::CountingPace;
use crate::limits;
use crate::machine::Machine;
use crate::wire::NodeId;
use crate::wire::entry::Batch;
use commits::Commits;
use intake::Intake;
use lease::{Lease, Promise};
use membership::Membership;
use others::Others;
use own_disk::OwnDisk;
use raft::eraftpb::Entry;
use raft::{RawNode, StateRole};
use reads::Reads;
use rhythm::Rhythm;
use snapshots::Snapshots;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use stream::OwnStream;

/// The ticket of what the group itself submits.
const OWN_TICKET: u64 = u64::MAX;

/// A replica of a group.
pub struct Group {
    config: GroupConfig,
    raft: RawNode<LogView>,
    machine: Machine,
    stream: OwnStream,
    intake: Intake,
    commits: Commits,
    /// Offered to this leader before it had applied everything of earlier terms.
    held: VecDeque<Batch>,
    reads: Reads,
    lease: Lease,
    promise: Promise,
    snapshots: Snapshots,
    membership: Membership,
    effects: Effects,
    now: Now,
    random: Random,
    /// As last reported.
    seen: Seen,
    /// The draw that holds for this term and role.
    election_timeout_ticks: usize,
    leaderless_since_us: Option<u64>,
    last_progress_us: u64,
    ticks: u64,
    /// Something has happened since [`Group::advance`] found nothing more to do.
    is_stirred: bool,
    /// The last term in which this replica was found to lead with everything of earlier terms applied.
    knows_term: Cell<u64>,
    /// Committed and not applied: empty between inputs.
    committed: Vec<Entry>,
    own_disk: OwnDisk,
    others: Others,
    rhythm: Rhythm,
    settled: bool,
    registering: bool,
    /// An entry that only moves the clock is under way.
    clock_entry_index: Option<u64>,
    entries_applied_total: u64,
    reads_served: Cell<u64>,
    /// Clients of this node want to hear of each key that changes.
    touches_wanted: bool,
    /// Replicas of Redis's protocol have attached to this node.
    propagates_wanted: bool,
    /// Of the commands of this node's clients.
    observer: Rc<Observer>,
    /// The end of the log that this node started with.
    old_log: LogPoint,
    /// The entry being applied stood in that log.
    replays: bool,
    halted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    role: StateRole,
    term: u64,
    leader: NodeId,
}

/// SplitMix64 (Steele, Lea, Flood 2014): the seeded source of election timeouts.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }
}

/// Why a replica cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the group cannot start: {0}")]
pub struct StartError(String);

impl Group {
    /// A replica of what its disk held.
    pub fn new(config: GroupConfig, recovered: Recovered, logger: &slog::Logger) -> Result<Self, StartError> {
        let Recovered { hard_state, snapshot, entries, machine, snapshot_bytes } = recovered;
        let raft_config = raft::Config {
            id: config.node_id,
            election_tick: config.election_ticks,
            heartbeat_tick: config.heartbeat_ticks,
            applied: snapshot.point.index,
            max_size_per_msg: limits::MAX_APPEND_BYTES,
            max_inflight_msgs: limits::MAX_INFLIGHT_APPENDS,
            check_quorum: true,
            pre_vote: true,
            // raft-rs's merging of appends joins entries to a waiting message that they do not
            // follow when that message is empty: the follower then acknowledges more than it has.
            batch_append: false,
            // Followers hear of commits with the next append or heartbeat; who waits for one is
            // told at once: see `commits`.
            skip_bcast_commit: true,
            max_uncommitted_size: limits::MAX_UNCOMMITTED_BYTES,
            max_committed_size_per_ready: limits::MAX_APPLY_BYTES,
            ..raft::Config::default()
        };
        let stored_index = snapshot.point.index;
        let log_bytes = entries.iter().map(|entry| entry.data.len() as u64).sum();
        let last = entries.last().map(|last| LogPoint { index: last.index, term: last.term });
        let old_log = last.unwrap_or(snapshot.point);
        let view = LogView::new(hard_state, snapshot, entries);
        let raft = RawNode::new(&raft_config, view, logger).map_err(|error| StartError(error.to_string()))?;
        let seen = Seen { role: raft.raft.state, term: raft.raft.term, leader: 0 };
        let mut group = Self {
            stream: OwnStream::new(config.node_id, config.boot),
            random: Random(config.seed),
            settled: config.settled,
            snapshots: Snapshots::new(stored_index, machine.keyspace().revision(), snapshot_bytes, log_bytes),
            reads: Reads::new(config.boot),
            lease: Lease::default(),
            promise: Promise::default(),
            rhythm: Rhythm::new(config.one_at_a_time),
            config,
            raft,
            machine,
            intake: Intake::default(),
            commits: Commits::default(),
            held: VecDeque::new(),
            membership: Membership::default(),
            effects: Effects::default(),
            now: Now::default(),
            seen,
            election_timeout_ticks: 0,
            leaderless_since_us: None,
            last_progress_us: 0,
            ticks: 0,
            is_stirred: true,
            knows_term: Cell::new(0),
            committed: Vec::new(),
            own_disk: OwnDisk::new(old_log.index),
            others: Others::default(),
            registering: false,
            clock_entry_index: None,
            entries_applied_total: 0,
            reads_served: Cell::new(0),
            touches_wanted: false,
            propagates_wanted: false,
            observer: Rc::default(),
            old_log,
            replays: false,
            halted: false,
        };
        group.draw_election_timeout();
        group.notice_removal();
        Ok(group)
    }

    /// Takes an input. Its effects come from [`Group::take_effects`], which may be called
    /// after any number of inputs: what arrived together is proposed together.
    pub fn step(&mut self, input: Input, now: Now) {
        self.now = now;
        self.is_stirred = true;
        self.promise.now_is(now.mono_us, &self.config);
        if self.halted {
            return;
        }
        match input {
            Input::Tick => self.tick(),
            Input::Peer { from, message } => self.peer_message(from, message),
            Input::Submit(job) => self.submit(job),
            Input::Persisted(number) => self.persisted(number),
            Input::SnapshotStored { index, size_bytes } => self.snapshot_stored(index, size_bytes),
            Input::SnapshotFailed => self.snapshots.failed(&mut self.machine),
            Input::SnapshotFetched { message, machine, size_bytes } => {
                self.snapshot_fetched(message, *machine, size_bytes);
            }
            Input::SnapshotSent { to, ok } => self.snapshot_sent(to, ok),
            Input::Unreachable(node) => self.raft.report_unreachable(node),
            Input::StepDown => self.step_down(),
            Input::TransferLeader(to) => self.transfer_leader(to),
            Input::TakeSnapshot => self.snapshots.demand(),
        }
    }

    /// What disk and peers are to do now: nothing waits for the commands that are committed. The
    /// rest comes from [`Group::take_effects`], which must follow before the next input.
    pub fn take_urgent_effects(&mut self) -> Effects {
        self.advance();
        std::mem::take(&mut self.effects)
    }

    /// What is to be done now.
    pub fn take_effects(&mut self) -> Effects {
        self.advance_and_apply();
        if !self.halted {
            self.serve_reads();
            self.maybe_register();
            // These may have submitted something.
            self.advance_and_apply();
        }
        if !self.halted {
            self.maybe_snapshot();
            self.trim_log();
        }
        let effects = std::mem::take(&mut self.effects);
        self.is_stirred |= effects.look_again;
        effects
    }

    fn tick(&mut self) {
        self.ticks += 1;
        self.observe();
        if self.is_leader() || self.may_campaign() && !self.must_not_campaign() {
            // raft-rs draws its timeout from the thread's random source: ours takes its place.
            self.raft.raft.set_randomized_election_timeout(self.election_timeout_ticks);
            self.raft.tick();
        }
        self.machine.release_some();
        self.reads.tick(self.config.election_ticks as u32);
        self.hurry_round();
        self.repeat_lost_batches();
        self.give_up_late();
        self.move_idle_clock();
        self.membership.look_again();
        self.end_when_removed();
    }

    fn draw_election_timeout(&mut self) {
        let base = self.config.election_ticks;
        self.election_timeout_ticks = base + self.random.below(base as u64) as usize;
    }

    /// Whether this replica leads, as far as it knows.
    pub fn is_leader(&self) -> bool {
        self.raft.raft.state == StateRole::Leader
    }

    /// Leads, and has applied everything of earlier terms: knows where each stream stands.
    fn leads_and_knows(&self) -> bool {
        let term = self.raft.raft.term;
        let knows = || self.knows_term.get() == term || self.raft.raft.apply_to_current_term();
        let knows = self.is_leader() && knows();
        if knows {
            self.knows_term.set(term); // which does not end before the term does
        }
        knows
    }

    fn leader(&self) -> NodeId {
        self.raft.raft.leader_id
    }

    fn applied(&self) -> u64 {
        self.raft.raft.raft_log.applied
    }

    /// The state machine, for reading what it holds.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Frees some of what a flush has put aside. Whether there is more.
    pub fn release_flushed(&mut self, tables: usize) -> bool {
        self.machine.release(tables)
    }

    /// How this node counts uses of keys.
    pub fn set_counting_pace(&mut self, pace: CountingPace) {
        self.machine.set_counting_pace(pace);
    }

    /// Whether [`Notice`]s are made of each key that changes.
    pub fn set_touches(&mut self, wanted: bool) {
        self.touches_wanted = wanted;
        self.machine.set_touches(wanted);
    }

    /// Whether [`Notice`]s are made of what replicas of Redis's protocol have to carry out.
    pub fn set_propagates(&mut self, wanted: bool) {
        self.propagates_wanted = wanted;
        self.machine.set_propagates(wanted);
    }

    /// What is to be called while a script runs.
    pub fn set_breath(&mut self, breath: fn()) {
        self.machine.set_breath(breath);
    }

    /// Who hears of the cost of commands of this node's clients.
    pub fn set_observer(&mut self, observer: Rc<Observer>) {
        self.observer = observer;
    }

    /// The same.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }

    /// The log, for reading what it holds.
    pub fn log(&self) -> &LogView {
        self.raft.store()
    }

    fn halt(&mut self, event: Event) {
        self.effects.events.push(event);
        self.halted = true;
    }
}
