//! What an RDB file is framed with, as Redis numbers it. Nothing here may concern a value.

/// How a file begins; four digits of its version follow.
pub const MAGIC: &[u8; 5] = b"REDIS";

/// Information about modules.
pub const MODULE_AUX: u8 = 247;
/// A library of functions.
pub const FUNCTION: u8 = 245;
/// A library of functions, as release candidates of Redis 7.0 wrote it.
pub const FUNCTION_EARLY: u8 = 246;
/// Seconds since the next key was used: a length.
pub const IDLE: u8 = 248;
/// How often the next key is used: a byte.
pub const FREQ: u8 = 249;
/// A name and a value about the file itself: two strings.
pub const AUX: u8 = 250;
/// How many keys follow, and how many of them have a deadline: two lengths.
pub const RESIZEDB: u8 = 251;
/// The next key's deadline in milliseconds: eight bytes, the lowest first.
pub const EXPIRETIME_MS: u8 = 252;
/// The same in seconds: four bytes.
pub const EXPIRETIME: u8 = 253;
/// The database of what follows: a length.
pub const SELECTDB: u8 = 254;
/// The end; a CRC-64 follows.
pub const EOF: u8 = 255;
