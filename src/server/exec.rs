//! The part of `EXEC` that the connection carries out itself, once the group's part has taken
//! place. This module must never answer before every command has its reply.

use super::connection::Connection;
use super::dispatch::NOT_IN_MULTI;
use super::session::Queued;
use super::wait::Goal;
use super::{local, pubsub_commands};
use crate::command::{self, ConnectionCommand as Do, Reply, SlowlogCommand};
use std::vec::IntoIter;

/// An `EXEC` whose group's part has taken place.
pub struct Unfinished {
    /// What is left to do, each with its place among the replies.
    local: IntoIter<(usize, Queued)>,
    replies: Vec<Reply>,
    /// Of the command that sleeps.
    place: usize,
}

impl Unfinished {
    pub fn new(local: Vec<(usize, Queued)>, replies: Vec<Reply>) -> Self {
        Self { local: local.into_iter(), replies, place: 0 }
    }

    fn put(&mut self, place: usize, reply: Reply) {
        self.replies.insert(place.min(self.replies.len()), reply);
    }
}

/// What a refused `EXEC` answers. One that was sent to another node may follow there, so the
/// client has to see where.
pub fn aborted_by(error: Reply) -> Reply {
    match error {
        Reply::Error(text)
            if !["EXECABORT ", "MOVED ", "CLUSTERDOWN "].iter().any(|code| text.starts_with(code)) =>
        {
            let why = text.strip_prefix("ERR ").unwrap_or(&text);
            Reply::error_owned(format!("EXECABORT Transaction discarded because of: {why}"))
        }
        other => other,
    }
}

impl Connection {
    /// Goes on with an `EXEC`: its reply, or none, because a sleep has begun.
    pub(super) fn carry_on(&mut self, mut exec: Unfinished) -> Option<Reply> {
        while let Some((place, queued)) = exec.local.next() {
            if let Some(patience) = sleep_of(&queued) {
                exec.place = place;
                let began_ns = self.shared.observer().begin();
                let rest = Some(Box::new(exec));
                self.wait_for(Goal::Sleep { request: queued.request, began_ns, rest }, patience);
                self.client.exec_under_way.set(true);
                return None;
            }
            let reply = self.run_queued(&queued);
            exec.put(place, reply);
        }
        self.client.exec_under_way.set(false);
        Some(Reply::Array(exec.replies))
    }

    /// Goes on with an `EXEC` whose sleep has ended with this reply.
    pub(super) fn carry_on_after(&mut self, mut exec: Unfinished, reply: Reply) -> Option<Reply> {
        self.count_within(&reply);
        exec.put(exec.place, reply);
        self.carry_on(exec)
    }

    fn run_queued(&mut self, queued: &Queued) -> Reply {
        if let Some(error) = &queued.refused {
            return error.clone();
        }
        let (began_ns, args) = (self.shared.observer().begin(), queued.request.args());
        if queued.local() == Some(Do::Slowlog(SlowlogCommand::Reset)) {
            self.shared.clients.write_journal();
            let log = &self.shared.clients.stats().journal.slow;
            log.reset_in_exec(self.client.id, || {
                self.observed(began_ns, queued.row, &args, Some(&Reply::Ok))
            });
            return Reply::Ok;
        }
        let reply = match queued.local() {
            Some(Do::PubSub(what)) => pubsub_commands::run_in_exec(self, what, &args),
            Some(what) => local::run(self, what, &args),
            None => NOT_IN_MULTI,
        };
        self.observed(began_ns, queued.row, &args, Some(&reply));
        self.count_within(&reply);
        reply
    }

    /// An error within an array is one, too.
    fn count_within(&self, reply: &Reply) {
        if let Reply::Error(text) = reply {
            self.shared.observer().count_error(text);
        }
    }
}

fn sleep_of(queued: &Queued) -> Option<std::time::Duration> {
    let sleeps = queued.refused.is_none() && queued.local() == Some(Do::Debug);
    if sleeps { command::sleep_of(&queued.request.args()) } else { None }
}
