//! The disk thread: writes the log, one sync for everything that waits, in order. It must
//! never go on after a failed write: the first error is the last thing it says.

use crate::group::LogWrite;
use crate::storage::{LogBase, LogBatch, LogStore, StoreError, StoreStatus};
use crate::wire::GroupId;
use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Most persists that share one sync. More wait for the next.
const MAX_BATCHES_A_SYNC: usize = 256;

enum Work {
    Write { number: u64, group: GroupId, batch: LogBatch },
    Compact { group: GroupId, through: u64 },
    Close,
}

/// What the disk thread says.
#[derive(Debug)]
pub enum Written {
    /// Every write up to this number is durable.
    Through(u64),
    /// The store failed; nothing after the last `Through` is known to be durable.
    Failed(StoreError),
}

/// The handle on the disk thread. Its queue is bounded by what Raft lets be uncommitted.
pub struct Disk {
    work: mpsc::Sender<Work>,
    status: Arc<Mutex<StoreStatus>>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread. What it has written comes out of the receiver.
    pub fn start(store: Box<dyn LogStore>) -> io::Result<(Self, UnboundedReceiver<Written>)> {
        let (work, queue) = mpsc::channel();
        let (written, receiver) = unbounded_channel();
        let status = Arc::new(Mutex::new(store.status()));
        let shared = status.clone();
        let thread = std::thread::Builder::new()
            .name("disk".to_owned())
            .spawn(move || run(store, &queue, &written, &shared))?;
        Ok((Self { work, status, thread: Some(thread) }, receiver))
    }

    /// Queues a write.
    pub fn write(&self, number: u64, group: GroupId, log: LogWrite) {
        let reset = log.reset.map(|point| LogBase { index: point.index, term: point.term });
        let batch = LogBatch { hard_state: log.hard_state, reset, entries: log.entries };
        // A thread that has ended has said why.
        let _ = self.work.send(Work::Write { number, group, batch });
    }

    /// Lets go of the log up to `through`.
    pub fn compact(&self, group: GroupId, through: u64) {
        let _ = self.work.send(Work::Compact { group, through });
    }

    /// The store's figures as of its last write.
    pub fn status(&self) -> StoreStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes what is queued, closes the store and ends the thread.
    pub fn close(&mut self) {
        let _ = self.work.send(Work::Close);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    mut store: Box<dyn LogStore>,
    queue: &mpsc::Receiver<Work>,
    written: &UnboundedSender<Written>,
    status: &Mutex<StoreStatus>,
) {
    let mut batches = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut compactions = Vec::new();
        let mut closing = false;
        let mut through = None;
        for work in std::iter::once(first).chain(queue.try_iter().take(MAX_BATCHES_A_SYNC)) {
            match work {
                Work::Write { number, group, batch } => {
                    through = Some(number);
                    if !batch.is_empty() {
                        batches.push((group, batch));
                    }
                }
                Work::Compact { group, through } => compactions.push((group, through)),
                Work::Close => closing = true,
            }
        }
        let mut outcome = if batches.is_empty() { Ok(()) } else { store.write(&batches) };
        batches.clear();
        if let (Ok(()), Some(number)) = (&outcome, through) {
            let _ = written.send(Written::Through(number));
        }
        for (group, through) in compactions {
            // After the acknowledgement: nobody waits for it.
            outcome = outcome.and_then(|()| store.compact(group, through));
        }
        *status.lock().unwrap_or_else(PoisonError::into_inner) = store.status();
        if let Err(error) = outcome {
            let _ = written.send(Written::Failed(error));
            return;
        }
        if closing {
            break;
        }
    }
    if let Err(error) = store.close() {
        let _ = written.send(Written::Failed(error));
    }
}
