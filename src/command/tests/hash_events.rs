//! The events that commands on hashes tell, and what replicas of Redis's protocol are told of them.

use super::*;
use crate::keyspace::Event;

/// What is told of each command: events, and calls for replicas.
pub(super) fn told(runner: &mut Runner, line: &str) -> String {
    runner.state.keyspace.begin_command();
    let args = split(line);
    runner.run(&args);
    runner.state.keyspace.end_command(0, &args.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let mut told = Vec::new();
    for event in runner.state.keyspace.take_events() {
        match event {
            Event::Named { class, name, key, .. } => {
                told.push(format!("{class:?}:{name}:{}", key.escape_ascii()))
            }
            Event::Propagated(calls) => {
                let words =
                    calls.iter().flat_map(|call| &call.args).map(|arg| arg.escape_ascii().to_string());
                told.push(format!("({})", words.collect::<Vec<_>>().join(" ")));
            }
            _ => {}
        }
    }
    told.join(" ")
}

#[test]
fn each_change_of_a_hash_is_told() {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"KEAmn").unwrap();
    runner.state.keyspace.set_propagates(true);
    for (command, events) in [
        ("HSET h f 1 g 2", "New:new:h Hash:hset:h (HSET h f 1 g 2)"),
        ("HSET h f 1", "Hash:hset:h (HSET h f 1)"),
        ("HMSET h f 1", "Hash:hset:h (HMSET h f 1)"),
        ("HSETNX h f 2", ""),
        ("HSETNX h n 2", "Hash:hset:h (HSETNX h n 2)"),
        ("HSETNX i n 2", "New:new:i Hash:hset:i (HSETNX i n 2)"),
        ("HINCRBY h f 3", "Hash:hincrby:h (HINCRBY h f 3)"),
        ("HINCRBY j f 3", "New:new:j Hash:hincrby:j (HINCRBY j f 3)"),
        ("HINCRBYFLOAT h f 0.5", "Hash:hincrbyfloat:h (HSET h f 4.5)"),
        ("HINCRBY h f 3", ""),
        ("HDEL h missing", ""),
        ("HDEL h f missing", "Hash:hdel:h (HDEL h f missing)"),
        ("HDEL h g n", "Hash:hdel:h Generic:del:h (HDEL h g n)"),
        ("HDEL h g", ""),
        ("HGET h g", "KeyMiss:keymiss:h"),
        ("HRANDFIELD h", "KeyMiss:keymiss:h"),
        ("HGET i missing", ""),
        ("RENAME i k", "Generic:rename_from:i New:new:k Generic:rename_to:k (RENAME i k)"),
    ] {
        let mut told: Vec<_> = told(&mut runner, command).split(' ').map(str::to_owned).collect();
        let mut events: Vec<_> = events.split(' ').map(str::to_owned).collect();
        if command.starts_with("RENAME") {
            told.sort();
            events.sort();
        }
        assert_eq!(told, events, "{command}");
    }
}
