//! [`Worker`]: an I/O thread. It owns sockets and nothing else: it reads, decodes, hands all that has
//! arrived in a turn over as one batch, and writes what it is given. This module must never look at
//! what a request means, nor wait for anything but its poll.

use super::mail::{Arrivals, End, Look, Mailbox, News, Order, Orders};
use super::socket::Socket;
use crate::limits;
use crate::server::clients::IdHasher;
use mio::{Events, Interest, Poll, Token};
use slog::{Logger, crit};
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Of the waker; connections have the numbers of their clients.
pub const WAKER: Token = Token(usize::MAX);

/// See the module.
pub struct Worker {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    /// Tells the node's thread that something has arrived.
    arrived: Arc<Notify>,
    sockets: HashMap<u64, Socket, BuildHasherDefault<IdHasher>>,
    /// Those that may have something to do without the poll.
    due: Vec<u64>,
    scratch: Vec<u8>,
    orders: Orders,
    arrivals: Arrivals,
    logger: Logger,
}

impl Worker {
    pub fn new(poll: Poll, mailbox: Arc<Mailbox>, arrived: Arc<Notify>, logger: Logger) -> Self {
        Self {
            poll,
            mailbox,
            arrived,
            sockets: HashMap::default(),
            due: Vec::new(),
            scratch: vec![0; limits::MAX_READ_BYTES],
            orders: Orders::default(),
            arrivals: Arrivals::default(),
            logger,
        }
    }

    /// Until it is told to stop. Its connections end with it.
    pub fn run(mut self) {
        let mut events = Events::with_capacity(limits::IO_EVENTS);
        loop {
            let Some(patience) = self.obey() else { return };
            self.hand_over();
            if let Err(error) = self.poll.poll(&mut events, patience)
                && error.kind() != ErrorKind::Interrupted
            {
                crit!(self.logger, "an I/O thread ends, and its connections with it"; "error" => %error);
                return self.give_up();
            }
            for event in events.iter().filter(|event| event.token() != WAKER) {
                let id = event.token().0 as u64;
                let Some(socket) = self.sockets.get_mut(&id) else { continue };
                if event.is_writable() {
                    self.arrivals.news.extend(socket.flush(id, &self.mailbox.counters));
                    if socket.takes_more() {
                        make_due(&mut self.due, id, socket);
                    }
                }
                if event.is_readable() || event.is_read_closed() || event.is_error() {
                    socket.note_readable(event.is_read_closed() || event.is_error());
                    make_due(&mut self.due, id, socket);
                }
            }
            self.advance();
            self.hand_over();
        }
    }

    /// Carries out what there is to carry out. For how long the poll may wait then; None: no longer.
    fn obey(&mut self) -> Option<Option<Duration>> {
        // What comes meanwhile is mostly the rest of it.
        for _ in 0..2 {
            match self.mailbox.look(&mut self.orders, self.due.is_empty()) {
                Look::Stop => return None,
                Look::Nothing => return Some((!self.due.is_empty()).then_some(Duration::ZERO)),
                Look::Orders => self.carry_out(),
            }
        }
        Some(Some(Duration::ZERO))
    }

    fn carry_out(&mut self) {
        let mut orders = std::mem::take(&mut self.orders);
        let mut bytes = &orders.bytes[..];
        for (id, order) in orders.orders.drain(..) {
            let sent = match order {
                Order::Send(len) => bytes.split_at_checked(len).map_or(bytes, |(sent, rest)| {
                    bytes = rest;
                    sent
                }),
                Order::Adopt(stream, gauge) => {
                    let socket = Socket::new(mio::net::TcpStream::from_std(stream), gauge);
                    self.adopt(id, socket);
                    continue;
                }
                _ => &[],
            };
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            let counters = &self.mailbox.counters;
            match order {
                Order::Send(_) => self.arrivals.news.extend(socket.send(id, sent, counters)),
                Order::SendLong(output) => {
                    self.arrivals.news.extend(socket.send_long(id, output, counters));
                    if socket.takes_more() {
                        make_due(&mut self.due, id, socket);
                    }
                }
                Order::Limits(limits, leave) => {
                    socket.set_limits(limits, leave);
                    make_due(&mut self.due, id, socket);
                }
                Order::Credit(bytes) => {
                    socket.add_credit(bytes);
                    make_due(&mut self.due, id, socket);
                }
                Order::Close => {
                    self.sockets.remove(&id);
                }
                Order::Adopt(..) => {}
            }
        }
        orders.bytes.clear();
        orders.bytes.shrink_to(limits::IO_KEPT_BATCH_BYTES);
        self.orders = orders; // its allocations serve again
    }

    fn adopt(&mut self, id: u64, mut socket: Socket) {
        let token = Token(id as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        match self.poll.registry().register(&mut socket.stream, token, interest) {
            Ok(()) => {
                self.sockets.insert(id, socket);
            }
            Err(_) => self.arrivals.news.push(lost(id)),
        }
    }

    fn advance(&mut self) {
        let due = std::mem::take(&mut self.due);
        for id in due {
            let Some(socket) = self.sockets.get_mut(&id) else { continue };
            socket.is_due = false;
            let counters = &self.mailbox.counters;
            if socket.takes_more() {
                self.arrivals.news.extend(socket.flush(id, counters));
            }
            let has_more = socket.advance(id, &mut self.scratch, &mut self.arrivals, counters);
            if has_more || socket.takes_more() {
                make_due(&mut self.due, id, socket);
            }
        }
    }

    fn hand_over(&mut self) {
        if !self.arrivals.is_empty() && self.mailbox.arrive(&mut self.arrivals) {
            self.arrived.notify_one();
        }
    }

    /// Nobody is to wait for what cannot come.
    fn give_up(mut self) {
        self.mailbox.stop();
        self.arrivals.news.extend(self.sockets.drain().map(|(id, _)| lost(id)));
        self.hand_over();
    }
}

fn make_due(due: &mut Vec<u64>, id: u64, socket: &mut Socket) {
    if !std::mem::replace(&mut socket.is_due, true) {
        due.push(id);
    }
}

fn lost(client: u64) -> News {
    News { client, requests: 0, leave: 0, end: Some(End::Lost) }
}

/// Starts a thread.
pub fn spawn(number: usize, worker: Worker) -> io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name(format!("io-{number}")).spawn(move || worker.run())
}
