//! A follower: writes, syncs and answers.

use super::log::Log;
use super::streams::{
    ANSWER_BYTES, EVENTS, Frames, MESSAGE_BYTES, READ_BYTES, put_number, read, wait, watched,
};
use mio::{Events, Poll};
use std::io::{self, Write};
use std::net;

/// Until the leader has ended. Its first answer says that it is ready.
pub fn follow(mut leader: net::TcpStream, mut log: Log) -> io::Result<()> {
    let mut answer = [0; ANSWER_BYTES];
    leader.write_all(&answer)?;
    let mut poll = Poll::new()?;
    let mut leader = watched(leader, poll.registry(), 0)?;
    let mut events = Events::with_capacity(EVENTS);
    let (mut messages, mut buffer) = (Frames::new(MESSAGE_BYTES), vec![0; READ_BYTES]);
    loop {
        wait(&mut poll, &mut events)?;
        for event in &events {
            let mut newest = None;
            let is_open =
                read(&mut leader, event, &mut buffer, |bytes| newest = messages.feed(bytes).or(newest))?;
            if let Some(number) = newest {
                log.append(number)?;
                put_number(&mut answer, number);
                leader.write_all(&answer)?;
            }
            if !is_open {
                return Ok(());
            }
        }
    }
}
