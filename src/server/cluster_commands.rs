//! `CLUSTER`: the group as Redis Cluster would describe it. Its leader owns all slots, and the
//! other members, learners too, are the leader's replicas. Answers come from the node's status
//! alone: this module must never look at a key, and never send a client to a node that this
//! one cannot reach.
//!
//! During an election, clients that have lost the leader ask for the slots at once. Without an
//! owner they would forget every node (redis-py cannot go on without one), and the old leader's
//! address costs them their few attempts in as many milliseconds. So a node that reaches a
//! majority then names itself: it takes commands, and answers them when there is a leader. It
//! says `cluster_state:fail` all the same. One that reaches no majority names nobody.

use super::admin_commands::{host_and_port, leader, leads};
use crate::command::{ClusterCommand as Do, Reply};
use crate::keyspace::{SLOTS, slot};
use crate::node::{MemberStatus, NodeStatus};
use crate::wire::NodeId;
use crate::wire::units::Args;
use std::fmt::Write;
use std::net::IpAddr;

/// Carries `args` out, whose row says `what`.
pub fn run(status: &NodeStatus, what: Do, args: &Args<'_>) -> Reply {
    match what {
        Do::Info => Reply::Verbatim(info(status).into()),
        Do::KeySlot => args.get(2).map_or(Reply::Nil, |key| Reply::Int(i64::from(slot(key)))),
        Do::MyId => Reply::bulk(name(status, status.node_id)),
        Do::Nodes => {
            let lines = status.members.iter().map(|member| line(status, member) + "\n");
            Reply::Verbatim(lines.collect::<String>().into())
        }
        Do::Replicas => args.get(2).map_or(Reply::Nil, |id| replicas(status, id)),
        Do::Shards => shards(status),
        Do::Slots => slots(status),
    }
}

/// The name of a member, the same on every node: 16 hexadecimal digits of its id, then 24 of
/// the cluster's. Two members never share one, whatever their ids; before the first entry of
/// the log names the cluster, its digits are 0.
pub fn name(status: &NodeStatus, id: NodeId) -> String {
    let cluster = status.cluster_id.map_or(0, u128::from_be_bytes);
    format!("{id:016x}{:024x}", cluster >> 32)
}

/// Who takes the commands of all slots; see the module.
pub fn owner(status: &NodeStatus) -> Option<&MemberStatus> {
    let reached_leader = leader(status).filter(|member| member.connected && has_address(member));
    let this = || status.members.iter().find(|member| member.id == status.node_id && has_address(member));
    reached_leader.or_else(|| this().filter(|_| reached_voters(status) >= majority(status)))
}

/// How many voters this node reaches, itself among them.
pub fn reached_voters(status: &NodeStatus) -> usize {
    status.members.iter().filter(|member| member.voter && member.connected).count()
}

/// How many voters decide.
pub fn majority(status: &NodeStatus) -> usize {
    status.members.iter().filter(|member| member.voter).count() / 2 + 1
}

/// A member that has never been started may have no address yet.
pub fn has_address(member: &MemberStatus) -> bool {
    host_and_port(&member.client_addr).1 != 0
}

/// How far a member's log is known to reach. Only the leader knows of others; 0: not known, as
/// in Redis.
pub fn offset(status: &NodeStatus, member: &MemberStatus) -> u64 {
    if member.id == status.node_id {
        return if leads(status) { status.last_index } else { status.applied_index };
    }
    let of_leader = if member.id == status.leader_id { status.commit_index } else { 0 };
    member.match_index.unwrap_or(of_leader)
}

fn info(status: &NodeStatus) -> String {
    let leader = leader(status);
    let reached = leader.is_some_and(|member| member.connected);
    let when = |holds: bool| if holds { SLOTS } else { 0 };
    let mut text = String::new();
    let mut field = |name: &str, value: &dyn std::fmt::Display| {
        write!(text, "{name}:{value}\r\n").expect("a String grows");
    };
    field("cluster_state", if leader.is_some() { &"ok" } else { &"fail" });
    field("cluster_slots_assigned", &SLOTS);
    field("cluster_slots_ok", &when(reached));
    field("cluster_slots_pfail", &when(leader.is_some() && !reached));
    field("cluster_slots_fail", &when(leader.is_none()));
    field("cluster_known_nodes", &status.members.len());
    field("cluster_size", &1);
    field("cluster_current_epoch", &status.term);
    field("cluster_my_epoch", &status.term);
    field("cluster_stats_messages_sent", &status.messages_sent_total);
    field("cluster_stats_messages_received", &status.messages_received_total);
    // Redis closes a link that has too much queued; here what is too much is dropped.
    field("total_cluster_links_buffer_limit_exceeded", &0);
    text
}

/// A line of `CLUSTER NODES`, without its end. `fail?` is what Redis calls a node that this one
/// cannot reach; when it last heard of one is not kept, and stays 0.
fn line(status: &NodeStatus, member: &MemberStatus) -> String {
    let (host, port) = host_and_port(&member.client_addr);
    let (_, peer_port) = host_and_port(&member.peer_addr);
    let owner = owner(status).map(|owner| owner.id);
    let is_owner = owner == Some(member.id);
    let mut flags = String::new();
    if member.id == status.node_id {
        flags += "myself,";
    }
    flags += if is_owner { "master" } else { "slave" };
    if !member.connected {
        flags += ",fail?";
    }
    if !has_address(member) {
        flags += ",noaddr";
    }
    let master = owner.filter(|_| !is_owner).map_or("-".to_owned(), |owner| name(status, owner));
    let link = if member.connected { "connected" } else { "disconnected" };
    let (id, term) = (name(status, member.id), status.term);
    let line = format!("{id} {host}:{port}@{peer_port} {flags} {master} 0 0 {term} {link}");
    if is_owner { format!("{line} 0-{}", SLOTS - 1) } else { line }
}

fn replicas(status: &NodeStatus, id: &[u8]) -> Reply {
    let Some(node) = status.members.iter().find(|member| name(status, member.id).as_bytes() == id) else {
        return Reply::error_owned(format!("ERR Unknown node {}", crate::command::shown(id)));
    };
    if owner(status).is_none_or(|owner| owner.id != node.id) {
        return Reply::error("ERR The specified node is not a master");
    }
    let others = status.members.iter().filter(|member| member.id != node.id);
    Reply::Array(others.map(|member| Reply::bulk(line(status, member))).collect())
}

fn whole_range() -> [Reply; 2] {
    [Reply::Int(0), Reply::Int(i64::from(SLOTS - 1))]
}

/// As in Redis, replicas that cannot be reached are left out.
fn slots(status: &NodeStatus) -> Reply {
    let Some(owner) = owner(status) else { return Reply::Array(vec![]) };
    let replicas = status
        .members
        .iter()
        .filter(|member| member.id != owner.id && member.connected && has_address(member));
    let node = |member: &MemberStatus| {
        let (host, port) = host_and_port(&member.client_addr);
        let id = Reply::bulk(name(status, member.id));
        Reply::Array(vec![Reply::bulk(host), Reply::Int(port), id, Reply::Map(vec![])])
    };
    let nodes = std::iter::once(owner).chain(replicas).map(node);
    Reply::Array(vec![Reply::Array(whole_range().into_iter().chain(nodes).collect())])
}

/// The shard keeps its slots when there is no owner: then it has replicas only.
fn shards(status: &NodeStatus) -> Reply {
    let owner = owner(status).map(|owner| owner.id);
    let (first, others): (Vec<_>, Vec<_>) = status
        .members
        .iter()
        .filter(|member| has_address(member))
        .partition(|member| owner == Some(member.id));
    let nodes = first.into_iter().chain(others).map(|member| shard_node(status, member, owner));
    Reply::Array(vec![Reply::Map(vec![
        (Reply::bulk("slots"), Reply::Array(whole_range().into())),
        (Reply::bulk("nodes"), Reply::Array(nodes.collect())),
    ])])
}

fn shard_node(status: &NodeStatus, member: &MemberStatus, owner: Option<NodeId>) -> Reply {
    let (host, port) = host_and_port(&member.client_addr);
    let role = if owner == Some(member.id) { "master" } else { "replica" };
    let health = match member.progress {
        _ if !member.connected => "fail",
        Some("snapshot") => "loading",
        _ => "online",
    };
    let mut fields = vec![
        (Reply::bulk("id"), Reply::bulk(name(status, member.id))),
        (Reply::bulk("port"), Reply::Int(port)),
        (Reply::bulk("ip"), Reply::bulk(host)),
        (Reply::bulk("endpoint"), Reply::bulk(host)),
    ];
    if host.parse::<IpAddr>().is_err() {
        fields.push((Reply::bulk("hostname"), Reply::bulk(host)));
    }
    fields.extend([
        (Reply::bulk("role"), Reply::bulk(role)),
        (Reply::bulk("replication-offset"), Reply::Int(offset(status, member) as i64)),
        (Reply::bulk("health"), Reply::bulk(health)),
    ]);
    Reply::Map(fields)
}
