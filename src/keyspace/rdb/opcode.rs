//! What may stand in an RDB file where the type of a value would. This module must never hold a
//! type.

/// A field about the file: name and value, as strings.
pub(super) const AUX: u8 = 0xfa;
/// The deadline of the key that follows: Unix time in milliseconds, eight bytes, the lowest first.
pub(super) const EXPIRE_MS: u8 = 0xfc;
/// What follows is of this database: a length.
pub(super) const SELECT_DB: u8 = 0xfe;
/// Nothing follows but the checksum.
pub(super) const EOF: u8 = 0xff;
