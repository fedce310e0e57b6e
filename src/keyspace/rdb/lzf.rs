//! LZF (Marc Lehmann's LibLZF), in which Redis writes longer strings: runs of literal bytes, and
//! references to what was before. The compressor makes the choices that Redis's makes, so that
//! both come to the same bytes; what it writes must never be longer than it was told.
//!
//! ```text
//! 000LLLLL                      L + 1 literal bytes follow
//! LLLooooo oooooooo             L + 2 bytes (L < 7) from o + 1 back
//! 111ooooo LLLLLLLL oooooooo    L + 9 bytes from o + 1 back
//! ```

const MAX_RUN: usize = 32;
const MAX_OFFSET: usize = 1 << 13;
const MAX_MATCH: usize = (1 << 8) + (1 << 3);
/// The first length that takes a byte of its own.
const LONG_MATCH: usize = 7;
const SLOT_BITS: u32 = 16;

/// The slot of the three bytes at `at`: where they stood last.
fn slot(input: &[u8], at: usize) -> usize {
    let hash = u32::from_be_bytes([0, input[at], input[at + 1], input[at + 2]]);
    let index = (hash >> (24 - SLOT_BITS)).wrapping_sub(hash.wrapping_mul(5));
    index as usize & ((1 << SLOT_BITS) - 1)
}

/// What was written, with the run of literals at its end: one byte for its length, then itself.
struct Output {
    bytes: Vec<u8>,
    run: usize,
    max: usize,
}

impl Output {
    fn literal(&mut self, byte: u8) {
        self.bytes.push(byte);
        self.run += 1;
        if self.run == MAX_RUN {
            self.end_run();
            self.begin_run();
        }
    }

    fn begin_run(&mut self) {
        self.bytes.push(0);
        self.run = 0;
    }

    fn end_run(&mut self) {
        let at = self.bytes.len() - self.run - 1;
        match self.run {
            0 => self.bytes.truncate(at),
            run => self.bytes[at] = run as u8 - 1,
        }
    }

    fn has_room_for_match(&self) -> bool {
        self.bytes.len() - usize::from(self.run == 0) + 4 < self.max
    }

    /// `len` bytes from `offset` + 1 back.
    fn reference(&mut self, offset: usize, len: usize) {
        self.end_run();
        let (code, high) = (len - 2, (offset >> 8) as u8);
        if code < LONG_MATCH {
            self.bytes.push(high | (code as u8) << 5);
        } else {
            self.bytes.extend_from_slice(&[high | 7 << 5, (code - LONG_MATCH) as u8]);
        }
        self.bytes.push(offset as u8);
        self.begin_run();
    }
}

/// How many bytes at `at` are those at `from`: three at least. Redis stops counting at a limit
/// that depends on how it unrolls the loop.
fn match_len(input: &[u8], from: usize, at: usize) -> usize {
    let max = (input.len() - at - 2).min(MAX_MATCH);
    let differ = |len: usize| input[from + len] != input[at + len];
    if max > 16
        && let Some(len) = (3..=18).find(|&len| differ(len))
    {
        return len;
    }
    let first = if max > 16 { 19 } else { 3 };
    (first..).find(|&len| len >= max || differ(len)).expect("it ends at `max`")
}

/// In at most `max` bytes; `None` if that is not enough.
pub(super) fn compress(input: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut seen = vec![0u32; 1 << SLOT_BITS]; // 0: nowhere; the first byte is never referred to
    let mut output = Output { bytes: Vec::with_capacity(max.min(input.len() / 2) + 8), run: 0, max };
    let end = input.len().checked_sub(2).filter(|_| max > 0)?; // three bytes begin before it
    output.begin_run();
    let mut at = 0;
    while at < end {
        let from = std::mem::replace(&mut seen[slot(input, at)], at as u32) as usize;
        let offset = at.wrapping_sub(from + 1);
        if from > 0 && offset < MAX_OFFSET && input[from..from + 3] == input[at..at + 3] {
            if !output.has_room_for_match() {
                return None;
            }
            let len = match_len(input, from, at);
            output.reference(offset, len);
            at += len;
            if at >= end {
                break;
            }
            for at in at - 2..at {
                seen[slot(input, at)] = at as u32;
            }
        } else {
            if output.bytes.len() >= max {
                return None;
            }
            output.literal(input[at]);
            at += 1;
        }
    }
    if output.bytes.len() + 3 > max {
        return None;
    }
    input[at..].iter().for_each(|&byte| output.literal(byte));
    output.end_run();
    Some(output.bytes)
}

/// Exactly `len` bytes, or nothing.
pub(super) fn decompress(mut input: &[u8], len: usize) -> Option<Vec<u8>> {
    // Three bytes give no more than MAX_MATCH + 1: the length is not believed beyond that.
    if len.div_ceil(MAX_MATCH + 1) > input.len() {
        return None;
    }
    let mut output = Vec::with_capacity(len);
    while let Some((&control, rest)) = input.split_first() {
        let control = usize::from(control);
        if control < MAX_RUN {
            let (literals, rest) = rest.split_at_checked(control + 1)?;
            output.extend_from_slice(literals);
            input = rest;
        } else {
            let (extra, rest) = match control >> 5 {
                7 => rest.split_first().map(|(&extra, rest)| (usize::from(extra), rest))?,
                _ => (0, rest),
            };
            let (&low, rest) = rest.split_first()?;
            let offset = (control & 0x1f) << 8 | usize::from(low);
            let start = output.len().checked_sub(offset + 1)?;
            let count = (control >> 5) + extra + 2;
            if output.len() + count > len {
                return None;
            }
            repeat(&mut output, start, count);
            input = rest;
        }
        if output.len() > len {
            return None;
        }
    }
    (output.len() == len).then_some(output)
}

/// Appends `count` bytes of `output` from `start` on; what is appended may be among them.
fn repeat(output: &mut Vec<u8>, start: usize, mut count: usize) {
    while count > 0 {
        let part = count.min(output.len() - start);
        output.extend_from_within(start..start + part);
        count -= part;
    }
}
