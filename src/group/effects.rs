//! What goes into a group and what comes out.

use super::job::Job;
use crate::command::Reply;
use crate::keyspace::Event as KeyspaceEvent;
use crate::machine::Machine;
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use raft::eraftpb;

use super::log_view::{LogPoint, SnapshotPoint};

/// Something happened.
pub enum Input {
    /// The time of one tick has passed.
    Tick,
    /// A peer said something.
    Peer {
        /// Who.
        from: NodeId,
        /// What.
        message: PeerMessage,
    },
    /// Commands of one connection. All that arrive before effects are taken share a batch.
    Submit(Job),
    /// Every [`Persist`] up to this number is on disk.
    Persisted(u64),
    /// The snapshot begun for [`Effects::start_snapshot`] is on disk.
    SnapshotStored {
        /// Its last entry.
        index: u64,
        /// Its size.
        size_bytes: u64,
    },
    /// It could not be written, or was given up.
    SnapshotFailed,
    /// A leader's snapshot is on disk and restored. The message is the `MsgSnapshot` that
    /// announced it.
    SnapshotFetched {
        /// Its announcement.
        message: eraftpb::Message,
        /// Its state.
        machine: Box<Machine>,
        /// Its size.
        size_bytes: u64,
    },
    /// A snapshot of [`Effects::send_snapshots`] arrived, or did not.
    SnapshotSent {
        /// Where to.
        to: NodeId,
        /// Whether it did.
        ok: bool,
    },
    /// Messages to this peer are being lost.
    Unreachable(NodeId),
    /// The node is about to stop: hand leadership over.
    StepDown,
    /// An operator wants this node to lead; from whichever node, at any.
    TransferLeader(NodeId),
    /// An operator wants a snapshot of what is applied now.
    TakeSnapshot,
}

/// A write to the log, durable as a whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct LogWrite {
    /// Term, vote and commit, whenever the log is written.
    pub hard_state: Option<eraftpb::HardState>,
    /// A snapshot was installed: the log starts after this point.
    pub reset: Option<LogPoint>,
    /// Replace everything from the first one's index on.
    pub entries: Vec<eraftpb::Entry>,
}

impl LogWrite {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.reset.is_none() && self.entries.is_empty()
    }
}

/// What must be on disk before anything that promises it is sent.
#[derive(Debug, Default)]
pub struct Persist {
    /// Comes back as [`Input::Persisted`]. They are to be written in order.
    pub number: u64,
    /// Nobody waits for it as things are: it may wait for more to share its sync, until one comes that cannot.
    pub can_wait: bool,
    /// What to write; may be empty, and then only waits for those before it.
    pub log: LogWrite,
    /// Sent once it is on disk.
    pub send_after: Vec<(NodeId, PeerMessage)>,
}

/// What an operator wants to read in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This node's part changed.
    Role { role: &'static str, term: u64 },
    /// Another leader, or none (0).
    Leader { leader: NodeId, term: u64 },
    /// A node said who it is.
    Member { node: NodeId, client_addr: String, peer_addr: String },
    /// Who votes and who does not.
    Membership { voters: Vec<NodeId>, learners: Vec<NodeId> },
    /// A leader's snapshot took the place of this node's state.
    SnapshotInstalled { index: u64 },
    /// This node was removed from the cluster: it must stop.
    Removed { node: NodeId },
    /// This node's id belongs to another data directory: it must stop.
    Refused { reason: String },
    /// The log holds what cannot be: this node must stop.
    Corrupt { index: u64, reason: String },
}

/// Something that clients which listen want to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// It comes before the answer of this number in [`Effects::replies`]: that of the command
    /// that caused it, if this node has taken that.
    pub before: usize,
    /// The job that caused it, 0 if no job of this node did.
    pub ticket: u64,
    /// What has happened.
    pub event: KeyspaceEvent,
}

/// What is to be done, in the order of the fields.
#[derive(Default)]
pub struct Effects {
    /// The node's identity is settled: to be made durable before anything below.
    pub settle: bool,
    /// Messages that promise nothing: at once, before the disk.
    pub send_now: Vec<(NodeId, PeerMessage)>,
    /// Snapshots to stream, announced by these messages.
    pub send_snapshots: Vec<(NodeId, eraftpb::Message)>,
    /// Writes, in order.
    pub persists: Vec<Persist>,
    /// Answers: the ticket of a job and the reply to its next step.
    pub replies: Vec<(u64, Reply)>,
    /// What clients that listen want to hear, each in its place among the answers.
    pub notices: Vec<Notice>,
    /// For the operator.
    pub events: Vec<Event>,
    /// A snapshot was begun: fetch its chunks from [`super::Group::snapshot_chunk`].
    pub start_snapshot: Option<SnapshotPoint>,
    /// The snapshot being walked is void.
    pub abort_snapshot: bool,
    /// The log on disk is not needed up to this index.
    pub compact: Option<u64>,
    /// Members or their addresses have changed.
    pub members_changed: bool,
    /// States that another has taken the place of. To free a large one takes seconds, so somebody for whom
    /// nobody waits is to do it.
    pub retired: Vec<Machine>,
    /// Whoever was answered may ask again at once, and what waits is not proposed before: another turn is to follow
    /// as soon as what has arrived by then was taken in.
    pub look_again: bool,
}

impl Effects {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        let Self { send_now, send_snapshots, persists, replies, notices, events, .. } = self;
        let is_quiet = send_now.is_empty()
            && send_snapshots.is_empty()
            && persists.is_empty()
            && replies.is_empty()
            && notices.is_empty()
            && events.is_empty();
        let has_more = self.settle
            || self.start_snapshot.is_some()
            || self.abort_snapshot
            || self.compact.is_some()
            || self.members_changed
            || !self.retired.is_empty()
            || self.look_again;
        is_quiet && !has_more
    }
}
