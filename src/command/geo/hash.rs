//! Places as numbers of 52 bits and back: longitude and latitude as fractions of their ranges, 26 bits each, a bit of
//! one after a bit of the other (Morton, 1966). Nothing here may depend on the machine.

use crate::command::conversion::unsigned;

/// Web Mercator ends short of the poles.
pub(super) const MAX_LATITUDE: f64 = 85.05112878;
pub(super) const MAX_LONGITUDE: f64 = 180.0;
/// Bits of each coordinate in a score.
pub(super) const STEPS: u32 = 26;

/// Degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

/// A square of the grid of so many steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Square {
    pub(super) bits: u64,
    pub(super) steps: u32,
}

/// From the first to the second.
type Ends = (f64, f64);

/// The ends of a square.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) longitude: Ends,
    pub(super) latitude: Ends,
}

/// The bits of a number at the even places.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// The bits at the even places as a number.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

fn encode(place: Place, max_latitude: f64, steps: u32) -> u64 {
    let grid = (1u64 << steps) as f64;
    let latitude = (place.latitude + max_latitude) / (max_latitude - -max_latitude) * grid;
    let longitude = (place.longitude + MAX_LONGITUDE) / (MAX_LONGITUDE - -MAX_LONGITUDE) * grid;
    spread(latitude as u32) | spread(longitude as u32) << 1
}

impl Square {
    /// The one that a place is in.
    pub(super) fn of(place: Place, steps: u32) -> Self {
        Self { bits: encode(place, MAX_LATITUDE, steps), steps }
    }

    /// The lowest score in it, and the lowest behind it.
    pub(super) fn scores(self) -> (f64, f64) {
        let align = |bits: u64| (bits << (2 * (STEPS - self.steps))) as f64;
        (align(self.bits), align(self.bits + 1))
    }

    pub(super) fn area(self) -> Area {
        let grid = (1u64 << self.steps) as f64;
        let ends = |number: u32, max: f64| {
            let end = |number: u32| -max + f64::from(number) / grid * (max - -max);
            (end(number), end(number.wrapping_add(1)))
        };
        Area {
            longitude: ends(gather(self.bits >> 1), MAX_LONGITUDE),
            latitude: ends(gather(self.bits), MAX_LATITUDE),
        }
    }

    /// The next one to the east or the north, or to the west or the south; beyond an end of the world, at its other
    /// end.
    pub(super) fn moved(self, east: i32, north: i32) -> Self {
        let mask = ((1u64 << self.steps) - 1) as u32;
        let step = |number: u32, by: i32| match by {
            0 => spread(number),
            _ => spread(number.wrapping_add_signed(by) & mask),
        };
        let bits = step(gather(self.bits), north) | step(gather(self.bits >> 1), east) << 1;
        Self { bits, ..self }
    }
}

/// The score of a place.
pub(super) fn score(place: Place) -> f64 {
    Square::of(place, STEPS).bits as f64
}

/// The place of a score, which `ZADD` may have given: the middle of its square.
pub(super) fn place(score: f64) -> Place {
    let area = Square { bits: unsigned(score), steps: STEPS }.area();
    let middle = |(from, to): Ends, max: f64| ((from + to) / 2.0).clamp(-max, max);
    Place { longitude: middle(area.longitude, MAX_LONGITUDE), latitude: middle(area.latitude, MAX_LATITUDE) }
}

/// As geohash.org writes a place: its range of latitudes ends at the poles. Redis has bits for ten letters, and writes
/// eleven.
pub(super) fn text(place: Place) -> String {
    const LETTERS: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    const POLE: f64 = 90.0;
    let bits = encode(place, POLE, STEPS);
    let letter = |at: u32| char::from(LETTERS[(bits >> (2 * STEPS - 5 * (at + 1)) & 0x1f) as usize]);
    (0..10).map(letter).chain(['0']).collect()
}
