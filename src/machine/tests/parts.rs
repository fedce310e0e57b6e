//! Bodies in parts: carried out once, where the last part stands, on whatever was restored in between.

use super::{NOW_MS, bootstrapped, get, restore, snapshot};
use crate::command::Reply;
use crate::machine::{Joined, Machine};
use crate::wire::units::{Part, Units, put_command_unit, put_part_unit};
use bytes::Bytes;

const LEN: usize = 5000;

fn body(key: &str) -> Vec<u8> {
    let mut body = Vec::new();
    put_command_unit(&mut body, &[b"SET", key.as_bytes(), &[b'v'; LEN]], 0);
    body
}

fn part(body: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut out = Vec::new();
    put_part_unit(
        &mut out,
        &Part { offset: from as u64, total: body.len() as u64, bytes: &body[from..to.min(body.len())] },
    );
    out
}

fn execute(machine: &mut Machine, body: &Bytes) {
    machine.begin_entry(9, NOW_MS);
    machine.lend(Some(body.clone()));
    for unit in Units::new(body) {
        assert_eq!(machine.execute(&unit.unwrap()), Reply::Ok);
    }
    machine.lend(None);
    machine.end_entry();
}

#[test]
fn parts_of_several_origins_are_put_together_apart() {
    let mut machine = bootstrapped(1);
    let (a, b) = (body("a"), body("b"));
    assert_eq!(machine.join(1, &a), Joined::Alone);
    for at in [0, 1000, 2000, 3000, 4000] {
        assert_eq!(machine.join(1, &part(&a, at, at + 1000)), Joined::Waits);
        assert_eq!(machine.join(2, &part(&b, at, at + 1000)), Joined::Waits);
    }
    assert_eq!(machine.join(2, &part(&b, 5000, usize::MAX)), Joined::Whole(b.into()));
    assert_eq!(machine.join(1, &part(&a, 5000, usize::MAX)), Joined::Whole(a.into()));
}

#[test]
fn what_lacks_a_part_is_lost_and_the_next_body_is_not() {
    let mut machine = bootstrapped(1);
    let a = body("a");
    let rest = part(&a, 1000, usize::MAX);
    assert_eq!(machine.join(1, &rest), Joined::Lost, "without a beginning");
    machine.join(1, &part(&a, 0, 900));
    assert_eq!(machine.join(1, &rest), Joined::Lost, "a gap");
    assert_eq!(machine.join(1, &part(&a, 900, usize::MAX)), Joined::Lost, "after a gap");
    machine.join(1, &part(&a, 0, 1000));
    let mut given_up = Vec::new();
    put_part_unit(&mut given_up, &Part::default());
    assert_eq!(machine.join(1, &given_up), Joined::Waits);
    assert_eq!(machine.join(1, &rest), Joined::Lost, "it was given up");
    machine.join(1, &part(&a, 0, 1000));
    machine.join(1, &part(&a, 0, 1000));
    assert_eq!(machine.join(1, &rest), Joined::Whole(a.clone().into()), "it began anew");
    let garbage = [&a[..], b"x"].concat();
    machine.join(1, &part(&garbage, 0, 1000));
    assert_eq!(machine.join(1, &part(&garbage, 1000, usize::MAX)), Joined::Lost, "no body");
}

#[test]
fn another_life_of_its_origin_ends_a_body() {
    let mut machine = bootstrapped(1);
    let a = body("a");
    machine.accept(2, 1, 1);
    let before = machine.state_hash();
    machine.join(2, &part(&a, 0, 1000));
    assert_ne!(machine.state_hash(), before, "it is part of the state");
    machine.accept(2, 2, 1);
    assert_eq!(machine.join(2, &part(&a, 1000, usize::MAX)), Joined::Lost);
}

#[test]
fn a_snapshot_holds_what_is_unfinished_as_it_was_when_it_began() {
    let (a, b, c) = (body("a"), body("b"), body("c"));
    let mut machine = bootstrapped(1);
    machine.join(1, &part(&a, 0, 3000));
    machine.join(2, &part(&b, 0, 1500));
    machine.join(3, &part(&c, 0, 700));
    let hash = machine.state_hash();
    let mut turns = 0;
    let chunks = snapshot(&mut machine, |machine| {
        turns += 1;
        match turns {
            2 => {
                let Joined::Whole(a) = machine.join(1, &part(&a, 3000, usize::MAX)) else { panic!("whole") };
                execute(machine, &a);
            }
            3 => assert_eq!(machine.join(2, &part(&b, 1500, 2000)), Joined::Waits),
            4 => assert_eq!(machine.join(3, &part(&c, 0, 500)), Joined::Waits, "begins anew"),
            5 => assert_eq!(machine.join(1, &part(&a, 0, 100)), Joined::Waits, "the next one"),
            _ => {}
        }
    });
    assert!(turns > 20, "{turns}");
    let mut copy = restore(&chunks, 8).unwrap();
    assert_eq!(copy.state_hash(), hash);
    let Joined::Whole(whole) = copy.join(1, &part(&a, 3000, usize::MAX)) else { panic!("whole") };
    execute(&mut copy, &whole);
    assert_eq!(get(&copy, "a"), Reply::Bulk([b'v'; LEN].as_slice().into()));
    assert_eq!(copy.join(2, &part(&b, 1500, usize::MAX)), Joined::Whole(b.clone().into()));
    let fewer: Vec<_> =
        chunks.iter().enumerate().filter(|(i, _)| *i != 3).map(|(_, chunk)| chunk.clone()).collect();
    assert!(restore(&fewer, 8).is_none(), "a piece is missing");
    assert!(machine.snapshot_next(1).is_none());
}
