//! What a connection does while its command waits: it tries, waits, tries again when it is told, and once more when its
//! time is over. This module must never end a wait but by what the log has answered, or because the client
//! is gone or was told to give up.

use super::waiter::Ready;
use super::{Block, Key};
use crate::command::{Awaited, Command, Reply, Request, brings};
use crate::group::Job;
use crate::keyspace::Blob;
use crate::server::TRY_AGAIN;
use crate::server::connection::Connection;
use crate::server::dispatch::Flow;
use crate::server::wait::{Goal, Wait};
use std::time::Instant;

impl Connection {
    /// A command that waits if it finds nothing; it is alone in its job.
    pub(in crate::server) fn start_blocking(
        &mut self,
        request: Request,
        row: &'static Command,
        awaited: Awaited,
        job: &mut Job,
    ) -> Flow {
        if !job.steps.is_empty() {
            return Flow::Hold(request);
        }
        self.show(&request);
        let block = match Block::new(request, row, awaited, &self.client, &self.shared) {
            Ok(block) => block,
            Err(error) => {
                self.shared.observer().reject(row);
                self.answer(error, job);
                return Flow::Next;
            }
        };
        if self.client.tracker.is_on() && !row.is_write() {
            self.track_read(0, row, &block.request);
            self.client.tracker.expect(self.step_keys.drain(..));
        }
        // What there is may be for those who came before.
        let waits = block.is_behind();
        let is_under_way = !waits && block.try_all(self.consistency());
        let brought = if is_under_way { block.brings() } else { Vec::new() };
        let deadline = if waits { block.begin() } else { Instant::now() };
        self.wait = Some(Wait { goal: Goal::Elements(block), deadline });
        if !waits && !is_under_way {
            self.end_blocking(&TRY_AGAIN);
        }
        self.shared.clients.blocked.expect(brought);
        Flow::Submit
    }

    /// The log has answered a try.
    pub(in crate::server) fn tried(&mut self, reply: &Reply) {
        let Some(Wait { goal: Goal::Elements(block), deadline }) = &mut self.wait else { return };
        if !block.is_nothing(reply) {
            self.wrote_until.set(None);
            return self.end_blocking(reply);
        }
        if !self.client.blocked.get() {
            *deadline = block.begin();
            return;
        }
        match block.is_over() {
            Ok(false) => {}
            Ok(true) => self.end_blocking(&Reply::NilArray),
            Err(later) => *deadline = later,
        }
    }

    /// Tries again what waits, if there may be something for it or its time is over, and there is still somebody to
    /// have it.
    pub(in crate::server) fn try_again(&mut self) {
        let Some(Wait { goal: Goal::Elements(block), deadline }) = &self.wait else { return };
        if self.has_left() || !block.is_free() {
            return;
        }
        let is_taken = match block.take_ready() {
            Ready::Ended(reply) => {
                self.shared.observer().fail(block.row);
                return self.end_blocking(&reply);
            }
            Ready::Keys(places) => block.try_for(&places),
            Ready::Nothing if Instant::now() >= *deadline => block.try_last(self.consistency()),
            Ready::Nothing => return,
        };
        if is_taken {
            let brought = block.brings();
            self.shared.clients.blocked.expect(brought);
        }
    }

    fn end_blocking(&mut self, reply: &Reply) {
        self.wait = None;
        self.client.blocked.set(false);
        self.client.control.unblock.take();
        self.deliver(reply);
    }

    /// Notes what a call will bring to those who wait on this node. Whether there is somebody.
    pub(in crate::server) fn note_brought(&mut self, row: &Command, request: &Request) -> bool {
        let blocked = &self.shared.clients.blocked;
        if blocked.is_empty() {
            return false;
        }
        let call = request.args();
        let key_at = |at: usize| -> Key { (request.db, Blob::new(call[at])) };
        let brought = brings(row, &call).into_iter().map(|(at, elements)| (key_at(at), elements));
        self.brought.extend(brought.filter(|(key, _)| blocked.awaits(key)));
        !self.brought.is_empty()
    }
}
