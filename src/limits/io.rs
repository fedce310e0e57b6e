//! The bounds of what passes between the node's thread, I/O threads and the disk. This module must never hold
//! anything but constants.

/// Replies longer than this are handed to an I/O thread as they are; shorter ones are copied into
/// the batch of the turn.
pub const IO_COPIED_BYTES: usize = 16 << 10;

/// Bytes that such a batch keeps room for when it is empty.
pub const IO_KEPT_BATCH_BYTES: usize = 1 << 20;

/// Sockets that an I/O thread hears of in one turn; the others have theirs in the next.
pub const IO_EVENTS: usize = 1024;

/// Most threads that `--io-threads` names, as in Redis. Beyond: refused at the start.
pub const MAX_IO_THREADS: usize = 128;

/// Keys of the commands that come next, looked up together before they are carried out.
pub const LOOK_AHEAD: usize = 32;

/// Pointers that are followed in each of their values: to the elements at both ends of a list of a million.
pub const LOOK_AHEAD_POINTERS: usize = 8;

/// Bytes of a file that nobody needs any more that are freed at once. With 8 MiB, syncs of others waited up to 20 ms;
/// with all of 400 MB, 300 to 430 ms.
pub const FREED_AT_ONCE_BYTES: u64 = 2 << 20;

/// For how many times as long as that took nothing is freed then.
pub const FREEING_RESTS: u32 = 2;
