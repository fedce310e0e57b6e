//! Streams with a group: for each anomaly the shortest history that has it, beside one that is right.

use super::super::{Action, By, Typed, Value};
use super::typed::{NIL, list, on, told};
use super::{int, right, text, wrong};

fn entry(id: &str, element: &str) -> Value {
    Value::Array(vec![text(id), Value::Array(vec![text("e"), text(element)])])
}

fn entries(rows: &[(&str, &str)]) -> Value {
    Value::Array(rows.iter().map(|(id, element)| entry(id, element)).collect())
}

fn log(element: &str) -> Action {
    on("t", Typed::Log(element.into()))
}

fn deliver() -> Action {
    on("t", Typed::Deliver { consumer: 1, count: 1, by: By::Try })
}

fn delivered(rows: &[(&str, &str)]) -> Option<Value> {
    Some(Value::Array(vec![Value::Array(vec![text("t"), entries(rows)])]))
}

fn ack(id: &str) -> Action {
    on("t", Typed::Ack(id.into()))
}

fn claim() -> Action {
    on("t", Typed::Claim { consumer: 2, count: 9 })
}

fn claimed(rows: &[(&str, &str)]) -> Option<Value> {
    Some(Value::Array(vec![text("0-0"), entries(rows), list("")]))
}

fn pending(ids: &[&str]) -> Option<Value> {
    let row = |id: &&str| Value::Array(vec![text(id), text("1"), Value::Int(0), Value::Int(1)]);
    Some(Value::Array(ids.iter().map(row).collect()))
}

#[test]
fn ids_grow_and_entries_stay() {
    let rows = |second, all: &[(&str, &str)]| {
        vec![
            (1, 0, 1, log("a"), told("5-0")),
            (1, 2, 3, log("b"), told(second)),
            (2, 4, 5, on("t", Typed::Logged), Some(entries(all))),
        ]
    };
    right(rows("5-1", &[("5-0", "a"), ("5-1", "b")]));
    wrong(rows("4-9", &[("4-9", "b"), ("5-0", "a")]), &["4-9 is less than 5-0"]);
    wrong(rows("5-1", &[("5-0", "a")]), &["5-1 was there before"]);
    wrong(rows("5-1", &[("5-1", "b")]), &["a hole at 5-0"]);
    wrong(rows("5-1", &[("5-0", "a"), ("5-1", "c")]), &["5-1 was \"b\" before"]);
    wrong(rows("5-1", &[("5-0", "a"), ("5-1", "b"), ("6-0", "b")]), &["\"b\" is there twice"]);
    wrong(rows("5-1", &[("5-0", "a"), ("5-1", "b"), ("6-0", "c")]), &["\"c\" was added by nobody"]);
}

#[test]
fn each_entry_is_handed_out_as_new_once() {
    let rows = |first, second| {
        vec![
            (1, 0, 1, log("a"), told("5-0")),
            (1, 2, 3, log("b"), told("5-1")),
            (2, 4, 5, deliver(), first),
            (3, 6, 7, deliver(), second),
        ]
    };
    let (a, b) = (delivered(&[("5-0", "a")]), delivered(&[("5-1", "b")]));
    right(rows(a.clone(), b.clone()));
    right(rows(None, b.clone()));
    wrong(rows(a.clone(), a.clone()), &["handed out as new before"]);
    wrong(rows(b.clone(), a.clone()), &["5-0 had been passed by"]);
    wrong(rows(b.clone(), NIL), &["5-0 was handed out to nobody"]);
    wrong(rows(NIL, a), &["5-0 was new then"]);
    wrong(rows(NIL, None), &["handed out to nobody"]);
}

#[test]
fn each_entry_is_done_with_once() {
    let one = [("5-0", "a")];
    let rows = |rest: Vec<(u64, u64, u64, Action, Option<Value>)>| {
        let first = [(1, 0, 1, log("a"), told("5-0")), (2, 2, 3, deliver(), delivered(&one))];
        [first.to_vec(), rest].concat()
    };
    let look = || on("t", Typed::Pending);
    right(rows(vec![
        (2, 4, 5, ack("5-0"), int(1)),
        (3, 6, 7, ack("5-0"), int(0)),
        (3, 8, 9, look(), pending(&[])),
    ]));
    wrong(rows(vec![(2, 4, 5, ack("5-0"), int(1)), (3, 6, 7, ack("5-0"), int(1))]), &["acknowledged twice"]);
    wrong(
        rows(vec![(2, 4, 5, ack("5-0"), int(1)), (3, 6, 7, claim(), claimed(&one))]),
        &["5-0 had been acknowledged"],
    );
    wrong(
        rows(vec![(2, 4, 5, ack("5-0"), int(1)), (3, 6, 7, look(), pending(&["5-0"]))]),
        &["had been acknowledged"],
    );
    right(rows(vec![(2, 4, 5, claim(), claimed(&one)), (3, 6, 7, look(), pending(&["5-0"]))]));
    wrong(rows(vec![(3, 6, 7, look(), pending(&[]))]), &["5-0 is lost to the group"]);
    right(rows(vec![(2, 4, 5, ack("5-0"), None), (3, 6, 7, look(), pending(&[]))]));
    wrong(
        vec![(1, 0, 1, log("a"), told("5-0")), (3, 6, 7, claim(), claimed(&one))],
        &["handed out to nobody"],
    );
}
