//! Counters for `INFO`, and what the process uses of the machine. This module must never
//! cost a command more than an addition.

use super::Shared;
use super::journal::Journal;
use crate::group::Observer;
use rustix::time::{ClockId, clock_gettime};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};

const SAMPLES: usize = 16;
const MEMORY_REFRESH: Duration = Duration::from_millis(1);
/// Bytes that a thread has ever allocated, and freed.
type ThreadCounts = [ThreadLocal<u64>; 2];
/// Linux tells processor time in ticks of USER_HZ, which is 100 on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// What one node counted since its start.
pub struct Stats {
    pub started: Instant,
    pub connections_received: Cell<u64>,
    pub connections_rejected: Cell<u64>,
    pub commands_processed: Cell<u64>,
    pub net_input_bytes: Cell<u64>,
    pub net_output_bytes: Cell<u64>,
    /// Of I/O threads.
    pub io_reads: Cell<u64>,
    pub io_writes: Cell<u64>,
    pub memory_peak_bytes: Cell<usize>,
    pub memory_startup_bytes: Cell<usize>,
    /// What [`keyspace`] counted when it was last set back.
    keyspace_before: Cell<[u64; 5]>,
    /// Of what commands cost.
    pub observer: Rc<Observer>,
    /// Of what took long.
    pub journal: Journal,
    rates: RefCell<Rates>,
    /// As it was measured last, and the balance of this thread then.
    memory: Cell<Option<(Instant, Memory, u64)>>,
    thread: Option<ThreadCounts>,
    /// What tests take for the allocator's count.
    #[cfg(test)]
    pub pretended: RefCell<Option<Box<dyn Fn() -> usize>>>,
}

/// Bytes, by the allocator's own count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    pub allocated_bytes: usize,
    pub active_bytes: usize,
    pub resident_bytes: usize,
}

/// A ring of the last rates, as Redis averages them.
struct Rates {
    at: Instant,
    counts: [u64; 3],
    per_second: [[f64; SAMPLES]; 3],
    next: usize,
}

impl Default for Stats {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            connections_received: Cell::default(),
            connections_rejected: Cell::default(),
            commands_processed: Cell::default(),
            net_input_bytes: Cell::default(),
            net_output_bytes: Cell::default(),
            io_reads: Cell::default(),
            io_writes: Cell::default(),
            memory_peak_bytes: Cell::default(),
            memory_startup_bytes: Cell::new(read_memory().unwrap_or_default().allocated_bytes),
            keyspace_before: Cell::default(),
            observer: Rc::new(Observer::new(Some(monotonic_ns))),
            journal: Journal::default(),
            rates: RefCell::new(Rates { at: now, counts: [0; 3], per_second: [[0.0; SAMPLES]; 3], next: 0 }),
            memory: Cell::default(),
            thread: allocatedp::read().and_then(|all| Ok([all, deallocatedp::read()?])).ok(),
            #[cfg(test)]
            pretended: RefCell::default(),
        }
    }
}

impl Stats {
    /// Adds to one of the counters.
    pub fn add(&self, counter: &Cell<u64>, n: u64) {
        counter.set(counter.get() + n);
    }

    /// `CONFIG RESETSTAT`: counts from nothing again.
    pub(super) fn reset(&self, shared: &Shared) {
        self.keyspace_before.set(all_of_keyspace(shared));
        shared.clients.count_io();
        self.memory_peak_bytes.set(self.memory().allocated_bytes);
        for counter in [
            &self.connections_received,
            &self.connections_rejected,
            &self.commands_processed,
            &self.net_input_bytes,
            &self.net_output_bytes,
            &self.io_reads,
            &self.io_writes,
        ] {
            counter.set(0);
        }
        self.observer.reset();
        shared.clients.eviction.reset();
        let mut rates = self.rates.borrow_mut();
        rates.counts = [0; 3];
        rates.per_second = [[0.0; SAMPLES]; 3];
    }

    /// Takes a sample of the rates; called a few times a second.
    pub fn sample(&self, now: Instant) {
        let counts = [self.commands_processed.get(), self.net_input_bytes.get(), self.net_output_bytes.get()];
        let mut rates = self.rates.borrow_mut();
        let seconds = now.duration_since(rates.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let next = rates.next;
        for (i, count) in counts.iter().enumerate() {
            rates.per_second[i][next] = (count - rates.counts[i]) as f64 / seconds;
        }
        (rates.at, rates.counts, rates.next) = (now, counts, (next + 1) % SAMPLES);
    }

    /// Commands, bytes in and bytes out a second, over the last samples.
    pub fn rates(&self) -> [f64; 3] {
        self.rates.borrow().per_second.map(|samples| samples.iter().sum::<f64>() / SAMPLES as f64)
    }

    /// The allocator's counts, at most a millisecond old.
    pub fn memory(&self) -> Memory {
        let now = Instant::now();
        if let Some((at, memory, _)) = self.memory.get()
            && now.duration_since(at) < MEMORY_REFRESH
        {
            return memory;
        }
        let memory = read_memory().unwrap_or_default();
        self.memory.set(Some((now, memory, self.thread_balance())));
        self.memory_peak_bytes.set(self.memory_peak_bytes.get().max(memory.allocated_bytes));
        memory
    }

    /// Bytes in use, for a few instructions: as they were measured last, and what this thread, which
    /// holds nearly everything, has allocated since. The sampling measures now and then.
    pub fn allocated_estimate(&self) -> usize {
        #[cfg(test)]
        if let Some(pretended) = &*self.pretended.borrow() {
            return pretended();
        }
        let (base_bytes, before) = match self.memory.get() {
            Some((_, memory, balance)) => (memory.allocated_bytes, balance),
            None => (self.memory().allocated_bytes, self.thread_balance()),
        };
        base_bytes.saturating_add_signed(self.thread_balance().wrapping_sub(before) as isize)
    }

    /// The same, measured within the last millisecond.
    pub fn allocated_bytes(&self) -> usize {
        self.memory();
        self.allocated_estimate()
    }

    fn thread_balance(&self) -> u64 {
        self.thread.as_ref().map_or(0, |[all, freed]| all.get().wrapping_sub(freed.get()))
    }
}

/// What the observer measures by.
fn monotonic_ns() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither part is ever negative on this clock.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keys that have expired, reads that found a key, reads that did not, keys that were evicted, and values that were
/// freed bit by bit.
pub(super) fn keyspace(shared: &Shared) -> [u64; 5] {
    let (now, before) = (all_of_keyspace(shared), shared.clients.stats().keyspace_before.get());
    std::array::from_fn(|i| now[i].saturating_sub(before[i]))
}

fn all_of_keyspace(shared: &Shared) -> [u64; 5] {
    let mut all = [0; 5];
    shared.backend.look(&mut |machine| {
        let (hits, misses) = machine.lookups();
        let released = machine.keyspace().released_total();
        all = [machine.expired_total(), hits, misses, machine.evicted_total(), released];
    });
    all
}

fn read_memory() -> Result<Memory, tikv_jemalloc_ctl::Error> {
    use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};
    epoch::advance()?;
    // What threads hold back for their next requests counts as allocated there, of all arenas (4096).
    let held_back: usize = b"stats.arenas.4096.tcache_bytes\0".name().read()?;
    Ok(Memory {
        allocated_bytes: stats::allocated::read()?.saturating_sub(held_back),
        active_bytes: stats::active::read()?,
        resident_bytes: stats::resident::read()?,
    })
}

/// What the allocator says about itself, without each size class and arena.
pub fn allocator_report() -> Vec<u8> {
    use tikv_jemalloc_ctl::stats_print::{Options, stats_print};
    let mut options = Options::default();
    options.skip_per_arena = true;
    options.skip_bin_size_classes = true;
    options.skip_large_size_classes = true;
    let mut text = Vec::new();
    stats_print(&mut text, options).expect("a vector takes what is written to it");
    text
}

/// Of the whole process, for [`cpu_seconds`].
pub const WHOLE: &str = "/proc/self/stat";
/// Of the thread that asks.
pub const THREAD: &str = "/proc/thread-self/stat";

/// Seconds of processor time in the kernel and outside it, or zeros where there is no /proc.
pub fn cpu_seconds(path: &str) -> (f64, f64) {
    let stat = std::fs::read_to_string(path).unwrap_or_default();
    // The second field is the program's name in brackets, and may hold blanks.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = |i| fields.split_whitespace().nth(i).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(12) / TICKS_PER_SECOND, ticks(11) / TICKS_PER_SECOND)
}

/// Resident bytes, or 0 where there is no /proc.
pub fn resident_bytes() -> u64 {
    proc_kib("/proc/self/status", "VmRSS:")
}

/// Bytes of memory of the machine, or 0 where there is no /proc.
pub fn machine_memory_bytes() -> u64 {
    proc_kib("/proc/meminfo", "MemTotal:")
}

fn proc_kib(path: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).map_or(0, |kib| kib << 10)
}
