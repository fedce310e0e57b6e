//! Client sessions as part of the machine: in transactions, in snapshots, in time.

use super::*;
use crate::command::Audience;

/// `ONCE session seq ...` as they come, numbered per session.
fn once(machine: &mut Machine, index: u64, calls: &[&str]) -> Vec<Reply> {
    apply(machine, index, NOW_MS, calls)
}

fn status(machine: &Machine, session: &str) -> Reply {
    let args: Args<'_> = [b"ONCE".as_slice(), b"STATUS", session.as_bytes()].into_iter().collect();
    machine.read(&args, 0, 0, 0).0
}

#[test]
fn a_number_is_applied_once_in_one_entry_or_in_several() {
    let mut machine = bootstrapped(1);
    assert_eq!(
        once(&mut machine, 2, &["ONCE s 1 INCR k", "ONCE s 1 INCR k"]),
        [Reply::Int(1), Reply::Int(1)]
    );
    assert_eq!(
        once(&mut machine, 3, &["ONCE s 1 INCR k", "ONCE s 2 INCR k"]),
        [Reply::Int(1), Reply::Int(2)]
    );
    let late = once(&mut machine, 4, &["ONCE s 1 INCR k", "FLUSHALL", "ONCE s 2 INCR k"]);
    assert_eq!(late, [Reply::Int(1), Reply::Ok, Reply::Int(2)], "no key, and no flush, is asked");
    assert_eq!(get(&machine, "k"), Reply::Nil);
}

#[test]
fn the_repetition_of_a_transaction_changes_nothing() {
    let mut machine = bootstrapped(1);
    let command =
        |args: &[&'static [u8]]| units::Command { args: args.iter().copied().collect(), db: 0, caller: None };
    let commands = [
        command(&[b"ONCE", b"s", b"1", b"INCR", b"a"]),
        command(&[b"ONCE", b"s", b"2", b"INCR", b"b"]),
        command(&[b"ONCE", b"s", b"2", b"INCR", b"b"]),
    ];
    let mut body = Vec::new();
    units::put_transaction_unit(&mut body, &[], &commands);
    let replies = Reply::Array(vec![Reply::Int(1); 3]);
    assert_eq!(apply_body(&mut machine, 2, NOW_MS, &body), std::slice::from_ref(&replies));
    assert_eq!(apply_body(&mut machine, 3, NOW_MS, &body), [replies]);
    assert_eq!((get(&machine, "a"), get(&machine, "b")), (Reply::bulk("1"), Reply::bulk("1")));

    // One that does not take place uses up no number.
    let watch = Watch { key: b"a", revision: 99, seen_at: 99, db: 0 };
    let mut body = Vec::new();
    units::put_transaction_unit(&mut body, &[watch], &[command(&[b"ONCE", b"s", b"3", b"INCR", b"a"])]);
    assert_eq!(apply_body(&mut machine, 4, NOW_MS, &body), [Reply::NilArray]);
    assert_eq!(once(&mut machine, 5, &["ONCE s 3 INCR a"]), [Reply::Int(2)]);
}

#[test]
fn a_snapshot_holds_the_sessions_of_its_beginning_while_they_change() {
    let mut machine = bootstrapped(1);
    for i in 0..200 {
        apply(&mut machine, 2 + i, NOW_MS + i, &[&format!("ONCE s{i:03} 5 SET k{i} {i} GET")]);
    }
    let at_begin = machine.state_hash();
    let mut index = 300;
    let chunks = snapshot(&mut machine, |machine| {
        // Early and late names, those that are there, new ones, and some that end.
        index += 1;
        let i = (index * 37) % 200;
        let calls = [
            format!("ONCE s{i:03} {} APPEND k{i} x", index),
            format!("ONCE s{:03} 5 INCR never", (i + 50) % 200),
            format!("ONCE new{i} 1 INCR n"),
            format!("ONCE a{i} 1 INCR n"),
        ];
        apply(machine, index, NOW_MS + 100 * index, &calls.each_ref().map(String::as_str));
        let end_ms = machine.clock_ms() - 1000;
        machine.state.sessions.end_idle(end_ms + limits::SESSION_IDLE_MS, 2);
    });
    assert_ne!(machine.state_hash(), at_begin);
    assert_ne!(machine.sessions().len(), 200);
    let restored = restore(&chunks, 300).unwrap();
    assert_eq!((restored.state_hash(), restored.sessions().len()), (at_begin, 200));

    // The chunks behind the first are of sessions: without one of them it is no machine.
    assert!(restore(&[chunks[..1].to_vec(), chunks[2..].to_vec()].concat(), 300).is_none(), "one less");
    let twice = [chunks[..2].to_vec(), chunks[1..].to_vec()].concat();
    assert!(restore(&twice, 300).is_none(), "one twice");
    assert!(restore(&chunks[1..], 300).is_none(), "before the first");
    for at in 0..chunks[1].len() {
        let mut damaged = chunks.clone();
        damaged[1][at] ^= 0x41;
        restore(&damaged, 300); // whatever comes of it, nothing fails
    }
}

#[test]
fn a_restored_machine_answers_a_repetition_as_the_others_do() {
    let mut machine = bootstrapped(1);
    let calls = [
        "ONCE s 1 INCR k",
        "ONCE s 2 INCR k",
        "ONCE s 4 GETV k",
        "ONCE s 5 GETV none",
        "ONCE s 6 CAS k 9 v",
        "ONCE t 1 GET none",
    ];
    let first = once(&mut machine, 2, &calls);
    let chunks = snapshot(&mut machine, |_| {});
    let mut restored = restore(&chunks, 2).unwrap();
    assert_eq!(status(&machine, "s"), status(&restored, "s"));
    for machine in [&mut machine, &mut restored] {
        assert_eq!(once(machine, 3, &calls), first);
        let stale = once(machine, 4, &["ONCE s 3 INCR k"]);
        assert!(matches!(&stale[0], Reply::Error(text) if text.starts_with("STALESEQ 3 ")), "{stale:?}");
        assert_eq!(once(machine, 5, &["ONCE s 7 INCR k"]), [Reply::Int(3)]);
    }
    assert_eq!(machine.state_hash(), restored.state_hash());
}

#[test]
fn a_reply_that_is_too_long_is_not_kept_and_the_command_not_repeated() {
    let mut machine = bootstrapped(1);
    let value = "x".repeat(limits::SESSION_REPLY_BYTES);
    apply(&mut machine, 2, NOW_MS, &[&format!("SET k {value}")]);
    let calls = ["ONCE s 1 SET k short GET", "ONCE s 1 SET k short GET", "GET k"];
    let replies = once(&mut machine, 3, &calls);
    assert_eq!((&replies[0], &replies[2]), (&Reply::bulk(value), &Reply::bulk("short")));
    assert!(matches!(&replies[1], Reply::Error(text) if text.starts_with("REPLYTOOLONG 1 ")), "{replies:?}");
    let chunks = snapshot(&mut machine, |_| {});
    let mut restored = restore(&chunks, 3).unwrap();
    assert_eq!(once(&mut restored, 4, &["ONCE s 1 SET k short GET"]), [replies[1].clone()]);
    assert!(matches!(status(&restored, "s"), Reply::Map(fields) if fields[1].1 == Reply::Array(Vec::new())));
}

#[test]
fn sessions_end_with_the_logs_clock_some_an_entry() {
    let mut machine = bootstrapped(1);
    let count = 2 * limits::SESSIONS_ENDED_PER_ENTRY + 10;
    for i in 0..count {
        apply(&mut machine, 2 + i as u64, NOW_MS, &[&format!("ONCE s{i} 1 INCR k")]);
    }
    let end_ms = NOW_MS + limits::SESSION_IDLE_MS;
    apply(&mut machine, 1000, end_ms - 1, &["ONCE s7 1 INCR k"]);
    assert_eq!(machine.sessions().len(), count);
    apply(&mut machine, 1001, end_ms, &[]);
    assert_eq!(machine.sessions().len(), count - limits::SESSIONS_ENDED_PER_ENTRY);
    assert!((0..count).all(|i| i == 7 || status(&machine, &format!("s{i}")) == Reply::NilArray));
    apply(&mut machine, 1002, end_ms, &[]);
    apply(&mut machine, 1003, end_ms, &[]);
    assert_eq!(machine.sessions().len(), 1);
    assert_eq!(apply(&mut machine, 1004, end_ms, &["ONCE s7 1 INCR k"]), [Reply::Int(8)], "in use all along");
    assert_eq!(apply(&mut machine, 1005, end_ms, &["ONCE s8 1 INCR k"]), [Reply::Int(count as i64 + 1)]);
}

#[test]
fn sessions_are_part_of_the_state() {
    let hash = |calls: &[&str]| {
        let mut machine = bootstrapped(1);
        once(&mut machine, 2, calls);
        machine.state_hash()
    };
    let base = hash(&["ONCE s 1 SET k v"]);
    assert_eq!(base, hash(&["ONCE s 1 SET k v"]));
    for other in [&["SET k v"][..], &["ONCE t 1 SET k v"], &["ONCE s 2 SET k v"], &["ONCE s 1 CAS k 0 v"]] {
        assert_ne!(base, hash(other), "{other:?}");
    }
}

#[cfg(feature = "mutants")]
#[test]
fn a_build_that_runs_a_number_every_time_is_seen() {
    use crate::mutant::{Mutant, set};
    set(Some(Mutant::OnceEveryTime));
    let mut machine = bootstrapped(1);
    let replies = once(&mut machine, 2, &["ONCE s 1 INCR k", "ONCE s 1 INCR k"]);
    set(None);
    assert_eq!(replies, [Reply::Int(1), Reply::Int(2)]);
}

#[test]
fn what_a_script_answers_is_kept_where_nobody_else_hears_it() {
    let calls = [
        &[b"ONCE".as_slice(), b"s", b"1", b"EVAL", b"redis.call('SET', 'k', 1) return {7, 'x'}", b"0"][..],
        &[b"EVAL".as_slice(), b"return redis.call('INCR', 'k')", b"0"],
    ];
    let carried_out_for = |audience| {
        let mut machine = bootstrapped(1);
        machine.set_audience(audience);
        machine.take_events();
        let mut body = Vec::new();
        calls.iter().for_each(|call| units::put_command_unit(&mut body, call, 0));
        machine.begin_entry(2, NOW_MS);
        for unit in Units::new(&body) {
            machine.execute(&unit.unwrap());
        }
        machine.end_entry();
        let told = machine.take_events().into_iter();
        let scripts = told.filter(|event| matches!(event, crate::keyspace::Event::Scripted(_))).count();
        (machine, scripts)
    };
    let (mut of_caller, told) = carried_out_for(Audience::Caller);
    let (mut of_another, told_nobody) = carried_out_for(Audience::Nobody);
    assert_eq!((told, told_nobody), (2, 1), "the kept answer may have a caller, the other has none");
    assert_eq!(of_caller.state_hash(), of_another.state_hash());
    assert_eq!(get(&of_another, "k"), Reply::bulk(b"2"));
    let kept = Reply::Array(vec![Reply::Int(7), Reply::bulk(b"x")]);
    for machine in [&mut of_caller, &mut of_another] {
        assert_eq!(once(machine, 3, &["ONCE s 1 GET k"])[0], kept);
    }
}
