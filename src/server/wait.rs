//! What a connection waits for after its command was carried out: a state of the node that it
//! looks for again and again, while other connections go on. This module must never claim more
//! than the status shows.

use super::admin_commands::{holders, leader, parse_wait};
use super::blocked::Block;
use super::connection::Connection;
use super::exec::Unfinished;
use super::migrate::Transfer;
use super::operations::Waited;
use super::stop::{Ending, NOT_STOPPED};
use crate::command::{Reply, Request};
use crate::node::NodeStatus;
use crate::wire::NodeId;
use crate::wire::units::{Args, Change};
use std::time::{Duration, Instant};

/// How often a connection that waits looks at the status again.
pub const WAIT_POLL: Duration = Duration::from_millis(5);
/// Timers do not reach further.
const LONG_PAUSE: Duration = Duration::from_secs(3600);

/// As Redis says it; why is in the node's log.
const SNAPSHOT_FAILED: Reply = Reply::error("ERR");

/// The node goes before the time is over: that there was nothing all that time would be a lie.
const NODE_STOPS: Reply = Reply::error(
    "UNBLOCKED force unblock from blocking operation, this node is shutting down; nothing was taken",
);

/// A wait under way.
pub struct Wait {
    pub goal: Goal,
    pub deadline: Instant,
}

/// What is waited for.
pub enum Goal {
    /// `WAIT`: as many nodes hold everything up to this index.
    Holders { number: i64, index: u64 },
    /// A wish about a member is in effect.
    Member(MemberGoal),
    /// This node leads.
    Leader(NodeId),
    /// Everything up to this index is in a snapshot on disk; an attempt that fails after so many ends it.
    Snapshot { index: u64, failed_before: u64 },
    /// `WAITAOF`
    Disks(Waited),
    /// `SHUTDOWN`: see [`super::stop`], which looks at it.
    End(Ending),
    /// Elements, that another client may bring: see [`super::blocked`], which looks for them.
    Elements(Block),
    /// `MIGRATE`: another server has answered.
    Migrate(Transfer),
    /// Time passes, which was a script's; then this is its reply.
    Script(Reply),
    /// Time passes, which was a command's; `rest` is what its `EXEC` does then.
    Sleep { request: Request, began_ns: u64, rest: Option<Box<Unfinished>> },
}

/// A wish about a member that the log has taken.
pub struct MemberGoal {
    pub change: Change,
    pub node: NodeId,
    /// With [`Change::REPLACE`].
    pub old: NodeId,
    /// The reply is the id: whoever asked left it to the cluster.
    pub tells_id: bool,
}

impl Goal {
    /// A snapshot of all that this node has applied by now.
    pub fn snapshot(status: &NodeStatus) -> Self {
        Self::Snapshot { index: status.applied_index, failed_before: status.snapshots_failed_total }
    }

    /// The reply, if it is reached.
    pub fn reached(&self, status: &NodeStatus) -> Option<Reply> {
        match self {
            Self::Holders { number, index } => {
                let held = holders(status, *index);
                (held >= *number).then_some(Reply::Int(held))
            }
            Self::Member(goal) => goal.reached(status),
            Self::Leader(node) => (status.leader_id == *node).then_some(Reply::Ok),
            Self::Migrate(transfer) => transfer.is_over().then_some(Reply::Ok),
            Self::Sleep { .. } | Self::Script(_) | Self::Elements(_) => None,
            Self::Snapshot { index, .. } if status.snapshot_index >= *index => Some(Reply::Ok),
            Self::Snapshot { failed_before, .. } => {
                (status.snapshots_failed_total > *failed_before).then_some(SNAPSHOT_FAILED)
            }
            Self::Disks(waited) => waited.reached(status),
            Self::End(_) => None,
        }
    }

    /// The reply when the node stops before the time is over.
    pub fn cut_short(&self, status: &NodeStatus) -> Reply {
        match self {
            Self::Elements(_) => NODE_STOPS,
            _ => self.given_up(status),
        }
    }

    /// The reply when it is not reached in time.
    pub fn given_up(&self, status: &NodeStatus) -> Reply {
        match self {
            Self::Holders { index, .. } => Reply::Int(holders(status, *index)),
            Self::Member(goal) => goal.given_up(),
            Self::Leader(node) => {
                let who = match leader(status) {
                    Some(member) => format!("node {} ({}) leads", member.id, member.client_addr),
                    None => "no leader is known at the moment".to_owned(),
                };
                Reply::error_owned(format!("ERR node {node} did not take over in time: {who}"))
            }
            Self::Migrate(_) => Reply::error("IOERR error or timeout reading to target instance"),
            Self::Sleep { .. } => Reply::Ok,
            Self::Script(reply) => reply.clone(),
            Self::Elements(_) => Reply::NilArray,
            Self::Snapshot { .. } => Reply::error(
                "ERR the snapshot is not on disk yet: RAFT STATUS shows when, the node's log why not",
            ),
            Self::Disks(waited) => waited.found(status),
            Self::End(_) => NOT_STOPPED,
        }
    }
}

impl Goal {
    /// Whether it goes on although the client has nothing more to say.
    pub fn outlives_client(&self) -> bool {
        matches!(self, Self::Migrate(_))
    }
}

impl Wait {
    /// How long nothing has to be looked at, if nobody wakes the connection.
    pub fn pause(&self) -> Duration {
        match self.goal {
            Goal::Elements(_) => self.deadline.saturating_duration_since(Instant::now()).min(LONG_PAUSE),
            _ => WAIT_POLL,
        }
    }
}

impl MemberGoal {
    fn reached(&self, status: &NodeStatus) -> Option<Reply> {
        let member = status.members.iter().find(|member| member.id == self.node);
        let votes = member.is_some_and(|member| member.voter) && !status.is_joint;
        let is_there = match self.change {
            Change::ADD => member.is_some(),
            Change::REMOVE => member.is_none() && status.removed.contains(&self.node),
            Change::PROMOTE => votes,
            Change::DEMOTE => member.is_some_and(|member| !member.voter) && !status.is_joint,
            Change::REPLACE => votes && status.removed.contains(&self.old),
        };
        let reply = if self.tells_id { Reply::Int(self.node as i64) } else { Reply::Ok };
        is_there.then_some(reply)
    }

    fn given_up(&self) -> Reply {
        let what = match self.change {
            Change::ADD => "not a member yet".to_owned(),
            Change::REMOVE => "still a member".to_owned(),
            Change::PROMOTE => "not a voter yet".to_owned(),
            Change::DEMOTE => "still a voter".to_owned(),
            Change::REPLACE => format!("not a voter in the place of node {} yet", self.old),
        };
        let node = self.node;
        Reply::Simple(format!("ACCEPTED node {node} is {what}: RAFT STATUS shows how far it is").into())
    }
}

impl Connection {
    /// Begins `WAIT`. Err: the reply.
    pub(super) fn start_wait(&mut self, args: &Args<'_>) -> Result<(), Reply> {
        let (number, timeout) = parse_wait(args)?;
        self.wait_for(Goal::Holders { number, index: self.last_write() }, timeout);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::MemberStatus;

    fn reply(change: Change, status: &NodeStatus) -> Option<Reply> {
        Goal::Member(MemberGoal { change, node: 4, old: 2, tells_id: change == Change::ADD }).reached(status)
    }

    #[test]
    fn a_wish_is_in_effect_when_the_configuration_says_so_and_not_before() {
        let member = |id, voter| MemberStatus { id, voter, ..MemberStatus::default() };
        let changes = [Change::ADD, Change::REMOVE, Change::PROMOTE, Change::DEMOTE, Change::REPLACE];
        let reached = |status: &NodeStatus| changes.map(|change| reply(change, status).is_some());
        let mut status = NodeStatus { wished: vec![member(4, false)], ..NodeStatus::default() };
        assert_eq!(reached(&status), [false; 5], "a wish alone is nothing");
        status.members = vec![member(4, false)];
        assert_eq!(reached(&status), [true, false, false, true, false]);
        assert_eq!(reply(Change::ADD, &status), Some(Reply::Int(4)));
        status.members = vec![member(4, true)];
        assert_eq!(reached(&status), [true, false, true, false, false]);
        status.removed = vec![2];
        assert_eq!(reply(Change::REPLACE, &status), Some(Reply::Ok));
        status.is_joint = true;
        assert_eq!(reached(&status), [true, false, false, false, false], "it takes two majorities yet");
        status.members.clear();
        status.removed = vec![2, 4];
        assert_eq!(reached(&status), [false, true, false, false, false]);
    }
}
