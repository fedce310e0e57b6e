//! [`Blob`]: a string that owns its bytes. A slice of a request or entry buffer must never
//! live on in the keyspace, because it would pin the whole buffer; but for one that is nearly
//! all of a buffer of its own.

use super::allocated;
use bytes::Bytes;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// From here on a copy takes long enough to be avoided.
const SLICE_BYTES: usize = 1 << 20;
/// The counters in front of what is shared.
const SHARED_BYTES: usize = 16;

/// An immutable byte string of 24 bytes: short ones stand inside, longer ones are shared,
/// so that a clone into a reply never copies more than that.
#[derive(Clone)]
pub struct Blob(Repr);

#[derive(Clone)]
enum Repr {
    Inline {
        len: u8,
        bytes: [u8; Blob::INLINE_BYTES],
    },
    Shared(Arc<[u8]>),
    /// Nearly all of a long buffer.
    Slice(Arc<Bytes>),
}

impl Blob {
    /// The longest string that stands inside the handle.
    pub const INLINE_BYTES: usize = 22;

    /// Copies `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        let mut inline = [0; Self::INLINE_BYTES];
        match inline.get_mut(..bytes.len()) {
            Some(head) => {
                head.copy_from_slice(bytes);
                Self(Repr::Inline { len: bytes.len() as u8, bytes: inline })
            }
            None => Self(Repr::Shared(Arc::from(bytes))),
        }
    }

    /// The same as `bytes`, which may lie in `owner`; not copied if they are long and nearly all of it.
    pub fn of_slice(bytes: &[u8], owner: &Bytes) -> Self {
        let is_worth_it = bytes.len() >= SLICE_BYTES && owner.len() - bytes.len() <= bytes.len() / 8;
        let lies_in_it = owner.as_ptr_range().contains(&bytes.as_ptr());
        match is_worth_it && lies_in_it {
            true => Self(Repr::Slice(Arc::new(owner.slice_ref(bytes)))),
            false => Self::new(bytes),
        }
    }

    /// Takes `bytes` without copying them, if they are long.
    pub fn from_long(bytes: Vec<u8>) -> Self {
        let is_tight = bytes.capacity() - bytes.len() <= bytes.len() / 8;
        match bytes.len() >= SLICE_BYTES && is_tight {
            true => Self(Repr::Slice(Arc::new(Bytes::from(bytes)))),
            false => Self::new(&bytes),
        }
    }

    /// Bytes of memory beyond the 24 of the handle itself, as the allocator hands them out.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Shared(bytes) => allocated(bytes.len() + SHARED_BYTES),
            Repr::Slice(bytes) => allocated(bytes.len()) + allocated(size_of::<Bytes>() + SHARED_BYTES),
        }
    }
}

impl Default for Blob {
    /// The empty string.
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Shared(bytes) => bytes,
            Repr::Slice(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Blob {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Self {
        Self::new(text.as_bytes())
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl PartialOrd for Blob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_of_every_length_hold_their_bytes_in_24() {
        assert_eq!(size_of::<Blob>(), 24);
        for len in 0..100 {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(*Blob::new(&bytes), *bytes);
            assert_eq!(Blob::new(&bytes).heap_bytes() == 0, bytes.len() <= Blob::INLINE_BYTES);
        }
    }

    #[test]
    fn a_slice_is_shared_only_if_it_is_long_and_nearly_all_of_its_buffer() {
        let buffer = Bytes::from(vec![7; 2 * SLICE_BYTES]);
        let shares = |bytes: &[u8]| {
            let blob = Blob::of_slice(bytes, &buffer);
            assert_eq!(&*blob, bytes);
            blob.as_ptr() == bytes.as_ptr()
        };
        assert!(shares(&buffer[100..]));
        assert!(!shares(&buffer[SLICE_BYTES..]), "half of the buffer would be held for nothing");
        assert!(!shares(&buffer[..100]));
        assert!(!shares(&vec![7; 2 * SLICE_BYTES]), "it lies elsewhere");
        let small = Bytes::from(vec![7; 1000]);
        assert_ne!(Blob::of_slice(&small, &small).as_ptr(), small.as_ptr());
    }
}
