//! How things stand with the peers: for INFO and the log. It must never change anything.

use super::Shared;
use crate::wire::NodeId;

/// The sending side of one lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// Dialled, and welcomed.
    pub is_connected: bool,
    /// Times that it was.
    pub connects: u64,
    /// Not yet taken by the socket.
    pub queued_bytes: usize,
    /// Queued, since the peer is known.
    pub sent_messages: u64,
    /// Taken by sockets.
    pub sent_bytes: u64,
    /// Not queued: no connection, or full.
    pub dropped_messages: u64,
    /// Queued when a connection was lost.
    pub lost_bytes: u64,
    /// Why there is no connection.
    pub last_error: Option<String>,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerStatus {
    /// The peer.
    pub id: NodeId,
    /// As given.
    pub address: String,
    /// What it is sent.
    pub control: LaneStatus,
    /// What it is sent.
    pub data: LaneStatus,
    /// Connections accepted from it.
    pub accepted: usize,
    /// From it, over all connections.
    pub received_messages: u64,
    /// From it, over all connections.
    pub received_bytes: u64,
}

pub(super) fn of(shared: &Shared) -> Vec<PeerStatus> {
    let received = shared.received.borrow();
    let peers = shared.peers.borrow();
    let status = peers.iter().map(|peer| PeerStatus {
        id: peer.id,
        address: peer.address.clone(),
        control: peer.control.status(),
        data: peer.data.status(),
        accepted: shared.accepted.borrow().count(peer.id),
        received_messages: received.get(&peer.id).map_or(0, |r| r.messages.get()),
        received_bytes: received.get(&peer.id).map_or(0, |r| r.bytes.get()),
    });
    status.collect()
}
