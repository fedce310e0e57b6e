//! Registers as runs, one or two bytes each. It makes the very bytes that Redis makes: which runs
//! are split and which are joined again must never be decided otherwise.
//!
//! ```text
//! 00LLLLLL             L + 1 registers that are 0
//! 01LLLLLL LLLLLLLL    L + 1 registers that are 0
//! 1VVVVVLL             L + 1 registers that are V + 1
//! ```

use super::Corrupted;
use super::sketch::{self, HEADER_BYTES};
use crate::limits::HLL_SPARSE_MAX_BYTES;

const LONG_ZEROS: u8 = 0x40;
const VALUES: u8 = 0x80;
/// The longest run of zeros in one byte.
const MAX_SHORT_ZEROS: usize = 64;
const MAX_VALUE: u8 = 32;
const MAX_VALUES: usize = 4;
/// Runs that are looked at for their neighbours after a change.
const JOIN_LOOKS: usize = 5;

/// Registers of one value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) len: usize,
    pub(super) value: u8,
    size_bytes: usize,
}

/// The run at `at`. Of one that is cut off, the missing byte is 0, as the byte after a string of
/// Redis's is.
fn run_at(sketch: &[u8], at: usize) -> Option<Run> {
    let first = *sketch.get(at)?;
    Some(match first {
        VALUES.. => Run { len: usize::from(first & 3) + 1, value: (first >> 2 & 0x1f) + 1, size_bytes: 1 },
        LONG_ZEROS.. => {
            let low = sketch.get(at + 1).copied().unwrap_or(0);
            let len = usize::from(u16::from_be_bytes([first & 0x3f, low])) + 1;
            Run { len, value: 0, size_bytes: 2 }
        }
        _ => Run { len: usize::from(first) + 1, value: 0, size_bytes: 1 },
    })
}

pub(super) fn runs(sketch: &[u8]) -> impl Iterator<Item = Run> {
    let mut at = HEADER_BYTES;
    std::iter::from_fn(move || {
        let run = run_at(sketch, at)?;
        at += run.size_bytes;
        Some(run)
    })
}

pub(super) fn put_zeros(out: &mut Vec<u8>, len: usize) {
    match len {
        0 => {}
        1..=MAX_SHORT_ZEROS => out.push(len as u8 - 1),
        _ => {
            let [high, low] = (len as u16 - 1).to_be_bytes();
            out.extend_from_slice(&[high | LONG_ZEROS, low]);
        }
    }
}

fn values(value: u8, len: usize) -> u8 {
    VALUES | (value - 1) << 2 | (len as u8 - 1)
}

/// A run without the register at `before` in it, which becomes `count`.
fn split(run: Run, before: usize, count: u8) -> Vec<u8> {
    let after = run.len - before - 1;
    let mut out = Vec::with_capacity(5);
    let put = |out: &mut Vec<u8>, len| match (run.value, len) {
        (_, 0) => {}
        (0, len) => put_zeros(out, len),
        (value, len) => out.push(values(value, len)),
    };
    put(&mut out, before);
    out.push(values(count, 1));
    put(&mut out, after);
    out
}

/// Makes a register at least `count`. Whether it was less. The sketch becomes dense when it has to.
pub(super) fn raise(sketch: &mut Vec<u8>, index: usize, count: u8) -> Result<bool, Corrupted> {
    if count > MAX_VALUE {
        return promote(sketch, index, count);
    }
    let (mut at, mut previous, mut first) = (HEADER_BYTES, HEADER_BYTES, 0);
    let run = loop {
        let run = run_at(sketch, at).ok_or(Corrupted)?;
        if index < first + run.len {
            break run;
        }
        (previous, at, first) = (at, at + run.size_bytes, first + run.len);
    };
    if run.value >= count {
        return Ok(false);
    }
    let replaced = sketch.get(at..at + run.size_bytes).ok_or(Corrupted)?.len();
    let split = split(run, index - first, count);
    if split.len() > replaced && sketch.len() + split.len() - replaced > HLL_SPARSE_MAX_BYTES {
        return promote(sketch, index, count);
    }
    sketch.splice(at..at + replaced, split);
    join(sketch, previous);
    sketch::invalidate(sketch);
    Ok(true)
}

/// Joins neighbours of one value, from the run at `at` on.
fn join(sketch: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_LOOKS {
        let Some(run) = run_at(sketch, at) else { return };
        let next = run_at(sketch, at + 1).filter(|next| run.value > 0 && next.value == run.value);
        match next {
            Some(next) if run.len + next.len <= MAX_VALUES => {
                sketch[at + 1] = values(run.value, run.len + next.len);
                sketch.remove(at);
            }
            _ => at += run.size_bytes,
        }
    }
}

fn promote(sketch: &mut Vec<u8>, index: usize, count: u8) -> Result<bool, Corrupted> {
    sketch::to_dense(sketch)?;
    sketch::raise(sketch, index, count)
}

/// The runs, as `PFDEBUG DECODE` shows them.
pub(super) fn describe(sketch: &[u8]) -> String {
    let runs = runs(sketch).map(|run| match run {
        Run { value: 0, len, size_bytes: 1 } => format!("z:{len}"),
        Run { value: 0, len, .. } => format!("Z:{len}"),
        Run { value, len, .. } => format!("v:{value},{len}"),
    });
    runs.collect::<Vec<_>>().join(" ")
}
