//! Commands about the group, answered from the node's status: `ROLE`, `WAIT`, `RAFT STATUS`
//! (those that ask something of the group: `raft_commands`).
//! This module must never claim more than the status shows.

use crate::command::{Reply, parse_i64};
use crate::limits;
use crate::node::{MemberStatus, NodeStatus, Role};
use crate::wire::NodeId;
use crate::wire::units::Args;
use std::time::Duration;

/// Whether this node leads its group.
pub fn leads(status: &NodeStatus) -> bool {
    status.role == Role::Leader
}

/// The leader's member row, if it is known.
pub fn leader(status: &NodeStatus) -> Option<&MemberStatus> {
    status.members.iter().find(|member| member.id == status.leader_id)
}

/// Host and port of `host:port`; the host may be a bracketed IPv6 address.
pub fn host_and_port(addr: &str) -> (&str, i64) {
    let (host, port) = addr.rsplit_once(':').unwrap_or((addr, "0"));
    (host.trim_start_matches('[').trim_end_matches(']'), port.parse().unwrap_or(0))
}

/// The other members.
pub fn peers(status: &NodeStatus) -> impl Iterator<Item = &MemberStatus> {
    status.members.iter().filter(|member| member.id != status.node_id)
}

/// `ROLE`, offsets being log indexes.
pub fn role(status: &NodeStatus) -> Reply {
    if leads(status) {
        let replica = |member: &MemberStatus| {
            let (host, port) = host_and_port(&member.client_addr);
            let offset = member.match_index.unwrap_or(0).to_string();
            Reply::Array(vec![Reply::bulk(host), Reply::bulk(port.to_string()), Reply::bulk(offset)])
        };
        return Reply::Array(vec![
            Reply::bulk("master"),
            Reply::Int(status.last_index as i64),
            Reply::Array(peers(status).map(replica).collect()),
        ]);
    }
    let (host, port) = leader(status).map_or(("", 0), |member| host_and_port(&member.client_addr));
    let state = if status.leader_id == 0 { "connect" } else { "connected" };
    Reply::Array(vec![
        Reply::bulk("slave"),
        Reply::bulk(host),
        Reply::Int(port),
        Reply::bulk(state),
        Reply::Int(status.applied_index as i64),
    ])
}

/// `WAIT n timeout`: how many, and for how long at most.
pub fn parse_wait(args: &Args<'_>) -> Result<(i64, Duration), Reply> {
    let number = args.get(1).and_then(|arg| parse_i64(arg));
    let number = number.ok_or(Reply::error("ERR value is not an integer or out of range"))?;
    Ok((number, parse_timeout(args.get(2).copied().unwrap_or_default())?))
}

/// The milliseconds that a client wants to wait; 0 is as long as it may.
pub fn parse_timeout(arg: &[u8]) -> Result<Duration, Reply> {
    let timeout_ms = parse_i64(arg).ok_or(Reply::error("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Reply::error("ERR timeout is negative"));
    }
    let most = limits::MAX_WAIT_MS;
    let timeout_ms = if timeout_ms == 0 { most } else { (timeout_ms as u64).min(most) };
    Ok(Duration::from_millis(timeout_ms))
}

/// Members besides this node (as Redis counts replicas) that surely hold everything up to
/// `index`. The leader knows each of them; others know that what was applied is on a majority.
pub fn holders(status: &NodeStatus, index: u64) -> i64 {
    if leads(status) {
        return peers(status).filter(|member| member.match_index.is_some_and(|held| held >= index)).count()
            as i64;
    }
    let voters = status.members.iter().filter(|member| member.voter).count() as i64;
    let majority = voters / 2 + 1;
    if status.applied_index < index || voters == 0 { 0 } else { majority - 1 }
}

/// `RAFT STATUS`.
pub fn raft_status(status: &NodeStatus) -> Reply {
    let int = |value: u64| Reply::Int(value as i64);
    let mut fields: Vec<(Reply, Reply)> = [
        ("node_id", int(status.node_id)),
        ("role", Reply::bulk(status.role.name())),
        ("term", int(status.term)),
        ("leader_id", int(status.leader_id)),
        ("leader_addr", Reply::bulk(leader(status).map_or("", |member| &member.client_addr))),
        ("commit_index", int(status.commit_index)),
        ("applied_index", int(status.applied_index)),
        ("last_index", int(status.last_index)),
        ("first_index", int(status.first_index)),
        ("snapshot_index", int(status.snapshot_index)),
        ("snapshot_in_progress", Reply::Bool(status.snapshot_in_progress)),
        ("clock_ms", int(status.clock_ms)),
        ("storage", Reply::bulk(status.storage)),
        ("log_bytes", int(status.log_bytes)),
        ("pending_bytes", int(status.pending_bytes)),
    ]
    .map(|(name, value)| (Reply::bulk(name), value))
    .into();
    if let Some(id) = status.cluster_id {
        fields.push((Reply::bulk("cluster_id"), Reply::bulk(format!("{:032x}", u128::from_be_bytes(id)))));
    }
    let ids = |ids: &[NodeId]| Reply::Array(ids.iter().map(|id| int(*id)).collect());
    fields.push((Reply::bulk("first_voters"), ids(&status.first_voters)));
    fields.push((Reply::bulk("removed"), ids(&status.removed)));
    fields.push((Reply::bulk("is_joint"), Reply::Bool(status.is_joint)));
    fields.push((Reply::bulk("waits"), Reply::bulk(&status.waits)));
    let present = status.members.iter().map(|member| member_fields(member, true));
    let wished = status.wished.iter().map(|member| member_fields(member, false));
    fields.push((Reply::bulk("members"), Reply::Array(present.chain(wished).collect())));
    Reply::Map(fields)
}

/// `present`: Raft's configuration has it, and does not only have to.
fn member_fields(member: &MemberStatus, present: bool) -> Reply {
    let mut fields = vec![
        (Reply::bulk("id"), Reply::Int(member.id as i64)),
        (Reply::bulk("client_addr"), Reply::bulk(&member.client_addr)),
        (Reply::bulk("peer_addr"), Reply::bulk(&member.peer_addr)),
        (Reply::bulk("voter"), Reply::Bool(member.voter)),
        (Reply::bulk("learner"), Reply::Bool(present && !member.voter)),
        (Reply::bulk("wanted"), Reply::bulk(member.wanted)),
        (Reply::bulk("registered"), Reply::Bool(member.registered)),
        (Reply::bulk("connected"), Reply::Bool(member.connected)),
    ];
    if let Some(index) = member.match_index {
        fields.push((Reply::bulk("match"), Reply::Int(index as i64)));
    }
    if let Some(progress) = member.progress {
        fields.push((Reply::bulk("state"), Reply::bulk(progress)));
    }
    Reply::Map(fields)
}
