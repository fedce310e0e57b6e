//! Clients that wait for elements (`BLPOP` and its like). Who waits for a key waits in the order of arrival; when the
//! key is touched the first is told, and tries its command again through the log, as any other write: what it takes
//! it takes once. It keeps its place until it has something, and whoever leaves tells the next. This module must
//! never take an element itself, nor answer before the log has.

use super::Shared;
use super::client::Client;
use super::connection::{Capture, Connection};
use super::dispatch::Flow;
use super::tracking::Tracking;
use super::wait::{Goal, Wait};
use crate::command::{Awaited, Command, Reply, Request};
use crate::group::{Job, Step};
use crate::keyspace::{Blob, Kind};
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// As good as for ever.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
const TOO_MANY: Reply = Reply::error("ERR too many keys are waited for on this node");

/// A key of a database.
type Key = (u32, Blob);

/// Those who wait for one type at a key.
struct Queue {
    kind: Kind,
    clients: VecDeque<Rc<Client>>,
}

/// Who waits for which keys.
#[derive(Default)]
pub struct Blocked {
    queues: RefCell<BTreeMap<Key, Vec<Queue>>>,
    /// Places in all queues together.
    places: Cell<usize>,
}

impl Blocked {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.places.get() == 0
    }

    /// A key is not what it was.
    pub(super) fn touched(&self, key: Key) {
        if self.is_empty() {
            return;
        }
        if let Some(queues) = self.queues.borrow().get(&key) {
            queues.iter().for_each(Queue::tell_first);
        }
    }

    /// Any key may be another than it was. (In whatever order: each looks for itself.)
    pub(super) fn touched_all(&self) {
        self.queues.borrow().values().flatten().for_each(Queue::tell_first);
    }

    fn join(&self, key: &Key, kind: Kind, client: &Rc<Client>) {
        let mut queues = self.queues.borrow_mut();
        let queues = queues.entry(key.clone()).or_default();
        self.places.set(self.places.get() + 1);
        match queues.iter_mut().find(|queue| queue.kind == kind) {
            Some(queue) => queue.clients.push_back(Rc::clone(client)),
            None => queues.push(Queue { kind, clients: [Rc::clone(client)].into() }),
        }
    }

    fn leave(&self, key: &Key, kind: Kind, client: &Client) {
        let mut all = self.queues.borrow_mut();
        let Some(queues) = all.get_mut(key) else { return };
        if let Some(queue) = queues.iter_mut().find(|queue| queue.kind == kind)
            && let Some(place) = queue.clients.iter().position(|other| other.id == client.id)
        {
            queue.clients.remove(place);
            self.places.set(self.places.get() - 1);
            if place == 0 {
                queue.tell_first();
            }
        }
        queues.retain(|queue| !queue.clients.is_empty());
        if queues.is_empty() {
            all.remove(key);
        }
    }

    /// Whether it comes before all others at the key.
    fn is_first(&self, key: &Key, kind: Kind, client: &Client) -> bool {
        let queues = self.queues.borrow();
        let queue = queues.get(key).and_then(|queues| queues.iter().find(|queue| queue.kind == kind));
        queue.and_then(|queue| queue.clients.front()).is_none_or(|first| first.id == client.id)
    }
}

impl Queue {
    fn tell_first(&self) {
        if let Some(client) = self.clients.front() {
            client.control.has_news.set(true);
            client.wake();
        }
    }
}

/// A command that waits, with its places in the queues, which it leaves when it is dropped.
pub struct Block {
    request: Request,
    kind: Kind,
    keys: Vec<Key>,
    deadline: Instant,
    client: Rc<Client>,
    shared: Rc<Shared>,
}

impl Drop for Block {
    fn drop(&mut self) {
        for key in &self.keys {
            self.shared.clients.blocked.leave(key, self.kind, &self.client);
        }
        Tracking::settle(&self.shared);
    }
}

impl Block {
    fn new(request: Request, awaited: &Awaited, connection: &Connection) -> Result<Self, Reply> {
        let (client, shared) = (Rc::clone(&connection.client), Rc::clone(&connection.shared));
        let blocked = &shared.clients.blocked;
        if blocked.places.get() + awaited.keys.len() > limits::MAX_AWAITED_KEYS {
            return Err(TOO_MANY);
        }
        let mut keys: Vec<Key> = Vec::new();
        for key in &request.args()[awaited.keys.clone()] {
            keys.push((request.db, Blob::new(key)));
        }
        keys.sort_unstable();
        keys.dedup();
        keys.iter().for_each(|key| blocked.join(key, awaited.kind, &client));
        Tracking::settle(&shared);
        let timeout = match awaited.timeout_ms {
            0 => FOR_EVER,
            ms => Duration::from_millis(ms).min(FOR_EVER),
        };
        client.control.has_news.set(false);
        let (kind, deadline) = (awaited.kind, Instant::now() + timeout);
        Ok(Self { request, kind, keys, deadline, client, shared })
    }

    /// Of its keys that hold what it waits for, as this node has applied it: whether there is one, and whether it
    /// is the first at one of them.
    fn look(&self) -> (bool, bool) {
        let (mut is_there, mut is_first) = (false, false);
        let blocked = &self.shared.clients.blocked;
        self.shared.backend.look(&mut |machine| {
            for key in &self.keys {
                let item = machine.keyspace().get(key.0 as usize, &key.1, machine.clock_ms());
                let collection = item.and_then(|item| item.value.collection());
                if collection.is_some_and(|collection| collection.kind() == self.kind) {
                    is_there = true;
                    is_first |= blocked.is_first(key, self.kind, &self.client);
                }
            }
        });
        (is_there, is_first)
    }
}

impl Connection {
    /// A command that waits if it finds nothing; it is alone in its job.
    pub(super) fn start_blocking(
        &mut self,
        request: Request,
        row: &'static Command,
        awaited: &Awaited,
        job: &mut Job,
    ) -> Flow {
        if !job.steps.is_empty() {
            return Flow::Hold(request);
        }
        self.show(&request);
        let block = match Block::new(request, awaited, self) {
            Ok(block) => Box::new(block),
            Err(error) => {
                self.shared.observer().reject(row);
                self.answer(error, job);
                return Flow::Next;
            }
        };
        if block.look() == (true, false) {
            // What there is is for those who came before.
            self.block(block);
        } else {
            self.put_try(block, job);
        }
        Flow::Submit
    }

    fn put_try(&mut self, block: Box<Block>, job: &mut Job) {
        block.request.put_unit(&mut job.body);
        job.steps.push(Step::Write);
        self.capture = Some(Capture::Block(block));
    }

    fn block(&mut self, block: Box<Block>) {
        let deadline = block.deadline;
        self.wait = Some(Wait { goal: Goal::Elements(block), deadline });
        self.client.blocked.set(true);
    }

    /// The log has answered a try. The reply, unless it was that there is nothing.
    pub(super) fn tried(&mut self, block: Box<Block>, reply: Reply) -> Option<Reply> {
        if matches!(reply, Reply::Nil | Reply::NilArray) {
            self.block(block);
            return None;
        }
        self.client.blocked.set(false);
        self.client.control.unblock.take();
        Some(reply)
    }

    /// Tries again what waits, if there may be something for it, and there is still somebody to have it.
    pub(super) fn try_again(&mut self) {
        let control = &self.client.control;
        let Some(Wait { goal: Goal::Elements(block), deadline }) = &self.wait else { return };
        let is_over = self.has_left() || Instant::now() >= *deadline || control.unblock.get().is_some();
        if is_over || self.shared.clients.paused().is_some() || !control.has_news.take() {
            return;
        }
        if !block.look().1 {
            return;
        }
        let Some(Wait { goal: Goal::Elements(block), .. }) = self.wait.take() else { return };
        let mut job = Job { ticket: self.client.id, ..Job::default() };
        self.put_try(block, &mut job);
        job.consistency = self.consistency();
        self.submit(job);
        if self.client.awaiting() == 0 {
            self.client.blocked.set(false); // the node takes no more, and has said so
        }
    }
}
