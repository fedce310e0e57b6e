//! [`Cache`]: texts of scripts by their SHA-1. Those that `SCRIPT LOAD` has put there stay; of those that `EVAL`
//! has left, the oldest goes when there are too many. It is part of the state, in this order.

use super::Sha;
use super::shebang::ScriptFlags;
use crate::collections::Blob;
use crate::limits::{SCRIPT_CACHE_BYTES, SCRIPTS_EVALUATED};
use std::collections::{BTreeMap, VecDeque};

/// A text.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) text: Blob,
    pub(super) flags: ScriptFlags,
    /// It stays.
    pub(super) is_loaded: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Cache {
    scripts: BTreeMap<Sha, Script>,
    /// What `EVAL` has left, oldest first.
    evaluated: VecDeque<Sha>,
    bytes: usize,
}

impl Cache {
    pub(super) fn get(&self, sha: &Sha) -> Option<&Script> {
        self.scripts.get(sha)
    }

    pub(super) fn len(&self) -> usize {
        self.scripts.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.bytes + self.scripts.len() * size_of::<(Sha, Script)>()
    }

    /// Puts a text there. False: there is no room for one that is to stay.
    pub(super) fn put(&mut self, sha: Sha, text: &[u8], flags: ScriptFlags, is_loaded: bool) -> bool {
        if let Some(known) = self.scripts.get_mut(&sha) {
            if is_loaded && !known.is_loaded {
                known.is_loaded = true;
                self.evaluated.retain(|other| *other != sha);
            }
            return true;
        }
        while self.bytes + text.len() > SCRIPT_CACHE_BYTES
            || !is_loaded && self.evaluated.len() >= SCRIPTS_EVALUATED
        {
            let Some(oldest) = self.evaluated.pop_front() else { return !is_loaded };
            self.remove(&oldest);
        }
        self.bytes += text.len();
        self.scripts.insert(sha, Script { text: Blob::new(text), flags, is_loaded });
        if !is_loaded {
            self.evaluated.push_back(sha);
        }
        true
    }

    fn remove(&mut self, sha: &Sha) {
        if let Some(script) = self.scripts.remove(sha) {
            self.bytes -= script.text.len();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them, in an order in which they can be put again.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Script> {
        let loaded = self.scripts.values().filter(|script| script.is_loaded);
        loaded.chain(self.evaluated.iter().filter_map(|sha| self.scripts.get(sha)))
    }
}
