//! Lua scripts: EVAL and what belongs to it, SCRIPT, FUNCTION, FCALL. [`Scripts`] is the part of the state that they
//! need: texts and libraries. A script is a write like any other: it stands in the log by its text (or by the
//! name under which the state has the text), and every replica runs it. So nothing that a script can see may
//! depend on the replica: no clock but the log's, no random number but those that follow from a seed that is the
//! same everywhere, no address, no order of a table that rests on addresses, no limit that rests on time or on
//! what ran before. What may run only reads takes the way of reads.

mod api;
mod cache;
mod convert;
mod dump;
mod eval;
mod functions;
mod host;
mod library;
mod libs;
mod number;
mod raised;
mod random;
mod rows;
mod shebang;
mod snapshot;
mod vm;

pub(super) use rows::{EVAL, EVAL_RO, EVALSHA, EVALSHA_RO, FCALL, FCALL_RO, FUNCTION, SCRIPT};

use super::State;
use super::acl::Denied;
use super::row::{Command, Flags, Handler};
use cache::Cache;
use library::Libraries;
use std::cell::RefCell;
use vm::{Sha, Vm};

/// See the module.
#[derive(Debug, Default)]
pub struct Scripts {
    cache: Cache,
    libraries: Libraries,
    /// Not part of the state: made when it is needed.
    vm: RefCell<Option<Box<Vm>>>,
    walk: snapshot::Walk,
}

/// Who runs a script, as far as it matters for what its commands may do.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Caller<'a> {
    /// None: somebody who may do everything.
    user: Option<&'a [u8]>,
    /// The node that took the script is short of memory.
    lacks_memory: bool,
}

impl Caller<'_> {
    fn check(&self, state: &State, row: &'static Command, call: &[&[u8]]) -> Result<(), Denied> {
        match self.user {
            None => Ok(()),
            Some(name) => match state.acl.user(name) {
                Some(user) => user.check(row, call),
                None => Err(Denied::Command(row.full_name)),
            },
        }
    }
}

impl Command {
    /// Whether it runs a script, which may do whatever scripts can.
    pub fn runs_script(&self) -> bool {
        matches!(self.full_name, "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro")
    }

    /// Whether it is refused when memory is full. A script that may write is refused as a whole.
    pub fn needs_memory(&self) -> bool {
        let is_write = matches!(self.handler, Handler::Write(_));
        self.flags.has(Flags::DENYOOM) || is_write && self.runs_script()
    }
}

impl Scripts {
    /// How many texts there are, libraries and functions.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.cache.len(), self.libraries.len(), self.libraries.functions_len())
    }

    /// Bytes of the texts, of the libraries' code, and of Lua's machine on this replica.
    pub fn size_bytes(&self) -> (usize, usize, usize) {
        let of_vm = self.vm.try_borrow().ok().and_then(|vm| vm.as_ref().map(|vm| vm.used_bytes()));
        (self.cache.size_bytes(), self.libraries.size_bytes(), of_vm.unwrap_or(0))
    }

    /// The keys of a call that says how many there are: after the number.
    pub(super) fn keys_of(call: &[&[u8]]) -> std::ops::Range<usize> {
        let count = call.get(2).and_then(|count| super::parse_i64(count)).unwrap_or(0);
        match usize::try_from(count) {
            Ok(count) if count <= call.len().saturating_sub(3) => 3..3 + count,
            _ => 0..0,
        }
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
