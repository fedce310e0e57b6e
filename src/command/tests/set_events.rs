//! The events that commands on sets tell, and what replicas of Redis's protocol are told of them.

use super::hash_events::told;
use super::*;

fn check(runner: &mut Runner, cases: &[(&str, &str)]) {
    for (command, events) in cases {
        assert_eq!(told(runner, command), *events, "{command}");
    }
}

fn runner() -> Runner {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"KEAmn").unwrap();
    runner.state.keyspace.set_propagates(true);
    runner
}

#[test]
fn each_change_of_a_set_is_told() {
    let cases = [
        ("SADD s 1 2 3", "New:new:s Set:sadd:s (SADD s 1 2 3)"),
        ("SADD s 1 2", ""),
        ("SADD s 1 4", "Set:sadd:s (SADD s 1 4)"),
        ("SREM s x", ""),
        ("SREM s x 4", "Set:srem:s (SREM s x 4)"),
        ("SMOVE s t x", ""),
        ("SMOVE s s 1", ""),
        ("SMOVE missing t x", ""),
        ("SMOVE s t 1", "Set:srem:s New:new:t Set:sadd:t (SMOVE s t 1)"),
        ("SADD s 1", "Set:sadd:s (SADD s 1)"),
        ("SMOVE s t 1", "Set:srem:s (SMOVE s t 1)"),
        ("SMOVE t s 1", "Set:srem:t Generic:del:t Set:sadd:s (SMOVE t s 1)"),
        ("SREM s 1 2 3 4", "Set:srem:s Generic:del:s (SREM s 1 2 3 4)"),
        ("SISMEMBER s 1", "KeyMiss:keymiss:s"),
        ("SRANDMEMBER s", "KeyMiss:keymiss:s"),
    ];
    check(&mut runner(), &cases);
}

#[test]
fn what_is_stored_is_told_and_what_it_replaced_is_not() {
    let cases = [
        ("SADD a 1 2", "New:new:a Set:sadd:a (SADD a 1 2)"),
        ("SUNIONSTORE s a a", "New:new:s Set:sunionstore:s (SUNIONSTORE s a a)"),
        ("SINTERSTORE s a", "Set:sinterstore:s (SINTERSTORE s a)"),
        ("SDIFFSTORE s a", "Set:sdiffstore:s (SDIFFSTORE s a)"),
        ("SDIFFSTORE s a a", "Generic:del:s (SDIFFSTORE s a a)"),
        ("SDIFFSTORE s a a", ""),
        ("SINTERSTORE s a missing", "KeyMiss:keymiss:missing"),
    ];
    check(&mut runner(), &cases);
}

#[test]
fn what_is_popped_is_told_by_name() {
    let mut runner = runner();
    let cases = [
        ("SADD s 7", "New:new:s Set:sadd:s (SADD s 7)"),
        ("SPOP s", "Set:spop:s Generic:del:s (SREM s 7)"),
        ("SPOP s", ""),
        ("SADD s 7 8", "New:new:s Set:sadd:s (SADD s 7 8)"),
        ("SPOP s 0", ""),
        ("SPOP s 3", "Set:spop:s Generic:del:s (DEL s)"),
        ("SADD s 1 2 3 4 5 6 7 8 9 10 11 12", "New:new:s Set:sadd:s (SADD s 1 2 3 4 5 6 7 8 9 10 11 12)"),
    ];
    check(&mut runner, &cases);
    // Few of many, then nearly all of what is left.
    for (count, left) in [(2, 10), (9, 1)] {
        let told = told(&mut runner, &format!("SPOP s {count}"));
        let mut is_left =
            |member: &usize| show(&Reply::Int(1)) == runner.run(&split(&format!("SISMEMBER s {member}")));
        let gone: Vec<usize> = (1..=12).filter(|member| !is_left(member)).collect();
        assert_eq!(gone.len(), 12 - left, "{told}");
        let names = told.split("SREM s ").skip(1).map(|rest| rest.split([' ', ')']).next().unwrap());
        let mut names: Vec<usize> = names.map(|name| name.parse().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names.len(), count, "{told}");
        assert!(told.starts_with("Set:spop:s (") && names.iter().all(|name| gone.contains(name)), "{told}");
    }
}
