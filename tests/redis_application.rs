//! redis-rs plays redis-tests/application/scenario.md.

mod harness;

use harness::{Cluster, Setup, eventually};
use redis::{
    Client, Commands, Connection, ConnectionLike, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisError,
    RedisResult, Value, cmd, pipe,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::thread;

/// Counts of each worker, before the kill and after it.
const COUNTED: u64 = 60;

fn open(addr: &str, protocol: ProtocolVersion) -> RedisResult<Connection> {
    let mut info = format!("redis://{addr}/").into_connection_info()?;
    info.redis.protocol = protocol;
    Client::open(info)?.get_connection()
}

/// Where and how a step takes place.
struct At<'a> {
    addr: &'a str,
    /// Of the next node.
    next: &'a str,
    protocol: ProtocolVersion,
}

impl At<'_> {
    fn connect(&self) -> Connection {
        open(self.addr, self.protocol).expect("a connection")
    }
}

fn protocol(at: &At<'_>) -> RedisResult<()> {
    let reply: Value = cmd("CONFIG").arg("GET").arg("maxclients").query(&mut at.connect())?;
    match at.protocol {
        ProtocolVersion::RESP2 => assert!(matches!(reply, Value::Array(_)), "{reply:?}"),
        ProtocolVersion::RESP3 => assert!(matches!(reply, Value::Map(_)), "{reply:?}"),
    }
    Ok(())
}

fn pool(at: &At<'_>) -> RedisResult<()> {
    let (give, take) = mpsc::channel();
    (0..5).for_each(|_| give.send(at.connect()).expect("the other end is here"));
    let take = Mutex::new(take);
    thread::scope(|scope| {
        for task in 0..20 {
            let (give, take) = (give.clone(), &take);
            scope.spawn(move || {
                for n in 0..50 {
                    let mut connection = take.lock().expect("no poison").recv().expect("one comes back");
                    let key = format!("pool:{task}");
                    let () = connection.set(&key, n).expect("written");
                    assert_eq!(connection.get::<_, u64>(&key).expect("read"), n);
                    give.send(connection).expect("the other end is here");
                }
            });
        }
    });
    Ok(())
}

fn pipeline(at: &At<'_>) -> RedisResult<()> {
    let mut connection = at.connect();
    let mut pipe = pipe();
    for n in 0..1000 {
        pipe.set(format!("p:{n}"), n).ignore().get(format!("p:{n}"));
    }
    assert_eq!(pipe.query::<Vec<usize>>(&mut connection)?, (0..1000).collect::<Vec<_>>());
    pipe.cmd("GETRANGE").arg("p:0");
    let error = pipe.query::<Vec<usize>>(&mut connection).expect_err("an error among them");
    assert_eq!(error.kind(), ErrorKind::ResponseError, "{error}");
    assert_eq!(connection.get::<_, u64>("p:999")?, 999);
    Ok(())
}

fn transaction(at: &At<'_>) -> RedisResult<()> {
    let mut connection = at.connect();
    let () = cmd("MULTI").query(&mut connection)?;
    for words in [&["SET", "t", "text"][..], &["INCR", "t"], &["INCR", "u"]] {
        assert_eq!(cmd(words[0]).arg(&words[1..]).query::<String>(&mut connection)?, "QUEUED");
    }
    let Value::Array(replies) = connection.req_command(&cmd("EXEC"))? else { panic!("no list of replies") };
    assert!(matches!(&replies[..], [Value::Okay, Value::ServerError(_), Value::Int(1)]), "{replies:?}");
    Ok(())
}

fn watch(at: &At<'_>) -> RedisResult<()> {
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut connection = at.connect();
                for _ in 0..25 {
                    redis::transaction(&mut connection, &["counted"], |connection, pipe| {
                        let old: Option<u64> = connection.get("counted")?;
                        pipe.set("counted", old.unwrap_or(0) + 1).ignore().query::<Option<()>>(connection)
                    })
                    .expect("counted");
                }
            });
        }
    });
    assert_eq!(at.connect().get::<_, u64>("counted")?, 100);
    Ok(())
}

fn scan(at: &At<'_>) -> RedisResult<()> {
    let (mut scanning, mut writing) = (at.connect(), at.connect());
    let expected: BTreeSet<String> = (0..1000).map(|n| format!("scan:{n}")).collect();
    let () = writing.mset(&expected.iter().map(|key| (key, "v")).collect::<Vec<_>>())?;
    let mut found = BTreeSet::new();
    for (n, key) in scanning.scan_match::<_, String>("scan:*")?.enumerate() {
        if n % 10 == 0 {
            let () = writing.set(format!("new:{n}"), "v")?;
            let () = writing.del(format!("p:{n}"))?;
        }
        found.insert(key);
    }
    assert_eq!(found, expected);
    Ok(())
}

fn pubsub(at: &At<'_>) -> RedisResult<()> {
    let (mut listening, mut publisher) = (at.connect(), open(at.next, at.protocol)?);
    let mut listener = listening.as_pubsub();
    listener.subscribe("news.it")?;
    listener.psubscribe("news.*")?;
    for n in 0..90 {
        let () = publisher.publish("news.it", n)?;
    }
    let mut last = pipe();
    for n in 90..100 {
        last.atomic().publish("news.it", n);
    }
    let () = last.query(&mut publisher)?;
    let (mut by_channel, mut by_pattern) = (Vec::<u64>::new(), Vec::<u64>::new());
    while by_channel.len() + by_pattern.len() < 200 {
        let message = listener.get_message()?;
        let heard = if message.from_pattern() { &mut by_pattern } else { &mut by_channel };
        heard.push(message.get_payload()?);
    }
    let expected: Vec<u64> = (0..100).collect();
    assert_eq!((by_channel, by_pattern), (expected.clone(), expected));
    Ok(())
}

#[test]
fn on_every_node_in_both_protocols() {
    let cluster = Setup::new().start();
    let ids = cluster.ids();
    for (place, &id) in ids.iter().enumerate() {
        for protocol_version in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let next = ids[(place + 1) % ids.len()];
            let at = At {
                addr: &cluster.node(id).addr,
                next: &cluster.node(next).addr,
                protocol: protocol_version,
            };
            let () = cmd("FLUSHALL").query(&mut at.connect()).expect("empty");
            for (name, step) in STEPS {
                step(&at).unwrap_or_else(|error| panic!("node {id}, {protocol_version:?}, {name}: {error}"));
            }
        }
    }
}

type Step = fn(&At<'_>) -> RedisResult<()>;
const STEPS: [(&str, Step); 7] = [
    ("protocol", protocol),
    ("pool", pool),
    ("pipeline", pipeline),
    ("transaction", transaction),
    ("watch", watch),
    ("scan", scan),
    ("pub/sub", pubsub),
];

/// Counts until `stop`, on whichever node answers.
fn count(addrs: &[String], worker: usize, acknowledged: &AtomicU64, stop: &AtomicBool) {
    let (mut at, mut connection) = (worker, None);
    while !stop.load(Ordering::Relaxed) {
        let number = acknowledged.load(Ordering::Relaxed) + 1;
        let counted = (|| -> Result<Connection, RedisError> {
            let mut open = match connection.take() {
                Some(open) => open,
                None => open(&addrs[at % addrs.len()], ProtocolVersion::RESP2)?,
            };
            let session = format!("redis-rs:{worker}");
            let _: u64 = cmd("ONCE").arg(session).arg(number).arg("INCR").arg("kept").query(&mut open)?;
            Ok(open)
        })();
        match counted {
            Ok(open) => {
                acknowledged.store(number, Ordering::Relaxed);
                connection = Some(open);
            }
            Err(_) => at += 1,
        }
    }
}

fn kept(cluster: &Cluster, id: u64) -> Option<u64> {
    open(&cluster.node(id).addr, ProtocolVersion::RESP2).ok()?.get("kept").ok()
}

#[test]
fn through_a_failover_every_count_is_exact() {
    let mut cluster = Setup::new().start();
    let addrs: Vec<String> = cluster.ids().iter().map(|&id| cluster.node(id).addr.clone()).collect();
    let counts: Vec<AtomicU64> = (0..2 * addrs.len()).map(|_| AtomicU64::new(0)).collect();
    let stop = AtomicBool::new(false);
    let leader = cluster.leader();
    let each = |least: u64| {
        eventually("every worker counts on", || {
            counts.iter().all(|count| count.load(Ordering::Relaxed) >= least).then_some(())
        });
    };
    thread::scope(|scope| {
        for (worker, acknowledged) in counts.iter().enumerate() {
            let (addrs, stop) = (&addrs, &stop);
            scope.spawn(move || count(addrs, worker, acknowledged, stop));
        }
        each(COUNTED);
        cluster.kill(leader);
        each(COUNTED + counts.iter().map(|count| count.load(Ordering::Relaxed)).max().unwrap_or(0));
        stop.store(true, Ordering::Relaxed);
    });
    let acknowledged = counts.iter().map(|count| count.load(Ordering::Relaxed)).sum();
    for id in cluster.ids().into_iter().filter(|&id| id != leader) {
        assert_eq!(kept(&cluster, id), Some(acknowledged), "node {id}");
    }
    cluster.restart(leader);
    eventually("the killed node answers", || (kept(&cluster, leader)? == acknowledged).then_some(()));
}
