//! Becoming a member of a running cluster: asks its nodes, as a client of theirs, for a place.
//! Every step may be repeated: the same address gets the same id until a node has come under
//! it, and the data directory is made whole or not at all. This module must never make or
//! change a directory, and never take part in the cluster by itself.

mod ask;

use super::NodeError;
use crate::limits;
use crate::storage::{DataDir, FirstMember, StorageKind};
use crate::wire::NodeId;
use ask::{Answer, Ask, Unasked};
use slog::{Logger, info, warn};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The pause between two rounds, at first and at most.
const PAUSE: Duration = Duration::from_millis(100);
const MOST_PAUSE: Duration = Duration::from_secs(1);
/// A node that was let in before looks for the others no longer than this: they may all be
/// starting again.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Client addresses of nodes of the cluster.
    pub targets: Vec<String>,
    /// The id; 0: the next that is free.
    pub node_id: NodeId,
    /// Where clients will reach this node, `host:port`.
    pub client_addr: String,
    /// Where peers will.
    pub peer_addr: String,
    /// Where its state will be.
    pub data_dir: PathBuf,
    /// How.
    pub storage: StorageKind,
    /// As whom to ask them: user and password.
    pub credentials: Option<(String, String)>,
    /// How long a node of the cluster keeps a command before it gives up on it.
    pub unavailable_after_ms: u64,
}

/// What a node is told when it is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Its id.
    pub node_id: NodeId,
    /// The cluster.
    pub cluster_id: [u8; 16],
    /// The voters of the log's beginning: the log is replayed from there.
    pub first_voters: Vec<NodeId>,
    /// Who is a member already.
    pub members: Vec<FirstMember>,
}

/// The node's id, and what it was told, unless it was let in before and has its directory.
pub async fn join(request: &JoinRequest, log: &Logger) -> Result<(NodeId, Option<Admission>), NodeError> {
    let owner = match request.storage {
        StorageKind::Memory => None,
        _ => DataDir::owner(&request.data_dir)?,
    };
    let Some(owner) = owner else {
        let admission = ask_all(request, log).await?;
        return Ok((admission.node_id, Some(admission)));
    };
    if let Some(own) = owner.cluster_id {
        refuse_another_cluster(request, own).await?;
    }
    info!(log, "joined before"; "node" => owner.node, "data_dir" => %request.data_dir.display());
    Ok((if request.node_id == 0 { owner.node } else { request.node_id }, None))
}

fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// Whoever answers has to be of the cluster that the directory is of.
async fn refuse_another_cluster(request: &JoinRequest, own: [u8; 16]) -> Result<(), NodeError> {
    for target in &request.targets {
        let Ok(Ok(status)) =
            tokio::time::timeout(LOOK, Ask::new(target, LOOK, &request.credentials).status()).await
        else {
            continue;
        };
        if status.cluster_id != own {
            return Err(NodeError::Join(format!(
                "data directory {} is of a node of cluster {}, and {target} is a node of cluster {}: correct \
                 --join, or give this node a data directory of its own",
                request.data_dir.display(),
                hex(own),
                hex(status.cluster_id)
            )));
        }
        return Ok(());
    }
    Ok(())
}

/// Asks one after the other, again and again, until one lets this node in, all agree that it
/// makes no sense, or patience ends.
async fn ask_all(request: &JoinRequest, log: &Logger) -> Result<Admission, NodeError> {
    let patience = Duration::from_millis(limits::JOIN_PATIENCE_MS + request.unavailable_after_ms);
    let deadline = Instant::now() + patience;
    let mut pause = PAUSE;
    let mut said: BTreeMap<&str, Unasked> = BTreeMap::new();
    let mut cluster: Option<(&str, [u8; 16])> = None;
    info!(log, "asking to join a cluster"; "nodes" => request.targets.join(","),
        "clients" => &request.client_addr, "peers" => &request.peer_addr);
    loop {
        for target in &request.targets {
            match ask(request, target, &mut cluster).await {
                Ok(admission) => {
                    info!(log, "let in"; "by" => target, "node" => admission.node_id,
                        "cluster" => hex(admission.cluster_id), "members" => admission.members.len());
                    return Ok(admission);
                }
                Err(Unasked::Never(reason)) => return Err(NodeError::Join(reason)),
                Err(why) => {
                    if said.get(target.as_str()) != Some(&why) {
                        warn!(log, "not let in yet"; "by" => target, "reason" => %why);
                    }
                    said.insert(target, why);
                }
            }
        }
        let is_hopeless = said.values().all(|why| matches!(why, Unasked::Stranger(_)));
        if is_hopeless || Instant::now() + pause > deadline {
            let reasons: Vec<String> = said.values().map(Unasked::to_string).collect();
            let tried = if is_hopeless { String::new() } else { format!(" within {} s", patience.as_secs()) };
            return Err(NodeError::Join(format!(
                "no node that was asked let this one in{tried}: {}. Nothing was made or changed here: correct \
                 --join or start those nodes, then start this one again in the same way",
                reasons.join("; ")
            )));
        }
        sleep(pause).await;
        pause = (pause * 2).min(MOST_PAUSE);
    }
}

async fn ask<'a>(
    request: &JoinRequest,
    target: &'a str,
    cluster: &mut Option<(&'a str, [u8; 16])>,
) -> Result<Admission, Unasked> {
    // A write that cannot be committed is kept for that long, and may wait as long for its outcome.
    let patience = Duration::from_millis(2 * request.unavailable_after_ms + 2 * limits::MEMBERSHIP_WAIT_MS);
    let mut ask = Ask::new(target, patience, &request.credentials);
    let status = ask.status().await?;
    let (first, known) = *cluster.get_or_insert((target, status.cluster_id));
    if known != status.cluster_id {
        return Err(Unasked::Never(format!(
            "{first} is a node of cluster {}, and {target} of cluster {}: --join takes nodes of one cluster",
            hex(known),
            hex(status.cluster_id)
        )));
    }
    check_members(target, &status.members, request)?;
    let node_id = ask.add(request).await?;
    let Answer { cluster_id, first_voters, mut members } = status;
    members.retain(|member| member.node != node_id);
    Ok(Admission { node_id, cluster_id, first_voters, members })
}

/// This node has to find the others where they say that they are.
fn check_members(target: &str, members: &[FirstMember], request: &JoinRequest) -> Result<(), Unasked> {
    let unreachable = |member: &&FirstMember| {
        let host = member.peer_addr.rsplit_once(':').map_or("", |(host, _)| host);
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        ip.is_ok_and(|ip| ip.is_unspecified())
    };
    if let Some(member) = members.iter().find(unreachable) {
        return Err(Unasked::Never(format!(
            "{target} says that node {} is at {}, where nobody can reach it: start that node again with \
             --advertise host:port, then this one",
            member.node, member.client_addr
        )));
    }
    let is_mine = |member: &&FirstMember| member.client_addr == request.peer_addr;
    if let Some(member) = members.iter().find(is_mine) {
        return Err(Unasked::Never(format!(
            "{} is where clients reach node {}: choose another --peer-bind",
            request.peer_addr, member.node
        )));
    }
    Ok(())
}
