//! [`Natural`]: a whole number of any length, with just what reading and writing a long double
//! takes. It is given a bounded number of digits, and must never be used for anything hot.

use std::cmp::Ordering;

/// Limbs, the lowest first; the highest is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural(Vec<u64>);

/// What fits a limb.
const DIGITS_OF_LIMB: u32 = 19;
/// Bits of a quotient, at most.
const QUOTIENT_BITS: u32 = 70;

impl From<u64> for Natural {
    fn from(n: u64) -> Self {
        Self(if n == 0 { Vec::new() } else { vec![n] })
    }
}

impl Natural {
    /// The number that has these decimal digits.
    pub(super) fn from_digits(digits: &[u8]) -> Self {
        let mut n = Self::from(0);
        for chunk in digits.chunks(DIGITS_OF_LIMB as usize) {
            let value = chunk.iter().fold(0, |value, &digit| value * 10 + u64::from(digit));
            n.multiply_add(10u64.pow(chunk.len() as u32), value);
        }
        n
    }

    fn multiply_add(&mut self, factor: u64, mut carry: u64) {
        for limb in &mut self.0 {
            let product = u128::from(*limb) * u128::from(factor) + u128::from(carry);
            (*limb, carry) = (product as u64, (product >> 64) as u64);
        }
        if carry != 0 {
            self.0.push(carry);
        }
    }

    pub(super) fn multiply_by_power_of_ten(&mut self, power: u32) {
        for _ in 0..power / DIGITS_OF_LIMB {
            self.multiply_add(10u64.pow(DIGITS_OF_LIMB), 0);
        }
        self.multiply_add(10u64.pow(power % DIGITS_OF_LIMB), 0);
    }

    /// How many bits it takes.
    pub(super) fn bits(&self) -> u32 {
        self.0.last().map_or(0, |last| self.0.len() as u32 * 64 - last.leading_zeros())
    }

    pub(super) fn shift_left(&mut self, bits: u32) {
        let (limbs, bits) = (bits as usize / 64, bits % 64);
        self.multiply_add(1 << bits, 0);
        self.0.splice(0..0, std::iter::repeat_n(0, limbs));
    }

    fn halve(&mut self) {
        let mut carry = 0;
        for limb in self.0.iter_mut().rev() {
            (*limb, carry) = (*limb >> 1 | carry << 63, *limb & 1);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    /// Subtracts what is not larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (i, limb) in self.0.iter_mut().enumerate() {
            let (less, first) = limb.overflowing_sub(other.0.get(i).copied().unwrap_or(0));
            let (rest, second) = less.overflowing_sub(u64::from(borrow));
            (*limb, borrow) = (rest, first || second);
        }
        self.trim();
    }

    /// The quotient, which has to have less than 70 bits, and whether anything is left over.
    pub(super) fn divide(mut self, mut divisor: Self) -> (u128, bool) {
        divisor.shift_left(QUOTIENT_BITS);
        let mut quotient = 0;
        for _ in 0..=QUOTIENT_BITS {
            quotient <<= 1;
            if self >= divisor {
                self.subtract(&divisor);
                quotient |= 1;
            }
            divisor.halve();
        }
        (quotient, !self.0.is_empty())
    }

    /// The highest bits, how many there are below them, and whether any of these is set.
    pub(super) fn top(&self) -> (u128, u32, bool) {
        let below = self.0.len().saturating_sub(2);
        let top = self.0[below..].iter().rev().fold(0, |top, &limb| top << 64 | u128::from(limb));
        let sticky = self.0[..below].iter().any(|&limb| limb != 0);
        (top, below as u32 * 64, sticky)
    }

    pub(super) fn to_decimal(&self) -> String {
        let mut rest = self.clone();
        let mut chunks = Vec::new();
        while !rest.0.is_empty() {
            let mut remainder = 0;
            for limb in rest.0.iter_mut().rev() {
                let dividend = u128::from(remainder) << 64 | u128::from(*limb);
                let divisor = u128::from(10u64.pow(DIGITS_OF_LIMB));
                (*limb, remainder) = ((dividend / divisor) as u64, (dividend % divisor) as u64);
            }
            rest.trim();
            chunks.push(remainder);
        }
        let Some(first) = chunks.pop() else { return "0".to_owned() };
        let mut text = first.to_string();
        for chunk in chunks.iter().rev() {
            text.push_str(&format!("{chunk:019}"));
        }
        text
    }
}

impl PartialOrd for Natural {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Natural {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}
