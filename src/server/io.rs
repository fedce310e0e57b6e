//! [`IoThreads`]: threads that own the sockets of clients and nothing else, as the node's thread sees
//! them (`--io-threads`). They read, decode and write; commands are carried out where they always are.
//! What passes between the threads passes as one batch a turn (`io/mail.rs`), never command by
//! command: waking a thread costs more than most commands. This module must never wait for a thread,
//! but at the end.

mod mail;
mod remote;
mod socket;
mod worker;

pub use mail::End;
pub use remote::Remote;

use super::Shared;
use super::clients::ClientTable;
use mail::{Arrivals, Gauge, Mailbox, Order, Orders};
use mio::{Poll, Waker};
use slog::Logger;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use worker::{WAKER, Worker};

/// See the module.
pub struct IoThreads {
    threads: Vec<Rc<IoThread>>,
    arrived: Arc<Notify>,
    due: Rc<Due>,
    /// What was last added to the node's counters.
    counted: Cell<[u64; 4]>,
    arrivals: RefCell<Arrivals>,
}

/// Whether there are orders that no thread has been given yet.
#[derive(Default)]
struct Due {
    is_due: Cell<bool>,
    told: Notify,
}

/// One of them.
struct IoThread {
    mailbox: Arc<Mailbox>,
    waker: Waker,
    /// What it is given at the end of the turn.
    outbox: RefCell<Orders>,
    connections: Cell<usize>,
    handle: RefCell<Option<JoinHandle<()>>>,
}

/// What threads have done since the last look, or since their start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    pub reads: u64,
    pub writes: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

impl IoThreads {
    /// Starts `count` threads.
    pub fn start(count: usize, logger: &Logger) -> io::Result<Self> {
        let arrived = Arc::new(Notify::new());
        let mut threads = Vec::new();
        for number in 1..=count {
            let poll = Poll::new()?;
            let waker = Waker::new(poll.registry(), WAKER)?;
            let mailbox = Arc::new(Mailbox::default());
            let worker = Worker::new(poll, Arc::clone(&mailbox), Arc::clone(&arrived), logger.clone());
            let handle = worker::spawn(number, worker)?;
            threads.push(Rc::new(IoThread {
                mailbox,
                waker,
                outbox: RefCell::default(),
                connections: Cell::default(),
                handle: RefCell::new(Some(handle)),
            }));
        }
        let due = Rc::default();
        Ok(Self { threads, arrived, due, counted: Cell::default(), arrivals: RefCell::default() })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Gives a new connection to the thread that has the fewest.
    pub fn adopt(&self, id: u64, socket: TcpStream) -> io::Result<Rc<Remote>> {
        let fewest =
            self.threads.iter().filter(|thread| !thread.is_over()).min_by_key(|it| it.connections.get());
        let thread = fewest.ok_or(io::ErrorKind::NotConnected)?;
        let socket = socket.into_std()?;
        let gauge = Arc::new(Gauge::default());
        let remote = Remote::new(id, &socket, Rc::clone(thread), Rc::clone(&self.due), Arc::clone(&gauge));
        remote.post(Order::Adopt(socket, gauge));
        Ok(Rc::new(remote))
    }

    /// Gives the threads what has come together for them.
    pub fn hand_over(&self) {
        if self.due.is_due.replace(false) {
            self.threads.iter().for_each(|thread| thread.hand_over());
        }
    }

    /// Takes in what arrives and hands over what nobody else has, for ever.
    async fn serve(&self, clients: &ClientTable) {
        loop {
            tokio::select! {
                biased;
                () = self.arrived.notified() => self.take_in(clients),
                // Connections have done by now what they were woken for.
                () = self.due.told.notified() => self.hand_over(),
            }
        }
    }

    fn take_in(&self, clients: &ClientTable) {
        let now = Instant::now();
        let mut arrivals = self.arrivals.borrow_mut();
        for thread in &self.threads {
            thread.mailbox.collect(&mut arrivals);
            let Arrivals { news, requests } = &mut *arrivals;
            let mut requests = requests.drain(..);
            for news in news.drain(..) {
                let its = requests.by_ref().take(news.requests);
                match clients.get(news.client) {
                    Some(client) => client.heard(its, news.leave, news.end, now),
                    None => its.for_each(drop),
                }
            }
        }
    }

    /// What the threads have done since the last call.
    pub fn count(&self) -> Done {
        let whole = self.done();
        let whole = [whole.reads, whole.writes, whole.received_bytes, whole.sent_bytes];
        let before = self.counted.replace(whole);
        let [reads, writes, received_bytes, sent_bytes] = std::array::from_fn(|i| whole[i] - before[i]);
        Done { reads, writes, received_bytes, sent_bytes }
    }

    fn done(&self) -> Done {
        let mut done = Done::default();
        for thread in &self.threads {
            let counters = &thread.mailbox.counters;
            done.reads += counters.reads.load(Ordering::Relaxed);
            done.writes += counters.writes.load(Ordering::Relaxed);
            done.received_bytes += counters.received_bytes.load(Ordering::Relaxed);
            done.sent_bytes += counters.sent_bytes.load(Ordering::Relaxed);
        }
        done
    }

    /// Ends the threads, when their connections have ended.
    pub fn stop(&self) {
        self.hand_over();
        for thread in &self.threads {
            thread.stop();
        }
    }
}

/// What the node's thread does for its I/O threads, if there are any.
pub async fn run(shared: Rc<Shared>) {
    if let Some(threads) = shared.clients.io() {
        threads.serve(&shared.clients).await;
    }
}

impl ClientTable {
    /// Adds what I/O threads have done to the counters of the node.
    pub(super) fn count_io(&self) {
        let Some(threads) = self.io() else { return };
        let (stats, done) = (self.stats(), threads.count());
        stats.add(&stats.io_reads, done.reads);
        stats.add(&stats.io_writes, done.writes);
        stats.add(&stats.net_input_bytes, done.received_bytes);
        stats.add(&stats.net_output_bytes, done.sent_bytes);
    }
}

impl Drop for IoThreads {
    fn drop(&mut self) {
        self.stop();
    }
}

impl IoThread {
    fn hand_over(&self) {
        let mut outbox = self.outbox.borrow_mut();
        if !outbox.is_empty() && self.mailbox.order(&mut outbox) {
            self.wake();
        }
    }

    fn wake(&self) {
        // An eventfd refuses only when it has been written to already.
        let _ = self.waker.wake();
    }

    fn is_over(&self) -> bool {
        self.handle.borrow().as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn stop(&self) {
        let Some(handle) = self.handle.take() else { return };
        if self.mailbox.stop() {
            self.wake();
        }
        // It has nothing to wait for; what it could say has been logged.
        let _ = handle.join();
    }
}
