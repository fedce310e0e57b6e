//! [`Pieces`]: a long value of a snapshot until its key comes. A collection is made of its pieces as they
//! come: they must never lie beside it.

use crate::keyspace::types::{Forms, Growing, Kind};
use crate::keyspace::value::{Form, StringValue, Value};
use crate::wire::WireError;

const WRONG: WireError = WireError::new("pieces of a snapshot key");

/// See the module.
#[derive(Debug, Default)]
pub(in crate::keyspace) struct Pieces {
    string: Vec<u8>,
    collection: Option<Grown>,
}

#[derive(Debug)]
struct Grown {
    kind: Kind,
    len: u64,
    growing: Box<dyn Growing>,
}

impl Pieces {
    pub(super) fn add_string(&mut self, piece: &[u8]) -> Result<(), WireError> {
        if self.collection.is_some() {
            return Err(WRONG);
        }
        self.string.extend_from_slice(piece);
        Ok(())
    }

    /// The number of the type, and the piece.
    pub(super) fn add_collection(&mut self, piece: &[u8], forms: &Forms) -> Result<(), WireError> {
        let (&number, piece) = piece.split_first().ok_or(WRONG)?;
        let kind = Kind::from_number(number.into()).ok_or(WireError::new("type of a snapshot key"))?;
        if !self.string.is_empty() || self.collection.as_ref().is_some_and(|grown| grown.kind != kind) {
            return Err(WRONG);
        }
        let empty = || Grown { kind, len: 0, growing: kind.grow(forms) };
        let grown = self.collection.get_or_insert_with(empty);
        grown.len += piece.len() as u64;
        grown.growing.take(piece)
    }

    /// The string whose pieces have `len` bytes together.
    pub(super) fn take_string(&mut self, len: u64, form: Form) -> Result<StringValue, WireError> {
        if len != self.string.len() as u64 || self.collection.is_some() {
            return Err(WRONG);
        }
        Ok(StringValue::long_with_form(std::mem::take(&mut self.string), form))
    }

    /// The collection of this type whose pieces have `len` bytes together.
    pub(super) fn take_collection(&mut self, len: u64, kind: u64) -> Result<Value, WireError> {
        match self.collection.take() {
            Some(grown) if grown.len == len && grown.kind as u64 == kind => grown.growing.finish(),
            _ => Err(WRONG),
        }
    }
}
