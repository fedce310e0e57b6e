//! Values in Redis's own serialization (RDB, version 10), as `DUMP` and `RESTORE` exchange them:
//! a byte for the type, the value, two bytes of version, a CRC64 of all that; and whole files of
//! them (`reader`, [`FileWriter`]). What is read comes from anybody: it must never panic, nor take more
//! memory than [`MAX_BULK_BYTES`] a string.

mod crc64;
mod extent;
mod file;
mod functions;
mod lzf;
pub mod opcode;
mod reader;
#[cfg(test)]
mod reader_tests;
mod strings;

#[cfg(test)]
mod tests;

use super::Value;
use crate::collections::IntBytes;
pub use file::FileWriter;
pub use functions::{functions, put_functions};
use strings::Reader;
use thiserror::Error;

pub use reader::{RdbError, RdbItem, RdbReader};

/// The version that is written, and the newest that is read.
const VERSION: u16 = 10;
const FOOTER_BYTES: usize = 10;

/// The types of values, as Redis numbers them.
const STRING: u8 = 0;

/// Why a payload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// It has been changed on its way, or is newer than this server.
    #[error("DUMP payload version or checksum are wrong")]
    Footer,
    /// It does not say what it should.
    #[error("Bad data format")]
    Format,
    /// It is a payload of something else.
    #[error("Bad data format")]
    Other,
}

/// The payload of a value.
pub fn dump(value: &Value) -> Vec<u8> {
    let mut out = vec![type_of(value)];
    put_value(&mut out, value);
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&out);
    out.extend_from_slice(&checksum.to_le_bytes());
    out
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::String(_) => STRING,
    }
}

/// Appends a value without its type.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(value) => strings::put(out, value.bytes(&mut IntBytes::default())),
    }
}

/// Whether the payload is whole, and of a version that is known here. Returns what is before
/// the footer.
pub fn check(payload: &[u8]) -> Result<&[u8], PayloadError> {
    let body_len = payload.len().checked_sub(FOOTER_BYTES).ok_or(PayloadError::Footer)?;
    let (body, footer) = payload.split_at(body_len);
    let version = u16::from_le_bytes([footer[0], footer[1]]);
    let checksum = crc64::checksum(&payload[..body_len + 2]);
    if version > VERSION || footer[2..] != checksum.to_le_bytes() {
        return Err(PayloadError::Footer);
    }
    Ok(body)
}

/// The value of a payload.
pub fn restore(payload: &[u8]) -> Result<Value, PayloadError> {
    value_of(check(payload)?)
}

/// A value as it stands in a file or a payload: its type's byte, and what follows.
pub fn value_of(bytes: &[u8]) -> Result<Value, PayloadError> {
    let mut reader = Reader::new(bytes);
    match reader.byte() {
        Some(STRING) => reader.string().map(|bytes| Value::string(&bytes)),
        _ => None,
    }
    .ok_or(PayloadError::Format)
}
