//! [`Page`]: a small hash table of positions, in lines of 64 bytes as the processor fetches them: twelve
//! positions beside eight bits of the hash of each, in the manner of F14 (Bronson and Shi, 2019). It must
//! never know what stands at a position, nor be asked for an order.

/// Positions in a line.
const SLOTS: usize = 12;
/// Positions for each line, on the whole: more, and too many would have to stand elsewhere than at home.
const FILL: usize = 10;
/// Lines of a page that is about to be split.
pub(super) const MAX_LINES: usize = 64;

/// The byte of a slot that holds nothing.
const VACANT: u8 = 0;
/// The byte after the tags: how many positions whose home is this line, or one before, stand further on.
/// It ends the search for what is not there.
const PASSED: usize = SLOTS;

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line {
    head: [u8; 16], // tags, then `PASSED`
    positions: [u32; SLOTS],
}

/// Where in a page a position stands, until the page's next change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    line: usize,
    slot: usize,
}

#[derive(Debug, Clone)]
pub(super) struct Page {
    lines: Box<[Line]>, // a power of two
    pub(super) len: u32,
    /// The first bits of all hashes in it.
    pub(super) prefix: u32,
    /// How many bits these are.
    pub(super) depth: u8,
}

impl Line {
    const EMPTY: Self = Self { head: [VACANT; 16], positions: [0; SLOTS] };

    /// The slots with this tag.
    fn slots(&self, tag: u8) -> Slots {
        const LOW_BITS: u128 = u128::from_ne_bytes([0x7f; 16]);
        const TAGS: u128 = u128::MAX >> (u128::BITS - 8 * SLOTS as u32);
        let difference = u128::from_le_bytes(self.head) ^ u128::from_ne_bytes([tag; 16]);
        // The highest bit of each byte that is zero; no byte carries into the next.
        Slots(!(((difference & LOW_BITS) + LOW_BITS) | difference | LOW_BITS) & TAGS)
    }
}

struct Slots(u128);

impl Iterator for Slots {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let bits = self.0;
        self.0 &= bits.wrapping_sub(1);
        (bits != 0).then(|| bits.trailing_zeros() as usize / 8)
    }
}

/// The low bits choose the line, the highest ones the page.
fn tag(hash: u64) -> u8 {
    ((hash >> 8) as u8).max(VACANT + 1)
}

/// How many positions a page of so many lines takes.
fn most(lines: usize) -> usize {
    if lines == 1 { SLOTS } else { lines * FILL }
}

impl Page {
    /// For `len` positions.
    pub(super) fn new(len: usize, prefix: u32, depth: u8) -> Self {
        let mut lines = 1;
        while most(lines) < len {
            lines *= 2;
        }
        Self { lines: vec![Line::EMPTY; lines].into(), len: 0, prefix, depth }
    }

    pub(super) fn lines(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of_val(&*self.lines)
    }

    /// Whether it must have more lines, or be split, before it takes another one.
    pub(super) fn is_full(&self) -> bool {
        self.len as usize >= most(self.lines.len())
    }

    /// Whether half of the lines would do for long.
    pub(super) fn is_sparse(&self) -> bool {
        self.lines.len() > 1 && self.len as usize * 4 <= most(self.lines.len())
    }

    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.lines.len() - 1)
    }

    fn after(&self, line: usize) -> usize {
        (line + 1) & (self.lines.len() - 1)
    }

    /// The one that `is_it`, of those that may have this hash.
    pub(super) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<(Place, u32)> {
        let tag = tag(hash);
        let mut at = self.home(hash);
        for _ in 0..self.lines.len() {
            let line = &self.lines[at];
            for slot in line.slots(tag) {
                if is_it(line.positions[slot]) {
                    return Some((Place { line: at, slot }, line.positions[slot]));
                }
            }
            if line.head[PASSED] == 0 {
                return None;
            }
            at = self.after(at);
        }
        None
    }

    /// Adds a position. The page is not full.
    pub(super) fn insert(&mut self, hash: u64, position: u32) {
        debug_assert!(!self.is_full());
        self.len += 1;
        let mut at = self.home(hash);
        loop {
            let line = &mut self.lines[at];
            if let Some(slot) = line.slots(VACANT).next() {
                line.head[slot] = tag(hash);
                line.positions[slot] = position;
                return;
            }
            line.head[PASSED] = line.head[PASSED].saturating_add(1);
            at = self.after(at);
        }
    }

    pub(super) fn replace(&mut self, place: Place, position: u32) {
        self.lines[place.line].positions[place.slot] = position;
    }

    /// Removes what is at `place` and has this hash.
    pub(super) fn remove(&mut self, hash: u64, place: Place) {
        self.len -= 1;
        self.lines[place.line].head[place.slot] = VACANT;
        let mut at = self.home(hash);
        while at != place.line {
            let passed = &mut self.lines[at].head[PASSED];
            // A count that has ever been at its end is no longer known: it stays until the next rebuilding.
            *passed -= u8::from(*passed != u8::MAX);
            at = self.after(at);
        }
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = u32> {
        let slots = self.lines.iter().flat_map(|line| line.head.iter().zip(&line.positions));
        slots.filter(|(tag, _)| **tag != VACANT).map(|(_, position)| *position)
    }
}
