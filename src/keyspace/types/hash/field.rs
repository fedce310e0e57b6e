//! [`Field`]: a string of a collection, wherever it stands.

use crate::collections::{Blob, Element, IntBytes, parse_i64};

/// A field, a value, a member: an element of a pack, or a string of its own.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    Element(Element<'a>),
    Blob(&'a Blob),
}

impl<'a> From<Element<'a>> for Field<'a> {
    fn from(element: Element<'a>) -> Self {
        Self::Element(element)
    }
}

impl<'a> From<&'a Blob> for Field<'a> {
    fn from(blob: &'a Blob) -> Self {
        Self::Blob(blob)
    }
}

impl<'a> Field<'a> {
    /// The bytes, formatted into `room` if they are a number.
    pub fn bytes<'b>(self, room: &'b mut IntBytes) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Element(element) => element.bytes(room),
            Self::Blob(blob) => blob,
        }
    }

    /// The bytes, to keep: shared where they can be.
    pub fn to_blob(self) -> Blob {
        match self {
            Self::Element(element) => element.to_blob(),
            Self::Blob(blob) => blob.clone(),
        }
    }

    /// Length in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Element(element) => element.len(),
            Self::Blob(blob) => blob.len(),
        }
    }

    /// Whether it is the empty string.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number that it is the canonical form of.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Element(element) => element.as_int(),
            Self::Blob(blob) => parse_i64(blob),
        }
    }
}
