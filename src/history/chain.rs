//! The exact and fast check of states that follow each other on one key, each made by one write
//! and known by what clients saw of it: `counters.rs` and `versions.rs` find them. Any number of
//! operations, clients and writes of unknown outcome. This module must never look at a command.
//!
//! All that saw one state, with the write that made it, is a **zone**: it stands as one in every
//! order. Zone A has to come before zone B if something of A ended before something of B began.
//! Zones whose place is told (a version, a counter's value) follow it. For others, time gives the
//! lowest and the highest place, and what remains is to give each of them one of the places that
//! nobody is known to have made (earliest deadline first), and to find somebody for each of these
//! places, writes of unknown outcome included (the same; Glover, 1967). What can be done each
//! for itself can be done at once (Mendelsohn and Dulmage, 1958), and two that then stand against
//! time can change places, because their bounds do not contradict it. Without places that are
//! told this is the check of Gibbons and Korach (1997) for registers whose values are unique.

use super::explain::{Wrong, show};
use super::{Operation, Outcome};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// When an operation began or ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    ns: u64,
    operation: u32,
}

/// A state: who made it, and when it was seen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Zone {
    /// When the write began that made it; None: nobody knows which that was.
    made: Option<Moment>,
    first_end: Moment,
    last_start: Moment,
}

impl Default for Zone {
    fn default() -> Self {
        let (first_end, last_start) = (Moment { ns: u64::MAX, operation: 0 }, Moment { ns: 0, operation: 0 });
        Self { made: None, first_end, last_start }
    }
}

impl Zone {
    /// The operation saw this state.
    pub(super) fn see(&mut self, number: u32, operation: &Operation) {
        let is_known = operation.outcome != Outcome::Unknown;
        let end_ns = if is_known { operation.end_ns.max(operation.start_ns) } else { u64::MAX };
        if end_ns <= self.first_end.ns {
            self.first_end = Moment { ns: end_ns, operation: number };
        }
        if operation.start_ns >= self.last_start.ns {
            self.last_start = Moment { ns: operation.start_ns, operation: number };
        }
    }

    /// The operation made this state. Err: another did.
    pub(super) fn make(&mut self, number: u32, operation: &Operation) -> Result<(), u32> {
        if let Some(other) = self.made.replace(Moment { ns: operation.start_ns, operation: number }) {
            return Err(other.operation);
        }
        self.see(number, operation);
        Ok(())
    }

    /// Both are one.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), u32> {
        if let (Some(ours), Some(_)) = (self.made, other.made) {
            return Err(ours.operation);
        }
        self.made = self.made.or(other.made);
        if other.first_end.ns < self.first_end.ns {
            self.first_end = other.first_end;
        }
        if other.last_start.ns > self.last_start.ns {
            self.last_start = other.last_start;
        }
        Ok(())
    }

    pub(super) fn maker(&self) -> Option<u32> {
        self.made.map(|made| made.operation)
    }

    /// One of those who saw it.
    pub(super) fn seer(&self) -> u32 {
        self.last_start.operation
    }

    fn made_ns(&self) -> u64 {
        self.made.map_or(0, |made| made.ns)
    }

    /// An order of zones that agrees with time, if any does: a zone that ended before its last
    /// operation began stands where it ended, others where they began.
    fn key(&self) -> (u64, bool) {
        (self.first_end.ns.min(self.last_start.ns), self.first_end.ns < self.last_start.ns)
    }
}

/// A write that may have taken place, whose state nobody saw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maybe {
    start: Moment,
    /// The only place that it can have.
    at: Option<u64>,
}

impl Maybe {
    pub(super) fn new(number: u32, operation: &Operation, at: Option<u64>) -> Self {
        Self { start: Moment { ns: operation.start_ns, operation: number }, at }
    }
}

/// What is known of a key's states. Place 0 is the beginning, which nobody made.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// States whose place was told.
    pub(super) pinned: BTreeMap<u64, Zone>,
    /// Other states that were there.
    pub(super) free: Vec<Zone>,
    pub(super) maybe: Vec<Maybe>,
}

/// The greatest of the values that stand below a key (a Fenwick tree).
struct Below {
    keys: Vec<u64>,
    tree: Vec<u64>,
}

impl Below {
    fn new(mut keys: Vec<u64>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Self { tree: vec![0; keys.len() + 1], keys }
    }

    fn put(&mut self, key: u64, value: u64) {
        let mut at = self.keys.partition_point(|other| *other < key) + 1;
        while at < self.tree.len() {
            self.tree[at] = self.tree[at].max(value);
            at += at & at.wrapping_neg();
        }
    }

    /// 0 if there is none.
    fn greatest_below(&self, key: u64) -> u64 {
        let mut at = self.keys.partition_point(|other| *other < key);
        let mut greatest = 0;
        while at > 0 {
            greatest = greatest.max(self.tree[at]);
            at &= at - 1;
        }
        greatest
    }
}

/// Which places a write can have, both included.
#[derive(Debug, Clone, Copy)]
struct Window {
    lowest: u64,
    highest: u64,
    operation: u32,
}

/// None when it cannot tell.
pub(super) fn check(history: &[Operation], mut chain: Chain) -> Option<Result<(), Wrong>> {
    chain.free.sort_by_key(Zone::key);
    let early = chain.pinned.values().chain(&chain.free).find(|zone| zone.made_ns() > zone.first_end.ns);
    if let Some(zone) = early {
        let maker = zone.maker().expect("it began after the beginning");
        return Some(Err((
            zone.first_end.operation,
            format!("it ended before what it saw was begun: {}", shown(history, maker)),
        )));
    }
    let swept = sweep(history, chain.pinned.values()).and_then(|()| sweep(history, chain.free.iter()));
    if let Err(wrong) = swept {
        return Some(Err(wrong));
    }
    let last = chain.pinned.last_key_value().map_or(0, |(place, _)| *place);
    let made = chain.pinned.values().filter(|zone| zone.made.is_some()).count();
    if last > (made + chain.free.len() + chain.maybe.len()) as u64 {
        let operation = chain.pinned[&last].last_start.operation;
        return Some(Err((operation, format!("there were not as many as {last} writes"))));
    }
    let is_made = |place: &u64| chain.pinned.get(place).is_some_and(|zone| zone.made.is_some());
    let places: Vec<u64> = (1..=last).filter(|place| !is_made(place)).collect();
    if let Err(operation) = give_places(&places, windows(&chain)) {
        return Some(Err((
            operation,
            "it was there, but at none of the places that are left to it".to_owned(),
        )));
    }
    let (likely, certain) = fillers(&chain);
    let unfilled = |place: u64| {
        let above = chain.pinned.range(place..).next().expect("a place that is missing is below another").1;
        (above.last_start.operation, format!("no write can have made the state at place {place}, before it"))
    };
    if let Err(place) = fill(&places, likely) {
        return Some(Err(unfilled(place)));
    }
    fill(&places, certain).is_ok().then_some(Ok(()))
}

fn shown(history: &[Operation], number: u32) -> String {
    show(&history[number as usize], 0)
}

/// Gives each zone, in their order, the earliest moment that it may have.
fn sweep<'a>(history: &[Operation], zones: impl Iterator<Item = &'a Zone>) -> Result<(), Wrong> {
    let mut latest = Moment { ns: 0, operation: 0 };
    for zone in zones {
        if latest.ns > zone.first_end.ns {
            let before = shown(history, latest.operation);
            let why = format!("it ended before this one began, which it comes after: {before}");
            return Err((zone.first_end.operation, why));
        }
        if zone.last_start.ns > latest.ns {
            latest = zone.last_start;
        }
    }
    Ok(())
}

/// The lowest places by what is pinned: of what begins after another zone's end.
struct Lowest {
    seen: Below,
    /// Above the place, since what is there was seen before any such write began.
    made: Below,
}

impl Lowest {
    fn of(chain: &Chain) -> Self {
        let ends = || chain.pinned.values().map(|zone| zone.first_end.ns).collect();
        let mut lowest = Self { seen: Below::new(ends()), made: Below::new(ends()) };
        for (place, zone) in &chain.pinned {
            lowest.seen.put(zone.first_end.ns, *place);
            lowest.made.put(zone.first_end.ns, place + 1);
        }
        lowest
    }

    fn get(&self, made_ns: u64, last_start_ns: u64) -> u64 {
        self.seen.greatest_below(last_start_ns).max(self.made.greatest_below(made_ns))
    }
}

/// Of each free zone, in their order. Bounds do not contradict time: of two, the one that has to
/// be first has none that is above the other's.
fn windows(chain: &Chain) -> Vec<Window> {
    let pinned = Lowest::of(chain);
    let mut free = Below::new(chain.free.iter().map(|zone| zone.first_end.ns).collect());
    let mut windows = Vec::with_capacity(chain.free.len());
    for zone in &chain.free {
        let lowest = pinned.get(zone.made_ns(), zone.last_start.ns);
        let lowest = lowest.max(free.greatest_below(zone.last_start.ns));
        free.put(zone.first_end.ns, lowest);
        let operation = zone.maker().unwrap_or(zone.last_start.operation);
        windows.push(Window { lowest, highest: u64::MAX, operation });
    }
    // The same from the other end.
    let starts = chain.pinned.values().chain(&chain.free).map(|zone| u64::MAX - zone.last_start.ns);
    let mut above = Below::new(starts.collect());
    for (place, zone) in &chain.pinned {
        above.put(u64::MAX - zone.last_start.ns, u64::MAX - place);
    }
    for (zone, window) in chain.free.iter().zip(&mut windows).rev() {
        window.highest = u64::MAX - above.greatest_below(u64::MAX - zone.first_end.ns);
        above.put(u64::MAX - zone.last_start.ns, u64::MAX - window.highest);
    }
    windows
}

type Queue = BinaryHeap<Reverse<(u64, u32)>>;

/// Of those that may have the place, in `windows` sorted by `lowest`, adds to the queue.
fn release(queue: &mut Queue, windows: &mut std::iter::Peekable<impl Iterator<Item = Window>>, place: u64) {
    while let Some(window) = windows.next_if(|window| window.lowest <= place) {
        queue.push(Reverse((window.highest, window.operation)));
    }
}

/// Err: a write that has none.
fn give_places(places: &[u64], mut windows: Vec<Window>) -> Result<(), u32> {
    windows.sort_by_key(|window| window.lowest);
    let mut windows = windows.into_iter().peekable();
    let mut queue = Queue::new();
    for place in places {
        release(&mut queue, &mut windows, *place);
        if let Some(Reverse((highest, operation))) = queue.pop()
            && highest < *place
        {
            return Err(operation);
        }
    }
    // Whoever is left comes after all that are pinned.
    release(&mut queue, &mut windows, u64::MAX);
    queue
        .into_iter()
        .find(|Reverse((highest, _))| *highest < u64::MAX)
        .map_or(Ok(()), |Reverse((_, it))| Err(it))
}

/// Whoever can have made a state that nobody is known to have made; and of them those of which
/// it is certain. It is not when a write that can have one place only has to come after another
/// whose place is open.
fn fillers(chain: &Chain) -> (Vec<Window>, Vec<Window>) {
    let free = windows(chain);
    let ends = || chain.free.iter().map(|zone| zone.first_end.ns).collect();
    let (mut lowest, mut highest) = (Below::new(ends()), Below::new(ends()));
    for (zone, window) in chain.free.iter().zip(&free) {
        lowest.put(zone.first_end.ns, window.lowest);
        highest.put(zone.first_end.ns, window.highest);
    }
    let pinned = Lowest::of(chain);
    let (mut likely, mut certain) = (free.clone(), free);
    for Maybe { start, at } in &chain.maybe {
        let least = pinned.get(start.ns, start.ns).max(lowest.greatest_below(start.ns));
        let operation = start.operation;
        match at {
            None => {
                let window = Window { lowest: least, highest: u64::MAX, operation };
                likely.push(window);
                certain.push(window);
            }
            Some(at) if least <= *at => {
                let window = Window { lowest: *at, highest: *at, operation };
                likely.push(window);
                if highest.greatest_below(start.ns) <= *at {
                    certain.push(window);
                }
            }
            Some(_) => {}
        }
    }
    (likely, certain)
}

/// Err: a place that nobody can have.
fn fill(places: &[u64], mut windows: Vec<Window>) -> Result<(), u64> {
    windows.sort_by_key(|window| window.lowest);
    let mut windows = windows.into_iter().peekable();
    let mut queue = Queue::new();
    for place in places {
        release(&mut queue, &mut windows, *place);
        while queue.peek().is_some_and(|Reverse((highest, _))| highest < place) {
            queue.pop();
        }
        if queue.pop().is_none() {
            return Err(*place);
        }
    }
    Ok(())
}
