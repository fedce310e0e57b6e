//! [`KeySpec`]: where the keys of a command are, in the words of Redis's `COMMAND INFO`, and [`Finder`],
//! for what those words do not say. Nothing here may look at what an argument means but there.

use super::{Command, Flags};
use std::ops::Range;

/// Finds the keys of a call whose place depends on the call.
#[derive(Debug, Clone, Copy)]
pub enum Finder {
    /// There are none.
    None,
    /// The one key of the last specification, which may stand anywhere.
    Last(fn(&[&[u8]]) -> Option<usize>),
    /// Those of the last specification, behind those that have their places.
    Behind(fn(&[&[u8]]) -> Range<usize>),
    /// All there are, which are of the first specification.
    All(fn(&[&[u8]]) -> Range<usize>),
}

/// Where a command's keys are, and what it does to them.
#[derive(Debug, Clone, Copy)]
pub struct KeySpec {
    /// Argument of the first key; 0: it stands anywhere (see [`Command::finder`]).
    pub first: i32,
    /// The last key's: counted from `first` if not negative, else from the end (-1: the last).
    pub last: i32,
    /// From one key to the next.
    pub step: i32,
    /// Redis's flags of a key specification.
    pub flags: &'static [&'static str],
    /// The word that the keys stand behind, and where to look for it first; empty: none.
    pub keyword: (&'static str, i32),
    /// Only so much of them are keys: 2 is the first half; 0: all (see [`Command::finder`]).
    pub limit: i32,
    /// What stands at `first` is how many keys follow it (see [`Command::finder`]).
    pub counted: bool,
    /// The flags in a call that only overwrites, if they depend on the arguments.
    pub flags_unless_get: Option<&'static [&'static str]>,
    /// A remark for people.
    pub notes: &'static str,
}

impl KeySpec {
    /// One key, the first argument.
    pub const fn one(flags: &'static [&'static str]) -> Self {
        let keyword = ("", 0);
        Self {
            first: 1,
            last: 0,
            step: 1,
            flags,
            keyword,
            limit: 0,
            counted: false,
            flags_unless_get: None,
            notes: "",
        }
    }

    /// So many as the argument at `index` says, and behind it.
    pub const fn counted(index: i32, flags: &'static [&'static str]) -> Self {
        Self { first: index, counted: true, ..Self::one(flags) }
    }

    /// All arguments, or every `step`th.
    pub const fn every(step: i32, flags: &'static [&'static str]) -> Self {
        Self { last: -1, step, ..Self::one(flags) }
    }

    /// Keys that stand anywhere, or follow from what other keys hold.
    pub const fn unknown(flags: &'static [&'static str], notes: &'static str) -> Self {
        Self { first: 0, notes, ..Self::one(flags) }
    }

    /// All that stands behind a word, which is looked for from an argument on (negative: backwards from
    /// the end).
    pub const fn behind(word: &'static str, from: i32, flags: &'static [&'static str]) -> Self {
        Self { first: 0, last: -1, keyword: (word, from), ..Self::one(flags) }
    }

    /// Whether what stands there are keys, and not only as good as keys for choosing a node.
    pub fn is_key(&self) -> bool {
        !self.flags.contains(&"not_key")
    }

    /// The last key as `COMMAND` shows it: a position, or negative from the end.
    pub const fn last_key(&self) -> i32 {
        if self.last < 0 { self.last } else { self.first + self.last }
    }

    /// Positions of the keys of a call with `len` arguments.
    pub fn positions(&self, len: usize) -> impl Iterator<Item = usize> + use<> {
        let last = if self.last < 0 { len as i64 + i64::from(self.last) } else { i64::from(self.last_key()) };
        let end =
            if self.first == 0 || self.counted { 0 } else { last.clamp(0, len as i64 - 1) as usize + 1 };
        (self.first as usize..end).step_by(self.step as usize)
    }
}

/// The keys behind the argument at `index`, which says how many there are as C's `atoi` reads it; none, if there are
/// not so many arguments.
pub fn counted_keys(call: &[&[u8]], index: usize) -> Range<usize> {
    let digits = call[index].trim_ascii_start();
    let digits = digits.strip_prefix(b"+").unwrap_or(digits);
    let len = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    let count = std::str::from_utf8(&digits[..len]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let first = index + 1;
    if count <= call.len() - first { first..first + count } else { 0..0 }
}

impl Command {
    /// Positions of the keys of a call with `len` arguments, with what it does to each.
    pub fn key_positions(&self, len: usize) -> impl Iterator<Item = (usize, &'static KeySpec)> + use<> {
        self.keys.iter().flat_map(move |spec| spec.positions(len).map(move |at| (at, spec)))
    }

    /// The same of this very call, with keys that may stand anywhere.
    pub fn keys_of(&self, call: &[&[u8]]) -> impl Iterator<Item = (usize, &'static KeySpec)> + use<> {
        let (found, spec) = match self.finder {
            Finder::None => (0..0, None),
            Finder::Last(find) => (find(call).map_or(0..0, |at| at..at + 1), self.keys.last()),
            Finder::Behind(find) => (find(call), self.keys.last()),
            Finder::All(find) => (find(call), self.keys.first()),
        };
        let at_places = (!matches!(self.finder, Finder::All(_))).then(|| self.key_positions(call.len()));
        at_places.into_iter().flatten().chain(found.filter_map(move |at| Some((at, spec?))))
    }

    /// What Redis may have to tell its replicas of, although it is flagged as no write: messages and scripts; and to count a
    /// HyperLogLog may rewrite it.
    pub fn may_replicate(&self) -> bool {
        const ALL: [&str; 6] = ["eval", "evalsha", "fcall", "pfcount", "publish", "spublish"];
        ALL.contains(&self.full_name)
    }

    /// Whether it may change keys, whoever carries it out.
    pub fn changes_keys(&self) -> bool {
        self.is_write() || self.flags.has(Flags::WRITE)
    }
}
