//! [`Client`]: the part of a connection that others reach (replies come in here, `CLIENT
//! LIST` looks here). A reply is written to the socket by whoever delivers it: no task is
//! woken unless something is left over. This module must never block, and never run a
//! connection's commands.

use super::access::Access;
use super::control::Control;
use super::io::End;
use super::output::{Output, SHARED_BYTES};
use super::pubsub::Subscriptions;
use super::stats::Stats;
use super::tracking::Tracker;
use super::wake::Wake;
use super::writer::Writer;
use crate::command::{Reply, Request};
use crate::limits;
use crate::resp::{self, Protocol};
use bytes::BytesMut;
use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// One connected client.
pub struct Client {
    pub id: u64,
    pub addr: SocketAddr,
    pub local_addr: SocketAddr,
    pub created: Instant,
    pub active: Cell<Instant>,
    pub protocol: Cell<Protocol>,
    pub name: RefCell<String>,
    pub library: RefCell<(String, String)>, // name, version
    pub last_command: Cell<&'static str>,
    /// Commands queued since `MULTI`, and what they take in bytes.
    pub queued: Cell<Option<(usize, usize)>>,
    pub watched: Cell<usize>,
    pub no_evict: Cell<bool>,
    pub no_touch: Cell<bool>,
    /// In `READONLY`, or what amounts to it.
    pub readonly: Cell<bool>,
    /// In `WAIT`, or in a pause.
    pub blocked: Cell<bool>,
    /// How long its last script was to sleep.
    pub slept: Cell<Duration>,
    pub control: Control,
    pub tracker: Tracker,
    /// Listens to channels; to which, if it does.
    pub subscribed: Cell<bool>,
    pub access: Access,
    pub(super) subscriptions: RefCell<Option<Box<Subscriptions>>>,
    /// Is shown what others send.
    pub monitors: Cell<bool>,
    /// Is a replica of Redis's protocol.
    pub replicates: Cell<bool>,
    pub input_len: Cell<usize>,
    pub input_capacity: Cell<usize>,
    /// The connection's task has something to do once the job under way is answered.
    pub resume: Cell<bool>,
    /// The connection's task waits for the socket to take more.
    pub writing: Cell<bool>,
    writer: Writer,
    out: RefCell<Output>,
    awaiting: Cell<usize>,
    job_output: Cell<usize>,
    capture: Cell<bool>,
    captured: RefCell<Option<Reply>>,
    /// The connection's task carries out an `EXEC`, and waits at one of its commands.
    pub exec_under_way: Cell<bool>,
    /// Something was written to it in this turn.
    pub(super) touched: Cell<bool>,
    closing: Cell<Option<&'static str>>,
    wake: Wake,
    stats: Rc<Stats>,
}

impl Client {
    pub fn new(id: u64, addr: SocketAddr, local_addr: SocketAddr, writer: Writer, stats: &Rc<Stats>) -> Self {
        let now = Instant::now();
        Self {
            id,
            addr,
            local_addr,
            created: now,
            active: Cell::new(now),
            protocol: Cell::default(),
            name: RefCell::default(),
            library: RefCell::default(),
            last_command: Cell::new("NULL"),
            queued: Cell::default(),
            watched: Cell::default(),
            no_evict: Cell::default(),
            no_touch: Cell::default(),
            readonly: Cell::default(),
            blocked: Cell::default(),
            slept: Cell::default(),
            control: Control::default(),
            tracker: Tracker::default(),
            subscribed: Cell::default(),
            access: Access::default(),
            subscriptions: RefCell::default(),
            monitors: Cell::default(),
            replicates: Cell::default(),
            input_len: Cell::default(),
            input_capacity: Cell::default(),
            resume: Cell::default(),
            writing: Cell::default(),
            writer,
            out: RefCell::default(),
            awaiting: Cell::default(),
            job_output: Cell::default(),
            capture: Cell::default(),
            captured: RefCell::default(),
            exec_under_way: Cell::default(),
            touched: Cell::default(),
            closing: Cell::default(),
            wake: Wake::default(),
            stats: Rc::clone(stats),
        }
    }

    /// A job of `steps` replies is on its way. With `capture` its only reply goes to the
    /// connection's task instead of to the socket.
    pub fn expect(&self, steps: usize, capture: bool) {
        self.awaiting.set(steps);
        self.job_output.set(0);
        self.capture.set(capture);
    }

    /// Replies still to come.
    pub fn awaiting(&self) -> usize {
        self.awaiting.get()
    }

    /// Bytes of the replies of the last job.
    pub fn job_output(&self) -> usize {
        self.job_output.get()
    }

    /// The reply that was captured.
    pub fn take_captured(&self) -> Option<Reply> {
        self.captured.borrow_mut().take()
    }

    /// Whether a reply waits for the connection's task, which has not sent it yet.
    pub fn is_captured(&self) -> bool {
        self.exec_under_way.get() || self.captured.borrow().is_some()
    }

    /// A reply to the next step of its job.
    pub(super) fn accept(&self, reply: Reply) {
        let Some(left) = self.awaiting.get().checked_sub(1) else { return };
        self.awaiting.set(left);
        if self.capture.replace(false) {
            *self.captured.borrow_mut() = Some(reply);
            self.resume.set(true);
        } else {
            self.send(&reply);
        }
    }

    /// Appends a reply to the output, unless the client wants none (`CLIENT REPLY`).
    pub fn send(&self, reply: &Reply) {
        if let Reply::Error(text) = reply {
            self.stats.observer.count_error(text);
        }
        let is_push = matches!(reply, Reply::Push(_) | Reply::Several(_));
        if !self.control.is_mute() || is_push {
            self.push(reply);
        }
    }

    /// Appends what is no reply to the output.
    pub fn push(&self, reply: &Reply) {
        if let Reply::Bulk(blob) = reply
            && blob.len() >= SHARED_BYTES
        {
            self.write_with(|out| resp::encode_header(out, b'$', blob.len()));
            self.append(|out| out.share(blob.clone()));
            return self.write_with(|out| out.extend_from_slice(b"\r\n"));
        }
        self.write_with(|out| resp::encode(out, reply, self.protocol.get()));
    }

    /// Lets `write` append to the output, which is bounded: a client that never reads is closed.
    pub fn write_with(&self, write: impl FnOnce(&mut BytesMut)) {
        self.append(|out| out.append(write));
    }

    fn append(&self, append: impl FnOnce(&mut Output)) {
        if self.closing.get().is_some() {
            return;
        }
        let mut out = self.out.borrow_mut();
        let before = out.len();
        append(&mut out);
        self.job_output.set(self.job_output.get() + out.len() - before);
        if out.len() + self.writer.unsent() > limits::MAX_OUTPUT_BUFFER_BYTES {
            drop(out);
            self.cut_off();
        }
    }

    /// Ends the connection of a client that does not read.
    pub fn cut_off(&self) {
        *self.out.borrow_mut() = Output::default();
        self.close("output buffer limit");
    }

    /// Channels, patterns and shard channels that it listens to.
    pub fn subscription_counts(&self) -> [usize; 3] {
        self.subscriptions.borrow().as_ref().map_or([0; 3], |own| own.counts())
    }

    /// Sends what can be sent now, see [`Writer::write`]; whether something is left.
    pub fn flush(&self) -> bool {
        let mut out = self.out.borrow_mut();
        self.writer.write(&mut out, &self.stats).unwrap_or_else(|_| {
            self.close("closed by the client");
            false
        })
    }

    /// An I/O thread tells when output that `is_awaited`, or holds everything up, has been sent.
    pub fn watch(&self, is_awaited: bool) {
        if let Some(remote) = self.writer.remote()
            && (is_awaited || self.unsent() >= limits::OUTPUT_HIGH_WATER_BYTES)
        {
            remote.watch();
        }
    }

    /// An I/O thread has something of it.
    pub(super) fn heard(
        &self,
        requests: impl Iterator<Item = Request>,
        leave: u32,
        end: Option<End>,
        now: Instant,
    ) {
        let Some(remote) = self.writer.remote() else { return };
        self.active.set(now);
        remote.arrive(requests, leave, end);
        if end == Some(End::Lost) {
            self.close("closed by the client");
        } else if end.is_none() && self.awaiting() > 0 {
            self.resume.set(true); // nothing can be done about it before
        } else {
            self.wake();
        }
    }

    /// Sees what an I/O thread has of it.
    pub fn look(&self) {
        let Some(remote) = self.writer.remote() else { return };
        let (len, capacity, is_active) = remote.look();
        self.input_len.set(len);
        self.input_capacity.set(capacity);
        if is_active {
            self.active.set(Instant::now());
        }
    }

    /// Gives the output's memory back, if it holds nothing.
    pub fn shrink(&self) {
        let mut out = self.out.borrow_mut();
        if out.is_empty() {
            *out = Output::default();
        }
    }

    /// Bytes waiting for the client to read.
    pub fn unsent(&self) -> usize {
        self.out.borrow().len() + self.writer.unsent()
    }

    /// Bytes that the output's buffer takes.
    pub fn output_capacity(&self) -> usize {
        self.out.borrow().capacity()
    }

    /// Of its socket.
    pub fn raw_fd(&self) -> i32 {
        self.writer.raw_fd()
    }

    /// The socket takes more.
    pub async fn writable(&self) -> io::Result<()> {
        self.writer.writable().await
    }

    /// Ends the connection without sending more; its task does the rest.
    pub fn close(&self, reason: &'static str) {
        if self.closing.get().is_none() {
            self.closing.set(Some(reason));
            self.wake.wake();
        }
    }

    /// Why the connection is to end at once, if it is.
    pub fn closing(&self) -> Option<&'static str> {
        self.closing.get()
    }

    /// Wakes the connection's task.
    pub fn wake(&self) {
        self.wake.wake();
    }

    /// Waits for [`Client::wake`].
    pub async fn woken(&self) {
        self.wake.woken().await;
    }
}
