//! [`Observer`]: what the commands of this node's own clients cost, each by its row. It is asked
//! for its clock by the group, which has none: whoever made it decides whether there is one. Nothing
//! here may ever have an influence on a reply or on the state.

mod histogram;

pub use histogram::Histogram;

use crate::command::{self, Command};
use crate::limits;
use crate::wire::units::Args;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};

/// Nanoseconds since whenever; never goes back.
pub type Clock = fn() -> u64;

/// What is known of the calls of one row.
#[derive(Debug, Default)]
pub struct RowStats {
    /// How often it was carried out.
    pub calls: Cell<u64>,
    /// What that took, all in all.
    pub total_ns: Cell<u64>,
    /// How often it ended with an error.
    pub failed: Cell<u64>,
    /// How often it was refused before it began.
    pub rejected: Cell<u64>,
    histogram: OnceCell<Histogram>,
}

impl RowStats {
    /// How its times are distributed, if that is known.
    pub fn histogram(&self) -> Option<&Histogram> {
        self.histogram.get().filter(|histogram| histogram.count() > 0)
    }

    fn reset(&self) {
        for counter in [&self.calls, &self.total_ns, &self.failed, &self.rejected] {
            counter.set(0);
        }
        if let Some(histogram) = self.histogram.get() {
            histogram.reset();
        }
    }
}

/// Something that took long.
#[derive(Debug, PartialEq, Eq)]
pub enum Slow {
    /// A command, as the slow log shows it.
    Command {
        /// The connection that it came from.
        ticket: u64,
        /// The time that it took.
        duration_us: u64,
        /// Cut to a bearable length, secrets left out.
        args: Vec<Vec<u8>>,
    },
    /// A transaction of this connection ends here: what is told from here on is not of its commands.
    Exec(u64),
    /// Of the kinds that `LATENCY` knows.
    Event {
        /// Its kind.
        name: &'static str,
        /// The time that it took.
        duration_ms: u64,
    },
}

/// See the module.
pub struct Observer {
    clock: Option<Clock>,
    numbers: RowNumbers,
    rows: Vec<RowStats>,
    errors: RefCell<BTreeMap<String, u64>>,
    mark_ns: Cell<u64>,
    slow: RefCell<VecDeque<Slow>>,
    /// `slowlog-log-slower-than`: commands from there on are told; negative: none.
    pub slower_than_us: Cell<i64>,
    /// `latency-monitor-threshold`: events from there on are told; 0: none.
    pub latency_threshold_ms: Cell<i64>,
    /// `latency-tracking`: whether distributions are kept.
    pub tracking: Cell<bool>,
    /// Whether the commands of scripts are to be told word by word.
    pub shows_scripts: Cell<bool>,
}

impl Default for Observer {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Observer {
    /// Without a clock everything takes no time.
    pub fn new(clock: Option<Clock>) -> Self {
        let numbers = RowNumbers::new();
        Self {
            clock,
            rows: command::all().map(|_| RowStats::default()).collect(),
            numbers,
            errors: RefCell::default(),
            mark_ns: Cell::default(),
            slow: RefCell::default(),
            slower_than_us: Cell::new(10_000),
            latency_threshold_ms: Cell::new(0),
            tracking: Cell::new(true),
            shows_scripts: Cell::new(false),
        }
    }

    /// The next command begins now. The end of one is the beginning of the next.
    pub fn begin(&self) -> u64 {
        let now_ns = self.clock.map_or(0, |clock| clock());
        self.mark_ns.set(now_ns);
        now_ns
    }

    /// A command has come to its end, whose beginning was the end of the one before.
    pub fn record(&self, row: &'static Command, ticket: u64, args: &Args<'_>, failed: bool) {
        self.record_since(self.mark_ns.get(), row, ticket, args, failed);
    }

    /// The same of a command that was counted before.
    pub fn record_again(&self, row: &'static Command, ticket: u64, args: &Args<'_>, failed: bool) {
        let calls = &self.rows[self.numbers.of(row)].calls;
        let before = calls.get();
        self.record(row, ticket, args, failed);
        calls.set(before);
    }

    /// The same of one that began then.
    pub fn record_since(
        &self,
        began_ns: u64,
        row: &'static Command,
        ticket: u64,
        args: &Args<'_>,
        failed: bool,
    ) {
        let spent_ns = self.begin().saturating_sub(began_ns);
        let stats = &self.rows[self.numbers.of(row)];
        stats.calls.set(stats.calls.get() + 1);
        stats.total_ns.set(stats.total_ns.get() + spent_ns);
        stats.failed.set(stats.failed.get() + u64::from(failed));
        if self.tracking.get() {
            stats.histogram.get_or_init(Histogram::new).record(spent_ns);
        }
        let slower_than_us = self.slower_than_us.get();
        if slower_than_us >= 0 && spent_ns / 1000 >= slower_than_us as u64 {
            self.log_command(row, ticket, args, spent_ns / 1000);
        }
        if self.latency_threshold_ms.get() > 0 {
            let is_fast = row.flags.has(command::Flags::FAST);
            self.event(if is_fast { "fast-command" } else { "command" }, spent_ns);
        }
    }

    /// A transaction of this connection has taken place.
    pub fn ends_exec(&self, ticket: u64) {
        if self.has_slow() {
            self.tell(Slow::Exec(ticket));
        }
    }

    /// A row's part in a script: how often it was carried out, failed and was refused. The time is the script's.
    pub fn count_scripted(&self, row: &'static Command, [calls, failed, refused]: [u64; 3]) {
        let stats = &self.rows[self.numbers.of(row)];
        stats.calls.set(stats.calls.get() + calls);
        stats.failed.set(stats.failed.get() + failed);
        stats.rejected.set(stats.rejected.get() + refused);
    }

    /// A command that was carried out has ended with an error since.
    pub fn fail(&self, row: &'static Command) {
        let stats = &self.rows[self.numbers.of(row)];
        stats.failed.set(stats.failed.get() + 1);
    }

    /// A command was refused before it began.
    pub fn reject(&self, row: &'static Command) {
        let stats = &self.rows[self.numbers.of(row)];
        stats.rejected.set(stats.rejected.get() + 1);
    }

    /// Somebody was answered with this error.
    pub fn count_error(&self, text: &str) {
        self.count_errors(text.split(' ').next().unwrap_or_default(), 1);
    }

    /// So many errors of this code.
    pub fn count_errors(&self, code: &str, more: u64) {
        let mut errors = self.errors.borrow_mut();
        if let Some(count) = errors.get_mut(code) {
            *count += more;
        } else if errors.len() < limits::ERROR_CODES {
            errors.insert(code.to_owned(), more);
        }
    }

    /// Whether events are watched, and so worth measuring.
    pub fn watches_events(&self) -> bool {
        self.latency_threshold_ms.get() > 0
    }

    /// The end of the last command.
    pub fn mark_ns(&self) -> u64 {
        self.mark_ns.get()
    }

    /// The clock.
    pub fn now_ns(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }

    /// Something took as long, and is told if that is long.
    pub fn event(&self, name: &'static str, spent_ns: u64) {
        let (threshold_ms, duration_ms) = (self.latency_threshold_ms.get() as u64, spent_ns / 1_000_000);
        if threshold_ms > 0 && duration_ms >= threshold_ms {
            self.tell(Slow::Event { name, duration_ms });
        }
    }

    /// Whether [`Observer::take_slow`] has something.
    pub fn has_slow(&self) -> bool {
        !self.slow.borrow().is_empty()
    }

    /// What took long since the last call, the oldest first.
    pub fn take_slow(&self) -> VecDeque<Slow> {
        self.slow.take()
    }

    /// All rows that were called or refused, with what is known of them.
    pub fn rows(&self) -> impl Iterator<Item = (&'static Command, &RowStats)> {
        let seen = |stats: &RowStats| stats.calls.get() > 0 || stats.rejected.get() > 0;
        command::all().zip(&self.rows).filter(move |(_, stats)| seen(stats))
    }

    /// What is known of one row.
    pub fn row(&self, row: &'static Command) -> &RowStats {
        &self.rows[self.numbers.of(row)]
    }

    /// Errors by their code, and how often each was answered.
    pub fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.borrow().clone()
    }

    /// Counts from nothing again.
    pub fn reset(&self) {
        self.rows.iter().for_each(RowStats::reset);
        self.errors.borrow_mut().clear();
    }

    fn log_command(&self, row: &'static Command, ticket: u64, args: &Args<'_>, duration_us: u64) {
        if !row.flags.has(command::Flags::SKIP_SLOWLOG) {
            let args = shown(row, args);
            self.tell(Slow::Command { ticket, duration_us, args });
        }
    }

    fn tell(&self, what: Slow) {
        let mut slow = self.slow.borrow_mut();
        if slow.len() >= limits::SLOW_UNTOLD {
            slow.pop_front();
        }
        slow.push_back(what);
    }
}

/// Arguments as the slow log shows them: a bounded number of them, each cut, secrets left out.
fn shown(row: &'static Command, args: &Args<'_>) -> Vec<Vec<u8>> {
    let all = args.len();
    let kept = if all > limits::SLOWLOG_ARGS { limits::SLOWLOG_ARGS - 1 } else { all };
    let cut = |(i, arg): (usize, &&[u8])| {
        if command::is_secret(row, args, i) {
            return b"(redacted)".to_vec();
        }
        match arg.split_at_checked(limits::SLOWLOG_ARG_BYTES) {
            Some((head, rest)) if !rest.is_empty() => {
                [head, format!("... ({} more bytes)", rest.len()).as_bytes()].concat()
            }
            _ => arg.to_vec(),
        }
    };
    let mut shown: Vec<_> = args.iter().enumerate().take(kept).map(cut).collect();
    if kept < all {
        shown.push(format!("... ({} more arguments)", all - kept).into_bytes());
    }
    shown
}

/// Rows to their numbers, by their address: open addressing.
struct RowNumbers {
    slots: Vec<(usize, usize)>,
}

impl RowNumbers {
    fn new() -> Self {
        let len = (4 * command::all().count()).next_power_of_two();
        let mut slots = vec![(0, 0); len];
        let of_name = |row: &Command| command::all().position(|other| other.full_name == row.full_name);
        let readings = command::READINGS.iter().filter_map(|row| Some((of_name(row)?, *row)));
        for (number, row) in command::all().enumerate().chain(readings) {
            let mut at = Self::start(row, len);
            while slots[at].0 != 0 {
                at = (at + 1) % len;
            }
            slots[at] = (std::ptr::from_ref(row).addr(), number);
        }
        Self { slots }
    }

    fn start(row: &'static Command, len: usize) -> usize {
        let address = std::ptr::from_ref(row).addr() as u64;
        (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % len
    }

    fn of(&self, row: &'static Command) -> usize {
        let (len, address) = (self.slots.len(), std::ptr::from_ref(row).addr());
        let mut at = Self::start(row, len);
        while self.slots[at].0 != address {
            assert!(self.slots[at].0 != 0, "{} is a row of the table", row.full_name);
            at = (at + 1) % len;
        }
        self.slots[at].1
    }
}

#[cfg(test)]
mod tests;
