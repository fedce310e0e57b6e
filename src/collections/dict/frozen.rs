//! [`Frozen`]: what a dictionary held at some moment, for who writes it down while it goes on changing. It must
//! never be asked for a member: it has no index.

use super::entries::{CHUNK, Chunk, Group};
use crate::collections::Blob;
use std::sync::Arc;
use std::vec;

/// Entries in their order, once; each chunk is let go as soon as it is passed.
#[derive(Debug)]
pub struct Frozen<V> {
    groups: vec::IntoIter<Group<V>>,
    chunks: vec::IntoIter<Chunk<V>>,
    chunk: Option<Chunk<V>>,
    /// Where in `chunk` the next one is.
    place: usize,
    len: usize,
}

impl<V> Frozen<V> {
    pub(super) fn new(groups: Vec<Group<V>>, len: usize) -> Self {
        Self { groups: groups.into_iter(), chunks: Vec::new().into_iter(), chunk: None, place: 0, len }
    }

    /// How many are still to come.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The next entry.
    pub fn next_entry(&mut self) -> Option<(&Blob, &V)> {
        self.len = self.len.checked_sub(1)?;
        if self.chunk.as_ref().is_none_or(|chunk| self.place == chunk.len()) {
            self.next_chunk();
        }
        let (member, value) = self.chunk.as_ref()?.get(self.place)?;
        self.place += 1;
        Some((member, value))
    }

    /// Lets go of the chunk at hand. Whether there is another one.
    fn next_chunk(&mut self) -> bool {
        if self.chunks.as_slice().is_empty() {
            let group = self.groups.next().map(Arc::unwrap_or_clone);
            self.chunks = group.unwrap_or_default().into_iter();
        }
        self.chunk = self.chunks.next();
        self.place = 0;
        self.chunk.is_some()
    }

    /// Lets go of about so many entries, of what nobody wants to read any more. Whether nothing is left.
    pub fn release(&mut self, entries: usize) -> bool {
        self.len = 0;
        let chunks = entries.div_ceil(CHUNK).max(1);
        !(0..chunks).all(|_| self.next_chunk())
    }
}
