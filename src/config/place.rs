//! Who this node is, where it listens, and where the others are: `--cluster`, `--join`,
//! `--node-id`, `--bind`, `--peer-bind` and `--advertise`, which have to agree.

use super::validate::invalid;
use super::{Address, ConfigError, Member, MemberAddress, Settings};
use crate::wire::NodeId;

const DEFAULT_BIND: &str = "127.0.0.1:6379";

/// What the settings say about it.
pub(super) struct Place {
    pub node_id: NodeId,
    pub bind: Address,
    pub peer_bind: Address,
    pub members: Vec<Member>,
    pub join: Vec<Address>,
}

pub(super) fn place(settings: &Settings) -> Result<Place, ConfigError> {
    let Settings { node_id, bind, peer_bind, cluster, join, advertise, .. } = settings.clone();
    match (cluster, join) {
        // clap sees the command line only; one of the two may stand in the file.
        (Some(_), Some(_)) => invalid(
            "--cluster and --join contradict each other: --cluster lists the first members of a new cluster, and \
             --join asks a running one; leave out one of the two"
                .to_owned(),
        ),
        (Some(_), None) if advertise.is_some() => invalid(
            "--advertise is for nodes without --cluster: write the address under which the others reach this \
             node into --cluster, on every node"
                .to_owned(),
        ),
        (Some(list), None) => among(list, node_id, bind, peer_bind),
        (None, Some(join)) => joining(join, node_id, own(bind, peer_bind, advertise)?),
        (None, None) => alone(node_id, own(bind, peer_bind, advertise)?),
    }
}

fn default_bind() -> Address {
    DEFAULT_BIND.parse().expect("the default is an address")
}

fn check_apart(bind: &Address, peer_bind: &Address) -> Result<(), ConfigError> {
    let same_host = bind.host == peer_bind.host || bind.is_wildcard() || peer_bind.is_wildcard();
    match same_host && bind.port == peer_bind.port {
        true => invalid(format!(
            "--bind {bind} and --peer-bind {peer_bind} are the same: clients and peers need a port each; \
             leave out --peer-bind for port + 10000"
        )),
        false => Ok(()),
    }
}

/// Where a node that no list names listens, and where it is reached.
struct Own {
    bind: Address,
    peer_bind: Address,
    client_addr: Address,
    peer_addr: Address,
}

fn own(
    bind: Option<Address>,
    peer_bind: Option<Address>,
    advertise: Option<MemberAddress>,
) -> Result<Own, ConfigError> {
    let bind = bind.unwrap_or_else(default_bind);
    let told_port = advertise.as_ref().and_then(|told| told.peer_port);
    let peer_bind = match (peer_bind, told_port) {
        (Some(address), _) => address,
        (None, Some(port)) => bind.with_port(port),
        (None, None) => bind.default_peer()?,
    };
    check_apart(&bind, &peer_bind)?;
    let (client_addr, peer_addr) = match advertise {
        Some(told) if told.client.is_wildcard() => {
            return invalid(format!(
                "--advertise {} is every address of this machine, to which nobody can connect: give one of them",
                told.client
            ));
        }
        Some(told) => {
            let peer_addr = told.client.with_port(told_port.unwrap_or(peer_bind.port));
            (told.client, peer_addr)
        }
        None if peer_bind.is_wildcard() => (bind.clone(), bind.with_port(peer_bind.port)),
        None => (bind.clone(), peer_bind.clone()),
    };
    if client_addr == peer_addr {
        return invalid(format!(
            "--advertise {client_addr} is for clients and for peers at once: they need a port each; write \
             host:port@peerport"
        ));
    }
    Ok(Own { bind, peer_bind, client_addr, peer_addr })
}

/// A node that becomes a member of a running cluster, or has become one.
fn joining(join: Vec<Address>, node_id: Option<NodeId>, own: Own) -> Result<Place, ConfigError> {
    if node_id == Some(0) {
        return invalid("--node-id 0 is no node: leave it out, and the cluster gives the next id".to_owned());
    }
    if let Some(address) = [&own.client_addr, &own.peer_addr].into_iter().find(|it| it.is_wildcard()) {
        return invalid(format!(
            "the others cannot reach this node at {address}: say with --advertise host:port where they can"
        ));
    }
    if own.client_addr.host != own.peer_addr.host {
        return invalid(format!(
            "a node that joins serves peers under the host that clients know, {}, and not under {}: give \
             --peer-bind the host of --bind, or say with --advertise where both are reached",
            own.client_addr.host, own.peer_addr.host
        ));
    }
    let others: Vec<Address> = join
        .iter()
        .filter(|address| **address != own.client_addr && **address != own.bind)
        .cloned()
        .collect();
    match (join.is_empty(), others.is_empty()) {
        (true, _) => return invalid("--join is empty: give the address of a node of the cluster".to_owned()),
        (_, true) => {
            return invalid(format!(
                "--join {} is this node itself: give the address of a node of the cluster, and with --bind \
                 another one for this node",
                join[0]
            ));
        }
        _ => {}
    }
    let node_id = node_id.unwrap_or(0);
    let me = Member { id: node_id, client_addr: own.client_addr, peer_addr: own.peer_addr };
    Ok(Place { node_id, bind: own.bind, peer_bind: own.peer_bind, members: vec![me], join: others })
}

/// A cluster of this node only.
fn alone(node_id: Option<NodeId>, own: Own) -> Result<Place, ConfigError> {
    match node_id {
        Some(0) => return invalid(zero_id()),
        None | Some(1) => {}
        Some(id) => {
            return invalid(format!(
                "--node-id {id} without --cluster: a cluster of one node has only node 1; add --cluster with \
                 the addresses of all members, --join to become a member of a running cluster, or leave out \
                 --node-id"
            ));
        }
    }
    let me = Member { id: 1, client_addr: own.client_addr, peer_addr: own.peer_addr };
    Ok(Place { node_id: 1, bind: own.bind, peer_bind: own.peer_bind, members: vec![me], join: Vec::new() })
}

fn zero_id() -> String {
    "--node-id 0 is no node: ids count from 1, in the order of --cluster".to_owned()
}

/// One of the members in the list.
fn among(
    list: Vec<MemberAddress>,
    node_id: Option<NodeId>,
    bind: Option<Address>,
    peer_bind: Option<Address>,
) -> Result<Place, ConfigError> {
    let members = members(&list)?;
    let node_id = match node_id {
        Some(id) => {
            check_id(id, &members, bind.as_ref())?;
            id
        }
        None => find_self(&members, bind.as_ref())?,
    };
    let this = &members[node_id as usize - 1];
    let bind = bind.unwrap_or_else(|| this.client_addr.clone());
    let peer_bind = match peer_bind {
        Some(address) if members.len() > 1 && address.port != this.peer_addr.port => {
            return invalid(format!(
                "--peer-bind {address} listens on port {}, but the other nodes look for node {node_id} at {}: \
                 write {}@{} in --cluster, on every node",
                address.port, this.peer_addr, this.client_addr, address.port
            ));
        }
        Some(address) => address,
        None => bind.with_port(this.peer_addr.port),
    };
    check_apart(&bind, &peer_bind)?;
    Ok(Place { node_id, bind, peer_bind, members, join: Vec::new() })
}

/// The list with ids and peer addresses; no address in it may be there twice.
fn members(list: &[MemberAddress]) -> Result<Vec<Member>, ConfigError> {
    let mut members: Vec<Member> = Vec::with_capacity(list.len());
    for (id, item) in (1..).zip(list) {
        let member = Member { id, client_addr: item.client.clone(), peer_addr: item.peer()? };
        if member.client_addr.is_wildcard() {
            return invalid(format!(
                "--cluster holds {}, to which nobody can connect: write the address under which the others \
                 reach node {id}",
                member.client_addr
            ));
        }
        if member.client_addr == member.peer_addr {
            return invalid(format!(
                "--cluster gives node {id} the port {} for clients and for peers: it needs one each",
                member.client_addr.port
            ));
        }
        for other in &members {
            check_distinct(&member, other)?;
        }
        members.push(member);
    }
    match members.is_empty() {
        true => invalid("--cluster is empty: list the addresses of all members, or leave it out".to_owned()),
        false => Ok(members),
    }
}

fn check_distinct(member: &Member, earlier: &Member) -> Result<(), ConfigError> {
    if member.client_addr == earlier.client_addr {
        return invalid(format!(
            "--cluster holds {} twice, as node {} and as node {}: every member needs its own address",
            member.client_addr, earlier.id, member.id
        ));
    }
    for (a, b) in [(member, earlier), (earlier, member)] {
        if a.peer_addr == b.client_addr || a.peer_addr == b.peer_addr {
            return invalid(format!(
                "--cluster gives node {} the address {} for its peers, which node {} uses already: choose other \
                 ports, or write host:port@peerport",
                a.id, a.peer_addr, b.id
            ));
        }
    }
    Ok(())
}

/// `id` was given: it must be in the list, at the place where `bind` is.
fn check_id(id: NodeId, members: &[Member], bind: Option<&Address>) -> Result<(), ConfigError> {
    if id == 0 {
        return invalid(zero_id());
    }
    let Some(this) = members.iter().find(|m| m.id == id) else {
        return invalid(format!(
            "--node-id {id} is beyond --cluster, which has {} members: give an id from 1 to {}, or add the \
             missing address",
            members.len(),
            members.len()
        ));
    };
    let Some(bind) = bind else { return Ok(()) };
    if let Some(other) = members.iter().find(|m| m.client_addr == *bind)
        && other.id != id
    {
        return invalid(format!(
            "--node-id {id} and --bind {bind} contradict each other: {bind} is node {} of --cluster, and node \
             {id} is {}; leave out one of the two",
            other.id, this.client_addr
        ));
    }
    // A name and an IP address may be the same place; two IP addresses may not.
    let elsewhere =
        !bind.is_wildcard() && matches!((bind.ip(), this.client_addr.ip()), (Some(a), Some(b)) if a != b);
    if elsewhere || bind.port != this.client_addr.port {
        return invalid(format!(
            "--bind {bind} is not where --cluster says that node {id} is, {}: make them agree (to listen on \
             every address of this machine, --bind 0.0.0.0:{})",
            this.client_addr, this.client_addr.port
        ));
    }
    Ok(())
}

/// No id was given: the list itself says who this is.
fn find_self(members: &[Member], bind: Option<&Address>) -> Result<NodeId, ConfigError> {
    let address = bind.cloned().unwrap_or_else(default_bind);
    if let Some(this) = members.iter().find(|m| m.client_addr == address) {
        return Ok(this.id);
    }
    let list = members.iter().map(|m| m.client_addr.to_string()).collect::<Vec<_>>().join(",");
    match bind {
        Some(_) => invalid(format!(
            "--cluster {list} does not contain this node's --bind {address}: add it, or say with --node-id which \
             of them this node is"
        )),
        None => invalid(format!(
            "--cluster {list} does not say which of them this node is: add --bind with one of them, or --node-id"
        )),
    }
}
