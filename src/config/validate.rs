//! From settings to a [`Config`]: defaults, and every rule that a configuration has to keep.

use super::{
    Address, AddressError, Config, ConfigError, Member, MemberAddress, Secret, Settings, StorageKind,
};
use crate::limits::{MAX_CLIENTS, SNAPSHOT_MIN_LOG_BYTES};
use crate::wire::NodeId;
use std::path::PathBuf;

const DEFAULT_BIND: &str = "127.0.0.1:6379";
const DEFAULT_DATA_DIR: &str = "bowline-data";

/// Of `maxclients`: more connections than a process can have files.
const MOST_CLIENTS: usize = 1_000_000;

/// Of `snapshot-log-mib`: a log that no disk holds and no start reads.
const MOST_SNAPSHOT_LOG_MIB: u64 = 1 << 20;

/// Of `secret`, in bytes.
const LONGEST_SECRET_BYTES: usize = 1024;

impl From<AddressError> for ConfigError {
    fn from(error: AddressError) -> Self {
        ConfigError::Invalid(error.to_string())
    }
}

/// Who this node is and where it and the others are.
struct Place {
    node_id: NodeId,
    bind: Address,
    peer_bind: Address,
    members: Vec<Member>,
}

impl Settings {
    /// The one place where settings become a configuration.
    pub fn validate(self) -> Result<Config, ConfigError> {
        let storage = self.storage.unwrap_or_default();
        let data_dir = data_dir(storage, self.data_dir.clone())?;
        let max_clients = self.maxclients.unwrap_or(MAX_CLIENTS);
        if max_clients == 0 || max_clients > MOST_CLIENTS {
            return invalid(format!(
                "--maxclients {max_clients} is out of range: give a number from 1 to {MOST_CLIENTS}"
            ));
        }
        let snapshot_log_mib = self.snapshot_log_mib.unwrap_or(SNAPSHOT_MIN_LOG_BYTES >> 20);
        if snapshot_log_mib == 0 || snapshot_log_mib > MOST_SNAPSHOT_LOG_MIB {
            return invalid(format!(
                "--snapshot-log-mib {snapshot_log_mib} is out of range: give a number from 1 to \
                 {MOST_SNAPSHOT_LOG_MIB}"
            ));
        }
        check_secret(self.secret.as_ref())?;
        let place = match self.cluster {
            None => alone(self.node_id, self.bind, self.peer_bind)?,
            Some(list) => among(list, self.node_id, self.bind, self.peer_bind)?,
        };
        Ok(Config {
            node_id: place.node_id,
            bind: place.bind,
            peer_bind: place.peer_bind,
            members: place.members,
            data_dir,
            storage,
            timing: self.timing.unwrap_or_default().into(),
            read_mode: self.read_mode.unwrap_or_default(),
            verbose: self.verbose.unwrap_or(false),
            log_format: self.log_format.unwrap_or_default(),
            max_clients,
            idle_timeout_s: self.timeout.unwrap_or(0),
            snapshot_log_bytes: snapshot_log_mib << 20,
            secret: self.secret,
        })
    }
}

fn invalid<T>(sentence: String) -> Result<T, ConfigError> {
    Err(ConfigError::Invalid(sentence))
}

fn default_bind() -> Address {
    DEFAULT_BIND.parse().expect("the default is an address")
}

fn data_dir(storage: StorageKind, asked: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
    match asked {
        Some(dir) if storage == StorageKind::Memory => invalid(format!(
            "--storage memory keeps nothing on disk, but --data-dir {} was given: leave out --data-dir, or \
             choose --storage file",
            dir.display()
        )),
        Some(dir) if dir.as_os_str().is_empty() => {
            invalid("--data-dir is empty: name a directory, or leave it out for ./bowline-data".to_owned())
        }
        Some(dir) => Ok(dir),
        None => Ok(PathBuf::from(DEFAULT_DATA_DIR)),
    }
}

fn check_secret(secret: Option<&Secret>) -> Result<(), ConfigError> {
    match secret.map(|s| s.reveal().len()) {
        Some(0) => invalid("--secret is empty: give a secret, or leave it out to let any peer in".to_owned()),
        Some(size_bytes) if size_bytes > LONGEST_SECRET_BYTES => invalid(format!(
            "--secret is {size_bytes} bytes long: at most {LONGEST_SECRET_BYTES} are allowed"
        )),
        _ => Ok(()),
    }
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

/// A cluster of this node only.
fn alone(
    node_id: Option<NodeId>,
    bind: Option<Address>,
    peer_bind: Option<Address>,
) -> Result<Place, ConfigError> {
    match node_id {
        Some(0) => return invalid(zero_id()),
        None | Some(1) => {}
        Some(id) => {
            return invalid(format!(
                "--node-id {id} without --cluster: a cluster of one node has only node 1; add --cluster with \
                 the addresses of all members, or leave out --node-id"
            ));
        }
    }
    let bind = bind.unwrap_or_else(default_bind);
    let peer_bind = match peer_bind {
        Some(address) => address,
        None => bind.default_peer()?,
    };
    check_apart(&bind, &peer_bind)?;
    let members = vec![Member { id: 1, client_addr: bind.clone(), peer_addr: peer_bind.clone() }];
    Ok(Place { node_id: 1, bind, peer_bind, members })
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
    Ok(Place { node_id, bind, peer_bind, members })
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
