//! Numbers of 1 to 64 bits at any bit of a string, the highest bit first, and what becomes of one
//! that does not fit. Nothing here may know of keys.

/// What a number becomes that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its lowest bits.
    Wrap,
    /// The largest, or the smallest, that fits.
    Saturate,
    /// Nothing.
    Fail,
}

/// Numbers of one kind: unsigned ones have 63 bits at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Width {
    pub(super) signed: bool,
    pub(super) bits: u32,
}

impl Width {
    /// The number at a bit of a string; what is behind its end is 0.
    pub(super) fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let mut window = [0; 16];
        let tail = bytes.get((offset / 8) as usize..).unwrap_or_default();
        let len = tail.len().min(9);
        window[..len].copy_from_slice(&tail[..len]);
        self.wrap((u128::from_be_bytes(window) >> self.shift(offset)) as u64)
    }

    /// Writes a number that fits into a string that is long enough.
    pub(super) fn set(self, bytes: &mut [u8], offset: u64, number: i64) {
        let tail = &mut bytes[(offset / 8) as usize..];
        let len = tail.len().min(9);
        let mut window = [0; 16];
        window[..len].copy_from_slice(&tail[..len]);
        let (mask, shift) = (u128::from(u64::MAX >> (64 - self.bits)), self.shift(offset));
        let rest = u128::from_be_bytes(window) & !(mask << shift);
        let whole = rest | (u128::from(number as u64) & mask) << shift;
        tail[..len].copy_from_slice(&whole.to_be_bytes()[..len]);
    }

    /// How far the number is from the end of the 16 bytes that it begins in.
    fn shift(self, offset: u64) -> u32 {
        128 - (offset % 8) as u32 - self.bits
    }

    /// The lowest bits, as a number.
    fn wrap(self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        if self.signed { (bits << unused) as i64 >> unused } else { (bits << unused >> unused) as i64 }
    }

    /// `number` and `more`; `None`: it does not fit, and is not to be made to. An unsigned number
    /// is given as the bits that it has: what looks negative is larger than all that fit.
    pub(super) fn fit(self, number: i64, more: i64, overflow: Overflow) -> Option<i64> {
        let (number, min, max) = if self.signed {
            (i128::from(number), -1i128 << (self.bits - 1), (1i128 << (self.bits - 1)) - 1)
        } else {
            (i128::from(number as u64), 0, (1i128 << self.bits) - 1)
        };
        let sum = number + i128::from(more);
        if (min..=max).contains(&sum) {
            return Some(sum as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.wrap(sum as u64)),
            Overflow::Saturate => Some(if sum > max { max } else { min } as i64),
            Overflow::Fail => None,
        }
    }
}
