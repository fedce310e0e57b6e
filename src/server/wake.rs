//! [`Wake`]: one task waits, others of its thread wake it. What tokio has for this may be used by
//! several threads and by many that wait, and keeps a list under a lock: a connection waits anew
//! for each command. A wake that comes while nobody waits must never be lost.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Default)]
pub struct Wake {
    called: Cell<bool>,
    waiting: RefCell<Option<Waker>>,
}

impl Wake {
    /// Wakes the task, now or as soon as it waits.
    pub fn wake(&self) {
        if !self.called.replace(true)
            && let Some(waiting) = &*self.waiting.borrow()
        {
            waiting.wake_by_ref();
        }
    }

    /// Waits for [`Wake::wake`]. Of one task only: the last that waited is woken.
    pub async fn woken(&self) {
        poll_fn(|context| {
            if self.called.replace(false) {
                return Poll::Ready(());
            }
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.as_ref().is_some_and(|known| known.will_wake(context.waker())) {
                *waiting = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::Wake;
    use std::rc::Rc;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    #[tokio::test]
    async fn each_wait_ends_by_a_wake_that_came_before_or_comes_while_it_waits() {
        LocalSet::new()
            .run_until(async {
                let wake = Rc::new(Wake::default());
                wake.wake();
                wake.wake(); // one and the same
                wake.woken().await;
                let waiting = spawn_local({
                    let wake = Rc::clone(&wake);
                    async move {
                        wake.woken().await;
                        wake.woken().await;
                    }
                });
                for ended in [false, false, true] {
                    (0..3).for_each(|_| drop(wake.woken())); // what is not waited for takes nothing away
                    yield_now().await;
                    assert_eq!(waiting.is_finished(), ended);
                    wake.wake();
                    yield_now().await;
                }
                waiting.await.expect("it ended");
            })
            .await;
    }
}
