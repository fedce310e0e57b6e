//! What a link tells the state: once, in order, and of one link at a time.

use super::replicas::follower::Follower;
use super::*;
use crate::keyspace::Event;
use crate::wire::units::{Command, LoadedKey, Step, Upstream, put_upstream_unit};

/// A string as an RDB file has it.
fn plain(text: &str) -> Vec<u8> {
    [&[0, text.len() as u8], text.as_bytes()].concat()
}

fn tell(machine: &mut Machine, unit: &Upstream<'_>) -> Reply {
    let mut body = Vec::new();
    put_upstream_unit(&mut body, unit);
    let now_ms = machine.clock_ms();
    apply_body(machine, 9, now_ms, &body).remove(0)
}

fn is_over(reply: &Reply) -> bool {
    matches!(reply, Reply::Error(text) if text.starts_with("NOLINK "))
}

fn followed(machine: &Machine) -> &crate::command::Source {
    machine.upstream().source().expect("something is followed")
}

fn take_over(machine: &mut Machine) -> u64 {
    let session = followed(machine).session;
    match tell(machine, &Upstream::new(session, Step::TAKE)) {
        Reply::Int(token) => token as u64,
        reply => panic!("{reply:?}"),
    }
}

fn load(machine: &mut Machine, session: u64, from: u64, keys: &[(&str, &str, u64)]) -> Reply {
    let values: Vec<_> = keys.iter().map(|(_, value, _)| plain(value)).collect();
    let keys = keys.iter().zip(&values).map(|((key, _, deadline_ms), value)| LoadedKey {
        key: key.as_bytes(),
        value,
        deadline_ms: *deadline_ms,
        db: 0,
        continues: false,
    });
    tell(machine, &Upstream { from, keys: keys.collect(), ..Upstream::new(session, Step::KEYS) })
}

fn loaded(machine: &mut Machine, session: u64, from: u64, to: u64) -> Reply {
    tell(machine, &Upstream { from, to, text: "history", ..Upstream::new(session, Step::LOADED) })
}

fn obey(machine: &mut Machine, session: u64, from: u64, to: u64, commands: &[&str]) -> Reply {
    let args = |line: &&'static str| line.split(' ').map(str::as_bytes).collect();
    let lines: Vec<&'static str> = commands.iter().map(|line| &*line.to_string().leak()).collect();
    let commands = lines.iter().map(|line| Command { args: args(line), db: 0, caller: None }).collect();
    tell(machine, &Upstream { from, to, commands, ..Upstream::new(session, Step::COMMANDS) })
}

/// A machine that follows, its state at offset 100 of a copy with these keys.
fn following(keys: &[(&str, &str, u64)]) -> (Machine, u64) {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET own 1", "REPLICAOF up 6379"]);
    let session = take_over(&mut machine);
    assert_eq!(tell(&mut machine, &Upstream::new(session, Step::LOAD)), Reply::Ok);
    assert_eq!(load(&mut machine, session, 0, keys), Reply::Ok);
    assert_eq!(loaded(&mut machine, session, keys.len() as u64, 100), Reply::Ok);
    (machine, session)
}

#[test]
fn nothing_counts_twice_or_out_of_its_place() {
    let (mut machine, session) = following(&[("n", "5", 0)]);
    assert_eq!(get(&machine, "own"), Reply::Nil);
    assert_eq!(obey(&mut machine, session, 100, 120, &["INCR n", "SET m 1"]), Reply::Ok);
    for (from, to) in [(100, 120), (121, 140), (0, 120), (120, 119)] {
        assert!(is_over(&obey(&mut machine, session, from, to, &["INCR n"])), "{from} to {to}");
    }
    assert!(is_over(&load(&mut machine, session, 1, &[("x", "x", 0)])), "no copy is under way");
    assert!(is_over(&loaded(&mut machine, session, 1, 7)));
    let newer = take_over(&mut machine);
    assert!(is_over(&obey(&mut machine, session, 120, 130, &["INCR n"])), "of a link that is over");
    assert!(is_over(&tell(&mut machine, &Upstream::new(session, Step::LOAD))));
    assert!(is_over(&tell(&mut machine, &Upstream::new(session, Step::TAKE))));
    let goes_on = Upstream { text: "history2", ..Upstream::new(newer, Step::CONTINUE) };
    assert_eq!(tell(&mut machine, &goes_on), Reply::Ok);
    assert_eq!((followed(&machine).replid.as_str(), followed(&machine).offset), ("history2", 120));
    assert_eq!(obey(&mut machine, newer, 120, 130, &["INCR n"]), Reply::Ok);
    assert_eq!(get(&machine, "n"), Reply::bulk("7"));
    apply(&mut machine, 3, NOW_MS, &["REPLICAOF NO ONE", "SET n 0"]);
    assert!(is_over(&obey(&mut machine, newer, 130, 140, &["INCR n"])));
    apply(&mut machine, 4, NOW_MS, &["REPLICAOF up 6379"]);
    assert!(is_over(&obey(&mut machine, newer, 130, 140, &["INCR n"])), "tokens are never used again");
    assert!(followed(&machine).replid.is_empty(), "what was written here is not of that history");
    assert_eq!(get(&machine, "n"), Reply::bulk("0"));
}

#[test]
fn libraries_of_functions_come_with_a_copy_and_go_with_the_next() {
    let mut machine = bootstrapped(1);
    let library = |name: &str| {
        format!("#!lua name={name}\nredis.register_function('{name}', function() return '{name}' end)")
    };
    let mut body = Vec::new();
    units::put_command_unit(&mut body, &[b"FUNCTION", b"LOAD", library("own").as_bytes()], 0);
    apply_body(&mut machine, 2, NOW_MS, &body);
    apply(&mut machine, 3, NOW_MS, &["REPLICAOF up 6379"]);
    let session = take_over(&mut machine);
    let copy = |machine: &mut Machine, from: u64, texts: &[String]| {
        let args = |text: &'static str| [&b"FUNCTION"[..], b"LOAD", text.as_bytes()].into_iter().collect();
        let commands =
            texts.iter().map(|text| Command { args: args(text.clone().leak()), ..Command::default() });
        tell(machine, &Upstream { from, commands: commands.collect(), ..Upstream::new(session, Step::KEYS) })
    };
    let call = |machine: &Machine, name: &str| {
        machine.read(&[&b"FCALL_RO"[..], name.as_bytes(), b"0"].into_iter().collect(), 0, NOW_MS, 1).0
    };
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    let read_only = "#!lua name=b\nredis.register_function{function_name='b', flags={'no-writes'}, callback=function() return 'b' end}";
    assert_eq!(copy(&mut machine, 0, &[library("a"), read_only.to_owned()]), Reply::Ok);
    assert_eq!(load(&mut machine, session, 2, &[("k", "v", 0)]), Reply::Ok);
    assert_eq!(loaded(&mut machine, session, 3, 100), Reply::Ok);
    assert_eq!(call(&machine, "b"), Reply::bulk("b"));
    assert!(matches!(call(&machine, "own"), Reply::Error(text) if text == "ERR Function not found"));
    // What does not run here ends the copy.
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    let reply = copy(&mut machine, 0, &["#!lua name=c\nerror('no')".to_owned()]);
    assert!(
        matches!(&reply, Reply::Error(text) if text.starts_with("UPSTREAM a FUNCTION|LOAD")),
        "{reply:?}"
    );
    apply(&mut machine, 4, NOW_MS, &["REPLICAOF NO ONE"]);
    assert!(call(&machine, "b").is_error());
}

#[test]
fn clients_only_read_and_see_no_part_of_a_copy() {
    let mut machine = bootstrapped(1);
    let error = |code: &str, reply: &Reply| matches!(reply, Reply::Error(text) if text.starts_with(code));
    apply(&mut machine, 2, NOW_MS, &["SET own 1", "REPLICAOF up 6379"]);
    let replies = apply(&mut machine, 3, NOW_MS, &["SET own 2", "ONCE s 1 SET own 2", "GET own"]);
    assert!(error("READONLY ", &replies[0]) && error("READONLY ", &replies[1]), "{replies:?}");
    assert_eq!(get(&machine, "own"), Reply::bulk("1"), "as before");
    let session = take_over(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    assert!(error("LOADING ", &get(&machine, "own")));
    load(&mut machine, session, 0, &[("a", "1", 0)]);
    assert!(is_over(&load(&mut machine, session, 0, &[("a", "1", 0)])), "the same keys again");
    assert!(error("LOADING ", &get(&machine, "a")));
    let down = Upstream { text: "it broke", ..Upstream::new(session, Step::DOWN) };
    assert_eq!(tell(&mut machine, &down), Reply::Ok);
    assert!(error("LOADING ", &get(&machine, "a")), "a copy that failed is none");
    assert!(machine.keyspace().is_empty());
    assert_eq!(followed(&machine).error, "it broke");
    // Another upstream does not make it one.
    apply(&mut machine, 4, NOW_MS, &["REPLICAOF other 6379"]);
    assert!(error("LOADING ", &get(&machine, "a")));
    let session = take_over(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    load(&mut machine, session, 0, &[("a", "1", 0)]);
    assert_eq!(apply(&mut machine, 5, NOW_MS, &["REPLICAOF NO ONE"]), [Reply::Ok]);
    assert_eq!(get(&machine, "a"), Reply::Nil, "half a copy is nobody's data");
    assert_eq!(apply(&mut machine, 6, NOW_MS, &["SET a 2"]), [Reply::Ok]);
}

#[test]
fn what_has_expired_is_for_the_upstream_to_say() {
    let late_ms = NOW_MS + 1000;
    let (mut machine, session) = following(&[("n", "5", late_ms), ("old", "1", 7)]);
    assert_eq!(get(&machine, "old"), Reply::Nil, "hidden from clients");
    apply(&mut machine, 3, late_ms, &[]);
    assert_eq!(get(&machine, "n"), Reply::Nil);
    assert_eq!((machine.keyspace().len(0), machine.next_deadline()), (2, None));
    // The upstream's clock is behind: there the key lives, and is counted up and given more time.
    let at = late_ms - 1;
    let commands = ["INCR n".to_owned(), format!("PEXPIREAT n {at}"), format!("GETEX n PXAT {at}")];
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    assert_eq!(obey(&mut machine, session, 100, 200, &commands), Reply::Ok);
    assert_eq!(get(&machine, "n"), Reply::Nil);
    assert_eq!(obey(&mut machine, session, 200, 300, &["INCR n", "PERSIST n", "DEL old"]), Reply::Ok);
    assert_eq!(get(&machine, "n"), Reply::bulk("7"));
    assert_eq!(machine.keyspace().len(0), 1);
    // Left alone, deadlines pass here again.
    let commands = [format!("PEXPIREAT n {at}")];
    assert_eq!(obey(&mut machine, session, 300, 400, &[&commands[0]]), Reply::Ok);
    apply(&mut machine, 4, late_ms, &["REPLICAOF NO ONE"]);
    assert!(machine.keyspace().is_empty());
}

#[test]
fn a_command_that_fails_makes_the_copy_worthless() {
    let (mut machine, session) = following(&[("s", "text", 0)]);
    let reply = obey(&mut machine, session, 100, 120, &["SET a 1", "INCR s"]);
    assert!(
        matches!(&reply, Reply::Error(text) if text.contains("a INCR of the upstream fails")),
        "{reply:?}"
    );
    assert!(followed(&machine).replid.is_empty(), "only a new copy helps");
    assert!(is_over(&obey(&mut machine, session, 120, 130, &["SET a 2"])));
    for foreign in ["FUTURE l 1", "ACL SETUSER x", "REPLICAOF NO ONE", "ONCE s 1 SET a 1", "MULTI"] {
        let (mut machine, session) = following(&[]);
        let reply = obey(&mut machine, session, 100, 120, &[foreign]);
        assert!(
            matches!(&reply, Reply::Error(text) if text.starts_with("UPSTREAM ")),
            "{foreign}: {reply:?}"
        );
    }
}

#[test]
fn snapshots_carry_it_at_every_stage() {
    let check = |machine: &mut Machine| {
        let chunks = snapshot(machine, |_| ());
        let restored = restore(&chunks, 9).expect("it can be restored");
        assert_eq!(restored.upstream(), machine.upstream());
        assert_eq!(restored.state_hash(), machine.state_hash());
    };
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["REPLICAOF up 6379"]);
    check(&mut machine);
    let session = take_over(&mut machine);
    let hash = machine.state_hash();
    tell(&mut machine, &Upstream { text: "why", ..Upstream::new(session, Step::DOWN) });
    assert_ne!(machine.state_hash(), hash);
    check(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    load(&mut machine, session, 0, &[("a", "1", NOW_MS + 5)]);
    check(&mut machine);
    loaded(&mut machine, session, 1, 1 << 40);
    check(&mut machine);
    apply(&mut machine, 3, NOW_MS, &["REPLICAOF NO ONE"]);
    check(&mut machine);
    assert!(machine.upstream().sessions > 0);
}

#[test]
fn who_replicates_this_node_hears_what_the_upstream_says() {
    let mut machine = bootstrapped(1);
    machine.set_propagates(true);
    let mut follower = Follower::new();
    apply(&mut machine, 2, NOW_MS, &["SET own 1", "REPLICAOF up 6379"]);
    let session = take_over(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    follower.hear(&machine.take_events());
    load(&mut machine, session, 0, &[("n", "5", NOW_MS + 10), ("a", "text", 0), ("b", "b", NOW_MS + 9000)]);
    loaded(&mut machine, session, 3, 100);
    follower.hear(&machine.take_events());
    follower.check(&machine, NOW_MS, "as it was copied");
    // What has expired by our clock is the upstream's to remove.
    machine.begin_entry(9, NOW_MS + 20);
    obey(&mut machine, session, 100, 120, &["INCR n", "PEXPIRE a 500", "SET c 1", "APPEND b b"]);
    assert_eq!(get(&machine, "n"), Reply::Nil, "to clients it is gone");
    let events = machine.take_events();
    let told: Vec<_> = events.iter().filter(|event| matches!(event, Event::Propagated(_))).collect();
    assert!(!format!("{told:?}").contains("DEL"), "{told:?}");
    follower.hear(&events);
    follower.check(&machine, NOW_MS, "with what has expired, which is still there");
    obey(&mut machine, session, 120, 140, &["DEL n", "FLUSHDB"]);
    follower.hear(&machine.take_events());
    follower.check(&machine, 0, "empty");
}

/// A piece of a collection, as an RDB file has values.
fn piece(kind: u8, strings: &[&str], elements: usize) -> Vec<u8> {
    let strings = strings.iter().flat_map(|text| [&[text.len() as u8], text.as_bytes()].concat());
    [kind, elements as u8].into_iter().chain(strings).collect()
}

#[test]
fn pieces_of_a_collection_come_to_what_there_is() {
    const SCORE: &str = "\0\0\0\0\0\0\0\0";
    let mut machine = bootstrapped(1);
    machine.set_propagates(true);
    let mut follower = Follower::new();
    apply(&mut machine, 2, NOW_MS, &["REPLICAOF up 6379"]);
    let session = take_over(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    let scored = |members: [&str; 2]| {
        let [first, second] = members.map(|member| format!("\u{1}{member}{SCORE}").into_bytes());
        [vec![5, 2], first, second].concat()
    };
    let values = [
        ("h", piece(4, &["f", "v", "g", "w"], 2), piece(4, &["i", "x", "j", "1"], 2)),
        ("s", piece(2, &["1", "2"], 2), piece(2, &["3", "x"], 2)),
        ("l", piece(1, &["1", "2"], 2), piece(1, &["2", "x"], 2)),
        ("z", scored(["a", "b"]), scored(["c", "d"])),
    ];
    let put = |machine: &mut Machine, from: u64, continues: bool| {
        let keys = values.iter().map(|(key, first, next)| LoadedKey {
            key: key.as_bytes(),
            value: if continues { next } else { first },
            deadline_ms: if *key == "h" && !continues { NOW_MS + 5 } else { 0 },
            db: 0,
            continues,
        });
        tell(machine, &Upstream { from, keys: keys.collect(), ..Upstream::new(session, Step::KEYS) })
    };
    assert_eq!(put(&mut machine, 0, false), Reply::Ok);
    // One of them has expired meanwhile, by this clock.
    apply(&mut machine, 5, NOW_MS + 100, &[]);
    assert_eq!(put(&mut machine, 4, true), Reply::Ok);
    assert!(is_over(&put(&mut machine, 4, true)), "the same pieces again");
    assert_eq!(loaded(&mut machine, session, 8, 100), Reply::Ok);
    follower.hear(&machine.take_events());
    follower.check(&machine, NOW_MS, "all pieces");
    obey(&mut machine, session, 100, 120, &["PERSIST h"]);
    let bulks = |all: &[&str]| Reply::Array(all.iter().copied().map(Reply::bulk).collect());
    assert_eq!(
        apply(
            &mut machine,
            6,
            NOW_MS + 100,
            &["HLEN h", "HGET h j", "SMEMBERS s", "LRANGE l 0 -1", "ZRANGE z 0 -1"]
        ),
        [
            Reply::Int(4),
            Reply::bulk("1"),
            Reply::Set(["1", "2", "3", "x"].map(Reply::bulk).into()),
            bulks(&["1", "2", "2", "x"]),
            bulks(&["a", "b", "c", "d"]),
        ]
    );
    let session = take_over(&mut machine);
    tell(&mut machine, &Upstream::new(session, Step::LOAD));
    let wrong = LoadedKey { key: b"missing", value: &values[1].2, deadline_ms: 0, db: 0, continues: true };
    let unit = Upstream { keys: vec![wrong], ..Upstream::new(session, Step::KEYS) };
    assert_eq!(tell(&mut machine, &unit), Reply::error("UPSTREAM a value of the copy is malformed"));
}
