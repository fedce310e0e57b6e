//! Client-side caching across nodes: whoever caches, and wherever, is told of every change by any
//! node, in an order in which no cache keeps what is old.

use crate::harness::{Client, Setup, Value};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const KEYS: u64 = 20;

fn tracker(addr: &str, options: &[&str]) -> Client {
    let mut client = Client::connect(addr);
    client.call(&["HELLO", "3"]);
    client.call(&[&["CLIENT", "TRACKING", "ON"], options].concat());
    client
}

/// A cache as client libraries keep one: what was read, until it is told to be old.
struct Cache {
    client: Client,
    values: BTreeMap<String, i64>,
    told: u64,
}

impl Cache {
    fn new(addr: &str, options: &[&str]) -> Self {
        Self { client: tracker(addr, options), values: BTreeMap::new(), told: 0 }
    }

    fn forget(&mut self, push: Vec<Value>) {
        assert_eq!(push[0], Value::bulk("invalidate"));
        self.told += 1;
        match &push[1] {
            Value::Array(keys) => self.values.retain(|key, _| !keys.contains(&Value::bulk(key))),
            _ => self.values.clear(),
        }
    }

    /// The reply to what was sent; what is told before it takes effect before it.
    fn reply(&mut self) -> io::Result<Value> {
        loop {
            match self.client.read()? {
                Value::Push(push) => self.forget(push),
                reply => return Ok(reply),
            }
        }
    }

    fn number(&mut self, words: &[&str]) -> io::Result<i64> {
        self.client.send(words)?;
        Ok(match self.reply()? {
            Value::Int(number) => number,
            reply => reply.text().parse().unwrap_or(0),
        })
    }

    fn get(&mut self, key: &str) -> io::Result<i64> {
        if let Some(value) = self.values.get(key) {
            return Ok(*value);
        }
        let value = self.number(&["GET", key])?;
        self.values.insert(key.to_owned(), value);
        Ok(value)
    }

    /// Waits for one to be told.
    fn hear(&mut self) {
        match self.client.read().expect("a push") {
            Value::Push(push) => self.forget(push),
            reply => panic!("{reply:?}"),
        }
    }
}

/// Rounds of a change by one of the nodes, and a look at it on all.
fn rounds(addrs: &[String], value: &mut i64) {
    let mut caches: Vec<Cache> = addrs.iter().map(|addr| Cache::new(addr, &[])).collect();
    let mut writers: Vec<Client> = addrs.iter().map(|addr| Client::connect(addr)).collect();
    for _ in 0..30 {
        for cache in &mut caches {
            assert_eq!(cache.get("key").unwrap(), *value);
        }
        *value += 1;
        let at = *value as usize % writers.len();
        writers[at].call(&["INCR", "key"]);
        for cache in &mut caches {
            cache.hear();
            assert_eq!(cache.get("key").unwrap(), *value, "what is read after it was told");
        }
    }
}

#[test]
fn a_change_on_one_node_is_told_on_all_and_then_seen_on_all() {
    let mut cluster = Setup::new().start();
    let mut value = 0;
    rounds(&cluster.addrs(), &mut value);
    let leader = cluster.leader();
    cluster.kill(leader);
    cluster.await_ready();
    let ids = cluster.running();
    let addrs = cluster.addrs();
    let living: Vec<String> = ids.iter().map(|id| addrs[*id as usize - 1].clone()).collect();
    assert_eq!(living.len(), 2);
    rounds(&living, &mut value);
}

/// Counts keys up through one node, one and several at a time.
fn write(addr: String, stop: Arc<AtomicBool>) -> JoinHandle<()> {
    let mut client = Client::connect(&addr);
    std::thread::spawn(move || {
        for i in 0u64.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let key = |i: u64| format!("key{}", i % KEYS);
            if i % 7 == 0 {
                client.call(&["MULTI"]);
                client.call(&["INCR", &key(i)]);
                client.call(&["INCR", &key(i * 3 + 1)]);
                client.call(&["EXEC"]);
            } else {
                client.call(&["INCR", &key(i * 5)]);
            }
        }
    })
}

#[test]
fn no_cache_keeps_what_is_old_while_everybody_writes() {
    let cluster = Setup::new().start();
    let stop = Arc::new(AtomicBool::new(false));
    let addrs = cluster.addrs();
    let writers: Vec<_> = addrs.iter().map(|addr| write(addr.clone(), stop.clone())).collect();
    let modes: [&[&str]; 3] = [&[], &["NOLOOP"], &["BCAST", "PREFIX", "key"]];
    let mut caches: Vec<Cache> =
        addrs.iter().flat_map(|addr| modes.map(|options| Cache::new(addr, options))).collect();
    let mut seen = vec![BTreeMap::new(); caches.len()];
    for i in 0..6000u64 {
        let at = i as usize % caches.len();
        let cache = &mut caches[at];
        let key = format!("key{}", i * 11 / 9 % KEYS);
        if i % 50 < 9 {
            // A change of its own; NOLOOP means that it takes care of that by itself.
            cache.values.remove(&key);
            cache.number(&["INCR", &key]).unwrap();
        } else if i % 50 < 18 {
            cache.values.remove(&key);
            for words in [&["MULTI"][..], &["GET", &key], &["PING"], &["EXEC"]] {
                cache.client.send(words).unwrap();
            }
            let mut replies: Vec<Value> = (0..4).map(|_| cache.reply().unwrap()).collect();
            let Some(Value::Array(items)) = replies.pop() else { panic!("EXEC has an array") };
            cache.values.insert(key, items[0].text().parse().unwrap_or(0));
        } else {
            let value = cache.get(&key).unwrap();
            let before = seen[at].insert(key.clone(), value).unwrap_or(0);
            assert!(value >= before, "{key} went back from {before} to {value}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("it wrote to the end"));
    let mut judge = Client::connect(&addrs[0]);
    for (i, cache) in caches.iter_mut().enumerate() {
        // This reply is newer than all writes: so is everything that was told before it.
        cache.number(&["GET", "elsewhere"]).unwrap();
        assert!(cache.told > 20, "cache {i} was told {} times", cache.told);
        for (key, value) in &cache.values {
            assert_eq!(judge.get(key).text(), value.to_string(), "{key} in cache {i}");
        }
    }
}
