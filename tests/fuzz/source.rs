//! Choices drawn from a fuzzer's bytes: a changed byte is a changed choice. When the bytes
//! have run out, everything is zero. This module must never draw from anything else.

/// What is left of an input.
pub struct Source<'a> {
    rest: &'a [u8],
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// 0 to `most`, which is below 65,536.
    pub fn up_to(&mut self, most: usize) -> usize {
        let number = usize::from(self.byte());
        let number = if most < 256 { number } else { number << 8 | usize::from(self.byte()) };
        number % (most + 1)
    }

    /// Small ones, mostly.
    pub fn number(&mut self) -> u64 {
        let len = [0, 1, 1, 1, 2, 4, 8, 8][self.up_to(7)];
        self.bytes(len).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// The next `len` bytes, or as many as there are.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// As many as the first one says.
    pub fn some_bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte());
        self.bytes(len)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
}

/// Cuts `bytes` into pieces of 1 to 16 bytes, whose lengths follow from `seed`.
pub fn pieces(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let mut state = u32::from(seed).wrapping_mul(2_654_435_761) | 1;
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (piece, later) = rest.split_at((1 + (state >> 28) as usize).min(rest.len()));
        pieces.push(piece);
        rest = later;
    }
    pieces
}
