//! [`SavePoints`]: `CONFIG SET save`. This node takes a snapshot when so many changes have come in so many
//! seconds, besides those that the growth of its log asks for. What is acknowledged is on disk with or
//! without it. This module must never take a snapshot while one is taken.

use super::Shared;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// See the module.
#[derive(Default)]
pub struct SavePoints {
    /// Seconds, and changes.
    points: RefCell<Vec<(u64, u64)>>,
    /// When one was begun.
    tried: Cell<Option<Instant>>,
}

impl SavePoints {
    /// As `CONFIG GET` shows them.
    pub fn text(&self) -> String {
        let points = self.points.borrow();
        points.iter().map(|(seconds, changes)| format!("{seconds} {changes}")).collect::<Vec<_>>().join(" ")
    }

    /// Takes what has passed the grammar.
    pub fn set(&self, text: &str) {
        let numbers: Vec<u64> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
        *self.points.borrow_mut() = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    }
}

/// Once a second: begins a snapshot if one is due.
pub fn keep_saved(shared: &Shared) {
    let save = &shared.parameters.save;
    if save.points.borrow().is_empty() {
        return;
    }
    let status = shared.backend.status();
    let waits = status.last_snapshot_failed
        && save.tried.get().is_some_and(|tried| tried.elapsed() < limits::SAVE_TRIED_AGAIN);
    if status.snapshot_in_progress || waits {
        return;
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let since_s = now_s.saturating_sub(status.last_snapshot_s);
    let is_due = |&(seconds, changes): &(u64, u64)| status.unsaved_changes >= changes && since_s > seconds;
    if save.points.borrow().iter().any(is_due) {
        save.tried.set(Some(Instant::now()));
        shared.backend.take_snapshot();
    }
}
