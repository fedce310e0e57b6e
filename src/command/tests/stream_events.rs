//! The events that commands on streams tell, and what replicas of Redis's protocol are told of them.

use super::hash_events::told;
use super::*;

#[test]
fn each_change_of_a_stream_is_told() {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"KEAmn").unwrap();
    runner.state.set("stream-node-max-entries", b"2").unwrap();
    runner.state.keyspace.set_propagates(true);
    runner.now_ms = 5000;
    for (command, events) in [
        ("XADD s NOMKSTREAM * a 1", ""),
        ("XADD s * a 1", "New:new:s Stream:xadd:s (XADD s 5000-0 a 1)"),
        ("XADD s NOMKSTREAM 5000-* a 1 b 2", "Stream:xadd:s (XADD s NOMKSTREAM 5000-1 a 1 b 2)"),
        ("XADD s 5000-1 a 1", ""),
        ("XADD s 6000 a 1", "Stream:xadd:s (XADD s 6000 a 1)"),
        ("XADD s MAXLEN ~ 3 7000-0 a 1", "Stream:xadd:s (XADD s MAXLEN = 4 7000-0 a 1)"),
        (
            "XADD s MAXLEN ~ 3 LIMIT 9 7001-0 a 1",
            "Stream:xadd:s Stream:xtrim:s (XADD s MAXLEN = 3 LIMIT 9 7001-0 a 1)",
        ),
        ("XADD s MINID ~ 7000 7002-0 a 1", "Stream:xadd:s (XADD s MINID = 6000-0 7002-0 a 1)"),
        ("XADD s MINID 7000 7003-0 a 1", "Stream:xadd:s Stream:xtrim:s (XADD s MINID 7000 7003-0 a 1)"),
        ("XDEL s 1-1", ""),
        ("XDEL s 1-1 7000", "Stream:xdel:s (XDEL s 1-1 7000)"),
        ("XTRIM s MAXLEN 9", ""),
        ("XTRIM s MAXLEN ~ 2 LIMIT 1", ""),
        ("XTRIM s MAXLEN ~ 1 LIMIT 3", "Stream:xtrim:s (XTRIM s MAXLEN = 1 LIMIT 3)"),
        ("XTRIM s MINID 7004", "Stream:xtrim:s (XTRIM s MINID 7004)"),
        ("XSETID s 8000-0", "Stream:xsetid:s (XSETID s 8000-0)"),
        ("XSETID s x", ""),
        ("XADD s MAXLEN 0 9000 a 1", "Stream:xadd:s Stream:xtrim:s (XADD s MAXLEN 0 9000 a 1)"),
        (
            "XADD s MINID ~ 9002 9001 a 1",
            "Stream:xadd:s Stream:xtrim:s (XADD s MINID = 18446744073709551615-18446744073709551615 9001 a 1)",
        ),
        ("XLEN s", ""),
        ("XREAD STREAMS missing 0", "KeyMiss:keymiss:missing KeyMiss:keymiss:missing"),
        ("XRANGE missing - +", "KeyMiss:keymiss:missing"),
        ("XTRIM missing MAXLEN 0", ""),
    ] {
        assert_eq!(told(&mut runner, command), events, "{command}");
    }
}
