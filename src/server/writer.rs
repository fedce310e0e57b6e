//! [`Writer`]: where the output of a connection goes. This module must never wait for a client.

use super::io::Remote;
use super::output::Output;
use super::stats::Stats;
use crate::limits;
use std::future::pending;
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use tokio::net::tcp::OwnedWriteHalf;

/// See the module.
pub enum Writer {
    /// Whoever flushes writes to it.
    Socket(OwnedWriteHalf),
    /// An I/O thread writes to it.
    Thread(Rc<Remote>),
}

impl Writer {
    /// Sends of `out` what can be sent now, within a bound: who reads as fast as this writes must not
    /// hold up the others. Whether something is left.
    pub fn write(&self, out: &mut Output, stats: &Stats) -> io::Result<bool> {
        match self {
            Self::Socket(socket) => write(socket, out, stats),
            Self::Thread(remote) => {
                remote.send(out);
                Ok(false)
            }
        }
    }

    /// Bytes that were taken from the output, and that the socket has not taken.
    pub fn unsent(&self) -> usize {
        match self {
            Self::Socket(_) => 0,
            Self::Thread(remote) => remote.unsent(),
        }
    }

    /// The other side of an I/O thread.
    pub fn remote(&self) -> Option<&Remote> {
        match self {
            Self::Socket(_) => None,
            Self::Thread(remote) => Some(remote),
        }
    }

    /// What was left can be tried again. An I/O thread is left nothing.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Socket(socket) => socket.writable().await,
            Self::Thread(_) => pending().await,
        }
    }

    /// Of its socket.
    pub fn raw_fd(&self) -> i32 {
        match self {
            Self::Socket(socket) => socket.as_ref().as_raw_fd(),
            Self::Thread(remote) => remote.raw_fd(),
        }
    }
}

fn write(socket: &OwnedWriteHalf, out: &mut Output, stats: &Stats) -> io::Result<bool> {
    let mut budget = limits::FLUSH_BYTES;
    while !out.is_empty() {
        if budget == 0 {
            return Ok(true);
        }
        let front = out.front();
        match socket.try_write(&front[..front.len().min(budget)]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(sent) => {
                stats.add(&stats.net_output_bytes, sent as u64);
                out.advance(sent);
                budget -= sent;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.clear();
    Ok(false)
}
