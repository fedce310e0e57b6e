//! [`ClientTable`]: all clients of a node, and what they share. What the node replies to: replies
//! and what happens to keys come in here, in one order. This module must never block, and never
//! run a command.

use super::acl_log::AclLog;
use super::blocked::Blocked;
use super::client::Client;
use super::control::Pause;
use super::eviction::Eviction;
use super::io::IoThreads;
use super::monitor::Monitors;
use super::pubsub::PubSub;
use super::replicas::Replicas;
use super::stats::Stats;
use super::stop::Stop;
use super::tracking::Tracking;
use super::upstream::Upstream;
use super::writer::Writer;
use crate::command::{Refusals, Reply};
use crate::group::{Notice, Observer};
use crate::keyspace::Event;
use crate::node::{Clients, SnapshotNews};
use slog::{Logger, info};
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

/// Spreads the numbers that this node gives its clients: nobody else chooses them.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// All clients of a node, and its counters. What the node replies to.
pub struct ClientTable {
    clients: RefCell<HashMap<u64, Rc<Client>, BuildHasherDefault<IdHasher>>>,
    touched: RefCell<Vec<Rc<Client>>>,
    next_id: Cell<u64>,
    shutting_down: Cell<bool>,
    pubsub: PubSub,
    monitors: Monitors,
    pub(super) replicas: Replicas,
    stop: Stop,
    pub(super) acl_log: AclLog,
    pub(super) tracking: Tracking,
    pub(super) blocked: Blocked,
    pub(super) pause: Pause,
    pub(super) eviction: Eviction,
    pub(super) upstream: Upstream,
    io: OnceCell<IoThreads>,
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
            monitors: Monitors::default(),
            replicas: Replicas::default(),
            stop: Stop::default(),
            acl_log: AclLog::default(),
            tracking: Tracking::default(),
            blocked: Blocked::default(),
            pause: Pause::default(),
            eviction: Eviction::default(),
            upstream: Upstream::default(),
            io: OnceCell::new(),
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

    /// Leaves sockets to `count` threads from here on (`--io-threads`); to be called once at most.
    pub fn start_io_threads(&self, count: usize) -> io::Result<()> {
        if count > 0 {
            let threads = IoThreads::start(count, &self.logger)?;
            self.io.set(threads).map_err(|_| io::ErrorKind::AlreadyExists)?;
        }
        Ok(())
    }

    /// The threads that sockets are left to, if they are.
    pub(super) fn io(&self) -> Option<&IoThreads> {
        self.io.get()
    }

    /// The number of the next client.
    pub(super) fn next_id(&self) -> u64 {
        self.next_id.replace(self.next_id.get() + 1)
    }

    pub(super) fn add(
        &self,
        id: u64,
        addr: SocketAddr,
        local_addr: SocketAddr,
        writer: Writer,
    ) -> Rc<Client> {
        let client = Rc::new(Client::new(id, addr, local_addr, writer, &self.stats));
        self.clients.borrow_mut().insert(id, Rc::clone(&client));
        client
    }

    pub(super) fn remove(&self, client: &Client) {
        let was_there = self.clients.borrow_mut().remove(&client.id).is_some();
        if let Some(reason) = client.closing().filter(|_| was_there) {
            info!(self.logger, "connection closed"; "client" => %client.addr, "id" => client.id, "reason" => reason);
        }
        self.pubsub.forget(client);
        self.stop_monitor(client);
        self.replicas.remove(client);
        self.untrack(client);
    }

    /// The client of that number.
    pub(super) fn get(&self, id: u64) -> Option<Rc<Client>> {
        self.clients.borrow().get(&id).cloned()
    }

    /// All clients, by id, but for those that are being closed.
    pub(super) fn all(&self) -> Vec<Rc<Client>> {
        let clients = self.clients.borrow();
        let mut all: Vec<_> = clients.values().filter(|client| client.closing().is_none()).cloned().collect();
        all.sort_unstable_by_key(|client| client.id);
        all.iter().for_each(|client| client.look());
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

    /// Who looks at what is sent.
    pub(super) fn monitors(&self) -> &Monitors {
        &self.monitors
    }

    /// Whether clients want the server to end.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Something was written to it: it is flushed at the end of the turn.
    pub(super) fn touch(&self, client: &Rc<Client>) {
        if !client.touched.replace(true) {
            self.touched.borrow_mut().push(Rc::clone(client));
        }
    }

    /// Of what commands cost: for the group that carries them out.
    pub fn observer(&self) -> Rc<Observer> {
        Rc::clone(&self.stats.observer)
    }

    /// Address and name of a client; empty if it is gone.
    pub(super) fn name_of(&self, id: u64) -> (String, String) {
        let clients = self.clients.borrow();
        let name = |client: &Rc<Client>| (client.addr.to_string(), client.name.borrow().clone());
        clients.get(&id).map(name).unwrap_or_default()
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
        let Some(client) = clients.get(&ticket) else { return self.answer_nobody(ticket, reply) };
        if client.tracker.is_on() {
            let happened = !matches!(reply, Reply::NilArray);
            client.accept(reply);
            self.answered(client, happened);
        } else {
            client.accept(reply);
        }
        self.touch(client);
    }

    fn replies(&self, replies: Vec<(u64, Reply)>) {
        if self.pubsub.has_receivers() {
            return replies.into_iter().for_each(|(ticket, reply)| self.reply(ticket, reply));
        }
        let clients = self.clients.borrow();
        let mut last: Option<&Rc<Client>> = None; // those of one job come together
        for (ticket, reply) in replies {
            let found = last.filter(|client| client.id == ticket).or_else(|| clients.get(&ticket));
            match found {
                Some(client) if client.tracker.is_on() => self.reply(ticket, reply),
                Some(client) => {
                    client.accept(reply);
                    self.touch(client);
                }
                None => self.answer_nobody(ticket, reply),
            }
            last = found;
        }
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
            Event::Touched { db, key } => {
                self.touched(notice.ticket, &key);
                self.blocked.touched(&(db, key));
            }
            event @ (Event::User { .. } | Event::UsersReplaced) => self.users_changed(&event, notice.ticket),
            Event::Refusals(bits) => self.upstream.refuse(Refusals::from_bits(bits)),
            Event::TouchedAll => {
                self.touched_all(notice.ticket);
                self.blocked.touched_all();
            }
            Event::Scripted(scripted) => self.scripted(notice.ticket, &scripted),
            Event::Propagated(calls) => self.replicas.feed(&calls, touch),
        }
    }

    fn snapshot(&self, news: SnapshotNews) {
        self.replicas.news(news);
    }

    fn flush(&self) {
        self.write_journal();
        self.broadcast();
        self.eviction.after_turn(&self.stats);
        let mut touched = self.touched.take();
        for client in touched.drain(..) {
            client.touched.set(false);
            let leftover = client.flush() && !client.writing.get();
            let resume = client.resume.get() || self.shutting_down();
            if leftover || client.awaiting() == 0 && resume {
                client.wake();
            }
        }
        if let Some(io) = self.io() {
            io.hand_over();
        }
        // Its allocation serves again, unless a reply came in between.
        let mut slot = self.touched.borrow_mut();
        if slot.is_empty() {
            *slot = touched;
        }
    }
}
