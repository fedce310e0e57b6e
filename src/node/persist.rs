//! The log's writes: who makes them, the disk thread or the loop itself, and what may follow once
//! they are on disk. This module must never let out what was promised before that.

use super::Shared;
use super::disk::Written;
use crate::group::{Input, LogWrite, Persist};
use std::rc::Rc;

impl Shared {
    /// What this turn has written itself is on disk: what follows from that is no other turn's,
    /// with its looks at everything. A write that follows is: sockets come before its sync.
    pub(super) fn follow_up(self: &Rc<Self>, write_now: &mut Vec<(u64, LogWrite)>) {
        if !self.wrote.take() {
            return;
        }
        self.take_in(); // by a clock of now: a lease may have ended since the turn began
        let effects = self.group.borrow_mut().take_effects();
        if effects.is_empty() {
            return;
        }
        self.carry_out(effects, write_now);
        self.write_now(write_now);
        if self.wrote.take() {
            self.wake.notify_one();
        }
    }

    /// Gives the log's writes to the disk thread, or adds them to those of this turn.
    pub(super) fn persist(
        &self,
        persists: Vec<Persist>,
        compact: Option<u64>,
        write_now: &mut Vec<(u64, LogWrite)>,
    ) {
        if persists.is_empty() && compact.is_none() {
            return;
        }
        let can_wait = compact.is_none() && persists.iter().all(|persist| persist.can_wait);
        let is_quick = !can_wait
            && compact.is_none()
            && self.disk.borrow().is_quick(persists.iter().map(|persist| &persist.log));
        if !is_quick {
            self.write_now(write_now); // the thread must not write behind what is not written
        }
        let disk = self.disk.borrow();
        for persist in persists {
            if is_quick {
                write_now.push((persist.number, persist.log));
            } else if can_wait {
                disk.write_soon(persist.number, self.group_id, persist.log);
            } else {
                self.sync_begins(persist.number);
                disk.write(persist.number, self.group_id, persist.log);
            }
            if !persist.send_after.is_empty() {
                self.promises.borrow_mut().push_back((persist.number, persist.send_after));
            }
        }
        if let Some(through) = compact {
            disk.compact(self.group_id, through);
        }
    }

    /// Writes and syncs here what a quick disk is to write in this turn.
    pub(super) fn write_now(&self, writes: &mut Vec<(u64, LogWrite)>) {
        if writes.is_empty() {
            return;
        }
        writes.iter().for_each(|(number, _)| self.sync_begins(*number));
        let written = self.disk.borrow().write_now(self.group_id, writes.drain(..));
        if let Some(written) = written {
            self.written(written);
            self.flush();
            self.wrote.set(true);
        }
    }

    /// Notes when a write of the log was asked for, if anybody watches how long those take.
    fn sync_begins(&self, number: u64) {
        let group = self.group.borrow();
        let observer = group.observer();
        if observer.watches_events() {
            self.syncs_begun.borrow_mut().push_back((number, observer.now_ns()));
        }
    }

    fn sync_ends(&self, number: u64) {
        let mut begun = self.syncs_begun.borrow_mut();
        let mut longest_ns = 0;
        let group = self.group.borrow();
        while let Some(&(waiting, began_ns)) = begun.front()
            && waiting <= number
        {
            begun.pop_front();
            longest_ns = longest_ns.max(group.observer().now_ns().saturating_sub(began_ns));
        }
        group.observer().event("aof-fsync-always", longest_ns);
    }

    /// The disk thread has something to say.
    pub(super) fn written(&self, written: Written) {
        match written {
            Written::Through(number) => {
                self.sync_ends(number);
                loop {
                    let next = {
                        let mut promises = self.promises.borrow_mut();
                        if promises.front().is_none_or(|(waiting, _)| *waiting > number) {
                            break;
                        }
                        promises.pop_front()
                    };
                    self.send(next.map_or_else(Vec::new, |(_, messages)| messages));
                }
                self.inbox.borrow_mut().push(Input::Persisted(number));
            }
            Written::Failed(error) => self.stop_with(error.into()),
        }
    }
}
