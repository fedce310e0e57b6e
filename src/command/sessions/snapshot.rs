//! A consistent snapshot of all sessions while commands go on: they are written in the order
//! of their names, and one that is about to change before its turn is written first. It must
//! never hold anything later than its begin.

use super::{Answer, Name, Session, Sessions, kept};
use crate::keyspace::Blob;
use crate::limits::SNAPSHOT_CHUNK_BYTES;
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field};
use crate::wire::proto::snapshot as proto;
use protobuf::Message as _;
use siphasher::sip::SipHasher13;
use std::collections::{BTreeSet, VecDeque};
use std::hash::Hasher as _;
use std::ops::Bound;

const SESSIONS: u32 = 1; // Sessions.sessions

/// A snapshot under way.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The names up to this one are done.
    after: Option<Name>,
    /// Those behind it that are done as well, or were not there at the begin.
    ahead: BTreeSet<Name>,
    /// Their bytes, in chunks.
    pending: VecDeque<Vec<u8>>,
}

fn put_session(out: &mut Vec<u8>, name: &[u8], session: &Session) {
    let mut row = proto::Session::new();
    row.set_name(name.to_vec());
    row.set_last_used_ms(session.last_used_ms);
    for answer in &session.answers {
        let reply = answer.reply.to_vec();
        row.mut_answers().push(proto::Answer { seq: answer.seq, reply, ..Default::default() });
    }
    let bytes = row.write_to_bytes().expect("writing a message without required fields cannot fail");
    put_len_field(out, SESSIONS, bytes.len());
    out.extend_from_slice(&bytes);
}

fn read_session(bytes: &[u8]) -> Result<(Name, Session), WireError> {
    const WRONG: WireError = WireError::new("snapshot session");
    let mut row = proto::Session::parse_from_bytes(bytes).map_err(|_| WRONG)?;
    let mut session = Session { last_used_ms: row.get_last_used_ms(), ..Session::default() };
    for answer in row.take_answers() {
        // Numbers ascend; a reply that is kept can be read.
        if answer.get_seq() <= session.last_seq() {
            return Err(WRONG);
        }
        if !answer.get_reply().is_empty() {
            kept::decode(answer.get_reply())?;
        }
        session.replies_bytes += answer.get_reply().len();
        session.answers.push_back(Answer { seq: answer.get_seq(), reply: Blob::new(answer.get_reply()) });
    }
    if session.answers.is_empty() || row.get_name().is_empty() {
        return Err(WRONG);
    }
    Ok((Name::from(row.take_name()), session))
}

impl Walk {
    fn put(&mut self, name: &[u8], session: &Session) {
        match self.pending.back_mut() {
            Some(last) if last.len() < SNAPSHOT_CHUNK_BYTES => put_session(last, name, session),
            _ => {
                let mut chunk = Vec::new();
                put_session(&mut chunk, name, session);
                self.pending.push_back(chunk);
            }
        }
    }
}

impl Sessions {
    /// Starts a snapshot of what there is now; one that was under way is given up.
    pub fn snapshot_begin(&mut self) {
        self.walk = Some(Box::default());
    }

    /// The next piece, a `snapshot.Sessions` of about `target_bytes`; `None` when there is no
    /// more, or no snapshot.
    pub fn snapshot_next(&mut self, target_bytes: usize) -> Option<Vec<u8>> {
        let walk = self.walk.as_mut()?;
        // Any of these bytes put together are one `Sessions`.
        let mut chunk = walk.pending.pop_front().unwrap_or_default();
        let begin = walk.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.all.range::<[u8], _>((begin, Bound::Unbounded));
        let mut after = None;
        while chunk.len() < target_bytes.max(1) {
            if let Some(pending) = walk.pending.pop_front() {
                chunk.extend_from_slice(&pending);
            } else if let Some((name, session)) = rest.next() {
                if !walk.ahead.remove(name) {
                    put_session(&mut chunk, name, session);
                }
                after = Some(name);
            } else {
                break;
            }
        }
        if chunk.is_empty() {
            self.walk = None;
            return None;
        }
        let after = after.map(Name::clone);
        walk.after = after.or(walk.after.take());
        Some(chunk)
    }

    /// Gives the snapshot up, if one is under way.
    pub fn snapshot_abort(&mut self) {
        self.walk = None;
    }

    /// To be called before a session changes, comes or goes.
    pub(super) fn before_change(&mut self, name: &[u8]) {
        let Some(walk) = &mut self.walk else { return };
        if walk.after.as_deref().is_some_and(|after| name <= after) || walk.ahead.contains(name) {
            return;
        }
        walk.ahead.insert(Name::from(name));
        if let Some(session) = self.all.get(name) {
            walk.put(name, session);
        }
    }

    /// Adds the sessions of one piece of a snapshot. After an error this is of no use.
    pub fn restore(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            let (field, row) = next_field(&mut bytes, "snapshot sessions")?;
            let (name, session) = read_session(row.bytes("snapshot session")?)?;
            if field != SESSIONS || self.all.contains_key(&name) {
                return Err(WireError::new("snapshot sessions"));
            }
            self.put(name, session);
        }
        Ok(())
    }

    /// Equal on replicas whose sessions are equal.
    pub fn state_hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        let mut scratch = Vec::new();
        for (name, session) in &self.all {
            scratch.clear();
            put_session(&mut scratch, name, session);
            hasher.write(&scratch);
        }
        hasher.finish()
    }
}
