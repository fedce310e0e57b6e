//! Runs made up for tests: no server has seen them. What is tested is read from them as from a real one.

use super::plan::Plan;
use super::record::{ClientRecord, Counts, Ended, Final, Happening, Kind, Losses, Mark, Run, Second};
use crate::history::{Action, Call, Operation, Outcome, Value, What};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// An operation on a key; no reply: nobody knows. Times in milliseconds.
pub(super) fn operation(client: u64, key: &str, what: What, reply: Option<Value>, ms: [u64; 2]) -> Operation {
    Operation {
        client,
        action: Action::One(Call { key: key.into(), what }),
        outcome: reply.map_or(Outcome::Unknown, Outcome::Ok),
        start_ns: ms[0] * 1_000_000,
        end_ns: ms[1] * 1_000_000,
    }
}

/// What was read of a key, in the end of all.
pub(super) fn end(key: &str, value: Option<&str>, version: Option<u64>) -> Final {
    let text = |value: &str| Value::Text(value.into());
    let (what, reply) = match (value, version) {
        (None, _) => (What::Get, Value::Nil),
        (Some(value), None) => (What::Get, text(value)),
        (Some(value), Some(version)) => {
            let numbers = [version as i64, 1000 + version as i64].map(Value::Int);
            (What::GetV, Value::Array([text(value)].into_iter().chain(numbers).collect()))
        }
    };
    let read = operation(0, key, what, Some(reply), [1_000_000, 1_000_001]);
    Final { key: key.to_owned(), value: value.map(str::to_owned), version, read }
}

/// A run of that history.
pub(super) fn run(history: Vec<Operation>, finals: Vec<Final>) -> Run {
    let plan = r#"{"test_duration_seconds": 30, "clients": [{"name": "client1", "keys": ["key1"]}]}"#;
    Run {
        name: "made up".into(),
        seed: 7,
        began_unix_ms: 1_700_000_000_000,
        lasted: Duration::from_secs(30),
        servers: vec!["127.0.0.1:6379".into()],
        storage: None,
        has_versions: true,
        once: false,
        plan: Plan::parse(plan, Path::new("made-up.json")).expect("a configuration"),
        history,
        clients: Vec::new(),
        seconds: Vec::new(),
        marks: Vec::new(),
        losses: Losses::default(),
        finals,
        ended: Ended::Whole,
    }
}

/// A run of half a minute, in which nodes were killed.
pub(super) fn rich() -> Run {
    let write = operation(0, "stress:7:<key>", What::Set("a&b".into()), Some(Value::Ok), [1, 2]);
    let mut run = run(vec![write], vec![end("stress:7:<key>", Some("a&b"), Some(1))]);
    run.storage = Some("file".into());
    run.servers = vec!["127.0.0.1:7001".into(), "127.0.0.1:7002".into(), "127.0.0.1:7003".into()];
    for second in 0..30u64 {
        let is_bad = second % 5 == 4;
        let mut of =
            Second { done: if is_bad { 900 } else { 2400 + second * 37 % 300 }, ..Second::default() };
        of.errors = if is_bad { 40 + second } else { second % 3 };
        let mut record = |us: u64| of.latency.record(us).expect("it grows");
        (0..200).for_each(|n| record(350 + n * n / 10 + second % 7 * 30));
        record(if is_bad { 900_000 } else { 9_000 });
        if second == 14 {
            of = Second { errors: 90, ..Second::default() };
        }
        run.seconds.push(of);
        if is_bad {
            let (node, next) = (1 + second / 5 % 3, 1 + (second / 5 + 1) % 3);
            let mark = |at_ms, what| Mark { at_ms, what };
            run.marks.push(mark(second * 1000 + 20, Happening::NodeKilled { node }));
            run.marks
                .push(mark(second * 1000 + 900, Happening::LeaderChanged { from: Some(node), to: next }));
            run.marks.push(mark(second * 1000 + 1020, Happening::NodeRestarted { node }));
        }
    }
    for number in 1..=5u64 {
        let mut counts = Counts { ok: 4000 * number, conflicts: 31, errors: number, ..Counts::default() };
        counts.recovered = number;
        run.seconds
            .iter()
            .for_each(|second| counts.latency.add(&second.latency).expect("of the same bounds"));
        let counts = BTreeMap::from([(Kind::Get, counts.clone()), (Kind::Cas, counts)]);
        run.clients.push(ClientRecord { name: format!("client{number}"), counts });
    }
    run.losses = Losses { requests: 120, replies: 140 };
    run
}
