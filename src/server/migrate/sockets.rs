//! [`Sockets`]: connections to other servers that keys were sent over, kept for a few seconds because the
//! next keys often go the same way. One is used by one command at a time, and never by a command that
//! logs in as somebody else.

use crate::limits;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes that are written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where a connection leads, and who it is logged in as there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub host: Vec<u8>,
    pub port: Vec<u8>,
    pub login: Vec<Vec<u8>>,
}

impl Target {
    fn port(&self) -> u16 {
        let digits = self.port.iter().take_while(|byte| byte.is_ascii_digit());
        let number = digits
            .fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        u16::try_from(number).unwrap_or(0)
    }
}

/// A connection.
pub struct Socket {
    stream: BufReader<TcpStream>,
    /// The database that was chosen there.
    pub db: Option<i64>,
    /// It has been used before.
    pub is_kept: bool,
}

impl Socket {
    /// Connects within `patience`.
    pub async fn connect(target: &Target, patience: Duration) -> io::Result<Self> {
        let host = std::str::from_utf8(&target.host).map_err(|_| io::ErrorKind::InvalidInput)?;
        let stream = timeout(patience, TcpStream::connect((host, target.port()))).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), db: None, is_kept: false })
    }

    /// Writes it all; each part of it within `patience`.
    pub async fn write(&mut self, bytes: &[u8], patience: Duration) -> io::Result<()> {
        for chunk in bytes.chunks(CHUNK_BYTES) {
            timeout(patience, self.stream.write_all(chunk)).await??;
        }
        Ok(())
    }

    /// A line, without its end.
    pub async fn read_line(&mut self, patience: Duration) -> io::Result<Vec<u8>> {
        timeout(patience, self.next_line()).await?
    }

    async fn next_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let found = self.stream.fill_buf().await?;
            if found.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let end = found.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(found.len(), |at| at + 1);
            line.extend_from_slice(&found[..taken]);
            self.stream.consume(taken);
            if end.is_some() {
                line.truncate(line.trim_ascii_end().len());
                return Ok(line);
            }
            if line.len() > limits::MIGRATE_LINE_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
    }
}

struct Idle {
    target: Target,
    socket: Socket,
    since: Instant,
}

/// See the module.
#[derive(Default)]
pub struct Sockets {
    idle: RefCell<Vec<Idle>>,
    /// Somebody looks who is too old.
    watched: Cell<bool>,
    /// Commands under way.
    in_use: Cell<usize>,
}

impl Sockets {
    /// How many are kept.
    pub fn len(&self) -> usize {
        self.idle.borrow().len()
    }

    /// A place among those under way; None: there are too many.
    pub fn enter(self: &Rc<Self>) -> Option<Place> {
        if self.in_use.get() >= limits::MAX_MIGRATIONS {
            return None;
        }
        self.in_use.set(self.in_use.get() + 1);
        Some(Place(Rc::clone(self)))
    }

    /// One that leads there.
    pub fn take(&self, target: &Target) -> Option<Socket> {
        let mut idle = self.idle.borrow_mut();
        let at = idle.iter().rposition(|idle| idle.target == *target)?;
        Some(idle.remove(at).socket)
    }

    /// Keeps one for later; the oldest goes if there are too many.
    pub fn keep(self: &Rc<Self>, target: &Target, mut socket: Socket) {
        socket.is_kept = true;
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= limits::MIGRATE_SOCKETS {
            idle.remove(0);
        }
        idle.push(Idle { target: target.clone(), socket, since: Instant::now() });
        if !self.watched.replace(true) {
            tokio::task::spawn_local(Rc::clone(self).close_old());
        }
    }

    async fn close_old(self: Rc<Self>) {
        while self.len() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
            self.idle.borrow_mut().retain(|idle| idle.since.elapsed() < limits::MIGRATE_SOCKET_KEPT);
        }
        self.watched.set(false);
    }
}

/// Of one command; given back when it is dropped.
pub struct Place(Rc<Sockets>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_use.set(self.0.in_use.get() - 1);
    }
}
