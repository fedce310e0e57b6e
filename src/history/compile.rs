//! One set of connected keys, made ready for the search: keys and strings are numbers, what
//! tells nothing is gone, and every deadline is an operation of unknown outcome of its own,
//! because it may pass at any time (clocks of servers are not to be trusted) or never.

use super::model::{Act, Answer};
use super::partition::{Part, keys};
use super::words::Words;
use super::{Action, Call, Operation, Outcome, Value, What};
use std::sync::Arc;

/// A command on a key, and the reply to it unless nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) key: u32,
    pub(super) act: Act,
    pub(super) seen: Option<Answer>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    from: u32,
    to: u32,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// Its place in the history; None for a deadline.
    pub(super) source: Option<u32>,
    /// One that began earlier and would have the same effect, both of unknown outcome. It is
    /// enough to try the earlier one first.
    pub(super) twin: Option<u32>,
}

#[derive(Debug, Default)]
pub(super) struct Component {
    pub(super) keys: Vec<Arc<str>>,
    pub(super) ops: Vec<Op>,
    pub(super) steps: Vec<Step>,
    /// Operations with a reply, and those that may have happened, each by their beginning.
    pub(super) known: Vec<u32>,
    pub(super) unknown: Vec<u32>,
    pub(super) words: Words,
}

impl Component {
    pub(super) fn steps(&self, op: u32) -> std::ops::Range<usize> {
        let op = &self.ops[op as usize];
        op.from as usize..op.to as usize
    }
}

pub(super) fn compile(history: &[Operation], part: &Part) -> Component {
    let mut compiler = Compiler { component: Component::default(), sorted: sorted(part), deadlines: 0 };
    for number in &part.operations {
        compiler.operation(*number, &history[*number as usize]);
    }
    let mut component = compiler.component;
    component.keys = part.keys.clone();
    let ops = &component.ops;
    for list in [&mut component.known, &mut component.unknown] {
        list.sort_by_key(|op| ops[*op as usize].start_ns);
    }
    find_twins(&mut component);
    component
}

/// The part's keys by name, with their numbers.
fn sorted(part: &Part) -> Vec<(Arc<str>, u32)> {
    let mut sorted: Vec<_> = part.keys.iter().cloned().zip(0..).collect();
    sorted.sort();
    sorted
}

fn find_twins(component: &mut Component) {
    for (place, op) in component.unknown.iter().enumerate() {
        let steps = &component.steps[component.steps(*op)];
        let same = |other: &&u32| component.steps[component.steps(**other)] == *steps;
        component.ops[*op as usize].twin = component.unknown[..place].iter().rfind(same).copied();
    }
}

struct Compiler {
    component: Component,
    sorted: Vec<(Arc<str>, u32)>,
    deadlines: u32,
}

impl Compiler {
    fn key(&self, name: &Arc<str>) -> u32 {
        let place = self.sorted.binary_search_by(|(key, _)| key.cmp(name));
        self.sorted[place.expect("the part has all keys of its operations")].1
    }

    fn operation(&mut self, number: u32, operation: &Operation) {
        let from = self.component.steps.len() as u32;
        let first_deadline = self.deadlines;
        let reply = match &operation.outcome {
            Outcome::Ok(value) => Some(value),
            Outcome::Unknown => None,
            Outcome::Fail => return,
        };
        match &operation.action {
            Action::One(call) => {
                let act = self.act(&call.what);
                let seen = reply.map(|value| self.answer(value, act));
                self.step(&call.key, act, seen);
            }
            Action::MGet(_) => {
                let names = keys(&operation.action);
                let seen = self.answers(reply, &vec![Act::Get; names.len()]);
                for (name, seen) in names.into_iter().zip(seen) {
                    self.step(name, Act::Get, seen);
                }
            }
            Action::Transaction(calls) => self.transaction(calls, reply),
        }
        self.push(from, operation, Some(number), reply.is_some());
        for deadline in first_deadline + 1..=self.deadlines {
            let from = self.component.steps.len() as u32;
            let is_ours = |step: &&Step| matches!(step.act, Act::SetPx(_, it) if it == deadline);
            let key = self.component.steps.iter().rfind(is_ours).expect("it was given to a step").key;
            self.component.steps.push(Step { key, act: Act::Expire(deadline), seen: None });
            self.push(from, operation, None, false);
        }
    }

    fn push(&mut self, from: u32, operation: &Operation, source: Option<u32>, is_known: bool) {
        let to = self.component.steps.len() as u32;
        let reads = |step: &Step| matches!(step.act, Act::Get | Act::GetV | Act::Exists | Act::Watch(_));
        if !is_known && self.component.steps[from as usize..].iter().all(reads) {
            self.component.steps.truncate(from as usize);
            return; // it tells nothing and does nothing
        }
        let op = self.component.ops.len() as u32;
        let end_ns = if is_known { operation.end_ns } else { u64::MAX };
        self.component.ops.push(Op { from, to, start_ns: operation.start_ns, end_ns, source, twin: None });
        if is_known { &mut self.component.known } else { &mut self.component.unknown }.push(op);
    }

    fn step(&mut self, key: &Arc<str>, act: Act, seen: Option<Answer>) {
        let key = self.key(key);
        self.component.steps.push(Step { key, act, seen });
    }

    fn transaction(&mut self, calls: &[Call], reply: Option<&Value>) {
        let is_watch = |call: &&Call| matches!(call.what, What::Watch(_));
        if reply == Some(&Value::Nil) && calls.iter().any(|call| is_watch(&call)) {
            return; // it did not take place, which needs no explanation
        }
        let acts: Vec<Act> = calls.iter().map(|call| self.act(&call.what)).collect();
        let replying: Vec<Act> = acts.iter().copied().filter(|act| !matches!(act, Act::Watch(_))).collect();
        let mut seen = self.answers(reply, &replying).into_iter();
        for (call, act) in calls.iter().zip(acts) {
            let seen = match act {
                Act::Watch(_) => Some(Answer::Ok),
                _ => seen.next().expect("one for each command"),
            };
            self.step(&call.key, act, seen);
        }
    }

    /// One answer for each act.
    fn answers(&mut self, reply: Option<&Value>, acts: &[Act]) -> Vec<Option<Answer>> {
        match reply {
            None => vec![None; acts.len()],
            Some(Value::Array(values)) if values.len() == acts.len() => {
                values.iter().zip(acts).map(|(value, act)| Some(self.answer(value, *act))).collect()
            }
            Some(_) => vec![Some(Answer::Malformed); acts.len()],
        }
    }

    fn act(&mut self, what: &What) -> Act {
        let words = &mut self.component.words;
        match what {
            What::Get => Act::Get,
            What::GetV => Act::GetV,
            What::Exists => Act::Exists,
            What::Set(value) => Act::Set(words.word(value)),
            What::SetNx(value) => Act::SetNx(words.word(value)),
            What::SetIfEq { value, old } => Act::SetIfEq(words.word(value), words.word(old)),
            What::SetPx { value, .. } => {
                self.deadlines += 1;
                Act::SetPx(words.word(value), self.deadlines)
            }
            What::Del => Act::Del,
            What::DelIfEq(old) => Act::DelIfEq(words.word(old)),
            What::Append(tail) => Act::Append(words.word(tail)),
            What::IncrBy(n) => Act::IncrBy(*n),
            What::Cas { version, value } => Act::Cas(*version, words.word(value)),
            What::Cad(version) => Act::Cad(*version),
            What::Watch(version) => Act::Watch(*version),
            What::Typed(_) => unreachable!("values that have elements have judges of their own"),
        }
    }

    fn answer(&mut self, value: &Value, act: Act) -> Answer {
        match (value, act) {
            (Value::Nil, _) => Answer::Nil,
            (Value::Ok, _) => Answer::Ok,
            (Value::Int(number), _) => Answer::Int(*number),
            (Value::Text(text), _) => Answer::Text(self.component.words.word(text)),
            (Value::Error(text), _) => error(text),
            (Value::Array(parts), Act::GetV) => self.versioned(parts).unwrap_or(Answer::Malformed),
            (Value::Array(_), _) => Answer::Malformed,
        }
    }

    fn versioned(&mut self, parts: &[Value]) -> Option<Answer> {
        let [Value::Text(text), Value::Int(version), Value::Int(revision)] = parts else { return None };
        let (version, revision) = (u64::try_from(*version).ok()?, u64::try_from(*revision).ok()?);
        Some(Answer::Versioned { value: self.component.words.word(text), version, revision })
    }
}

/// The version that a `CAS` or `CAD` found, if this is what its error says.
pub(super) fn conflict(text: &str) -> Option<u64> {
    let is_conflict = text.starts_with("VERSIONMISMATCH ") || text.starts_with("KEYEXISTS ");
    is_conflict.then(|| text.rsplit(' ').next()?.parse().ok()).flatten()
}

fn error(text: &str) -> Answer {
    match conflict(text) {
        Some(found) => Answer::Conflict(found),
        _ if text.contains("not an integer") || text.contains("would overflow") => Answer::NotANumber,
        _ => Answer::Malformed,
    }
}
