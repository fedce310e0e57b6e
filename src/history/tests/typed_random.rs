//! Histories of a server that does everything right are right, whatever their faults; and nearly none of them
//! stays so when one reply is another.

use super::super::{Action, Bounds, By, Call, Operation, Outcome, Typed, Value, What, check};
use super::text;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A server with a queue, another, a set, a sorted set, and a stream with a group.
#[derive(Default)]
struct Server {
    lists: BTreeMap<String, VecDeque<String>>,
    set: BTreeSet<String>,
    scores: BTreeSet<(i64, String)>,
    stream: Vec<String>,
    /// Entries that were handed out, and those that wait for an acknowledgement.
    handed_out: usize,
    pending: BTreeSet<usize>,
}

fn texts<'a>(texts: impl Iterator<Item = &'a String>) -> Value {
    Value::Array(texts.map(|it| text(it)).collect())
}

impl Server {
    fn entry(&self, at: usize) -> Value {
        let fields = Value::Array(vec![text("e"), text(&self.stream[at])]);
        Value::Array(vec![text(&format!("{at}-0")), fields])
    }

    fn call(&mut self, Call { key, what }: &Call) -> Value {
        let What::Typed(typed) = what else { return Value::Nil };
        let list = self.lists.entry(key.to_string()).or_default();
        match typed {
            Typed::Push(elements) => {
                list.extend(elements.iter().map(|element| element.to_string()));
                Value::Int(list.len() as i64)
            }
            Typed::Range => texts(list.iter()),
            Typed::Pop(_) => list.pop_front().map_or(Value::Nil, |element| text(&element)),
            Typed::Move { to, .. } => {
                let Some(element) = list.pop_front() else { return Value::Nil };
                self.lists.entry(to.to_string()).or_default().push_back(element.clone());
                text(&element)
            }
            Typed::Add(elements) => {
                self.set.extend(elements.iter().map(|element| element.to_string()));
                Value::Int(elements.len() as i64)
            }
            Typed::Draw => self.set.pop_last().map_or(Value::Nil, |element| text(&element)),
            Typed::Members => texts(self.set.iter()),
            Typed::Rank { score, element } => {
                self.scores.insert((*score, element.to_string()));
                Value::Int(1)
            }
            Typed::PopLeast(_) => match self.scores.pop_first() {
                None => Value::Array(Vec::new()),
                Some((score, element)) => Value::Array(vec![text(&element), text(&score.to_string())]),
            },
            Typed::Ranked => texts(self.scores.iter().map(|(_, element)| element)),
            Typed::Log(element) => {
                self.stream.push(element.to_string());
                text(&format!("{}-0", self.stream.len() - 1))
            }
            Typed::Logged => Value::Array((0..self.stream.len()).map(|at| self.entry(at)).collect()),
            Typed::Deliver { count, .. } => {
                let from = self.handed_out;
                self.handed_out = self.stream.len().min(from + *count as usize);
                self.pending.extend(from..self.handed_out);
                if from == self.handed_out {
                    return Value::Nil;
                }
                let entries = (from..self.handed_out).map(|at| self.entry(at)).collect();
                Value::Array(vec![Value::Array(vec![text(key), Value::Array(entries)])])
            }
            Typed::Ack(id) => {
                let at = id.split('-').next().and_then(|at| at.parse().ok()).unwrap_or(usize::MAX);
                Value::Int(i64::from(self.pending.remove(&at)))
            }
            Typed::Claim { count, .. } => {
                let claimed = self.pending.iter().take(*count as usize).map(|at| self.entry(*at)).collect();
                Value::Array(vec![text("0-0"), Value::Array(claimed), Value::Array(Vec::new())])
            }
            Typed::Pending => {
                let row = |at: &usize| Value::Array(vec![text(&format!("{at}-0"))]);
                Value::Array(self.pending.iter().map(row).collect())
            }
        }
    }

    fn act(&mut self, action: &Action) -> Value {
        match action {
            Action::One(call) => self.call(call),
            Action::Transaction(calls) => Value::Array(calls.iter().map(|call| self.call(call)).collect()),
            Action::MGet(_) => Value::Nil,
        }
    }
}

fn call(key: &str, typed: Typed) -> Call {
    Call { key: key.into(), what: What::Typed(typed) }
}

/// What somebody does next; elements are new.
fn action(rng: &mut SmallRng, kind: u32, number: usize) -> Action {
    let element: Box<str> = format!("e{number}").into();
    let push = |element: &str| Typed::Push(vec![element.into(), format!("{element}'").into()]);
    let name = ["x", "y", "z"][rng.random_range(0..3)];
    Action::One(match (kind, rng.random_range(0..6)) {
        (0, 0..2) => call(name, push(&element)),
        (0, 2..4) => call(name, Typed::Range),
        (0, 4) => {
            let others = [call("y", Typed::Range), call("z", push(&element))];
            return Action::Transaction(
                [vec![call(name, push(&format!("{element}\"")))], others.into()].concat(),
            );
        }
        (0, _) => return Action::Transaction(["x", "y", "z"].map(|key| call(key, Typed::Range)).into()),
        (1, 0..2) => call("x", push(&element)),
        (1, 2) => call("x", Typed::Move { to: "y".into(), by: By::Script }),
        (1, 3) => call(if rng.random() { "x" } else { "y" }, Typed::Pop(By::Wait)),
        (1, 4) => call(if rng.random() { "x" } else { "y" }, Typed::Range),
        (1, _) => return Action::Transaction(["x", "y"].map(|key| call(key, Typed::Range)).into()),
        (2, 0..3) => call("s", Typed::Add(vec![element])),
        (2, 3..5) => call("s", Typed::Draw),
        (2, _) => call("s", Typed::Members),
        (3, 0..3) => call("s", Typed::Rank { score: rng.random_range(0..20), element }),
        (3, 3..5) => call("s", Typed::PopLeast(By::Try)),
        (3, _) => call("s", Typed::Ranked),
        (_, 0) => call("t", Typed::Log(element)),
        (_, 1) => call("t", Typed::Deliver { consumer: 1, count: rng.random_range(1..4), by: By::Try }),
        (_, 2) => call("t", Typed::Ack(format!("{}-0", rng.random_range(0..=number / 5)).into())),
        (_, 3) => call("t", Typed::Claim { consumer: 2, count: 2 }),
        (_, 4) => call("t", Typed::Logged),
        (_, _) => call("t", Typed::Pending),
    })
}

/// Six clients at once. Each operation takes place at some moment between its begin and its end, or, if nobody
/// knows its outcome, at any time after its begin or never.
fn generate(rng: &mut SmallRng, kind: u32, operations: usize) -> Vec<Operation> {
    let mut server = Server::default();
    let mut history: Vec<Operation> = Vec::new();
    let mut moments: Vec<(u64, usize)> = Vec::new();
    let mut free_ns = [0; 6];
    for number in 0..operations {
        let client = rng.random_range(0..6);
        let start_ns = free_ns[client] + rng.random_range(1..40);
        let end_ns = start_ns + rng.random_range(1..60);
        free_ns[client] = end_ns + 1;
        let outcome = match rng.random_range(0..20) {
            0 => Outcome::Unknown,
            1 => Outcome::Fail,
            _ => Outcome::Ok(Value::Nil),
        };
        match outcome {
            Outcome::Unknown if rng.random() => {
                moments.push((rng.random_range(start_ns..start_ns + 300), number))
            }
            Outcome::Ok(_) => moments.push((rng.random_range(start_ns..=end_ns), number)),
            _ => {}
        }
        let action = action(rng, kind, number);
        history.push(Operation { client: client as u64, action, outcome, start_ns, end_ns });
    }
    moments.sort_unstable();
    for (_, number) in moments {
        let reply = server.act(&history[number].action);
        if let Outcome::Ok(told) = &mut history[number].outcome {
            *told = reply;
        }
    }
    history
}

#[test]
fn a_server_that_is_right_is_never_called_wrong() {
    for seed in 0..250 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let history = generate(&mut rng, (seed % 5) as u32, 120);
        let report = check(&history, Bounds::default());
        assert!(report.is_linearizable(), "seed {seed}: {report}");
    }
}

/// One reply is that of an operation before or behind it of the same kind.
#[test]
fn a_reply_of_another_moment_is_mostly_noticed() {
    let mut noticed = [(0, 0); 5];
    for seed in 0..250 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let kind = (seed % 5) as usize;
        let mut history = generate(&mut rng, kind as u32, 120);
        let at = rng.random_range(20..100);
        let like = |operation: &Operation| {
            let Action::One(Call { key, what: What::Typed(typed) }) = &operation.action else { return None };
            // How long a queue is says nothing.
            let is_told = kind == 0 || !matches!(typed, Typed::Push(_));
            let is_known = is_told && matches!(operation.outcome, Outcome::Ok(_));
            is_known.then(|| (key.clone(), std::mem::discriminant(typed)))
        };
        let is_other = |other: &&Operation| {
            like(other).is_some()
                && like(other) == like(&history[at])
                && other.outcome != history[at].outcome
                && (other.end_ns + 100 < history[at].start_ns || other.start_ns > history[at].end_ns + 100)
        };
        let Some(other) = history.iter().find(is_other).map(|other| other.outcome.clone()) else { continue };
        history[at].outcome = other;
        noticed[kind].0 += u32::from(!check(&history, Bounds::default()).is_linearizable());
        noticed[kind].1 += 1;
    }
    for (kind, (found, all)) in noticed.into_iter().enumerate() {
        assert!(all > 10 && found * 10 >= all * 7, "of kind {kind}: {found} of {all}");
    }
}
