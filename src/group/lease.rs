//! The leader's lease and the promises that it stands on (Raft thesis, section 6.4.1).
//!
//! A follower that confirms a round of its leader promises, for [`GroupConfig::promise_us`] of
//! its own monotonic clock, to help nobody else to lead: it grants no vote, no pre-vote, and
//! does not campaign. A quorum of such promises, given after a round began at `t0`, means that
//! until `t0 + lease` no other node leads, so that what this leader has committed is all there
//! is. Hence every rule here:
//!
//! - The lease counts from the round's begin, the promise from its later receipt; both by
//!   clocks, never by ticks, of which a paused process misses as many as it likes. The lease is
//!   8/9 of the shortest promise: it holds as long as no two clocks' rates differ by more.
//! - raft-rs's own refusal to vote is not enough: it counts ticks, and ends early when a message
//!   of a higher term makes the follower forget its leader.
//! - A node that has restarted has forgotten its promises: it keeps the longest that it can have
//!   given, unless its directory has never been started before.
//! - Hand-over of leadership passes over promises (its vote requests say so). It is safe because
//!   the requests that come of a transfer in term T ask for votes in T + 1 only: they concern
//!   nobody but the leader of T, who takes no lease any more in a term in which it has begun a
//!   transfer, for its messages may be delayed for ever.
//! - A lease belongs to one term and one configuration: neither survives the other.
//!
//! This module must never take a lease for valid without the moment at which it is asked.

use super::{Group, GroupConfig};
use crate::mutant::{self, Mutant};
use raft::eraftpb::{Message, MessageType};

/// What raft-rs writes into the vote requests of a leadership transfer.
const OF_TRANSFER: &[u8] = b"CampaignTransfer";

/// The leader's side.
#[derive(Debug, Default)]
pub struct Lease {
    term: u64,
    until_us: u64,
    length_us: u64,
    /// A transfer has begun in this term.
    spoiled_term: u64,
    /// Rounds that began before, or at, this moment are of an earlier configuration.
    configured_us: Option<u64>,
}

impl Lease {
    /// A round that began at `begun_us` has its quorum; `promise_us` is the shortest promise in it.
    pub fn confirmed(&mut self, term: u64, begun_us: u64, promise_us: u64) {
        let outdated = self.configured_us.is_some_and(|since| begun_us <= since);
        if outdated || term == self.spoiled_term {
            return;
        }
        let length_us = promise_us / 9 * 8;
        let until_us = begun_us + length_us;
        if term != self.term || until_us > self.until_us {
            *self = Self { term, until_us, length_us, ..*self };
        }
    }

    /// No lease in this term any more.
    pub fn spoil(&mut self, term: u64) {
        self.spoiled_term = term;
        self.until_us = 0;
    }

    /// The configuration is another since now.
    pub fn reconfigured(&mut self, now_us: u64) {
        self.configured_us = Some(now_us);
        self.until_us = 0;
    }

    /// Whether the leader of `term` may answer alone.
    pub fn holds(&self, term: u64, now_us: u64) -> bool {
        let in_time = now_us < self.until_us || mutant::is(Mutant::LeaseNotChecked);
        self.until_us > 0 && term == self.term && term != self.spoiled_term && in_time
    }

    /// Whether it is worth while to renew it, if it is used.
    pub fn is_half_over(&self, now_us: u64) -> bool {
        self.until_us.saturating_sub(now_us) < self.length_us / 2
    }
}

/// The follower's side: until when this node helps nobody to lead.
#[derive(Debug, Default)]
pub struct Promise {
    until_us: u64,
    /// The first moment that this life of the node has known.
    started: bool,
}

impl Promise {
    /// A moment has come. The first one: what an earlier life may have promised still holds.
    pub fn now_is(&mut self, now_us: u64, config: &GroupConfig) {
        if !self.started {
            self.started = true;
            if config.boot > 1 {
                self.give(now_us, config.promise_us());
            }
        }
    }

    fn give(&mut self, now_us: u64, promise_us: u64) {
        self.until_us = self.until_us.max(now_us + promise_us);
    }

    fn holds(&self, now_us: u64) -> bool {
        now_us < self.until_us
    }
}

impl GroupConfig {
    /// How long a follower stands by the leader whose round it has confirmed: what makes the
    /// lease, 8/9 of it, as long as the configuration says.
    pub fn promise_us(&self) -> u64 {
        self.lease_us.div_ceil(8) * 9
    }
}

impl Group {
    /// Confirms a round of this node's leader: how long this node promises to stand by it.
    pub(super) fn promise(&mut self) -> u64 {
        let promise_us = self.config.promise_us();
        self.promise.give(self.now.mono_us, promise_us);
        // The own election timeout starts again, as with every other message of the leader.
        self.raft.raft.election_elapsed = 0;
        promise_us
    }

    /// Whether a promise, of this life or of an earlier one, forbids what this message asks for.
    pub(super) fn is_forbidden(&self, message: &Message) -> bool {
        let asks_for_vote =
            matches!(message.get_msg_type(), MessageType::MsgRequestVote | MessageType::MsgRequestPreVote);
        asks_for_vote && message.context != OF_TRANSFER && self.promise.holds(self.now.mono_us)
    }

    /// Whether the next tick would make this node campaign against its promise. Ticks are
    /// slower than that as a rule: this costs an election nothing.
    pub(super) fn must_not_campaign(&self) -> bool {
        let is_due = self.raft.raft.election_elapsed + 1 >= self.election_timeout_ticks;
        is_due && !self.is_leader() && self.promise.holds(self.now.mono_us)
    }

    /// Looks whether a transfer has begun, whoever has begun it: it ends the lease of the term.
    pub(super) fn note_transfer(&mut self) {
        if self.raft.raft.lead_transferee.is_some() {
            self.lease.spoil(self.raft.raft.term);
        }
    }

    /// Whether this node may answer reads alone, now.
    pub(super) fn lease_holds(&self) -> bool {
        self.is_leader()
            && self.raft.raft.lead_transferee.is_none()
            && self.lease.holds(self.raft.raft.term, self.now.mono_us)
    }
}
