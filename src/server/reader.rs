//! [`Reader`]: where the requests of a connection come from. Its buffer is small while the client
//! sends little. This module must never look at what a request means.

use super::client::Client;
use super::connection::SHRINK_AFTER;
use crate::command::Request;
use crate::limits;
use crate::resp::{Decoder, Limits, ProtocolError};
use bytes::BytesMut;
use std::io;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// See the module.
pub struct Reader {
    read: OwnedReadHalf,
    decoder: Decoder,
    input: BytesMut,
    read_bytes: usize,
}

impl Reader {
    /// Of a new connection.
    pub fn new(read: OwnedReadHalf) -> Self {
        Self {
            read,
            decoder: Decoder::new(Limits::AUTHENTICATED),
            input: BytesMut::new(),
            read_bytes: limits::IDLE_BUFFER_BYTES,
        }
    }

    /// For what comes next.
    pub fn set_limits(&mut self, limits: Limits) {
        self.decoder.set_limits(limits);
    }

    /// The next whole request of what has arrived.
    pub fn next(&mut self) -> Result<Option<Request>, ProtocolError> {
        self.decoder.decode(&mut self.input)
    }

    /// Whether so much waits that no more is to be read ahead of the job under way.
    pub fn is_full(&self) -> bool {
        self.input.len() >= limits::READ_AHEAD_BYTES
    }

    /// Waits for more; 0: there is no more.
    pub async fn read(&mut self) -> io::Result<usize> {
        self.read.read_buf(&mut self.input).await
    }

    /// Something was read: more at a time, if it was all that there was room for.
    pub fn grow(&mut self) {
        if self.input.len() == self.input.capacity() {
            self.read_bytes = (4 * self.read_bytes).min(limits::MAX_READ_BYTES);
        }
    }

    /// Room for the next read: little for a connection that sends little. A long bulk that
    /// is arriving has had its room reserved by the decoder.
    pub fn make_room(&mut self, client: &Client) {
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
