//! [`Waiter`]: a command that waits, as its queues know it, and how it is tried. [`Block`] is its place in them. Nothing
//! here may answer the client: that is the connection's.

use super::{Blocked, Key, Lane};
use crate::command::{Awaited, Command, Found, Reply, Request, Wanted, brings};
use crate::group::{Consistency, Job, Step};
use crate::keyspace::{Blob, Item};
use crate::limits;
use crate::machine::Machine;
use crate::mutant::{self, Mutant};
use crate::server::Shared;
use crate::server::client::Client;
use crate::server::control::Paused;
use crate::server::tracking::Tracking;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// As good as for ever.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// How much longer than its timeout a wait lasts, at most, for a log whose clock stands.
const LATENESS: Duration = Duration::from_secs(10);
const TOO_MANY: Reply = Reply::error("ERR too many keys are waited for on this node");

/// See the module.
pub struct Waiter {
    pub(super) client: Rc<Client>,
    /// Each with its place among those of the call, in that order.
    pub(super) keys: Vec<(usize, Key)>,
    pub(super) arrival: u64,
    pub(super) lane: Lane,
    pub(super) request: Request,
    pub(super) row: &'static Command,
    awaited: RefCell<Awaited>,
    shared: Rc<Shared>,
    touched: RefCell<Touched>,
    /// What the try that is under way is about.
    tried: RefCell<Vec<usize>>,
    /// Its command has been counted.
    is_counted: Cell<bool>,
    /// The try under way is for the end of its time.
    is_last: Cell<bool>,
    /// The log's time at which the wait ends.
    until_ms: Cell<u64>,
    /// When it ends whatever the log's time is.
    ends_by: Cell<Option<Instant>>,
}

/// What a look at the keys of one who waits has shown.
pub enum Ready {
    Nothing,
    /// Of these there may be something for it.
    Keys(Vec<usize>),
    /// There will never be anything: the reply.
    Ended(Reply),
}

/// Keys that are not what they were when this was last asked, in their order.
#[derive(Default)]
struct Touched {
    order: Vec<usize>,
    are_in: BTreeSet<usize>,
}

/// A command that waits, with its places in the queues, which it leaves when it is dropped.
pub struct Block(Rc<Waiter>);

impl Deref for Block {
    type Target = Waiter;

    fn deref(&self) -> &Waiter {
        &self.0
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.blocked().leave(self);
        Tracking::settle(&self.shared);
    }
}

impl Block {
    /// Takes its places.
    pub fn new(
        request: Request,
        row: &'static Command,
        awaited: Awaited,
        client: &Rc<Client>,
        shared: &Rc<Shared>,
    ) -> Result<Self, Reply> {
        let blocked = &shared.clients.blocked;
        if blocked.places.get() + awaited.keys.len() > limits::MAX_AWAITED_KEYS {
            return Err(TOO_MANY);
        }
        let mut seen = BTreeSet::new();
        let mut keys = Vec::new();
        for (place, key) in request.args()[awaited.keys.clone()].iter().enumerate() {
            if seen.insert(*key) {
                keys.push((place, (request.db, Blob::new(key))));
            }
        }
        drop(seen);
        let waiter = Rc::new(Waiter {
            client: Rc::clone(client),
            keys,
            arrival: blocked.next_arrival(),
            lane: lane_of(&awaited.what),
            request,
            row,
            awaited: awaited.into(),
            shared: Rc::clone(shared),
            touched: RefCell::default(),
            tried: RefCell::default(),
            is_counted: Cell::default(),
            is_last: Cell::default(),
            until_ms: Cell::default(),
            ends_by: Cell::default(),
        });
        blocked.join(&waiter);
        Tracking::settle(shared);
        Ok(Self(waiter))
    }
}

fn lane_of(what: &Wanted) -> Lane {
    match what {
        Wanted::Element(kind) => Lane::Elements(*kind),
        Wanted::Delivery { group, .. } => Lane::Group(group.clone()),
        Wanted::Entries { .. } => Lane::Readers,
    }
}

fn item<'a>(machine: &'a Machine, key: &Key) -> Option<&'a Item> {
    machine.keyspace().get(key.0 as usize, &key.1, machine.clock_ms())
}

/// Whether the key is still there, past its time: who tries to take something from it removes it, as in Redis.
fn is_expired(machine: &Machine, key: &Key) -> bool {
    item(machine, key).is_none() && machine.keyspace().get(key.0 as usize, &key.1, 0).is_some()
}

impl Waiter {
    fn blocked(&self) -> &Blocked {
        &self.shared.clients.blocked
    }

    fn look<T>(&self, look: impl FnOnce(&Machine) -> T) -> T {
        let (mut look, mut seen) = (Some(look), None);
        self.shared.backend.look(&mut |machine| {
            if let Some(look) = look.take() {
                seen = Some(look(machine));
            }
        });
        seen.expect("a backend lets look")
    }

    /// What keys are to it, as this node has applied them: those of its keys that are asked for, in the call's order.
    fn find(&self, is_asked: impl Fn(usize) -> bool) -> Vec<(usize, &Key, Found)> {
        let awaited = self.awaited.borrow();
        self.look(|machine| {
            let find = |place: usize, key: &Key| match awaited.find(place, item(machine, key)) {
                Found::Nothing if self.row.is_write() && is_expired(machine, key) => Found::Something,
                found => found,
            };
            let keys = self.keys.iter().filter(|(place, _)| is_asked(*place));
            keys.map(|(place, key)| (*place, key, find(*place, key))).collect()
        })
    }

    /// Whether there is something for it, all of which is for those who came before.
    pub(super) fn is_behind(&self) -> bool {
        let found = self.find(|_| self.lane != Lane::Readers);
        let mut met = found.iter().filter(|(.., found)| *found == Found::Something).peekable();
        met.peek().is_some() && !met.any(|(_, key, _)| self.blocked().is_first(key, self))
    }

    /// One of its keys is not what it was, and it is the first there.
    pub(super) fn tell(&self, place: usize) {
        let mut touched = self.touched.borrow_mut();
        if touched.are_in.insert(place) {
            touched.order.push(place);
        }
        self.client.wake();
    }

    /// Of the keys that it was told of, those that hold something, in the order in which they came.
    pub(super) fn take_ready(&self) -> Ready {
        let touched = self.touched.take();
        if touched.order.is_empty() {
            return Ready::Nothing;
        }
        let found = self.find(|place| touched.are_in.contains(&place));
        let mut found: BTreeMap<_, _> = found.into_iter().map(|(place, _, found)| (place, found)).collect();
        let is_of_one_key = self.awaited.borrow().is_of_one_key();
        let mut met = Vec::new();
        for place in touched.order {
            match found.remove(&place) {
                Some(Found::Something) if met.is_empty() || !is_of_one_key => met.push(place),
                Some(Found::Something) => self.tell(place), // in case the first is nothing any more
                Some(Found::Ended(reply)) if met.is_empty() => return Ready::Ended(reply),
                _ => {}
            }
        }
        if met.is_empty() { Ready::Nothing } else { Ready::Keys(met) }
    }

    /// Whether it waits, and has no try under way.
    pub(super) fn is_free(&self) -> bool {
        let (client, clients) = (&self.client, &self.shared.clients);
        let is_idle = client.awaiting() == 0 && !client.is_captured() && client.blocked.get();
        let is_there = client.closing().is_none() && client.control.unblock.get().is_none();
        let may_go_on = match clients.paused() {
            None => !clients.shutting_down(),
            Some(Paused::Writes) => !self.row.is_write(),
            Some(Paused::All) => false,
        };
        is_idle && is_there && may_go_on
    }

    /// Sends its call as it is. Whether it is under way.
    pub(super) fn try_all(&self, consistency: Consistency) -> bool {
        self.submit(self.request.clone(), consistency)
    }

    /// Sends the call for some of its keys. What is only read is what this node has applied: it is later than what
    /// the first try has seen.
    pub(super) fn try_for(&self, places: &[usize]) -> bool {
        self.try_as(places, Consistency::Stale { max_age_ms: None })
    }

    fn try_as(&self, places: &[usize], consistency: Consistency) -> bool {
        *self.tried.borrow_mut() = places.to_vec();
        let awaited = self.awaited.borrow();
        if awaited.keys.len() == 1 && !awaited.is_of_one_key() {
            return self.submit(self.request.clone(), consistency);
        }
        let mut request = Request::from_args(&awaited.call_for(&self.request.args(), places));
        request.db = self.request.db;
        self.submit(request, consistency)
    }

    /// A last try, at the end of its time: whoever was held up must not go without what has been there for long.
    pub(super) fn try_last(&self, consistency: Consistency) -> bool {
        let mut places = self.find(|_| true);
        places.retain(|(.., found)| matches!(found, Found::Something | Found::Nothing));
        let places: Vec<_> = places.into_iter().map(|(place, ..)| place).collect();
        self.is_last.set(!places.is_empty());
        !places.is_empty() && self.try_as(&places, consistency)
    }

    fn submit(&self, request: Request, consistency: Consistency) -> bool {
        let mut job = Job { ticket: self.client.id, consistency, ..Job::default() };
        let is_again = self.is_counted.replace(true);
        if self.row.is_write() {
            request.put_unit(&mut job.body);
            job.steps.push(if is_again { Step::Again } else { Step::Write });
            if mutant::is(Mutant::TryTwice) {
                request.put_unit(&mut job.body);
                job.steps.push(Step::Purge);
            }
        } else {
            job.steps.push(if is_again { Step::ReadAgain(request) } else { Step::Read(request) });
        }
        self.client.expect(1, true);
        if is_again && self.client.tracker.is_on() {
            self.client.tracker.expect([]);
        }
        let is_taken = self.shared.backend.submit(job).is_ok();
        if !is_taken {
            self.client.expect(0, false);
        }
        is_taken
    }

    /// What its command brings elsewhere when it takes something.
    pub(super) fn brings(&self) -> Vec<(Key, usize)> {
        let call = self.request.args();
        let brings = brings(self.row, &call);
        brings.into_iter().map(|(at, count)| ((self.request.db, Blob::new(call[at])), count)).collect()
    }

    /// Whether the log had nothing for it. One that has waited does not hear of a key of another type, unless that is
    /// where it would have brought what there is; nor of a missing group in the words for a command that comes.
    pub(super) fn is_nothing(&self, reply: &Reply) -> bool {
        let Reply::Error(text) = reply else { return matches!(reply, Reply::Nil | Reply::NilArray) };
        let is_of_keys = text.starts_with("WRONGTYPE ") || text.starts_with("NOGROUP ");
        if !is_of_keys || !self.client.blocked.get() {
            return false;
        }
        let has_source = || self.find(|_| true).iter().any(|(.., found)| *found == Found::Something);
        if !self.brings().is_empty() && has_source() {
            return false;
        }
        self.tried.take().into_iter().for_each(|place| self.tell(place));
        true
    }

    /// The wait begins. Until when it lasts.
    pub(super) fn begin(&self) -> Instant {
        let now = Instant::now();
        let mut awaited = self.awaited.borrow_mut();
        let timeout = match awaited.timeout_ms {
            0 => FOR_EVER,
            ms => Duration::from_millis(ms).min(FOR_EVER),
        };
        let clock_ms = self.look(|machine| {
            let of = |place: usize| self.keys.binary_search_by_key(&place, |(place, _)| *place).ok();
            awaited.begin(|place| of(place).and_then(|at| item(machine, &self.keys[at].1)));
            machine.clock_ms()
        });
        self.until_ms.set(clock_ms.saturating_add(timeout.as_millis() as u64));
        self.ends_by.set(Some(now + timeout + timeout.min(LATENESS)));
        self.client.blocked.set(true);
        now + timeout
    }

    /// A try has brought nothing: whether it was the last, and if it is not to be the last yet, when that is.
    pub(super) fn is_over(&self) -> Result<bool, Instant> {
        if !self.is_last.take() {
            return Ok(false);
        }
        let now = Instant::now();
        let Some(ends_by) = self.ends_by.get().filter(|ends_by| now < *ends_by) else { return Ok(true) };
        let news = self.touched.borrow().order.clone();
        if !matches!(self.take_ready(), Ready::Nothing) {
            news.into_iter().for_each(|place| self.tell(place)); // it has come meanwhile
            return Ok(false);
        }
        let left_ms = self.until_ms.get().saturating_sub(self.look(Machine::clock_ms));
        if left_ms == 0 || !self.row.is_write() {
            return Ok(true); // what is only read moves no clock
        }
        Err(ends_by.min(now + Duration::from_millis(left_ms)))
    }
}
