//! Signs of life while the loop is held up by a script: each node takes as long for it as the others, but not at
//! the same time, and silence longer than an election timeout costs an election. So whoever leads says so, and
//! whoever follows says that it does, in the words of Raft's own heartbeats, which promise nothing: neither commits
//! nor confirms anything by them. This module must never look at the group, which is at work meanwhile.

use super::Shared;
use crate::group::Standing;
use crate::wire::NodeId;
use crate::wire::frame::PeerMessage;
use raft::eraftpb::{Message, MessageType};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

/// As often as a leader speaks at the quickest pace.
const INTERVAL: Duration = Duration::from_millis(40);

thread_local! {
    /// Whose turn it is on this thread: what a script calls has no other way to its node.
    static CURRENT: RefCell<Weak<Shared>> = RefCell::default();
}

/// What a node says of itself meanwhile.
#[derive(Default)]
pub struct Breath {
    standing: Cell<Standing>,
    /// When it spoke last; None: it was not held up in this turn.
    last: Cell<Option<Instant>>,
}

/// Called again and again while a script runs.
pub fn breathe() {
    CURRENT.with(|current| {
        if let Some(shared) = current.borrow().upgrade() {
            shared.breathe();
        }
    });
}

impl Shared {
    /// A turn begins.
    pub(super) fn before_turn(self: &Rc<Self>, standing: Standing) {
        self.breath.standing.set(standing);
        self.breath.last.set(None);
        CURRENT.with(|current| *current.borrow_mut() = Rc::downgrade(self));
    }

    fn breathe(&self) {
        let now = Instant::now();
        let last = self.breath.last.get();
        if last.is_some_and(|last| now.duration_since(last) < INTERVAL) {
            return;
        }
        self.breath.last.set(Some(now));
        let (Some(transport), Some(_)) = (self.transport.get(), last) else { return };
        let Standing { term, leader } = self.breath.standing.get();
        let send = |to: NodeId, kind: MessageType| {
            let mut message = Message::default();
            message.set_msg_type(kind);
            (message.from, message.to, message.term) = (self.node_id, to, term);
            transport.send(to, PeerMessage::Raft(message));
        };
        match leader {
            0 => return,
            leader if leader == self.node_id => {
                transport.peers().for_each(|peer| send(peer, MessageType::MsgHeartbeat));
            }
            leader => send(leader, MessageType::MsgHeartbeatResponse),
        }
        transport.flush();
    }
}
