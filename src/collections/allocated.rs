//! What a piece of memory takes, as far as this program can know. An estimate; no change may rest on it.

/// A request of the allocator, rounded up to its size class: four classes each time it doubles.
pub fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_allocator() {
        for (asked, given) in [(0, 0), (1, 16), (80, 80), (81, 96), (128, 128), (129, 160), (1025, 1280)] {
            assert_eq!(allocated(asked), given, "{asked}");
        }
    }
}
