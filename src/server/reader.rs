//! [`Reader`]: where the requests of a connection come from. Its buffer is small while the client
//! sends little. This module must never look at what a request means.

use super::client::Client;
use super::connection::SHRINK_AFTER;
use super::io::Remote;
use crate::command::Request;
use crate::limits;
use crate::resp::{Decoder, Limits, ProtocolError};
use bytes::BytesMut;
use std::future::pending;
use std::io;
use std::rc::Rc;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// See the module.
pub enum Reader {
    /// The connection's task reads it.
    Socket(Input),
    /// An I/O thread reads it, and wakes the connection's task.
    Thread(Rc<Remote>),
}

/// A socket, and what has come from it that is no whole request yet.
pub struct Input {
    read: OwnedReadHalf,
    decoder: Decoder,
    input: BytesMut,
    read_bytes: usize,
}

impl Reader {
    /// Of a new connection.
    pub fn socket(read: OwnedReadHalf) -> Self {
        Self::Socket(Input {
            read,
            decoder: Decoder::new(Limits::AUTHENTICATED),
            input: BytesMut::new(),
            read_bytes: limits::IDLE_BUFFER_BYTES,
        })
    }

    /// For what comes next.
    pub fn set_limits(&mut self, limits: Limits) {
        match self {
            Self::Socket(input) => input.decoder.set_limits(limits),
            Self::Thread(remote) => remote.set_limits(limits),
        }
    }

    /// The next whole request of what has arrived.
    pub fn next(&mut self) -> Result<Option<Request>, ProtocolError> {
        match self {
            Self::Socket(input) => input.decoder.decode(&mut input.input),
            Self::Thread(remote) => remote.next(),
        }
    }

    /// Whether so much waits that no more is to be read ahead of the job under way. An I/O thread
    /// sees to that by itself.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Socket(input) => input.input.len() >= limits::READ_AHEAD_BYTES,
            Self::Thread(_) => false,
        }
    }

    /// Whether there is something to parse that nothing will tell of again.
    pub fn has_more(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            Self::Thread(remote) => remote.has_more(),
        }
    }

    /// Whether an I/O thread has seen the end of what comes.
    pub fn is_at_end(&self) -> bool {
        match self {
            Self::Socket(_) => false,
            Self::Thread(remote) => remote.is_at_end(),
        }
    }

    /// Waits for more; 0: there is no more.
    pub async fn read(&mut self) -> io::Result<usize> {
        match self {
            Self::Socket(input) => input.read.read_buf(&mut input.input).await,
            Self::Thread(_) => pending().await,
        }
    }

    /// Something was read: more at a time, if it was all that there was room for.
    pub fn grow(&mut self) {
        if let Self::Socket(input) = self
            && input.input.len() == input.input.capacity()
        {
            input.read_bytes = (4 * input.read_bytes).min(limits::MAX_READ_BYTES);
        }
    }

    /// Room for the next read.
    pub fn make_room(&mut self, client: &Client) {
        if let Self::Socket(input) = self {
            input.make_room(client);
        }
    }
}

impl Input {
    /// Little for a connection that sends little. A long bulk that is arriving has had its room
    /// reserved by the decoder.
    fn make_room(&mut self, client: &Client) {
        let spare_bytes = self.input.capacity() - self.input.len();
        let silent = spare_bytes > limits::IDLE_BUFFER_BYTES
            && client.awaiting() == 0
            && client.active.get().elapsed() >= SHRINK_AFTER;
        if silent {
            let mut smaller = BytesMut::with_capacity(self.input.len() + limits::IDLE_BUFFER_BYTES);
            smaller.extend_from_slice(&self.input);
            self.input = smaller;
            self.read_bytes = limits::IDLE_BUFFER_BYTES;
            client.shrink();
        }
        if self.input.capacity() - self.input.len() < self.read_bytes / 4 {
            self.input.reserve(self.read_bytes);
        }
        client.input_len.set(self.input.len());
        client.input_capacity.set(self.input.capacity());
    }
}
