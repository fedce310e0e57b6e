//! What the transport asks of a node: who may connect, and where arriving messages go.

use super::snapshots;
use super::{NodeError, Shared};
use crate::group::Input;
use crate::limits;
use crate::transport::{ChunkSink, Identity, Inbound, Refusal};
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer::{Hello, Welcome};
use raft::eraftpb::Message;
use std::time::{Duration, Instant};

/// What a node that was removed is told, by others and by itself.
pub(super) fn removed(node: NodeId) -> String {
    format!(
        "node {node} was removed from the cluster, and its data directory is of no use any more: to use this \
         machine again, start it with an empty directory and --join"
    )
}

/// What a node is told whose id was registered with another data directory.
fn foreign_directory(node: NodeId) -> String {
    format!(
        "node id {node} belongs to another data directory: start the node with its old one; if that is lost, \
         put a new node in its place with RAFT REPLACE {node} * host:port on any node of the cluster, and start \
         this one with an empty directory and --join"
    )
}

impl Shared {
    /// Whether there is room for one more node that the log does not know yet; it is dialled
    /// where it says that it is, because what it asks is answered there.
    fn note_newcomer(&self, node: NodeId, peer_addr: &str) -> bool {
        let mut newcomers = self.newcomers.borrow_mut();
        let is_known = newcomers.get(&node).is_some_and(|known| known == peer_addr);
        if peer_addr.is_empty() || (!is_known && newcomers.len() >= limits::MAX_MEMBERS) {
            return false;
        }
        if !is_known {
            newcomers.insert(node, peer_addr.to_owned());
            self.peers_changed.set(true);
            self.wake.notify_one();
        }
        true
    }

    /// Ends this node if it was removed and its own log does not say so, once clients that wait for just
    /// that have been told.
    pub(super) fn end_if_removed(&self) {
        let patience = Duration::from_millis(limits::REMOVED_TELLS_MS);
        if self.told_removed.get().is_some_and(|since| since.elapsed() >= patience) {
            self.stop_with(NodeError::Refused(removed(self.node_id)));
        }
    }
}

impl Inbound for Shared {
    fn identity(&self) -> Identity {
        // A node that joined was told before its log could say it.
        let told = self.data_dir.borrow().cluster_id();
        Identity { cluster_id: self.group.borrow().machine().cluster_id().or(told) }
    }

    fn message(&self, from: NodeId, message: PeerMessage) {
        self.inbox.borrow_mut().push(Input::Peer { from, message });
    }

    fn messages_end(&self) {
        self.wake.notify_one();
    }

    fn unreachable(&self, peer: NodeId) {
        self.inbox.borrow_mut().push(Input::Unreachable(peer));
        self.wake.notify_one();
    }

    fn greet(&self, hello: &Hello) -> Result<(), Refusal> {
        let group = self.group.borrow();
        let machine = group.machine();
        let refuse = |reason: String, is_final: bool| Err(Refusal { reason, is_final });
        let ours = machine.cluster_id().or(self.data_dir.borrow().cluster_id());
        if let Some(ours) = ours
            && !hello.get_cluster_id().is_empty()
            && hello.get_cluster_id() != ours
        {
            // Not finally: who is wrong here, the node or the address that it was given, nobody can
            // tell, and a member of a healthy cluster must not stop because a stranger has moved in
            // where it looks for another.
            return refuse("this is another cluster".to_owned(), false);
        }
        let node = hello.get_from();
        let members = machine.members();
        if members.removed().contains(&node) {
            return refuse(removed(node), true);
        }
        let known = members.all().get(&node);
        if let Some(known) = known.and_then(|member| member.incarnation)
            && known != hello.get_incarnation()
        {
            return refuse(foreign_directory(node), true);
        }
        if known.is_some() || self.first_members.iter().any(|member| member.node == node) {
            return Ok(());
        }
        // This node may be behind: the entry that adds the other is still to come, and perhaps
        // from nobody else. Who names the cluster has been let in by it.
        if ours.is_some_and(|ours| hello.get_cluster_id() == ours)
            && self.note_newcomer(node, hello.get_peer_addr())
        {
            return Ok(());
        }
        refuse(format!("node {node} is no member of this cluster"), false)
    }

    fn welcomed(&self, welcome: &Welcome) {
        // A node that knows that it was removed ends by itself: those who do not know yet may need
        // its answers until then.
        let knows = self.group.borrow().machine().members().removed().contains(&self.node_id);
        if welcome.get_refusal().is_empty() || !welcome.get_field_final() || knows {
            return;
        }
        if welcome.get_refusal() == removed(self.node_id) {
            let since = self.told_removed.get().unwrap_or_else(Instant::now);
            self.told_removed.set(Some(since));
        } else {
            self.stop_with(NodeError::Refused(welcome.get_refusal().to_owned()));
        }
    }

    fn snapshot(&self, from: NodeId, message: Message) -> Result<ChunkSink, String> {
        let index = message.get_snapshot().get_metadata().index;
        if index <= self.group.borrow().status().applied_index {
            return Err("this node has all of it".to_owned());
        }
        slog::info!(self.log, "receiving a snapshot"; "from" => from, "index" => index);
        snapshots::receive(
            self.snapshot_store.clone(),
            self.group_id,
            message,
            &self.receiving_snapshot,
            self.snapshot_events.clone(),
        )
    }
}
