//! The leader: what clients ask for in one turn is one message and one sector.

use super::log::Log;
use super::streams::{
    ANSWER_BYTES, EVENTS, Frames, MESSAGE_BYTES, READ_BYTES, put_number, read, wait, watched,
};
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Ipv4Addr};

pub const FOLLOWERS: usize = 2;
const LISTENER: usize = FOLLOWERS;
const FIRST_CLIENT: usize = LISTENER + 1;
/// How a request has to begin.
pub const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n";

struct Follower {
    stream: TcpStream,
    answers: Frames,
}

pub struct Leader {
    poll: Poll,
    listener: TcpListener,
    followers: Vec<Follower>,
    /// Their places are not used again, so that nobody gets what another one asked for.
    clients: Vec<Option<TcpStream>>,
    /// Who waits for which message.
    waiting: VecDeque<(u64, usize)>,
    sent: u64,
    log: Log,
    buffer: Vec<u8>,
}

impl Leader {
    /// Followers are ready before clients can connect.
    pub fn new(port: u16, mut connected: Vec<net::TcpStream>, log: Log) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut followers = Vec::new();
        for (token, mut stream) in connected.drain(..).enumerate() {
            stream.read_exact(&mut [0; ANSWER_BYTES])?;
            let stream = watched(stream, poll.registry(), token)?;
            followers.push(Follower { stream, answers: Frames::new(ANSWER_BYTES) });
        }
        let mut listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port).into())?;
        poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
        let (clients, waiting, buffer) = (Vec::new(), VecDeque::new(), vec![0; READ_BYTES]);
        Ok(Self { poll, listener, followers, clients, waiting, sent: 0, log, buffer })
    }

    /// Until a follower or the disk fails.
    pub fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            wait(&mut self.poll, &mut events)?;
            for event in &events {
                match event.token().0 {
                    LISTENER => self.accept()?,
                    token if token < FOLLOWERS => self.hear(token, event)?,
                    token => self.serve(token - FIRST_CLIENT, event),
                }
            }
            if self.waiting.back().is_some_and(|(number, _)| *number > self.sent) {
                self.replicate()?;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let token = Token(FIRST_CLIENT + self.clients.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.clients.push(Some(stream));
        }
    }

    /// Requests of one turn wait for the same message.
    fn serve(&mut self, client: usize, event: &Event) {
        let Some(stream) = &mut self.clients[client] else { return };
        let mut asks = None;
        let outcome = read(stream, event, &mut self.buffer, |bytes| asks = Some(bytes.starts_with(SET)));
        let mut is_open = matches!(outcome, Ok(true));
        match asks {
            Some(true) => self.waiting.push_back((self.sent + 1, client)),
            Some(false) => is_open &= stream.write_all(b"-ERR only SET\r\n").is_ok(),
            None => {}
        }
        if !is_open {
            self.clients[client] = None;
        }
    }

    fn replicate(&mut self) -> io::Result<()> {
        self.sent += 1;
        let mut message = [0; MESSAGE_BYTES];
        put_number(&mut message, self.sent);
        for follower in &mut self.followers {
            follower.stream.write_all(&message)?;
        }
        self.log.append(self.sent)
    }

    /// An answer: the message and all before it are on two disks, for the leader wrote them before it
    /// heard this.
    fn hear(&mut self, follower: usize, event: &Event) -> io::Result<()> {
        let Follower { stream, answers } = &mut self.followers[follower];
        let mut newest = 0;
        let is_open = read(stream, event, &mut self.buffer, |bytes| {
            newest = answers.feed(bytes).unwrap_or(newest);
        })?;
        while let Some(&(number, client)) = self.waiting.front()
            && number <= newest
        {
            self.waiting.pop_front();
            if let Some(stream) = &mut self.clients[client]
                && stream.write_all(b"+OK\r\n").is_err()
            {
                self.clients[client] = None;
            }
        }
        if is_open { Ok(()) } else { Err(io::Error::other("a follower has ended")) }
    }
}
