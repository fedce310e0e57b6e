//! What listeners to keyspace events hear of commands on keys of any type.

use super::{Runner, split};
use crate::keyspace::Event;

/// The events of the last of `commands`, as `name key`.
fn events_of(commands: &[&str]) -> Vec<String> {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"AKEnm").unwrap();
    for command in commands {
        runner.state.keyspace.take_events();
        runner.run(&split(command));
    }
    let told = runner.state.keyspace.take_events().into_iter().map(|event| match event {
        Event::Named { name, key, .. } => format!("{name} {}", String::from_utf8_lossy(&key)),
        other => format!("{other:?}"),
    });
    told.collect()
}

#[test]
fn each_command_tells_what_redis_tells() {
    let set = "MSET a 1 b 2";
    let dead = "SET dead 1 PXAT 1000001";
    for (commands, told) in [
        (&[set, "DEL a missing b"][..], &["del a", "del b"][..]),
        (&[set, "UNLINK a"], &["del a"]),
        (&[set, "RENAME a b"], &["new b", "rename_from a", "rename_to b"]),
        (&[set, "RENAME a c"], &["new c", "rename_from a", "rename_to c"]),
        (&[set, "RENAME a a"], &[]),
        (&[set, "RENAMENX a b"], &[]),
        (&[set, "COPY a c"], &["new c", "copy_to c"]),
        (&[set, "SORT missing STORE a"], &["keymiss missing", "del a"]),
        (&[set, "COPY missing c"], &["keymiss missing"]),
        (&[set, "COPY a b REPLACE"], &["new b", "copy_to b"]),
        (&[set, "EXPIRE a 10"], &["expire a"]),
        (&[set, "EXPIRE a -1"], &["del a"]),
        (&[set, "EXPIREAT a 1"], &["del a"]),
        (&[set, "PEXPIREAT a 1000002"], &["expire a"]),
        (&[set, "PEXPIRE a 10 XX"], &[]),
        (&["SET a 1 PX 10", "PERSIST a"], &["persist a"]),
        (&[set, "PERSIST a"], &[]),
        (
            &[set, r#"RESTORE e 0 "\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda""#],
            &["new e", "restore e"],
        ),
        (
            &[set, r#"RESTORE a 0 "\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda" REPLACE"#],
            &["new a", "restore a"],
        ),
        (
            &[set, r#"RESTORE a 1 "\x00\x00\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda" REPLACE ABSTTL"#],
            &["del a"],
        ),
        (&["PFADD h"], &["new h", "pfadd h"]),
        (&["PFADD h a", "PFADD h a"], &[]),
        (&["PFADD h a", "PFADD h b"], &["pfadd h"]),
        (&["PFADD h a", "PFMERGE to h"], &["keymiss to", "new to", "pfadd to"]),
        (&["PFADD h a", "PFMERGE h missing"], &["keymiss missing", "pfadd h"]),
        (&[set, "SORT missing STORE missing"], &["keymiss missing"]),
        (&[dead, "TOUCH dead"], &[]),
    ] {
        assert_eq!(events_of(commands), told, "{commands:?}");
    }
}
