//! What was put is read, by this reader and by the generated code.

use super::*;
use crate::wire::proto::entry as generated;
use protobuf::Message;

const VICTIMS: [Victim<'static>; 2] =
    [Victim { key: b"old", revision: 900, db: 0 }, Victim { key: b"k", revision: 1, db: 15 }];
const PART_OF_IT: Part<'static> = Part { offset: 1 << 20, total: 3 << 20, bytes: &[7; 200] };
fn upstream<'a>() -> Upstream<'a> {
    let command = Command { args: Args::from_slice(&[b"INCR", b"n"]), db: 2, caller: None };
    let key = LoadedKey { key: b"k", value: &[0; 300], deadline_ms: 1 << 40, db: 15, continues: true };
    let (commands, keys) =
        (vec![command], vec![key, LoadedKey { deadline_ms: 0, db: 0, continues: false, ..key }]);
    Upstream { step: Step::COMMANDS, session: 7, text: "why", from: 300, to: 1 << 50, db: 3, commands, keys }
}

fn sample() -> Vec<u8> {
    let mut body = Vec::new();
    put_command_unit(&mut body, &[b"SET", b"k", b""], 0);
    put_command_unit(&mut body, &[b"DEL", &[b'x'; 300]], 3);
    let watch = Watch { key: b"w", revision: 7, seen_at: 900, db: 0 };
    let command = Command { args: Args::from_slice(&[b"INCR", b"n"]), db: 0, caller: None };
    put_transaction_unit(&mut body, &[watch], &[command]);
    let register =
        Register { node: 2, incarnation: &[9; 16], client_addr: "127.0.0.1:1", peer_addr: "127.0.0.1:2" };
    put_register_unit(&mut body, &register);
    put_bootstrap_unit(&mut body, &[1; 16], &[2; 16], &[1, 2, 300], "ab");
    put_membership_unit(
        &mut body,
        &Membership { change: Change::REPLACE, node: 4, old: 2, client_addr: "a:1", peer_addr: "a:2" },
    );
    put_settings_unit(&mut body, &[("notify-keyspace-events", b"KEA"), ("x", b"y")]);
    put_upstream_unit(&mut body, &upstream());
    put_evict_unit(&mut body, VICTIMS);
    put_part_unit(&mut body, &PART_OF_IT);
    body
}

#[test]
fn the_generated_code_reads_the_same() {
    let body = sample();
    let parsed: generated::Body = Message::parse_from_bytes(&body).unwrap();
    assert_eq!(parsed.get_units().len(), 10);
    assert_eq!(parsed.get_units()[0].get_command().get_args()[2], b"");
    assert_eq!(parsed.get_units()[1].get_command().get_db(), 3);
    let transaction = parsed.get_units()[2].get_transaction();
    assert_eq!(transaction.get_watches()[0].get_seen_at(), 900);
    assert_eq!(transaction.get_commands()[0].get_args()[1], b"n");
    assert_eq!(parsed.get_units()[3].get_register().get_peer_addr(), "127.0.0.1:2");
    assert_eq!(parsed.get_units()[4].get_bootstrap().get_hash_key(), [2; 16]);
    assert_eq!(parsed.get_units()[4].get_bootstrap().get_voters(), [1, 2, 300]);
    assert_eq!(parsed.get_units()[4].get_bootstrap().get_password(), "ab");
    assert_eq!(parsed.get_units()[5].get_membership().get_old(), 2);
    assert_eq!(parsed.get_units()[6].get_settings().get_settings()[0].get_value(), b"KEA");
    assert_eq!(parsed.get_units()[7].get_upstream().get_step(), Step::COMMANDS);
    assert_eq!(parsed.get_units()[7].get_upstream().get_keys()[0].get_deadline_ms(), 1 << 40);
    let victims = parsed.get_units()[8].get_evict().get_victims();
    assert_eq!(
        (victims[0].get_key(), victims[0].get_revision(), victims[1].get_db()),
        (&b"old"[..], 900, 15)
    );
    assert_eq!(parsed.get_units()[9].get_part().get_total(), 3 << 20);
    assert_eq!(parsed.write_to_bytes().unwrap(), body);
}

#[test]
fn calls_of_every_length_are_what_the_generated_code_reads_and_writes() {
    let bytes = [b'x'; 200];
    for len in (0..=200).chain([0x3fff, 0x4000]) {
        for (count, db) in [(1, 0), (2, 0), (INLINE_ARGS, 0), (INLINE_ARGS + 1, 0), (40, 0), (2, 1)] {
            let mut args: Vec<&[u8]> = (0..count).map(|i| &bytes[..i % 3]).collect();
            let last = bytes.repeat(len / bytes.len() + 1);
            args[count - 1] = &last[..len];
            let mut body = Vec::new();
            put_command_unit(&mut body, &args, db);
            put_command_unit(&mut body, &[b"INCR", b"n"], 0); // what is behind it
            let parsed: generated::Body = Message::parse_from_bytes(&body).unwrap();
            assert_eq!(parsed.get_units()[0].get_command().get_args(), args, "{count} {len}");
            assert_eq!(parsed.write_to_bytes().unwrap(), body, "{count} {len}");
            let read: Vec<_> = Units::new(&body).map(Result::unwrap).collect();
            let command =
                |args: &[&'static [u8]]| Command { args: Args::from_slice(args), db: 0, caller: None };
            let expected = Command { args: Args::from_slice(&args), db, caller: None };
            assert_eq!(read[..1], [Unit::Command(expected)], "{count} {len}");
            assert_eq!(read[1..], [Unit::Command(command(&[b"INCR", b"n"]))], "{count} {len}");
        }
    }
}

#[test]
fn who_calls_is_what_the_generated_code_reads_and_writes() {
    for (user, lacks_memory) in [
        (None, true),
        (Some(&b""[..]), false),
        (Some(b"u"), true),
        (Some(&[b'u'; 300]), false),
        (None, false),
    ] {
        let mut body = Vec::new();
        let caller = Some(Caller { user, lacks_memory });
        let command = Command { args: Args::from_slice(&[b"EVAL", b"x", b"0"]), db: 3, caller };
        let commands = [command];
        put_caller_unit(&mut body, &commands[0]);
        put_transaction_unit(&mut body, &[], &commands);
        let parsed: generated::Body = Message::parse_from_bytes(&body).unwrap();
        let read = parsed.get_units()[0].get_command();
        assert_eq!((read.get_caller().has_user(), read.get_db()), (user.is_some(), 3));
        assert_eq!(parsed.write_to_bytes().unwrap(), body, "{caller:?}");
        let read: Vec<_> = Units::new(&body).map(Result::unwrap).collect();
        assert_eq!(read[0], Unit::Command(commands[0].clone()));
        assert_eq!(read[1], Unit::Transaction(Transaction { watches: vec![], commands: commands.to_vec() }));
    }
}

#[test]
fn what_was_put_is_read() {
    let body = sample();
    let units: Vec<_> = Units::new(&body).map(Result::unwrap).collect();
    assert_eq!(units.len(), 10);
    let Unit::Membership(membership) = &units[5] else { panic!("{:?}", units[5]) };
    assert_eq!((membership.change, membership.node, membership.peer_addr), (Change::REPLACE, 4, "a:2"));
    assert_eq!(units[6], Unit::Settings(vec![("notify-keyspace-events", b"KEA"), ("x", b"y")]));
    assert_eq!(units[7], Unit::Upstream(upstream()));
    assert_eq!(units[8], Unit::Evict(VICTIMS.to_vec()));
    assert_eq!(units[9], Unit::Part(PART_OF_IT));
    let Unit::Command(command) = &units[0] else { panic!("{:?}", units[0]) };
    assert_eq!(command.args.as_slice(), [b"SET".as_slice(), b"k", b""]);
    let Unit::Transaction(transaction) = &units[2] else { panic!("{:?}", units[2]) };
    assert_eq!(transaction.watches[0].revision, 7);
}

#[test]
fn every_cut_and_every_flipped_byte_is_an_error_or_another_value() {
    let body = sample();
    for cut in 0..body.len() {
        // Must end, and must not panic; a cut between units is a shorter body.
        let _ = Units::new(&body[..cut]).count();
        let _ = Units::new(&body[cut..]).likely_keys().count();
        let mut flipped = body.clone();
        flipped[cut] ^= 0xff;
        let _ = Units::new(&flipped).count();
        let _ = Units::new(&flipped).likely_keys().count();
    }
}

#[test]
fn a_part_is_known_by_standing_alone() {
    let mut body = Vec::new();
    put_part_unit(&mut body, &PART_OF_IT);
    assert_eq!(part_of(&body), Some(PART_OF_IT));
    assert_eq!(part_of(&sample()), None);
    assert_eq!(part_of(b""), None);
    body.extend_from_slice(&sample());
    assert_eq!(part_of(&body), None);
}

#[test]
fn likely_keys_are_those_of_the_short_commands_at_the_front() {
    let mut body = Vec::new();
    for (i, value_bytes) in [0, 1, 100, 120, 200].into_iter().enumerate() {
        let (key, value) = (format!("key:{i}"), vec![7; value_bytes]);
        put_command_unit(&mut body, &[b"SET", key.as_bytes(), &value], 0);
    }
    put_command_unit(&mut body, &[b"PING"], 0);
    put_command_unit(&mut body, &[b"GET", b"key:6"], 0);
    let keys: Vec<_> = Units::new(&body).likely_keys().map(|key| String::from_utf8_lossy(key)).collect();
    assert_eq!(keys, ["key:0", "key:1", "key:2"]);
    let mut behind = Units::new(&body);
    behind.by_ref().nth(5).unwrap().unwrap();
    assert_eq!(behind.likely_keys().collect::<Vec<_>>(), [b"key:6"]);
    let mut scripts = Vec::new();
    put_command_unit(&mut scripts, &[b"eval", b"return 1", b"1", b"key:7", b"x"], 0);
    put_command_unit(&mut scripts, &[b"FCALL", b"f", b"2", b"key:8", b"key:9"], 0);
    put_command_unit(&mut scripts, &[b"EVAL", b"return 2", b"0"], 0);
    put_command_unit(&mut scripts, &[b"GET", b"key:6"], 0);
    let keys: Vec<_> = Units::new(&scripts).likely_keys().collect();
    assert_eq!(keys, [&b"key:7"[..], b"key:8", b"return 2", b"key:6"]);
}
