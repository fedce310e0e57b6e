//! How the vectors of small collections grow and shrink: from one size class of the allocator to the next, so
//! that what is spare is what the allocator would have given anyway. No byte of them may depend on it.

use super::allocated;

/// Makes room for `len` bytes in all.
pub(super) fn grow(bytes: &mut Vec<u8>, len: usize) {
    if len > bytes.capacity() {
        bytes.reserve_exact(allocated(len) - bytes.len());
    }
}

/// Gives back what is not used, if it is more than a third. What was just given back can be
/// added again without a new allocation, mostly.
pub(super) fn give_back(bytes: &mut Vec<u8>) {
    if bytes.len() < bytes.capacity() / 3 * 2 {
        shrink(bytes);
    }
}

/// Gives back all that is not used.
pub(super) fn shrink(bytes: &mut Vec<u8>) {
    bytes.shrink_to(allocated(bytes.len()));
}

/// Makes of a piece of memory one with room for `len` bytes in all; what is new of it is zero.
pub(super) fn resize(bytes: &mut Box<[u8]>, len: usize) {
    let room = allocated(len);
    if room == bytes.len() {
        return;
    }
    let mut vector = std::mem::take(bytes).into_vec();
    vector.reserve_exact(room.saturating_sub(vector.len()));
    vector.resize(room, 0);
    *bytes = vector.into_boxed_slice();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_is_a_whole_size_class_and_keeps_what_is_in_it() {
        let mut piece: Box<[u8]> = Box::default();
        for len in (1..1_000).chain((1..1_000).rev()) {
            resize(&mut piece, len);
            assert_eq!(piece.len(), allocated(len));
            assert_eq!(piece[0], u8::from(len > 1 || piece[0] == 1));
            piece[0] = 1;
        }
    }

    #[test]
    fn a_vector_takes_whole_size_classes_and_no_more() {
        let mut bytes = Vec::new();
        let mut allocations = 0;
        for len in 1..100_000 {
            let before = bytes.capacity();
            grow(&mut bytes, len);
            bytes.push(0);
            allocations += usize::from(bytes.capacity() != before);
            assert_eq!(bytes.capacity(), allocated(len));
        }
        assert!(allocations < 60, "{allocations}");
        for len in (0..100_000).rev() {
            bytes.truncate(len);
            give_back(&mut bytes);
            assert!(bytes.capacity() <= (2 * len).max(16), "{} for {len}", bytes.capacity());
        }
    }
}
