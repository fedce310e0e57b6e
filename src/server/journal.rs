//! [`Journal`]: what took long on this node, as `SLOWLOG` and `LATENCY` show it. The observer
//! tells what and how long; here it gets its place in time and the name of its client. This
//! module must never hold more than its bounds.

use super::clients::ClientTable;
use crate::group::Slow;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

/// See the module.
#[derive(Default)]
pub struct Journal {
    pub slow: SlowLog,
    pub latency: Latency,
}

/// The slow log.
pub struct SlowLog {
    /// `slowlog-max-len`
    pub max_len: Cell<i64>,
    /// The newest first.
    pub entries: RefCell<VecDeque<SlowEntry>>,
    next_id: Cell<i64>,
    /// The last transaction that left something here: its connection, and the first entry that is not of it.
    last_exec: Cell<Option<(u64, i64)>>,
}

/// A command that took long.
pub struct SlowEntry {
    pub id: i64,
    pub at_s: i64,
    pub duration_us: u64,
    pub args: Vec<Vec<u8>>,
    pub client_addr: String,
    pub client_name: String,
}

/// Events by their kind.
#[derive(Default)]
pub struct Latency {
    pub events: RefCell<BTreeMap<&'static str, Series>>,
}

/// Events of one kind: one a second at most, the longest of it.
#[derive(Default)]
pub struct Series {
    /// Unix time in seconds, and milliseconds that it took; the oldest first.
    pub samples: VecDeque<(i64, u64)>,
    /// The longest ever.
    pub max_ms: u64,
}

impl Default for SlowLog {
    fn default() -> Self {
        Self {
            max_len: Cell::new(limits::SLOWLOG_ENTRIES),
            entries: RefCell::default(),
            next_id: Cell::default(),
            last_exec: Cell::default(),
        }
    }
}

impl SlowLog {
    /// Forgets everything.
    pub fn reset(&self) {
        self.entries.borrow_mut().clear();
    }

    /// The same within a transaction of this connection, all of whose commands were carried out before it gets here:
    /// what the transaction has woken is told behind this, which `tell` does.
    pub fn reset_in_exec(&self, ticket: u64, tell: impl FnOnce()) {
        let last_exec = self.last_exec.get().filter(|(of, _)| *of == ticket);
        let first_id = last_exec.map_or(i64::MAX, |(_, first_id)| first_id);
        let mut woken = self.entries.take();
        woken.retain(|entry| entry.id >= first_id);
        tell();
        woken.into_iter().rev().for_each(|entry| self.add(entry));
    }

    fn add(&self, entry: SlowEntry) {
        let mut entries = self.entries.borrow_mut();
        entries.push_front(SlowEntry { id: self.next_id.replace(self.next_id.get() + 1), ..entry });
        entries.truncate(usize::try_from(self.max_len.get()).unwrap_or(0));
    }
}

impl Latency {
    fn add(&self, name: &'static str, at_s: i64, duration_ms: u64) {
        let mut events = self.events.borrow_mut();
        let series = events.entry(name).or_default();
        series.max_ms = series.max_ms.max(duration_ms);
        match series.samples.back_mut() {
            Some((last_s, longest_ms)) if *last_s == at_s => *longest_ms = (*longest_ms).max(duration_ms),
            _ => {
                if series.samples.len() >= limits::LATENCY_SAMPLES {
                    series.samples.pop_front();
                }
                series.samples.push_back((at_s, duration_ms));
            }
        }
    }
}

/// Unix time in seconds.
pub fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64
}

impl ClientTable {
    /// Writes down what the observer has to tell.
    pub(super) fn write_journal(&self) {
        let (observer, journal) = (&self.stats().observer, &self.stats().journal);
        if !observer.has_slow() {
            return;
        }
        let at_s = now_s();
        for slow in observer.take_slow() {
            match slow {
                Slow::Exec(ticket) => journal.slow.last_exec.set(Some((ticket, journal.slow.next_id.get()))),
                Slow::Event { name, duration_ms } => journal.latency.add(name, at_s, duration_ms),
                Slow::Command { ticket, duration_us, args } => {
                    let (client_addr, client_name) = self.name_of(ticket);
                    let entry = SlowEntry { id: 0, at_s, duration_us, args, client_addr, client_name };
                    journal.slow.add(entry);
                }
            }
        }
    }
}
