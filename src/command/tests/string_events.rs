//! The events that commands on strings tell: class, name and key as Redis 7 does, once for each
//! change and never without one.

use super::*;
use crate::keyspace::Event;

/// What is told of each command, all channels and classes being listened to.
fn told(runner: &mut Runner, line: &str) -> String {
    runner.run(&split(line));
    let mut told = Vec::new();
    for event in runner.state.keyspace.take_events() {
        if let Event::Named { class, name, key, .. } = event {
            told.push(format!("{class:?}:{name}:{}", key.escape_ascii()));
        }
    }
    told.join(" ")
}

#[test]
fn each_change_of_a_string_is_told() {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"KEAmn").unwrap();
    for (command, events) in [
        ("SET k 1", "New:new:k String:set:k"),
        ("SET k 1 EX 10", "String:set:k Generic:expire:k"),
        ("SET k 1 KEEPTTL", "String:set:k"),
        ("SET k 1 NX", ""),
        ("SET k 1 EX 0", ""),
        ("SET m 1 XX GET", "KeyMiss:keymiss:m"),
        ("SET m 1 GET", "KeyMiss:keymiss:m New:new:m String:set:m"),
        ("SETNX m 1", ""),
        ("SETNX x 1", "New:new:x String:set:x"),
        ("SETEX x 10 v", "String:set:x Generic:expire:x"),
        ("PSETEX x 10 v", "String:set:x Generic:expire:x"),
        ("GETSET k 2", "String:set:k"),
        ("GETSET y 2", "KeyMiss:keymiss:y New:new:y String:set:y"),
        ("GETDEL y", "Generic:del:y"),
        ("GETDEL y", "KeyMiss:keymiss:y"),
        ("GETEX y", "KeyMiss:keymiss:y"),
        ("GETEX k", ""),
        ("GETEX k PERSIST", ""),
        ("GETEX k EX 10", "Generic:expire:k"),
        ("GETEX k PERSIST", "Generic:persist:k"),
        ("GETEX x PXAT 1", "Generic:del:x"),
        ("MSET a 1 b 2", "New:new:a String:set:a New:new:b String:set:b"),
        ("MSETNX a 1 c 2", ""),
        ("MSETNX c 1", "New:new:c String:set:c"),
        ("APPEND c x", "String:append:c"),
        ("APPEND d x", "New:new:d String:append:d"),
        ("INCR a", "String:incrby:a"),
        ("DECRBY n 2", "New:new:n String:incrby:n"),
        ("INCR c", ""),
        ("INCRBYFLOAT a 1.5", "String:incrbyfloat:a"),
        ("INCRBYFLOAT f 1.5", "New:new:f String:incrbyfloat:f"),
        ("SETRANGE r 1 x", "New:new:r String:setrange:r"),
        ("SETRANGE r 1 \"\"", ""),
        ("SETBIT b1 1 0", "New:new:b1 String:setbit:b1"),
        ("SETBIT b1 1 0", ""),
        ("SETBIT b1 1 1", "String:setbit:b1"),
        ("SETBIT b1 9 0", "String:setbit:b1"),
        ("BITFIELD b1 GET u8 0", ""),
        ("BITFIELD b1 SET u8 0 64", ""),
        ("BITFIELD b1 SET u8 0 65", "String:setbit:b1"),
        ("BITFIELD none GET u8 0", "KeyMiss:keymiss:none"),
        ("BITOP NOT b2 b1", "New:new:b2 String:set:b2"),
        ("BITOP AND b2 none", "KeyMiss:keymiss:none Generic:del:b2"),
        ("BITOP AND b2 none", "KeyMiss:keymiss:none"),
        ("CAS v 0 x EX 10", "New:new:v String:set:v Generic:expire:v"),
        ("CAS v 5 x", ""),
        ("CAD v 1", "Generic:del:v"),
        ("DELIFEQ k 7", ""),
        ("DELIFEQ k 2", "Generic:del:k"),
    ] {
        assert_eq!(told(&mut runner, command), events, "{command}");
    }
}
