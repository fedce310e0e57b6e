//! Golden scripts for the commands, and the generated documentation.
//!
//! A script: `> COMMAND args` (quoted as in redis-cli), then the reply as text; `@ ms` sets
//! the log's clock, `@wall ms` the node's, `@db number` the database. Each starts with an empty keyspace at 1000000 ms.
//! `BOWLINE_UPDATE=1` rewrites the replies, to be read before they are committed.

mod damaged;
mod docs;
mod generic_events;
mod hash_events;
mod set_events;
mod stream_events;
mod stream_group_events;
mod string_events;

use super::*;
use std::fmt::Write;

struct Runner {
    state: State,
    db: usize,
    now_ms: u64,
    wall_ms: u64,
}

impl Runner {
    fn new() -> Self {
        Self::with_tables_of([7; 16])
    }

    fn with_tables_of(hash_key: [u8; 16]) -> Self {
        let mut state = State::new(hash_key);
        state.set("lua-time-limit", b"20").expect("it is a setting");
        Self { state, db: 0, now_ms: 1_000_000, wall_ms: 0 }
    }

    fn run(&mut self, args: &[Vec<u8>]) -> String {
        let args: Args<'_> = args.iter().map(Vec::as_slice).collect();
        let reply = match resolve(&args).map(|command| command.handler) {
            Err(error) => error,
            Ok(Handler::Read(f)) => {
                let mut context = ReadContext::new(&self.state, self.db, self.now_ms, self.wall_ms, 1);
                let reply = f(&mut context, &args);
                if context.saw_expiring {
                    return format!("{} (expiring)", show(&reply));
                }
                reply
            }
            Ok(Handler::Write(f)) => f(
                &mut WriteContext {
                    state: &mut self.state,
                    db: self.db,
                    now_ms: self.now_ms,
                    seed: 1,
                    caller: Default::default(),
                },
                &args,
            ),
            Ok(Handler::Connection(ConnectionCommand::Introspect)) => introspect(&args),
            Ok(Handler::Connection(command)) => return format!("<{command:?}>"),
        };
        show(&reply)
    }
}

fn show(reply: &Reply) -> String {
    let list = |items: &[Reply]| items.iter().map(show).collect::<Vec<_>>().join(", ");
    match reply {
        Reply::Ok => "OK".to_string(),
        Reply::Simple(text) => format!("+{text}"),
        Reply::Error(text) => format!("-{text}"),
        Reply::Int(n) => n.to_string(),
        Reply::Bulk(bytes) => format!("\"{}\"", bytes.escape_ascii().to_string().replace("\\'", "'")),
        Reply::Nil => "nil".to_string(),
        Reply::NilArray => "nil-array".to_string(),
        Reply::Array(items) => format!("[{}]", list(items)),
        Reply::Set(items) => format!("~[{}]", list(items)),
        Reply::Map(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{}: {}", show(k), show(v))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Reply::Pairs(pairs) | Reply::Streams(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("[{}, {}]", show(k), show(v))).collect();
            format!("[{}]", pairs.join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// Words, or quoted strings with `\n`, `\x00` and the like.
fn split(line: &str) -> Vec<Vec<u8>> {
    let mut args = Vec::new();
    let mut bytes = line.bytes().peekable();
    while let Some(&first) = bytes.peek() {
        let quoted = first == b'"';
        let mut arg = Vec::new();
        if first == b' ' || quoted {
            bytes.next();
        }
        if first == b' ' {
            continue;
        }
        while let Some(byte) = bytes.next_if(|&b| if quoted { b != b'"' } else { b != b' ' }) {
            arg.push(match (quoted && byte == b'\\').then(|| bytes.next().unwrap()) {
                None => byte,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b'x') => {
                    let hex: String = (0..2).map(|_| bytes.next().unwrap() as char).collect();
                    u8::from_str_radix(&hex, 16).unwrap()
                }
                Some(other) => other,
            });
        }
        if quoted {
            bytes.next();
        }
        args.push(arg);
    }
    args
}

/// The script as it should read, given what the commands answer.
fn played(script: &str) -> String {
    let mut runner = Runner::new();
    let mut out = String::new();
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}\n{}", runner.run(&split(command))).unwrap();
        } else if let Some(ms) = line.strip_prefix("@ ") {
            runner.now_ms = ms.parse().unwrap();
            writeln!(out, "{line}").unwrap();
        } else if let Some(ms) = line.strip_prefix("@wall ") {
            runner.wall_ms = ms.parse().unwrap();
            writeln!(out, "{line}").unwrap();
        } else if let Some(db) = line.strip_prefix("@db ") {
            runner.db = db.parse().unwrap();
            writeln!(out, "{line}").unwrap();
        } else if line.is_empty() || line.starts_with('#') {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

/// Compares a file of the project with what it should hold, or rewrites it.
fn check_file(path: &str, expected: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    if std::env::var_os("BOWLINE_UPDATE").is_some() {
        std::fs::write(&path, expected).unwrap();
    } else if found != expected {
        let differing = found.lines().zip(expected.lines()).position(|(a, b)| a != b);
        let line = differing.unwrap_or(found.lines().count().min(expected.lines().count()));
        let found = found.lines().nth(line).unwrap_or("(end)");
        let expected = expected.lines().nth(line).unwrap_or("(end)");
        panic!("{}:{}:\n    {found}\nshould be\n    {expected}", path.display(), line + 1);
    }
}

const SCRIPTS: &[(&str, &str)] = &[
    ("acl", include_str!("testscripts/acl.script")),
    ("bitfield", include_str!("testscripts/bitfield.script")),
    ("bits", include_str!("testscripts/bits.script")),
    ("connection", include_str!("testscripts/connection.script")),
    ("counters", include_str!("testscripts/counters.script")),
    ("databases", include_str!("testscripts/databases.script")),
    ("discovery", include_str!("testscripts/discovery.script")),
    ("dump", include_str!("testscripts/dump.script")),
    ("errors", include_str!("testscripts/errors.script")),
    ("expiry", include_str!("testscripts/expiry.script")),
    ("floats", include_str!("testscripts/floats.script")),
    ("generic", include_str!("testscripts/generic.script")),
    ("geo", include_str!("testscripts/geo.script")),
    ("hash", include_str!("testscripts/hash.script")),
    ("hyperloglog", include_str!("testscripts/hyperloglog.script")),
    ("introspect", include_str!("testscripts/introspect.script")),
    ("lcs", include_str!("testscripts/lcs.script")),
    ("list", include_str!("testscripts/list.script")),
    ("memory", include_str!("testscripts/memory.script")),
    ("object", include_str!("testscripts/object.script")),
    ("observe", include_str!("testscripts/observe.script")),
    ("once", include_str!("testscripts/once.script")),
    ("operations", include_str!("testscripts/operations.script")),
    ("ours", include_str!("testscripts/ours.script")),
    ("pubsub", include_str!("testscripts/pubsub.script")),
    ("ranges", include_str!("testscripts/ranges.script")),
    ("rename", include_str!("testscripts/rename.script")),
    ("scan", include_str!("testscripts/scan.script")),
    ("set", include_str!("testscripts/set.script")),
    ("sets", include_str!("testscripts/sets.script")),
    ("setlike", include_str!("testscripts/setlike.script")),
    ("scripts", include_str!("testscripts/scripts.script")),
    ("script_values", include_str!("testscripts/script_values.script")),
    ("sort", include_str!("testscripts/sort.script")),
    ("sorted_set", include_str!("testscripts/sorted_set.script")),
    ("sorted_set_operations", include_str!("testscripts/sorted_set_operations.script")),
    ("sorted_set_ranges", include_str!("testscripts/sorted_set_ranges.script")),
    ("stream", include_str!("testscripts/stream.script")),
    ("stream_groups", include_str!("testscripts/stream_groups.script")),
    ("strings", include_str!("testscripts/strings.script")),
    ("time", include_str!("testscripts/time.script")),
    ("upstream", include_str!("testscripts/upstream.script")),
    ("versions", include_str!("testscripts/versions.script")),
    ("wrongtype", include_str!("testscripts/wrongtype.script")),
];

#[test]
fn scripts() {
    for (name, script) in SCRIPTS {
        check_file(&format!("src/command/testscripts/{name}.script"), &played(script));
    }
}

#[test]
fn every_command_is_in_a_script() {
    for command in all() {
        let call = format!("> {}", command.full_name.to_ascii_uppercase().replace('|', " "));
        let is_called = |line: &str| line == call || line.starts_with(&format!("{call} "));
        assert!(SCRIPTS.iter().any(|(_, script)| script.lines().any(is_called)), "{call}");
    }
}

#[test]
fn a_string_never_grows_beyond_what_a_client_can_read() {
    let limit = crate::limits::MAX_BULK_BYTES;
    let mut runner = Runner::new();
    let args = |name: &str, len: usize| vec![name.as_bytes().to_vec(), b"k".to_vec(), vec![b'x'; len]];
    assert_eq!(runner.run(&args("APPEND", limit - 1)), (limit - 1).to_string());
    assert_eq!(
        runner.run(&args("APPEND", 2)),
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    );
    assert_eq!(runner.run(&args("APPEND", 1)), limit.to_string());
}

#[test]
fn the_same_commands_leave_the_same_state_in_every_order_of_tables() {
    let run = |hash_key: [u8; 16]| {
        let mut runner = Runner::with_tables_of(hash_key);
        let mut replies = Vec::new();
        for (_, script) in SCRIPTS {
            for command in script.lines().filter_map(|line| line.strip_prefix("> ")) {
                let unordered = ["KEYS", "SCAN", "CLUSTER GETKEYSINSLOT", "RANDOMKEY"]
                    .iter()
                    .any(|name| command.starts_with(name));
                let reply = runner.run(&split(command));
                replies.extend((!unordered).then_some(reply));
            }
        }
        (replies, runner.state.keyspace.total_len(), runner.state.keyspace.revision())
    };
    assert_eq!(run([1; 16]), run([2; 16]));
}
