//! The replicated entry. Our reader accepts nothing that the generated one refuses, and sees
//! the same in it; what it has read can be written, and is read as the same. Replicas that
//! apply the same entries, whatever is in them, come to the same state.

use crate::source::Source;
use bowline::limits::DATABASES;
use bowline::machine::{Machine, Verdict};
use bowline::wire::entry::{Batch, decode, encode};
use bowline::wire::proto::entry as generated;
use bowline::wire::units::{
    self, Transaction, Unit, Units, Watch, put_bootstrap_unit, put_command_unit, put_evict_unit,
    put_membership_unit, put_part_unit, put_register_unit, put_settings_unit, put_transaction_unit,
    put_upstream_unit,
};
use bytes::Bytes;
use protobuf::Message as _;

fn put(out: &mut Vec<u8>, unit: &Unit<'_>) {
    match unit {
        Unit::Command(command) => put_command_unit(out, &command.args, command.db),
        Unit::Transaction(it) => put_transaction_unit(out, &it.watches, &it.commands),
        Unit::Register(register) => put_register_unit(out, register),
        Unit::Bootstrap { cluster_id, hash_key, voters, password } => {
            put_bootstrap_unit(out, cluster_id, hash_key, voters, password);
        }
        Unit::Membership(membership) => put_membership_unit(out, membership),
        Unit::Settings(settings) => put_settings_unit(out, settings),
        Unit::Part(part) => put_part_unit(out, part),
        Unit::Evict(victims) => put_evict_unit(out, victims.iter().copied()),
        Unit::Upstream(upstream) => put_upstream_unit(out, upstream),
    }
}

fn check_command(command: &units::Command<'_>, parsed: &generated::Command) {
    assert_eq!(command.db, parsed.get_db());
    assert!(command.args.iter().copied().eq(parsed.get_args().iter().map(|arg| &arg[..])), "{command:?}");
}

fn check_body(body: &[u8]) {
    let mut written = Vec::new();
    let Ok(read) = Units::new(body).collect::<Result<Vec<_>, _>>() else { return };
    read.iter().for_each(|unit| put(&mut written, unit));
    let again: Result<Vec<_>, _> = Units::new(&written).collect();
    assert_eq!(again.as_ref(), Ok(&read), "written again");
    let parsed = generated::Body::parse_from_bytes(body).expect("whatever we accept is protobuf");
    assert_eq!(parsed.get_units().len(), read.len());
    for (unit, parsed) in read.iter().zip(parsed.get_units()) {
        match unit {
            Unit::Command(command) => check_command(command, parsed.get_command()),
            Unit::Transaction(transaction) => {
                let parsed = parsed.get_transaction();
                let commands = transaction.commands.iter().zip(parsed.get_commands());
                commands.for_each(|(command, parsed)| check_command(command, parsed));
                assert_eq!(transaction.commands.len(), parsed.get_commands().len());
                assert_eq!(transaction.watches.len(), parsed.get_watches().len());
                for (watch, parsed) in transaction.watches.iter().zip(parsed.get_watches()) {
                    assert_eq!(watch.key, parsed.get_key());
                    assert_eq!(
                        (watch.revision, watch.seen_at),
                        (parsed.get_revision(), parsed.get_seen_at())
                    );
                    assert_eq!(watch.db, parsed.get_db());
                }
            }
            Unit::Settings(settings) => {
                let parsed = parsed.get_settings().get_settings();
                assert!(settings.iter().map(|it| it.0).eq(parsed.iter().map(|it| it.get_name())));
                assert!(settings.iter().map(|it| it.1).eq(parsed.iter().map(|it| it.get_value())));
            }
            Unit::Register(register) => {
                let parsed = parsed.get_register();
                assert_eq!(
                    (register.node, register.incarnation),
                    (parsed.get_node(), parsed.get_incarnation())
                );
                assert_eq!(register.client_addr, parsed.get_client_addr());
                assert_eq!(register.peer_addr, parsed.get_peer_addr());
            }
            // Compared with what is written again.
            _ => {}
        }
    }
}

/// One that is made here is read as it was made.
fn check_transaction(source: &mut Source<'_>) {
    let mut body = Vec::new();
    let mut transaction = Transaction::default();
    for _ in 0..source.up_to(4) {
        let (key, db) = (source.some_bytes(), database(source));
        transaction.watches.push(Watch { key, revision: source.number(), seen_at: source.number(), db });
    }
    for _ in 0..source.up_to(5) {
        let args = (0..1 + source.up_to(4)).map(|_| source.some_bytes()).collect();
        transaction.commands.push(units::Command { args, db: database(source), caller: None });
    }
    put_transaction_unit(&mut body, &transaction.watches, &transaction.commands);
    check_body(&body);
    let read: Result<Vec<_>, _> = Units::new(&body).collect();
    assert_eq!(read, Ok(vec![Unit::Transaction(transaction)]));
}

fn database(source: &mut Source<'_>) -> u32 {
    u32::from(source.byte()) % DATABASES as u32
}

/// Whether it is one that does something.
fn check_entry(bytes: &[u8]) -> bool {
    let Ok((now_ms, batches)) = decode(bytes) else { return false };
    let Ok(batches) = batches.collect::<Result<Vec<_>, _>>() else { return false };
    let parsed = generated::Entry::parse_from_bytes(bytes).expect("whatever we accept is protobuf");
    assert_eq!((parsed.get_now_ms(), parsed.get_batches().len()), (now_ms, batches.len()));
    let mut owned = Vec::new();
    for (batch, parsed) in batches.iter().zip(parsed.get_batches()) {
        let numbers = (parsed.get_origin(), parsed.get_boot(), parsed.get_seq());
        assert_eq!((batch.origin, batch.boot, batch.seq), numbers);
        assert_eq!(batch.body, parsed.get_body());
        check_body(batch.body);
        let body = Bytes::copy_from_slice(batch.body);
        owned.push(Batch { origin: batch.origin, boot: batch.boot, seq: batch.seq, body });
    }
    let written = encode(now_ms, &owned);
    let (again_ms, again) = decode(&written).expect("we wrote it");
    assert_eq!((again_ms, again.map(Result::unwrap).collect::<Vec<_>>()), (now_ms, batches), "written again");
    owned.iter().any(|batch| !batch.body.is_empty())
}

/// Applies an entry as a group does; what is malformed in it, it skips.
pub fn apply(machine: &mut Machine, index: u64, bytes: &[u8]) {
    let Ok((now_ms, batches)) = decode(bytes) else { return };
    machine.begin_entry(index, now_ms);
    for batch in batches.map_while(Result::ok) {
        if machine.accept(batch.origin, batch.boot, batch.seq) == Verdict::Apply {
            for unit in Units::new(batch.body).map_while(Result::ok) {
                machine.execute(&unit);
            }
        }
    }
    machine.end_entry();
}

const NAMES: &[&str] = &[
    "SET",
    "GET",
    "APPEND",
    "INCR",
    "DECRBY",
    "INCRBYFLOAT",
    "GETSET",
    "GETDEL",
    "GETEX",
    "SETNX",
    "SETEX",
    "PSETEX",
    "MSET",
    "MSETNX",
    "MGET",
    "STRLEN",
    "GETRANGE",
    "DEL",
    "UNLINK",
    "EXISTS",
    "EXPIRE",
    "PEXPIRE",
    "EXPIREAT",
    "PEXPIREAT",
    "PERSIST",
    "TTL",
    "PTTL",
    "EXPIRETIME",
    "RENAME",
    "RENAMENX",
    "COPY",
    "TYPE",
    "TOUCH",
    "SCAN",
    "KEYS",
    "RANDOMKEY",
    "DBSIZE",
    "FLUSHALL",
    "OBJECT",
    "GETV",
    "CAS",
    "CAD",
    "DELIFEQ",
    "MULTI",
    "PING",
    "SELECT",
    "COMMAND",
];
const WORDS: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "0",
    "1",
    "-1",
    "2",
    "100",
    "1000",
    "9223372036854775807",
    "1.5",
    "1e300",
    "inf",
    "EX",
    "PX",
    "EXAT",
    "PXAT",
    "NX",
    "XX",
    "GT",
    "LT",
    "GET",
    "KEEPTTL",
    "IFEQ",
    "PERSIST",
    "MATCH",
    "COUNT",
    "TYPE",
    "string",
    "*",
    "[a-",
    "h?llo\\",
    "REPLACE",
    "DB",
    "ENCODING",
    "",
];

/// A command that may make sense, of a few keys.
pub fn put_command(out: &mut Vec<u8>, source: &mut Source<'_>) {
    let mut args = vec![NAMES[source.up_to(NAMES.len() - 1)].as_bytes()];
    for _ in 0..source.up_to(6) {
        args.push(match source.up_to(WORDS.len() + 2) {
            word if word < WORDS.len() => WORDS[word].as_bytes(),
            _ => source.some_bytes(),
        });
    }
    put_command_unit(out, &args, 0);
}

/// An entry of such commands, by one of a few origins.
pub fn make(source: &mut Source<'_>, now_ms: u64) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..1 + source.up_to(4) {
        put_command(&mut body, source);
    }
    let (origin, seq) = (source.up_to(2) as u64, source.up_to(3) as u64);
    encode(now_ms, &[Batch { origin, boot: 1, seq, body: body.into() }])
}

pub fn run(input: &[u8]) {
    let mut source = Source::new(input);
    match source.byte() % 4 {
        0 => {
            let bytes = source.rest();
            if !check_entry(bytes) {
                return; // a machine is dear: 16,384 partitions
            }
            let (mut one, mut other) = (Machine::new(), Machine::new());
            for index in 1..3 {
                apply(&mut one, index, bytes);
                apply(&mut other, index, bytes);
            }
            assert_eq!(one.state_hash(), other.state_hash());
        }
        1 => check_body(source.rest()),
        2 => check_transaction(&mut source),
        _ => {
            let (mut one, mut other) = (Machine::new(), Machine::new());
            let mut now_ms = 0;
            for index in 1..40 {
                if source.is_empty() {
                    break;
                }
                now_ms += source.number() % (1 << 40);
                let entry = make(&mut source, now_ms);
                check_entry(&entry);
                apply(&mut one, index, &entry);
                apply(&mut other, index, &entry);
            }
            assert_eq!(one.state_hash(), other.state_hash());
        }
    }
}
