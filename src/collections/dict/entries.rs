//! [`Entries`]: members with their values by position, in chunks that are shared with those who have frozen
//! them. It must never know where a member is, other than by its position.

use crate::collections::{Blob, allocated};
use std::mem;
use std::ops::Range;
use std::slice;
use std::sync::Arc;

/// Entries in a chunk: with the counters in front, entries of 24, 32 or 48 bytes then fill what the allocator
/// gives, to the byte nearly.
pub(super) const CHUNK: usize = 255;
/// Chunks in a group: what is copied to change one of those that are shared.
const GROUP: usize = 64;
/// Room in the first chunk, at first.
const LEAST: usize = 4;
/// The counters in front of what is shared.
const SHARED_BYTES: usize = 16;

pub(super) type Entry<V> = (Blob, V);
/// As many entries as there is room for, which stand there empty until they are needed.
pub(super) type Chunk<V> = Arc<[Entry<V>]>;
pub(super) type Group<V> = Arc<Vec<Chunk<V>>>;

/// All chunks but the last have [`CHUNK`] entries, all groups but the last have [`GROUP`] chunks.
#[derive(Debug, Clone)]
pub(super) struct Entries<V> {
    groups: Vec<Group<V>>,
    chunks: usize,
    len: usize,
}

fn chunk_bytes<V>(entries: usize) -> usize {
    allocated(SHARED_BYTES + entries * size_of::<Entry<V>>())
}

/// `entries` and what else goes into the memory that they take.
fn filled<V>(entries: usize) -> usize {
    ((chunk_bytes::<V>(entries) - SHARED_BYTES) / size_of::<Entry<V>>()).min(CHUNK)
}

impl<V> Entries<V> {
    pub(super) fn new() -> Self {
        Self { groups: Vec::new(), chunks: 0, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn groups(&self) -> &[Group<V>] {
        &self.groups
    }

    pub(super) fn get(&self, position: usize) -> Option<&Entry<V>> {
        match position < self.len {
            true => self.chunk(position / CHUNK).get(position % CHUNK),
            false => None,
        }
    }

    /// The entries of a chunk, and the room after them; of none, if there is no such chunk.
    fn chunk(&self, number: usize) -> &[Entry<V>] {
        let group = self.groups.get(number / GROUP);
        group.and_then(|group| group.get(number % GROUP)).map_or(&[], |chunk| chunk)
    }

    pub(super) fn range(&self, range: Range<usize>) -> Iter<'_, V> {
        let end = range.end.min(self.len);
        let range = range.start.min(end)..end;
        Iter { entries: self, range, front: [].iter(), back: [].iter() }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let Some(last) = self.groups.last() else { return 0 };
        let group_bytes = |chunks| {
            allocated(SHARED_BYTES + size_of::<Vec<Chunk<V>>>()) + allocated(chunks * size_of::<Chunk<V>>())
        };
        allocated(self.groups.capacity() * size_of::<Group<V>>())
            + (self.groups.len() - 1) * group_bytes(GROUP)
            + group_bytes(last.capacity())
            + (self.chunks - 1) * chunk_bytes::<V>(CHUNK)
            + last.last().map_or(0, |chunk| chunk_bytes::<V>(chunk.len()))
    }
}

impl<V: Clone + Default> Entries<V> {
    /// The entry, for a change; its chunk is copied if it is shared.
    pub(super) fn get_mut(&mut self, position: usize) -> Option<&mut Entry<V>> {
        if position >= self.len {
            return None;
        }
        self.place(position)
    }

    fn place(&mut self, position: usize) -> Option<&mut Entry<V>> {
        let number = position / CHUNK;
        let group = Arc::make_mut(self.groups.get_mut(number / GROUP)?);
        Arc::make_mut(group.get_mut(number % GROUP)?).get_mut(position % CHUNK)
    }

    /// Adds an entry behind all others.
    pub(super) fn push(&mut self, entry: Entry<V>) {
        let (chunk, place) = (self.len / CHUNK, self.len % CHUNK);
        if chunk == self.chunks {
            self.add_chunk();
        } else if place == self.chunk(chunk).len() {
            self.resize_last(place, filled::<V>((place + place / 2).max(self.len / 8)));
        }
        let position = self.len;
        *self.place(position).expect("there is room for it now") = entry;
        self.len += 1;
    }

    /// Takes an entry out; the last one gets its place.
    pub(super) fn swap_remove(&mut self, position: usize) -> Option<Entry<V>> {
        let last = self.len.checked_sub(1).filter(|&last| position <= last)?;
        let mut entry = mem::take(self.place(last)?);
        if position != last {
            mem::swap(&mut entry, self.place(position)?);
        }
        self.len = last;
        self.give_back();
        Some(entry)
    }

    fn add_chunk(&mut self) {
        let room = filled::<V>((self.len / 8).max(LEAST));
        let chunk: Chunk<V> = std::iter::repeat_with(Entry::default).take(room).collect();
        match self.groups.last_mut() {
            Some(group) if !self.chunks.is_multiple_of(GROUP) => Arc::make_mut(group).push(chunk),
            _ => {
                if self.groups.is_empty() {
                    self.groups.reserve_exact(1);
                }
                self.groups.push(Arc::new(vec![chunk]));
            }
        }
        self.chunks += 1;
    }

    /// Gives the last chunk, with `used` entries in it, room for `room` in all.
    fn resize_last(&mut self, used: usize, room: usize) {
        let Some(chunk) = self.groups.last_mut().and_then(|group| Arc::make_mut(group).last_mut()) else {
            return;
        };
        let old = Arc::make_mut(chunk)[..used].iter_mut().map(mem::take);
        *chunk = old.chain(std::iter::repeat_with(Entry::default).take(room - used)).collect();
    }

    /// Frees what is no longer needed. A chunk goes when the one before it is half empty: a few
    /// insertions and removals in turn do not make it come and go.
    fn give_back(&mut self) {
        let needed = if self.len == 0 { 0 } else { (self.len + CHUNK / 2).div_ceil(CHUNK) };
        while self.chunks > needed {
            self.pop_chunk();
            if let Some(group) = self.groups.last_mut().filter(|group| group.len() < group.capacity() / 4) {
                let chunks = group.len();
                Arc::make_mut(group).shrink_to(chunks * 2);
            }
        }
        if self.chunks == 1 && self.len * 4 <= self.chunk(0).len() && self.chunk(0).len() > filled::<V>(LEAST)
        {
            self.resize_last(self.len, filled::<V>((self.len * 2).max(LEAST)));
        }
        if self.groups.len() < self.groups.capacity() / 4 {
            self.groups.shrink_to(self.groups.len() * 2);
        }
    }

    /// Takes the last chunk off. What was in it is no longer part of this.
    pub(super) fn pop_chunk(&mut self) -> Option<(Chunk<V>, usize)> {
        let group = self.groups.last_mut()?;
        let group = Arc::make_mut(group);
        let chunk = group.pop()?;
        if group.is_empty() {
            self.groups.pop();
        }
        self.chunks -= 1;
        let used = self.len.saturating_sub(self.chunks * CHUNK);
        self.len -= used;
        Some((chunk, used))
    }
}

/// Entries in order, from either end.
#[derive(Debug, Clone)]
pub struct Iter<'a, V> {
    entries: &'a Entries<V>,
    range: Range<usize>,
    /// What is left of the chunk at each end; `range` says where it stops.
    front: slice::Iter<'a, Entry<V>>,
    back: slice::Iter<'a, Entry<V>>,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Blob, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let position = self.range.next()?;
        if self.front.as_slice().is_empty() {
            self.front = self.entries.chunk(position / CHUNK)[position % CHUNK..].iter();
        }
        self.front.next().map(|(member, value)| (member, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}

impl<V> DoubleEndedIterator for Iter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let position = self.range.next_back()?;
        if self.back.as_slice().is_empty() {
            self.back = self.entries.chunk(position / CHUNK)[..=position % CHUNK].iter();
        }
        self.back.next_back().map(|(member, value)| (member, value))
    }
}

impl<V> ExactSizeIterator for Iter<'_, V> {}
