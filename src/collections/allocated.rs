//! What a piece of memory takes, as far as this program can know. An estimate; no change may rest on it.

use super::Blob;

/// A request of the allocator, rounded up to its size class: four classes each time it doubles.
pub fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=8 => 8,
        9..=128 => bytes.next_multiple_of(16),
        _ => bytes.next_multiple_of(bytes.next_power_of_two() / 8),
    }
}

/// What stands in a collection.
pub trait HeapBytes {
    /// Bytes of memory beyond those of the value in its place, as [`allocated`] counts them.
    fn heap_bytes(&self) -> usize;
}

impl HeapBytes for Blob {
    fn heap_bytes(&self) -> usize {
        Blob::heap_bytes(self)
    }
}

macro_rules! stand_in_their_place {
    ($($value:ty),*) => {
        $(impl HeapBytes for $value {
            fn heap_bytes(&self) -> usize {
                0
            }
        })*
    };
}

stand_in_their_place!((), f64, u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_allocator() {
        for (asked, given) in
            [(0, 0), (1, 8), (9, 16), (80, 80), (81, 96), (128, 128), (129, 160), (1025, 1280)]
        {
            assert_eq!(allocated(asked), given, "{asked}");
        }
    }
}
