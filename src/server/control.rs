//! What one connection may do to another's, or to its own replies: [`Control`], the switches of
//! each client, and [`Pause`], which holds for all of a node's. This module must never run a
//! command, nor undo one.

use super::clients::ClientTable;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;
use tokio::task::JoinHandle;

/// `CLIENT REPLY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// The next command gets no reply.
    SkipNext,
    /// This one gets none.
    Skip,
}

/// How `CLIENT UNBLOCK` ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unblock {
    Timeout,
    Error,
}

/// See the module.
#[derive(Default)]
pub struct Control {
    pub reply: Cell<ReplyMode>,
    /// A command of it waits for the end of a pause.
    pub paused: Cell<bool>,
    /// A command of it waits for keys to be evicted.
    pub awaits_room: Cell<bool>,
    pub unblock: Cell<Option<Unblock>>,
    /// The database that it works in, as others see it.
    pub db: Cell<u32>,
}

impl Control {
    /// Whether what it is answered is thrown away.
    pub fn is_mute(&self) -> bool {
        matches!(self.reply.get(), ReplyMode::Off | ReplyMode::Skip)
    }

    /// The next command begins. Whether it is to be alone in its job, for it gets no reply.
    pub fn begin_command(&self) -> bool {
        match self.reply.get() {
            ReplyMode::On | ReplyMode::Off => false,
            ReplyMode::Skip => {
                self.reply.set(ReplyMode::On);
                false
            }
            ReplyMode::SkipNext => {
                self.reply.set(ReplyMode::Skip);
                true
            }
        }
    }

    /// What was begun has to be begun again later.
    pub fn put_back(&self) {
        if self.reply.get() == ReplyMode::Skip {
            self.reply.set(ReplyMode::SkipNext);
        }
    }
}

/// Which commands wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paused {
    Writes,
    All,
}

/// `CLIENT PAUSE`: of this node's clients only; the log goes on.
#[derive(Default)]
pub struct Pause {
    what: Cell<Option<Paused>>,
    timer: RefCell<Option<JoinHandle<()>>>,
}

impl ClientTable {
    /// What waits at the moment.
    pub fn paused(&self) -> Option<Paused> {
        self.pause.what.get().filter(|_| !self.shutting_down())
    }

    /// Lets commands wait, in place of what waited before.
    pub(super) fn pause(self: &Rc<Self>, what: Paused, until: Instant) {
        self.unpause();
        self.pause.what.set(Some(what));
        let table = Rc::clone(self);
        let timer = tokio::task::spawn_local(async move {
            tokio::time::sleep_until(until.into()).await;
            table.pause.timer.take(); // it must not end itself
            table.unpause();
        });
        *self.pause.timer.borrow_mut() = Some(timer);
    }

    /// Everything goes on.
    pub(super) fn unpause(&self) {
        if let Some(timer) = self.pause.timer.take() {
            timer.abort();
        }
        self.pause.what.set(None);
        for client in self.all().iter().filter(|client| client.control.paused.replace(false)) {
            client.blocked.set(false);
            client.wake();
        }
        self.blocked.touched_all(); // nobody has looked meanwhile
    }
}
