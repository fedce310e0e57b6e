//! What a leader and its followers send each other, and how a thread waits for it.

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use std::io::{self, ErrorKind, Read};
use std::net;

/// About what a small entry of a log and its answer take on their way between servers.
pub const MESSAGE_BYTES: usize = 150;
pub const ANSWER_BYTES: usize = 40;
pub const READ_BYTES: usize = 64 << 10;
/// Of one turn.
pub const EVENTS: usize = 256;

/// Both begin with a number.
pub fn put_number(bytes: &mut [u8], number: u64) {
    bytes[..8].copy_from_slice(&number.to_le_bytes());
}

/// Messages or answers, all of one size, out of the pieces in which a stream brings them.
pub struct Frames {
    size: usize,
    held: Vec<u8>,
}

impl Frames {
    pub fn new(size: usize) -> Self {
        Self { size, held: Vec::new() }
    }

    /// The number of the last whole frame among those that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Option<u64> {
        self.held.extend_from_slice(bytes);
        let whole = self.held.len() - self.held.len() % self.size;
        let last = self.held[..whole].chunks_exact(self.size).next_back()?;
        let number = u64::from_le_bytes(*last.first_chunk().expect("a frame is longer than its number"));
        self.held.drain(..whole);
        Some(number)
    }
}

/// Hands over what has come; false when the other side has ended. After a short read the next bytes bring
/// the next event (epoll(7), edge-triggered, streams), but after the end none does.
pub fn read(
    stream: &mut TcpStream,
    event: &Event,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> io::Result<bool> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(size) => {
                take(&buffer[..size]);
                if size < buffer.len() && !event.is_read_closed() {
                    return Ok(true);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub fn wait(poll: &mut Poll, events: &mut Events) -> io::Result<()> {
    loop {
        match poll.poll(events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

pub fn watched(stream: net::TcpStream, registry: &Registry, token: usize) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    registry.register(&mut stream, Token(token), Interest::READABLE)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_frame_counts_however_a_stream_cuts_them() {
        let mut bytes = [0; 2 * ANSWER_BYTES];
        put_number(&mut bytes, 7);
        put_number(&mut bytes[ANSWER_BYTES..], 8);
        let mut frames = Frames::new(ANSWER_BYTES);
        assert_eq!(frames.feed(&bytes), Some(8));
        assert_eq!(frames.feed(&bytes[..30]), None);
        assert_eq!(frames.feed(&bytes[30..50]), Some(7));
        assert_eq!(frames.feed(&bytes[50..]), Some(8));
    }
}
