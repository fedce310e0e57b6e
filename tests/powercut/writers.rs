//! A client whose writes can be told apart in what a restarted node has: every acknowledged
//! one, in its order and once, each transaction and each `MSET` whole or not at all, and none
//! that was refused. This module must never count a write as refused that it got no reply to.

use super::harness::client::request;
use super::harness::{Client, Value};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const RECONNECT: Duration = Duration::from_millis(2);
/// Longer than any node may keep a command.
const REPLY_PATIENCE: Duration = Duration::from_secs(30);
const MOST_PIPELINED: usize = 6;
/// A large value is up to that long: the log has to reach its next segment now and then.
const LARGE_BYTES: u64 = 60_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Append,
    Transaction,
    Several,
    Large,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Unknown,
    Refused,
}

/// What a node was last seen to have.
#[derive(Debug, Clone, Default)]
struct Seen {
    list: Vec<u64>,
    transaction: u64,
    transactions: u64,
    several: u64,
    large: u64,
}

/// What all writers of a life share with the test.
#[derive(Debug, Default)]
pub struct Progress {
    pub stop: AtomicBool,
    /// Writers that have found what they expected.
    pub checked: AtomicUsize,
    pub acknowledged: AtomicUsize,
}

/// See the module's text.
pub struct Writer {
    name: String,
    pub addr: String,
    rng: SmallRng,
    next: u64,
    seen: Seen,
    /// Since then.
    writes: Vec<(u64, Kind, Outcome)>,
    /// Promises that were broken.
    pub wrong: Vec<String>,
}

impl Writer {
    pub fn new(name: String, addr: String, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { name, addr, rng, next: 1, seen: Seen::default(), writes: Vec::new(), wrong: Vec::new() }
    }

    /// Checks what is there, then writes if it `goes_on`, until the connection breaks.
    pub fn run(mut self, progress: &Arc<Progress>, goes_on: bool) -> Self {
        while !progress.stop.load(Ordering::Relaxed) {
            let Ok(mut client) = Client::try_connect(&self.addr, REPLY_PATIENCE) else {
                std::thread::sleep(RECONNECT);
                continue;
            };
            if self.check(&mut client).is_err() {
                continue;
            }
            progress.checked.fetch_add(1, Ordering::Relaxed);
            while goes_on && self.wrong.is_empty() && self.write(&mut client, progress).is_ok() {}
            return self;
        }
        self
    }

    fn key(&self, what: &str) -> String {
        format!("{}:{what}", self.name)
    }

    /// A pipeline of writes, and their replies.
    fn write(&mut self, client: &mut Client, progress: &Progress) -> io::Result<()> {
        let first = self.writes.len();
        let mut bytes = Vec::new();
        for _ in 0..self.rng.random_range(1..=MOST_PIPELINED) {
            let kind = match self.rng.random_range(0..10) {
                0..4 => Kind::Append,
                4..7 => Kind::Transaction,
                7..9 => Kind::Several,
                _ => Kind::Large,
            };
            bytes.extend(self.requests(kind, self.next));
            self.writes.push((self.next, kind, Outcome::Unknown));
            self.next += 1;
        }
        client.stream.write_all(&bytes)?;
        for i in first..self.writes.len() {
            let kind = self.writes[i].1;
            if kind == Kind::Transaction {
                for _ in 0..4 {
                    client.read()?; // OK and three times QUEUED, or why not; EXEC says what became of it
                }
            }
            let outcome = match client.read()?.error() {
                None => Outcome::Done,
                Some(text) if text.starts_with("UNKNOWN") => Outcome::Unknown,
                Some(_) => Outcome::Refused,
            };
            self.writes[i].2 = outcome;
            progress.acknowledged.fetch_add(usize::from(outcome == Outcome::Done), Ordering::Relaxed);
        }
        Ok(())
    }

    fn requests(&self, kind: Kind, number: u64) -> Vec<u8> {
        let (value, token) = (number.to_string(), format!("{number};"));
        match kind {
            Kind::Append => request(&["APPEND", &self.key("list"), &token]),
            Kind::Transaction => [
                request(&["MULTI"]),
                request(&["SET", &self.key("transaction"), &value]),
                request(&["APPEND", &self.key("list"), &token]),
                request(&["INCR", &self.key("transactions")]),
                request(&["EXEC"]),
            ]
            .concat(),
            Kind::Several => {
                let [a, b, c] = ["a", "b", "c"].map(|key| self.key(key));
                request(&["MSET", &a, &value, &b, &value, &c, &value])
            }
            Kind::Large => request(&["SET", &self.key("large"), &large(number)]),
        }
    }

    /// Compares what is there with what was acknowledged, and goes on from it.
    fn check(&mut self, client: &mut Client) -> io::Result<()> {
        let list = read(client, &self.key("list"))?;
        let list: Vec<u64> = list.split_terminator(';').map(|it| it.parse().unwrap_or(u64::MAX)).collect();
        let found = Seen {
            transaction: read_number(client, &self.key("transaction"))?,
            transactions: read_number(client, &self.key("transactions"))?,
            several: read_number(client, &self.key("a"))?,
            large: self.read_large(client)?,
            list,
        };
        let others = [read_number(client, &self.key("b"))?, read_number(client, &self.key("c"))?];
        let mut wrong = Vec::new();
        if others != [found.several; 2] {
            wrong.push(format!("MSET left {}, {} and {}", found.several, others[0], others[1]));
        }
        self.check_list(&found, &mut wrong);
        self.check_register("MSET", Kind::Several, self.seen.several, found.several, &mut wrong);
        self.check_register("the large SET", Kind::Large, self.seen.large, found.large, &mut wrong);
        self.wrong.extend(wrong.into_iter().map(|what| format!("{}: {what}", self.name)));
        self.seen = found;
        self.writes.clear();
        Ok(())
    }

    fn check_list(&self, found: &Seen, wrong: &mut Vec<String>) {
        let Some(new) = found.list.strip_prefix(&self.seen.list[..]) else {
            let (had, has) = (self.seen.list.len(), found.list.len());
            return wrong
                .push(format!("the list had {had} tokens, and the {has} of now do not begin with them"));
        };
        let mut rest = new.iter().peekable();
        let mut transaction = self.seen.transaction;
        let mut transactions = self.seen.transactions;
        for (number, kind, outcome) in &self.writes {
            if !matches!(kind, Kind::Append | Kind::Transaction) {
                continue;
            }
            let is_there = rest.next_if_eq(&number).is_some();
            match (outcome, is_there) {
                (Outcome::Done, false) => wrong.push(format!("{number} was acknowledged and is lost")),
                (Outcome::Refused, true) => wrong.push(format!("{number} was refused and is there")),
                _ => {}
            }
            if is_there && *kind == Kind::Transaction {
                transaction = *number;
                transactions += 1;
            }
        }
        if let Some(strange) = rest.next() {
            wrong.push(format!("{strange} is there twice, out of order, or was never written"));
        }
        if (found.transaction, found.transactions) != (transaction, transactions) {
            wrong.push(format!(
                "a transaction is there in part: SET {} and INCR {}, but the list has {transaction} and {transactions}",
                found.transaction, found.transactions
            ));
        }
    }

    fn check_register(&self, what: &str, kind: Kind, seen: u64, found: u64, wrong: &mut Vec<String>) {
        let mut possible = vec![seen];
        for (number, _, outcome) in self.writes.iter().filter(|(_, it, _)| *it == kind) {
            match outcome {
                Outcome::Done => possible = vec![*number],
                Outcome::Unknown => possible.push(*number),
                Outcome::Refused => {}
            }
        }
        if !possible.contains(&found) {
            wrong.push(format!("{what} left {found}, and may have left {possible:?}"));
        }
    }

    /// The number of the large value; one that nobody wrote when it is not whole.
    fn read_large(&self, client: &mut Client) -> io::Result<u64> {
        let found = read(client, &self.key("large"))?;
        let number = found.split(':').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(if found.is_empty() || found == large(number) { number } else { u64::MAX })
    }
}

fn large(number: u64) -> String {
    format!("{number}:{}", "x".repeat((number * 7919 % LARGE_BYTES) as usize))
}

fn read(client: &mut Client, key: &str) -> io::Result<String> {
    match client.try_call(&["GET", key])? {
        // A node that has just started may not know a leader yet.
        Value::Error(text) => Err(io::Error::other(text)),
        reply => Ok(reply.text()),
    }
}

fn read_number(client: &mut Client, key: &str) -> io::Result<u64> {
    Ok(read(client, key)?.parse().unwrap_or(0))
}
