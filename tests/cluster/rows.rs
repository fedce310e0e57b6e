//! Every row of the table of commands on nodes that replicate: alone, between writes, in a transaction, in either case;
//! and scripts by every command that runs one, of every flag. The tests of the server alone run on a stand-in, which
//! counts no commands and has no replicas.

use super::calls::{Call, Calls, Keys, call};
use crate::harness::client::request;
use crate::harness::{Client, Cluster, Setup, Value};
use bowline::command::{self, Flags};
use std::collections::BTreeSet;
use std::io::Write as _;

/// Rows that are refused as this test calls them: what they ask for is not there, or not possible.
const REFUSED: &[&str] = &[
    "acl|load",
    "acl|save",
    "client|caching",
    "cluster|replicas",
    "cluster|slaves",
    "config|rewrite",
    "discard",
    "exec",
    "function|kill",
    "latency|graph",
    "migrate",
    "object|freq",
    "raft|add",
    "raft|demote",
    "raft|promote",
    "raft|remove",
    "raft|replace",
    "raft|transfer",
    "script|kill",
    "shutdown",
];

/// After these the connection is theirs, or gone.
const LAST: &[&str] = &["monitor", "psubscribe", "psync", "quit", "ssubscribe", "subscribe", "sync"];

/// Makes calls, each on a connection of its own to the next of the nodes.
struct Caller<'a> {
    cluster: &'a Cluster,
    connections: usize,
}

impl Caller<'_> {
    fn client(&mut self) -> Client {
        let ids = self.cluster.ids();
        self.connections += 1;
        self.cluster.client(ids[self.connections % ids.len()])
    }

    /// Sends these calls at once: where their replies are read.
    fn send(&mut self, calls: &[Call]) -> Client {
        let mut client = self.client();
        let bytes = calls.iter().flat_map(|call| request(call)).collect::<Vec<_>>();
        client.stream.write_all(&bytes).expect("it is connected");
        client
    }

    /// The replies to calls that are sent at once, one each and no more.
    #[track_caller]
    fn replies(&mut self, calls: &[Call]) -> Vec<Value> {
        // Whatever comes of the first of these, the other is not queued.
        let end = [call(&["DISCARD"]), call(&["ECHO", "end"])];
        let mut client = self.send(&[calls, &end].concat());
        let mut read = || client.read().unwrap_or_else(|error| panic!("{}: {error}", shown(calls)));
        let replies = calls.iter().map(|_| read()).collect();
        let end = [read(), read()];
        assert_eq!(end[1], Value::bulk("end"), "{}: {replies:?}, {end:?}", shown(calls));
        replies
    }

    /// Makes a call wherever it may stand: the reply when it came alone.
    #[track_caller]
    fn everywhere(&mut self, words: &Call) -> Value {
        let mut upper = words.clone();
        upper[0].make_ascii_uppercase();
        let both = [words.clone(), upper];
        let [alone, _] = both.each_ref().map(|words| self.replies(std::slice::from_ref(words)).remove(0));
        let [write, multi, exec] = [&["SET", "w", "1"][..], &["MULTI"], &["EXEC"]].map(call);
        let [lower, upper] = both;
        let between = [&write, &lower, &write, &upper, &write].map(Call::clone);
        self.replies(&between);
        self.replies(&[multi, lower, upper, write, exec]);
        alone
    }

    /// The same of a call that has the connection for itself from then on.
    #[track_caller]
    fn at_last(&mut self, words: &Call) {
        let [write, multi, exec] = [&["SET", "w", "1"][..], &["MULTI"], &["EXEC"]].map(call);
        for (before, behind) in [(&[][..], &[][..]), (&[write], &[]), (&[multi], &[exec])] {
            let calls = [before, std::slice::from_ref(words), behind].concat();
            let mut client = self.send(&calls);
            let kind = |client: &mut Client| {
                let kind = client.next_kind().unwrap_or_else(|error| panic!("{}: {error}", shown(&calls)));
                assert!(b"+-$*".contains(&kind), "{}: {}", shown(&calls), kind.escape_ascii());
                kind
            };
            for _ in before {
                assert_eq!(client.read().expect("a reply"), Value::ok(), "{}", shown(&calls));
            }
            if kind(&mut client) == b'+' && client.read().expect("a reply") == Value::Simple("QUEUED".into())
            {
                kind(&mut client);
            }
        }
    }

    /// All nodes run, and have the same keys, users and libraries.
    #[track_caller]
    fn assert_agree(&self, what: &str) {
        let ask = |id| {
            let mut client = self.cluster.client(id);
            // A node that has answered this has applied everything until then.
            client.get("w");
            [&["DEBUG", "DIGEST"][..], &["ACL", "LIST"], &["FUNCTION", "DUMP"]].map(|call| client.call(call))
        };
        let answers: Vec<_> = self.cluster.ids().into_iter().map(ask).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "after {what}: {answers:?}");
    }
}

fn shown(calls: &[Call]) -> String {
    calls.iter().map(|call| call.join(&b' ').escape_ascii().to_string()).collect::<Vec<_>>().join("; ")
}

fn cluster() -> Cluster {
    Setup::new().storage("memory").flags(&["--enable-debug-command", "yes"]).start()
}

#[test]
fn every_row_is_answered_once_wherever_it_stands() {
    let mut cluster = cluster();
    let mut calls = Calls::new(&mut cluster.client(1));
    let mut caller = Caller { cluster: &cluster, connections: 0 };
    let mut refused = BTreeSet::new();
    for row in command::all() {
        assert!(caller.replies(&Calls::of_values()).iter().all(|reply| reply.error().is_none()));
        let words = calls.of_row(row, Keys::Filled);
        if LAST.contains(&row.full_name) {
            caller.at_last(&words);
            continue;
        }
        let reply = caller.everywhere(&words);
        let is_container = !row.subcommands.is_empty() && row.wraps == 0;
        let is_told = |error: &&str| !is_container && !error.contains("already in progress");
        if let Some(error) = reply.error().filter(is_told) {
            println!("{}: {error}", shown(&[words]));
            refused.insert(row.full_name);
        }
        if row.flags.has(Flags::BLOCKING) {
            let words = calls.of_row(row, Keys::Missing);
            caller.everywhere(&words);
        }
        if row.is_write() {
            caller.assert_agree(row.full_name);
        }
    }
    assert_eq!(refused, REFUSED.iter().copied().collect());
    caller.assert_agree("all");
    cluster.assert_running(&[1, 2, 3]);
}

/// What a script or a function may say of itself; `-`: a script says nothing.
const SAID: &[&str] = &[
    "-",
    "",
    "no-writes",
    "allow-oom",
    "allow-stale",
    "no-cluster",
    "allow-cross-slot-keys",
    "no-writes,allow-oom,allow-stale,no-cluster,allow-cross-slot-keys",
];

/// Makes all calls of a script that says this and of a function that does the same.
fn meet_scripts(caller: &mut Caller<'_>, said: &str, does: &str, done: &Value) {
    let (is_said, writes_not) = (said != "-", said.contains("no-writes"));
    let first_line = if is_said { format!("#!lua flags={said}\n") } else { String::new() };
    let text = format!("{first_line}return redis.call({does})");
    let flags = said.split(',').filter(|flag| flag.contains('-') && is_said).map(|flag| format!("'{flag}'"));
    let library = format!(
        "#!lua name=lib\nredis.register_function{{function_name='f', flags={{{}}}, \
         callback=function(KEYS, ARGV) return redis.call({does}) end}}",
        flags.collect::<Vec<_>>().join(",")
    );
    let sha = caller.client().call(&["SCRIPT", "LOAD", &text]).text();
    caller.client().call(&["SCRIPT", "FLUSH"]);
    caller.client().call(&["FUNCTION", "LOAD", "REPLACE", &library]);
    for (name, what, is_said, reads) in [
        ("eval", &text[..], is_said, false),
        ("evalsha", &sha, is_said, false),
        ("eval_ro", &text, is_said, true),
        ("evalsha_ro", &sha, is_said, true),
        ("fcall", "f", true, false),
        ("fcall_ro", "f", true, true),
    ] {
        let reply = caller.everywhere(&call(&[name, what, "1", "s"]));
        let writes = done == &Value::ok();
        let is_refused = writes && (reads || writes_not) || reads && is_said && !writes_not;
        match reply.error() {
            None => assert!(!is_refused && reply == *done, "{name}, {text:?}: {reply:?}"),
            Some(error) => assert!(is_refused, "{name}, {text:?}: {error}"),
        }
        caller.assert_agree(name);
    }
}

#[test]
fn every_kind_of_script_is_answered_once_wherever_it_stands() {
    let mut cluster = cluster();
    let mut caller = Caller { cluster: &cluster, connections: 0 };
    caller.client().set("s", "1");
    for said in SAID {
        meet_scripts(&mut caller, said, "'get', KEYS[1]", &Value::bulk("1"));
        meet_scripts(&mut caller, said, "'set', KEYS[1], '1'", &Value::ok());
    }
    caller.assert_agree("all");
    cluster.assert_running(&[1, 2, 3]);
}
