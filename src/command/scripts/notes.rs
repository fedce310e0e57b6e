//! [`Notes`]: what is told of a script's commands when it has ended: to statistics, `MONITOR` and `ACL LOG`, if its
//! caller is there. Nothing here may ever have an influence on the script or on the state.

use super::Audience;
use crate::command::row::{Command, Flags};
use crate::command::{Denied, Reply};
use crate::keyspace::{Blob, Scripted};
use crate::limits::{ERROR_CODES, SCRIPT_DENIALS_TOLD, SCRIPT_SHOWN_BYTES};
use std::time::Duration;

const CARRIED_OUT: usize = 0;
const FAILED: usize = 1;
const REFUSED: usize = 2;

fn code_of(error: &str) -> &str {
    error.split(' ').next().unwrap_or_default()
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Notes {
    told: Scripted,
    audience: Audience,
    shown_bytes: usize,
}

impl Notes {
    /// Of nothing yet.
    pub(super) fn new(audience: Audience) -> Self {
        Self { audience, ..Self::default() }
    }

    /// Whether they are for anybody.
    pub(super) fn are_heard(&self) -> bool {
        self.audience != Audience::Nobody
    }

    fn count(&mut self, row: &'static Command) -> &mut [u64; 3] {
        let counts = &mut self.told.counts;
        let known = counts.iter().position(|(name, _)| *name == row.full_name);
        let at = known.unwrap_or_else(|| {
            counts.push((row.full_name, [0; 3]));
            counts.len() - 1
        });
        &mut counts[at].1
    }

    /// A command is about to be carried out.
    pub(super) fn begins(&mut self, row: &'static Command, db: usize, call: &[&[u8]]) {
        if self.audience != Audience::Watchers
            || row.flags.has(Flags::ADMIN)
            || row.flags.has(Flags::SKIP_MONITOR)
        {
            return;
        }
        self.shown_bytes += call.iter().map(|word| word.len() + size_of::<Blob>()).sum::<usize>();
        if self.shown_bytes <= SCRIPT_SHOWN_BYTES {
            self.told.shown.push((db as u32, call.iter().map(|word| Blob::new(word)).collect()));
        }
    }

    /// It has come to its end.
    pub(super) fn ends(&mut self, row: &'static Command, reply: &Reply) {
        if !self.are_heard() {
            return;
        }
        let count = self.count(row);
        count[CARRIED_OUT] += 1;
        count[FAILED] += u64::from(reply.is_error());
    }

    /// It was to take this long, if any time at all.
    pub(super) fn sleeps(&mut self, duration: Option<Duration>) {
        self.told.slept = self.told.slept.saturating_add(duration.unwrap_or_default());
    }

    /// A command was not carried out.
    pub(super) fn refused(&mut self, row: &'static Command) {
        self.count(row)[REFUSED] += 1;
    }

    /// The reason was that the caller may not do it.
    pub(super) fn denied(&mut self, denied: Denied, call: &[&[u8]]) {
        let (reason, object) = match denied {
            Denied::Command(name) => ("command", name.as_bytes()),
            Denied::Key(at) => ("key", call[at]),
            Denied::Channel(at) => ("channel", call[at]),
        };
        if self.told.denied.len() < SCRIPT_DENIALS_TOLD {
            self.told.denied.push((reason, Blob::new(object)));
        }
    }

    /// The script was told of an error: of a command that failed, or was not carried out.
    pub(super) fn answered(&mut self, error: &str) {
        let errors = &mut self.told.errors;
        if let Some((_, count)) = errors.iter_mut().find(|(code, _)| **code == *code_of(error)) {
            *count += 1;
        } else if errors.len() < ERROR_CODES {
            errors.push((code_of(error).into(), 1));
        }
    }

    /// One of them is what the script itself answers, and will be counted as that.
    pub(super) fn is_the_answer(&mut self, error: &str) {
        let errors = &mut self.told.errors;
        if let Some(at) = errors.iter().position(|(code, _)| **code == *code_of(error)) {
            errors[at].1 -= 1;
            errors.retain(|(_, count)| *count > 0);
        }
    }

    pub(super) fn into_told(self) -> Scripted {
        self.told
    }
}
