//! What commands tell replicas of Redis's protocol in their own place, in the forms that Redis
//! chose: nothing here may be told that rests on a clock. While nobody has attached, each of these
//! is one look at a flag. (A command that says nothing is told as it is: see
//! [`Keyspace`](crate::keyspace::Keyspace)'s `propagation`.)

use super::WriteContext;
use super::parse::Expiry;

/// When a key ends that was set.
#[derive(Debug, Clone, Copy)]
pub(super) enum Expires {
    /// It has no deadline.
    Never,
    /// It has the deadline that it had.
    AsBefore,
    /// Then.
    At(u64),
}

impl Expires {
    /// By what became of the deadline of a key.
    pub(super) fn of(expiry: Expiry<'_>, deadline_ms: u64) -> Self {
        match expiry {
            Expiry::Clear => Self::Never,
            Expiry::Keep => Self::AsBefore,
            Expiry::At { .. } => Self::At(deadline_ms),
        }
    }
}

impl WriteContext<'_> {
    /// Whether anybody hears what is told.
    pub fn propagates(&self) -> bool {
        self.state.keyspace.propagates()
    }

    /// Any command.
    pub fn propagate(&mut self, args: &[&[u8]]) {
        self.state.keyspace.propagate(self.db, args);
    }

    /// The key is gone.
    pub fn propagate_deletion(&mut self, key: &[u8]) {
        self.propagate(&[b"DEL", key]);
    }

    /// The key is this string now, and ends then.
    pub(super) fn propagate_set(&mut self, key: &[u8], value: &[u8], expires: Expires) {
        match expires {
            Expires::Never => self.propagate(&[b"SET", key, value]),
            Expires::AsBefore => self.propagate(&[b"SET", key, value, b"KEEPTTL"]),
            Expires::At(deadline_ms) if self.propagates() => {
                self.propagate(&[b"SET", key, value, b"PXAT", deadline_ms.to_string().as_bytes()]);
            }
            Expires::At(_) => {}
        }
    }

    /// The key ends then; `options` of the command that said so hold on replicas as well.
    pub fn propagate_deadline(&mut self, key: &[u8], deadline_ms: u64, options: &[&[u8]]) {
        if self.propagates() {
            let deadline = deadline_ms.to_string();
            self.propagate(&[&[b"PEXPIREAT", key, deadline.as_bytes()], options].concat());
        }
    }
}
