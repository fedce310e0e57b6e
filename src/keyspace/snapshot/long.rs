//! [`Long`]: a key with a long value, which a snapshot writes piece by piece: a string is shared, a collection
//! frozen. Taking it out of the way of a change must never cost what it is long.

use crate::keyspace::codec::{self, Head};
use crate::keyspace::discard::Discarded;
use crate::keyspace::partition::Entry;
use crate::keyspace::types::{Frozen, Kind};
use crate::keyspace::value::Form;
use crate::keyspace::{Blob, StringValue, Value};

/// See the module.
#[derive(Debug)]
pub(super) struct Long {
    pub(super) db: usize,
    /// What follows the pieces.
    head: Head<Blob>,
    body: Body,
    /// Bytes of pieces so far.
    written: usize,
    heap_bytes: usize,
}

#[derive(Debug)]
enum Body {
    String(Blob, Form),
    Collection(Kind, Box<dyn Frozen>),
}

impl Long {
    /// None: the value is shorter than `least_bytes`.
    pub(super) fn of(db: usize, entry: &Entry, least_bytes: usize) -> Option<Self> {
        let (body, heap_bytes) = match &entry.item.value {
            Value::String(StringValue::Int(_)) => return None,
            Value::String(value) if value.len() < least_bytes => return None,
            Value::String(value) => {
                let string = value.to_blob();
                let heap_bytes = string.heap_bytes();
                (Body::String(string, value.form()), heap_bytes)
            }
            other => {
                let collection = other.collection()?;
                let heap_bytes = collection.heap_bytes();
                if heap_bytes < least_bytes {
                    return None;
                }
                (Body::Collection(collection.kind(), collection.freeze()), heap_bytes)
            }
        };
        Some(Self { db, head: Head::kept(entry), body, written: 0, heap_bytes })
    }

    /// Appends the next piece. Whether it was the last.
    pub(super) fn put_next(&mut self, out: &mut Vec<u8>, target_bytes: usize) -> bool {
        match &mut self.body {
            Body::String(string, form) => {
                let end = string.len().min(self.written + target_bytes);
                codec::put_piece(out, &string[self.written..end]);
                self.written = end;
                let is_last = end == string.len();
                if is_last {
                    codec::put_string_of_pieces(out, &self.head, end, *form);
                }
                is_last
            }
            Body::Collection(kind, frozen) => {
                let mut piece = Vec::with_capacity(target_bytes + target_bytes / 8);
                let is_last = frozen.put_next(&mut piece, target_bytes);
                codec::put_collection_piece(out, *kind, &piece);
                self.written += piece.len();
                if is_last {
                    codec::put_collection_of_pieces(out, &self.head, self.written, *kind);
                }
                is_last
            }
        }
    }

    /// Memory that it holds, if nobody else does.
    pub(super) fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }

    /// Lets go what it holds, bit by bit.
    pub(super) fn give_up(self, discarded: &mut Discarded) {
        if let Body::Collection(_, frozen) = self.body {
            discarded.add_frozen(frozen);
        }
    }

    /// Whether its string begins there.
    #[cfg(test)]
    pub(super) fn begins_at(&self, begin: *const u8) -> bool {
        matches!(&self.body, Body::String(string, _) if string.as_ptr() == begin)
    }
}
