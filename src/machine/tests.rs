//! The machine at its boundary: batches and units in; verdicts, replies and state out.

mod databases;
mod members;
mod once;
mod parts;
mod propagation;
mod rdb;
mod replicas;
mod upstream;

use super::{Machine, Restorer, Verdict};
use crate::command::Reply;
use crate::limits;
use crate::wire::units::{self, Args, Register, Units, Watch};

const NOW_MS: u64 = 1_700_000_000_000;

/// Applies an entry of commands, and gives their replies.
fn apply(machine: &mut Machine, index: u64, now_ms: u64, commands: &[&str]) -> Vec<Reply> {
    let mut body = Vec::new();
    for command in commands {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        units::put_command_unit(&mut body, &args, 0);
    }
    apply_body(machine, index, now_ms, &body)
}

fn apply_body(machine: &mut Machine, index: u64, now_ms: u64, body: &[u8]) -> Vec<Reply> {
    machine.begin_entry(index, now_ms);
    let replies = Units::new(body).map(|unit| machine.execute(&unit.unwrap())).collect();
    machine.end_entry();
    replies
}

fn bootstrapped(id: u8) -> Machine {
    let mut machine = Machine::new();
    let mut body = Vec::new();
    units::put_bootstrap_unit(&mut body, &[id; 16], &[id + 1; 16], &[1, 2, 3], "");
    assert_eq!(apply_body(&mut machine, 1, NOW_MS, &body), [Reply::Ok]);
    machine
}

fn get(machine: &Machine, key: &str) -> Reply {
    let args: Args<'_> = [b"GET".as_slice(), key.as_bytes()].into_iter().collect();
    machine.read(&args, 0, 0, 0).0
}

fn snapshot(machine: &mut Machine, mut between: impl FnMut(&mut Machine)) -> Vec<Vec<u8>> {
    let mut chunks = vec![machine.snapshot_begin()];
    loop {
        between(machine);
        match machine.snapshot_next(200) {
            Some(chunk) => chunks.push(chunk),
            None => return chunks,
        }
    }
}

fn restore(chunks: &[Vec<u8>], index: u64) -> Option<Machine> {
    let mut restorer = Restorer::default();
    for chunk in chunks {
        restorer.chunk(chunk).ok()?;
    }
    restorer.finish(index).ok()
}

#[test]
fn a_stream_is_applied_in_order_and_once() {
    let mut machine = bootstrapped(1);
    assert_eq!(machine.accept(2, 1, 2), Verdict::Gap);
    assert_eq!(machine.accept(2, 1, 1), Verdict::Apply);
    assert_eq!(machine.accept(2, 1, 1), Verdict::Duplicate);
    assert_eq!(machine.accept(2, 1, 2), Verdict::Apply);
    assert_eq!(machine.accept(3, 7, 1), Verdict::Apply, "origins do not know of each other");
    assert_eq!(machine.accept(2, 4, 2), Verdict::Gap, "a new life begins at 1");
    assert_eq!(machine.accept(2, 4, 1), Verdict::Apply);
    assert_eq!(machine.accept(2, 1, 3), Verdict::Stale);
    assert_eq!((machine.origin_boot(2), machine.applied_seq(2, 4), machine.applied_seq(2, 1)), (4, 1, 0));
    for _ in 0..2 {
        assert_eq!(machine.accept(2, 0, 0), Verdict::Apply, "housekeeping has no order");
    }
    assert_eq!(machine.applied_seq(2, 4), 1);
}

#[test]
fn only_the_first_bootstrap_counts() {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET k v"]);
    let before = machine.state_hash();
    let mut body = Vec::new();
    units::put_bootstrap_unit(&mut body, &[8; 16], &[9; 16], &[7], "");
    apply_body(&mut machine, 3, NOW_MS, &body);
    assert_eq!(machine.cluster_id(), Some([1; 16]));
    assert_eq!((machine.state_hash(), get(&machine, "k")), (before, Reply::bulk("v")));
}

#[test]
fn an_id_belongs_to_who_registered_it_first() {
    let mut machine = bootstrapped(1);
    let mut register = |incarnation: u8, client_addr: &str| {
        let mut body = Vec::new();
        let register = Register { node: 2, incarnation: &[incarnation; 16], client_addr, peer_addr: "p" };
        units::put_register_unit(&mut body, &register);
        let replies = apply_body(&mut machine, 2, NOW_MS, &body);
        (replies[0].clone(), machine.members().all()[&2].client_addr.clone())
    };
    assert_eq!(register(5, "a"), (Reply::Ok, "a".to_owned()));
    assert_eq!(register(5, "b"), (Reply::Ok, "b".to_owned()), "it has moved");
    let (reply, client_addr) = register(6, "c");
    assert!(reply.is_error());
    assert_eq!(client_addr, "b", "a foreign directory changes nothing");
}

#[test]
fn a_transaction_takes_place_as_a_whole_or_not_at_all() {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET a 1", "SET b x"]);
    let (Reply::Array(seen), _) = machine.watch(0, &[b"a"], 0) else { panic!() };
    let (Reply::Int(revision), Reply::Int(seen_at)) = (&seen[0], &seen[1]) else { panic!() };
    let watch = Watch { key: b"a", revision: *revision as u64, seen_at: *seen_at as u64, db: 0 };
    let mut body = Vec::new();
    let command =
        |args: &[&'static [u8]]| units::Command { args: args.iter().copied().collect(), db: 0, caller: None };
    let commands = [command(&[b"INCR", b"a"]), command(&[b"INCR", b"b"]), command(&[b"GET", b"a"])];
    units::put_transaction_unit(&mut body, &[watch], &commands);
    let replies = apply_body(&mut machine, 3, NOW_MS, &body);
    let Reply::Array(replies) = &replies[0] else { panic!("{replies:?}") };
    assert_eq!(replies[0], Reply::Int(2));
    assert!(replies[1].is_error(), "as in Redis, an error in the middle stops nothing");
    assert_eq!(replies[2], Reply::bulk("2"));
    assert_eq!(apply_body(&mut machine, 4, NOW_MS, &body), [Reply::NilArray], "the watched key has changed");
    assert_eq!(get(&machine, "a"), Reply::bulk("2"));
}

#[test]
fn a_snapshot_walked_while_entries_are_applied_is_the_state_at_its_beginning() {
    let mut machine = bootstrapped(1);
    for i in 0..300 {
        apply(
            &mut machine,
            2 + i,
            NOW_MS,
            &[&format!("SET k{i} {i} PX {}", 1000 + i), &format!("SET l{i} x")],
        );
    }
    machine.accept(2, 3, 1);
    let (at_begin, mut index) = (machine.state_hash(), 400);
    let chunks = snapshot(&mut machine, |machine| {
        index += 1;
        let i = index % 300;
        let commands = [format!("APPEND l{i} y"), format!("DEL k{}", (i * 7) % 300), format!("SET new{i} z")];
        apply(machine, index, NOW_MS + 5 * (index - 400), &commands.each_ref().map(String::as_str));
        machine.accept(2, 3, index - 399);
    });
    assert!(chunks.len() > 20, "{} chunks", chunks.len());
    let restored = restore(&chunks, 400).unwrap();
    assert_ne!(machine.state_hash(), at_begin);
    assert_eq!(restored.state_hash(), at_begin);
    assert_eq!((restored.clock_ms(), restored.applied_seq(2, 3)), (NOW_MS, 1));

    // Of what does not fit together no machine is made.
    assert!(restore(&chunks[..chunks.len() - 1], 400).is_none(), "it ends early");
    assert!(restore(&chunks[1..], 400).is_none(), "it begins late");
    assert!(restore(&[chunks[..2].to_vec(), chunks[3..].to_vec()].concat(), 400).is_none(), "a hole");
    assert!(restore(&[chunks.clone(), chunks[1..2].to_vec()].concat(), 400).is_none(), "too much");
}

#[test]
fn a_restored_machine_goes_on_as_the_others() {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET a 1", "SET b 2 PX 50", "DEL a", "SET c 3"]);
    let chunks = snapshot(&mut machine, |_| {});
    let mut restored = restore(&chunks, 2).unwrap();
    for (index, commands) in
        [["INCR c", "GETV b"], ["SET a 2 NX", "GETV a"], ["CAS c 2 9", "GETV c"]].iter().enumerate()
    {
        let now_ms = NOW_MS + 40 * index as u64;
        let replies = [&mut machine, &mut restored].map(|m| apply(m, 3 + index as u64, now_ms, commands));
        assert_eq!(replies[0], replies[1]);
        assert_eq!(machine.state_hash(), restored.state_hash());
    }
}

#[test]
fn equal_states_have_equal_hashes_and_others_do_not() {
    let build = |commands: &[&str]| {
        let mut machine = bootstrapped(1);
        apply(&mut machine, 2, NOW_MS, commands);
        machine.state_hash()
    };
    assert_eq!(build(&["SET a 1", "SET b 2"]), build(&["SET a 1", "SET b 2"]));
    for other in
        [&["SET a 1", "SET b 3"][..], &["SET b 2", "SET a 1"], &["SET a 1"], &["SET a 1 PX 9", "SET b 2"]]
    {
        assert_ne!(build(&["SET a 1", "SET b 2"]), build(other), "{other:?}");
    }
    let mut machine = bootstrapped(1);
    let before = machine.state_hash();
    machine.accept(2, 1, 1);
    assert_ne!(machine.state_hash(), before, "streams are state too");
}

#[test]
fn time_never_runs_back_and_takes_a_bounded_number_of_keys_an_entry() {
    let mut machine = bootstrapped(1);
    let count = 2 * limits::EXPIRE_PER_ENTRY + 10;
    for i in 0..count {
        apply(&mut machine, 2 + i as u64, NOW_MS, &[&format!("SET k{i} v PX 100")]);
    }
    apply(&mut machine, 1000, NOW_MS + 100, &[]);
    assert_eq!(machine.keyspace().total_len(), count - limits::EXPIRE_PER_ENTRY);
    assert!((0..count).all(|i| get(&machine, &format!("k{i}")) == Reply::Nil), "gone, removed or not");
    apply(&mut machine, 1001, NOW_MS - 5000, &[]);
    assert_eq!(machine.clock_ms(), NOW_MS + 100);
    apply(&mut machine, 1002, 0, &[]);
    assert_eq!((machine.keyspace().total_len(), machine.expired_total()), (0, count as u64));
    assert_eq!(machine.next_deadline(), None);
}

#[test]
fn a_read_says_when_the_two_clocks_disagree() {
    let mut machine = bootstrapped(1);
    apply(&mut machine, 2, NOW_MS, &["SET k v PX 100"]);
    let args: Args<'_> = [b"GET".as_slice(), b"k"].into_iter().collect();
    assert_eq!(machine.read(&args, 0, NOW_MS + 99, 0), (Reply::bulk("v"), false));
    assert_eq!(machine.read(&args, 0, NOW_MS + 100, 0), (Reply::bulk("v"), true));
    let write: Args<'_> = [b"SET".as_slice(), b"k", b"v"].into_iter().collect();
    assert!(machine.read(&write, 0, NOW_MS, 0).0.is_error(), "a read changes nothing");
}
