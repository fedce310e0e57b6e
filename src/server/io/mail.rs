//! What passes between the node's thread and an I/O thread: [`Orders`] one way, [`Arrivals`] the
//! other, each as one batch of all connections, and what both look at without asking ([`Gauge`]).
//! Nothing here may be held locked while anything waits.

use crate::command::Request;
use crate::resp::{Limits, ProtocolError};
use crate::server::output::Output;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a request costs besides its bytes, as far as the bound of those that wait goes.
const REQUEST_OVERHEAD_BYTES: usize = 128;

/// What a request counts for while it waits for the node's thread.
pub fn weight(request: &Request) -> usize {
    request.size_bytes() + REQUEST_OVERHEAD_BYTES
}

/// To one connection of an I/O thread.
pub enum Order {
    /// It is this thread's from now on.
    Adopt(TcpStream, Arc<Gauge>),
    /// What its requests may be, and leave to decode under that number. As long as the client is not
    /// authenticated, the leave is for one request: the next may be under other limits.
    Limits(Limits, u32),
    /// Requests of that weight have been taken: so many more may come.
    Credit(usize),
    /// So many of the batch's bytes are for the client.
    Send(usize),
    /// Those are for the client.
    SendLong(Output),
    /// It ends, with what is unsent.
    Close,
}

/// From the node's thread, in order. Bounded by what each client may have unsent.
#[derive(Default)]
pub struct Orders {
    pub orders: Vec<(u64, Order)>,
    /// Of all [`Order::Send`], in their order.
    pub bytes: Vec<u8>,
}

impl Orders {
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Appends `later`, and leaves it empty.
    fn append(&mut self, later: &mut Self) {
        if self.is_empty() {
            return std::mem::swap(self, later);
        }
        self.orders.append(&mut later.orders);
        self.bytes.append(&mut later.bytes);
    }
}

/// Why nothing more comes from a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It will send nothing more, but may read.
    Eof,
    /// It broke the protocol.
    Broke(ProtocolError),
    /// The connection is no more.
    Lost,
}

/// Of one connection.
#[derive(Debug)]
pub struct News {
    pub client: u64,
    /// How many of the batch's requests are its.
    pub requests: usize,
    /// Under which leave they were decoded.
    pub leave: u32,
    pub end: Option<End>,
}

/// To the node's thread, in order. Bounded by the credit that each connection has.
#[derive(Default)]
pub struct Arrivals {
    pub news: Vec<News>,
    /// Of all [`News`], in their order.
    pub requests: Vec<Request>,
}

impl Arrivals {
    pub fn is_empty(&self) -> bool {
        self.news.is_empty()
    }

    fn append(&mut self, later: &mut Self) {
        if self.is_empty() {
            return std::mem::swap(self, later);
        }
        self.news.append(&mut later.news);
        self.requests.append(&mut later.requests);
    }
}

/// How a connection is doing, as both threads see it.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Bytes handed over by the node's thread and not yet taken by the socket.
    pub unsent_bytes: AtomicUsize,
    /// The node's thread wants to be told when there are few of those.
    pub watched: AtomicBool,
    /// Bytes that have arrived, ever.
    pub received_bytes: AtomicU64,
    /// Bytes that are no whole request yet, and what their buffer takes.
    pub input_bytes: AtomicUsize,
    pub input_capacity: AtomicUsize,
}

/// What an I/O thread has done since its start.
#[derive(Debug, Default)]
pub struct Counters {
    pub reads: AtomicU64,
    pub writes: AtomicU64,
    pub received_bytes: AtomicU64,
    pub sent_bytes: AtomicU64,
}

/// Adds to a count that no other thread adds to.
pub fn add(count: &AtomicU64, n: u64) {
    count.store(count.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

/// What is on its way between the node's thread and one I/O thread.
#[derive(Default)]
pub struct Mailbox {
    orders: Mutex<Inbox>,
    arrivals: Mutex<Arrivals>,
    pub counters: Counters,
}

#[derive(Default)]
struct Inbox {
    orders: Orders,
    /// The thread has nothing to do, and has to be woken.
    sleeps: bool,
    stops: bool,
}

/// What an I/O thread finds when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Orders,
    Nothing,
    Stop,
}

/// A panic of the other side leaves a batch that is whole: it is changed by moving only.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// Hands orders over, and leaves `orders` empty. Whether the thread has to be woken.
    pub fn order(&self, orders: &mut Orders) -> bool {
        let mut inbox = lock(&self.orders);
        inbox.orders.append(orders);
        std::mem::take(&mut inbox.sleeps)
    }

    /// Ends the thread. Whether it has to be woken.
    pub fn stop(&self) -> bool {
        let mut inbox = lock(&self.orders);
        inbox.stops = true;
        std::mem::take(&mut inbox.sleeps)
    }

    /// Takes all orders into `orders`, which is empty; if there are none and the thread is `idle`,
    /// it is asleep from here on.
    pub fn look(&self, orders: &mut Orders, idle: bool) -> Look {
        let mut inbox = lock(&self.orders);
        inbox.sleeps = false;
        if inbox.stops {
            return Look::Stop;
        }
        if inbox.orders.is_empty() {
            inbox.sleeps = idle;
            return Look::Nothing;
        }
        std::mem::swap(&mut inbox.orders, orders);
        Look::Orders
    }

    /// Hands arrivals over, and leaves `arrivals` empty. Whether the node's thread has to be told.
    pub fn arrive(&self, arrivals: &mut Arrivals) -> bool {
        let mut waiting = lock(&self.arrivals);
        let were_none = waiting.is_empty();
        waiting.append(arrivals);
        were_none
    }

    /// Takes all arrivals into `arrivals`, which is empty.
    pub fn collect(&self, arrivals: &mut Arrivals) {
        std::mem::swap(&mut *lock(&self.arrivals), arrivals);
    }
}
