//! [`Node`]: the elements of a list that stand in one pack, and [`Fill`]: how many those may be. What fits must be
//! judged as Redis's quicklist does, by the same estimate: `DUMP` shows where nodes end.

use super::End;
use crate::collections::{Element, Near, Pack, Weigh, allocated};
use std::hint::black_box;
use std::sync::Arc;

/// Bytes that a node may have at most, for -1 to -5.
const LEVELS: [usize; 5] = [4096, 8192, 16384, 32768, 65536];
/// The same where elements are counted.
const COUNTED_BYTES: usize = 8192;
/// What an element takes beyond its own bytes, estimated.
const ELEMENT_OVERHEAD_BYTES: usize = 8;
/// What two packs have twice, as Redis takes it to be.
const FRAME_BYTES: usize = 11;
/// The counts that stand before a pack in an [`Arc`].
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// `list-max-listpack-size`: elements of a node, or one of five sizes in bytes. A list keeps the one that it was
/// made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fill(i16);

impl Fill {
    pub(super) fn new(setting: i64) -> Self {
        Self(setting.clamp(-(LEVELS.len() as i64), i64::from(i16::MAX)) as i16)
    }

    pub(super) fn number(self) -> i16 {
        self.0
    }

    fn fits(self, size_bytes: usize, elements: usize) -> bool {
        match usize::try_from(self.0) {
            Ok(most) => size_bytes <= COUNTED_BYTES && elements <= most,
            Err(_) => size_bytes <= LEVELS[usize::from(self.0.unsigned_abs()) - 1],
        }
    }

    /// Whether an element of so many bytes may be added to the node.
    pub(super) fn takes(self, node: &Node, len: usize) -> bool {
        let size_bytes = node.pack.size_bytes().saturating_add(len).saturating_add(ELEMENT_OVERHEAD_BYTES);
        self.fits(size_bytes, node.len() + 1)
    }

    /// Whether the two may be one.
    pub(super) fn joins(self, a: &Node, b: &Node) -> bool {
        let size_bytes = (a.pack.size_bytes() + b.pack.size_bytes()).saturating_sub(FRAME_BYTES);
        self.fits(size_bytes, a.len() + b.len())
    }
}

/// See the module. A clone shares the pack.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pack: Arc<Pack>,
    len: u32,
    heap_bytes: u32,
}

impl Near for Node {
    fn bring(&self, pointers: usize) -> bool {
        match pointers {
            0 => black_box(self.len) > 0,
            _ => self.pack.bring(pointers),
        }
    }
}

impl Weigh for Node {
    fn weight(&self) -> usize {
        self.len as usize
    }

    fn heap_bytes(&self) -> usize {
        self.heap_bytes as usize
    }
}

impl Node {
    pub(super) fn new(pack: Pack) -> Self {
        let len = pack.len() as u32;
        let mut node = Self { pack: Arc::new(pack), len, heap_bytes: 0 };
        node.measure();
        node
    }

    pub(super) fn of_one(element: &[u8]) -> Self {
        let mut pack = Pack::new();
        pack.push_back(element);
        Self::new(pack)
    }

    pub(super) fn pack(&self) -> &Pack {
        &self.pack
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    fn measure(&mut self) {
        let bytes = allocated(ARC_BYTES + size_of::<Pack>()) + self.pack.heap_bytes();
        self.heap_bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
    }

    /// Changes the pack, which has `added` elements more then.
    fn change<R>(&mut self, added: isize, f: impl FnOnce(&mut Pack) -> R) -> R {
        let result = f(Arc::make_mut(&mut self.pack));
        self.len = self.len().saturating_add_signed(added) as u32;
        self.measure();
        result
    }

    pub(super) fn push(&mut self, end: End, element: &[u8]) {
        self.change(1, |pack| match end {
            End::Left => pack.push_front(element),
            End::Right => pack.push_back(element),
        });
    }

    /// Puts an element in the place of the one at `at`.
    pub(super) fn replace(&mut self, at: usize, element: &[u8]) {
        self.change(0, |pack| {
            if let Some(at) = pack.seek(at as isize) {
                pack.replace(at, element);
            }
        });
    }

    /// Puts an element before the one at `at`, or at the end.
    pub(super) fn insert(&mut self, at: usize, element: &[u8]) {
        self.change(1, |pack| {
            let at = pack.seek(at as isize);
            pack.insert_all(at, [Element::Bytes(element)]);
        });
    }

    pub(super) fn remove(&mut self, at: usize, count: usize) {
        let count = count.min(self.len().saturating_sub(at));
        self.change(-(count as isize), |pack| {
            if let Some(at) = pack.seek(at as isize) {
                pack.remove_range(at, count);
            }
        });
    }

    /// Takes off the elements from `at` on, of which there is one at least.
    pub(super) fn split_off(&mut self, at: usize) -> Self {
        let moved = self.len().saturating_sub(at);
        let taken = self.change(-(moved as isize), |pack| match pack.seek(at as isize) {
            Some(at) => pack.split_off(at),
            None => Pack::new(),
        });
        Self::new(taken)
    }

    pub(super) fn append(&mut self, other: &Self) {
        self.change(other.len() as isize, |pack| pack.append(&other.pack));
    }

    /// Leaves out up to `most` elements that are `needle`, beginning at one end. How many those were.
    pub(super) fn remove_equal(&mut self, needle: &[u8], most: usize, from: End) -> usize {
        let found = self.pack.iter().filter(|element| element.equals(needle)).count();
        let removed = found.min(most);
        if removed == 0 {
            return 0;
        }
        let left_out = match from {
            End::Left => 0..removed,
            End::Right => found - removed..found,
        };
        let mut kept = Pack::with_capacity(self.pack.size_bytes());
        let mut met = 0;
        for element in self.pack.iter() {
            let is_left_out = element.equals(needle) && {
                met += 1;
                left_out.contains(&(met - 1))
            };
            if !is_left_out {
                kept.insert_all(None, [element]);
            }
        }
        kept.shrink();
        *self = Self::new(kept);
        removed
    }
}
