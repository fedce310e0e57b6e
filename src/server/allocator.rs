//! What the allocator does with memory that was freed. Nothing here may fail a start or a command:
//! it works with whatever allocator there is, only with less effect.

use crate::limits;
use tikv_jemalloc_ctl::{Access, AsName, Error, arenas, background_thread};

/// Lets pages that are of no more use go back to the system within [`limits::FREED_PAGES_KEPT_MS`],
/// by a thread of the allocator's own: left to themselves, threads do so only while they allocate, and a
/// table that has grown, or a snapshot that is over, would go on counting as this process's memory. To be
/// called before other threads have allocated anything, which keep the arenas that they began with.
pub fn give_back_early() -> Result<(), Error> {
    b"arenas.dirty_decay_ms\0".name().write(limits::FREED_PAGES_KEPT_MS)?;
    b"arena.0.dirty_decay_ms\0".name().write(limits::FREED_PAGES_KEPT_MS)?;
    background_thread::write(true)
}

/// Gives pages that the allocator holds back to the system: it does so at once when they may be
/// held for no time, which is put back afterwards.
pub(super) fn purge() -> Result<(), Error> {
    for arena in 0..arenas::narenas::read()? {
        for decay in ["dirty_decay_ms", "muzzy_decay_ms"] {
            let name = format!("arena.{arena}.{decay}\0");
            // One that was never used has none.
            let before: Result<isize, _> = name.name().update(0);
            if let Ok(before) = before {
                name.name().write(before)?;
            }
        }
    }
    Ok(())
}
