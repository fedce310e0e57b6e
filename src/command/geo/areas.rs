//! Distances on a sphere, and the squares of the grid in which to look for what is near a place. The functions of angles
//! are those of `libm`: what is stored must be the same on every replica, whatever library its system has.

use super::hash::{Area, Place, STEPS, Square};

const EARTH_RADIUS_M: f64 = 6_372_797.560856;
/// Half of the equator, in Web Mercator.
const MERCATOR_MAX_M: f64 = 20_037_726.37;
const DEGREE: f64 = std::f64::consts::PI / 180.0;

/// What is looked for, around a place; in metres.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Circle { radius_m: f64 },
    Box { width_m: f64, height_m: f64 },
}

fn latitude_distance_m(a: f64, b: f64) -> f64 {
    EARTH_RADIUS_M * (b * DEGREE - a * DEGREE).abs()
}

/// By the haversine formula (Sinnott, "Virtues of the Haversine", 1984).
pub(super) fn distance_m(a: Place, b: Place) -> f64 {
    let v = libm::sin((b.longitude * DEGREE - a.longitude * DEGREE) / 2.0);
    if v == 0.0 {
        return latitude_distance_m(a.latitude, b.latitude);
    }
    let (a_latitude, b_latitude) = (a.latitude * DEGREE, b.latitude * DEGREE);
    let u = libm::sin((b_latitude - a_latitude) / 2.0);
    let sum = u * u + libm::cos(a_latitude) * libm::cos(b_latitude) * v * v;
    2.0 * EARTH_RADIUS_M * libm::asin(sum.sqrt())
}

impl Shape {
    /// How far a place is from the middle, if it is within.
    pub(super) fn distance_within_m(self, middle: Place, place: Place) -> Option<f64> {
        match self {
            Self::Circle { radius_m } => {
                Some(distance_m(middle, place)).filter(|&distance| distance <= radius_m)
            }
            Self::Box { width_m, height_m } => {
                let beside = Place { longitude: middle.longitude, ..place };
                let is_within = latitude_distance_m(place.latitude, middle.latitude) <= height_m / 2.0
                    && distance_m(place, beside) <= width_m / 2.0;
                is_within.then(|| distance_m(middle, place))
            }
        }
    }

    /// Half of its width and of its height, and how far its farthest point is.
    fn extents_m(self) -> (f64, f64, f64) {
        match self {
            Self::Circle { radius_m } => (radius_m, radius_m, radius_m),
            Self::Box { width_m, height_m } => {
                let (width, height) = (width_m / 2.0, height_m / 2.0);
                (width, height, (width * width + height * height).sqrt())
            }
        }
    }

    /// What surely is around it, in degrees: more of longitude towards the poles.
    fn bounds(self, middle: Place) -> Area {
        let (width_m, height_m, _) = self.extents_m();
        let north = height_m / EARTH_RADIUS_M / DEGREE;
        let nearer_pole =
            if middle.latitude < 0.0 { middle.latitude - north } else { middle.latitude + north };
        let east = width_m / EARTH_RADIUS_M / libm::cos(nearer_pole * DEGREE) / DEGREE;
        Area {
            longitude: (middle.longitude - east, middle.longitude + east),
            latitude: (middle.latitude - north, middle.latitude + north),
        }
    }

    /// The squares that cover it, in the order in which they are searched; none comes twice in a row.
    pub(super) fn squares(self, middle: Place) -> Vec<Square> {
        let bounds = self.bounds(middle);
        let mut steps = steps(self.extents_m().2, middle.latitude);
        if steps > 1 && !covers(Square::of(middle, steps), &bounds) {
            steps -= 1;
        }
        let own = Square::of(middle, steps);
        let area = own.area();
        // Squares on a side to which nothing of the shape reaches are of no use.
        let is_fine = steps >= 2;
        let no_south = is_fine && area.latitude.0 < bounds.latitude.0;
        let no_north = is_fine && area.latitude.1 > bounds.latitude.1;
        let no_west = is_fine && area.longitude.0 < bounds.longitude.0;
        let no_east = is_fine && area.longitude.1 > bounds.longitude.1;
        let mut squares: Vec<Square> = vec![own];
        for (east, north) in [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)] {
            let is_useless =
                no_south && north < 0 || no_north && north > 0 || no_west && east < 0 || no_east && east > 0;
            let square = own.moved(east, north);
            // Redis compares with the one before only if that is not the first.
            let is_again = squares.len() > 1 && squares.last() == Some(&square);
            if !is_useless && !is_again {
                squares.push(square);
            }
        }
        squares
    }
}

/// Whether a square and those around it reach as far as the bounds.
fn covers(own: Square, bounds: &Area) -> bool {
    own.moved(0, 1).area().latitude.1 >= bounds.latitude.1
        && own.moved(0, -1).area().latitude.0 <= bounds.latitude.0
        && own.moved(1, 0).area().longitude.1 >= bounds.longitude.1
        && own.moved(-1, 0).area().longitude.0 <= bounds.longitude.0
}

/// Of the grid whose squares are about as large.
fn steps(mut radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEPS;
    }
    let mut steps = 1i32;
    while radius_m < MERCATOR_MAX_M {
        radius_m *= 2.0;
        steps += 1;
    }
    steps -= 2;
    if latitude.abs() > 66.0 {
        steps -= if latitude.abs() > 80.0 { 2 } else { 1 };
    }
    steps.clamp(1, STEPS as i32) as u32
}
