//! `PFSELFTEST`: registers hold what is put into them, both encodings agree, and the estimate is
//! close. It must never touch a key; it takes some tenths of a second where Redis takes many.

use super::estimate::cardinality;
use super::sketch::{self, Encoding, REGISTERS};
use super::{Reply, murmur};
use crate::limits::{HLL_SELFTEST_ELEMENTS, HLL_SPARSE_MAX_BYTES};

fn failed(what: &str) -> Reply {
    Reply::error_owned(format!("TESTFAILED {what}"))
}

/// `+OK`, or what is wrong.
pub fn selftest() -> Reply {
    registers().and_then(|()| estimates()).map_or_else(|what| failed(&what), |()| Reply::Ok)
}

/// A number from each element, whose low six bits look random.
fn value(element: usize) -> u8 {
    (murmur::place(&element.to_le_bytes()).0 % 64) as u8
}

fn registers() -> Result<(), String> {
    let mut dense = sketch::empty();
    sketch::to_dense(&mut dense).map_err(|_| "an empty sketch is corrupted")?;
    for round in 0..4 {
        let wanted = |index: usize| value(round * REGISTERS + index);
        (0..REGISTERS).for_each(|index| sketch::dense_set(&mut dense, index, wanted(index)));
        for index in 0..REGISTERS {
            let (wanted, found) = (wanted(index), sketch::dense_get(&dense, index));
            if wanted != found {
                return Err(format!("Register {index} should be {wanted} but is {found}"));
            }
        }
    }
    Ok(())
}

fn estimates() -> Result<(), String> {
    let (mut dense, mut sparse) = (sketch::empty(), sketch::empty());
    sketch::to_dense(&mut dense).map_err(|_| "an empty sketch is corrupted")?;
    let mut checkpoint = 1;
    for element in 1..=HLL_SELFTEST_ELEMENTS {
        let (index, count) = murmur::place(&element.to_le_bytes());
        for sketch in [&mut dense, &mut sparse] {
            sketch::raise(sketch, index, count).map_err(|_| "a sketch was corrupted")?;
        }
        if element != checkpoint {
            continue;
        }
        let small = element < HLL_SPARSE_MAX_BYTES as u64 / 2;
        if small && sketch::encoding(&sparse) != Some(Encoding::Sparse) {
            return Err("sparse encoding not used".to_owned());
        }
        let of = |sketch: &[u8]| sketch::histogram(sketch).map(|histogram| cardinality(&histogram)).ok();
        let found = of(&dense).ok_or("a sketch was corrupted")?;
        if of(&sparse) != Some(found) {
            return Err("dense/sparse disagree".to_owned());
        }
        // Six times the standard error, 1.04 / sqrt(registers).
        let allowed = (1.04 / (REGISTERS as f64).sqrt() * 6.0 * checkpoint as f64).ceil() as u64;
        let error = found.abs_diff(checkpoint);
        if error > allowed {
            return Err(format!("Too big error. card:{checkpoint} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}
