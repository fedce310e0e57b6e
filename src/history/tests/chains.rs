//! Counters and versions, which have judges of their own: any number of operations, judged as by
//! trying every order.

use super::super::{
    Action, Bounds, Operation, Outcome, Report, Value, What, check, counters, partition, versions,
};
use super::naive::{Store, explains};
use super::{one, text};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeMap;

/// What clients do to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    /// `SET` and `GET` alone.
    Plain,
    Versions,
}

const KINDS: [Kind; 3] = [Kind::Counter, Kind::Plain, Kind::Versions];

/// Clients, each busy with one operation at a time.
struct Clients<'a> {
    rng: &'a mut SmallRng,
    kind: Kind,
    store: Store,
    values: u64,
    /// A `CAS` of unknown outcome, which its client may repeat.
    repeat: BTreeMap<usize, What>,
}

impl Clients<'_> {
    fn what(&mut self, client: usize) -> What {
        if let Some(what) = self.repeat.remove(&client).filter(|_| self.rng.random()) {
            return what;
        }
        self.values += 1;
        let value: Box<str> = format!("v{}", self.values).into();
        match (self.kind, self.rng.random_range(0..10)) {
            (Kind::Counter, 0..6) => What::IncrBy(1),
            (Kind::Counter | Kind::Versions, 6) => What::GetV,
            (Kind::Plain, 0..5) | (Kind::Versions, 0..2) => What::Set(value),
            (Kind::Versions, 2..6) => {
                let version = self.store.version("k");
                let version = if self.rng.random_ratio(4, 5) { version } else { self.rng.random_range(0..4) };
                What::Cas { version, value }
            }
            _ => What::Get,
        }
    }

    fn run(&mut self, clients: usize, operations: usize, unknown_percent: u32) -> Vec<Operation> {
        let mut history: Vec<Operation> = Vec::new();
        let mut free_at: BTreeMap<(u64, usize), ()> = (0..clients).map(|client| ((0, client), ())).collect();
        let mut now_ns = 0;
        while history.len() < operations {
            let ((free_ns, client), ()) = free_at.pop_first().expect("clients");
            now_ns = free_ns.max(now_ns) + self.rng.random_range(1..10);
            let what = self.what(client);
            let action = one("k", what.clone());
            let is_unknown = self.rng.random_range(0..100) < unknown_percent;
            let happens = !is_unknown || self.rng.random();
            let reply = if happens { self.store.run(&action) } else { Value::Nil };
            if is_unknown && matches!(what, What::Cas { .. }) {
                self.repeat.insert(client, what);
            }
            let span_ns = 8 * clients as u64;
            let start_ns = now_ns - self.rng.random_range(0..=(now_ns - free_ns).min(span_ns));
            let end_ns = now_ns + self.rng.random_range(0..span_ns);
            free_at.insert((end_ns + 1, client), ());
            let outcome = if is_unknown { Outcome::Unknown } else { Outcome::Ok(reply) };
            history.push(Operation { client: client as u64, action, outcome, start_ns, end_ns });
        }
        history
    }
}

fn generate(
    rng: &mut SmallRng,
    kind: Kind,
    clients: usize,
    operations: usize,
    unknown: u32,
) -> Vec<Operation> {
    let (store, repeat) = (Store::default(), BTreeMap::new());
    Clients { rng, kind, store, values: 0, repeat }.run(clients, operations, unknown)
}

/// Another reply, or another time.
fn mutate(rng: &mut SmallRng, history: &mut [Operation]) {
    let (at, other) = (rng.random_range(0..history.len()), rng.random_range(0..history.len()));
    if rng.random_ratio(1, 4) {
        let span_ns = history[at].end_ns - history[at].start_ns;
        history[at].start_ns = history[other].end_ns + 1;
        history[at].end_ns = history[at].start_ns + span_ns;
        return;
    }
    let kind = history[at].action.clone();
    let change = |rng: &mut SmallRng, n: i64| n + [-1, 1, 2, 1 << 40][rng.random_range(0..4)];
    let reply = match (&history[at].outcome, &history[other].outcome) {
        // What another was told, if it asked the same.
        (Outcome::Ok(_), Outcome::Ok(reply)) if history[other].action == kind && rng.random() => {
            reply.clone()
        }
        (Outcome::Ok(Value::Int(n)), _) => Value::Int(change(rng, *n)),
        (Outcome::Ok(Value::Error(error)), _) => {
            Value::Error(format!("{}{}", &error[..error.len() - 1], rng.random_range(0..4)).into())
        }
        (Outcome::Ok(Value::Array(parts)), _) => {
            let mut parts = parts.clone();
            let which = rng.random_range(1..3);
            if let Value::Int(n) = parts[which] {
                parts[which] = Value::Int(change(rng, n));
            }
            Value::Array(parts)
        }
        (Outcome::Ok(Value::Text(_)), _) if rng.random_ratio(1, 4) => Value::Nil,
        (Outcome::Ok(Value::Text(seen)), _) => {
            let n = rng.random_range(1..8);
            text(&if seen.starts_with('v') { format!("v{n}") } else { n.to_string() })
        }
        (Outcome::Ok(Value::Nil), _) => text("v1"),
        _ => return,
    };
    history[at].outcome = Outcome::Ok(reply);
}

fn judge(history: &[Operation]) -> Report {
    check(history, Bounds::default())
}

fn show(history: &[Operation]) -> String {
    let lines: Vec<String> = history.iter().map(super::super::write_line).collect();
    lines.join("\n")
}

#[test]
fn small_chains_are_judged_as_by_trying_every_order() {
    let (mut right, mut wrong, mut open) = (BTreeMap::new(), BTreeMap::new(), 0);
    for seed in 0..12_000 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let kind = KINDS[seed as usize % 3];
        let unknown = [0, 20, 40][(seed / 3) as usize % 3];
        let (clients, operations) = (2 + (seed / 9) as usize % 4, 3 + (seed / 36) as usize % 6);
        let mut history = generate(&mut rng, kind, clients, operations, unknown);
        for _ in 0..rng.random_range(0..3) {
            mutate(&mut rng, &mut history);
        }
        let expected = explains(&history);
        let report = judge(&history);
        assert_eq!(
            report.is_linearizable(),
            expected,
            "seed {seed}, {kind:?}:\n{}\n{report}",
            show(&history)
        );
        *if expected { &mut right } else { &mut wrong }.entry(kind as u8).or_insert(0) += 1;
        for part in partition::partition(&history) {
            let fast = counters::check(&history, &part).or_else(|| versions::check(&history, &part));
            open += u64::from(fast.is_none());
            let is_right = fast.is_none_or(|verdict| verdict.is_ok() == expected);
            assert!(is_right, "seed {seed}, {kind:?}, without the general search:\n{}", show(&history));
        }
    }
    let many = |count: &BTreeMap<u8, u64>| count.len() == 3 && count.values().all(|count| *count > 500);
    assert!(many(&right) && many(&wrong), "{right:?} right, {wrong:?} wrong: too few of one kind to tell");
    assert!(open < 1200, "{open} were left to the general search: too many to tell");
}

#[test]
fn any_number_of_operations_and_clients_is_decided() {
    for (kind, unknown) in KINDS.into_iter().flat_map(|kind| [(kind, 0), (kind, 3)]) {
        let mut rng = SmallRng::seed_from_u64(7);
        let mut history = generate(&mut rng, kind, 120, 60_000, unknown);
        let report = judge(&history);
        assert!(report.is_linearizable(), "{kind:?}, {unknown} % unknown: {report}");
        // A read in the middle is older than what was read before.
        let reads = |operation: &Operation| match (&operation.action, &operation.outcome) {
            (Action::One(call), Outcome::Ok(reply @ (Value::Text(_) | Value::Array(_)))) => {
                Some((call.what.clone(), reply.clone()))
            }
            _ => None,
        };
        let late = (30_000..).find(|at| reads(&history[*at]).is_some()).expect("a read");
        let (what, _) = reads(&history[late]).expect("a read");
        let early = history[..20_000].iter().filter_map(reads).rfind(|(other, _)| *other == what);
        history[late].outcome = Outcome::Ok(early.expect("a read").1);
        let report = judge(&history);
        assert_eq!((report.violations.len(), report.undecided.len()), (1, 0), "{kind:?}: {report}");
    }
}

/// Version 2 was seen: the `SET` made one of the two, and the `CAS`, which began when that was over, can
/// have made the first only.
#[test]
fn what_a_chain_cannot_tell_is_searched() {
    let op = |client, start_ns, end_ns, what, reply: Option<Value>| Operation {
        client,
        action: one("k", what),
        outcome: reply.map_or(Outcome::Unknown, Outcome::Ok),
        start_ns,
        end_ns,
    };
    let cas = |version, value: &str| What::Cas { version, value: value.into() };
    let seen = Some(Value::Error("VERSIONMISMATCH expected 5 found 2".into()));
    let history = [
        op(1, 0, 10, What::Set("a".into()), Some(Value::Ok)),
        op(2, 20, 30, cas(0, "x"), None),
        op(3, 40, 50, cas(5, "y"), seen),
    ];
    assert!(versions::check(&history, &partition::partition(&history)[0]).is_none());
    assert_eq!(judge(&history).violations.len(), 1);
    assert!(!explains(&history));
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let op = |client, start_ns, end_ns, what, reply: Option<Value>| Operation {
        client,
        action: one("k", what),
        outcome: reply.map_or(Outcome::Unknown, Outcome::Ok),
        start_ns,
        end_ns,
    };
    let said = |history: &[Operation], part: &str| {
        assert_eq!(judge(history).violations.len(), 1);
        let parts = partition::partition(history);
        let found = counters::check(history, &parts[0]).or_else(|| versions::check(history, &parts[0]));
        let shown = found.expect("decided").expect_err("wrong").to_string();
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    };
    let cas = |version, value: &str| What::Cas { version, value: value.into() };
    let conflict = |text: &str| Some(Value::Error(text.into()));
    said(
        &[op(1, 0, 9, cas(0, "a"), Some(Value::Int(1))), op(2, 0, 9, cas(0, "b"), Some(Value::Int(1)))],
        "another write made version 1: client 1: CAS k 0 \"a\" -> 1",
    );
    said(
        &[
            op(1, 0, 9, cas(0, "a"), Some(Value::Int(1))),
            op(2, 10, 19, cas(1, "b"), conflict("VERSIONMISMATCH expected 1 found 3")),
        ],
        "there were not as many as 3 writes",
    );
    said(&[op(1, 0, 9, What::Get, Some(text("x")))], "nobody wrote \"x\"");
    said(
        &[op(1, 0, 9, What::IncrBy(1), Some(Value::Int(1))), op(2, 20, 29, What::Get, Some(Value::Nil))],
        "it ended before this one began, which it comes after",
    );
    said(
        &[
            op(1, 0, 9, What::IncrBy(1), Some(Value::Int(1))),
            op(2, 0, 9, What::IncrBy(1), Some(Value::Int(1))),
        ],
        "another was told the same",
    );
}
