//! Databases, encodings and settings over snapshots; what `DEBUG` asks of a machine.

use super::*;
use crate::keyspace::Event;

/// Applies an entry of one command in a database.
fn run(machine: &mut Machine, index: u64, now_ms: u64, db: u32, command: &str) -> Reply {
    let mut body = Vec::new();
    let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
    units::put_command_unit(&mut body, &args, db);
    apply_body(machine, index, now_ms, &body).remove(0)
}

fn ask(machine: &Machine, db: u32, command: &str) -> Reply {
    let args: Args<'_> = command.split(' ').map(str::as_bytes).collect();
    machine.read(&args, db, 0, 0).0
}

fn set_active_expire(machine: &mut Machine, index: u64, value: &str) {
    let mut body = Vec::new();
    units::put_settings_unit(&mut body, &[("active-expire", value.as_bytes())]);
    assert_eq!(apply_body(machine, index, NOW_MS, &body), [Reply::Ok]);
}

/// A machine with something in several databases, two of which were swapped.
fn filled() -> Machine {
    let mut machine = bootstrapped(1);
    for (db, command) in [
        (0, "SET text abc"),
        (0, "SET number 123"),
        (3, "APPEND grown 12"),
        (3, "APPEND grown 3"),
        (15, "INCRBYFLOAT float 3"),
        (15, "SET due 1 PX 5000"),
        (0, "SWAPDB 3 4"),
    ] {
        assert!(!run(&mut machine, 2, NOW_MS, db, command).is_error(), "{command}");
    }
    machine
}

#[test]
fn databases_and_what_clients_see_of_encodings_survive_a_snapshot() {
    let mut machine = filled();
    let watch = |machine: &Machine| machine.watch(3, &[b"grown"], 0).0;
    let chunks = snapshot(&mut machine, |_| ());
    let copy = restore(&chunks, 2).unwrap();
    assert_eq!(copy.state_hash(), machine.state_hash());
    for machine in [&machine, &copy] {
        for (db, key, encoding) in
            [(0, "text", "embstr"), (0, "number", "int"), (4, "grown", "raw"), (15, "float", "embstr")]
        {
            let found = ask(machine, db, &format!("OBJECT ENCODING {key}"));
            assert_eq!(found, Reply::bulk(encoding), "{key}");
        }
        assert_eq!(ask(machine, 3, "DBSIZE"), Reply::Int(0));
        assert_eq!(ask(machine, 15, "PTTL due"), Reply::Int(5000));
    }
    assert_eq!(watch(&copy), watch(&machine));
    // A watch from before the swap fails on the restored one as on the other.
    let watch = Watch { key: b"grown", revision: 0, seen_at: 3, db: 4 };
    assert!(!machine.watches_hold(&[watch]) && !copy.watches_hold(&[watch]));
}

#[test]
fn a_reload_is_a_snapshot_and_a_restart_in_one() {
    let mut machine = filled();
    machine.set_touches(true);
    let hash = machine.state_hash();
    machine.reload().unwrap();
    assert_eq!(machine.state_hash(), hash);
    assert_eq!(ask(&machine, 4, "GET grown"), Reply::bulk("123"));
    machine.snapshot_begin();
    assert!(machine.reload().is_err(), "another snapshot is under way");
    machine.snapshot_abort();
    assert!(machine.reload().is_ok());
}

#[test]
fn keys_that_are_due_wait_while_nothing_removes_them() {
    let mut machine = bootstrapped(1);
    set_active_expire(&mut machine, 2, "no");
    run(&mut machine, 3, NOW_MS, 5, "SET due 1 PX 100");
    assert_eq!(machine.next_deadline(), None, "no entry would do anything about it");
    assert_eq!(run(&mut machine, 4, NOW_MS + 200, 0, "SET other 1"), Reply::Ok);
    assert_eq!(ask(&machine, 5, "DBSIZE"), Reply::Int(1));
    assert_eq!(ask(&machine, 5, "GET due"), Reply::Nil);
    let chunks = snapshot(&mut machine, |_| ());
    assert_eq!(restore(&chunks, 4).unwrap().next_deadline(), None, "it is part of the state");
    set_active_expire(&mut machine, 5, "yes");
    assert_eq!(ask(&machine, 5, "DBSIZE"), Reply::Int(0));
}

#[test]
fn keys_are_made_for_tests() {
    let mut machine = bootstrapped(1);
    run(&mut machine, 2, NOW_MS, 2, "SET p:1 mine");
    assert_eq!(run(&mut machine, 3, NOW_MS, 2, "DEBUG POPULATE 3 p 10"), Reply::Ok);
    assert_eq!(ask(&machine, 2, "DBSIZE"), Reply::Int(3));
    assert_eq!(ask(&machine, 2, "GET p:1"), Reply::bulk("mine"));
    assert_eq!(ask(&machine, 2, "GET p:2"), Reply::bulk("value:2\0\0\0"));
    assert_eq!(run(&mut machine, 4, NOW_MS, 0, "DEBUG POPULATE 1"), Reply::Ok);
    assert_eq!(ask(&machine, 0, "GET key:0"), Reply::bulk("value:0"));
    for refused in [
        "DEBUG POPULATE 1000001",
        "DEBUG POPULATE 1000000 p 1000000",
        "DEBUG POPULATE -1",
        "DEBUG SLEEP 1",
        "DEBUG RELOAD",
    ] {
        assert!(run(&mut machine, 5, NOW_MS, 0, refused).is_error(), "{refused}");
    }
    assert_eq!(machine.keyspace().total_len(), 4);
}

#[test]
fn events_name_the_database() {
    let mut machine = bootstrapped(1);
    machine.set_touches(true);
    machine.take_events();
    run(&mut machine, 2, NOW_MS, 7, "SET k v");
    run(&mut machine, 3, NOW_MS, 7, "MOVE k 8");
    let touched = |event: Event| match event {
        Event::Touched { db, key } => (db, key),
        other => panic!("{other:?}"),
    };
    let events: Vec<_> = machine.take_events().into_iter().map(touched).collect();
    assert_eq!(events, [(7, "k".into()), (8, "k".into()), (7, "k".into())]);
}
