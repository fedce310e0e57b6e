//! Clients that write through every node while something happens to the cluster, and know in
//! the end what has to be there: every acknowledged write exactly once and in its order, none
//! that was refused, and perhaps those whose connection broke. Each client writes keys of its
//! own, and reads what it wrote through another node: an old value, or another client's, is
//! noted at once.

use super::{Client, Cluster, Value, eventually};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a client waits before it asks a node again that does not run.
const RECONNECT: Duration = Duration::from_millis(20);
/// Longer than any node may keep a command.
const REPLY_PATIENCE: Duration = Duration::from_secs(30);

/// What became of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    /// The connection broke, or the node said that it does not know.
    Unknown,
    /// The node said that it was not applied.
    NotDone,
}

/// A write that was acknowledged.
#[derive(Debug, Clone, Copy)]
struct Ack {
    sent: Instant,
    acked: Instant,
}

/// What one client has seen.
#[derive(Debug, Default)]
struct Record {
    acks: Vec<Ack>,
    /// Of each number appended to the client's own list.
    tokens: BTreeMap<u64, Outcome>,
    incremented: u64,
    incremented_perhaps: u64,
    versions: u64,
    versions_perhaps: u64,
    /// Replies that are errors, whatever they say, and the node that gave them.
    errors: Vec<(u64, String)>,
    /// When the connection broke.
    breaks: Vec<Instant>,
    /// What must never be seen.
    wrong: Vec<String>,
}

struct Writer {
    name: String,
    node: u64,
    addr: String,
    read_node: u64,
    read_addr: String,
    pad: String,
    client: Option<Client>,
    reader: Option<Client>,
    record: Record,
    acknowledged: Arc<AtomicUsize>,
    last_register: Option<String>,
}

/// Clients under way.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    writers: Vec<JoinHandle<Writer>>,
}

/// What they have seen, and have to find in the end.
pub struct Outcomes {
    writers: Vec<Writer>,
}

impl Load {
    /// `per_node` clients on each node, whose registers hold `pad_bytes` more than their tag.
    pub fn start(cluster: &Cluster, name: &str, per_node: usize, pad_bytes: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let ids = cluster.ids();
        let mut writers = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            for i in 0..per_node {
                let reader = ids[(place + 1 + i) % ids.len()];
                let writer = Writer {
                    name: format!("{name}:{id}:{i}"),
                    node: *id,
                    addr: cluster.node(*id).addr.clone(),
                    read_node: reader,
                    read_addr: cluster.node(reader).addr.clone(),
                    pad: "x".repeat(pad_bytes),
                    client: None,
                    reader: None,
                    record: Record::default(),
                    acknowledged: acknowledged.clone(),
                    last_register: None,
                };
                let stop = stop.clone();
                writers.push(std::thread::spawn(move || writer.run(&stop)));
            }
        }
        Self { stop, acknowledged, writers }
    }

    /// Waits until `more` writes than now have been acknowledged.
    #[track_caller]
    pub fn await_writes(&self, more: usize) {
        let goal = self.acknowledged.load(Ordering::Relaxed) + more;
        eventually("writes go on", || (self.acknowledged.load(Ordering::Relaxed) >= goal).then_some(()));
    }

    /// Ends the load.
    #[track_caller]
    pub fn stop(self) -> Outcomes {
        self.stop.store(true, Ordering::Relaxed);
        let writers = self.writers.into_iter().map(|writer| writer.join().expect("a client that ends"));
        Outcomes { writers: writers.collect() }
    }
}

impl Writer {
    fn run(mut self, stop: &AtomicBool) -> Self {
        let mut number = 0;
        while !stop.load(Ordering::Relaxed) {
            if self.client.is_none() {
                self.client = Client::try_connect(&self.addr, REPLY_PATIENCE).ok();
                if self.client.is_none() {
                    std::thread::sleep(RECONNECT);
                    continue;
                }
            }
            number += 1;
            match number % 4 {
                0 => self.append(number),
                1 => self.increment(),
                2 => self.set(number),
                _ => self.compare_and_set(number),
            }
        }
        self
    }

    fn key(&self, kind: &str) -> String {
        format!("{kind}:{}", self.name)
    }

    /// A write, and what became of it.
    fn write(&mut self, args: &[&str]) -> (Outcome, Value) {
        let sent = Instant::now();
        let client = self.client.as_mut().expect("connected before each command");
        match client.try_call(args) {
            Ok(Value::Error(text)) => {
                let outcome = if text.starts_with("UNKNOWN") { Outcome::Unknown } else { Outcome::NotDone };
                self.record.errors.push((self.node, format!("{}: {text}", args[0])));
                (outcome, Value::Error(text))
            }
            Ok(reply) => {
                self.record.acks.push(Ack { sent, acked: Instant::now() });
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                (Outcome::Done, reply)
            }
            Err(error) => {
                self.broke(&error);
                (Outcome::Unknown, Value::Nil)
            }
        }
    }

    fn broke(&mut self, error: &io::Error) {
        self.client = None;
        self.record.breaks.push(Instant::now());
        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
            self.record.wrong.push(format!("node {}: no reply within {REPLY_PATIENCE:?}", self.node));
        }
    }

    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.record.wrong.push(format!("{}: {}", self.name, what()));
        }
    }

    fn append(&mut self, number: u64) {
        let (key, token) = (self.key("list"), format!("{number};"));
        let (outcome, _) = self.write(&["APPEND", &key, &token]);
        self.record.tokens.insert(number, outcome);
    }

    fn increment(&mut self) {
        let key = self.key("counter");
        let (outcome, reply) = self.write(&["INCR", &key]);
        let least = self.record.incremented + 1;
        let most = least + self.record.incremented_perhaps;
        match (outcome, reply) {
            (Outcome::Done, Value::Int(value)) => {
                let is_right = (least..=most).contains(&(value as u64));
                self.expect(is_right, || format!("INCR gave {value}, not {least} to {most}"));
                self.record.incremented = value as u64; // those of unknown outcome are known now
                self.record.incremented_perhaps = 0;
            }
            (Outcome::Done, reply) => self.expect(false, || format!("INCR gave {reply:?}")),
            (Outcome::Unknown, _) => self.record.incremented_perhaps += 1,
            (Outcome::NotDone, _) => {}
        }
    }

    /// Sets the register, and reads it through another node.
    fn set(&mut self, number: u64) {
        let key = self.key("register");
        let value = format!("{}:{number}:{}", self.name, self.pad);
        let (outcome, _) = self.write(&["SET", &key, &value]);
        match outcome {
            Outcome::Done => self.last_register = Some(value),
            Outcome::Unknown => self.last_register = None,
            Outcome::NotDone => {}
        }
        let Some(expected) = self.last_register.clone() else { return };
        if self.reader.is_none() {
            // A node that is dead refuses at once; a paused one must not hold the writes up.
            self.reader = Client::try_connect(&self.read_addr, Duration::from_secs(5)).ok();
        }
        let Some(reader) = &mut self.reader else { return };
        match reader.try_call(&["GET", &key]) {
            Ok(Value::Error(text)) => self.record.errors.push((self.read_node, format!("GET: {text}"))),
            Ok(reply) => self.expect(reply == Value::bulk(&expected), || {
                let (got, tag) = (reply.text(), &expected[..expected.len().min(40)]);
                format!("read {:?} instead of {tag:?}", &got[..got.len().min(40)])
            }),
            Err(_) => self.reader = None,
        }
    }

    /// The version tells how often the key was written: each acknowledged time once.
    fn compare_and_set(&mut self, number: u64) {
        let key = self.key("cas");
        if self.record.versions_perhaps > 0 {
            let reply = self.client.as_mut().expect("connected").try_call(&["GETV", &key]);
            let found = match reply {
                Ok(Value::Array(parts)) => parts[1].int() as u64,
                Ok(Value::Nil) => 0,
                Ok(Value::Error(text)) => {
                    return self.record.errors.push((self.node, format!("GETV: {text}")));
                }
                Ok(other) => return self.expect(false, || format!("GETV gave {other:?}")),
                Err(error) => return self.broke(&error),
            };
            let (least, most) = (self.record.versions, self.record.versions + self.record.versions_perhaps);
            let is_right = (least..=most).contains(&found);
            self.expect(is_right, || format!("version {found}, not {least} to {most}"));
            self.record.versions = found;
            self.record.versions_perhaps = 0;
        }
        let version = self.record.versions.to_string();
        let (outcome, reply) = self.write(&["CAS", &key, &version, &number.to_string()]);
        match outcome {
            Outcome::Done => {
                let expected = self.record.versions + 1;
                self.expect(reply == Value::Int(expected as i64), || format!("CAS gave {reply:?}"));
                self.record.versions = expected;
            }
            Outcome::Unknown => self.record.versions_perhaps = 1,
            Outcome::NotDone => {}
        }
    }

    /// Compares what the node `client` leads to has with what was acknowledged.
    fn check(&self, client: &mut Client, wrong: &mut Vec<String>) {
        let record = &self.record;
        let mut complain = |what: String| wrong.push(format!("{}: {what}", self.name));
        let list = client.get(&self.key("list")).text();
        let found: Vec<u64> = list.split_terminator(';').map(|token| token.parse().expect("ours")).collect();
        if let Some(pair) = found.windows(2).find(|pair| pair[0] >= pair[1]) {
            complain(format!("{} and {} are twice there, or out of order", pair[0], pair[1]));
        }
        for (token, outcome) in &record.tokens {
            match (outcome, found.binary_search(token).is_ok()) {
                (Outcome::Done, false) => complain(format!("{token} was acknowledged and is lost")),
                (Outcome::NotDone, true) => complain(format!("{token} was refused and is there")),
                _ => {}
            }
        }
        if found.iter().any(|token| !record.tokens.contains_key(token)) {
            complain("something is there that was never written".to_owned());
        }
        let counter: u64 = client.get(&self.key("counter")).text().parse().unwrap_or(0);
        let most = record.incremented + record.incremented_perhaps;
        if !(record.incremented..=most).contains(&counter) {
            complain(format!("the counter is {counter}, not {} to {most}", record.incremented));
        }
        if let Some(expected) = &self.last_register
            && client.get(&self.key("register")).text() != *expected
        {
            complain("the register is not what was written last".to_owned());
        }
    }
}

impl Outcomes {
    /// Everything acknowledged is on every running node, once; nothing that was refused is.
    #[track_caller]
    pub fn check(&self, cluster: &mut Cluster) {
        let mut wrong: Vec<String> =
            self.writers.iter().flat_map(|writer| writer.record.wrong.clone()).collect();
        for id in cluster.running() {
            let mut client = cluster.client(id);
            for writer in &self.writers {
                writer.check(&mut client, &mut wrong);
            }
        }
        assert!(
            wrong.is_empty(),
            "{} of the promises broken:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(20)].join("\n")
        );
        assert!(self.acknowledged() > 0, "nothing was written at all");
    }

    /// Replies that are errors.
    pub fn errors(&self) -> Vec<String> {
        self.errors_but(&[])
    }

    fn errors_but(&self, gone: &[u64]) -> Vec<String> {
        let all = self.writers.iter().flat_map(|writer| &writer.record.errors);
        let live = all.filter(|(node, _)| !gone.contains(node));
        live.map(|(node, text)| format!("node {node}: {text}")).collect()
    }

    /// Nodes but those that are `gone` have given no error and broken no connection.
    #[track_caller]
    pub fn assert_unnoticed_but(&self, gone: &[u64]) {
        let errors = self.errors_but(gone);
        assert!(errors.is_empty(), "{} errors, such as {:?}", errors.len(), &errors[..errors.len().min(5)]);
        for writer in self.writers.iter().filter(|writer| !gone.contains(&writer.node)) {
            assert_eq!(writer.record.breaks.len(), 0, "connections to node {}, which lives", writer.node);
        }
    }

    #[track_caller]
    pub fn assert_no_errors(&self) {
        let errors = self.errors();
        assert!(errors.is_empty(), "{} errors, such as {:?}", errors.len(), &errors[..errors.len().min(5)]);
    }

    /// How often connections to `node` broke.
    pub fn breaks(&self, node: u64) -> usize {
        let there = self.writers.iter().filter(|writer| writer.node == node);
        there.map(|writer| writer.record.breaks.len()).sum()
    }

    pub fn acknowledged(&self) -> usize {
        self.writers.iter().map(|writer| writer.record.acks.len()).sum()
    }

    /// From `at` until a write that was sent later through another node than `but` was acknowledged.
    pub fn first_after(&self, at: Instant, but: u64) -> Option<Duration> {
        let others = self.writers.iter().filter(|writer| writer.node != but);
        let acks = others.flat_map(|writer| &writer.record.acks).filter(|ack| ack.sent >= at);
        acks.map(|ack| ack.acked - at).min()
    }

    /// The longest time that one client on another node than `but` saw no write succeed.
    pub fn longest_gap(&self, but: u64) -> Duration {
        let others = self.writers.iter().filter(|writer| writer.node != but);
        let gaps =
            others.flat_map(|writer| writer.record.acks.windows(2).map(|two| two[1].acked - two[0].acked));
        gaps.max().unwrap_or_default()
    }

    /// The longest that a write through another node than `but` took, and when it was sent. Not
    /// the time in which a client waited for `but` to answer a read.
    pub fn slowest_write(&self, but: u64) -> (Duration, Option<Instant>) {
        let others = self.writers.iter().filter(|writer| writer.node != but);
        let acks = others.flat_map(|writer| &writer.record.acks);
        acks.map(|ack| (ack.acked - ack.sent, Some(ack.sent))).max().unwrap_or_default()
    }
}

/// The middle one.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
