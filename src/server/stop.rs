//! `SHUTDOWN`: [`Stop`], which tells whoever runs the server that it is to end, and the connection
//! that asked for it. Nothing here may stop anything by itself: what is under way is answered, and
//! another node leads, before the end.

use super::connection::Connection;
use super::dispatch::Flow;
use super::wait::{Goal, Wait};
use crate::command::Reply;
use crate::limits;
use crate::wire::units::Args;
use std::cell::Cell;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

const SYNTAX: Reply = Reply::error("ERR syntax error");
const NOT_STOPPING: Reply = Reply::error("ERR No shutdown in progress.");
pub(super) const NOT_STOPPED: Reply = Reply::error("ERR Errors trying to SHUTDOWN. Check logs.");

/// Whether the server is to stop, for one who waits for it.
#[derive(Default)]
pub struct Stop {
    /// With what haste, if it is.
    asked: Cell<Option<Haste>>,
    /// How often that was taken back.
    taken_back: Cell<u64>,
    changed: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// When another node leads.
    Orderly,
    Now,
}

impl Stop {
    /// Waits until the server is to stop: until a `signal` comes or a client asks, and then for
    /// `hand_over`, unless somebody takes the wish back meanwhile.
    pub async fn wait(&self, mut signal: impl AsyncFnMut(), mut hand_over: impl AsyncFnMut()) {
        loop {
            let haste = tokio::select! {
                haste = self.asked() => haste,
                () = signal() => {
                    self.ask(Haste::Orderly);
                    Haste::Orderly
                }
            };
            if haste == Haste::Now {
                return;
            }
            let before = self.taken_back.get();
            tokio::select! {
                () = hand_over() => return,
                () = self.taken_back_since(before) => {}
            }
        }
    }

    fn ask(&self, haste: Haste) {
        self.asked.set(Some(haste));
        self.changed.notify_one();
    }

    /// Whether there was anything to take back.
    fn take_back(&self) -> bool {
        let was_asked = self.asked.take().is_some();
        self.taken_back.set(self.taken_back.get() + u64::from(was_asked));
        self.changed.notify_one();
        was_asked
    }

    async fn asked(&self) -> Haste {
        loop {
            if let Some(haste) = self.asked.get() {
                return haste;
            }
            self.changed.notified().await;
        }
    }

    /// Even if it was asked again since.
    async fn taken_back_since(&self, before: u64) {
        while self.taken_back.get() == before {
            self.changed.notified().await;
        }
    }
}

/// What a connection that asked for the end waits for.
pub struct Ending {
    haste: Haste,
    /// Stop although there is no snapshot.
    force: bool,
    /// A snapshot comes first.
    save: Option<Box<Goal>>,
}

#[derive(Debug, Default)]
struct Options {
    save: bool,
    nosave: bool,
    now: bool,
    force: bool,
    abort: bool,
}

impl Options {
    fn read(args: &[&[u8]]) -> Result<Self, Reply> {
        let mut options = Self::default();
        for arg in args {
            match arg.to_ascii_lowercase().as_slice() {
                b"save" => options.save = true,
                b"nosave" => options.nosave = true,
                b"now" => options.now = true,
                b"force" => options.force = true,
                b"abort" => options.abort = true,
                _ => return Err(SYNTAX),
            }
        }
        let others = options.save || options.nosave || options.now || options.force;
        if options.abort && others || options.save && options.nosave {
            return Err(SYNTAX);
        }
        Ok(options)
    }
}

impl Connection {
    /// Err: the reply. Otherwise the end of the connection is the answer.
    pub(super) fn start_shutdown(&mut self, args: &Args<'_>) -> Result<Flow, Reply> {
        let options = Options::read(&args[1..])?;
        let clients = &self.shared.clients;
        if options.abort {
            return Err(if clients.stop().take_back() { Reply::Ok } else { NOT_STOPPING });
        }
        let haste = if options.now { Haste::Now } else { Haste::Orderly };
        let mut ending = Ending { haste, force: options.force, save: None };
        if options.save {
            let status = self.shared.backend.status();
            if status.snapshot_index < status.applied_index {
                self.shared.backend.take_snapshot();
            }
            ending.save = Some(Box::new(Goal::snapshot(&status)));
        } else {
            clients.stop().ask(haste);
        }
        self.wait_for(Goal::End(ending), Duration::from_millis(limits::SNAPSHOT_WAIT_MS));
        Ok(Flow::Submit)
    }

    /// Whether the connection waits for the end; looks how far that is.
    pub(super) fn waits_for_the_end(&mut self) -> bool {
        let Some(Wait { goal: Goal::End(ending), deadline }) = &mut self.wait else { return false };
        let clients = &self.shared.clients;
        let mut failed = false;
        if let Some(goal) = &ending.save {
            let outcome = goal.reached(&self.shared.backend.status());
            let saved = outcome == Some(Reply::Ok);
            failed = !saved && (outcome.is_some() || Instant::now() >= *deadline);
            if saved || failed && ending.force {
                ending.save = None;
                failed = false;
                clients.stop().ask(ending.haste);
            }
        } else if clients.stop().asked.get().is_none() {
            failed = true; // somebody took it back
        }
        let ends = clients.shutting_down();
        if failed || ends {
            self.wait = None;
            self.client.blocked.set(false);
        }
        if ends {
            self.quitting = true;
        } else if failed {
            self.client.send(&NOT_STOPPED);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[test]
    fn an_orderly_end_waits_for_the_successor_and_can_be_taken_back() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let stop = Stop::default();
            assert!(!stop.take_back(), "nothing to take back");
            stop.ask(Haste::Orderly);
            stop.wait(async || pending().await, async || ()).await;
            assert!(stop.take_back());
            stop.ask(Haste::Now);
            stop.wait(async || pending().await, async || panic!("there is no time for that")).await;
            stop.take_back();
            stop.wait(async || (), async || ()).await;
            stop.take_back();
            // The first successor is not waited for, because the wish is taken back.
            stop.ask(Haste::Orderly);
            let tries = Cell::new(0);
            let hand_over = async || {
                tries.set(tries.get() + 1);
                if tries.get() == 1 {
                    pending::<()>().await;
                }
            };
            let client = async {
                while tries.get() == 0 {
                    tokio::task::yield_now().await;
                }
                assert!(stop.take_back());
                tokio::task::yield_now().await;
                stop.ask(Haste::Orderly);
            };
            tokio::join!(stop.wait(async || pending().await, hand_over), client);
            assert_eq!(tries.get(), 2);
        });
    }

    #[test]
    fn options_are_read_as_redis_reads_them() {
        let read = |words: &str| {
            let args: Vec<&[u8]> = words.split_whitespace().map(str::as_bytes).collect();
            Options::read(&args).is_ok()
        };
        for words in ["", "SAVE", "nosave now force", "ABORT", "save SAVE", "abort abort"] {
            assert!(read(words), "{words}");
        }
        for words in ["SAVE NOSAVE", "ABORT NOW", "ABORT FORCE", "ABORT SAVE", "x"] {
            assert!(!read(words), "{words}");
        }
    }
}
