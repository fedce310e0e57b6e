//! Histories made by hand, each of which shows one way to be right or wrong.

mod bench;
mod chains;
mod lines;
mod naive;
mod random;
mod typed;
mod typed_groups;
mod typed_random;

use super::{Action, Bounds, Call, Operation, Outcome, Report, Value, What, check};
use std::sync::Arc;

pub(super) fn one(key: &str, what: What) -> Action {
    Action::One(Call { key: key.into(), what })
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn set(value: &str) -> Action {
    one("k", What::Set(value.into()))
}

fn get() -> Action {
    one("k", What::Get)
}

fn incr() -> Action {
    one("k", What::IncrBy(1))
}

fn versioned(value: &str, version: i64, revision: i64) -> Value {
    Value::Array(vec![text(value), Value::Int(version), Value::Int(revision)])
}

fn transaction(calls: &[(&str, What)]) -> Action {
    let call = |(key, what): &(&str, What)| Call { key: Arc::from(*key), what: what.clone() };
    Action::Transaction(calls.iter().map(call).collect())
}

/// A history of (client, start, end, action, reply); no reply: nobody knows.
fn history(rows: Vec<(u64, u64, u64, Action, Option<Value>)>) -> Vec<Operation> {
    let operation = |(client, start_ns, end_ns, action, reply): (_, _, _, _, Option<Value>)| Operation {
        client,
        action,
        outcome: reply.map_or(Outcome::Unknown, Outcome::Ok),
        start_ns,
        end_ns,
    };
    rows.into_iter().map(operation).collect()
}

fn judge(rows: Vec<(u64, u64, u64, Action, Option<Value>)>) -> Report {
    check(&history(rows), Bounds::default())
}

#[track_caller]
fn right(rows: Vec<(u64, u64, u64, Action, Option<Value>)>) {
    let report = judge(rows);
    assert!(report.is_linearizable(), "{report}");
}

/// Wrong, and the message has all of `said` in it.
#[track_caller]
fn wrong(rows: Vec<(u64, u64, u64, Action, Option<Value>)>, said: &[&str]) {
    let report = judge(rows);
    let shown = report.to_string();
    assert_eq!((report.violations.len(), report.undecided.len()), (1, 0), "{shown}");
    for part in said {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
}

const OK: Option<Value> = Some(Value::Ok);

fn int(number: i64) -> Option<Value> {
    Some(Value::Int(number))
}

#[test]
fn an_empty_history_is_right() {
    right(vec![]);
    right(vec![(1, 0, 1, get(), Some(Value::Nil))]);
}

#[test]
fn a_read_may_see_a_concurrent_write_or_not() {
    for seen in [Value::Nil, text("a")] {
        right(vec![(1, 0, 10, set("a"), OK), (2, 1, 9, get(), Some(seen))]);
    }
}

#[test]
fn a_stale_read_is_wrong() {
    let rows =
        |seen| vec![(1, 0, 1, set("a"), OK), (1, 2, 3, set("b"), OK), (2, 4, 5, get(), Some(text(seen)))];
    right(rows("b"));
    wrong(rows("a"), &["k", "client 2: GET k -> \"a\"", "the reply would be \"b\"", "= \"b\" at version 2"]);
}

#[test]
fn what_one_reader_saw_the_next_may_not_unsee() {
    let rows = |first, second| {
        vec![
            (1, 0, 1, set("a"), OK),
            (2, 2, 20, set("b"), OK),
            (3, 3, 4, get(), Some(text(first))),
            (4, 5, 6, get(), Some(text(second))),
        ]
    };
    right(rows("a", "b"));
    wrong(rows("b", "a"), &["client 4"]);
}

#[test]
fn a_lost_update_is_wrong() {
    right(vec![(1, 0, 9, incr(), int(1)), (2, 0, 9, incr(), int(2))]);
    wrong(vec![(1, 0, 9, incr(), int(1)), (2, 0, 9, incr(), int(1))], &["INCRBY k 1 -> 1"]);
    let cas = |value: &str| one("k", What::Cas { version: 0, value: value.into() });
    wrong(vec![(1, 0, 9, cas("a"), int(1)), (2, 0, 9, cas("b"), int(1))], &["version 1 found"]);
}

#[test]
fn a_write_that_is_applied_twice_is_wrong() {
    wrong(vec![(1, 0, 1, incr(), int(1)), (2, 2, 3, get(), Some(text("2")))], &["would be \"1\""]);
    // The same with a write that nobody knows the outcome of: once at most.
    let rows =
        |seen| vec![(1, 0, 1, incr(), int(1)), (2, 2, 3, incr(), None), (3, 4, 5, get(), Some(text(seen)))];
    right(rows("1"));
    right(rows("2"));
    wrong(rows("3"), &["unknown"]);
}

#[test]
fn an_append_that_is_applied_twice_is_wrong() {
    let append = |token: &str| one("k", What::Append(token.into()));
    let rows = |seen| vec![(1, 0, 1, append("a1"), int(2)), (2, 2, 3, get(), Some(text(seen)))];
    right(rows("a1"));
    wrong(rows("a1a1"), &["twice"]);
}

#[test]
fn a_key_that_was_deleted_stays_deleted() {
    let rows = |seen| {
        vec![
            (1, 0, 1, set("a"), OK),
            (1, 2, 3, one("k", What::Del), int(1)),
            (2, 4, 5, get(), Some(Value::Nil)),
            (2, 6, 7, get(), Some(seen)),
        ]
    };
    right(rows(Value::Nil));
    wrong(rows(text("a")), &["k does not exist"]);
}

#[test]
fn a_key_that_expired_stays_expired() {
    let px = || one("k", What::SetPx { value: "a".into(), ms: 5 });
    let rows = |first, second| {
        vec![(1, 0, 1, px(), OK), (2, 2, 3, get(), Some(first)), (2, 4, 5, get(), Some(second))]
    };
    right(rows(text("a"), text("a")));
    right(rows(text("a"), Value::Nil));
    right(rows(Value::Nil, Value::Nil));
    wrong(rows(Value::Nil, text("a")), &["a deadline passes"]);
    // A later SET has no deadline.
    wrong(
        vec![(1, 0, 1, px(), OK), (1, 2, 3, set("b"), OK), (2, 4, 5, get(), Some(Value::Nil))],
        &["would be \"b\""],
    );
}

#[test]
fn an_unknown_write_may_come_late_but_not_early_and_not_twice() {
    let rows = |reads: &[&str]| {
        let mut rows = vec![(1, 0, 1, set("a"), OK), (2, 11, 12, set("b"), None)];
        let reads = reads.iter().zip(5u64..);
        rows.extend(reads.map(|(seen, i)| (3, i * 4 - 15, i * 4 - 14, get(), Some(text(seen)))));
        rows // reads at 5, 9, 13, 17, ...
    };
    right(rows(&["a", "a", "a", "a", "b", "b"]));
    right(rows(&["a", "a", "a", "a", "a", "a"]));
    wrong(rows(&["a", "b"]), &["GET k -> \"b\""]);
    wrong(rows(&["a", "a", "b", "a"]), &["GET k -> \"a\""]);
}

#[test]
fn a_refused_write_never_shows() {
    let mut rows = history(vec![(1, 0, 1, set("a"), OK), (2, 4, 5, get(), Some(text("b")))]);
    let failed = Operation { client: 3, action: set("b"), outcome: Outcome::Fail, start_ns: 2, end_ns: 3 };
    rows.push(failed);
    assert_eq!(check(&rows, Bounds::default()).violations.len(), 1);
}

#[test]
fn a_torn_transaction_is_wrong() {
    let both = |n: i64| transaction(&[("a", What::IncrBy(n)), ("b", What::IncrBy(-n))]);
    let done = |n: i64| Some(Value::Array(vec![Value::Int(n), Value::Int(-n)]));
    let rows = |a: &str, b: &str| {
        let seen = Value::Array(vec![text(a), text(b)]);
        let mget = Action::MGet(vec!["a".into(), "b".into()]);
        vec![(1, 0, 1, both(1), done(1)), (2, 2, 20, both(5), done(6)), (3, 3, 15, mget, Some(seen))]
    };
    right(rows("1", "-1"));
    right(rows("6", "-6"));
    wrong(rows("6", "-1"), &["MGET a b"]);
    // Also when the two halves are read apart.
    let read = |key: &str| one(key, What::Get);
    wrong(
        vec![
            (2, 0, 20, both(5), done(5)),
            (3, 3, 4, read("a"), Some(text("5"))),
            (3, 5, 6, read("b"), Some(Value::Nil)),
        ],
        &["a, b"],
    );
}

#[test]
fn a_watched_transaction_takes_place_on_what_was_read_or_not_at_all() {
    let watched = || transaction(&[("k", What::Watch(1)), ("k", What::Set("c".into()))]);
    let rows = |reply, seen| {
        vec![
            (1, 0, 1, set("a"), OK),
            (2, 2, 3, set("b"), OK),
            (1, 2, 9, watched(), reply),
            (3, 10, 11, get(), Some(text(seen))),
        ]
    };
    right(rows(Some(Value::Nil), "b"));
    right(rows(Some(Value::Array(vec![Value::Ok])), "b")); // before the other
    right(rows(None, "b"));
    wrong(rows(Some(Value::Array(vec![Value::Ok])), "c"), &["WATCH k at version 1"]);
    wrong(rows(None, "c"), &["would be"]);
}

#[test]
fn revisions_never_go_back_and_never_repeat() {
    let getv = || one("k", What::GetV);
    let rows = |second, third| {
        vec![
            (1, 0, 1, set("a"), OK),
            (1, 2, 3, getv(), Some(versioned("a", 1, 7))),
            (1, 4, 5, one("k", What::Del), int(1)),
            (1, 6, 7, set("a"), OK),
            (1, 8, 9, getv(), Some(versioned("a", 1, second))),
            (1, 10, 11, getv(), Some(versioned("a", 1, third))),
        ]
    };
    right(rows(9, 9));
    wrong(rows(7, 7), &["a revision above 7"]);
    wrong(rows(5, 5), &["a revision above 7"]);
    wrong(rows(9, 10), &["revision 9"]);
}

#[test]
fn an_error_of_a_command_tells_the_state_too() {
    let cas = |version| one("k", What::Cas { version, value: "x".into() });
    let error = |text: &str| Some(Value::Error(text.into()));
    let first = || (1, 0, 1, set("a"), OK);
    right(vec![first(), (2, 2, 3, cas(5), error("VERSIONMISMATCH expected 5 found 1"))]);
    right(vec![first(), (2, 2, 3, cas(0), error("KEYEXISTS key exists with version 1"))]);
    right(vec![first(), (2, 2, 3, incr(), error("ERR value is not an integer or out of range"))]);
    wrong(
        vec![first(), (2, 2, 3, cas(5), error("VERSIONMISMATCH expected 5 found 2"))],
        &["version 1 found"],
    );
    wrong(vec![first(), (2, 2, 3, cas(1), error("ERR nothing that a server says"))], &["would be 2"]);
}

#[test]
fn keys_are_judged_apart_and_a_violation_names_the_shortest_wrong_beginning() {
    let mut rows = Vec::new();
    for i in 0..50u64 {
        for key in ["good", "bad"] {
            rows.push((1, 4 * i, 4 * i + 1, one(key, What::IncrBy(1)), int(i as i64 + 1)));
            let seen = if key == "bad" && i >= 20 { i } else { i + 1 };
            rows.push((2, 4 * i + 2, 4 * i + 3, one(key, What::Get), Some(text(&seen.to_string()))));
        }
    }
    let report = judge(rows.clone());
    assert_eq!((report.components, report.violations.len()), (2, 1));
    let violation = &report.violations[0];
    assert_eq!(violation.keys, ["bad".into()]);
    assert_eq!(rows[violation.operation].1, 4 * 20 + 2, "{violation}");
}

#[test]
fn what_is_too_much_work_is_not_called_right() {
    let mut rows = Vec::new();
    for i in 0..40u64 {
        rows.push((i, 0, 1000, set(&i.to_string()), None));
    }
    rows.push((99, 0, 1000, one("k", What::GetV), Some(versioned("7", 39, 1))));
    rows.push((98, 0, 1000, one("k", What::Exists), int(1))); // no judge knows it but the general search
    rows.push((99, 1001, 1002, get(), Some(text("nothing of these"))));
    let report = check(&history(rows), Bounds { memory_bytes: 1 << 20, steps: 1_000_000 });
    assert!(!report.is_linearizable());
    assert_eq!(report.undecided.len(), 1);
    assert!(report.to_string().contains("NOT DECIDED"), "{report}");
}
