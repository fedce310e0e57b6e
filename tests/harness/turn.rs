//! How many clusters run at once: the tests of a file start together, and a machine with
//! two cores cannot run them all in time.

use std::sync::{Condvar, Mutex, PoisonError};

const AT_ONCE: usize = 2;

static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// Given back when it is dropped.
pub struct Turn(());

/// Waits for a turn.
pub fn take() -> Turn {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    while *taken >= AT_ONCE {
        taken = GIVEN_BACK.wait(taken).unwrap_or_else(PoisonError::into_inner);
    }
    *taken += 1;
    Turn(())
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        GIVEN_BACK.notify_one();
    }
}
