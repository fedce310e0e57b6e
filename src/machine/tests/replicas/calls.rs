//! Random calls of whatever reads or writes keys, drawn from the rows' own arguments: a new row
//! is called without a line here. A draw must never rest on anything but the seed and what the
//! caller says of time.

use crate::command::{self, Arg, ArgKind, Command, Handler};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// The words of a call.
pub type Call = Vec<Vec<u8>>;

const VALUES: &[&str] = &["", "a", "abc", "0", "1", "-7", "10", "3.5", "ohmytext", "9223372036854775807"];
const NUMBERS: &[&str] = &["0", "0", "1", "1", "1", "2", "3", "5", "-1", "-3", "100", "9223372036854775807"];
const SECONDS: &[&str] = &["1", "1", "2", "5", "100", "0", "-1"];
const MILLISECONDS: &[&str] = &["1", "5", "20", "50", "300", "4000", "100000", "0", "-1"];
const PATTERNS: &[&str] = &["*", "s*", "?0", "{a}*", "[^s]*", "s[01]", "w_*", "nosort", "#"];
const ENCODINGS: &[&str] = &["u1", "u8", "i8", "i5", "u16", "i64", "u63", "u64"];
const SESSIONS: &[&str] = &["one", "two", "three", "s"];
const USERS: &[&str] = &["alice", "bob", "carol", "default"];
const RULES: &[&str] = &[
    "on",
    "off",
    "nopass",
    ">secret",
    ">other",
    "<other",
    "resetpass",
    "~*",
    "~s*",
    "%R~n*",
    "resetkeys",
    "&*",
    "&news*",
    "resetchannels",
    "+@all",
    "-@write",
    "+get",
    "-set",
    "+acl|list",
    "allcommands",
    "nocommands",
    "(+get ~p*)",
    "clearselectors",
    "reset",
];
/// One that comes often.
const SCRIPT: &[u8] = b"return {KEYS, ARGV}";
const SKETCHES: &[&str] = &["p0", "p1", "p2"];
const HASHES: &[&str] = &["h0", "h1", "h2"];
const SETS: &[&str] = &["t0", "t1", "t2"];
const LISTS: &[&str] = &["l0", "l1"];
const SORTED_SETS: &[&str] = &["z0", "z1", "z2"];
const STREAMS: &[&str] = &["x0", "x1"];
const IDS: &[&str] =
    &["0", "1", "1-1", "2-5", "7-*", "99999999999999-*", "1700000000000-0", "$", ">", "-", "+", "(1-1"];
/// Of a group: what is new comes often.
const GROUP_IDS: &[&str] = &[">", ">", ">", "0", "1", "2-5"];
const GROUPS: &[&str] = &["g0", "g0", "g0", "g1"];
const CONSUMERS: &[&str] = &["c0", "c1", "c2"];
const FIELDS: &[&str] = &["f0", "f1", "f2", "f3", "f4", "7", ""];
const STRINGS: &[&str] = &["s0", "s1", "s2", "n0", "n1", "w_a", "w_1"];
/// The slot of keys with the tag `{a}`.
const SLOTS: &[&str] = &["15495", "0"];

/// Draws calls; see the module.
pub struct Calls {
    pub rng: SmallRng,
    /// What `DUMP` gave.
    pub payloads: Vec<Vec<u8>>,
    /// Keys that share a partition.
    pub neighbours: Vec<String>,
    /// The clock that deadlines are drawn around.
    pub now_ms: u64,
    rows: Vec<&'static Command>,
    /// Those that are drawn more often: no earlier call of theirs was answered.
    pub wanted: Vec<&'static Command>,
    seq: u64,
    /// Texts that were called.
    scripts: Vec<Vec<u8>>,
    in_script: bool,
}

/// As Lua writes it.
fn literal(word: &[u8]) -> String {
    let bytes: String = word.iter().map(|byte| format!("\\{byte:03}")).collect();
    format!("'{bytes}'")
}

/// Every row whose calls the machine carries out.
pub fn rows() -> impl Iterator<Item = &'static Command> {
    command::all().filter(|row| matches!(row.handler, Handler::Read(_) | Handler::Write(_)))
}

impl Calls {
    pub fn new(seed: u64, neighbours: Vec<String>) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self {
            rng,
            payloads: Vec::new(),
            neighbours,
            now_ms: 0,
            rows: rows().collect(),
            wanted: Vec::new(),
            seq: 0,
            scripts: Vec::new(),
            in_script: false,
        }
    }

    /// One of a few words.
    pub fn one_of(&mut self, words: &[&str]) -> Vec<u8> {
        words.choose(&mut self.rng).expect("no list is empty").as_bytes().to_vec()
    }

    /// A call of any row.
    pub fn any(&mut self) -> Call {
        let row = *self.rows.choose(&mut self.rng).expect("there are rows");
        // What empties everything comes too often otherwise, and what fills it too seldom.
        match row.full_name {
            "flushall" | "flushdb" | "script|flush" | "function|flush" if self.rng.random_bool(0.8) => {
                self.any()
            }
            // Writes are refused while one is followed.
            "replicaof" if self.rng.random_bool(0.9) => self.any(),
            "slaveof" if self.rng.random_bool(0.7) => self.any(),
            _ if !self.wanted.is_empty() && self.rng.random_bool(0.1) => {
                let row = *self.wanted.choose(&mut self.rng).expect("it was looked at");
                self.call(row)
            }
            _ if self.rng.random_bool(0.1) => self.call_named("set"),
            _ if self.rng.random_bool(0.06) => {
                let name = self.one_of(&["lpush", "lset", "pfadd", "pfdebug"]);
                self.call_named(&String::from_utf8_lossy(&name))
            }
            _ if self.rng.random_bool(0.1) => self.call_named("once"),
            _ if self.rng.random_bool(0.04) => self.call_named("rpush"),
            _ if self.rng.random_bool(0.06) => {
                let name = self.one_of(&["xadd", "xgroup|create", "xreadgroup", "xclaim", "xautoclaim"]);
                let name = String::from_utf8_lossy(&name);
                self.call(self.rows.iter().find(|row| row.full_name == name).expect("a name of the table"))
            }
            _ => self.call(row),
        }
    }

    fn call_named(&mut self, name: &str) -> Call {
        self.call(command::lookup(name.as_bytes()).expect("a name of the table"))
    }

    /// A call of a row that reads.
    pub fn read(&mut self) -> Call {
        loop {
            let row = *self.rows.choose(&mut self.rng).expect("some row reads");
            if !row.is_write() {
                return self.call(row);
            }
        }
    }

    /// A call of this row, seldom one with a mistake.
    fn call(&mut self, row: &'static Command) -> Call {
        let mut call: Call = row.full_name.split('|').map(|word| word.as_bytes().to_vec()).collect();
        if row.wraps != 0 {
            self.seq += 1;
            // A number that comes again, one by one or long after, or is left out.
            let seq = (self.seq + 1).saturating_sub(self.rng.random_range(0..4u64).pow(3));
            call.push(self.one_of(SESSIONS));
            call.push(seq.to_string().into_bytes());
            call.extend(self.any());
            return call;
        }
        let first = call.len();
        for arg in row.arguments {
            self.arg(row, arg, &mut call);
        }
        if call.len() > first && self.rng.random_bool(0.06) {
            let at = self.rng.random_range(first..call.len());
            match self.rng.random_range(0..3) {
                0 => drop(call.remove(at)),
                1 => call.insert(at, call[at].clone()),
                _ => call[at] = self.one_of(VALUES),
            }
        }
        call
    }

    fn arg(&mut self, row: &Command, arg: &Arg, call: &mut Call) {
        if arg.optional && self.rng.random_bool(0.65) {
            return;
        }
        let times = if arg.multiple { self.rng.random_range(1..=3) } else { 1 };
        for time in 0..times {
            if !arg.token.is_empty() && (time == 0 || arg.token_again) {
                call.push(arg.token.as_bytes().to_vec());
            }
            match arg.kind {
                ArgKind::PureToken => {}
                ArgKind::OneOf => {
                    let part = arg.parts.choose(&mut self.rng).expect("a choice has parts");
                    self.arg(row, part, call);
                }
                ArgKind::Block => arg.parts.iter().for_each(|part| self.arg(row, part, call)),
                _ => {
                    let word = self.word(row, arg);
                    call.push(word);
                }
            }
        }
    }

    fn word(&mut self, row: &Command, arg: &Arg) -> Vec<u8> {
        match (arg.kind, arg.name) {
            (ArgKind::Key, _) => self.key(row),
            (ArgKind::UnixTime, name) => {
                let at_ms = self.now_ms + self.rng.random_range(0..8000) - 1000;
                let at = if name.contains("milli") { at_ms } else { at_ms / 1000 };
                at.to_string().into_bytes()
            }
            (ArgKind::Double, _) => self.one_of(&["0.5", "-1.25", "3", "1e2", "x"]),
            (ArgKind::Pattern, _) => self.one_of(PATTERNS),
            (_, "script") => self.script(),
            (_, "function-code") => self.library(),
            (_, "function") => self.one_of(&["f0", "f1", "f2", "none"]),
            (_, "sha1") => self.known_sha(),
            (_, "numkeys") if row.group == "scripting" => self.one_of(&["0", "0", "0", "1", "2"]),
            (_, "numkeys") => self.one_of(&["1", "1", "2", "3", "0", "x"]),
            (_, "library-name" | "library-name-pattern") => self.one_of(&["l0", "l1", "l*"]),
            (_, "mode") => b"NO".to_vec(),
            (_, "host") => self.one_of(&["up", "down"]),
            (_, "db" | "destination-db" | "index1" | "index2") => {
                self.one_of(&["0", "1", "2", "0", "1", "2", "16"])
            }
            (_, "seconds") => self.one_of(SECONDS),
            (_, "milliseconds" | "ttl") => self.one_of(MILLISECONDS),
            (_, "slot") => self.one_of(SLOTS),
            (_, "cursor") => self.one_of(&["0", "0", "0", "9000"]),
            (ArgKind::Integer, _) => self.one_of(NUMBERS),
            (_, "serialized-value") if row.group == "scripting" => {
                crate::keyspace::rdb::put_functions(std::iter::once(&self.library()[..]))
            }
            (_, "serialized-value") => self.payloads.choose(&mut self.rng).cloned().unwrap_or_default(),
            (_, "encoding") => self.one_of(ENCODINGS),
            (_, "operation") => self.one_of(&["AND", "OR", "XOR", "NOT"]),
            (_, "subcommand") => self.one_of(&["GETREG", "ENCODING", "DECODE", "TODENSE"]),
            (_, "threshold") => self.one_of(NUMBERS),
            (_, "last-id") => self.one_of(&["99999999999999-99999999", "1", "$"]),
            (_, "ID" | "id") if row.full_name == "xreadgroup" => self.one_of(GROUP_IDS),
            (_, "group" | "groupname") => self.one_of(GROUPS),
            (_, "consumer" | "consumername") => self.one_of(CONSUMERS),
            (_, "min-idle-time") => self.one_of(MILLISECONDS),
            (_, "ID" | "id" | "start" | "end" | "max_deleted_entry_id") => self.one_of(IDS),
            (_, "min" | "max") => self.one_of(&["-", "+", "[a", "(f2", "[m", "0", "0", "-1", "x"]),
            (_, "field") => self.one_of(FIELDS),
            (_, "type") => self.one_of(&["string", "hash", "stream"]),
            (_, "session") => self.one_of(SESSIONS),
            (_, "username") => self.one_of(USERS),
            (_, "rule") => self.one_of(RULES),
            (_, "command") => self.one_of(&["get", "set", "ping"]),
            (_, "categoryname") => self.one_of(&["read", "write"]),
            _ => self.one_of(VALUES),
        }
    }

    /// Commands of any rows in Lua, with what is to come out the same everywhere: numbers, orders of
    /// tables, errors that are caught or are not.
    fn script(&mut self) -> Vec<u8> {
        if self.in_script || self.rng.random_bool(0.2) {
            return SCRIPT.to_vec();
        }
        self.in_script = true;
        let mut text = String::from("local out = {} ");
        for _ in 0..self.rng.random_range(1..5) {
            let call = self.any();
            let words: Vec<String> = call.iter().map(|word| literal(word)).collect();
            let words = words.join(",");
            text += &match self.rng.random_range(0..8) {
                0 => format!("out[#out+1] = redis.call({words}) "),
                1 => format!("for i = 1, 3 do out[#out+1] = redis.pcall({words}) end "),
                2 => "redis.call('set', 's0', math.random(1000)) redis.call('append', 's1', math.random()) ".into(),
                3 => "local t = {} for i = 1, 40 do t['k' .. i * 7] = i end for i = 1, 30 do t['k' .. i * 7] = nil end \
                      for i = 50, 60 do t['q' .. i] = {i} end redis.call('set', 's2', cjson.encode(t)) \
                      for k in pairs(t) do redis.call('append', 's1', k) end "
                    .into(),
                4 => "redis.call('set', 's0', cmsgpack.pack({a = 1, bb = {2, 3}, [4] = tostring({})})) ".into(),
                5 => format!("redis.setresp(3) out[#out+1] = {{pcall(redis.call, {words})}} "),
                6 => "redis.call('incr', 'n0') local a = string.rep('x', 9000000) a = a .. 'y' redis.call('incr', 'n1') ".into(),
                _ => format!("out[#out+1] = redis.pcall({words}) "),
            };
        }
        self.in_script = false;
        text += match self.rng.random_range(0..6) {
            0 => "error('at last')",
            1 => "return foo",
            2 => "return {map = {a = 1, b = out}}",
            _ => "return out",
        };
        let text = text.into_bytes();
        self.scripts.push(text.clone());
        if self.scripts.len() > 3 {
            self.scripts.remove(0);
        }
        text
    }

    fn library(&mut self) -> Vec<u8> {
        let (name, function) = (self.rng.random_range(0..2), self.rng.random_range(0..3));
        let body = String::from_utf8(self.script()).expect("a script is text");
        let flags = self.one_of(&["'no-writes'", "'no-writes'", ""]);
        let flags = String::from_utf8_lossy(&flags).into_owned();
        let text = format!(
            "#!lua name=l{name}\nredis.register_function{{function_name='f{function}', flags={{{flags}}}, \
             callback=function(KEYS, ARGV) {body} end}}"
        );
        text.into_bytes()
    }

    fn known_sha(&mut self) -> Vec<u8> {
        use sha1::Digest as _;
        let one_of_them = self.scripts.choose(&mut self.rng).cloned().unwrap_or_default();
        let script = if self.rng.random_bool(0.5) { one_of_them } else { SCRIPT.to_vec() };
        sha1::Sha1::digest(&script).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes()
    }

    /// A key, seldom one of another kind than the row is for.
    pub fn key(&mut self, row: &Command) -> Vec<u8> {
        match self.rng.random_range(0..10) {
            0 => self.one_of(SKETCHES),
            1..=3 => {
                self.neighbours.choose(&mut self.rng).map(|key| key.as_bytes().to_vec()).unwrap_or_default()
            }
            _ if row.group == "hyperloglog" => self.one_of(SKETCHES),
            _ if row.group == "hash" => self.one_of(HASHES),
            _ if row.group == "list" => self.one_of(LISTS),
            _ if row.group == "set" => self.one_of(SETS),
            _ if row.group == "stream" => self.one_of(STREAMS),
            _ if matches!(row.group, "sorted-set" | "geo") => self.one_of(SORTED_SETS),
            4 => self.one_of(HASHES),
            5 => self.one_of(LISTS),
            6 => self.one_of(SETS),
            _ => self.one_of(STRINGS),
        }
    }
}
