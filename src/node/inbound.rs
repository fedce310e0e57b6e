//! What the transport asks of a node: who may connect, and where arriving messages go.

use super::Shared;
use super::snapshots;
use crate::group::Input;
use crate::transport::{ChunkSink, Identity, Inbound, Refusal};
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use crate::wire::proto::peer::{Hello, Welcome};
use raft::eraftpb::Message;

impl Inbound for Shared {
    fn identity(&self) -> Identity {
        Identity { cluster_id: self.group.borrow().machine().cluster_id() }
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
        if let Some(ours) = machine.cluster_id()
            && !hello.get_cluster_id().is_empty()
            && hello.get_cluster_id() != ours
        {
            return refuse("this is another cluster".to_owned(), true);
        }
        let node = hello.get_from();
        if let Some(member) = machine.members().all().get(&node)
            && let Some(known) = member.incarnation
            && known != hello.get_incarnation()
        {
            let reason = format!(
                "node id {node} belongs to another data directory: start the node with its old one, or \
                 remove the id from the cluster and add this node under a new id"
            );
            return refuse(reason, true);
        }
        let is_member = machine.members().all().contains_key(&node)
            || self.first_members.iter().any(|member| member.node == node);
        if !is_member {
            return refuse(format!("node {node} is no member of this cluster"), false);
        }
        Ok(())
    }

    fn welcomed(&self, welcome: &Welcome) {
        if !welcome.get_refusal().is_empty() && welcome.get_field_final() {
            self.stop_with(super::NodeError::Refused(welcome.get_refusal().to_owned()));
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
