//! [`Element`]: what a pack hands out, and one of the forms in which it takes something. It
//! must never own anything.

use crate::collections::{Blob, IntBytes, format_int, parse_i64};

/// An element of a pack. What reads as a number in its canonical form is `Int` whenever it comes out of a
/// pack; to put it in as `Bytes` is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    Int(i64),
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(n),
            Self::Bytes(_) => None,
        }
    }

    /// The element as a string; a number is written into `room`.
    pub fn bytes<'b>(self, room: &'b mut IntBytes) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(n) => format_int(n, room),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Bytes of the element as a string.
    pub fn len(self) -> usize {
        match self {
            Self::Int(n) => {
                usize::from(n < 0) + n.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1)
            }
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn to_blob(self) -> Blob {
        Blob::new(self.bytes(&mut IntBytes::default()))
    }

    /// Whether it is this string.
    pub fn equals(self, bytes: &[u8]) -> bool {
        match self {
            Self::Int(n) => parse_i64(bytes) == Some(n),
            Self::Bytes(own) => own == bytes,
        }
    }
}

impl From<i64> for Element<'_> {
    fn from(n: i64) -> Self {
        Self::Int(n)
    }
}

impl<'a> From<&'a [u8]> for Element<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_string_that_it_reads_as() {
        for n in [0, 1, -1, 9, 10, 99, 100, -10, 12345, i64::MAX, i64::MIN] {
            let text = n.to_string();
            let element = Element::from(n);
            assert_eq!(element.bytes(&mut IntBytes::default()), text.as_bytes());
            assert_eq!(element.len(), text.len());
            assert_eq!(&*element.to_blob(), text.as_bytes());
            assert!(element.equals(text.as_bytes()));
            assert!(!element.equals(format!("0{text}").as_bytes()) && !element.equals(b""));
            assert_eq!((element.as_int(), Element::Bytes(text.as_bytes()).as_int()), (Some(n), None));
        }
    }
}
