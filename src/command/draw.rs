//! Positions at random, for commands that draw elements of a collection. They follow from the seed alone: a command
//! that changes something draws the same on every replica.

use super::Reply;
use super::parse::{NOT_AN_INTEGER, integer};
use crate::keyspace::SplitMix;
use crate::limits::MAX_DRAWN_ELEMENTS;
use std::collections::BTreeSet;

const OUT_OF_RANGE: Reply = Reply::error("ERR value is out of range");

/// How many elements are wanted; negative: the same one may come again.
pub(super) fn count(arg: &[u8]) -> Result<i64, Reply> {
    match integer(arg)? {
        i64::MIN => Err(Reply::error(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        )),
        count => Ok(count),
    }
}

/// Refuses more than twice as many as there are numbers.
pub(super) fn check_pairs(count: i64) -> Result<(), Reply> {
    if count.unsigned_abs() > (i64::MAX / 2) as u64 { Err(OUT_OF_RANGE) } else { Ok(()) }
}

/// One of `len` positions, of which there is at least one.
pub(super) fn one(len: usize, seed: u64) -> usize {
    SplitMix::new(seed).below(len.max(1))
}

/// So many of `len` positions, in any order: different ones, and all if there are not more; a negative count
/// takes each from all of them.
pub(super) fn positions(len: usize, count: i64, seed: u64) -> Result<Vec<usize>, Reply> {
    let mut random = SplitMix::new(seed);
    let wanted = usize::try_from(count.unsigned_abs()).map_err(|_| NOT_AN_INTEGER)?;
    if count < 0 {
        if wanted > MAX_DRAWN_ELEMENTS {
            return Err(OUT_OF_RANGE);
        }
        return Ok((0..if len == 0 { 0 } else { wanted }).map(|_| random.below(len)).collect());
    }
    if wanted >= len {
        return Ok((0..len).collect());
    }
    if wanted > len / 3 {
        // The beginning of a shuffle (Durstenfeld, Algorithm 235).
        let mut all: Vec<usize> = (0..len).collect();
        for place in 0..wanted {
            all.swap(place, place + random.below(len - place));
        }
        all.truncate(wanted);
        return Ok(all);
    }
    let (mut drawn, mut seen) = (Vec::with_capacity(wanted), BTreeSet::new());
    while drawn.len() < wanted {
        let position = random.below(len);
        if seen.insert(position) {
            drawn.push(position);
        }
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_has_its_chance_and_none_comes_twice() {
        for (len, count) in [(10, 1), (10, 3), (10, 5), (10, 9), (10, 10), (10, 30), (1000, 20)] {
            let mut seen = BTreeSet::new();
            for seed in 0..2000 {
                let drawn = positions(len, count, seed).unwrap();
                let different: BTreeSet<_> = drawn.iter().copied().collect();
                assert_eq!((drawn.len(), different.len()), (len.min(count as usize), drawn.len()));
                seen.extend(different);
            }
            assert!(seen.len() == len && seen.last() == Some(&(len - 1)), "{count} of {len}");
        }
    }

    #[test]
    fn a_negative_count_draws_again_and_is_bounded() {
        let drawn = positions(3, -100, 7).unwrap();
        assert!(drawn.len() == 100 && drawn.iter().all(|position| *position < 3));
        assert_eq!(positions(0, -100, 7), Ok(vec![]));
        assert_eq!(positions(3, -i64::MAX, 7), Err(OUT_OF_RANGE));
        assert!(count(b"-9223372036854775808").is_err() && count(b"x") == Err(NOT_AN_INTEGER));
        assert!(check_pairs(i64::MAX / 2).is_ok() && check_pairs(-(i64::MAX / 2) - 1).is_err());
    }
}
