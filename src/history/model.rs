//! What one key does when a command reaches it: the server's promise, written a second time
//! and as simply as possible. It must never look at how the server does it.

use super::words::{Word, Words};

/// What is known of a key at one moment. A missing key has the value 0 and version 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Slot {
    pub(super) value: Word,
    pub(super) version: u64,
    /// Its revision if `exact`, else what it must be above: revisions only grow, and `GETV`
    /// alone shows them.
    pub(super) revision: u64,
    pub(super) exact: bool,
    /// The deadline that it has, by its number; 0: none.
    pub(super) deadline: u32,
}

/// A command, with strings as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Get,
    GetV,
    Exists,
    Set(Word),
    SetNx(Word),
    SetIfEq(Word, Word),
    SetPx(Word, u32),
    Del,
    DelIfEq(Word),
    Append(Word),
    IncrBy(i64),
    Cas(u64, Word),
    Cad(u64),
    Watch(u64),
    /// The deadline of this number passes.
    Expire(u32),
}

/// A reply, with strings as words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Nil,
    Ok,
    Int(i64),
    Text(Word),
    Versioned {
        value: Word,
        version: u64,
        revision: u64,
    },
    /// `CAS` or `CAD` found another version.
    Conflict(u64),
    NotANumber,
    /// What no client is told: a watched key is at another version, so nothing happens; the
    /// revision that was seen is an old one.
    Never,
    /// What a client was told, and no server says.
    Malformed,
}

/// A good hash of 64 bits (the finalizer of splitmix64).
pub(super) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 128 bits for the memo: two that have nothing to do with each other.
pub(super) fn mix128(parts: &[u64]) -> u128 {
    let (mut high, mut low) = (0x243f_6a88_85a3_08d3u64, 0x1319_8a2e_0370_7344u64);
    for part in parts {
        high = mix(high ^ part);
        low = mix(low.rotate_left(23) ^ part);
    }
    u128::from(high) << 64 | u128::from(low)
}

impl Slot {
    pub(super) fn hash(&self, key: usize) -> u128 {
        let small = u64::from(self.value) << 32 | u64::from(self.deadline);
        mix128(&[key as u64, small, self.version, self.revision, u64::from(self.exact)])
    }

    fn is_missing(&self) -> bool {
        self.value == 0
    }

    fn changed(mut self, value: Word, deadline: u32) -> Self {
        self.value = value;
        self.version += 1;
        self.exact = false;
        self.deadline = deadline;
        self
    }

    fn removed(self) -> Self {
        Self { value: 0, version: 0, exact: false, deadline: 0, ..self }
    }

    /// The key after `act`, and the reply. `seen` is the reply that the client got, if any: it
    /// tells the revision, which nothing else does.
    pub(super) fn apply(self, act: Act, seen: Option<Answer>, words: &mut Words) -> (Self, Answer) {
        let nil_or = |word| if word == 0 { Answer::Nil } else { Answer::Text(word) };
        let set_if = |holds: bool, value| match holds {
            true => (self.changed(value, 0), Answer::Ok),
            false => (self, Answer::Nil),
        };
        let del_if = |holds: bool| match holds {
            true => (self.removed(), Answer::Int(1)),
            false => (self, Answer::Int(0)),
        };
        match act {
            Act::Get => (self, nil_or(self.value)),
            Act::GetV => self.read_version(seen),
            Act::Exists => (self, Answer::Int(i64::from(!self.is_missing()))),
            Act::Set(value) => set_if(true, value),
            Act::SetNx(value) => set_if(self.is_missing(), value),
            Act::SetIfEq(value, old) => set_if(self.value == old, value),
            Act::SetPx(value, deadline) => (self.changed(value, deadline), Answer::Ok),
            Act::Del => del_if(!self.is_missing()),
            Act::DelIfEq(old) => del_if(self.value == old),
            Act::Append(tail) => {
                let value = if self.is_missing() { tail } else { words.join(self.value, tail) };
                (self.changed(value, self.deadline), Answer::Int(words.len(value) as i64))
            }
            Act::IncrBy(n) => self.increment(n, words),
            Act::Cas(version, _) | Act::Cad(version) if version != self.version => {
                (self, Answer::Conflict(self.version))
            }
            Act::Cas(_, value) => (self.changed(value, 0), Answer::Int(self.version as i64 + 1)),
            Act::Cad(_) => del_if(true),
            Act::Watch(version) if version != self.version => (self, Answer::Never),
            Act::Watch(_) => (self, Answer::Ok),
            Act::Expire(deadline) if self.deadline == deadline => (self.removed(), Answer::Ok),
            Act::Expire(_) => (self, Answer::Ok),
        }
    }

    fn increment(self, n: i64, words: &mut Words) -> (Self, Answer) {
        let old = if self.is_missing() { Some(0) } else { words.number(self.value) };
        match old.and_then(|old| old.checked_add(n)) {
            Some(new) => (self.changed(words.word(&new.to_string()), self.deadline), Answer::Int(new)),
            None => (self, Answer::NotANumber),
        }
    }

    fn read_version(self, seen: Option<Answer>) -> (Self, Answer) {
        if self.is_missing() {
            return (self, Answer::Nil);
        }
        let mut after = self;
        if let Some(Answer::Versioned { revision, .. }) = seen {
            let fits = if self.exact { revision == self.revision } else { revision > self.revision };
            if !fits {
                return (self, Answer::Never);
            }
            (after.revision, after.exact) = (revision, true);
        }
        let Self { value, version, revision, .. } = after;
        (after, Answer::Versioned { value, version, revision })
    }
}
