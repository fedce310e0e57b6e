//! Keys as bytes: `snapshot.Keys`, written and read by hand because a snapshot is all keys.
//! It must never write the same key in two ways: the state hash is taken over these bytes.

use super::partition::{Entry, Item, PARTITIONS};
use super::value::{Form, StringValue};
use super::{Blob, Value};
use crate::collections::IntBytes;
use crate::limits::DATABASES;
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field, put_varint_field, varint_len};

/// Numbers of the fields of `snapshot.Keys`.
const DB: u32 = 1;
const KEYS: u32 = 2;
const TOMBSTONES: u32 = 3;
const PIECES: u32 = 4;

/// A `Keys` of rows that were put before.
pub(super) fn keys(db: usize, rows: Vec<u8>) -> Vec<u8> {
    if db == 0 {
        return rows;
    }
    let mut out = Vec::with_capacity(rows.len() + 2);
    put_varint_field(&mut out, DB, db as u64);
    out.extend_from_slice(&rows);
    out
}

/// Appends one row of `Keys.keys`.
pub(super) fn put_key(out: &mut Vec<u8>, entry: &Entry) {
    let Value::String(value) = &entry.item.value;
    let mut room = IntBytes::default();
    let bytes = value.bytes(&mut room);
    let sized = 1 + varint_len(bytes.len() as u64) + bytes.len();
    put_row(out, entry, sized, |out| {
        put_len_field(out, 5, bytes.len());
        out.extend_from_slice(bytes);
    });
}

/// The same, of a string that stands in pieces before it.
pub(super) fn put_key_of_pieces(out: &mut Vec<u8>, entry: &Entry) {
    let Value::String(value) = &entry.item.value;
    let len = value.len() as u64;
    put_row(out, entry, 1 + varint_len(len), |out| put_varint_field(out, 7, len));
}

fn put_row(out: &mut Vec<u8>, entry: &Entry, value_len: usize, put_value: impl FnOnce(&mut Vec<u8>)) {
    let Item { value: Value::String(value), version, revision, deadline_ms } = &entry.item;
    let form = value.form() as u64;
    let numbers = [(2, *version), (3, *revision), (4, *deadline_ms)];
    let sized = |len: usize| 1 + varint_len(len as u64) + len;
    let numbers_len: usize = numbers.iter().map(|&(_, n)| 1 + varint_len(n)).sum();
    let form_len = if form == 0 { 0 } else { 2 };
    put_len_field(out, KEYS, sized(entry.key.len()) + numbers_len + value_len + form_len);
    put_len_field(out, 1, entry.key.len());
    out.extend_from_slice(&entry.key);
    for (field, n) in numbers {
        put_varint_field(out, field, n);
    }
    put_value(out);
    if form != 0 {
        put_varint_field(out, 6, form);
    }
}

/// Appends a piece of the string of a key that follows.
pub(super) fn put_piece(out: &mut Vec<u8>, piece: &[u8]) {
    put_len_field(out, PIECES, piece.len());
    out.extend_from_slice(piece);
}

/// Appends one row of `Keys.tombstones`.
pub(super) fn put_tombstone(out: &mut Vec<u8>, partition: usize, revision: u64) {
    let partition = partition as u64;
    put_len_field(out, TOMBSTONES, 2 + varint_len(partition) + varint_len(revision));
    put_varint_field(out, 1, partition);
    put_varint_field(out, 2, revision);
}

/// One row of a `snapshot.Keys`.
pub(super) enum Row {
    /// What follows is in this database; in 0 until one comes.
    Database(usize),
    Key(Blob, Item),
    Tombstone {
        partition: usize,
        revision: u64,
    },
}

/// Takes the next row off `bytes`. `pieces` keeps those of a string until its key comes: the same for
/// all of a snapshot.
pub(super) fn next_row(bytes: &mut &[u8], pieces: &mut Vec<u8>) -> Result<Option<Row>, WireError> {
    while !bytes.is_empty() {
        match next_field(bytes, "snapshot keys")? {
            (DB, db) => {
                let db = usize::try_from(db.varint("snapshot keys")?).ok().filter(|&db| db < DATABASES);
                return Ok(Some(Row::Database(db.ok_or(WireError::new("database"))?)));
            }
            (KEYS, row) => return read_key(row.bytes("snapshot key")?, pieces).map(Some),
            (PIECES, piece) => pieces.extend_from_slice(piece.bytes("piece of a string")?),
            (TOMBSTONES, row) => return read_tombstone(row.bytes("tombstone")?).map(Some),
            _ => return Err(WireError::new("snapshot keys")),
        }
    }
    Ok(None)
}

fn read_key(mut bytes: &[u8], pieces: &mut Vec<u8>) -> Result<Row, WireError> {
    let mut key: &[u8] = &[];
    let (mut string, mut pieces_len) = (None, None);
    let mut form = 0;
    let [mut version, mut revision, mut deadline_ms] = [0; 3];
    while !bytes.is_empty() {
        match next_field(&mut bytes, "snapshot key")? {
            (1, field) => key = field.bytes("snapshot key")?,
            (2, field) => version = field.varint("snapshot key")?,
            (3, field) => revision = field.varint("snapshot key")?,
            (4, field) => deadline_ms = field.varint("snapshot key")?,
            (5, field) => string = Some(field.bytes("snapshot key")?),
            (6, field) => form = field.varint("snapshot key")?,
            (7, field) => pieces_len = Some(field.varint("snapshot key")?),
            _ => return Err(WireError::new("snapshot key")),
        }
    }
    let form = Form::from_number(form).ok_or(WireError::new("form of a snapshot key"))?;
    let value = match (string, pieces_len) {
        (Some(string), None) => StringValue::with_form(string, form),
        (None, Some(len)) if len == pieces.len() as u64 => {
            StringValue::long_with_form(std::mem::take(pieces), form)
        }
        // A key of a type that this version does not know has no string.
        _ => return Err(WireError::new("type of a snapshot key")),
    };
    let value = Value::String(value);
    if version == 0 || revision == 0 {
        return Err(WireError::new("snapshot key"));
    }
    Ok(Row::Key(Blob::new(key), Item { value, version, revision, deadline_ms }))
}

fn read_tombstone(mut bytes: &[u8]) -> Result<Row, WireError> {
    let [mut partition, mut revision] = [0; 2];
    while !bytes.is_empty() {
        match next_field(&mut bytes, "tombstone")? {
            (1, field) => partition = field.varint("tombstone")?,
            (2, field) => revision = field.varint("tombstone")?,
            _ => return Err(WireError::new("tombstone")),
        }
    }
    let partition = usize::try_from(partition).ok().filter(|&partition| partition < PARTITIONS);
    Ok(Row::Tombstone { partition: partition.ok_or(WireError::new("tombstone"))?, revision })
}
