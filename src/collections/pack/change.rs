//! What changes a pack. Each change moves what stands behind it once, and no place that was
//! taken before it may be used after it.

use super::encode::{self, END, Entry, HEADER_BYTES, UNCOUNTED};
use super::{At, Element, Pack};
use crate::collections::room;

impl Pack {
    pub fn push_back(&mut self, bytes: &[u8]) {
        self.insert_all(None, [Element::Bytes(bytes)]);
    }

    pub fn push_back_int(&mut self, n: i64) {
        self.insert_all(None, [Element::Int(n)]);
    }

    pub fn push_front(&mut self, bytes: &[u8]) {
        self.insert_all(self.first(), [Element::Bytes(bytes)]);
    }

    pub fn insert_before(&mut self, at: At, bytes: &[u8]) -> At {
        self.insert_all(Some(at), [Element::Bytes(bytes)])
    }

    pub fn insert_after(&mut self, at: At, bytes: &[u8]) -> At {
        self.insert_all(self.next(at), [Element::Bytes(bytes)])
    }

    /// Inserts `elements` in their order, before one or at the end, all with one move. The first of
    /// them stands where this says.
    pub fn insert_all<const N: usize>(&mut self, before: Option<At>, elements: [Element<'_>; N]) -> At {
        let at = before.map_or(self.end(), |At(at)| at);
        let entries = elements.map(Entry::of);
        let mut gap = self.splice(at, 0, entries.iter().map(Entry::size_bytes).sum());
        for entry in &entries {
            let end = entry.put(gap);
            gap = &mut gap[end..];
        }
        self.set_count(self.count() + N);
        At(at)
    }

    /// Adds `elements` at the end in their order, all at once.
    pub fn push_all<'a>(&mut self, elements: impl Iterator<Item = Element<'a>> + Clone) {
        let entries = elements.map(Entry::of);
        let (mut size_bytes, mut count) = (0, 0);
        for entry in entries.clone() {
            (size_bytes, count) = (size_bytes + entry.size_bytes(), count + 1);
        }
        let mut gap = self.splice(self.end(), 0, size_bytes);
        for entry in entries {
            let end = entry.put(gap);
            gap = &mut gap[end..];
        }
        self.set_count(self.count() + count);
    }

    /// Puts `bytes` in the place of an element.
    pub fn replace(&mut self, at: At, bytes: &[u8]) -> At {
        self.put_at(at, Element::Bytes(bytes))
    }

    pub fn replace_int(&mut self, at: At, n: i64) -> At {
        self.put_at(at, Element::Int(n))
    }

    fn put_at(&mut self, at: At, element: Element<'_>) -> At {
        let entry = Entry::of(element);
        let removed = encode::entry_bytes(&self.bytes[at.0..]);
        entry.put(self.splice(at.0, removed, entry.size_bytes()));
        at
    }

    /// Removes an element, and says what followed it.
    pub fn remove(&mut self, at: At) -> Option<At> {
        self.remove_range(at, 1)
    }

    /// Removes up to `count` elements from `at` on, and says what followed them.
    pub fn remove_range(&mut self, at: At, count: usize) -> Option<At> {
        let (mut next, mut removed) = (at.0, 0);
        while removed < count && self.bytes[next] != END {
            next += encode::entry_bytes(&self.bytes[next..]);
            removed += 1;
        }
        self.splice(at.0, next - at.0, 0);
        self.lose(removed);
        self.place(at.0)
    }

    /// Takes off everything from `at` on.
    pub fn split_off(&mut self, at: At) -> Self {
        let end = self.end();
        let mut other = Self::with_capacity(HEADER_BYTES + end - at.0 + 1);
        other.splice(HEADER_BYTES, 0, end - at.0).copy_from_slice(&self.bytes[at.0..end]);
        let moved = other.walk();
        other.set_count(moved);
        self.splice(at.0, end - at.0, 0);
        self.lose(moved);
        other
    }

    /// Adds all elements of `other` at the end.
    pub fn append(&mut self, other: &Self) {
        let added = &other.bytes[HEADER_BYTES..other.end()];
        self.splice(self.end(), 0, added.len()).copy_from_slice(added);
        self.set_count(self.count() + other.count());
    }

    /// Gives back the memory that is not used.
    pub fn shrink(&mut self) {
        let size_bytes = self.size_bytes();
        room::resize(&mut self.bytes, size_bytes);
    }

    /// Makes a gap of `added` bytes in the place of `removed` ones.
    fn splice(&mut self, at: usize, removed: usize, added: usize) -> &mut [u8] {
        let old = self.size_bytes();
        let new = old - removed + added;
        let total = u32::try_from(new).expect("callers ask `has_room_for`");
        if new > self.bytes.len() {
            room::resize(&mut self.bytes, new);
        }
        self.bytes.copy_within(at + removed..old, at + added);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        // What was just given back can be added again without a new allocation, mostly.
        if new < self.bytes.len() / 3 * 2 {
            room::resize(&mut self.bytes, new);
        }
        &mut self.bytes[at..at + added]
    }

    /// After `removed` elements are gone.
    fn lose(&mut self, removed: usize) {
        let count = match self.count() {
            // So that the header says what it can, however the elements came to be so many.
            UNCOUNTED => self.walk(),
            count => count - removed,
        };
        self.set_count(count);
    }

    pub(super) fn set_count(&mut self, count: usize) {
        let count = count.min(UNCOUNTED) as u16;
        self.bytes[4..HEADER_BYTES].copy_from_slice(&count.to_le_bytes());
    }
}
