//! Clients: each with one job at a time, of one to a few commands, at a node of its choice.
//! Every write carries what tells it apart from all others. A client that uses `ONCE` repeats
//! its command, at whichever node, until it knows what became of it, and sometimes after that.

use super::history::{Action, Freshness, Operation, Outcome};
use super::profile::SLOWEST_CLOCK;
use super::steps::step;
use super::typed::{self, Elements};
use bowline::command::Reply;
use bowline::group::{Consistency, Job};
use rand::Rng;
use rand::rngs::SmallRng;
use std::collections::{BTreeMap, VecDeque};

/// Keys change when so many values were written: what is checked together stays small.
const TOKENS_AN_EPOCH: u64 = 300;

/// In which there are keys of the same names.
const DATABASES: u32 = 3;

/// A job that is under way.
pub struct Open {
    pub client: usize,
    pub node: u64,
    pub began_us: u64,
    /// How long its node had been frozen before.
    pub frozen_us: u64,
    operations: Vec<usize>,
    answered: usize,
}

struct Repeat {
    operation: usize,
    /// It may have happened in an earlier attempt.
    is_unknown: bool,
    /// The first reply, once it is known.
    first: Option<Reply>,
}

#[derive(Default)]
pub struct Clients {
    pub history: Vec<Operation>,
    pub open: BTreeMap<u64, Open>,
    last_ticket: u64,
    tokens: u64,
    elements: Elements,
    typed: f64,
    /// What a client's last answers make it do next.
    follow_ups: BTreeMap<usize, Action>,
    /// The number that each client's session has come to.
    sessions: BTreeMap<usize, u64>,
    /// What a client does again, with `ONCE`: the operation.
    repeats: BTreeMap<usize, Repeat>,
    expiring: VecDeque<String>,
}

impl Clients {
    /// `typed`: how much of what they do is about values that have elements.
    pub fn new(typed: f64) -> Self {
        Self { typed, ..Self::default() }
    }

    /// A new job of a client for `node`.
    pub fn job(&mut self, rng: &mut SmallRng, pipeline: usize, client: usize, node: u64, now_us: u64) -> Job {
        if let Some(repeat) = self.repeats.get(&client) {
            return self.job_again(repeat.operation, client, node, now_us);
        }
        let actions = match self.follow_ups.remove(&client) {
            Some(action) => vec![action],
            None if rng.random_bool(0.1) => vec![self.once(rng, client)],
            None => {
                let count = if rng.random_bool(0.5) { 1 } else { rng.random_range(1..=pipeline) };
                (0..count).flat_map(|_| self.action(rng)).collect()
            }
        };
        let mut job = self.job_of(actions, client, node, now_us);
        if !job.writes() && rng.random_bool(0.5) {
            self.relax(rng, &mut job);
        }
        job
    }

    /// A job that only reads is content with less.
    fn relax(&mut self, rng: &mut SmallRng, job: &mut Job) {
        if rng.random_bool(0.6) {
            job.consistency = Consistency::Lease;
            return;
        }
        let max_age_ms = rng.random_bool(0.5).then(|| rng.random_range(0..400));
        job.consistency = Consistency::Stale { max_age_ms };
        // Its age is taken by a node's clock, which may run slower than time.
        let within = max_age_ms.map(|ms| Freshness::Within { us: (ms + 1) * 1_000_000 / SLOWEST_CLOCK });
        for &operation in &self.open[&job.ticket].operations {
            self.history[operation].freshness = within.unwrap_or(Freshness::Any);
        }
    }

    fn once(&mut self, rng: &mut SmallRng, client: usize) -> Action {
        let seq = self.sessions.entry(client).or_insert(0);
        *seq += 1;
        let (seq, epoch) = (*seq, self.tokens / TOKENS_AN_EPOCH);
        let key = format!("l.{epoch}@{}", rng.random_range(0..DATABASES));
        let repeat = Repeat { operation: self.history.len(), is_unknown: false, first: None };
        self.repeats.insert(client, repeat);
        Action::Once { session: client, seq, key, token: self.token() }
    }

    fn job_again(&mut self, operation: usize, client: usize, node: u64, began_us: u64) -> Job {
        self.last_ticket += 1;
        let mut job = Job { ticket: self.last_ticket, ..Default::default() };
        job.steps.push(step(&self.history[operation].action, &mut job.body));
        let open = Open { client, node, began_us, frozen_us: 0, operations: vec![operation], answered: 0 };
        self.open.insert(self.last_ticket, open);
        job
    }

    /// The job of these actions.
    pub fn job_of(&mut self, actions: Vec<Action>, client: usize, node: u64, now_us: u64) -> Job {
        self.last_ticket += 1;
        let mut job = Job { ticket: self.last_ticket, ..Default::default() };
        let mut operations = Vec::new();
        for action in actions {
            job.steps.push(step(&action, &mut job.body));
            operations.push(self.history.len());
            let (began_us, ended_us) = (now_us, now_us);
            let (outcome, freshness) = (Outcome::Open, Freshness::Last);
            self.history.push(Operation { client, action, freshness, node, began_us, ended_us, outcome });
        }
        let open = Open { client, node, began_us: now_us, frozen_us: 0, operations, answered: 0 };
        self.open.insert(self.last_ticket, open);
        job
    }

    fn token(&mut self) -> String {
        self.tokens += 1;
        format!("{},", self.tokens)
    }

    fn action(&mut self, rng: &mut SmallRng) -> Vec<Action> {
        if rng.random_bool(self.typed) {
            return typed::action(rng, &mut self.elements);
        }
        let epoch = self.tokens / TOKENS_AN_EPOCH;
        let db = rng.random_range(0..DATABASES);
        let list = format!("l.{epoch}@{db}");
        let pair = format!("p.{epoch}@{db}");
        let register = format!("r.{epoch}@{db}");
        vec![match rng.random_range(0..100) {
            0..18 => Action::Append { key: list, token: self.token() },
            18..38 => Action::Get { key: list },
            38..44 => Action::AppendPair { pair, token: self.token() },
            44..52 => Action::ReadPair { pair },
            52..60 => Action::Incr { key: format!("n@{db}") },
            60..66 => Action::Get { key: format!("n@{db}") },
            66..70 => Action::GetV { key: "c@2".to_owned() },
            70..74 => {
                let key = "w@1".to_owned();
                return vec![Action::Watch { key: key.clone() }, Action::Get { key }];
            }
            74..79 => Action::Set { key: register, value: self.token() },
            79..82 => Action::Del { key: register },
            82..86 => Action::GetV { key: register },
            86..88 => Action::Get { key: register },
            88..92 => {
                let key = format!("t{}@{db}", self.token());
                self.expiring.push_back(key.clone());
                if self.expiring.len() > 8 {
                    self.expiring.pop_front();
                }
                Action::SetPx { key, ms: rng.random_range(1..800) }
            }
            _ => match self.expiring.get(rng.random_range(0..8)) {
                Some(key) => Action::GetPx { key: key.clone() },
                None => Action::Get { key: list },
            },
        }]
    }

    /// Whether the next reply to a job is about a value that has elements.
    pub fn answers_typed(&self, ticket: u64) -> bool {
        let next = self.open.get(&ticket).and_then(|open| open.operations.get(open.answered));
        next.is_some_and(|next| match &self.history[*next].action {
            Action::Typed(_) => true,
            Action::Incr { key } | Action::Get { key } => key.contains('/'),
            _ => false,
        })
    }

    /// The reply to the next step of a job. When it was the last: the client that is free.
    pub fn reply(&mut self, ticket: u64, reply: Reply, now_us: u64) -> Result<Option<usize>, String> {
        let Some(open) = self.open.get_mut(&ticket) else {
            return Err(format!("a reply to job {ticket}, which is over: {reply:?}"));
        };
        let (client, index) = (open.client, open.operations[open.answered]);
        let outcome = match &reply {
            Reply::Error(text) if text.starts_with("UNKNOWN") => Outcome::Unknown,
            Reply::Error(text) if text.starts_with("CLUSTERDOWN") || text.starts_with("TRYAGAIN") => {
                Outcome::Failed
            }
            // Of a stream that has no group yet.
            Reply::Error(text) if text.starts_with("NOGROUP") => Outcome::Failed,
            _ => Outcome::Done(reply),
        };
        open.answered += 1;
        if let (Action::Typed(deed), Outcome::Done(reply)) = (&self.history[index].action, &outcome) {
            self.elements.learn(deed, reply);
        }
        let is_last = open.answered == open.operations.len();
        if matches!(self.history[index].action, Action::Once { .. }) {
            self.once_ended(client, index, outcome, now_us)?;
        } else {
            self.history[index].ended_us = now_us;
            self.history[index].outcome = outcome;
        }
        if !is_last {
            return Ok(None);
        }
        let open = self.open.remove(&ticket).expect("it was just found");
        self.follow_up(&open);
        Ok(Some(open.client))
    }

    /// One attempt of a command with `ONCE` has ended.
    fn once_ended(
        &mut self,
        client: usize,
        index: usize,
        outcome: Outcome,
        now_us: u64,
    ) -> Result<(), String> {
        let Some(repeat) = self.repeats.get_mut(&client) else {
            return Err(format!("client {client} has repeated nothing, and is answered"));
        };
        let operation = &mut self.history[index];
        if let (Some(first), Outcome::Done(reply)) = (&repeat.first, &outcome) {
            if first != reply {
                return Err(format!("{operation:?} was answered {reply:?} when it was repeated"));
            }
            self.repeats.remove(&client);
            return Ok(());
        }
        if repeat.first.is_some() {
            return Ok(()); // its outcome is known
        }
        operation.ended_us = now_us;
        repeat.is_unknown |= matches!(outcome, Outcome::Unknown);
        operation.outcome = match outcome {
            Outcome::Failed if repeat.is_unknown => Outcome::Unknown,
            outcome => outcome,
        };
        if let Outcome::Done(reply) = &operation.outcome {
            repeat.first = Some(reply.clone());
            if !index.is_multiple_of(4) {
                self.repeats.remove(&client); // some repeat it all the same
            }
        }
        Ok(())
    }

    fn follow_up(&mut self, open: &Open) {
        let done = |i: usize| {
            let operation = &self.history[*open.operations.get(i)?];
            match &operation.outcome {
                Outcome::Done(reply) => Some((operation.action.clone(), reply.clone())),
                _ => None,
            }
        };
        let int = |reply: &Reply| match reply {
            Reply::Int(n) => *n,
            Reply::Bulk(bytes) => std::str::from_utf8(bytes).ok().and_then(|t| t.parse().ok()).unwrap_or(0),
            _ => 0,
        };
        let next = match (done(0), done(1)) {
            (Some((Action::GetV { key }, reply)), _) if key.starts_with('c') => {
                let (value, version) = match &reply {
                    Reply::Array(parts) => (int(&parts[0]), int(&parts[1])),
                    _ => (0, 0),
                };
                Action::Cas { key, version, value: value + 1 }
            }
            (Some((Action::GetV { key }, reply)), None) if key.starts_with('r') => {
                let version = if let Reply::Array(parts) = &reply { int(&parts[1]) } else { 0 };
                self.tokens += 1;
                Action::Cas { key, version, value: self.tokens as i64 }
            }
            (Some((Action::Watch { key }, Reply::Array(seen))), Some((Action::Get { .. }, value))) => {
                Action::WatchedSet { key, watched: (int(&seen[0]), int(&seen[1])), value: int(&value) + 1 }
            }
            _ => return,
        };
        self.follow_ups.insert(open.client, next);
    }

    /// A node has gone, and with it the connections: the clients that are free.
    pub fn node_crashed(&mut self, node: u64, now_us: u64) -> Vec<usize> {
        let gone: Vec<u64> =
            self.open.iter().filter(|(_, open)| open.node == node).map(|(ticket, _)| *ticket).collect();
        let mut free = Vec::new();
        for ticket in gone {
            let Some(open) = self.open.remove(&ticket) else { continue };
            for &operation in &open.operations[open.answered..] {
                if let Some(repeat) = self.repeats.get_mut(&open.client) {
                    repeat.is_unknown = true;
                    if repeat.first.is_some() {
                        continue;
                    }
                }
                self.history[operation].outcome = Outcome::Unknown;
                self.history[operation].ended_us = now_us;
            }
            self.follow_ups.remove(&open.client);
            free.push(open.client);
        }
        free
    }
}
