//! [`Value`]: what a key can hold. How a value stands in memory must never be observable but
//! for what Redis calls its encoding: that is part of the state, the same on every replica and
//! after a restart.

use super::types::{Collection, Hash, List, Set, SortedSet, Stream};
use super::{Blob, Item};
use crate::collections::{IntBytes, Near, format_int, parse_i64};
use bytes::Bytes;

/// A key's value. One variant a Redis type.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string.
    String(StringValue),
    Hash(Hash),
    List(Box<List>),
    Set(Box<Set>),
    SortedSet(SortedSet),
    Stream(Box<Stream>),
}

/// A string.
#[derive(Debug, Clone)]
pub enum StringValue {
    /// The canonical decimal form of a number, as counters leave it, or as it was set.
    Int(i64),
    /// Bytes that are replaced as a whole.
    Blob(Blob),
    /// Bytes that were changed in place: with spare capacity, so that n appends cost O(n).
    /// Whatever makes such a string in Redis must make one here, however short.
    Growing(Box<Vec<u8>>),
}

/// What the bytes of a string do not tell of its encoding; numbers as in `snapshot.Form`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As if it had just been set.
    AsSet = 0,
    /// [`StringValue::Growing`]
    Grown = 1,
    /// Digits that are kept as text (`INCRBYFLOAT`).
    Text = 2,
}

impl Form {
    pub(super) fn from_number(number: u64) -> Option<Self> {
        [Self::AsSet, Self::Grown, Self::Text].into_iter().find(|form| *form as u64 == number)
    }
}

/// The longest string that Redis allocates together with its header.
const EMBEDDED_BYTES: usize = 44;

impl Value {
    /// A string that copies `bytes`, as `SET` leaves it: a number if it reads as one.
    pub fn string(bytes: &[u8]) -> Self {
        Self::String(StringValue::with_form(bytes, Form::AsSet))
    }

    /// The same, not copied if it is nearly all of the long buffer that it lies in.
    pub fn string_of(bytes: &[u8], buffer: &Bytes) -> Self {
        let number = parse_i64(bytes).map(StringValue::Int);
        Self::String(number.unwrap_or_else(|| StringValue::Blob(Blob::of_slice(bytes, buffer))))
    }

    /// The same, never a number.
    pub fn text(bytes: &[u8]) -> Self {
        Self::String(StringValue::Blob(Blob::new(bytes)))
    }

    /// The same, as a change in place leaves it.
    pub fn grown(bytes: Vec<u8>) -> Self {
        Self::String(StringValue::Growing(Box::new(bytes)))
    }

    /// The value as what has elements: the one place where the types are told apart.
    pub fn collection(&self) -> Option<&dyn Collection> {
        match self {
            Self::String(_) => None,
            Self::Hash(hash) => Some(hash),
            Self::List(list) => Some(&**list),
            Self::Set(set) => Some(&**set),
            Self::SortedSet(set) => Some(set),
            Self::Stream(stream) => Some(&**stream),
        }
    }

    /// The same, to be changed.
    pub fn collection_mut(&mut self) -> Option<&mut dyn Collection> {
        match self {
            Self::String(_) => None,
            Self::Hash(hash) => Some(hash),
            Self::List(list) => Some(&mut **list),
            Self::Set(set) => Some(&mut **set),
            Self::SortedSet(set) => Some(set),
            Self::Stream(stream) => Some(&mut **stream),
        }
    }

    /// The value as a string.
    pub fn as_string(&self) -> Option<&StringValue> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn as_string_mut(&mut self) -> Option<&mut StringValue> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    /// As `TYPE` names it.
    pub fn type_name(&self) -> &'static str {
        self.collection().map_or("string", |collection| collection.kind().name())
    }
}

impl Near for Value {
    fn bring(&self, pointers: usize) -> bool {
        match self {
            // Mostly it is replaced, or so long that its beginning does not matter.
            Self::String(_) => false,
            Self::Hash(hash) => hash.bring(pointers),
            Self::List(list) => list.bring(pointers),
            Self::Set(set) => set.bring(pointers),
            Self::SortedSet(set) => set.bring(pointers),
            Self::Stream(stream) => stream.bring(pointers),
        }
    }
}

impl Item {
    /// As `OBJECT ENCODING` names it.
    pub fn encoding(&self) -> &'static str {
        match &self.value {
            Value::String(StringValue::Int(_)) => "int",
            Value::String(StringValue::Blob(blob)) if blob.len() <= EMBEDDED_BYTES => "embstr",
            other => other.collection().map_or("raw", Collection::encoding),
        }
    }

    /// As `OBJECT REFCOUNT` says: Redis shares small numbers, and does not count who uses what
    /// is shared.
    pub fn references(&self) -> i64 {
        match &self.value {
            Value::String(StringValue::Int(0..=9999)) => i64::from(i32::MAX),
            _ => 1,
        }
    }
}

impl StringValue {
    pub(super) fn form(&self) -> Form {
        match self {
            Self::Int(_) => Form::AsSet,
            Self::Blob(blob) if parse_i64(blob).is_some() => Form::Text,
            Self::Blob(_) => Form::AsSet,
            Self::Growing(_) => Form::Grown,
        }
    }

    pub(super) fn with_form(bytes: &[u8], form: Form) -> Self {
        match form {
            Form::AsSet => parse_i64(bytes).map_or_else(|| Self::Blob(Blob::new(bytes)), Self::Int),
            Form::Grown => Self::Growing(Box::new(bytes.to_vec())),
            Form::Text => Self::Blob(Blob::new(bytes)),
        }
    }

    /// The same of more bytes than a number has, which are not copied.
    pub(super) fn long_with_form(bytes: Vec<u8>, form: Form) -> Self {
        match form {
            Form::Grown => Self::Growing(Box::new(bytes)),
            Form::AsSet | Form::Text => Self::Blob(Blob::from_long(bytes)),
        }
    }

    /// The bytes, formatted into `room` if they are a number.
    pub(crate) fn bytes<'a>(&'a self, room: &'a mut IntBytes) -> &'a [u8] {
        match self {
            Self::Int(n) => format_int(*n, room),
            Self::Blob(blob) => blob,
            Self::Growing(bytes) => bytes,
        }
    }

    /// The bytes, to keep: shared where they can be.
    pub fn to_blob(&self) -> Blob {
        match self {
            Self::Blob(blob) => blob.clone(),
            other => Blob::new(other.bytes(&mut IntBytes::default())),
        }
    }

    /// Whether a client would read `bytes`.
    pub fn equals(&self, bytes: &[u8]) -> bool {
        self.bytes(&mut IntBytes::default()) == bytes
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.bytes(&mut IntBytes::default()).len()
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends `tail`: amortized O(1) a byte.
    pub fn append(&mut self, tail: &[u8]) {
        self.grow(tail.len()).extend_from_slice(tail);
    }

    /// The bytes, to be changed in place, with room for `more`: copied only if they did not grow before.
    pub fn grow(&mut self, more: usize) -> &mut Vec<u8> {
        if !matches!(self, Self::Growing(_)) {
            let mut room = IntBytes::default();
            let head = self.bytes(&mut room);
            let mut copy = Vec::with_capacity(head.len() + more);
            copy.extend_from_slice(head);
            *self = Self::Growing(Box::new(copy));
        }
        let Self::Growing(bytes) = self else { unreachable!("it has just become one that grows") };
        bytes.reserve(more);
        bytes
    }

    /// The bytes, to be changed in place, with zeros behind them if there were fewer than `len`.
    pub fn grow_to(&mut self, len: usize) -> &mut Vec<u8> {
        let bytes = self.grow(len.saturating_sub(self.len()));
        if bytes.len() < len {
            bytes.resize(len, 0);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_their_decimal_form() {
        for n in [0, 1, -1, 9, 10, -10, i64::MAX, i64::MIN, 1234567890123456789] {
            let value = StringValue::Int(n);
            assert!(value.equals(n.to_string().as_bytes()), "{n}");
            assert_eq!(value.len(), n.to_string().len());
            assert_eq!(*value.to_blob(), *n.to_string().as_bytes());
        }
    }

    #[test]
    fn appends_add_up_and_do_not_copy_all_each_time() {
        let mut value = StringValue::Int(-7);
        let mut model = b"-7".to_vec();
        let mut moves = 0;
        for i in 0..20_000u32 {
            let before = if let StringValue::Growing(bytes) = &value { bytes.as_ptr() } else { [].as_ptr() };
            value.append(&i.to_le_bytes()[..(i % 5) as usize]);
            model.extend_from_slice(&i.to_le_bytes()[..(i % 5) as usize]);
            let after = if let StringValue::Growing(bytes) = &value { bytes.as_ptr() } else { [].as_ptr() };
            moves += u32::from(before != after);
        }
        assert!(value.equals(&model));
        assert!(moves < 40, "{moves} reallocations");
    }
}
