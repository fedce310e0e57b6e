//! [`Near`]: what can be brought near the processor one pointer after the other, so that the waits for memory of
//! many values overlap. Nothing may depend on it but speed.

use std::hint::black_box;
use std::sync::Arc;

/// See the module.
pub trait Near {
    /// Reads what stands behind so many pointers, on the ways that changes of a value take first: to its bytes, if it is small,
    /// or to both of its ends. False: nothing stands there.
    fn bring(&self, pointers: usize) -> bool;
}

impl<T: Near> Near for Box<T> {
    fn bring(&self, pointers: usize) -> bool {
        pointers == 0 || (**self).bring(pointers - 1)
    }
}

impl<T: Near> Near for Arc<T> {
    fn bring(&self, pointers: usize) -> bool {
        pointers == 0 || (**self).bring(pointers - 1)
    }
}

/// What holds bytes behind one pointer.
impl Near for [u8] {
    fn bring(&self, pointers: usize) -> bool {
        match pointers {
            0 => black_box(self.len()) > 0,
            1 => black_box(self.first().copied()).is_some(),
            _ => false,
        }
    }
}
