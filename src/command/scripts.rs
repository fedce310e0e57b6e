//! Lua scripts: EVAL and what belongs to it, SCRIPT, FUNCTION, FCALL. [`Scripts`] is the part of the state that they
//! need: texts and libraries. A script is a write like any other: it stands in the log by its text (or by the
//! name under which the state has the text), and every replica runs it. So nothing that a script can see may
//! depend on the replica: no clock but the log's, no random number but those that follow from a seed that is the
//! same everywhere, no address, no order of a table that rests on addresses, no limit that rests on time or on
//! what ran before. What may run only reads takes the way of reads.

mod api;
mod arguments;
mod cache;
mod call;
mod convert;
mod dump;
mod eval;
mod functions;
mod host;
mod kept;
mod lend;
mod library;
mod libs;
mod notes;
mod number;
mod raised;
mod random;
mod reading;
mod recent;
mod rows;
mod shebang;
mod snapshot;
mod vm;
mod words;

pub(super) use rows::{EVAL, EVAL_RO, EVALSHA, EVALSHA_RO, FCALL, FCALL_RO, FUNCTION, SCRIPT};

pub use reading::READINGS;

use super::State;
use super::acl::Denied;
use super::row::{Command, Flags, Handler};
use crate::wire::units::Caller;
use cache::Cache;
use library::Libraries;
use std::cell::Cell;

/// Of a text.
type Sha = [u8; 20];

/// Who hears of a script: of its answer, and of what its commands were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Audience {
    /// Nobody: its caller is a client of another node.
    Nobody,
    /// Whoever called it, and those who count.
    #[default]
    Caller,
    /// The same, and somebody wants to see each command of it.
    Watchers,
}

impl Audience {
    /// Of a caller here.
    pub fn of_caller(is_watched: bool) -> Self {
        if is_watched { Self::Watchers } else { Self::Caller }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Scripts {
    cache: Cache,
    libraries: Libraries,
    walk: snapshot::Walk,
    /// Not part of the state: of the scripts that come next.
    audience: Cell<Audience>,
    /// Nor this: what is called again and again while a script runs.
    breath: Cell<Option<fn()>>,
}

/// Whether a script may make this call for its caller.
fn check(caller: &Caller<'_>, state: &State, row: &'static Command, call: &[&[u8]]) -> Result<(), Denied> {
    match caller.user {
        None => Ok(()),
        Some(name) => match state.acl.user(name) {
            Some(user) => user.check(row, call),
            None => Err(Denied::Command(row.full_name)), // it was removed
        },
    }
}

impl Command {
    /// Whether it runs a script, which may do whatever scripts can.
    pub fn runs_script(&self) -> bool {
        matches!(self.full_name, "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro")
    }

    /// Whether what it runs, as a whole or within another command, may be a script.
    pub fn may_run_script(&self) -> bool {
        self.wraps != 0 || self.runs_script()
    }

    /// Whether it is better carried out when there is memory. A script is carried out without, too: it is its
    /// commands that are refused.
    pub fn needs_memory(&self) -> bool {
        let is_write = matches!(self.handler, Handler::Write(_));
        self.flags.has(Flags::DENYOOM) || is_write && self.runs_script()
    }
}

impl Scripts {
    /// Who hears of the scripts that come next. No state may depend on it: what keeps an answer is a caller.
    pub fn set_audience(&self, audience: Audience) {
        self.audience.set(audience);
    }

    /// The same.
    pub(super) fn audience(&self) -> Audience {
        self.audience.get()
    }

    /// See [`super::State`]: what is no part of it.
    pub fn set_breath(&self, breath: fn()) {
        self.breath.set(Some(breath));
    }

    /// Takes over what is not part of the state.
    pub fn inherit(&self, before: &Self) {
        self.audience.set(before.audience.get());
        self.breath.set(before.breath.get());
    }

    /// All libraries go; whether there were any.
    pub fn forget_libraries(&mut self) -> bool {
        let had_some = self.libraries.len() > 0;
        self.libraries.clear();
        had_some
    }

    /// How many texts there are, libraries and functions.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.cache.len(), self.libraries.len(), self.libraries.functions_len())
    }

    /// Bytes of the texts, of the libraries' code, and of Lua's machine on this replica.
    pub fn size_bytes(&self) -> (usize, usize, usize) {
        (self.cache.size_bytes(), self.libraries.size_bytes(), kept::size_bytes())
    }
}

/// The name of a text.
fn sha_of(text: &[u8]) -> Sha {
    use sha1::Digest as _;
    sha1::Sha1::digest(text).into()
}

fn hex(sha: &Sha) -> String {
    sha.iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]))
        .collect()
}

fn unhex(text: &[u8]) -> Option<Sha> {
    let digit = |b: u8| (b as char).to_digit(16).map(|digit| digit as u8);
    let mut sha = [0; 20];
    for (byte, pair) in sha.iter_mut().zip(text.chunks(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    (text.len() == 40).then_some(sha)
}
