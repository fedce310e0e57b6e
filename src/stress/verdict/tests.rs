//! Runs that are wrong, each in one way, and the check that says so.

use super::super::record::{Ended, Final, Judged, Run, Verdict};
use super::super::sample::{end, operation, run};
use super::super::{results, summary};
use super::*;
use crate::history::{Value, What};

const KEY: &str = "stress:7:key1";

fn set(value: &str, ms: [u64; 2]) -> Operation {
    operation(1, KEY, What::Set(value.into()), Some(Value::Ok), ms)
}

fn cas(version: u64, value: &str, ms: [u64; 2]) -> Operation {
    let reply = Some(Value::Int(version as i64 + 1));
    operation(2, KEY, What::Cas { version, value: value.into() }, reply, ms)
}

fn unknown(mut operation: Operation) -> Operation {
    operation.outcome = Outcome::Unknown;
    operation
}

fn incr(value: i64, ms: [u64; 2]) -> Operation {
    operation(3, "stress:7:key1:n", What::IncrBy(1), Some(Value::Int(value)), ms)
}

fn append(token: &str, length: i64, ms: [u64; 2]) -> Operation {
    operation(4, "stress:7:key1:log", What::Append(token.into()), Some(Value::Int(length)), ms)
}

fn judged(verdict: &Verdict, name: &str) -> Judged {
    verdict.checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("no {name}")).judged
}

#[track_caller]
fn is_ok(run: &Run) -> Verdict {
    let verdict = judge(run);
    assert!(verdict.is_ok(), "{}", summary::text(run, &verdict));
    verdict
}

/// Not ok, by all these checks, and each says something of it.
#[track_caller]
fn is_wrong(history: Vec<Operation>, finals: Vec<Final>, checks: &[&str], said: &str) {
    let run = run(history, finals);
    let verdict = judge(&run);
    let text = summary::text(&run, &verdict);
    assert!(!verdict.is_ok() && text.contains("verdict not ok"), "{text}");
    for check in checks {
        assert_eq!(judged(&verdict, check), Judged::NotOk, "{check}:\n{text}");
        assert!(verdict.findings.iter().any(|finding| finding.check == *check), "{check}:\n{text}");
    }
    assert!(text.contains(said), "{said:?} is not in\n{text}");
}

#[test]
fn a_run_of_which_all_is_there_is_ok() {
    let (one, two) = ("00001-000000001;", "00001-000000002;");
    let history = vec![
        cas(0, "a", [0, 5]),
        set("b", [6, 9]),
        unknown(set("c", [6, 9])),
        cas(2, "d", [20, 30]),
        incr(1, [0, 5]),
        unknown(incr(0, [6, 7])),
        incr(3, [8, 9]),
        append(one, 16, [0, 5]),
        append(two, 32, [6, 9]),
    ];
    let log = [one, two].concat();
    let finals = vec![
        end(KEY, Some("d"), Some(3)),
        end("stress:7:key1:n", Some("3"), Some(3)),
        end("stress:7:key1:log", Some(&log), None),
    ];
    let run = run(history, finals);
    let verdict = is_ok(&run);
    assert!(verdict.checks.iter().all(|check| check.judged == Judged::Ok), "{:?}", verdict.checks);
    let text = summary::text(&run, &verdict);
    assert!(text.contains("3 on 1 keys: 1 are there in the end, 2 were followed by another"), "{text}");
    assert!(text.trim_end().lines().last().is_some_and(|line| line.starts_with("verdict ok: ")), "{text}");
}

#[test]
fn a_write_that_is_gone_is_found() {
    let gone = vec![end(KEY, Some("a"), Some(1))];
    let all = &["acknowledged writes", "versions", "linearizability"];
    is_wrong(
        vec![cas(0, "a", [0, 5]), set("b", [6, 9])],
        gone.clone(),
        all,
        "SET \"b\", acknowledged at 0.009 s",
    );
    is_wrong(vec![set("b", [6, 9])], vec![end(KEY, None, Some(0))], all, "is gone, and nobody deleted it");
    is_wrong(vec![], gone, &["linearizability"], "the reply would be nil");
    let strange = vec![end(KEY, Some("x"), Some(1))];
    is_wrong(
        vec![set("a", [0, 5])],
        strange,
        &["acknowledged writes", "linearizability"],
        "which nobody wrote",
    );
    // A write of unknown outcome, or a deletion, may have come after it.
    is_ok(&run(vec![set("b", [6, 9]), unknown(set("c", [0, 5]))], vec![end(KEY, Some("c"), Some(2))]));
    let delete = operation(3, KEY, What::Del, None, [1, 2]);
    let deleted = is_ok(&run(vec![set("b", [6, 9]), delete], vec![end(KEY, None, Some(0))]));
    assert_eq!(judged(&deleted, "versions"), Judged::NotApplicable);
}

#[test]
fn a_version_that_two_writes_made_is_found() {
    let both = vec![cas(0, "a", [0, 5]), cas(0, "b", [0, 5])];
    is_wrong(both, vec![end(KEY, Some("b"), Some(1))], &["versions", "linearizability"], "was given twice");
}

#[test]
fn a_write_that_took_place_twice_is_found() {
    let finals = vec![end(KEY, Some("b"), Some(3))];
    let history = vec![cas(0, "a", [0, 5]), set("b", [6, 9])];
    is_wrong(
        history.clone(),
        finals.clone(),
        &["versions", "linearizability"],
        "1 took place more than once",
    );
    // Unless something else can have made the version.
    is_ok(&run([history, vec![unknown(set("c", [0, 1]))]].concat(), finals));

    let count = |value: &str| vec![end("stress:7:key1:n", Some(value), None)];
    let history = || vec![incr(1, [0, 5]), unknown(incr(0, [6, 9]))];
    is_wrong(history(), count("3"), &["counters", "linearizability"], "some took place more than once");
    is_wrong(history(), vec![end("stress:7:key1:n", None, None)], &["counters"], "some are lost");
    is_wrong(vec![incr(1, [0, 5]), incr(1, [6, 9])], count("2"), &["counters"], "two increments were told 1");
    is_ok(&run(history(), count("1")));
    is_ok(&run(history(), count("2")));
}

#[test]
fn a_token_that_is_there_twice_or_not_at_all_is_found() {
    let (one, two) = ("00001-000000001;", "00001-000000002;");
    let log = |tokens: &[&str]| vec![end("stress:7:key1:log", Some(&tokens.concat()), None)];
    let all = &["appended tokens", "linearizability"];
    is_wrong(vec![append(one, 16, [0, 5])], log(&[one, one]), all, "is there 2 times");
    let both = || vec![append(one, 16, [0, 5]), append(two, 32, [6, 9])];
    is_wrong(both(), log(&[one]), all, "is not there");
    is_wrong(vec![append(one, 16, [0, 5])], log(&[one, two]), all, "which nobody appended");
}

#[test]
fn what_says_nothing_is_not_decided() {
    let nothing = judge(&run(vec![], vec![]));
    assert!(!nothing.is_ok() && nothing.findings.is_empty());
    let mut broken = run(vec![set("a", [0, 5])], vec![end(KEY, Some("a"), Some(1))]);
    is_ok(&broken);
    broken.ended = Ended::BrokeOff("no server answers".into());
    let text = summary::text(&broken, &judge(&broken));
    assert!(text.contains("verdict not decided") && text.contains("no server answers"), "{text}");
    // A key that nobody could read in the end.
    let unread = run(vec![set("a", [0, 5])], vec![]);
    let text = summary::text(&unread, &judge(&unread));
    assert!(text.contains("verdict not decided") && text.contains(KEY), "{text}");
}

#[test]
fn a_server_without_versions_is_judged_by_values() {
    let mut run = run(vec![set("a", [0, 5]), set("b", [6, 9])], vec![end(KEY, Some("b"), None)]);
    run.has_versions = false;
    assert_eq!(judged(&is_ok(&run), "versions"), Judged::NotApplicable);
    run.finals = vec![end(KEY, Some("a"), None)];
    assert!(!judge(&run).is_ok());
}

#[test]
fn the_file_has_the_whole_history() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("history.jsonl");
    let run = run(vec![set("a", [0, 5]), incr(1, [1, 2])], vec![end(KEY, Some("a"), Some(1))]);
    results::write_history(&run, &path).expect("written");
    let text = std::fs::read_to_string(&path).expect("a file");
    let read: Result<Vec<_>, _> = text.lines().map(history::read_line).collect();
    assert_eq!(read.expect("operations"), [&run.history[..], &[run.finals[0].read.clone()]].concat());
    let error = results::write_report(&run, &judge(&run), &dir.path().join("no/where.html"));
    assert!(error.expect_err("no directory").to_string().contains("where.html"));
}
