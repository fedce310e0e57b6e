//! Values that have elements: for each anomaly the shortest history that has it, beside one that is right.

use super::super::{
    Action, Bounds, By, Call, Operation, Outcome, Typed, Value, What, check, read_line, write_line,
};
use super::{history, int, one, right, text, wrong};

fn push(key: &str, element: &str) -> Action {
    one(key, What::Typed(Typed::Push(vec![element.into()])))
}

pub(super) fn on(key: &str, typed: Typed) -> Action {
    one(key, What::Typed(typed))
}

fn range(key: &str) -> Action {
    on(key, Typed::Range)
}

fn pop(key: &str) -> Action {
    on(key, Typed::Pop(By::Try))
}

fn all(calls: &[(&str, Typed)]) -> Action {
    let call = |(key, typed): &(&str, Typed)| Call { key: (*key).into(), what: What::Typed(typed.clone()) };
    Action::Transaction(calls.iter().map(call).collect())
}

fn pushed(element: &str) -> Typed {
    Typed::Push(vec![element.into()])
}

pub(super) fn list(elements: &str) -> Value {
    Value::Array(elements.split_whitespace().map(text).collect())
}

fn seen(elements: &str) -> Option<Value> {
    Some(list(elements))
}

pub(super) fn told(element: &str) -> Option<Value> {
    Some(text(element))
}

pub(super) const NIL: Option<Value> = Some(Value::Nil);

fn ints(numbers: &[i64]) -> Option<Value> {
    Some(Value::Array(numbers.iter().map(|number| Value::Int(*number)).collect()))
}

#[test]
fn lists_grow_in_one_order() {
    let rows = |first, second| {
        vec![
            (1, 0, 9, push("l", "a"), int(1)),
            (2, 0, 9, push("l", "b"), int(2)),
            (3, 1, 8, range("l"), seen(first)),
            (3, 10, 11, range("l"), seen(second)),
        ]
    };
    right(rows("", "a b"));
    right(rows("a", "a b"));
    wrong(rows("b", "a b"), &["no beginning of \"a b\""]);
    wrong(rows("a", "b a"), &["later"]);
    wrong(rows("a", "a b b"), &["\"b\" is there twice"]);
    wrong(rows("a", "a b c"), &["nobody pushed \"c\""]);
}

#[test]
fn an_acknowledged_push_that_is_gone_is_wrong() {
    let rows = |later| vec![(1, 0, 1, push("l", "a"), int(1)), (2, 2, 3, range("l"), seen(later))];
    right(rows("a"));
    wrong(rows(""), &["G-single-realtime", "which does not see"]);
    // One that nobody ever read, and another in its place.
    wrong(vec![(1, 0, 1, push("l", "a"), int(1)), (2, 2, 3, push("l", "b"), int(1))], &["another element"]);
    wrong(vec![(1, 0, 1, push("l", "a"), int(2))], &["nothing can be at 1"]);
}

#[test]
fn a_push_of_unknown_outcome_comes_late_or_never_but_not_twice() {
    let rows = |before, after| {
        vec![
            (1, 4, 5, push("l", "a"), None),
            (2, 0, 1, range("l"), seen(before)),
            (2, 6, 7, range("l"), seen("")),
            (2, 8, 9, range("l"), seen(after)),
        ]
    };
    right(rows("", ""));
    right(rows("", "a"));
    wrong(rows("a", "a"), &["realtime"]);
    wrong(rows("", "a a"), &["twice"]);
    // It may be what lies between two others.
    let unseen = |place| {
        let others = [(1, 0, 1, push("l", "a"), int(1)), (2, 2, 3, push("l", "c"), int(place))];
        [vec![(3, 0, 1, push("l", "b"), None)], others.to_vec()].concat()
    };
    right(unseen(3));
    wrong(unseen(4), &["nothing can be at"]);
}

#[test]
fn a_refused_push_never_shows() {
    let mut rows = history(vec![(1, 0, 1, range("l"), seen("a"))]);
    rows.push(Operation {
        client: 2,
        action: push("l", "a"),
        outcome: Outcome::Fail,
        start_ns: 0,
        end_ns: 1,
    });
    let report = check(&rows, Bounds::default());
    assert!(report.to_string().contains("was refused"), "{report}");
}

#[test]
fn a_stale_read_of_a_list_is_wrong() {
    let rows = |seen_later| {
        vec![
            (1, 0, 9, push("l", "a"), int(1)),
            (2, 1, 2, range("l"), seen("a")),
            (3, 3, 4, range("l"), seen(seen_later)),
        ]
    };
    right(rows("a"));
    wrong(rows(""), &["G-single-realtime"]);
}

#[test]
fn transactions_on_several_lists_have_one_order() {
    // G1c: each reads what the other wrote.
    let both = |at: &str, of: &str| all(&[(at, pushed("a")), (of, Typed::Range)]);
    let replies = |seen: &str| Some(Value::Array(vec![Value::Int(1), list(seen)]));
    let crossed = |first, second| {
        vec![(1, 0, 9, both("x", "y"), replies(first)), (2, 0, 9, both("y", "x"), replies(second))]
    };
    right(crossed("", "a"));
    right(crossed("a", ""));
    wrong(crossed("a", "a"), &["G1c"]);
    // Write skew: neither sees the other.
    wrong(crossed("", ""), &["G2"]);
    // G0: who comes first differs from list to list.
    let write = |element: &str| all(&[("x", pushed(element)), ("y", pushed(element))]);
    let written = |x, y| vec![(1, 0, 9, write("a"), ints(&[1, x])), (2, 0, 9, write("b"), ints(&[2, y]))];
    right(written(1, 2));
    wrong(written(2, 1), &["G0"]);
}

#[test]
fn half_a_transaction_is_wrong() {
    let write = all(&[("x", pushed("a")), ("y", pushed("a"))]);
    let read = all(&[("x", Typed::Range), ("y", Typed::Range)]);
    let rows = |x, y| {
        let seen = Some(Value::Array(vec![list(x), list(y)]));
        vec![(1, 0, 9, write.clone(), ints(&[1, 1])), (2, 1, 8, read.clone(), seen)]
    };
    right(rows("", ""));
    right(rows("a", "a"));
    wrong(rows("a", ""), &["G-single:"]);
    // Between two pushes of one transaction nobody looks.
    let twice = all(&[("x", pushed("a")), ("x", pushed("b"))]);
    let rows = |between| vec![(1, 0, 9, twice.clone(), ints(&[1, 2])), (2, 1, 8, range("x"), seen(between))];
    right(rows("a b"));
    wrong(rows("a"), &["G-single:"]);
    wrong(vec![(1, 0, 9, twice.clone(), ints(&[1, 3]))], &["at 1 of the places"]);
    let aware = all(&[("x", pushed("a")), ("x", Typed::Range)]);
    wrong(
        vec![(1, 0, 1, aware, Some(Value::Array(vec![Value::Int(1), list("")])))],
        &["do not fit each other"],
    );
}

#[test]
fn what_is_taken_is_taken_once() {
    let rows = |first, second| {
        vec![
            (1, 0, 1, push("q", "a"), int(1)),
            (1, 2, 3, push("q", "b"), int(2)),
            (2, 4, 9, pop("q"), first),
            (3, 4, 9, pop("q"), second),
            (4, 10, 11, pop("q"), NIL),
        ]
    };
    right(rows(told("a"), told("b")));
    right(rows(told("b"), told("a")));
    wrong(rows(told("a"), told("a")), &["\"a\" was taken twice"]);
    wrong(rows(told("a"), NIL), &["\"b\" is lost"]);
    wrong(rows(told("a"), told("c")), &["\"c\" was added by nobody"]);
    right(rows(told("a"), None));
    right(rows(None, None));
}

#[test]
fn what_nobody_took_is_there() {
    let rows = |pops: &[Option<Value>], left: &str| {
        let mut rows = vec![(1, 0, 1, push("q", "a"), int(1)), (1, 2, 3, push("q", "b"), int(2))];
        rows.extend(pops.iter().map(|told| (2, 4, 5, pop("q"), told.clone())));
        rows.push((3, 8, 9, range("q"), seen(left)));
        rows
    };
    right(rows(&[told("a")], "b"));
    wrong(rows(&[told("a")], ""), &["\"b\" is lost"]);
    wrong(rows(&[told("a")], "a b"), &["\"a\" had been taken before"]);
    right(rows(&[told("a"), None], ""));
    right(rows(&[None], "b"));
    wrong(rows(&[None], ""), &["is lost"]); // a pop takes one
    wrong(rows(&[told("b")], "a"), &["\"b\" left, and \"a\" had come before it"]);
    wrong(rows(&[None], "b a"), &["\"a\" had come before others", "LRANGE"]);
}

#[test]
fn a_loss_needs_a_pop_that_began_before() {
    let rows = |begun| {
        vec![
            (1, 0, 1, push("q", "a"), int(1)),
            (3, 4, 5, range("q"), seen("")),
            (2, begun, 20, pop("q"), None),
        ]
    };
    right(rows(3));
    wrong(rows(7), &["\"a\" is lost"]);
}

#[test]
fn sets_give_each_member_once() {
    let add = |members: &[&str]| on("s", Typed::Add(members.iter().map(|m| (*m).into()).collect()));
    let rows = |drawn, left| {
        vec![
            (1, 0, 1, add(&["a", "b"]), int(2)),
            (2, 2, 3, on("s", Typed::Draw), drawn),
            (2, 4, 5, on("s", Typed::Members), seen(left)),
        ]
    };
    right(rows(told("b"), "a"));
    right(rows(told("a"), "b"));
    wrong(rows(told("b"), "a b"), &["had been taken"]);
    wrong(rows(told("b"), ""), &["\"a\" is lost"]);
    wrong(rows(NIL, "a b"), &["was there before and after"]);
    wrong(vec![(1, 0, 1, add(&["a"]), int(0))], &["no such command is answered"]);
}

#[test]
fn the_least_is_taken_first() {
    let add = |score, element: &str| on("z", Typed::Rank { score, element: element.into() });
    let least = |by| on("z", Typed::PopLeast(by));
    let rows = |told: &[&str], left: &str| {
        vec![
            (1, 0, 1, add(5, "a"), int(1)),
            (1, 2, 3, add(3, "b"), int(1)),
            (2, 4, 5, least(if told.len() == 3 { By::Wait } else { By::Try }), seen(&told.join(" "))),
            (2, 6, 7, on("z", Typed::Ranked), seen(left)),
        ]
    };
    right(rows(&["b", "3"], "a"));
    right(rows(&["z", "b", "3"], "a"));
    // What is a number, and not a score.
    right(vec![
        (1, 0, 1, push("q", "7"), int(1)),
        (2, 2, 3, on("q", Typed::Pop(By::Wait)), seen("q 7")),
        (2, 4, 5, range("q"), seen("")),
    ]);
    wrong(rows(&["a", "5"], "b"), &["\"b\" was less than \"a\""]);
    wrong(rows(&["b", "3"], ""), &["\"a\" is lost"]);
    wrong(
        vec![
            (1, 0, 1, add(5, "a"), int(1)),
            (1, 2, 3, add(3, "b"), int(1)),
            (2, 4, 5, on("z", Typed::Ranked), seen("a b")),
        ],
        &["order of their scores"],
    );
}

#[test]
fn what_is_moved_is_at_one_place() {
    let move_ = |by| on("x", Typed::Move { to: "y".into(), by });
    let look = || all(&[("x", Typed::Range), ("y", Typed::Range)]);
    let rows = |moved: Option<Value>, x: &str, y: &str| {
        vec![
            (1, 0, 1, push("x", "a"), int(1)),
            (2, 2, 9, move_(By::Script), moved),
            (3, 4, 5, look(), Some(Value::Array(vec![list(x), list(y)]))),
            (3, 10, 11, look(), Some(Value::Array(vec![list(""), list("a")]))),
        ]
    };
    right(rows(told("a"), "a", ""));
    right(rows(told("a"), "", "a"));
    right(rows(None, "", "a"));
    wrong(rows(told("a"), "a", "a"), &["at two keys"]);
    wrong(rows(told("a"), "", ""), &["half moved"]);
    wrong(rows(NIL, "a", ""), &["\"a\" was"]);
    wrong(
        vec![
            (1, 0, 1, push("x", "a"), int(1)),
            (2, 2, 3, move_(By::Wait), told("a")),
            (3, 4, 5, on("y", Typed::Pop(By::Try)), told("a")),
            (3, 6, 7, on("y", Typed::Pop(By::Try)), told("a")),
        ],
        &["taken twice"],
    );
    wrong(
        vec![
            (1, 0, 1, push("x", "a"), int(1)),
            (3, 4, 5, on("y", Typed::Pop(By::Try)), told("a")),
            (2, 7, 8, move_(By::Try), None),
        ],
        &["moved by nobody"],
    );
}

#[test]
fn lines_keep_what_is_done_to_elements() {
    let typed = [
        pushed("a"),
        Typed::Push(vec!["a".into(), "b".into()]),
        Typed::Range,
        Typed::Add(vec!["1".into()]),
        Typed::Draw,
        Typed::Members,
        Typed::Rank { score: -3, element: "e".into() },
        Typed::Ranked,
        Typed::Log("e".into()),
        Typed::Logged,
        Typed::Ack("5-0".into()),
        Typed::Claim { consumer: 3, count: 4 },
        Typed::Pending,
    ];
    let by = [By::Try, By::Wait, By::Script].into_iter().flat_map(|by| {
        let deliver = Typed::Deliver { consumer: 1, count: 2, by };
        [Typed::Pop(by), Typed::Move { to: "y".into(), by }, Typed::PopLeast(by), deliver]
    });
    for typed in typed.into_iter().chain(by) {
        for action in [on("k", typed.clone()), all(&[("k", typed)])] {
            let outcome = Outcome::Ok(Value::Nil);
            let operation = Operation { client: 1, action, outcome, start_ns: 0, end_ns: 1 };
            assert_eq!(read_line(&write_line(&operation)).expect("a line of ours"), operation);
        }
    }
}

#[test]
fn what_no_judge_knows_together_is_not_called_right() {
    let rows = vec![(1, 0, 1, on("k", Typed::Log("a".into())), told("5-0")), (1, 2, 3, pop("k"), NIL)];
    let report = check(&history(rows), Bounds::default());
    assert_eq!((report.violations.len(), report.undecided.len()), (0, 1), "{report}");
}
