//! [`Remote`]: a connection whose socket an I/O thread has, as the node's thread sees it: what has
//! arrived and is not taken, and how much is on its way out. This module must never hold more
//! requests than the thread was given credit for.

use super::mail::{End, Gauge, Order, weight};
use super::{Due, IoThread};
use crate::command::Request;
use crate::limits;
use crate::resp::{Limits, ProtocolError};
use crate::server::output::Output;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Requests for which an empty queue keeps its room.
const KEPT_REQUESTS: usize = 16;

/// See the module.
pub struct Remote {
    id: u64,
    fd: i32,
    thread: Rc<IoThread>,
    due: Rc<Due>,
    gauge: Arc<Gauge>,
    inlet: RefCell<Inlet>,
    /// Of [`Gauge::received_bytes`], at the last look.
    heard_bytes: Cell<u64>,
}

/// What has arrived.
#[derive(Default)]
struct Inlet {
    requests: VecDeque<Request>,
    weight: usize,
    /// Of those that were taken, since the thread was told.
    taken: usize,
    limits: Option<Limits>,
    /// The last leave that was given, and the one under which the last request was decoded.
    given: u32,
    seen: u32,
    broke: Option<ProtocolError>,
    eof: bool,
}

impl Remote {
    pub(super) fn new(
        id: u64,
        socket: &TcpStream,
        thread: Rc<IoThread>,
        due: Rc<Due>,
        gauge: Arc<Gauge>,
    ) -> Self {
        thread.connections.set(thread.connections.get() + 1);
        let fd = socket.as_raw_fd();
        Self { id, fd, thread, due, gauge, inlet: RefCell::default(), heard_bytes: Cell::default() }
    }

    /// At the end of the turn it is the thread's.
    pub(super) fn post(&self, order: Order) {
        self.thread.outbox.borrow_mut().orders.push((self.id, order));
        if !self.due.is_due.replace(true) {
            self.due.told.notify_one();
        }
    }

    /// Sends what `out` holds, and leaves it empty: what is short is copied into the batch.
    pub fn send(&self, out: &mut Output) {
        if out.is_empty() {
            return;
        }
        self.gauge.unsent_bytes.fetch_add(out.len(), Ordering::SeqCst);
        if out.len() > limits::IO_COPIED_BYTES || !out.is_plain() {
            return self.post(Order::SendLong(std::mem::take(out)));
        }
        self.thread.outbox.borrow_mut().bytes.extend_from_slice(out.front());
        self.post(Order::Send(out.len()));
        out.clear();
    }

    /// Bytes that the socket has not taken yet.
    pub fn unsent(&self) -> usize {
        self.gauge.unsent_bytes.load(Ordering::SeqCst)
    }

    /// The client is heard of again when few of those are left.
    pub fn watch(&self) {
        self.gauge.watched.store(true, Ordering::SeqCst);
    }

    /// As the socket's.
    pub fn raw_fd(&self) -> i32 {
        self.fd
    }

    /// What the next requests may be.
    pub fn set_limits(&self, limits: Limits) {
        let mut inlet = self.inlet.borrow_mut();
        if inlet.limits != Some(limits) {
            inlet.limits = Some(limits);
            inlet.given = inlet.given.wrapping_add(1);
            self.post(Order::Limits(limits, inlet.given));
        }
    }

    /// Something has arrived.
    pub fn arrive(&self, requests: impl Iterator<Item = Request>, leave: u32, end: Option<End>) {
        let mut inlet = self.inlet.borrow_mut();
        for request in requests {
            inlet.weight += weight(&request);
            inlet.requests.push_back(request);
            inlet.seen = leave;
        }
        match end {
            Some(End::Broke(error)) => inlet.broke = Some(error),
            Some(End::Eof) => inlet.eof = true,
            Some(End::Lost) | None => {}
        }
    }

    /// The next request of what has arrived.
    pub fn next(&self) -> Result<Option<Request>, ProtocolError> {
        let mut inlet = self.inlet.borrow_mut();
        let inlet = &mut *inlet;
        if let Some(request) = inlet.requests.pop_front() {
            let weight = weight(&request);
            inlet.weight -= weight;
            inlet.taken += weight;
            // A thread without credit has given more than this.
            if inlet.taken >= limits::READ_AHEAD_BYTES / 2 {
                self.post(Order::Credit(std::mem::take(&mut inlet.taken)));
            }
            if inlet.requests.is_empty() && inlet.requests.capacity() > KEPT_REQUESTS {
                inlet.requests = VecDeque::new();
            }
            return Ok(Some(request));
        }
        if let Some(error) = inlet.broke.take() {
            return Err(error);
        }
        if let Some(limits) = inlet.limits
            && limits.unauthenticated
            && inlet.seen == inlet.given
        {
            // The one that there was leave for has been carried out, and has changed nothing.
            inlet.given = inlet.given.wrapping_add(1);
            self.post(Order::Limits(limits, inlet.given));
        }
        Ok(None)
    }

    /// Whether there is something to take.
    pub fn has_more(&self) -> bool {
        let inlet = self.inlet.borrow();
        !inlet.requests.is_empty() || inlet.broke.is_some()
    }

    /// Nothing arrives after what has arrived.
    pub fn is_at_end(&self) -> bool {
        self.inlet.borrow().eof
    }

    /// Bytes of input that wait, what the buffers for them take, and whether any have arrived since the
    /// last look.
    pub fn look(&self) -> (usize, usize, bool) {
        let waiting = self.inlet.borrow().weight;
        let received = self.gauge.received_bytes.load(Ordering::Relaxed);
        let len = waiting + self.gauge.input_bytes.load(Ordering::Relaxed);
        let capacity = waiting + self.gauge.input_capacity.load(Ordering::Relaxed);
        (len, capacity, self.heard_bytes.replace(received) != received)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.thread.connections.set(self.thread.connections.get().saturating_sub(1));
        self.post(Order::Close);
    }
}
