//! Writes the log, one sync for everything that waits, in order: on a thread of its own, so that
//! a slow disk holds up nothing else, or, as long as syncs are short and nothing waits, right in
//! the loop, which saves waking two threads. What nobody waits for it leaves for a moment, for more to share the sync.
//! It must never go on after a failed write: the first error is the last thing it says.

use super::compaction::Compactions;
use crate::group::LogWrite;
use crate::storage::{LogBase, LogBatch, LogStore, StoreError, StoreStatus};
use crate::wire::GroupId;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvError, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, park_timeout};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most persists that share one sync. More wait for the next.
const MAX_BATCHES_A_SYNC: usize = 256;
/// Bytes of entries after which no more share a sync: what is long is acknowledged piece by piece.
const MOST_BYTES_A_SYNC: usize = 4 << 20;

enum Work {
    Write { number: u64, group: GroupId, batch: LogBatch, can_wait: bool },
    Compact { group: GroupId, through: u64 },
    Close,
}

/// How long a write that can wait may wait for others.
const SOON: Duration = Duration::from_millis(1);

/// What the disk thread says.
#[derive(Debug)]
pub enum Written {
    /// Every write up to this number is durable.
    Through(u64),
    /// The store failed; nothing after the last `Through` is known to be durable.
    Failed(StoreError),
}

/// A sync this long is short: the loop may wait for it.
const SHORT: Duration = Duration::from_micros(250);
/// After one this long the loop does not wait again until it has seen [`CALM_AFTER`] short ones.
const LONG: Duration = Duration::from_millis(2);
/// One this long may have cost an election: a disk that does that is not trusted for [`BARRED_FOR`].
const STALL: Duration = Duration::from_millis(50);
const BARRED_FOR: Duration = Duration::from_secs(600);
/// So many short syncs make a disk quick.
const CALM_AFTER: u32 = 64;
/// Bytes of entries that the loop writes itself, at most.
const MOST_INLINE_BYTES: usize = 64 << 10;

/// The log, and how quick its disk has been.
struct Log {
    store: Box<dyn LogStore>,
    /// How many syncs were short lately.
    calm: u32,
    /// Until then the loop does not wait for it.
    barred_until: Option<Instant>,
}

impl Log {
    fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
        if batches.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let outcome = self.store.write(batches);
        let took = begun.elapsed();
        self.calm = if took <= SHORT {
            (self.calm + 1).min(2 * CALM_AFTER)
        } else if took >= LONG {
            0
        } else {
            self.calm.saturating_sub(4)
        };
        if took >= STALL {
            self.barred_until = Some(begun + took + BARRED_FOR);
        }
        outcome
    }

    fn is_quick(&self) -> bool {
        self.calm >= CALM_AFTER && self.barred_until.is_none_or(|until| Instant::now() >= until)
    }
}

/// What the loop and the thread share.
struct Shared {
    log: Mutex<Option<Log>>,
    status: Mutex<StoreStatus>,
    /// Work that the thread has been given and has not finished.
    queued: AtomicUsize,
    /// Some of it cannot wait.
    is_urgent: AtomicBool,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Option<Log>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_status(&self, log: &Log) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = log.store.status();
    }
}

/// The handle on the disk. Its queue is bounded by what Raft lets be uncommitted and, on a
/// leader, by how far it gets ahead of its disk.
pub struct Disk {
    work: mpsc::Sender<Work>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread. What it has written comes out of the receiver.
    pub fn start(store: Box<dyn LogStore>) -> io::Result<(Self, UnboundedReceiver<Written>)> {
        let (work, queue) = mpsc::channel();
        let (written, receiver) = unbounded_channel();
        let status = Mutex::new(store.status());
        let log = Mutex::new(Some(Log { store, calm: 0, barred_until: None }));
        let shared =
            Arc::new(Shared { log, status, queued: AtomicUsize::new(0), is_urgent: AtomicBool::new(false) });
        let of_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || run(&of_thread, &queue, &written))?;
        Ok((Self { work, shared, thread: Some(thread) }, receiver))
    }

    /// Queues a write.
    pub fn write(&self, number: u64, group: GroupId, log: LogWrite) {
        self.queue(Work::Write { number, group, batch: batch(log), can_wait: false });
    }

    /// Queues a write that can wait for others: at most [`SOON`], or until something comes that cannot.
    pub fn write_soon(&self, number: u64, group: GroupId, log: LogWrite) {
        self.give(Work::Write { number, group, batch: batch(log), can_wait: true });
    }

    /// Whether these writes had better be made at once, by [`Self::write_now`].
    pub fn is_quick<'a>(&self, mut writes: impl Iterator<Item = &'a LogWrite>) -> bool {
        let bytes = |write: &LogWrite| entry_bytes(&write.entries);
        self.shared.queued.load(Ordering::Acquire) == 0
            && writes
                .try_fold(0, |sum, write| Some(sum + bytes(write)).filter(|it| *it <= MOST_INLINE_BYTES))
                .is_some()
            && self.shared.log().as_ref().is_some_and(Log::is_quick)
    }

    /// Writes in the calling thread, behind everything that was queued: there must be nothing.
    pub fn write_now(
        &self,
        group: GroupId,
        writes: impl Iterator<Item = (u64, LogWrite)>,
    ) -> Option<Written> {
        let mut through = None;
        let mut batches = Vec::new();
        for (number, write) in writes {
            through = Some(number);
            batches.push((group, batch(write)));
        }
        batches.retain(|(_, batch)| !batch.is_empty());
        let mut log = self.shared.log();
        let log = log.as_mut()?;
        match log.write(&batches) {
            Ok(()) => through.map(Written::Through),
            Err(error) => Some(Written::Failed(error)),
        }
    }

    /// Lets go of the log up to `through`.
    pub fn compact(&self, group: GroupId, through: u64) {
        self.queue(Work::Compact { group, through });
    }

    fn queue(&self, work: Work) {
        self.shared.is_urgent.store(true, Ordering::Release);
        self.give(work);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    fn give(&self, work: Work) {
        self.shared.queued.fetch_add(1, Ordering::Release);
        // A thread that has ended has said why.
        let _ = self.work.send(work);
    }

    /// The store's figures as of its last write; while the thread writes, of the one before.
    pub fn status(&self) -> StoreStatus {
        if let Ok(log) = self.shared.log.try_lock()
            && let Some(log) = log.as_ref()
        {
            self.shared.note_status(log);
        }
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what is queued, closes the store and ends the thread.
    pub fn close(&mut self) {
        self.queue(Work::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn entry_bytes(entries: &[raft::eraftpb::Entry]) -> usize {
    entries.iter().map(|entry| entry.data.len()).sum()
}

fn batch(log: LogWrite) -> LogBatch {
    let reset = log.reset.map(|point| LogBase { index: point.index, term: point.term });
    LogBatch { hard_state: log.hard_state, reset, entries: log.entries }
}

/// Waits for work; for so long at most, if the next step of a compaction is due then.
fn next(queue: &mpsc::Receiver<Work>, due_in: Option<Duration>) -> Result<Option<Work>, RecvError> {
    let Some(due_in) = due_in else { return queue.recv().map(Some) };
    match queue.recv_timeout(due_in) {
        Ok(work) => Ok(Some(work)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(RecvError),
    }
}

/// Until something comes that cannot wait (which may be taken with the rest, or right after it), or nothing may wait
/// any longer.
fn wait_for_more(shared: &Shared) {
    let until = Instant::now() + SOON;
    while !shared.is_urgent.swap(false, Ordering::AcqRel) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        park_timeout(left);
    }
}

fn run(shared: &Shared, queue: &mpsc::Receiver<Work>, written: &UnboundedSender<Written>) {
    let mut batches = Vec::new();
    let mut closing = false;
    // More was there than one sync takes: what comes next has waited.
    let mut is_behind = false;
    let mut compactions = Compactions::default();
    while !closing && let Ok(first) = next(queue, compactions.due_in()) {
        let mut through = None;
        let mut taken = 0;
        if matches!(first, Some(Work::Write { can_wait: true, .. })) && !is_behind {
            wait_for_more(shared);
        }
        if first.is_none() {
            // The loop must not wait for the log meanwhile.
            shared.queued.fetch_add(1, Ordering::Release);
            taken += 1;
        }
        let (mut first, mut bytes) = (first, 0);
        while taken <= MAX_BATCHES_A_SYNC
            && bytes < MOST_BYTES_A_SYNC
            && let Some(work) = first.take().or_else(|| queue.try_recv().ok())
        {
            taken += 1;
            match work {
                Work::Write { number, group, batch, .. } => {
                    through = Some(number);
                    bytes += entry_bytes(&batch.entries);
                    if !batch.is_empty() {
                        batches.push((group, batch));
                    }
                }
                Work::Compact { group, through } => compactions.add(group, through),
                Work::Close => closing = true,
            }
        }
        is_behind = taken > MAX_BATCHES_A_SYNC || bytes >= MOST_BYTES_A_SYNC;
        let mut guard = shared.log();
        let Some(log) = guard.as_mut() else { return };
        shared.note_status(log); // of what the loop has written meanwhile
        let mut outcome = log.write(&batches);
        batches.clear();
        if let (Ok(()), Some(number)) = (&outcome, through) {
            let _ = written.send(Written::Through(number));
        }
        // After the acknowledgement: nobody waits for it.
        outcome = outcome.and_then(|()| compactions.step(&mut *log.store));
        shared.note_status(log);
        drop(guard);
        if let Err(error) = outcome {
            // The loop must not write behind what is lost: `queued` stays as it is.
            let _ = written.send(Written::Failed(error));
            return;
        }
        shared.queued.fetch_sub(taken, Ordering::Release);
    }
    if let Some(log) = shared.log().take()
        && let Err(error) = log.store.close()
    {
        let _ = written.send(Written::Failed(error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::LoadedLog;
    use std::sync::atomic::AtomicU64;

    /// A log on a disk that takes `pause_us`, and fails at [`FAILS`].
    struct Slow {
        pause_us: Arc<AtomicU64>,
        written: Arc<AtomicU64>,
    }

    const FAILS: u64 = u64::MAX;

    impl LogStore for Slow {
        fn load(&mut self, _: GroupId) -> Result<LoadedLog, StoreError> {
            Ok(LoadedLog::default())
        }

        fn write(&mut self, batches: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
            match self.pause_us.load(Ordering::SeqCst) {
                FAILS => return Err(StoreError::Impossible { group: 1, what: "nothing works".to_owned() }),
                pause_us => std::thread::sleep(Duration::from_micros(pause_us)),
            }
            self.written.fetch_add(batches.len() as u64, Ordering::SeqCst);
            Ok(())
        }

        fn compact(&mut self, _: GroupId, _: u64) -> Result<(), StoreError> {
            Ok(())
        }

        fn status(&self) -> StoreStatus {
            StoreStatus::default()
        }

        fn close(self: Box<Self>) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn vote(term: u64) -> LogWrite {
        let hard_state = raft::eraftpb::HardState { term, ..Default::default() };
        LogWrite { hard_state: Some(hard_state), ..LogWrite::default() }
    }

    #[tokio::test]
    async fn the_loop_writes_itself_as_long_as_the_disk_is_quick() {
        let (pause_us, written) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let store = Slow { pause_us: pause_us.clone(), written: written.clone() };
        let (mut disk, mut done) = Disk::start(Box::new(store)).unwrap();
        let quick = |disk: &Disk| disk.is_quick([vote(1)].iter());
        assert!(!quick(&disk), "nothing is known of it");
        let mut number = 0;
        // More than there should have to be: a busy machine may stop the thread in a write.
        while !quick(&disk) && number < 10_000 {
            number += 1;
            disk.write(number, 1, vote(number));
            assert!(!quick(&disk) || written.load(Ordering::SeqCst) == number, "something is queued");
            assert!(matches!(done.recv().await, Some(Written::Through(through)) if through == number));
            // The thread has said so before it has done with it.
            while disk.shared.queued.load(Ordering::Acquire) > 0 {
                tokio::task::yield_now().await;
            }
        }
        assert!(number >= u64::from(CALM_AFTER) && quick(&disk), "after {number} writes");
        let entry =
            raft::eraftpb::Entry { data: vec![0; MOST_INLINE_BYTES + 1].into(), ..Default::default() };
        assert!(
            !disk.is_quick([LogWrite { entries: vec![entry], ..LogWrite::default() }].iter()),
            "too long"
        );

        let before = written.load(Ordering::SeqCst);
        let outcome = disk.write_now(1, [(901, vote(901)), (902, vote(902))].into_iter());
        assert!(matches!(outcome, Some(Written::Through(902))));
        assert_eq!(written.load(Ordering::SeqCst), before + 2, "written when it returned");

        pause_us.store(2 * STALL.as_micros() as u64, Ordering::SeqCst);
        disk.write_now(1, [(903, vote(903))].into_iter());
        assert!(!quick(&disk), "it has stalled");
        pause_us.store(0, Ordering::SeqCst);
        for number in 0..2 * u64::from(CALM_AFTER) {
            disk.write_now(1, [(1000 + number, vote(1))].into_iter());
        }
        assert!(!quick(&disk), "not so soon again");

        pause_us.store(FAILS, Ordering::SeqCst);
        let outcome = disk.write_now(1, [(2000, vote(1))].into_iter());
        assert!(matches!(outcome, Some(Written::Failed(_))));
        pause_us.store(0, Ordering::SeqCst);
        disk.close();
    }
}
