//! Takes down what the clients do and are told. It must never change or leave out anything of it: when it
//! is full, the run ends.

use super::record::{ClientRecord, Counts, Ended, Happening, Kind, Mark, Run, Second};
use crate::history::{Action, Call, Operation, Outcome, Value};
use crate::limits::STRESS_MAX_OPERATIONS;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An operation that has ended.
pub struct Done {
    /// Whose.
    pub client: u64,
    /// Of which kind.
    pub kind: Kind,
    /// What was asked.
    pub call: Call,
    /// How it ended.
    pub outcome: Outcome,
    /// When it began.
    pub start_ns: u64,
    /// Whether something had been lost before it ended.
    pub is_recovered: bool,
}

/// See the module's text.
pub struct Recorder {
    began: Instant,
    history: Vec<Operation>,
    clients: Vec<ClientRecord>,
    seconds: Vec<Second>,
    marks: Vec<Mark>,
    /// Since when nobody has had a reply who waits for one.
    silent_since: Option<Instant>,
    /// Why not.
    last_error: String,
}

impl Recorder {
    /// Of these clients.
    pub fn new(names: impl Iterator<Item = String>) -> Self {
        let clients = names.map(|name| ClientRecord { name, counts: BTreeMap::new() }).collect();
        Self {
            began: Instant::now(),
            history: Vec::new(),
            clients,
            seconds: Vec::new(),
            marks: Vec::new(),
            silent_since: None,
            last_error: String::new(),
        }
    }

    /// When the run began: times count from here.
    pub fn begin(&mut self) {
        self.began = Instant::now();
    }

    /// Since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The same, for the history.
    pub fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn counts(&mut self, client: u64, kind: Kind) -> &mut Counts {
        self.clients[client as usize].counts.entry(kind).or_default()
    }

    fn second(&mut self) -> &mut Second {
        let place = self.elapsed().as_secs() as usize;
        if self.seconds.len() <= place {
            self.seconds.resize_with(place + 1, Second::default);
        }
        &mut self.seconds[place]
    }

    /// Takes an operation down.
    pub fn record(&mut self, done: Done) {
        let end_ns = self.now_ns();
        let micros = (end_ns - done.start_ns) / 1000;
        let counts = self.counts(done.client, done.kind);
        counts.recovered += u64::from(done.is_recovered && done.outcome != Outcome::Unknown);
        match &done.outcome {
            Outcome::Ok(Value::Error(_)) => counts.conflicts += 1,
            Outcome::Ok(_) => counts.ok += 1,
            Outcome::Fail => counts.refused += 1,
            Outcome::Unknown => counts.unknown += 1,
        }
        if matches!(done.outcome, Outcome::Ok(_)) {
            // They grow with what they are given, so there is nothing that they refuse.
            let _ = counts.latency.record(micros);
            let second = self.second();
            second.done += 1;
            let _ = second.latency.record(micros);
        }
        let Done { client, call, outcome, start_ns, .. } = done;
        self.history.push(Operation { client, action: Action::One(call), outcome, start_ns, end_ns });
    }

    /// A server has said something.
    pub fn hear(&mut self) {
        if self.silent_since.take().is_some() && self.is_lost() {
            self.mark(Happening::ServersBack);
        }
    }

    /// A request without a reply that says how it ended, or with a refusal.
    pub fn count_error(&mut self, client: u64, kind: Kind, text: &str) {
        self.counts(client, kind).errors += 1;
        self.second().errors += 1;
        text.clone_into(&mut self.last_error);
    }

    /// A request that got no reply, or was not even sent, since so long.
    pub fn count_silence(&mut self, since_ns: u64) {
        let since = self.began + Duration::from_nanos(since_ns);
        self.silent_since.get_or_insert(since);
    }

    /// Another try.
    pub fn count_retry(&mut self, client: u64, kind: Kind) {
        self.counts(client, kind).retries += 1;
        self.second().retries += 1;
    }

    /// How long clients have waited in vain, all of them.
    pub fn silence(&self) -> Duration {
        self.silent_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// What the last error was.
    pub fn last_error(&self) -> &str {
        &self.last_error
    }

    /// Notes what happened to the servers.
    pub fn mark(&mut self, what: Happening) {
        let at_ms = self.elapsed().as_millis() as u64;
        self.marks.push(Mark { at_ms, what });
    }

    /// Whether the last that is known of the servers is that none answers.
    pub fn is_lost(&self) -> bool {
        let of_servers = |mark: &&Mark| matches!(mark.what, Happening::ServersLost | Happening::ServersBack);
        self.marks.iter().rev().find(of_servers).is_some_and(|mark| mark.what == Happening::ServersLost)
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.history.len() >= STRESS_MAX_OPERATIONS
    }

    /// Of the whole run: operations that ended with a reply, and errors.
    pub fn totals(&self) -> (u64, u64) {
        self.seconds
            .iter()
            .fold((0, 0), |(done, errors), second| (done + second.done, errors + second.errors))
    }

    /// Of the last second that is over, if there is one: operations, and their latency.
    pub fn last_second(&self) -> Option<(u64, &Histogram<u64>)> {
        let place = (self.elapsed().as_secs() as usize).checked_sub(1)?;
        self.seconds.get(place).map(|second| (second.done, &second.latency))
    }

    /// Hands over all that was taken down.
    pub fn fill(self, run: &mut Run, ended: Ended) {
        run.history = self.history;
        run.clients = self.clients;
        run.seconds = self.seconds;
        run.marks = self.marks;
        run.ended = ended;
    }
}
