//! Client-side caching: which clients may have which keys in their memory, and telling them
//! when a key is no longer what they have. Three rules make that safe, and this module must
//! never break one of them:
//! - a key is remembered when the reply that shows it is delivered, in one order with the
//!   changes of keys: not when the command comes in, and not later;
//! - what a client did itself is told after the reply, and nothing is told to a client while
//!   a reply that is older waits for its connection's task;
//! - a key that is no longer remembered (evicted, flushed) is told like one that has changed.

pub mod command;
mod keys;
mod prefixes;
mod script;
mod step;

pub use step::StepKeys;

use super::Shared;
use super::client::Client;
use super::clients::ClientTable;
use crate::command::Reply;
use crate::keyspace::Blob;
use crate::limits;
use crate::node::Clients;
use crate::resp::Protocol;
use keys::KeyTable;
use prefixes::Prefixes;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

/// Where invalidations of a redirecting client go in RESP2.
const CHANNEL: &str = "__redis__:invalidate";

/// How a client tracks.
#[derive(Debug, Default)]
struct Mode {
    /// The client that is told; 0: itself.
    redirect: u64,
    broadcasts: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
    /// The client that was to be told is gone.
    is_broken: bool,
    prefixes: BTreeSet<Vec<u8>>,
}

/// What a client has to forget.
#[derive(Debug, Clone)]
enum Invalidation {
    Keys(Vec<Blob>),
    Everything,
}

/// The part of a client that tracks.
#[derive(Default)]
pub struct Tracker {
    on: Cell<bool>,
    /// `CLIENT CACHING` was said for the next command.
    caching: Cell<bool>,
    mode: RefCell<Mode>,
    /// Keys of the steps of the job under way, and how many of its steps are answered.
    steps: RefCell<VecDeque<(usize, StepKeys)>>,
    answered: Cell<usize>,
    /// To be told after the reply that is being made.
    pending: RefCell<Vec<Invalidation>>,
}

impl Tracker {
    /// Whether it does at all.
    pub fn is_on(&self) -> bool {
        self.on.get()
    }

    /// Whether the keys of the command at hand are to be remembered.
    pub fn remembers(&self) -> bool {
        let mode = self.mode.borrow();
        let caching = self.caching.get();
        self.on.get() && !mode.broadcasts && (!mode.optin || caching) && !(mode.optout && caching)
    }

    /// As [`Tracker::remembers`], if `CLIENT CACHING` was queued before it in the transaction.
    fn remembers_when_told(&self) -> bool {
        let mode = self.mode.borrow();
        self.on.get() && !mode.broadcasts && !mode.optout
    }

    /// The command for which `CLIENT CACHING` was meant has been dispatched.
    pub fn end_caching(&self) {
        self.caching.set(false);
    }

    /// A job with these keys, each with the number of its step, is on its way.
    pub fn expect(&self, steps: impl IntoIterator<Item = (usize, StepKeys)>) {
        let mut expected = self.steps.borrow_mut();
        expected.clear();
        expected.extend(steps);
        self.answered.set(0);
    }

    /// Letters of `CLIENT LIST`.
    pub fn flags(&self) -> impl Iterator<Item = char> {
        let mode = self.mode.borrow();
        let flags = [('t', true), ('R', mode.is_broken), ('B', mode.broadcasts)];
        flags.into_iter().filter(|&(_, set)| self.on.get() && set).map(|(flag, _)| flag)
    }

    /// The client that is told: 0 itself, -1 nobody.
    pub fn redirect(&self) -> i64 {
        if self.on.get() { self.mode.borrow().redirect as i64 } else { -1 }
    }
}

/// What all tracking clients of a node share.
pub struct Tracking {
    clients: Cell<usize>,
    keys: RefCell<KeyTable>,
    prefixes: RefCell<Prefixes>,
    max_keys: Cell<usize>,
    /// The node tells which keys change.
    is_told: Cell<bool>,
}

impl Default for Tracking {
    fn default() -> Self {
        Self {
            clients: Cell::default(),
            keys: RefCell::default(),
            prefixes: RefCell::default(),
            max_keys: Cell::new(limits::TRACKED_KEYS as usize),
            is_told: Cell::default(),
        }
    }
}

impl Tracking {
    /// Clients that track.
    pub fn clients(&self) -> usize {
        self.clients.get()
    }

    /// Keys that clients may have.
    pub fn total_keys(&self) -> usize {
        self.keys.borrow().len()
    }

    /// The same, each counted for every client.
    pub fn total_items(&self) -> usize {
        self.keys.borrow().items()
    }

    /// Prefixes of broadcasting clients.
    pub fn total_prefixes(&self) -> usize {
        self.prefixes.borrow().len()
    }

    /// `tracking-table-max-keys`
    pub fn max_keys(&self) -> usize {
        self.max_keys.get()
    }

    /// Sets `tracking-table-max-keys` (0: no limit); what is beyond it is told as changed soon.
    pub fn set_max_keys(&self, max: usize) {
        self.max_keys.set(max);
    }

    fn is_over(&self) -> bool {
        let keys = self.keys.borrow();
        let max = self.max_keys.get();
        max != 0 && keys.len() > max || keys.items() > limits::MAX_TRACKING_ITEMS
    }

    /// Asks the node for the changes of keys, as long as somebody wants to hear of them.
    pub fn settle(shared: &Shared) {
        let tracking = &shared.clients.tracking;
        let wanted = tracking.clients.get() > 0 || !shared.clients.blocked.is_empty();
        if tracking.is_told.replace(wanted) != wanted {
            shared.backend.set_touches(wanted);
        }
    }
}

impl ClientTable {
    fn track(&self, client: &Client, mode: Mode) {
        let mut current = client.tracker.mode.borrow_mut();
        let mut prefixes = std::mem::take(&mut current.prefixes);
        for prefix in &mode.prefixes {
            self.tracking.prefixes.borrow_mut().add(prefix, client.id);
        }
        prefixes.extend(mode.prefixes);
        *current = Mode { prefixes, ..mode };
        if !client.tracker.on.replace(true) {
            self.tracking.clients.set(self.tracking.clients.get() + 1);
        }
    }

    /// The client no longer tracks. Its keys go when they change; when nobody is left, at once.
    pub fn untrack(&self, client: &Client) {
        let tracker = &client.tracker;
        if !tracker.on.replace(false) {
            return;
        }
        let mode = tracker.mode.take();
        for prefix in &mode.prefixes {
            self.tracking.prefixes.borrow_mut().remove(prefix, client.id);
        }
        tracker.caching.set(false);
        tracker.steps.take();
        tracker.pending.take();
        let left = self.tracking.clients.get() - 1;
        self.tracking.clients.set(left);
        if left == 0 {
            self.tracking.keys.take();
            self.tracking.prefixes.take();
        }
    }

    /// A key has changed, by the client whose ticket this is, or by nobody of this node (0).
    pub(super) fn touched(&self, ticket: u64, key: &Blob) {
        if self.tracking.clients.get() == 0 {
            return;
        }
        let by = self.get(ticket);
        self.begin_step(by.as_ref(), key);
        self.tracking.prefixes.borrow_mut().touched(key, ticket);
        let Some(ids) = self.tracking.keys.borrow_mut().take(key) else { return };
        for client in ids.iter().filter_map(|&id| self.get(id)) {
            let mode = client.tracker.mode.borrow();
            let skips = !client.tracker.on.get() || mode.broadcasts || mode.noloop && client.id == ticket;
            drop(mode);
            if !skips {
                self.invalidate(&client, Invalidation::Keys(vec![key.clone()]), client.id == ticket);
            }
        }
    }

    /// Any key may have changed.
    pub(super) fn touched_all(&self, ticket: u64) {
        if self.tracking.clients.get() == 0 {
            return;
        }
        self.tracking.keys.take();
        for client in self.all().iter().filter(|client| client.tracker.on.get()) {
            self.invalidate(client, Invalidation::Everything, client.id == ticket);
        }
    }

    /// The client's next step is being carried out: what it read before it changed something
    /// itself has to be known before the changes are told.
    fn begin_step(&self, client: Option<&Rc<Client>>, touched: &Blob) {
        let Some(client) = client.filter(|client| client.tracker.on.get()) else { return };
        let mut steps = client.tracker.steps.borrow_mut();
        if let Some((step, keys)) = steps.front_mut()
            && *step == client.tracker.answered.get()
        {
            if !keys.writes {
                keys.last.remove(touched); // it met a key that has expired, and is told of it
            }
            keys.script.touched(touched);
            let early = std::mem::take(&mut keys.before_changes);
            drop(steps);
            self.remember(client, early);
        }
    }

    /// A reply was delivered to a client that tracks, or to its connection's task. `happened`:
    /// it is not that of a transaction which did not take place.
    pub(super) fn answered(&self, client: &Rc<Client>, happened: bool) {
        let tracker = &client.tracker;
        let step = tracker.answered.replace(tracker.answered.get() + 1);
        let mut steps = tracker.steps.borrow_mut();
        let is_next = steps.front().is_some_and(|(of, _)| *of == step);
        let keys = if is_next { steps.pop_front() } else { None };
        drop(steps);
        if let Some((_, keys)) = keys
            && happened
        {
            self.remember(client, keys.before_changes.into_iter().chain(keys.last));
        }
        if !client.is_captured() {
            self.tell_pending(client);
        }
    }

    /// What was to be told after the reply.
    pub(super) fn tell_pending(&self, client: &Rc<Client>) {
        for what in client.tracker.pending.take() {
            self.tell(client, what);
        }
    }

    fn remember(&self, client: &Client, keys: impl IntoIterator<Item = Blob>) {
        let is_live = |id: u64| self.get(id).is_some_and(|client| client.tracker.on.get());
        for key in keys {
            self.tracking.keys.borrow_mut().remember(key, client.id, is_live);
        }
        self.evict();
    }

    /// Forgets keys beyond the limit, some at a time, and tells their clients.
    pub(super) fn evict(&self) {
        for _ in 0..limits::TRACKING_KEYS_EVICTED_AT_ONCE {
            if !self.tracking.is_over() {
                return;
            }
            let Some((key, ids)) = self.tracking.keys.borrow_mut().evict() else { return };
            for client in ids.iter().filter_map(|&id| self.get(id)) {
                if client.tracker.on.get() && !client.tracker.mode.borrow().broadcasts {
                    self.invalidate(&client, Invalidation::Keys(vec![key.clone()]), false);
                }
            }
        }
    }

    /// Tells broadcasting clients what has changed since the last time.
    pub(super) fn broadcast(&self) {
        if self.tracking.clients.get() == 0 {
            return;
        }
        let due = self.tracking.prefixes.borrow_mut().take_due();
        for (ids, keys) in due {
            for client in ids.iter().filter_map(|&id| self.get(id)) {
                let noloop = client.tracker.mode.borrow().noloop;
                let told = keys.iter().filter(|(_, by)| !(noloop && **by == client.id));
                let told: Vec<Blob> = told.map(|(key, _)| key.clone()).collect();
                if !told.is_empty() {
                    self.invalidate(&client, Invalidation::Keys(told), false);
                }
            }
        }
    }

    /// `after_reply`: the client did it itself, and its reply comes now.
    fn invalidate(&self, client: &Rc<Client>, what: Invalidation, after_reply: bool) {
        if after_reply || client.is_captured() {
            client.tracker.pending.borrow_mut().push(what);
        } else {
            self.tell(client, what);
        }
    }

    fn tell(&self, client: &Rc<Client>, what: Invalidation) {
        let redirect = client.tracker.mode.borrow().redirect;
        let target = if redirect == 0 { Some(Rc::clone(client)) } else { self.get(redirect) };
        let Some(target) = target else {
            client.tracker.mode.borrow_mut().is_broken = true;
            if client.protocol.get() == Protocol::Resp3 {
                let id = Reply::Int(redirect as i64);
                client.push(&Reply::Push(vec![Reply::bulk("tracking-redir-broken"), id]));
                self.touch(client);
            }
            return;
        };
        let payload = match what {
            Invalidation::Keys(keys) => Reply::Array(keys.into_iter().map(Reply::Bulk).collect()),
            Invalidation::Everything => Reply::Nil,
        };
        match target.protocol.get() {
            Protocol::Resp3 => target.push(&Reply::Push(vec![Reply::bulk("invalidate"), payload])),
            Protocol::Resp2 if redirect != 0 && target.subscribed.get() => {
                target.push(&Reply::Array(vec![Reply::bulk("message"), Reply::bulk(CHANNEL), payload]));
            }
            Protocol::Resp2 => return, // it has no way to be told
        }
        self.touch(&target);
    }

    /// After what is done outside of the node's turn: what was told leaves now.
    pub(super) fn flush_told(&self) {
        Clients::flush(self);
    }
}
