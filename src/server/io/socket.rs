//! [`Socket`]: one connection as its I/O thread has it: the socket, the input that is no whole request
//! yet, the output that the socket has not taken. This module must never wait, nor decode further
//! ahead than the node's thread has given leave and credit for.

use super::mail::{Arrivals, Counters, End, Gauge, News, add, weight};
use crate::limits;
use crate::resp::{Decoder, Limits};
use crate::server::output::Output;
use bytes::BytesMut;
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A silent connection keeps no buffer that is longer.
const KEPT_INPUT_BYTES: usize = 4 * limits::IDLE_BUFFER_BYTES;

/// See the module.
pub struct Socket {
    pub stream: TcpStream,
    gauge: Arc<Gauge>,
    decoder: Decoder,
    input: BytesMut,
    /// What `input` was given room for, with what has been split off since.
    room_bytes: usize,
    output: Output,
    /// The socket may take more of it without a word of the poll.
    takes_more: bool,
    /// Requests of that weight may still be handed over.
    credit: isize,
    /// What was last given leave for, and whether it is used up.
    limits: Limits,
    leave: u32,
    has_leave: bool,
    /// There may be something to read.
    readable: bool,
    /// Nothing more arrives than what is there.
    hangs_up: bool,
    eof: bool,
    /// The end of what arrives was told.
    is_over: bool,
    /// So was that nothing can be sent.
    is_lost: bool,
    /// It is in the list of those that are to be looked at.
    pub is_due: bool,
}

impl Socket {
    pub fn new(stream: TcpStream, gauge: Arc<Gauge>) -> Self {
        Self {
            stream,
            gauge,
            decoder: Decoder::default(),
            input: BytesMut::new(),
            room_bytes: 0,
            output: Output::default(),
            takes_more: false,
            credit: limits::READ_AHEAD_BYTES as isize,
            limits: Limits::default(),
            leave: 0,
            has_leave: false,
            readable: false,
            hangs_up: false,
            eof: false,
            is_over: false,
            is_lost: false,
            is_due: false,
        }
    }

    /// See [`super::mail::Order::Limits`].
    pub fn set_limits(&mut self, limits: Limits, leave: u32) {
        self.decoder.set_limits(limits);
        self.limits = limits;
        self.leave = leave;
        self.has_leave = true;
    }

    pub fn add_credit(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_add_unsigned(bytes);
    }

    /// The poll says that there is something to read, perhaps the end.
    pub fn note_readable(&mut self, hangs_up: bool) {
        self.readable = true;
        self.hangs_up |= hangs_up;
    }

    /// Decodes what may be decoded, of what has arrived and of one read. Whether there may be more
    /// to do at once.
    pub fn advance(&mut self, id: u64, scratch: &mut [u8], out: &mut Arrivals, counters: &Counters) -> bool {
        if self.is_over {
            return false;
        }
        let before = out.requests.len();
        let mut end = self.decode(out);
        if end.is_none() && self.may_read() {
            end = match self.read(scratch, counters) {
                Ok(()) => self.decode(out),
                Err(_) => Some(End::Lost),
            };
        }
        let requests = out.requests.len() - before;
        self.is_over = end.is_some();
        self.is_lost |= end == Some(End::Lost);
        if requests > 0 || end.is_some() {
            out.news.push(News { client: id, requests, leave: self.leave, end });
        }
        self.gauge.input_bytes.store(self.input.len(), Ordering::Relaxed);
        self.gauge.input_capacity.store(self.room_bytes.max(self.input.capacity()), Ordering::Relaxed);
        !self.is_over && self.may_read()
    }

    /// A whole request that is not decoded has to wait for leave or credit; one that is arriving
    /// may be as long as the limits of requests let it.
    fn may_read(&self) -> bool {
        let is_arriving = self.has_leave && self.credit > 0;
        self.readable && !self.eof && (is_arriving || self.input.len() < limits::READ_AHEAD_BYTES)
    }

    /// Decodes as far as there is leave and credit. Some: the end, if that is all that there is.
    fn decode(&mut self, out: &mut Arrivals) -> Option<End> {
        while self.has_leave && self.credit > 0 {
            match self.decoder.decode(&mut self.input) {
                Ok(Some(request)) => {
                    self.credit = self.credit.saturating_sub_unsigned(weight(&request));
                    self.has_leave = !self.limits.unauthenticated;
                    out.requests.push(request);
                }
                Ok(None) => {
                    self.give_back();
                    return self.eof.then_some(End::Eof);
                }
                Err(error) => return Some(End::Broke(error)),
            }
        }
        (self.eof && self.input.is_empty()).then_some(End::Eof)
    }

    /// What is left of a long buffer keeps the whole of it alive. (The decoder has made room for a
    /// long bulk only when much of that has arrived.)
    fn give_back(&mut self) {
        if self.room_bytes > KEPT_INPUT_BYTES && self.input.len() <= limits::IDLE_BUFFER_BYTES {
            self.input = BytesMut::from(&self.input[..]);
            self.room_bytes = self.input.capacity();
        }
    }

    fn read(&mut self, scratch: &mut [u8], counters: &Counters) -> io::Result<()> {
        match self.stream.read(scratch) {
            Ok(0) => {
                self.eof = true;
                self.readable = false;
            }
            Ok(received) => {
                // The poll tells of what comes after a read that found less than there was room for.
                self.readable = received == scratch.len() || self.hangs_up;
                self.take_in(&scratch[..received]);
                add(&counters.reads, 1);
                add(&counters.received_bytes, received as u64);
                add(&self.gauge.received_bytes, received as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn take_in(&mut self, bytes: &[u8]) {
        if self.input.capacity() - self.input.len() < bytes.len() {
            self.input.reserve(bytes.len().max(limits::IDLE_BUFFER_BYTES));
            self.room_bytes = self.input.capacity();
        }
        self.input.extend_from_slice(bytes);
    }

    /// Sends `bytes` after what is unsent. None: the node's thread need not be told.
    pub fn send(&mut self, id: u64, bytes: &[u8], counters: &Counters) -> Option<News> {
        if self.is_lost {
            return None; // it has been told, and will close the connection
        }
        let mut rest = bytes;
        let mut outcome = Ok(());
        if self.output.is_empty() {
            outcome = write(&mut self.stream, &mut rest, counters);
        }
        if !rest.is_empty() {
            self.output.append(|out| out.extend_from_slice(rest));
        }
        self.sent(id, bytes.len() - rest.len(), outcome)
    }

    /// The same for what is long: it is not copied.
    pub fn send_long(&mut self, id: u64, mut output: Output, counters: &Counters) -> Option<News> {
        let waits = !self.output.is_empty();
        self.output.take(&mut output);
        if waits { None } else { self.flush(id, counters) }
    }

    /// Sends what the socket takes now, within a bound: others are to have their turn.
    pub fn flush(&mut self, id: u64, counters: &Counters) -> Option<News> {
        self.takes_more = false;
        if self.output.is_empty() || self.is_lost {
            return None;
        }
        let before = self.output.len();
        let mut outcome = Ok(());
        while !self.output.is_empty() {
            let budget = limits::FLUSH_BYTES.saturating_sub(before - self.output.len());
            let front = self.output.front();
            let piece = &front[..front.len().min(budget)];
            let mut rest = piece;
            outcome = write(&mut self.stream, &mut rest, counters);
            let (sent, is_full) = (piece.len() - rest.len(), !rest.is_empty());
            self.output.advance(sent);
            self.takes_more = budget == sent && !self.output.is_empty();
            if is_full || self.takes_more || outcome.is_err() {
                break;
            }
        }
        let sent = before - self.output.len();
        if self.output.is_empty() {
            self.output = Output::default();
        }
        self.sent(id, sent, outcome)
    }

    /// Whether there is more to send at once.
    pub fn takes_more(&self) -> bool {
        self.takes_more
    }

    fn sent(&mut self, id: u64, sent: usize, outcome: io::Result<()>) -> Option<News> {
        let unsent = self.gauge.unsent_bytes.fetch_sub(sent, Ordering::SeqCst) - sent;
        let mut news = News { client: id, requests: 0, leave: self.leave, end: None };
        if outcome.is_err() {
            (self.is_over, self.is_lost) = (true, true);
            news.end = Some(End::Lost);
            return Some(news);
        }
        let is_told =
            unsent < limits::OUTPUT_HIGH_WATER_BYTES && self.gauge.watched.swap(false, Ordering::SeqCst);
        is_told.then_some(news)
    }
}

/// Writes from the front of `rest` what the socket takes now.
fn write(stream: &mut TcpStream, rest: &mut &[u8], counters: &Counters) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => {
                add(&counters.writes, 1);
                add(&counters.sent_bytes, sent as u64);
                *rest = &rest[sent..];
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
