//! [`Sessions`]: which numbers of which client sessions have run, and the replies to the last
//! of them. Part of the replicated state: this module must never depend on anything but what
//! the log says, and never hold more than its limits.

mod kept;
mod snapshot;
#[cfg(test)]
mod tests;

use super::Reply;
use crate::keyspace::Blob;
use crate::limits;
use snapshot::Walk;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A session's name, shared by the indexes.
type Name = Arc<[u8]>;

/// What a session takes besides its name and its answers, about.
const SESSION_OVERHEAD_BYTES: usize = 256;
/// What an answer takes besides its reply.
const ANSWER_OVERHEAD_BYTES: usize = 32;

/// The reply to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    seq: u64,
    /// As `kept` writes it; empty when it was too long.
    reply: Blob,
}

#[derive(Debug, Default)]
struct Session {
    last_used_ms: u64,
    /// Of the last numbers, ascending, the session's very last among them: never empty.
    answers: VecDeque<Answer>,
    replies_bytes: usize,
}

/// What is known of a number in a session.
#[derive(Debug, PartialEq)]
pub(super) enum Known {
    /// It is above all that have run.
    New,
    /// It has run, and this is what it answered.
    Kept(Reply),
    /// It has run, and answered too much.
    TooLong,
    /// It is not new, and nothing else is known of it.
    Forgotten { last: u64 },
}

/// What can be seen of a session.
#[derive(Debug)]
pub(super) struct Seen {
    pub last_seq: u64,
    /// The numbers whose replies are kept.
    pub kept: Vec<u64>,
    pub last_used_ms: u64,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Sessions {
    all: BTreeMap<Name, Session>,
    /// In the order in which they will end.
    by_use: BTreeSet<(u64, Name)>,
    size_bytes: usize,
    walk: Option<Box<Walk>>,
}

fn has_ended(last_used_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(last_used_ms) >= limits::SESSION_IDLE_MS
}

impl Seen {
    /// Whether its time is over.
    pub(super) fn has_ended(&self, now_ms: u64) -> bool {
        has_ended(self.last_used_ms, now_ms)
    }
}

impl Session {
    fn last_seq(&self) -> u64 {
        self.answers.back().map_or(0, |last| last.seq)
    }

    fn answer(&self, seq: u64) -> Option<&Answer> {
        let place = self.answers.binary_search_by_key(&seq, |answer| answer.seq).ok()?;
        self.answers.get(place)
    }

    fn size_bytes(&self, name: &[u8]) -> usize {
        SESSION_OVERHEAD_BYTES + name.len() + self.answers.len() * ANSWER_OVERHEAD_BYTES + self.replies_bytes
    }

    fn push(&mut self, answer: Answer) {
        self.replies_bytes += answer.reply.len();
        self.answers.push_back(answer);
        while self.answers.len() > limits::SESSION_REPLIES
            || self.replies_bytes > limits::SESSION_REPLIES_BYTES
        {
            let Some(oldest) = self.answers.pop_front() else { break };
            self.replies_bytes -= oldest.reply.len();
        }
    }
}

impl Sessions {
    /// How many there are, those included that have ended and were not yet removed.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes of all of them, about.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn get(&self, name: &[u8], now_ms: u64) -> Option<&Session> {
        self.all.get(name).filter(|session| !has_ended(session.last_used_ms, now_ms))
    }

    /// What is known of a number. A session whose time is over is not there.
    pub(super) fn look_up(&self, name: &[u8], seq: u64, now_ms: u64) -> Known {
        let Some(session) = self.get(name, now_ms) else { return Known::New };
        let last = session.last_seq();
        if seq > last {
            return Known::New;
        }
        match session.answer(seq) {
            None => Known::Forgotten { last },
            Some(answer) if answer.reply.is_empty() => Known::TooLong,
            // What is here was written by `kept`, or read by it when a snapshot was restored.
            Some(answer) => kept::decode(&answer.reply).map_or(Known::TooLong, Known::Kept),
        }
    }

    /// What `ONCE STATUS` shows.
    pub(super) fn see(&self, name: &[u8], now_ms: u64) -> Option<Seen> {
        let session = self.get(name, now_ms)?;
        let kept = session.answers.iter().filter(|answer| !answer.reply.is_empty());
        Some(Seen {
            last_seq: session.last_seq(),
            kept: kept.map(|answer| answer.seq).collect(),
            last_used_ms: session.last_used_ms,
        })
    }

    /// Whether another number of this session, or a new session of this name, would fit,
    /// however long its reply.
    pub(super) fn has_room(&self, name: &[u8]) -> bool {
        let is_known = self.all.contains_key(name);
        let most = ANSWER_OVERHEAD_BYTES
            + limits::SESSION_REPLY_BYTES
            + if is_known { 0 } else { SESSION_OVERHEAD_BYTES + name.len() };
        (is_known || self.all.len() < limits::MAX_SESSIONS)
            && self.size_bytes + most <= limits::MAX_SESSIONS_BYTES
    }

    /// A session that is there is in use.
    pub(super) fn touch(&mut self, name: &[u8], now_ms: u64) {
        if self.get(name, now_ms).is_some() {
            self.before_change(name);
            if let Some((name, session)) = self.take(name) {
                self.put(name, Session { last_used_ms: now_ms, ..session });
            }
        }
    }

    /// A number has run: its reply is kept, in a new session if there was none.
    pub(super) fn note(&mut self, name: &[u8], seq: u64, reply: &Reply, now_ms: u64) {
        self.before_change(name);
        let before = self.take(name).filter(|(_, session)| !has_ended(session.last_used_ms, now_ms));
        let (name, mut session) = before.unwrap_or_else(|| (Name::from(name), Session::default()));
        session.last_used_ms = now_ms;
        // Only a build that is broken on purpose runs a number that is not new.
        if seq > session.last_seq() {
            let reply = kept::encode(reply, limits::SESSION_REPLY_BYTES).unwrap_or_default();
            session.push(Answer { seq, reply: Blob::new(&reply) });
        }
        self.put(name, session);
    }

    /// Removes sessions whose time is over, oldest first, `max` at most.
    pub fn end_idle(&mut self, now_ms: u64, max: usize) {
        for _ in 0..max {
            let Some((last_used_ms, name)) = self.by_use.first() else { break };
            if !has_ended(*last_used_ms, now_ms) {
                break;
            }
            let name = Name::clone(name);
            self.before_change(&name);
            self.take(&name);
        }
    }

    fn take(&mut self, name: &[u8]) -> Option<(Name, Session)> {
        let (name, session) = self.all.remove_entry(name)?;
        self.size_bytes -= session.size_bytes(&name);
        self.by_use.remove(&(session.last_used_ms, Name::clone(&name)));
        Some((name, session))
    }

    fn put(&mut self, name: Name, session: Session) {
        self.size_bytes += session.size_bytes(&name);
        self.by_use.insert((session.last_used_ms, Name::clone(&name)));
        self.all.insert(name, session);
    }
}
