//! Keys as bytes: `snapshot.Keys`, written and read by hand because a snapshot is all keys.
//! It must never write the same key in two ways: the state hash is taken over these bytes.

mod pieces;

pub(super) use pieces::Pieces;

use super::partition::{Entry, Item, PARTITIONS};
use super::types::{Collection, Kind};
use super::value::{Form, StringValue};
use super::{Blob, Forms, Value};
use crate::collections::IntBytes;
use crate::limits::DATABASES;
use crate::wire::WireError;
use crate::wire::entry::{next_field, put_len_field, put_varint_field, varint_len};

/// Numbers of the fields of `snapshot.Keys`.
const DB: u32 = 1;
const KEYS: u32 = 2;
const TOMBSTONES: u32 = 3;
const PIECES: u32 = 4;
const COLLECTION_PIECES: u32 = 5;

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

/// Of a key, all but its value.
#[derive(Debug)]
pub(super) struct Head<K> {
    key: K,
    version: u64,
    revision: u64,
    deadline_ms: u64,
}

impl<'a> Head<&'a [u8]> {
    fn of(entry: &'a Entry) -> Self {
        let Item { version, revision, deadline_ms, .. } = entry.item;
        Self { key: &entry.key, version, revision, deadline_ms }
    }
}

impl Head<Blob> {
    /// To be written later.
    pub(super) fn kept(entry: &Entry) -> Self {
        let Item { version, revision, deadline_ms, .. } = entry.item;
        Self { key: entry.key.clone(), version, revision, deadline_ms }
    }
}

/// Appends one row of `Keys.keys`.
pub(super) fn put_key(out: &mut Vec<u8>, entry: &Entry) {
    match &entry.item.value {
        Value::String(value) => put_string(out, entry, value),
        other => {
            if let Some(collection) = other.collection() {
                put_collection(out, entry, collection);
            }
        }
    }
}

fn put_string(out: &mut Vec<u8>, entry: &Entry, value: &StringValue) {
    let mut room = IntBytes::default();
    let bytes = value.bytes(&mut room);
    let form = value.form();
    let sized = 1 + varint_len(bytes.len() as u64) + bytes.len() + form_len(form);
    put_row(out, &Head::of(entry), sized, |out| {
        put_len_field(out, 5, bytes.len());
        out.extend_from_slice(bytes);
        put_form(out, form);
    });
}

fn put_collection(out: &mut Vec<u8>, entry: &Entry, collection: &dyn Collection) {
    let mut bytes = Vec::new();
    collection.put(&mut bytes);
    let sized = 2 + 1 + varint_len(bytes.len() as u64) + bytes.len();
    put_row(out, &Head::of(entry), sized, |out| {
        put_varint_field(out, 8, collection.kind() as u64);
        put_len_field(out, 9, bytes.len());
        out.extend_from_slice(&bytes);
    });
}

/// The row of a string that stands in pieces before it.
pub(super) fn put_string_of_pieces(out: &mut Vec<u8>, head: &Head<Blob>, len: usize, form: Form) {
    let len = len as u64;
    put_row(out, head, 1 + varint_len(len) + form_len(form), |out| {
        put_varint_field(out, 7, len);
        put_form(out, form);
    });
}

/// The same of a collection.
pub(super) fn put_collection_of_pieces(out: &mut Vec<u8>, head: &Head<Blob>, len: usize, kind: Kind) {
    let len = len as u64;
    put_row(out, head, 1 + varint_len(len) + 2, |out| {
        put_varint_field(out, 7, len);
        put_varint_field(out, 8, kind as u64);
    });
}

fn form_len(form: Form) -> usize {
    if form == Form::AsSet { 0 } else { 2 }
}

fn put_form(out: &mut Vec<u8>, form: Form) {
    if form != Form::AsSet {
        put_varint_field(out, 6, form as u64);
    }
}

fn put_row<K>(out: &mut Vec<u8>, head: &Head<K>, value_len: usize, put_value: impl FnOnce(&mut Vec<u8>))
where
    K: std::ops::Deref<Target = [u8]>,
{
    let numbers = [(2, head.version), (3, head.revision), (4, head.deadline_ms)];
    let sized = |len: usize| 1 + varint_len(len as u64) + len;
    let numbers_len: usize = numbers.iter().map(|&(_, n)| 1 + varint_len(n)).sum();
    put_len_field(out, KEYS, sized(head.key.len()) + numbers_len + value_len);
    put_len_field(out, 1, head.key.len());
    out.extend_from_slice(&head.key);
    for (field, n) in numbers {
        put_varint_field(out, field, n);
    }
    put_value(out);
}

/// Appends a piece of the string of a key that follows.
pub(super) fn put_piece(out: &mut Vec<u8>, piece: &[u8]) {
    put_len_field(out, PIECES, piece.len());
    out.extend_from_slice(piece);
}

/// Appends a piece of the collection of a key that follows.
pub(super) fn put_collection_piece(out: &mut Vec<u8>, kind: Kind, piece: &[u8]) {
    put_len_field(out, COLLECTION_PIECES, 1 + piece.len());
    out.push(kind as u8);
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

/// Takes the next row off `bytes`. `pieces` keeps those of a value until its key comes: the same for
/// all of a snapshot.
pub(super) fn next_row(
    bytes: &mut &[u8],
    pieces: &mut Pieces,
    forms: &Forms,
) -> Result<Option<Row>, WireError> {
    while !bytes.is_empty() {
        match next_field(bytes, "snapshot keys")? {
            (DB, db) => {
                let db = usize::try_from(db.varint("snapshot keys")?).ok().filter(|&db| db < DATABASES);
                return Ok(Some(Row::Database(db.ok_or(WireError::new("database"))?)));
            }
            (KEYS, row) => return read_key(row.bytes("snapshot key")?, pieces, forms).map(Some),
            (PIECES, piece) => pieces.add_string(piece.bytes("piece of a string")?)?,
            (COLLECTION_PIECES, piece) => {
                pieces.add_collection(piece.bytes("piece of a collection")?, forms)?
            }
            (TOMBSTONES, row) => return read_tombstone(row.bytes("tombstone")?).map(Some),
            _ => return Err(WireError::new("snapshot keys")),
        }
    }
    Ok(None)
}

fn read_key(mut bytes: &[u8], pieces: &mut Pieces, forms: &Forms) -> Result<Row, WireError> {
    let mut key: &[u8] = &[];
    let (mut string, mut collection, mut pieces_len) = (None, None, None);
    let (mut form, mut kind) = (0, 0);
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
            (8, field) => kind = field.varint("snapshot key")?,
            (9, field) => collection = Some(field.bytes("snapshot key")?),
            _ => return Err(WireError::new("snapshot key")),
        }
    }
    let form = Form::from_number(form).ok_or(WireError::new("form of a snapshot key"))?;
    let value = match (string, collection, pieces_len, kind) {
        (Some(string), None, None, 0) => Value::String(StringValue::with_form(string, form)),
        (None, None, Some(len), 0) => Value::String(pieces.take_string(len, form)?),
        (None, Some(bytes), None, kind) => {
            let kind = Kind::from_number(kind).ok_or(WireError::new("type of a snapshot key"))?;
            let mut growing = kind.grow(forms);
            growing.take(bytes)?;
            growing.finish()?
        }
        (None, None, Some(len), kind) => pieces.take_collection(len, kind)?,
        // A key of a type that this version does not know has no value.
        _ => return Err(WireError::new("type of a snapshot key")),
    };
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
