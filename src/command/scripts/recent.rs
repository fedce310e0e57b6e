//! [`Recent`]: the SHA-1 of the texts that came last. Most callers send the same few ones again and again, and to compare
//! a text costs much less than to compute its name.

use super::{Sha, sha_of};
use crate::limits::{SCRIPT_RECENT_BYTES, SCRIPTS_RECENT};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Recent {
    texts: Vec<(Box<[u8]>, Sha)>,
    /// Which one the next unknown text replaces.
    next: usize,
}

impl Recent {
    pub(super) fn sha_of(&mut self, text: &[u8]) -> Sha {
        if let Some((_, sha)) = self.texts.iter().find(|(known, _)| **known == *text) {
            return *sha;
        }
        let sha = sha_of(text);
        if text.len() <= SCRIPT_RECENT_BYTES {
            let entry = (text.into(), sha);
            match self.texts.get_mut(self.next) {
                Some(oldest) => *oldest = entry,
                None => self.texts.push(entry),
            }
            self.next = (self.next + 1) % SCRIPTS_RECENT;
        }
        sha
    }
}
