//! Packs against a vector of strings, and against bytes that are none.

mod borders;
mod hostile;
mod model;
mod timing;

use super::{Element, Pack};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A generator whose seed is printed if the test fails; `PACK_SEED` gives it.
fn seeded() -> SmallRng {
    let seed = std::env::var("PACK_SEED")
        .map_or_else(|_| getrandom::u64().expect("a random number"), |seed| seed.parse().expect("a number"));
    println!("PACK_SEED={seed}");
    SmallRng::seed_from_u64(seed)
}

fn packed<T: AsRef<[u8]>>(elements: &[T]) -> Pack {
    let mut pack = Pack::new();
    elements.iter().for_each(|element| pack.push_back(element.as_ref()));
    pack
}

fn strings<'a>(elements: impl Iterator<Item = Element<'a>>) -> Vec<Vec<u8>> {
    elements.map(|element| element.to_blob().to_vec()).collect()
}

/// A string or number near a border of some encoding, now and then a long one.
fn some_element(random: &mut SmallRng) -> Vec<u8> {
    let near: i64 = random.random_range(-2..=2);
    match random.random_range(0..20) {
        0..6 => {
            let power = 1i64 << [0, 6, 7, 12, 13, 15, 16, 23, 24, 31, 32, 62][random.random_range(0..12)];
            let sign = if random.random() { 1 } else { -1 };
            (sign * power + near).to_string().into_bytes()
        }
        6 => [i64::MIN, i64::MAX][random.random_range(0..2)].to_string().into_bytes(),
        7 => [&b"-0"[..], b"01", b"-", b"", b"9223372036854775808"][random.random_range(0..5)].to_vec(),
        8..18 => some_string(random.random_range(0..12), random),
        18 => some_string(([64, 126][random.random_range(0..2)] + near) as usize, random),
        _ if random.random_ratio(1, 10) => some_string((4096 + near) as usize, random),
        _ => some_string(random.random_range(0..300), random),
    }
}

/// Of few different bytes, some of which mean something in a listpack.
fn some_string(len: usize, random: &mut SmallRng) -> Vec<u8> {
    (0..len).map(|_| b"ab1\x00\x01\x80\xf0\xff"[random.random_range(0..8)]).collect()
}
