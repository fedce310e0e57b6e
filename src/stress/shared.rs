//! What all clients of a run share: its setting, the record, and how far the run is. Clients must not learn of
//! each other here; that they avoid a log that has grown long is the one exception (`keys`).

use super::connection::Dial;
use super::events::Events;
use super::keys::Keys;
use super::plan::Workload;
use super::progress::Progress;
use super::record::{Happening, Kind};
use super::recorder::{Done, Recorder};
use crate::config::Address;
use std::cell::RefCell;
use std::fmt::Arguments;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Clients do what they have to.
    Running,
    /// They begin nothing new, and find out how the rest ended.
    Ending,
    /// They stop where they are.
    Cancelled,
}

/// What holds for the whole run.
pub struct Setting {
    /// Where the servers are.
    pub servers: Vec<Address>,
    /// How to talk to them.
    pub dial: Dial,
    /// Whether they know `GETV`.
    pub has_versions: bool,
    /// Whether writes are sent with `ONCE`.
    pub once: bool,
    /// What the names of its sessions begin with.
    pub sessions: String,
    /// Tries to find out how an operation ended.
    pub max_retries: u32,
    /// What to do.
    pub workload: Workload,
}

/// See the module's text.
pub struct Shared {
    /// What holds for the whole run.
    pub setting: Setting,
    /// What was taken down so far.
    pub recorder: RefCell<Recorder>,
    /// The keys.
    pub keys: RefCell<Keys>,
    /// The progress bar.
    pub progress: Progress,
    events: Events,
    prefix: String,
    phase: watch::Sender<Phase>,
}

impl Shared {
    /// At the begin of a run.
    pub fn new(setting: Setting, recorder: Recorder, keys: Keys, progress: Progress, events: Events) -> Self {
        let prefix = keys.prefix().to_owned();
        let (recorder, keys) = (RefCell::new(recorder), RefCell::new(keys));
        Self { setting, recorder, keys, progress, events, prefix, phase: watch::Sender::new(Phase::Running) }
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// It is at least so far now.
    pub fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let is_later = *phase < to;
            *phase = to.max(*phase);
            is_later
        });
    }

    /// Until the run is so far.
    pub async fn reached(&self, phase: Phase) {
        // The sender is here: it cannot be gone.
        let _ = self.phase.subscribe().wait_for(|at| *at >= phase).await;
    }

    /// The outcome, unless the run is so far before.
    pub async fn unless<T>(&self, phase: Phase, outcome: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = outcome => Some(outcome),
            () = self.reached(phase) => None,
        }
    }

    /// Waits, unless the run is so far before: whether it is not.
    pub async fn pause(&self, ms: u64, phase: Phase) -> bool {
        self.unless(phase, tokio::time::sleep(Duration::from_millis(ms))).await.is_some()
    }

    /// Takes an operation down.
    pub fn record(&self, done: Done) {
        let mut recorder = self.recorder.borrow_mut();
        recorder.record(done);
        let is_full = recorder.is_full();
        drop(recorder);
        if is_full {
            self.advance(Phase::Ending);
        }
    }

    /// Notes what happened to the servers.
    pub fn happened(&self, what: Happening) {
        self.line("-", "-", format_args!("{}", what.to_string().to_uppercase()));
        self.recorder.borrow_mut().mark(what);
    }

    /// See [`Recorder::count_retry`].
    pub fn count_retry(&self, client: u64, kind: Kind) {
        self.recorder.borrow_mut().count_retry(client, kind);
    }

    /// A line of the log.
    pub fn line(&self, client: &str, key: &str, what: Arguments<'_>) {
        let at = self.recorder.borrow().elapsed();
        let key = key.strip_prefix(&*self.prefix).unwrap_or(key);
        self.events.line(at, client, key, &self.progress, what);
    }

    /// Shows the lines that wait.
    pub fn flush(&self) {
        self.events.flush(&self.progress);
    }

    /// Hands over what was taken down; what comes after that is lost.
    pub fn take_recorder(&self) -> Recorder {
        self.recorder.replace(Recorder::new(std::iter::empty()))
    }
}
