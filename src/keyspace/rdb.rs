//! Values in Redis's own serialization (RDB, version 10), as `DUMP` and `RESTORE` exchange them:
//! a byte for the type, the value, two bytes of version, a CRC64 of all that; and whole files of
//! them (`reader`, [`FileWriter`]). What is read comes from anybody: it must never panic, nor take more
//! memory than [`MAX_BULK_BYTES`] a string.

mod crc64;
mod extent;
mod file;
mod functions;
mod hash;
mod layout;
mod list;
mod lzf;
pub mod opcode;
mod reader;
#[cfg(test)]
mod reader_tests;
mod set;
mod sorted_set;
mod stream;
mod strings;
mod ziplist;

#[cfg(test)]
mod tests;

use super::{Forms, Hash, List, Set, SortedSet, Value};
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
/// Of Redis 3.0 and before, when they were long.
const LIST: u8 = 1;
const SET: u8 = 2;
/// Of Redis 3 and before.
const ZSET: u8 = 3;
const HASH: u8 = 4;
const ZSET_2: u8 = 5;
/// Of Redis 2.4 and before.
const HASH_ZIPMAP: u8 = 9;
/// Of Redis 3.0 and before.
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
/// Of Redis 6 and before.
const ZSET_ZIPLIST: u8 = 12;
/// Of Redis 6 and before.
const HASH_ZIPLIST: u8 = 13;
/// Of Redis 6 and before: nodes are ziplists.
const LIST_QUICKLIST: u8 = 14;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const LIST_QUICKLIST_2: u8 = 18;
/// Of Redis 6 and before.
const STREAM_LISTPACKS: u8 = 15;
const STREAM_LISTPACKS_2: u8 = 19;

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
    sealed(out)
}

/// With version and checksum behind it.
pub fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    body.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&body);
    body.extend_from_slice(&checksum.to_le_bytes());
    body
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::String(_) => STRING,
        Value::Hash(hash) => hash::type_of(hash),
        Value::Set(set) => set::type_of(set),
        Value::List(_) => LIST_QUICKLIST_2,
        Value::SortedSet(set) => sorted_set::type_of(set),
        Value::Stream(_) => STREAM_LISTPACKS_2,
    }
}

/// Appends a value without its type.
fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::String(value) => strings::put(out, value.bytes(&mut IntBytes::default())),
        Value::Hash(hash) => hash::put(out, hash),
        Value::Set(set) => set::put(out, set),
        Value::List(list) => list::put(out, list),
        Value::SortedSet(set) => sorted_set::put(out, set),
        Value::Stream(stream) => stream::put(out, stream),
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
pub fn restore(payload: &[u8], forms: &Forms) -> Result<Value, PayloadError> {
    value_of(check(payload)?, forms)
}

/// A value as it stands in a file or a payload: its type's byte, and what follows.
pub fn value_of(bytes: &[u8], forms: &Forms) -> Result<Value, PayloadError> {
    let mut reader = Reader::new(bytes);
    let value = match reader.byte() {
        Some(STRING) => reader.string().map(|bytes| Value::string(&bytes)),
        Some(kind @ (HASH | HASH_ZIPMAP | HASH_ZIPLIST | HASH_LISTPACK)) => {
            hash::read(kind, &mut reader, forms).map(Value::from)
        }
        Some(kind @ (SET | SET_INTSET)) => set::read(kind, &mut reader, forms).map(Value::from),
        Some(kind @ (LIST | LIST_ZIPLIST | LIST_QUICKLIST | LIST_QUICKLIST_2)) => {
            list::read(kind, &mut reader, forms).map(Value::from)
        }
        Some(kind @ (ZSET | ZSET_2 | ZSET_ZIPLIST | ZSET_LISTPACK)) => {
            sorted_set::read(kind, &mut reader, forms).map(Value::from)
        }
        Some(kind @ (STREAM_LISTPACKS | STREAM_LISTPACKS_2)) => {
            stream::read(kind, &mut reader).map(Value::from)
        }
        _ => None,
    };
    value.ok_or(PayloadError::Format)
}

/// Adds a piece of a collection, which looks like a value of its own, behind what the collection has. After an error
/// a part of it may have been added.
pub fn extend(value: &mut Value, piece: &[u8], forms: &Forms) -> Result<(), PayloadError> {
    let mut reader = Reader::new(piece);
    let kind = reader.byte().ok_or(PayloadError::Format)?;
    let added = match value {
        Value::Hash(hash) if kind == HASH => hash::extend(hash, &mut reader, forms),
        Value::Set(set) if kind == SET => set::extend(set, &mut reader, forms),
        Value::List(list) => list::extend(list, kind, &mut reader),
        Value::SortedSet(set) => sorted_set::extend(set, kind, &mut reader, forms),
        _ => None,
    };
    added.ok_or(PayloadError::Format)
}

fn is_value(bytes: &[u8]) -> bool {
    value_of(bytes, &Forms::default()).is_ok()
}

/// Whether these bytes could be added to a value of their type.
fn is_piece(bytes: &[u8]) -> bool {
    let empty = match bytes.first() {
        Some(&HASH) => Hash::default().into(),
        Some(&SET) => Set::default().into(),
        Some(&(LIST | LIST_QUICKLIST | LIST_QUICKLIST_2)) => List::default().into(),
        Some(&(ZSET | ZSET_2)) => SortedSet::default().into(),
        _ => return false,
    };
    extend(&mut { empty }, bytes, &Forms::default()).is_ok()
}
