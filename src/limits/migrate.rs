//! The bounds of `MIGRATE`. This module must never hold anything but constants.

use std::time::Duration;

/// `MIGRATE`s of a node at a time; one more is refused.
pub const MAX_MIGRATIONS: usize = 64;
/// What `MIGRATE` sends before it waits for answers: so many bytes (and the rest of a value), so many keys.
pub const MIGRATE_BATCH_BYTES: usize = 8 << 20;
/// See [`MIGRATE_BATCH_BYTES`].
pub const MIGRATE_BATCH_KEYS: usize = 512;
/// How often `MIGRATE` sends a key that changes meanwhile; then it says so and leaves it.
pub const MIGRATE_ATTEMPTS: u32 = 16;
/// Connections to other servers that are kept for the next `MIGRATE`; the oldest is closed for one more.
pub const MIGRATE_SOCKETS: usize = 64;
/// For how long.
pub const MIGRATE_SOCKET_KEPT: Duration = Duration::from_secs(10);
/// Bytes of a line of another server's answer; a longer one ends the connection.
pub const MIGRATE_LINE_BYTES: usize = 64 << 10;
