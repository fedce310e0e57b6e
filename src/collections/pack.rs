//! [`Pack`]: a short sequence of strings and numbers in one piece of memory, which is Redis's
//! listpack to the byte (listpack.c of 7.0): what is dumped is a copy of it. Short means that it may be walked: only
//! the ends are found at once.
//!
//! A string has one encoding, so packs of equal elements are equal bytes; two parts of this rely on it. A pack
//! must never be made of bytes that were not checked ([`Pack::from_bytes`]).

mod change;
mod check;
mod element;
mod encode;

#[cfg(test)]
mod tests;

pub use element::Element;

use super::{Near, allocated, room};
use crate::limits::MAX_PACK_BYTES;
use encode::{END, Entry, HEADER_BYTES, Needle, UNCOUNTED};
use std::fmt;

/// See the module.
#[derive(Clone)]
pub struct Pack {
    /// The header, which says where the end is; the entries, the end; and what is spare. One piece, so that the
    /// handle takes no more than 16 bytes.
    bytes: Box<[u8]>,
}

/// The place of an element, until the next change of its pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(usize);

impl Near for Pack {
    fn bring(&self, pointers: usize) -> bool {
        self.bytes.bring(pointers)
    }
}

impl Pack {
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty one, with room for a listpack of `size_bytes`.
    pub fn with_capacity(size_bytes: usize) -> Self {
        const EMPTY: [u8; HEADER_BYTES + 1] = [HEADER_BYTES as u8 + 1, 0, 0, 0, 0, 0, END];
        let mut bytes = Box::default();
        room::resize(&mut bytes, size_bytes.max(EMPTY.len()));
        bytes[..EMPTY.len()].copy_from_slice(&EMPTY);
        Self { bytes }
    }

    /// The listpack `bytes`, if it is one, whole and sound.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        check::pack(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.size_bytes()]
    }

    /// Elements. From 65,535 on they are counted each time.
    pub fn len(&self) -> usize {
        match self.count() {
            UNCOUNTED => self.walk(),
            count => count,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes[HEADER_BYTES] == END
    }

    /// Of the listpack.
    pub fn size_bytes(&self) -> usize {
        let [a, b, c, d, ..] = self.bytes[..] else { return 0 };
        u32::from_le_bytes([a, b, c, d]) as usize
    }

    /// Of memory.
    pub fn heap_bytes(&self) -> usize {
        allocated(self.bytes.len())
    }

    /// By how much an element makes a pack longer.
    pub fn encoded_bytes<'a>(element: impl Into<Element<'a>>) -> usize {
        Entry::of(element.into()).size_bytes()
    }

    /// Whether so many bytes may be added ([`Pack::encoded_bytes`]).
    pub fn has_room_for(&self, added_bytes: usize) -> bool {
        self.size_bytes().saturating_add(added_bytes) <= MAX_PACK_BYTES
    }

    pub fn first(&self) -> Option<At> {
        self.place(HEADER_BYTES)
    }

    pub fn last(&self) -> Option<At> {
        self.prev(At(self.end()))
    }

    pub fn next(&self, at: At) -> Option<At> {
        self.place(at.0 + encode::entry_bytes(&self.bytes[at.0..]))
    }

    pub fn prev(&self, at: At) -> Option<At> {
        (at.0 > HEADER_BYTES).then(|| At(encode::before(&self.bytes, at.0)))
    }

    /// The element of this number, from 0 on; of a negative one, from the end: -1 is the last.
    pub fn seek(&self, index: isize) -> Option<At> {
        let (count, distance) = (self.count(), index.unsigned_abs());
        if index >= 0 {
            return match count {
                UNCOUNTED => self.forwards(distance),
                _ if distance >= count => None,
                _ if distance > count / 2 => self.backwards(count - distance),
                _ => self.forwards(distance),
            };
        }
        match count {
            UNCOUNTED => self.backwards(distance),
            _ if distance > count => None,
            _ if distance > count / 2 => self.forwards(count - distance),
            _ => self.backwards(distance),
        }
    }

    /// The element after `steps` from the first.
    fn forwards(&self, steps: usize) -> Option<At> {
        let mut at = self.first();
        for _ in 0..steps {
            at = self.next(at?);
        }
        at
    }

    /// The element `steps` before the end, of at least one.
    fn backwards(&self, steps: usize) -> Option<At> {
        let mut at = At(self.end());
        for _ in 0..steps {
            at = self.prev(at)?;
        }
        Some(at)
    }

    pub fn get(&self, at: At) -> Element<'_> {
        encode::element(&self.bytes[at.0..])
    }

    /// The first element that is `needle`, looking at `from` and then at every element that comes `skip` after
    /// the one looked at before (of field and value, one is skipped). From `None` on there is nothing.
    pub fn find(&self, from: Option<At>, needle: &[u8], skip: usize) -> Option<At> {
        let needle = Needle::new(needle);
        let At(start) = from?;
        let mut at = start;
        loop {
            if needle.stands_at(&self.bytes[at..]) {
                return Some(At(at));
            }
            for _ in 0..=skip {
                at += encode::entry_bytes(&self.bytes[at..]);
                if self.bytes[at] == END {
                    return None;
                }
            }
        }
    }

    /// All elements, from both ends.
    pub fn iter(&self) -> Iter<'_> {
        self.iter_from(At(HEADER_BYTES))
    }

    /// Those from `at` on, from both ends.
    pub fn iter_from(&self, at: At) -> Iter<'_> {
        Iter { bytes: &self.bytes, front: at.0, back: self.end() }
    }

    fn place(&self, at: usize) -> Option<At> {
        (self.bytes[at] != END).then_some(At(at))
    }

    /// Where the end is marked.
    fn end(&self) -> usize {
        self.size_bytes() - 1
    }

    /// What the header says: the number of elements, up to [`UNCOUNTED`].
    fn count(&self) -> usize {
        usize::from(u16::from_le_bytes([self.bytes[4], self.bytes[5]]))
    }

    /// The number of elements, counted.
    fn walk(&self) -> usize {
        let (mut at, mut count) = (HEADER_BYTES, 0);
        while self.bytes[at] != END {
            at += encode::entry_bytes(&self.bytes[at..]);
            count += 1;
        }
        count
    }
}

impl Default for Pack {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Pack {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Pack {}

impl fmt::Debug for Pack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Element::to_blob)).finish()
    }
}

impl<'a> IntoIterator for &'a Pack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Elements between two places.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl Iter<'_> {
    /// Where the next element stands.
    pub fn at(&self) -> Option<At> {
        (self.front != self.back).then_some(At(self.front))
    }

    /// Passes so many elements, as far as there are any.
    pub fn skip_elements(mut self, count: usize) -> Self {
        for _ in 0..count {
            if self.front == self.back {
                break;
            }
            self.front += encode::entry_bytes(&self.bytes[self.front..]);
        }
        self
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        if self.front == self.back {
            return None;
        }
        let entry = &self.bytes[self.front..];
        self.front += encode::entry_bytes(entry);
        Some(encode::element(entry))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front == self.back {
            return None;
        }
        self.back = encode::before(self.bytes, self.back);
        Some(encode::element(&self.bytes[self.back..]))
    }
}
