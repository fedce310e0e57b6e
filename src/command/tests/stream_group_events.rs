//! The events that commands on consumer groups tell, and what replicas of Redis's protocol are told of them.

use super::hash_events::told;
use super::*;

#[test]
fn each_change_of_a_group_is_told() {
    let mut runner = Runner::new();
    runner.state.set("notify-keyspace-events", b"KEAmn").unwrap();
    runner.state.keyspace.set_propagates(true);
    // Of a key `s` with a group `g`, at 1000000 ms.
    let claim = |consumer: &str, id: &str, deliveries: u32, last_id: &str| {
        format!(
            "XCLAIM s g {consumer} 0 {id} TIME 1000000 RETRYCOUNT {deliveries} FORCE JUSTID LASTID {last_id}"
        )
    };
    let created = "Stream:xgroup-createconsumer:s";
    for (command, events) in [
        ("XGROUP CREATE s g 0", String::new()),
        (
            "XGROUP CREATE s g $ MKSTREAM",
            "New:new:s Stream:xgroup-create:s (XGROUP CREATE s g $ MKSTREAM)".into(),
        ),
        ("XGROUP CREATE s g $ MKSTREAM", String::new()),
        ("XADD s 1-0 f a", "Stream:xadd:s (XADD s 1-0 f a)".into()),
        ("XADD s 2-0 f b", "Stream:xadd:s (XADD s 2-0 f b)".into()),
        ("XADD s 3-0 f c", "Stream:xadd:s (XADD s 3-0 f c)".into()),
        ("XADD s 4-0 f d", "Stream:xadd:s (XADD s 4-0 f d)".into()),
        (
            "XREADGROUP GROUP g c COUNT 2 STREAMS s >",
            format!("{created} ({}) ({})", claim("c", "1-0", 1, "1-0"), claim("c", "2-0", 1, "2-0")),
        ),
        ("XREADGROUP GROUP g c STREAMS s 0", String::new()),
        ("XREADGROUP GROUP g d STREAMS s 0", created.into()),
        (
            "XREADGROUP GROUP g e NOACK COUNT 1 STREAMS s >",
            format!("{created} (XGROUP CREATECONSUMER s g e) (XGROUP SETID s g 3-0 ENTRIESREAD 3)"),
        ),
        ("XREADGROUP GROUP g e NOACK STREAMS s >", "(XGROUP SETID s g 4-0 ENTRIESREAD 4)".into()),
        ("XREADGROUP GROUP g x NOACK STREAMS s >", String::new()),
        ("XREADGROUP GROUP g f NOACK STREAMS s 0", format!("{created} (XGROUP CREATECONSUMER s g f)")),
        ("XREADGROUP GROUP g c STREAMS none >", "KeyMiss:keymiss:none".into()),
        ("XACK s g 9-0", String::new()),
        ("XACK s g 1-0 9-0", "(XACK s g 1-0 9-0)".into()),
        ("XACK none g 1-0", "KeyMiss:keymiss:none".into()),
        ("XCLAIM s g h 0 2", format!("{created} ({})", claim("h", "2", 3, "4-0"))),
        ("XCLAIM s g i 0 9-0", String::new()),
        ("XCLAIM s g i 0 9-0 LASTID 3-0", String::new()),
        ("XCLAIM s g i 0 9-0 LASTID 5-0", "(XGROUP SETID s g 5-0 ENTRIESREAD 4)".into()),
        ("XCLAIM s g h 0 2-0 LASTID 6-0 JUSTID", format!("({})", claim("h", "2-0", 3, "6-0"))),
        ("XAUTOCLAIM s g j 1 0", String::new()),
        ("XAUTOCLAIM s g j 0 3", String::new()),
        ("XAUTOCLAIM s g j 0 0", format!("{created} ({})", claim("j", "2-0", 4, "6-0"))),
        ("XDEL s 2-0", "Stream:xdel:s (XDEL s 2-0)".into()),
        ("XAUTOCLAIM s g k 0 0", format!("({})", claim("j", "2-0", 4, "6-0"))),
        ("XCLAIM s g k 0 4 FORCE", format!("{created} ({})", claim("k", "4", 2, "6-0"))),
        ("XDEL s 4-0", "Stream:xdel:s (XDEL s 4-0)".into()),
        ("XCLAIM s g l 0 4", format!("({})", claim("k", "4", 2, "6-0"))),
        ("XPENDING s g", String::new()),
        ("XPENDING none g", "KeyMiss:keymiss:none".into()),
        ("XGROUP SETID s g 0", "Stream:xgroup-setid:s (XGROUP SETID s g 0)".into()),
        ("XGROUP CREATECONSUMER s g c", String::new()),
        ("XGROUP CREATECONSUMER s g m", format!("{created} (XGROUP CREATECONSUMER s g m)")),
        ("XGROUP DELCONSUMER s g nobody", String::new()),
        ("XGROUP DELCONSUMER s g m", "Stream:xgroup-delconsumer:s (XGROUP DELCONSUMER s g m)".into()),
        ("XGROUP DESTROY s nosuch", String::new()),
        ("XGROUP DESTROY s g", "Stream:xgroup-destroy:s (XGROUP DESTROY s g)".into()),
        ("XGROUP DESTROY none g", String::new()),
    ] {
        assert_eq!(told(&mut runner, command), events, "{command}");
    }
}
