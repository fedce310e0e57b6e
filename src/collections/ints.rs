//! [`Ints`]: a small set of numbers in one piece of memory, which is Redis's intset to the byte
//! (intset.c of 7.0): what is dumped is a copy of it. The numbers stand in their order, all in as many bytes as the
//! widest that was ever among them took: so the bytes are state, and must never be made anew from the
//! numbers alone.

#[cfg(test)]
mod tests;

use super::{Near, allocated, room};
use std::cmp::Ordering;
use std::fmt;

/// Bytes of a number in four bytes, numbers in four.
const HEADER_BYTES: usize = 8;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Ints {
    bytes: Vec<u8>,
}

impl Near for Ints {
    fn bring(&self, pointers: usize) -> bool {
        self.bytes.bring(pointers)
    }
}

impl Ints {
    pub fn new() -> Self {
        Self::with_room(2, 0)
    }

    /// An empty one, with room for so many numbers.
    fn with_room(width_bytes: usize, len: usize) -> Self {
        let mut bytes = Vec::new();
        room::grow(&mut bytes, HEADER_BYTES + width_bytes * len);
        bytes.extend_from_slice(&[width_bytes as u8, 0, 0, 0, 0, 0, 0, 0]);
        Self { bytes }
    }

    /// The intset `bytes`, if it is one, whole and in order. An empty one is none, as in Redis.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = *bytes.first_chunk::<HEADER_BYTES>()?;
        let width_bytes = match u32::from_le_bytes([a, b, c, d]) {
            width @ (2 | 4 | 8) => width as usize,
            _ => return None,
        };
        let len = u32::from_le_bytes([e, f, g, h]) as usize;
        if len == 0 || bytes.len() - HEADER_BYTES != len * width_bytes {
            return None;
        }
        let mut ints = Self { bytes };
        room::shrink(&mut ints.bytes);
        ints.iter().is_sorted_by(|a, b| a < b).then_some(ints)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn len(&self) -> usize {
        (self.bytes.len() - HEADER_BYTES) / self.width_bytes()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == HEADER_BYTES
    }

    /// Of the intset.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Of memory.
    pub fn heap_bytes(&self) -> usize {
        allocated(self.bytes.capacity())
    }

    pub fn contains(&self, n: i64) -> bool {
        self.search(n).is_ok()
    }

    /// How many are less than `n`, if it is there.
    pub fn position(&self, n: i64) -> Option<usize> {
        self.search(n).ok()
    }

    /// The number of this place in their order.
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.at(index))
    }

    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// All numbers in their order, from both ends.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + Clone + '_ {
        (0..self.len()).map(|index| self.at(index))
    }

    /// Whether it was not there.
    pub fn insert(&mut self, n: i64) -> bool {
        let width_bytes = self.width_bytes();
        if width_of(n) > width_bytes {
            self.widen(n);
            return true;
        }
        let Err(index) = self.search(n) else { return false };
        let (at, old) = (HEADER_BYTES + index * width_bytes, self.bytes.len());
        room::grow(&mut self.bytes, old + width_bytes);
        self.bytes.resize(old + width_bytes, 0);
        self.bytes.copy_within(at..old, at + width_bytes);
        self.bytes[at..at + width_bytes].copy_from_slice(&n.to_le_bytes()[..width_bytes]);
        self.write_len();
        true
    }

    /// Whether it was there.
    pub fn remove(&mut self, n: i64) -> bool {
        let Ok(index) = self.search(n) else { return false };
        let width_bytes = self.width_bytes();
        let at = HEADER_BYTES + index * width_bytes;
        self.bytes.drain(at..at + width_bytes);
        room::give_back(&mut self.bytes);
        self.write_len();
        true
    }

    /// Takes in a number that is too wide for this set, and so less or greater than all.
    fn widen(&mut self, n: i64) {
        let width_bytes = width_of(n);
        let mut wider = Self::with_room(width_bytes, self.len() + 1);
        let (before, after) = if n < 0 { (Some(n), None) } else { (None, Some(n)) };
        for n in before.into_iter().chain(self.iter()).chain(after) {
            wider.bytes.extend_from_slice(&n.to_le_bytes()[..width_bytes]);
        }
        wider.write_len();
        *self = wider;
    }

    fn width_bytes(&self) -> usize {
        self.bytes[0].into()
    }

    /// A set has less than 2^30 numbers: as many as `set-max-intset-entries` may be.
    fn write_len(&mut self) {
        let len = self.len() as u32;
        self.bytes[4..HEADER_BYTES].copy_from_slice(&len.to_le_bytes());
    }

    fn at(&self, index: usize) -> i64 {
        let own = &self.bytes[HEADER_BYTES + index * self.width_bytes()..];
        match *own {
            [a, b, c, d, e, f, g, h, ..] if self.width_bytes() == 8 => {
                i64::from_le_bytes([a, b, c, d, e, f, g, h])
            }
            [a, b, c, d, ..] if self.width_bytes() == 4 => i32::from_le_bytes([a, b, c, d]).into(),
            _ => i16::from_le_bytes([own[0], own[1]]).into(),
        }
    }

    /// Where a number is, or where it would be.
    fn search(&self, n: i64) -> Result<usize, usize> {
        let len = self.len();
        // Numbers that are given in their order come last each time.
        if len == 0 || n > self.at(len - 1) {
            return Err(len);
        }
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low.midpoint(high);
            match self.at(middle).cmp(&n) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Ok(middle),
            }
        }
        Err(low)
    }
}

/// Bytes that a number takes.
fn width_of(n: i64) -> usize {
    match n {
        -0x8000..=0x7fff => 2,
        -0x8000_0000..=0x7fff_ffff => 4,
        _ => 8,
    }
}

impl Default for Ints {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Ints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
