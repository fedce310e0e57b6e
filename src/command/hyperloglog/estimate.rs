//! The estimate: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
//! arXiv:1702.01284, algorithm 6.

use super::sketch::{Histogram, INDEX_BITS, REGISTERS};

/// 1 / (2 ln 2)
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_7;
/// The bits of a hash that do not choose the register.
const Q: usize = (u64::BITS - INDEX_BITS) as usize;

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

pub(super) fn cardinality(histogram: &Histogram) -> u64 {
    let m = REGISTERS as f64;
    let of = |value: usize| f64::from(histogram[value]);
    let mut z = m * tau((m - of(Q + 1)) / m);
    for value in (1..=Q).rev() {
        z = (z + of(value)) * 0.5;
    }
    z += m * sigma(of(0) / m);
    (ALPHA_INFINITY * m * m / z).round() as u64
}
