//! Looks for an order that explains every reply: Wing and Gong's search with Lowe's linked list
//! and memo ("Testing for linearizability", 2017), and three cuts of our own.
//! - An operation that fits and changes nothing is taken at once, and never reconsidered: any
//!   order that has it later is as good with it here.
//! - Writes of unknown outcome are tried after all others, and not when they change nothing.
//! - Of several such writes with the same effect, only the earliest is tried.
//!
//! The memo holds 128 bits a configuration: the set of operations done (Zobrist) and the state.

use super::Bounds;
use super::compile::Component;
use super::model::{Answer, Slot, mix, mix128};
use hashbrown::HashTable;

/// What the search came to.
pub(super) enum Found {
    Order,
    Stuck(Stuck),
    TooMuch,
}

/// Where every order ends: the first reply that none can reach.
#[derive(Debug, Clone, Default)]
pub(super) struct Stuck {
    /// The operation that has to be done by now.
    pub(super) op: u32,
    /// The longest of the orders that lead here: its end, its length, and the state after it.
    pub(super) last: Vec<u32>,
    pub(super) done: usize,
    pub(super) slots: Vec<Slot>,
    /// What could come next, but for its reply.
    pub(super) candidates: Vec<u32>,
}

/// Operations of [`Stuck::last`].
const SHOWN: usize = 8;

/// A beginning or an end of a known operation, in a list ordered by time.
#[derive(Clone, Copy)]
struct Event {
    op: u32,
    is_end: bool,
    previous: u32,
    next: u32,
}

/// Where the search looks for the next operation: at an event, or at an unknown operation,
/// after the events up to the given end were tried.
#[derive(Clone, Copy)]
enum Cursor {
    Event(u32),
    Unknown { place: u32, end: u32 },
}

/// An operation taken, and how to go on without it.
struct Frame {
    op: u32,
    at: Cursor,
    is_forced: bool,
    undo_from: usize,
}

/// The list's head, and its end.
const HEAD: u32 = 0;

struct Search<'a> {
    component: &'a mut Component,
    events: Vec<Event>,
    /// For each operation, its events in the list.
    places: Vec<(u32, u32)>,
    slots: Vec<Slot>,
    state: u128,
    done: u128,
    is_done: Vec<bool>,
    undo: Vec<(u32, Slot)>,
    frames: Vec<Frame>,
    memo: HashTable<u128>,
    bounds: Bounds,
    steps: u64,
    furthest: u32,
    stuck: Stuck,
}

pub(super) fn search(component: &mut Component, bounds: Bounds) -> Found {
    let (events, places) = events(component);
    let slots = vec![Slot::default(); component.keys.len()];
    let state = slots.iter().enumerate().fold(0, |state, (key, slot)| state ^ slot.hash(key));
    let is_done = vec![false; component.ops.len()];
    Search {
        component,
        events,
        places,
        slots,
        state,
        done: 0,
        is_done,
        undo: Vec::new(),
        frames: Vec::new(),
        memo: HashTable::new(),
        bounds,
        steps: 0,
        furthest: 0,
        stuck: Stuck::default(),
    }
    .run()
}

/// At equal times an operation begins before another ends: they count as concurrent.
fn events(component: &Component) -> (Vec<Event>, Vec<(u32, u32)>) {
    let mut order: Vec<(u64, bool, u32)> = Vec::with_capacity(2 * component.known.len());
    for op in &component.known {
        let it = &component.ops[*op as usize];
        order.push((it.start_ns, false, *op));
        order.push((it.end_ns.max(it.start_ns), true, *op));
    }
    order.sort_unstable();
    let count = order.len() as u32 + 1;
    let mut events = vec![Event { op: 0, is_end: false, previous: count - 1, next: 1 % count }];
    let mut places = vec![(HEAD, HEAD); component.ops.len()];
    for (at, (_, is_end, op)) in (1..).zip(order) {
        events.push(Event { op, is_end, previous: at - 1, next: (at + 1) % count });
        let place = &mut places[op as usize];
        if is_end { place.1 = at } else { place.0 = at }
    }
    (events, places)
}

enum Tried {
    /// A reply does not fit.
    No,
    /// It fits and changes nothing.
    Same,
    Changed,
}

impl Search<'_> {
    fn run(mut self) -> Found {
        let mut cursor = self.first();
        loop {
            cursor = match cursor {
                Cursor::Event(HEAD) => return Found::Order,
                Cursor::Event(at) if self.events[at as usize].is_end => {
                    self.note_stuck(at);
                    Cursor::Unknown { place: 0, end: at }
                }
                Cursor::Event(at) => {
                    let next = Cursor::Event(self.events[at as usize].next);
                    self.take(self.events[at as usize].op, cursor).unwrap_or(next)
                }
                Cursor::Unknown { place, end } => match self.unknown(place, end) {
                    Some(op) => {
                        let next = Cursor::Unknown { place: place + 1, end };
                        if self.may_try(op) { self.take(op, cursor).unwrap_or(next) } else { next }
                    }
                    None => match self.back() {
                        Some(cursor) => cursor,
                        None => return Found::Stuck(self.stuck),
                    },
                },
            };
            if self.steps > self.bounds.steps || self.memory_bytes() > self.bounds.memory_bytes {
                return Found::TooMuch;
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        // A table is at least half full, and has a byte more an entry.
        self.memo.len() * 34 + self.component.words.size_bytes()
    }

    fn first(&self) -> Cursor {
        Cursor::Event(self.events[HEAD as usize].next)
    }

    /// The unknown operation at a place of their list, if it began before that event.
    fn unknown(&self, place: u32, end: u32) -> Option<u32> {
        let op = *self.component.unknown.get(place as usize)?;
        let limit_ns = self.component.ops[self.events[end as usize].op as usize].end_ns;
        (self.component.ops[op as usize].start_ns <= limit_ns).then_some(op)
    }

    fn may_try(&self, op: u32) -> bool {
        let twin = self.component.ops[op as usize].twin;
        !self.is_done[op as usize] && twin.is_none_or(|twin| self.is_done[twin as usize])
    }

    /// Takes the operation if that leads to a new configuration: from where to go on then.
    fn take(&mut self, op: u32, at: Cursor) -> Option<Cursor> {
        self.steps += 1;
        let undo_from = self.undo.len();
        let is_known = matches!(at, Cursor::Event(_));
        let is_forced = match self.try_steps(op) {
            Tried::Same if is_known => true,
            Tried::Changed if self.is_new(self.state ^ self.done ^ zobrist(op)) => false,
            _ => {
                self.roll_back(undo_from);
                return None;
            }
        };
        self.push(op, at, is_forced, undo_from);
        Some(self.first())
    }

    fn push(&mut self, op: u32, at: Cursor, is_forced: bool, undo_from: usize) {
        self.done ^= zobrist(op);
        self.is_done[op as usize] = true;
        if matches!(at, Cursor::Event(_)) {
            let (start, end) = self.places[op as usize];
            self.unlink(start);
            self.unlink(end);
        }
        self.frames.push(Frame { op, at, is_forced, undo_from });
    }

    /// Takes back the last operation that was a choice: where to go on without it.
    fn back(&mut self) -> Option<Cursor> {
        loop {
            let frame = self.frames.pop()?;
            self.roll_back(frame.undo_from);
            self.done ^= zobrist(frame.op);
            self.is_done[frame.op as usize] = false;
            if matches!(frame.at, Cursor::Event(_)) {
                let (start, end) = self.places[frame.op as usize];
                self.link(end);
                self.link(start);
            }
            match frame.at {
                _ if frame.is_forced => {}
                Cursor::Event(at) => return Some(Cursor::Event(self.events[at as usize].next)),
                Cursor::Unknown { place, end } => return Some(Cursor::Unknown { place: place + 1, end }),
            }
        }
    }

    fn try_steps(&mut self, op: u32) -> Tried {
        let undo_from = self.undo.len();
        for at in self.component.steps(op) {
            let step = self.component.steps[at];
            let key = step.key as usize;
            let before = self.slots[key];
            let (after, answer) = before.apply(step.act, step.seen, &mut self.component.words);
            if answer == Answer::Never || step.seen.is_some_and(|seen| seen != answer) {
                self.roll_back(undo_from);
                return Tried::No;
            }
            if after != before {
                self.undo.push((step.key, before));
                self.set(key, after);
            }
        }
        if self.undo.len() == undo_from { Tried::Same } else { Tried::Changed }
    }

    fn set(&mut self, key: usize, slot: Slot) {
        self.state ^= self.slots[key].hash(key) ^ slot.hash(key);
        self.slots[key] = slot;
    }

    fn roll_back(&mut self, undo_from: usize) {
        while self.undo.len() > undo_from {
            let (key, slot) = self.undo.pop().expect("longer than something");
            self.set(key as usize, slot);
        }
    }

    fn is_new(&mut self, configuration: u128) -> bool {
        let hashed = configuration as u64;
        if self.memo.find(hashed, |known| *known == configuration).is_some() {
            return false;
        }
        self.memo.insert_unique(hashed, configuration, |known| *known as u64);
        true
    }

    fn unlink(&mut self, at: u32) {
        let Event { previous, next, .. } = self.events[at as usize];
        self.events[previous as usize].next = next;
        self.events[next as usize].previous = previous;
    }

    fn link(&mut self, at: u32) {
        let Event { previous, next, .. } = self.events[at as usize];
        self.events[previous as usize].next = at;
        self.events[next as usize].previous = at;
    }

    /// Remembers the event that is furthest in time, which some order reaches and none passes.
    fn note_stuck(&mut self, at: u32) {
        if at < self.furthest || at == self.furthest && self.frames.len() <= self.stuck.done {
            return;
        }
        self.furthest = at;
        let mut candidates = Vec::new();
        let mut event = self.events[HEAD as usize].next;
        while event != at {
            candidates.push(self.events[event as usize].op);
            event = self.events[event as usize].next;
        }
        let unknown = (0..).map_while(|place| self.unknown(place, at));
        candidates.extend(unknown.filter(|op| !self.is_done[*op as usize]));
        let from = self.frames.len().saturating_sub(SHOWN);
        self.stuck = Stuck {
            op: self.events[at as usize].op,
            last: self.frames[from..].iter().map(|frame| frame.op).collect(),
            done: self.frames.len(),
            slots: self.slots.clone(),
            candidates,
        };
    }
}

/// A random number for each operation: a set of operations is the exclusive or of them.
fn zobrist(op: u32) -> u128 {
    mix128(&[0x5eed, u64::from(op), mix(u64::from(op))])
}
