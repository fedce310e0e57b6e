//! [`Dict`]: members with values, found by the member or by position. They stand in the order of their
//! insertion; one that is removed leaves its place to the last. That order is state: it must follow from the
//! changes alone, never from hashes. No change may take longer because there are many members: whatever
//! grows or shrinks does so piece by piece.

mod entries;
mod frozen;
mod index;
mod page;
#[cfg(test)]
mod tests;

pub use entries::Iter;
pub use frozen::Frozen;

use super::{Blob, HeapBytes};
use entries::{CHUNK, Entries, Entry};
use index::{Found, Index, Members};
use siphasher::sip::SipHasher13;
use std::fmt;
use std::ops::{Deref, Range};

/// The key of a hash that clients cannot aim at: they do not know it.
#[derive(Clone, Copy)]
pub struct HashSeed([u8; 16]);

impl HashSeed {
    /// Of a cluster's secret.
    pub fn new(key: [u8; 16]) -> Self {
        Self(key)
    }

    fn hash(self, bytes: &[u8]) -> u64 {
        SipHasher13::new_with_key(&self.0).hash(bytes)
    }
}

impl fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashSeed")
    }
}

/// Members with their values, in an order of their own; fewer than 2^32 of them. A clone shares the entries,
/// and copies the index.
#[derive(Clone)]
pub struct Dict<V> {
    seed: HashSeed,
    entries: Entries<V>,
    index: Index,
    /// What members and values take beside their places.
    values_bytes: usize,
}

fn entry_bytes<V: HeapBytes>((member, value): &Entry<V>) -> usize {
    member.heap_bytes() + value.heap_bytes()
}

impl<V> Members for (HashSeed, &Entries<V>) {
    fn at(&self, position: u32) -> &[u8] {
        self.1.get(position as usize).map_or(&[], |(member, _)| member)
    }

    fn hash(&self, member: &[u8]) -> u64 {
        self.0.hash(member)
    }
}

impl<V> Dict<V> {
    /// Empty, and without any memory of its own.
    pub fn new(seed: HashSeed) -> Self {
        Self { seed, entries: Entries::new(), index: Index::default(), values_bytes: 0 }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn find(&self, hash: u64, member: &[u8]) -> Option<Found> {
        let is_it =
            |position| self.entries.get(position as usize).is_some_and(|(other, _)| **other == *member);
        self.index.find(hash, is_it)
    }

    /// Where a member stands, until the next removal.
    pub fn position(&self, member: &[u8]) -> Option<usize> {
        self.find(self.seed.hash(member), member).map(|found| found.position as usize)
    }

    /// Whether it is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.position(member).is_some()
    }

    /// The value of a member.
    pub fn get(&self, member: &[u8]) -> Option<&V> {
        self.at(self.position(member)?).map(|(_, value)| value)
    }

    /// What stands at a position.
    pub fn at(&self, position: usize) -> Option<(&Blob, &V)> {
        self.entries.get(position).map(|(member, value)| (member, value))
    }

    /// All of it, in order.
    pub fn iter(&self) -> Iter<'_, V> {
        self.range(0..self.len())
    }

    /// Those at these positions, as far as there are any.
    pub fn range(&self, positions: Range<usize>) -> Iter<'_, V> {
        self.entries.range(positions)
    }

    /// A step of a walk over all members, about `count` of them, while they come and go: 0 begins it, and the
    /// next cursor is 0 at its end. It goes downwards; the cursor is how many positions are left. As only the
    /// last member ever moves, and only downwards, one that stays is not missed, but may be seen twice.
    pub fn scan(&self, cursor: u64, count: usize) -> (u64, Range<usize>) {
        let left = usize::try_from(cursor).ok().filter(|&left| left != 0).unwrap_or(usize::MAX);
        let end = left.min(self.len());
        let start = end.saturating_sub(count.max(1));
        (start as u64, start..end)
    }

    /// Its members and values as they are now. Until that is let go, the first change in each chunk of 255
    /// copies the chunk.
    pub fn freeze(&self) -> Frozen<V> {
        Frozen::new(self.entries.groups().to_vec(), self.len())
    }

    /// Bytes of memory, but for the structure itself; as if nothing were shared.
    pub fn heap_bytes(&self) -> usize {
        self.entries.heap_bytes() + self.index.heap_bytes() + self.values_bytes
    }
}

impl<V: Clone + Default + HeapBytes> Dict<V> {
    /// Sets a member's value, and returns the one it had; a new member comes last.
    pub fn insert(&mut self, member: impl Deref<Target = [u8]> + Into<Blob>, value: V) -> Option<V> {
        let hash = self.seed.hash(&member);
        if let Some(found) = self.find(hash, &member) {
            return self.set_at(found.position as usize, value);
        }
        let position = u32::try_from(self.len()).expect("so many members do not fit the memory of a machine");
        let entry = (member.into(), value);
        self.values_bytes += entry_bytes(&entry);
        self.entries.push(entry);
        self.index.insert(hash, position, &(self.seed, &self.entries));
        None
    }

    /// Changes the value of a member, if it is there.
    pub fn update<R>(&mut self, member: &[u8], change: impl FnOnce(&mut V) -> R) -> Option<R> {
        self.update_at(self.position(member)?, change)
    }

    /// Changes the value of the member at a position.
    pub fn update_at<R>(&mut self, position: usize, change: impl FnOnce(&mut V) -> R) -> Option<R> {
        let (_, value) = self.entries.get_mut(position)?;
        let before = value.heap_bytes();
        let result = change(value);
        self.values_bytes = self.values_bytes - before + value.heap_bytes();
        Some(result)
    }

    /// Sets the value of the member at a position, and returns the one it had.
    pub fn set_at(&mut self, position: usize, value: V) -> Option<V> {
        self.update_at(position, |place| std::mem::replace(place, value))
    }

    /// Removes a member; the last one gets its place.
    pub fn remove(&mut self, member: &[u8]) -> Option<(Blob, V)> {
        let hash = self.seed.hash(member);
        let found = self.find(hash, member)?;
        self.take(hash, found)
    }

    /// Removes what stands at a position; the last one gets its place.
    pub fn remove_at(&mut self, position: usize) -> Option<(Blob, V)> {
        let (hash, found) = self.entry_of(position)?;
        self.take(hash, found)
    }

    /// Where the index has a position.
    fn entry_of(&self, position: usize) -> Option<(u64, Found)> {
        let (member, _) = self.entries.get(position)?;
        let hash = self.seed.hash(member);
        Some((hash, self.index.find(hash, |other| other as usize == position)?))
    }

    fn take(&mut self, hash: u64, found: Found) -> Option<(Blob, V)> {
        let position = found.position as usize;
        if position + 1 != self.len()
            && let Some((_, last)) = self.entry_of(self.len() - 1)
        {
            self.index.replace(last, found.position);
        }
        self.index.remove(hash, found);
        let entry = self.entries.swap_remove(position)?;
        self.values_bytes -= entry_bytes(&entry);
        self.index.give_back(hash, &(self.seed, &self.entries));
        Some(entry)
    }

    /// Frees about so many members of a dictionary that nobody needs any more: it finds none from then on.
    /// Whether nothing is left of it.
    pub fn release(&mut self, members: usize) -> bool {
        let mut is_more = true;
        for _ in 0..members.div_ceil(CHUNK).max(1) {
            is_more = self.index.release_page();
            if let Some((chunk, used)) = self.entries.pop_chunk() {
                self.values_bytes -= chunk[..used].iter().map(entry_bytes).sum::<usize>();
                is_more = true;
            }
            if !is_more {
                break;
            }
        }
        !is_more
    }
}

/// The same members in the same order, whatever the seeds.
impl<V: PartialEq> PartialEq for Dict<V> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<V: fmt::Debug> fmt::Debug for Dict<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}
