//! [`Replicas`]: who has attached to this node as a replica in Redis's protocol, and the stream of
//! commands that they are sent: one for all of them, with one count of its bytes. Where it begins
//! for a replica is where the snapshot begins that it gets first. This module must never hold
//! more of the stream than its bounds, and holds none of it for one that was cut off.

mod commands;
mod feed;

pub use commands::{Wishes, run_in_exec};

use super::Shared;
use super::client::Client;
use crate::command::Reply;
use crate::keyspace::Call;
use crate::limits;
use crate::node::SnapshotNews;
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

const TOO_MANY: Reply = Reply::error("ERR too many replicas are attached to this node");

/// How far a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The next snapshot that begins is for it.
    Waiting,
    /// That snapshot, by its last entry, has begun: what is told from here on is for the replica.
    Begun(u64),
    /// It is on disk.
    Stored(u64),
    /// It is being sent.
    Sending,
    /// It was sent, and the replica has not yet said that it has found its end.
    Sent,
    /// It is sent the stream.
    Online,
}

/// One who has attached.
pub struct Replica {
    pub client: Rc<Client>,
    /// What the stream is called.
    replid: String,
    pub wishes: Wishes,
    pub stage: Cell<Stage>,
    /// What it will be sent after the snapshot.
    backlog: RefCell<BytesMut>,
    over_since: Cell<Option<Instant>>,
    /// Bytes of the stream that it has carried out, and when it said so.
    pub acknowledged: Cell<u64>,
    pub heard: Cell<Instant>,
}

/// See the module.
#[derive(Default)]
pub struct Replicas {
    all: RefCell<Vec<Rc<Replica>>>,
    /// The database that the stream is in, if all know.
    selected: Cell<Option<u32>>,
    /// Bytes of the stream so far.
    offset: Cell<u64>,
    pinged: Cell<Option<Instant>>,
    /// The group has been asked to tell.
    is_fed: Cell<bool>,
    full_syncs: Cell<u64>,
}

impl Replica {
    /// Whether the stream is for it: it may have to wait for it.
    fn is_fed(&self) -> bool {
        self.stage.get() != Stage::Waiting && !self.wishes.rdb_only && self.client.closing().is_none()
    }

    /// It has the snapshot: what has been told since follows.
    pub fn go_online(&self) {
        self.stage.set(Stage::Online);
        let backlog = self.backlog.take();
        self.client.write_with(|out| out.extend_from_slice(&backlog));
    }

    /// As Redis's `client-output-buffer-limit slave 256mb 64mb 60`.
    fn check_bounds(&self) {
        let held_bytes = self.backlog.borrow().len() + self.client.unsent();
        let over = held_bytes > limits::REPLICA_SOFT_BUFFER_BYTES;
        let now = Instant::now();
        let since = self.over_since.get().filter(|_| over).unwrap_or(now);
        self.over_since.set(over.then_some(since));
        let patience = Duration::from_secs(limits::REPLICA_PATIENCE_S);
        if held_bytes > limits::MAX_REPLICA_BUFFER_BYTES || now - since > patience {
            self.backlog.take();
            self.client.cut_off();
        }
    }
}

impl Replicas {
    /// One more; its snapshot is still to be asked for.
    pub fn attach(&self, client: &Rc<Client>, wishes: Wishes, replid: &str) -> Result<Rc<Replica>, Reply> {
        let mut all = self.all.borrow_mut();
        if all.len() >= limits::MAX_REDIS_REPLICAS {
            return Err(TOO_MANY);
        }
        let now = Instant::now();
        if all.is_empty() {
            self.pinged.set(Some(now));
        }
        let replica = Rc::new(Replica {
            client: Rc::clone(client),
            replid: replid.to_owned(),
            wishes,
            stage: Cell::new(Stage::Waiting),
            backlog: RefCell::default(),
            over_since: Cell::default(),
            acknowledged: Cell::default(),
            heard: Cell::new(now),
        });
        all.push(Rc::clone(&replica));
        client.replicates.set(true);
        self.full_syncs.set(self.full_syncs.get() + 1);
        Ok(replica)
    }

    pub fn remove(&self, client: &Client) {
        if client.replicates.replace(false) {
            self.all.borrow_mut().retain(|replica| replica.client.id != client.id);
        }
    }

    /// The replica that a client is.
    pub fn find(&self, client: &Client) -> Option<Rc<Replica>> {
        self.all.borrow().iter().find(|replica| replica.client.id == client.id).cloned()
    }

    /// All of them, in the order in which they came.
    pub fn all(&self) -> Vec<Rc<Replica>> {
        self.all.borrow().clone()
    }

    /// Bytes of the stream so far.
    pub fn offset(&self) -> u64 {
        self.offset.get()
    }

    /// How many began.
    pub fn full_syncs(&self) -> u64 {
        self.full_syncs.get()
    }

    /// Lets the group tell what replicas have to hear as long as there are any.
    pub fn settle(shared: &Shared) {
        let replicas = &shared.clients.replicas;
        let wanted = !replicas.all.borrow().is_empty();
        if replicas.is_fed.replace(wanted) != wanted {
            shared.backend.set_propagates(wanted);
        }
    }

    /// Something became of a snapshot; every replica that this concerns is woken.
    pub fn news(&self, news: SnapshotNews) {
        for replica in &*self.all.borrow() {
            match (news, replica.stage.get()) {
                (SnapshotNews::Begun(index), Stage::Waiting) => self.begin(replica, index),
                (SnapshotNews::Stored(index), Stage::Begun(begun)) if index == begun => {
                    replica.stage.set(Stage::Stored(index));
                }
                (SnapshotNews::Failed, Stage::Begun(_)) => replica.client.close("its snapshot was given up"),
                // What it would be told is not what follows from what it has.
                (SnapshotNews::Installed, _) => {
                    replica.client.close("a snapshot of the leader has replaced the state");
                }
                _ => continue,
            }
            replica.client.wake();
        }
    }

    /// The stream begins for this replica, behind the snapshot of `index`.
    fn begin(&self, replica: &Replica, index: u64) {
        replica.stage.set(Stage::Begun(index));
        replica.heard.set(Instant::now());
        self.selected.set(None); // it has to hear in which database the stream is
        if replica.wishes.psync {
            let line = format!("+FULLRESYNC {} {}\r\n", replica.replid, self.offset.get());
            replica.client.write_with(|out| out.extend_from_slice(line.as_bytes()));
        }
    }

    /// The snapshot on disk holds what is applied now: there is nothing to wait for.
    pub fn begin_stored(&self, replica: &Replica, index: u64) {
        self.begin(replica, index);
        replica.stage.set(Stage::Stored(index));
    }

    /// What was done at once, for all replicas.
    pub fn feed(&self, calls: &[Call], touch: &mut dyn FnMut(&Rc<Client>)) {
        let mut out = Vec::new();
        self.selected.set(feed::put(&mut out, calls, self.selected.get()));
        self.send(&out, touch);
    }

    /// Lets replicas know that this node is there, once in a while.
    pub fn ping(&self, period: Duration, touch: &mut dyn FnMut(&Rc<Client>)) {
        let now = Instant::now();
        if self.pinged.get().is_some_and(|pinged| now.duration_since(pinged) >= period) {
            self.pinged.set(Some(now));
            self.send(feed::PING, touch);
        }
    }

    fn send(&self, bytes: &[u8], touch: &mut dyn FnMut(&Rc<Client>)) {
        self.offset.set(self.offset.get() + bytes.len() as u64);
        for replica in self.all.borrow().iter().filter(|replica| replica.is_fed()) {
            if replica.stage.get() == Stage::Online {
                replica.client.write_with(|out| out.extend_from_slice(bytes));
                touch(&replica.client);
            } else {
                replica.backlog.borrow_mut().extend_from_slice(bytes);
            }
            replica.check_bounds();
        }
    }
}
