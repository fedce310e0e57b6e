//! What scripts say of leases, of old reads, and of what ends a lease.

use super::{Cluster, id};
use crate::group::{Consistency, Input};
use crate::wire::frame::PeerMessage;
use raft::eraftpb::{Message, MessageType};

impl Cluster {
    pub(super) fn read_command(&mut self, words: &[&str], out: &mut String) {
        match words {
            ["lease", node, rest @ ..] => self.submit(id(node), rest, Consistency::Lease, out),
            ["stale", node, rest @ ..] => {
                self.submit(id(node), rest, Consistency::Stale { max_age_ms: None }, out);
            }
            ["fresh", node, max_age_ms, rest @ ..] => {
                let max_age_ms = Some(id(max_age_ms));
                self.submit(id(node), rest, Consistency::Stale { max_age_ms }, out);
            }
            // Time passes; no tick comes.
            ["wait", ms] => self.now_ms += id(ms),
            // Ticks come; no time passes.
            ["hurry", node, count] => (0..id(count)).for_each(|_| self.input(id(node), Input::Tick, out)),
            ["transfer", node, to] => self.input(id(node), Input::TransferLeader(id(to)), out),
            // Messages of a later term reach the node, and make it forget its leader.
            ["rumour", from, to, term] => {
                let (from, to) = (id(from), id(to));
                let mut message = Message { from, to, term: id(term), ..Default::default() };
                message.set_msg_type(MessageType::MsgHeartbeatResponse);
                self.input(to, Input::Peer { from, message: PeerMessage::Raft(message) }, out);
            }
            words => self.membership_command(words, out),
        }
    }
}
