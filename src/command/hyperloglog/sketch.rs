//! A sketch as a string: 16 bytes of header, then 16,384 registers, either all of them in six
//! bits each (dense) or as runs (sparse). What stands in the string may come from anybody; it must
//! never be read beyond its end.
//!
//! ```text
//! "HYLL"  encoding (0 dense, 1 sparse)  three zero bytes  cardinality, 8 bytes little-endian
//! ```
//! The cardinality counts unless its highest bit is set.

use super::{Corrupted, sparse};

/// The bits of a hash that choose the register.
pub(super) const INDEX_BITS: u32 = 14;
pub(super) const REGISTERS: usize = 1 << INDEX_BITS;
pub(super) const HEADER_BYTES: usize = 16;
const REGISTER_BITS: usize = 6;
const REGISTER_MAX: u16 = (1 << REGISTER_BITS) - 1;
const DENSE_BYTES: usize = HEADER_BYTES + REGISTERS * REGISTER_BITS / 8;

const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const CARDINALITY: usize = 8;
/// In the last byte of the cardinality.
const STALE: u8 = 0x80;

/// How many registers have each value.
pub(super) type Histogram = [u32; 1 << REGISTER_BITS];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Dense,
    Sparse,
}

/// `None`: the string is no sketch.
pub(super) fn encoding(bytes: &[u8]) -> Option<Encoding> {
    if bytes.len() < HEADER_BYTES || !bytes.starts_with(MAGIC) {
        return None;
    }
    match bytes[ENCODING] {
        0 => (bytes.len() == DENSE_BYTES).then_some(Encoding::Dense),
        1 => Some(Encoding::Sparse),
        _ => None,
    }
}

/// One that has seen nothing.
pub(super) fn empty() -> Vec<u8> {
    let mut sketch = vec![0; HEADER_BYTES];
    sketch[..MAGIC.len()].copy_from_slice(MAGIC);
    sketch[ENCODING] = 1;
    sparse::put_zeros(&mut sketch, REGISTERS);
    sketch
}

/// The cardinality in the header, if it is up to date.
pub(super) fn cached(sketch: &[u8]) -> Option<u64> {
    let bytes = sketch.get(CARDINALITY..HEADER_BYTES)?;
    let cardinality = u64::from_le_bytes(bytes.try_into().ok()?);
    (cardinality >> 63 == 0).then_some(cardinality)
}

pub(super) fn invalidate(sketch: &mut [u8]) {
    sketch[HEADER_BYTES - 1] |= STALE;
}

/// Byte and bit of a register; it may go on in the next byte.
fn position(index: usize) -> (usize, usize) {
    (HEADER_BYTES + index * REGISTER_BITS / 8, index * REGISTER_BITS % 8)
}

pub(super) fn dense_get(sketch: &[u8], index: usize) -> u8 {
    let (byte, bit) = position(index);
    let pair = u16::from_le_bytes([sketch[byte], sketch.get(byte + 1).copied().unwrap_or(0)]);
    (pair >> bit & REGISTER_MAX) as u8
}

pub(super) fn dense_set(sketch: &mut [u8], index: usize, value: u8) {
    let (byte, bit) = position(index);
    let second = sketch.get(byte + 1).copied();
    let pair = u16::from_le_bytes([sketch[byte], second.unwrap_or(0)]);
    let pair = pair & !(REGISTER_MAX << bit) | u16::from(value) << bit;
    sketch[byte] = pair as u8;
    if second.is_some() {
        sketch[byte + 1] = (pair >> 8) as u8;
    }
}

/// Makes a register at least `count`. Whether it was less.
pub(super) fn raise(sketch: &mut Vec<u8>, index: usize, count: u8) -> Result<bool, Corrupted> {
    if sketch[ENCODING] == 1 {
        return sparse::raise(sketch, index, count);
    }
    let raised = dense_get(sketch, index) < count;
    if raised {
        dense_set(sketch, index, count);
    }
    Ok(raised)
}

/// Nothing happens to one that is dense already.
pub(super) fn to_dense(sketch: &mut Vec<u8>) -> Result<(), Corrupted> {
    if sketch[ENCODING] == 0 {
        return Ok(());
    }
    let mut dense = vec![0; DENSE_BYTES];
    dense[..HEADER_BYTES].copy_from_slice(&sketch[..HEADER_BYTES]);
    dense[ENCODING] = 0;
    let mut index = 0;
    for run in sparse::runs(sketch) {
        if index + run.len > REGISTERS {
            return Err(Corrupted);
        }
        if run.value > 0 {
            (index..index + run.len).for_each(|index| dense_set(&mut dense, index, run.value));
        }
        index += run.len;
    }
    if index != REGISTERS {
        return Err(Corrupted);
    }
    *sketch = dense;
    Ok(())
}

/// Passes each run of equal registers to `visit`: where it begins, how long it is, its value.
fn for_each_run(sketch: &[u8], mut visit: impl FnMut(usize, usize, u8)) -> Result<(), Corrupted> {
    if sketch[ENCODING] == 0 {
        (0..REGISTERS).for_each(|index| visit(index, 1, dense_get(sketch, index)));
        return Ok(());
    }
    let mut index = 0;
    for run in sparse::runs(sketch) {
        if index + run.len > REGISTERS {
            return Err(Corrupted);
        }
        visit(index, run.len, run.value);
        index += run.len;
    }
    if index == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

pub(super) fn histogram(sketch: &[u8]) -> Result<Histogram, Corrupted> {
    let mut histogram = [0; _];
    for_each_run(sketch, |_, len, value| histogram[usize::from(value)] += len as u32)?;
    Ok(histogram)
}

pub(super) fn histogram_of(registers: &[u8; REGISTERS]) -> Histogram {
    let mut histogram = [0; _];
    registers.iter().for_each(|&value| histogram[usize::from(value)] += 1);
    histogram
}

/// Makes each of `registers` at least what it is in the sketch.
pub(super) fn merge_into(registers: &mut [u8; REGISTERS], sketch: &[u8]) -> Result<(), Corrupted> {
    for_each_run(sketch, |start, len, value| {
        registers[start..start + len].iter_mut().for_each(|register| *register = value.max(*register));
    })
}
