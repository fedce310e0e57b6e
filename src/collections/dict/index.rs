//! [`Index`]: from hashes to positions, by extendible hashing (Fagin et al., 1979): pages that are split, and
//! joined again, one at a time, under a directory by the first bits of the hash. It must never keep a hash: it
//! can be made again from what stands at a position.

use super::page::{MAX_LINES, Page, Place};
use crate::collections::allocated;
use std::ops::Range;

/// A page and its neighbour are joined when they hold this many together: less than half of a full one, so
/// that a few insertions do not split them again.
const JOINED: usize = MAX_LINES * 4;
/// With the most positions there can be it is enough. What cannot be split further gets more lines.
const MAX_DEPTH: u8 = 24;

#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// For each beginning of a hash, of `depth` bits: the number of its page.
    directory: Vec<u32>,
    pages: Vec<Page>,
    depth: u8,
    /// How many pages need all bits of `depth`.
    deepest: usize,
    pages_bytes: usize,
}

/// Where a position is kept, until the index's next change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    page: usize,
    place: Place,
    pub(super) position: u32,
}

/// What stands at the positions.
pub(super) trait Members {
    fn at(&self, position: u32) -> &[u8];
    fn hash(&self, member: &[u8]) -> u64;
}

/// The positions of pages, with their hashes.
fn hashed(pages: &[&Page], members: &impl Members) -> impl Iterator<Item = (u64, u32)> {
    // Members are far apart in memory. Looking at all of them before the first is hashed lets the processor
    // fetch many at a time.
    let positions = pages.iter().flat_map(|page| page.positions());
    let found: Vec<_> = positions.map(|position| (members.at(position), position)).collect();
    found.into_iter().map(|(member, position)| (members.hash(member), position))
}

impl Index {
    fn page(&self, hash: u64) -> Option<usize> {
        let beginning = (hash >> 1) >> (u64::BITS - 1 - u32::from(self.depth)); // of 0 bits it is 0
        self.directory.get(beginning as usize).map(|&page| page as usize)
    }

    /// The part of the directory that names this page.
    fn range(&self, page: &Page) -> Range<usize> {
        let below = self.depth - page.depth;
        (page.prefix as usize) << below..(page.prefix as usize + 1) << below
    }

    fn put(&mut self, number: usize, page: Page) {
        let range = self.range(&page);
        self.directory[range].fill(number as u32);
        self.deepest += usize::from(page.depth == self.depth);
        self.pages_bytes += page.size_bytes();
        match self.pages.get_mut(number) {
            Some(place) => {
                self.pages_bytes -= place.size_bytes();
                self.deepest -= usize::from(place.depth == self.depth);
                *place = page;
            }
            None => self.pages.push(page),
        }
    }

    /// The position that `is_it`, of those that may have this hash.
    pub(super) fn find(&self, hash: u64, is_it: impl FnMut(u32) -> bool) -> Option<Found> {
        let page = self.page(hash)?;
        let (place, position) = self.pages[page].find(hash, is_it)?;
        Some(Found { page, place, position })
    }

    /// Adds a position. `members` are those that were there before, at least.
    pub(super) fn insert(&mut self, hash: u64, position: u32, members: &impl Members) {
        if self.pages.is_empty() {
            // Most have one page, or few.
            *self = Self { directory: vec![0], pages: Vec::with_capacity(1), ..Self::default() };
            self.put(0, Page::new(1, 0, 0));
        }
        while let Some(number) = self.page(hash) {
            if !self.pages[number].is_full() {
                self.pages[number].insert(hash, position);
                return;
            }
            let page = &self.pages[number];
            match page.lines() < MAX_LINES || page.depth == MAX_DEPTH {
                true => self.rebuild(number, page.len as usize + 1, members),
                false => self.split(number, members),
            }
        }
    }

    pub(super) fn replace(&mut self, found: Found, position: u32) {
        self.pages[found.page].replace(found.place, position);
    }

    /// Removes what was found under this hash. [`Index::give_back`] should follow.
    pub(super) fn remove(&mut self, hash: u64, found: Found) {
        self.pages[found.page].remove(hash, found.place);
    }

    /// Joins pages, or takes lines from one, if there are too many since a removal under this hash.
    pub(super) fn give_back(&mut self, hash: u64, members: &impl Members) {
        while let Some((number, neighbour)) = self.to_join(hash) {
            self.join(number, neighbour, members);
        }
        while self.deepest == 0 && self.depth > 0 {
            self.halve();
        }
        if let Some(number) = self.page(hash).filter(|&number| self.pages[number].is_sparse()) {
            self.rebuild(number, self.pages[number].len as usize * 2, members);
        }
    }

    /// The same positions in a page with room for `len`.
    fn rebuild(&mut self, number: usize, len: usize, members: &impl Members) {
        let old = &self.pages[number];
        let mut page = Page::new(len, old.prefix, old.depth);
        hashed(&[old], members).for_each(|(hash, position)| page.insert(hash, position));
        self.put(number, page);
    }

    fn split(&mut self, number: usize, members: &impl Members) {
        if self.pages[number].depth == self.depth {
            self.double();
        }
        let old = &self.pages[number];
        let (prefix, depth) = (old.prefix << 1, old.depth + 1);
        let mut halves = [prefix, prefix | 1].map(|prefix| Page::new(old.len as usize, prefix, depth));
        for (hash, position) in hashed(&[old], members) {
            halves[(hash >> (u64::BITS - u32::from(depth))) as usize & 1].insert(hash, position);
        }
        let [low, high] = halves;
        self.put(number, low);
        self.put(self.pages.len(), high);
    }

    /// The page of this hash, and the one that was split from it, if they should be one.
    fn to_join(&self, hash: u64) -> Option<(usize, usize)> {
        let number = self.page(hash)?;
        let page = &self.pages[number];
        if page.depth == 0 || page.len as usize > JOINED {
            return None;
        }
        let beginning = (page.prefix as usize ^ 1) << (self.depth - page.depth);
        let neighbour = self.directory[beginning] as usize;
        let other = &self.pages[neighbour];
        (other.depth == page.depth && (page.len + other.len) as usize <= JOINED)
            .then_some((number, neighbour))
    }

    fn join(&mut self, number: usize, neighbour: usize, members: &impl Members) {
        let pages = [&self.pages[number], &self.pages[neighbour]];
        let (prefix, depth) = (pages[0].prefix >> 1, pages[0].depth - 1);
        let mut page = Page::new((pages[0].len + pages[1].len) as usize, prefix, depth);
        hashed(&pages, members).for_each(|(hash, position)| page.insert(hash, position));
        self.put(number, page);
        self.drop_page(neighbour);
        if let Some(moved) = self.pages.get(neighbour) {
            let range = self.range(moved);
            self.directory[range].fill(neighbour as u32);
        }
        if self.pages.len() < self.pages.capacity() / 4 {
            self.pages.shrink_to(self.pages.len() * 2);
        }
    }

    /// Frees a page; the last one takes its number.
    fn drop_page(&mut self, number: usize) {
        let page = self.pages.swap_remove(number);
        self.pages_bytes -= page.size_bytes();
        self.deepest -= usize::from(page.depth == self.depth);
    }

    fn double(&mut self) {
        let mut directory = Vec::with_capacity(self.directory.len() * 2);
        self.directory.iter().for_each(|&page| directory.extend([page, page]));
        self.directory = directory;
        self.depth += 1;
        self.deepest = 0;
    }

    fn halve(&mut self) {
        self.directory = self.directory.iter().step_by(2).copied().collect();
        self.depth -= 1;
        self.deepest = self.pages.iter().filter(|page| page.depth == self.depth).count();
    }

    /// Frees a page, of an index that is not needed any more: nothing is found from then on. Whether there
    /// was one.
    pub(super) fn release_page(&mut self) -> bool {
        self.directory = Vec::new();
        match self.pages.len().checked_sub(1) {
            Some(last) => self.drop_page(last),
            None => self.pages = Vec::new(),
        }
        self.pages.capacity() != 0
    }

    pub(super) fn heap_bytes(&self) -> usize {
        allocated(self.directory.capacity() * size_of::<u32>())
            + allocated(self.pages.capacity() * size_of::<Page>())
            + self.pages_bytes
    }
}
