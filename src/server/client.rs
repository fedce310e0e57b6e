//! [`Client`]: the part of a connection that others reach (replies come in here, `CLIENT
//! LIST` looks here), and [`ClientTable`], all of them. A reply is written to the socket by
//! whoever delivers it: no task is woken unless something is left over. This module must
//! never block, and never run a connection's commands.

use super::pubsub::{PubSub, Subscriptions};
use super::access::Access;
use super::acl_log::AclLog;
use super::stats::Stats;
use crate::command::Reply;
use crate::group::Notice;
use crate::keyspace::Event;
use crate::limits;
use crate::node::Clients;
use crate::resp::{self, Protocol};
use bytes::{Buf, BytesMut};
use slog::{Logger, info};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// One connected client.
pub struct Client {
    pub id: u64,
    pub addr: SocketAddr,
    pub local_addr: SocketAddr,
    pub created: Instant,
    pub active: Cell<Instant>,
    pub protocol: Cell<Protocol>,
    pub name: RefCell<String>,
    pub library: RefCell<(String, String)>, // name, version
    pub last_command: Cell<&'static str>,
    /// Commands queued since `MULTI`, and what they take in bytes.
    pub queued: Cell<Option<(usize, usize)>>,
    pub watched: Cell<usize>,
    pub no_evict: Cell<bool>,
    pub no_touch: Cell<bool>,
    /// In `WAIT`.
    pub blocked: Cell<bool>,
    /// Listens to channels; to which, if it does.
    pub subscribed: Cell<bool>,
    pub access: Access,
    pub(super) subscriptions: RefCell<Option<Box<Subscriptions>>>,
    pub input_len: Cell<usize>,
    pub input_capacity: Cell<usize>,
    /// The connection's task has something to do once the job under way is answered.
    pub resume: Cell<bool>,
    /// The connection's task waits for the socket to take more.
    pub writing: Cell<bool>,
    write: OwnedWriteHalf,
    out: RefCell<BytesMut>,
    awaiting: Cell<usize>,
    job_output: Cell<usize>,
    capture: Cell<bool>,
    captured: RefCell<Option<Reply>>,
    touched: Cell<bool>,
    closing: Cell<Option<&'static str>>,
    wake: Notify,
    stats: Rc<Stats>,
}

impl Client {
    /// A job of `steps` replies is on its way. With `capture` its only reply goes to the
    /// connection's task instead of to the socket.
    pub fn expect(&self, steps: usize, capture: bool) {
        self.awaiting.set(steps);
        self.job_output.set(0);
        self.capture.set(capture);
    }

    /// Replies still to come.
    pub fn awaiting(&self) -> usize {
        self.awaiting.get()
    }

    /// Bytes of the replies of the last job.
    pub fn job_output(&self) -> usize {
        self.job_output.get()
    }

    /// The reply that was captured.
    pub fn take_captured(&self) -> Option<Reply> {
        self.captured.borrow_mut().take()
    }

    fn accept(&self, reply: Reply) {
        let Some(left) = self.awaiting.get().checked_sub(1) else { return };
        self.awaiting.set(left);
        if self.capture.replace(false) {
            *self.captured.borrow_mut() = Some(reply);
            self.resume.set(true);
        } else {
            self.send(&reply);
        }
    }

    /// Appends a reply to the output.
    pub fn send(&self, reply: &Reply) {
        if reply.is_error() {
            self.stats.add(&self.stats.error_replies, 1);
        }
        self.write_with(|out| resp::encode(out, reply, self.protocol.get()));
    }

    /// Lets `write` append to the output, which is bounded: a client that never reads is closed.
    pub fn write_with(&self, write: impl FnOnce(&mut BytesMut)) {
        if self.closing.get().is_some() {
            return;
        }
        let mut out = self.out.borrow_mut();
        let before = out.len();
        write(&mut out);
        self.job_output.set(self.job_output.get() + out.len() - before);
        if out.len() > limits::MAX_OUTPUT_BUFFER_BYTES {
            drop(out);
            self.cut_off();
        }
    }

    /// Ends the connection of a client that does not read.
    pub fn cut_off(&self) {
        *self.out.borrow_mut() = BytesMut::new();
        self.close("output buffer limit");
    }

    /// Channels, patterns and shard channels that it listens to.
    pub fn subscription_counts(&self) -> [usize; 3] {
        self.subscriptions.borrow().as_ref().map_or([0; 3], |own| own.counts())
    }

    /// Writes what the socket takes now; whether something is left.
    pub fn flush(&self) -> bool {
        let mut out = self.out.borrow_mut();
        while !out.is_empty() {
            match self.write.try_write(&out) {
                Ok(sent @ 1..) => {
                    self.stats.add(&self.stats.net_output_bytes, sent as u64);
                    out.advance(sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => {
                    self.close("closed by the client");
                    return false;
                }
            }
        }
        if out.capacity() > limits::KEPT_BUFFER_BYTES {
            *out = BytesMut::new();
        } else {
            out.clear();
        }
        false
    }

    /// Gives the output's memory back, if it holds nothing.
    pub fn shrink(&self) {
        let mut out = self.out.borrow_mut();
        if out.is_empty() {
            *out = BytesMut::new();
        }
    }

    /// Bytes waiting for the client to read.
    pub fn unsent(&self) -> usize {
        self.out.borrow().len()
    }

    /// Bytes that the output's buffer takes.
    pub fn output_capacity(&self) -> usize {
        self.out.borrow().capacity()
    }

    /// The socket takes more.
    pub async fn writable(&self) -> io::Result<()> {
        self.write.writable().await
    }

    /// Ends the connection without sending more; its task does the rest.
    pub fn close(&self, reason: &'static str) {
        if self.closing.get().is_none() {
            self.closing.set(Some(reason));
            self.wake.notify_one();
        }
    }

    /// Why the connection is to end at once, if it is.
    pub fn closing(&self) -> Option<&'static str> {
        self.closing.get()
    }

    /// Wakes the connection's task.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for [`Client::wake`].
    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}

/// All clients of a node, and its counters. What the node replies to.
pub struct ClientTable {
    clients: RefCell<HashMap<u64, Rc<Client>>>,
    touched: RefCell<Vec<Rc<Client>>>,
    next_id: Cell<u64>,
    shutting_down: Cell<bool>,
    pubsub: PubSub,
    acl_log: AclLog,
    stats: Rc<Stats>,
    logger: Logger,
}

impl ClientTable {
    /// No clients yet.
    pub fn new(logger: Logger) -> Rc<Self> {
        Rc::new(Self {
            clients: RefCell::default(),
            touched: RefCell::default(),
            next_id: Cell::new(1),
            shutting_down: Cell::new(false),
            pubsub: PubSub::default(),
            acl_log: AclLog::default(),
            stats: Rc::default(),
            logger,
        })
    }

    /// Connected clients.
    pub fn len(&self) -> usize {
        self.clients.borrow().len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn add(&self, addr: SocketAddr, local_addr: SocketAddr, write: OwnedWriteHalf) -> Rc<Client> {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let now = Instant::now();
        let client = Rc::new(Client {
            id,
            addr,
            local_addr,
            created: now,
            active: Cell::new(now),
            protocol: Cell::default(),
            name: RefCell::default(),
            library: RefCell::default(),
            last_command: Cell::new("NULL"),
            queued: Cell::default(),
            watched: Cell::default(),
            no_evict: Cell::default(),
            no_touch: Cell::default(),
            blocked: Cell::default(),
            subscribed: Cell::default(),
            access: Access::default(),
            subscriptions: RefCell::default(),
            input_len: Cell::default(),
            input_capacity: Cell::default(),
            resume: Cell::default(),
            writing: Cell::default(),
            write,
            out: RefCell::default(),
            awaiting: Cell::default(),
            job_output: Cell::default(),
            capture: Cell::default(),
            captured: RefCell::default(),
            touched: Cell::default(),
            closing: Cell::default(),
            wake: Notify::new(),
            stats: Rc::clone(&self.stats),
        });
        self.clients.borrow_mut().insert(id, Rc::clone(&client));
        client
    }

    pub(super) fn remove(&self, client: &Client) {
        if let Some(reason) = client.closing() {
            info!(self.logger, "connection closed"; "client" => %client.addr, "id" => client.id, "reason" => reason);
        }
        self.pubsub.forget(client);
        self.clients.borrow_mut().remove(&client.id);
    }

    /// All clients, by id, but for those that are being closed.
    pub(super) fn all(&self) -> Vec<Rc<Client>> {
        let clients = self.clients.borrow();
        let mut all: Vec<_> = clients.values().filter(|client| client.closing().is_none()).cloned().collect();
        all.sort_unstable_by_key(|client| client.id);
        all
    }

    /// Who listens to what.
    pub(super) fn pubsub(&self) -> &PubSub {
        &self.pubsub
    }

    /// A message of this node alone.
    pub(super) fn announce(&self, channel: &str, message: &str) {
        self.pubsub.publish(&channel.into(), &message.into(), false, &mut |client| self.touch(client));
        self.flush();
    }

    /// Something was written to it: it is flushed at the end of the turn.
    pub(super) fn touch(&self, client: &Rc<Client>) {
        if !client.touched.replace(true) {
            self.touched.borrow_mut().push(Rc::clone(client));
        }
    }

    pub(super) fn acl_log(&self) -> &AclLog {
        &self.acl_log
    }

    pub(super) fn stats(&self) -> &Stats {
        &self.stats
    }

    pub(super) fn begin_shutdown(&self) {
        self.shutting_down.set(true);
        self.all().iter().for_each(|client| client.wake());
    }

    pub(super) fn shutting_down(&self) -> bool {
        self.shutting_down.get()
    }
}

impl Clients for ClientTable {
    fn reply(&self, ticket: u64, reply: Reply) {
        let reply = self.pubsub.fill_in(reply);
        let clients = self.clients.borrow();
        let Some(client) = clients.get(&ticket) else { return };
        client.accept(reply);
        self.touch(client);
    }

    fn notice(&self, notice: Notice) {
        let touch = &mut |client: &Rc<Client>| self.touch(client);
        match notice.event {
            Event::Message { channel, message, sharded } => {
                let receivers = self.pubsub.publish(&channel, &message, sharded, touch);
                if notice.ticket != 0 {
                    self.pubsub.note_receivers(receivers);
                }
            }
            Event::Named { name, db, key, classes, .. } => {
                self.pubsub.tell_event(classes, name, db, &key, touch);
            }
            // For whoever caches keys.
            Event::Touched { .. } | Event::TouchedAll => {}
            event @ (Event::User { .. } | Event::UsersReplaced) => self.users_changed(&event),
        }
    }

    fn flush(&self) {
        let mut touched = self.touched.take();
        for client in touched.drain(..) {
            client.touched.set(false);
            let leftover = client.flush() && !client.writing.get();
            let resume = client.resume.get() || self.shutting_down();
            if leftover || client.awaiting() == 0 && resume {
                client.wake();
            }
        }
        // Its allocation serves again, unless a reply came in between.
        let mut slot = self.touched.borrow_mut();
        if slot.is_empty() {
            *slot = touched;
        }
    }
}
