//! A call of any row of the table of commands, made of its own documentation: a new row needs no line here, unless it
//! wants arguments that its documentation does not tell.

use crate::harness::{Client, Value};
use bowline::command::{Arg, ArgKind, Command};

/// The words of a call.
pub type Call = Vec<Vec<u8>>;

const LIBRARY: &str = "#!lua name=lib\nredis.register_function{function_name='f', flags={'no-writes'}, \
                       callback=function() return 1 end}";
const SCRIPT: &str = "return 1";

/// Arguments that a row's documentation does not tell.
const ARGUMENTS: &[(&str, &[&str])] = &[
    ("acl|deluser", &["somebody"]),
    ("acl|dryrun", &["default", "ping"]),
    ("auth", &["default", "any"]),
    ("cad", &["s", "1"]),
    ("cas", &["s2", "0", "1"]),
    ("client|kill", &["ID", "999999"]),
    ("command|getkeys", &["GET", "s"]),
    ("command|getkeysandflags", &["GET", "s"]),
    ("config|set", &["slowlog-max-len", "128"]),
    ("debug", &["DIGEST"]),
    ("raft|add", &["1", "127.0.0.1:1"]), // a member already
    ("replicaof", &["NO", "ONE"]),
    ("script|debug", &["NO"]),
    ("shutdown", &["ABORT"]),
    ("slaveof", &["NO", "ONE"]),
    ("waitaof", &["0", "1", "10"]),
    ("xgroup|create", &["x", "g1", "0"]),
    ("xread", &["BLOCK", "10", "STREAMS", "x", "$"]),
    ("xreadgroup", &["GROUP", "g0", "c", "BLOCK", "10", "STREAMS", "x", ">"]),
    ("zrangestore", &["z2", "z", "0", "1"]),
];

/// See [`Call`].
pub fn call(words: &[&str]) -> Call {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// What calls need of the cluster that they are for.
pub struct Calls {
    /// Of `DUMP` and of `FUNCTION DUMP`.
    value: Vec<u8>,
    library: Vec<u8>,
    /// Of a text that is known.
    sha: String,
    seq: u64,
}

impl Calls {
    pub fn new(client: &mut Client) -> Self {
        let bytes = |reply: Value| match reply {
            Value::Bulk(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        client.set("s", "1");
        client.call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]);
        let sha = client.call(&["SCRIPT", "LOAD", SCRIPT]).text();
        let value = bytes(client.call(&["DUMP", "s"]));
        let library = bytes(client.call(&["FUNCTION", "DUMP"]));
        Self { value, library, sha, seq: 0 }
    }

    /// Calls that bring what the others are for: a key of each type, a library, a script.
    pub fn of_values() -> Vec<Call> {
        let calls = [
            &["FLUSHALL"][..],
            &["SET", "s", "1"],
            &["HSET", "h", "f", "1"],
            &["RPUSH", "l", "1", "2"],
            &["SADD", "t", "a"],
            &["GEOADD", "z", "13.3", "38.1", "a"],
            &["PFADD", "p", "a"],
            &["XADD", "x", "*", "f", "1"],
            &["XGROUP", "CREATE", "x", "g0", "0"],
            &["FUNCTION", "LOAD", "REPLACE", LIBRARY],
            &["SCRIPT", "LOAD", SCRIPT],
        ];
        calls.map(call).to_vec()
    }

    /// A call of a row, with what its documentation says must be there.
    pub fn of_row(&mut self, row: &Command, keys: Keys) -> Call {
        let mut words = call(&row.full_name.split('|').collect::<Vec<_>>());
        match ARGUMENTS.iter().find(|(name, _)| *name == row.full_name) {
            Some((_, arguments)) => words.extend(call(arguments)),
            None => row.arguments.iter().for_each(|arg| self.put(row, arg, keys, &mut words)),
        }
        words
    }

    fn put(&mut self, row: &Command, arg: &Arg, keys: Keys, words: &mut Call) {
        if arg.optional {
            return;
        }
        if !arg.token.is_empty() {
            words.push(arg.token.into());
        }
        match arg.kind {
            ArgKind::PureToken => {}
            ArgKind::OneOf => self.put(row, &arg.parts[0], keys, words),
            ArgKind::Block => arg.parts.iter().for_each(|part| self.put(row, part, keys, words)),
            ArgKind::Key => words.push(key(row, arg, keys).into()),
            _ => words.extend(self.word(row, arg)),
        }
    }

    fn word(&mut self, row: &Command, arg: &Arg) -> Call {
        if row.wraps != 0 && arg.name == "command" {
            return call(&["SET", "s", "1"]);
        }
        let word = match arg.name {
            "seq" => {
                self.seq += 1;
                return vec![self.seq.to_string().into()];
            }
            "serialized-value" if row.full_name == "function|restore" => {
                return vec![self.library.clone(), b"REPLACE".to_vec()];
            }
            "serialized-value" => return vec![self.value.clone()],
            "sha1" => &self.sha,
            "script" => SCRIPT,
            "function-code" => "#!lua name=other\nredis.register_function('g', function() return 1 end)",
            "function" => "f",
            "library-name" => "lib",
            "numkeys" if row.group == "scripting" => "0",
            "operation" => "AND",
            "subcommand" => "ENCODING",
            "longitude" => "13.3",
            "latitude" => "38.1",
            "parameter" => "maxmemory",
            "username" => "default",
            "host" => "127.0.0.1",
            "command" => "ping",
            "group" | "groupname" => "g0",
            "field" => "f",
            "member" | "member1" | "member2" => "a",
            "master-name" => "mymaster",
            "pattern" => "*",
            "id" | "old-id" if row.full_name.starts_with("raft|") => "9", // no member
            "ID" | "id" | "index" | "cursor" | "ttl" | "offset" => "0",
            "last-id" => "99999999999999-1",
            "start" | "min" if arg.kind == ArgKind::String && row.group != "sorted-set" => "-",
            "end" | "max" if arg.kind == ArgKind::String => "+",
            "min" if arg.kind == ArgKind::String => "-",
            "timeout" if arg.kind == ArgKind::Double => "0.01",
            "unix-time-seconds" => "99999999999",
            "unix-time-milliseconds" => "99999999999000",
            "seconds" => "100",
            "milliseconds" => "100000",
            _ => "1",
        };
        call(&[word])
    }
}

/// Which keys a call is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    Filled,
    Missing,
}

fn key(row: &Command, arg: &Arg, keys: Keys) -> String {
    let filled = match row.group {
        "hash" => "h",
        "list" => "l",
        "set" => "t",
        "sorted-set" | "geo" => "z",
        "hyperloglog" => "p",
        "stream" => "x",
        _ if row.full_name.starts_with("sort") => "l",
        _ => "s",
    };
    let is_new = ["destination", "destkey", "dst", "newkey"].contains(&arg.name)
        || row.full_name.starts_with("restore");
    match keys {
        Keys::Missing => format!("missing:{filled}"),
        Keys::Filled if is_new => format!("{filled}2"),
        Keys::Filled => filled.into(),
    }
}
