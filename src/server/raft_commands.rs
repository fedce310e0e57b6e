//! `RAFT ADD`, `REMOVE`, `PROMOTE`, `DEMOTE`, `REPLACE`, `TRANSFER`, `SNAPSHOT`: from words to
//! what the group is asked, and what the connection then waits for. Changes of the members go
//! through the log like any write, from any node, once. This module must never change anything
//! by itself.

use super::connection::{Capture, Connection};
use super::dispatch::Flow;
use super::wait::{Goal, MemberGoal, Wait};
use crate::command::{ConnectionCommand as Do, Reply};
use crate::config::MemberAddress;
use crate::group::{Job, Step};
use crate::limits;
use crate::wire::NodeId;
use crate::wire::units::{Args, Change, Membership, put_membership_unit};
use std::time::{Duration, Instant};

/// A wish about a member.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    change: Change,
    /// 0: the next free one.
    node: NodeId,
    old: NodeId,
    client_addr: String,
    peer_addr: String,
}

fn error(text: impl std::fmt::Display) -> Reply {
    Reply::error_owned(format!("ERR {text}"))
}

fn parse_id(arg: &[u8]) -> Result<NodeId, Reply> {
    let id = std::str::from_utf8(arg).ok().and_then(|text| text.parse::<u32>().ok()).filter(|id| *id != 0);
    id.map(NodeId::from).ok_or_else(|| error("a node id is a number from 1 to 4294967295"))
}

/// The id of a node that is new; 0 for `*`.
fn parse_new_id(arg: &[u8]) -> Result<NodeId, Reply> {
    if arg == b"*" {
        return Ok(0);
    }
    parse_id(arg).map_err(|_| error("the id of a new node is a number from 1, or * for the next free one"))
}

/// Where clients and peers reach a node.
fn parse_address(arg: &[u8]) -> Result<(String, String), Reply> {
    let text =
        std::str::from_utf8(arg).map_err(|_| error("an address is host:port, or host:port@peerport"))?;
    let address: MemberAddress = text.parse().map_err(error)?;
    let peer = address.peer().map_err(error)?;
    if address.client.is_wildcard() {
        return Err(error(format!(
            "nobody can connect to {}: give the address under which the others reach the node",
            address.client
        )));
    }
    if peer == address.client {
        return Err(error(format!("{peer} is for clients and for peers at once: they need a port each")));
    }
    Ok((address.client.to_string(), peer.to_string()))
}

/// None: not a change of the members.
fn parse_wish(what: Do, args: &Args<'_>) -> Option<Result<Wish, Reply>> {
    let change = match what {
        Do::RaftAdd => Change::ADD,
        Do::RaftRemove => Change::REMOVE,
        Do::RaftPromote => Change::PROMOTE,
        Do::RaftDemote => Change::DEMOTE,
        Do::RaftReplace => Change::REPLACE,
        _ => return None,
    };
    let parse = || {
        let nowhere = (String::new(), String::new());
        let (old, node, (client_addr, peer_addr)) = match (change, &args[2..]) {
            (Change::ADD, [id, address]) => (0, parse_new_id(id)?, parse_address(address)?),
            (Change::REPLACE, [old, id, address]) => {
                (parse_id(old)?, parse_new_id(id)?, parse_address(address)?)
            }
            (_, [id]) => (0, parse_id(id)?, nowhere),
            _ => return Err(error("syntax error")),
        };
        Ok(Wish { change, node, old, client_addr, peer_addr })
    };
    Some(parse())
}

impl Connection {
    /// Begins one of these commands. Err: the reply, and nothing was asked of anybody.
    pub(super) fn start_raft(&mut self, what: Do, args: &Args<'_>, job: &mut Job) -> Result<Flow, Reply> {
        if let Some(wish) = parse_wish(what, args) {
            let Wish { change, node, old, client_addr, peer_addr } = wish?;
            let membership =
                Membership { change, node, old, client_addr: &client_addr, peer_addr: &peer_addr };
            put_membership_unit(&mut job.body, &membership);
            job.steps.push(Step::Write);
            self.capture = Some(Capture::Member(MemberGoal { change, node, old, tells_id: node == 0 }));
            return Ok(Flow::Submit);
        }
        let backend = &self.shared.backend;
        let status = backend.status();
        let (goal, patience) = match what {
            Do::RaftTransfer => {
                let node = parse_id(args.get(2).copied().unwrap_or_default())?;
                if !status.members.iter().any(|member| member.id == node && member.voter) {
                    return Err(error(format!("node {node} is no voter: only a voter can lead")));
                }
                backend.transfer_leader(node);
                (Goal::Leader(node), self.shared.config.election_timeout)
            }
            _ => {
                if status.snapshot_index < status.applied_index {
                    backend.take_snapshot();
                }
                (Goal::snapshot(&status), Duration::from_millis(limits::SNAPSHOT_WAIT_MS))
            }
        };
        self.wait_for(goal, patience);
        Ok(Flow::Submit)
    }

    /// The log has taken a wish, or has not: begins to wait for its effect, or gives the reply.
    pub(super) fn wish_taken(&mut self, mut goal: MemberGoal, reply: Reply) -> Option<Reply> {
        let Reply::Int(node) = reply else { return Some(reply) };
        goal.node = node as NodeId;
        self.wait_for(Goal::Member(goal), Duration::from_millis(limits::MEMBERSHIP_WAIT_MS));
        None
    }

    /// Nothing more is parsed until the node is as wished, or `patience` is over.
    pub(super) fn wait_for(&mut self, goal: Goal, patience: Duration) {
        self.wait = Some(Wait { goal, deadline: Instant::now() + patience });
        self.client.blocked.set(true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(what: Do, words: &str) -> Result<Wish, Reply> {
        let args: Vec<&[u8]> = words.split(' ').map(str::as_bytes).collect();
        parse_wish(what, &Args::from_slice(&args)).expect("a change")
    }

    #[test]
    fn words_become_wishes() {
        let added = wish(Do::RaftAdd, "RAFT ADD * 10.0.0.4:7000").unwrap();
        assert_eq!((added.change, added.node), (Change::ADD, 0));
        assert_eq!(
            (added.client_addr.as_str(), added.peer_addr.as_str()),
            ("10.0.0.4:7000", "10.0.0.4:17000")
        );
        let replaced = wish(Do::RaftReplace, "RAFT REPLACE 2 5 [::1]:7000@9").unwrap();
        assert_eq!((replaced.old, replaced.node, replaced.peer_addr.as_str()), (2, 5, "[::1]:9"));
        assert_eq!(wish(Do::RaftDemote, "RAFT DEMOTE 3").unwrap().node, 3);
    }

    #[test]
    fn what_cannot_be_is_refused_before_the_log_sees_it() {
        let refused = [
            (Do::RaftAdd, "RAFT ADD 0 a:1", "* for the next"),
            (Do::RaftAdd, "RAFT ADD -1 a:1", "* for the next"),
            (Do::RaftAdd, "RAFT ADD 4 a", "has no port"),
            (Do::RaftAdd, "RAFT ADD 4 0.0.0.0:1", "nobody can connect"),
            (Do::RaftAdd, "RAFT ADD 4 a:60000", "@peerport"),
            (Do::RaftAdd, "RAFT ADD 4 a:1@1", "a port each"),
            (Do::RaftReplace, "RAFT REPLACE * 4 a:1", "number from 1"),
            (Do::RaftRemove, "RAFT REMOVE *", "number from 1"),
            (Do::RaftPromote, "RAFT PROMOTE 99999999999999999999", "number from 1"),
        ];
        for (what, words, part) in refused {
            let Err(Reply::Error(text)) = wish(what, words) else { panic!("{words} was taken") };
            assert!(text.contains(part), "{words}: {text}");
        }
    }
}
