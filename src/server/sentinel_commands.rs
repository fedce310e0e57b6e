//! `SENTINEL`: the group as a Redis Sentinel would describe it, on each node's ordinary port.
//! One master, the leader, under one name (`--sentinel-name`); the other members are its
//! replicas, and sentinels themselves. Field names and flags are Redis's; a field that nothing
//! here stands behind is left out. This module must never name a master that this node does
//! not believe to lead.
//!
//! Any other name is unknown, as in Redis. To take every name would help nobody: redis-py looks
//! its name up in `SENTINEL MASTERS`, where only names that are known can stand.

use super::admin_commands::{host_and_port, leader, leads, peers};
use super::cluster_commands::{has_address, majority, name, offset, reached_voters};
use crate::command::{Reply, SentinelCommand as Do};
use crate::node::{MemberStatus, NodeStatus};
use crate::wire::units::Args;

const NO_SUCH_MASTER: Reply = Reply::error("ERR No such master with that name");
/// Redis's default; 0, a replica that never becomes the master, is a learner's.
const PRIORITY: u8 = 100;

type Fields = Vec<(Reply, Reply)>;

/// Carries `args` out, whose row says `what`; `master` is the name of the one there is.
pub fn run(status: &NodeStatus, master: &str, what: Do, args: &Args<'_>) -> Reply {
    let is_known = args.get(2).is_none_or(|asked| *asked == master.as_bytes());
    match what {
        Do::MyId => Reply::bulk(name(status, status.node_id)),
        Do::Masters => Reply::Array(vec![Reply::Map(master_fields(status, master))]),
        Do::GetMasterAddr if is_known => master_addr(status),
        Do::GetMasterAddr => Reply::NilArray,
        _ if !is_known => NO_SUCH_MASTER,
        Do::Master => Reply::Map(master_fields(status, master)),
        Do::Replicas => Reply::Array(replicas(status).map(|member| replica(status, member)).collect()),
        Do::Sentinels => Reply::Array(peers(status).map(|member| sentinel(status, member)).collect()),
        Do::CkQuorum => check_quorum(status),
    }
}

fn master_addr(status: &NodeStatus) -> Reply {
    let Some(leader) = leader(status).filter(|leader| has_address(leader)) else { return Reply::NilArray };
    let (host, port) = host_and_port(&leader.client_addr);
    Reply::Array(vec![Reply::bulk(host), Reply::bulk(port.to_string())])
}

/// The leader's; nobody's without one.
fn replicas(status: &NodeStatus) -> impl Iterator<Item = &MemberStatus> {
    let is_replica = move |member: &&MemberStatus| member.id != status.leader_id && has_address(member);
    status.members.iter().filter(move |member| leader(status).is_some() && is_replica(member))
}

fn check_quorum(status: &NodeStatus) -> Reply {
    let usable = reached_voters(status);
    if usable >= majority(status) {
        let text = format!("OK {usable} usable Sentinels. Quorum and failover authorization can be reached");
        return Reply::Simple(text.into());
    }
    Reply::error_owned(format!(
        "NOQUORUM {usable} usable Sentinels. Not enough available Sentinels to reach the specified quorum for \
         this master. Not enough available Sentinels to reach the majority and authorize a failover"
    ))
}

fn push(fields: &mut Fields, name: &str, value: impl ToString) {
    fields.push((Reply::bulk(name), Reply::bulk(value.to_string())));
}

/// What every instance begins with. No command of a client ever waits on these links.
fn instance(name: &str, addr: &str, run_id: &str, flags: &str) -> Fields {
    let (host, port) = host_and_port(addr);
    let mut fields = Vec::new();
    push(&mut fields, "name", name);
    push(&mut fields, "ip", host);
    push(&mut fields, "port", port);
    push(&mut fields, "runid", run_id);
    push(&mut fields, "flags", flags);
    push(&mut fields, "link-pending-commands", 0);
    push(&mut fields, "link-refcount", 1);
    fields
}

/// `kind`, and what Redis says with it of an instance that cannot be reached.
fn flags(kind: &str, connected: bool) -> String {
    if connected { kind.to_owned() } else { format!("s_down,{kind},disconnected") }
}

fn master_fields(status: &NodeStatus, master: &str) -> Fields {
    let mut fields = match leader(status) {
        Some(leader) => {
            let flags = flags("master", leader.connected);
            instance(master, &leader.client_addr, &name(status, leader.id), &flags)
        }
        // There is none, and that is what a majority of sentinels calls objectively down.
        None => instance(master, "", "", "s_down,o_down,master,disconnected"),
    };
    push(&mut fields, "role-reported", "master");
    push(&mut fields, "config-epoch", status.term);
    push(&mut fields, "num-slaves", replicas(status).count());
    push(&mut fields, "num-other-sentinels", peers(status).count());
    push(&mut fields, "quorum", majority(status));
    fields
}

fn replica(status: &NodeStatus, member: &MemberStatus) -> Reply {
    let (host, port) = leader(status).map_or(("?", 0), |leader| host_and_port(&leader.client_addr));
    let flags = flags("slave", member.connected);
    let (ip, own_port) = host_and_port(&member.client_addr);
    let id = name(status, member.id);
    let mut fields = instance(&format!("{ip}:{own_port}"), &member.client_addr, &id, &flags);
    push(&mut fields, "role-reported", "slave");
    push(&mut fields, "master-link-status", if linked(status, member) { "ok" } else { "err" });
    push(&mut fields, "master-host", host);
    push(&mut fields, "master-port", port);
    push(&mut fields, "slave-priority", if member.voter { PRIORITY } else { 0 });
    push(&mut fields, "slave-repl-offset", offset(status, member));
    push(&mut fields, "replica-announced", 1);
    Reply::Map(fields)
}

/// Whether the leader and this member are connected, as far as this node can tell: it knows
/// its own links only.
fn linked(status: &NodeStatus, member: &MemberStatus) -> bool {
    let leader_reached = leads(status) || leader(status).is_some_and(|leader| leader.connected);
    leader_reached && member.connected
}

fn sentinel(status: &NodeStatus, member: &MemberStatus) -> Reply {
    let id = name(status, member.id);
    Reply::Map(instance(&id, &member.client_addr, &id, &flags("sentinel", member.connected)))
}
