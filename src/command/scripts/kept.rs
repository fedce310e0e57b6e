//! Lua's machine that a thread keeps from one script to the next. It is no part of any state, and belongs to none:
//! nothing that a script can see rests on what ran in it before, so all replicas of a simulation may share one.

use super::vm::Vm;
use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Option<Box<Vm>>> = const { RefCell::new(None) };
}

/// With the place of the machine, which nobody else has meanwhile: no script runs within another.
pub(super) fn with<R>(f: impl FnOnce(&mut Option<Box<Vm>>) -> R) -> R {
    KEPT.with_borrow_mut(f)
}

/// Memory that it takes.
pub(super) fn size_bytes() -> usize {
    KEPT.with(|kept| kept.try_borrow().ok().and_then(|vm| vm.as_ref().map(|vm| vm.used_bytes()))).unwrap_or(0)
}
