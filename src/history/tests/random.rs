//! Random histories: those of a correct store are right, and with any reply changed they are
//! judged as the judge judges them that tries every order.

use super::super::{Action, Bounds, Call, Operation, Outcome, Value, What, check};
use super::naive::{Store, explains};
use super::{one, text};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::sync::Arc;

/// What a random history is like.
pub(super) struct Shape {
    pub(super) operations: usize,
    pub(super) clients: u64,
    pub(super) keys: usize,
    pub(super) unknown_percent: u32,
    pub(super) transactions: bool,
    pub(super) deadlines: bool,
}

fn what(rng: &mut SmallRng, version: u64, shape: &Shape) -> What {
    let value = |rng: &mut SmallRng| Box::<str>::from(rng.random_range(0..4).to_string());
    let version = if rng.random_ratio(3, 4) { version } else { rng.random_range(0..3) };
    match rng.random_range(0..16) {
        0..4 => What::Get,
        4..6 => What::GetV,
        6 => What::Set(value(rng)),
        7 => What::SetNx(value(rng)),
        8 => What::SetIfEq { value: value(rng), old: value(rng) },
        9 => What::Del,
        10 => What::DelIfEq(value(rng)),
        11 if shape.deadlines => What::SetPx { value: value(rng), ms: 1 },
        11 => What::Exists,
        12 => What::Append(value(rng)),
        13 => What::IncrBy(1),
        14 => What::Cas { version, value: value(rng) },
        _ => What::Cad(version.max(1)),
    }
}

fn action(rng: &mut SmallRng, store: &Store, shape: &Shape) -> Action {
    let key = |rng: &mut SmallRng| Arc::<str>::from(format!("k{}", rng.random_range(0..shape.keys)));
    let call = |rng: &mut SmallRng| {
        let key = key(rng);
        let what = what(rng, store.version(&key), shape);
        Call { key, what }
    };
    match rng.random_range(0..10) {
        0 if shape.transactions => Action::MGet(vec![key(rng), key(rng)]),
        1..3 if shape.transactions => {
            let mut calls = vec![call(rng), call(rng)];
            if rng.random_ratio(1, 3) {
                let key = key(rng);
                let version = store.version(&key);
                calls.insert(0, Call { key, what: What::Watch(version) });
            }
            Action::Transaction(calls)
        }
        _ => Action::One(call(rng)),
    }
}

/// A history of a correct store: clients take turns at random, and each operation takes effect
/// at a moment between its beginning and its end.
pub(super) fn generate(rng: &mut SmallRng, shape: &Shape) -> Vec<Operation> {
    let mut store = Store::default();
    let mut history: Vec<Operation> = Vec::new();
    let mut free_at: Vec<u64> = vec![0; shape.clients as usize];
    let mut now_ns = 0;
    while history.len() < shape.operations {
        // The client that is free first: effects come in the order of `now_ns`.
        let client = (0..free_at.len()).min_by_key(|client| free_at[*client]).expect("clients");
        now_ns = free_at[client].max(now_ns) + rng.random_range(1..10);
        if let Some(key) = store.expiring().first().filter(|_| rng.random_ratio(1, 3)) {
            store.expire(key);
        }
        let action = action(rng, &store, shape);
        let is_unknown = rng.random_range(0..100) < shape.unknown_percent;
        let happens = !is_unknown || rng.random();
        let reply = if happens { store.run(&action) } else { Value::Nil };
        let start_ns = now_ns - rng.random_range(0..=(now_ns - free_at[client]).min(40));
        let end_ns = now_ns + rng.random_range(0..40);
        free_at[client] = end_ns + 1;
        let outcome = if is_unknown { Outcome::Unknown } else { Outcome::Ok(reply) };
        history.push(Operation { client: client as u64, action, outcome, start_ns, end_ns });
    }
    history
}

/// Changes a reply into another that could have been one.
fn mutate(rng: &mut SmallRng, value: &Value) -> Value {
    match value {
        Value::Nil => text(&rng.random_range(0..4).to_string()),
        Value::Ok => Value::Nil,
        Value::Int(n) => Value::Int(n + [-1, 1][rng.random_range(0..2)]),
        Value::Text(_) if rng.random() => Value::Nil,
        Value::Text(_) => text(&rng.random_range(0..4).to_string()),
        Value::Error(error) => Value::Error(format!("{}7", &error[..error.len() - 1]).into()),
        Value::Array(values) if values.is_empty() => Value::Nil,
        Value::Array(values) => {
            let mut values = values.clone();
            let at = rng.random_range(0..values.len());
            values[at] = mutate(rng, &values[at]);
            Value::Array(values)
        }
    }
}

fn show(history: &[Operation]) -> String {
    let lines: Vec<String> = history.iter().map(super::super::write_line).collect();
    lines.join("\n")
}

#[test]
fn histories_of_a_correct_store_are_right() {
    for seed in 0..60 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let shape = Shape {
            operations: 300,
            clients: 1 + seed % 10,
            keys: 1 + seed as usize % 4,
            unknown_percent: [0, 1, 3][seed as usize % 3],
            transactions: seed % 2 == 0,
            deadlines: seed % 5 == 0,
        };
        let history = generate(&mut rng, &shape);
        let report = check(&history, Bounds::default());
        assert!(report.is_linearizable(), "seed {seed}:\n{report}");
    }
}

#[test]
fn small_histories_are_judged_as_by_trying_every_order() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..6000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let shape = Shape {
            operations: 3 + seed as usize % 6,
            clients: 2 + seed % 3,
            keys: 1 + seed as usize % 2,
            unknown_percent: [0, 10, 30][seed as usize % 3],
            transactions: seed % 2 == 0,
            deadlines: seed % 4 == 0,
        };
        let mut history = generate(&mut rng, &shape);
        for _ in 0..rng.random_range(0..3) {
            let at = rng.random_range(0..history.len());
            if let Outcome::Ok(value) = &history[at].outcome {
                history[at].outcome = Outcome::Ok(mutate(&mut rng, value));
            }
        }
        let expected = explains(&history);
        let report = check(&history, Bounds::default());
        assert_eq!(report.is_linearizable(), expected, "seed {seed}:\n{}\n{report}", show(&history));
        if expected { right += 1 } else { wrong += 1 }
    }
    assert!(right > 1000 && wrong > 1000, "{right} right, {wrong} wrong: too few of one kind to tell");
}

/// A history of appends of tokens of equal length, and reads.
pub(super) fn appends(rng: &mut SmallRng, operations: usize, clients: u64) -> Vec<Operation> {
    let shape =
        Shape { operations, clients, keys: 1, unknown_percent: 20, transactions: false, deadlines: false };
    let mut history = generate(rng, &shape);
    history.sort_by_key(|operation| operation.start_ns);
    // Times and outcomes are kept; what is done is appended or read in the order of a middle.
    let mut order: Vec<usize> = (0..history.len()).collect();
    order.sort_by_key(|at| history[*at].start_ns.midpoint(history[*at].end_ns));
    let mut value = String::new();
    let width = operations.to_string().len();
    for at in order {
        let is_unknown = history[at].outcome == Outcome::Unknown;
        let reply = if is_unknown || rng.random() {
            let token = format!("{at:0width$}");
            history[at].action = one("list", What::Append(token.as_str().into()));
            if !is_unknown || rng.random() {
                value += &token;
            }
            Value::Int(value.len() as i64)
        } else {
            history[at].action = one("list", What::Get);
            if value.is_empty() { Value::Nil } else { text(&value) }
        };
        if !is_unknown {
            history[at].outcome = Outcome::Ok(reply);
        }
    }
    history
}

#[test]
fn appended_tokens_are_judged_as_by_trying_every_order() {
    let (mut right, mut wrong) = (0, 0);
    for seed in 0..6000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut history = appends(&mut rng, 3 + seed as usize % 6, 2 + seed % 3);
        for _ in 0..rng.random_range(0..3) {
            let (at, other) = (rng.random_range(0..history.len()), rng.random_range(0..history.len()));
            match history[at].outcome.clone() {
                Outcome::Ok(Value::Int(len)) if rng.random() => {
                    let len = len + [-2, -1, 1, 2, 1 << 40][rng.random_range(0..5)];
                    history[at].outcome = Outcome::Ok(Value::Int(len));
                }
                Outcome::Ok(Value::Text(seen)) if rng.random() => {
                    let shorter: String = seen.chars().skip(rng.random_range(0..2)).collect();
                    history[at].outcome = Outcome::Ok(text(&shorter));
                }
                Outcome::Ok(Value::Text(seen)) => {
                    history[at].outcome = Outcome::Ok(text(&format!("{seen}{other}")));
                }
                _ => {
                    let span_ns = history[at].end_ns - history[at].start_ns;
                    history[at].start_ns = history[other].end_ns + 1;
                    history[at].end_ns = history[at].start_ns + span_ns;
                }
            }
        }
        let expected = explains(&history);
        let report = check(&history, Bounds::default());
        assert_eq!(report.is_linearizable(), expected, "seed {seed}:\n{}\n{report}", show(&history));
        if expected { right += 1 } else { wrong += 1 }
    }
    assert!(right > 1000 && wrong > 1000, "{right} right, {wrong} wrong: too few of one kind to tell");
}
