//! What replicas of Redis's protocol are told: the commands themselves, or what they did, and what
//! belongs together. (That it makes them the same is shown by `replicas`.)

use super::*;
use crate::keyspace::Event;

/// What is told of an entry: a line for each thing that was done at once.
fn told(machine: &mut Machine, now_ms: u64, calls: &[&str]) -> Vec<String> {
    apply(machine, 9, now_ms, calls);
    lines(machine)
}

fn lines(machine: &mut Machine) -> Vec<String> {
    let propagated = machine.take_events().into_iter().filter_map(|event| match event {
        Event::Propagated(calls) => Some(calls),
        _ => None,
    });
    let shown = |call: &crate::keyspace::Call| {
        call.args.iter().map(|arg| arg.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
    };
    propagated.map(|calls| calls.iter().map(shown).collect::<Vec<_>>().join(" / ")).collect()
}

fn attached() -> Machine {
    let mut machine = bootstrapped(1);
    machine.set_propagates(true);
    machine.take_events();
    machine
}

#[test]
fn commands_are_told_as_they_are_or_as_what_they_did() {
    let mut machine = attached();
    let at = |ms: u64| NOW_MS + ms;
    for (call, wanted) in [
        ("sEt a 1", "sEt a 1".to_owned()),
        ("SET a 1 NX", String::new()),
        ("SET a 2 XX KEEPTTL GET", "SET a 2 XX KEEPTTL".to_owned()),
        ("SET a 3 GET EX 10", format!("SET a 3 PXAT {}", at(10_000))),
        ("SET a 4 IFEQ 3 KEEPTTL", "SET a 4 KEEPTTL".to_owned()),
        ("SET a 5 IFEQ 3", String::new()),
        ("PSETEX a 100 5", format!("SET a 5 PXAT {}", at(100))),
        ("GETSET a 6", "SET a 6".to_owned()),
        ("EXPIRE a 100 NX", format!("PEXPIREAT a {} NX", at(100_000))),
        ("EXPIRE a 100 NX", String::new()),
        ("GETEX a", String::new()),
        ("GETEX a PX 50", format!("PEXPIREAT a {}", at(50))),
        ("GETEX a PERSIST", "PERSIST a".to_owned()),
        ("GETEX a EXAT 1", "DEL a".to_owned()),
        ("INCRBYFLOAT f 0.5", "SET f 0.5 KEEPTTL".to_owned()),
        ("PEXPIRE f -1", "DEL f".to_owned()),
        ("MSET a 1 b 2", "MSET a 1 b 2".to_owned()),
        ("GETDEL a", "DEL a".to_owned()),
        ("DEL a nosuch", String::new()),
        ("CAS c 0 v PX 7", format!("SET c v PXAT {}", at(7))),
        ("CAD c 1", "DEL c".to_owned()),
        ("DELIFEQ b 2", "DEL b".to_owned()),
        ("ONCE s 1 INCR n", "INCR n".to_owned()),
        ("ONCE s 1 INCR n", String::new()),
        ("INCRBY n x", String::new()),
        ("PUBLISH c m", "PUBLISH c m".to_owned()),
        ("FLUSHALL ASYNC", "FLUSHALL ASYNC".to_owned()),
        ("FLUSHDB", "FLUSHDB".to_owned()),
        ("FLUSHDB x", String::new()),
        ("ACL SETUSER alice on", String::new()),
    ] {
        let wanted: Vec<String> = Some(wanted).filter(|line| !line.is_empty()).into_iter().collect();
        assert_eq!(told(&mut machine, NOW_MS, &[call]), wanted, "{call}");
    }
    let mut body = Vec::new();
    units::put_command_unit(&mut body, &[b"DEBUG", b"POPULATE", b"2", b"k", b"9"], 1);
    apply_body(&mut machine, 10, NOW_MS, &body);
    assert_eq!(lines(&mut machine), [r"SET k:0 value:0\x00\x00 / SET k:1 value:1\x00\x00"]);
}

#[test]
fn what_has_expired_is_deleted_before_what_was_done_without_it() {
    let mut machine = attached();
    told(
        &mut machine,
        NOW_MS,
        &["SET a x PX 10", "SET b y PX 10", "SET c z", "SET d v PX 20", "SET e v PX 20"],
    );
    // A write that meets one, one that only reads one, and one that has been removed by then.
    let calls = ["SET a 1", "BITOP OR c b", "GET d"];
    let wanted = ["DEL a / SET a 1", "DEL b / BITOP OR c b", "DEL b"];
    assert_eq!(told(&mut machine, NOW_MS + 15, &calls), wanted, "it deletes the empty target");
    // Time alone: each by itself, as of things that have nothing to do with each other.
    let mut passed = told(&mut machine, NOW_MS + 20, &[]);
    passed.sort();
    assert_eq!(passed, ["DEL d", "DEL e"]);
}

#[test]
fn what_nothing_removes_is_told_by_who_meets_it() {
    let mut machine = attached();
    let mut body = Vec::new();
    units::put_settings_unit(&mut body, &[("active-expire", b"no")]);
    apply_body(&mut machine, 8, NOW_MS, &body);
    told(&mut machine, NOW_MS, &["SET a x PX 10", "SET b y PX 10"]);
    assert_eq!(told(&mut machine, NOW_MS + 20, &[]), [""; 0]);
    for (call, wanted) in
        [("GET a", &["DEL a"][..]), ("SCAN 0", &["DEL a", "DEL b"]), ("RANDOMKEY", &["DEL a", "DEL b"])]
    {
        let words: Args<'_> = call.split(' ').map(str::as_bytes).collect();
        machine.read(&words, 0, NOW_MS, 1);
        assert_eq!(lines(&mut machine), wanted, "{call}");
    }
}

#[test]
fn a_transaction_is_told_as_one_and_nothing_when_nobody_has_attached() {
    let mut machine = attached();
    let transaction = |calls: &[&str]| {
        let commands: Vec<_> = calls
            .iter()
            .map(|call| units::Command {
                args: call.split(' ').map(str::as_bytes).collect(),
                db: 0,
                caller: None,
            })
            .collect();
        let mut body = Vec::new();
        units::put_transaction_unit(&mut body, &[], &commands);
        body
    };
    for (calls, wanted) in [
        (&["SET a 1", "GET a", "INCR a", "SETNX a 1"][..], &["SET a 1 / INCR a"][..]),
        (&["GET a", "DEL a"], &["DEL a"]),
        (&["GET a", "DEL a"], &[]),
    ] {
        apply_body(&mut machine, 9, NOW_MS, &transaction(calls));
        assert_eq!(lines(&mut machine), wanted);
    }
    machine.set_propagates(false);
    assert_eq!(told(&mut machine, NOW_MS, &["SET a 1", "PUBLISH c m", "SETEX b 1 v"]), [""; 0]);
}
