//! What Rust's most used client, the `redis` crate, says of a cluster: on each of three nodes.

mod harness;

use harness::{Cluster, Setup, eventually};
use redis::{
    Commands, Connection, ErrorKind, ExistenceCheck, IntoConnectionInfo, ProtocolVersion, RedisError,
    SetExpiry, SetOptions, Value, cmd, pipe,
};
use std::collections::BTreeSet;
use std::thread;

/// Connections that count at the same time, on each node.
const COUNTERS_PER_NODE: usize = 3;
const COUNTED_EACH: usize = 40;

fn connect(cluster: &Cluster, id: u64, protocol: ProtocolVersion) -> Connection {
    try_connect(&cluster.node(id).addr, protocol).expect("a connection")
}

fn try_connect(addr: &str, protocol: ProtocolVersion) -> Result<Connection, RedisError> {
    let mut info = format!("redis://{addr}/").into_connection_info()?;
    info.redis.protocol = protocol;
    redis::Client::open(info)?.get_connection()
}

/// Runs `test` with a connection to each node in both protocols.
fn on_every_node(cluster: &Cluster, mut test: impl FnMut(&mut Connection, &str)) {
    for id in cluster.ids() {
        for protocol in [ProtocolVersion::RESP2, ProtocolVersion::RESP3] {
            let mut connection = connect(cluster, id, protocol);
            test(&mut connection, &format!("{id}:{protocol:?}"));
        }
    }
}

fn values(connection: &mut Connection, name: &str) -> Result<(), RedisError> {
    let key = format!("value:{name}");
    let binary: Vec<u8> = (0..=255).chain(*b"\r\n$-1\r\n").collect();
    let _: () = connection.set(&binary, &binary)?;
    assert_eq!(connection.get::<_, Vec<u8>>(&binary)?, binary);
    assert_eq!(connection.get::<_, Option<String>>("missing")?, None);
    let if_missing = SetOptions::default().conditional_set(ExistenceCheck::NX);
    assert_eq!(connection.set_options::<_, _, Option<String>>(&key, "first", if_missing)?, Some("OK".into()));
    assert_eq!(connection.set_options::<_, _, Option<String>>(&key, "second", if_missing)?, None);
    let expiring = SetOptions::default().with_expiration(SetExpiry::EX(100)).get(true);
    assert_eq!(connection.set_options::<_, _, String>(&key, "third", expiring)?, "first");
    assert!((1..=100).contains(&connection.ttl::<_, i64>(&key)?));
    assert!(connection.persist::<_, bool>(&key)?);
    assert_eq!(connection.append::<_, _, usize>(&key, "!")?, 6);
    assert_eq!(connection.strlen::<_, usize>(&key)?, 6);
    let error = connection.incr::<_, _, i64>(&key, 1).expect_err("no number");
    assert_eq!(error.kind(), ErrorKind::ResponseError, "{error}");
    assert!(connection.del::<_, bool>(&key)?);
    assert!(!connection.exists::<_, bool>(&key)?);
    let (key2, key3) = (format!("{key}2"), format!("{key}3"));
    let _: () = connection.mset(&[(&key, 1), (&key2, 2)])?;
    let many: Vec<Option<i64>> = connection.mget(&[&key, &key2, &key3])?;
    assert_eq!(many, [Some(1), Some(2), None]);
    assert_eq!(connection.del::<_, usize>(&[&key, &key2, &key3])?, 2);
    Ok(())
}

fn pipelines(connection: &mut Connection, name: &str) -> Result<(), RedisError> {
    let key = format!("pipe:{name}");
    let mut long = pipe();
    for n in 0..2000 {
        long.set(format!("{key}:{n}"), n).ignore().get(format!("{key}:{n}"));
    }
    let read: Vec<usize> = long.query(connection)?;
    assert_eq!(read, (0..2000).collect::<Vec<_>>());
    let atomic: (i64, Option<i64>, i64) =
        pipe().atomic().set(&key, 41).ignore().incr(&key, 1).get("missing").del(&key).query(connection)?;
    assert_eq!(atomic, (42, None, 1));
    Ok(())
}

fn scans(connection: &mut Connection, name: &str) -> Result<(), RedisError> {
    let mut fill = pipe();
    let expected: BTreeSet<String> = (0..500).map(|n| format!("scan:{name}:{n}")).collect();
    for key in &expected {
        fill.set(key, "x").ignore();
    }
    let () = fill.query(connection)?;
    let found: Vec<String> = connection.scan_match(format!("scan:{name}:*"))?.collect();
    assert_eq!(found.len(), expected.len(), "each key once: nothing was written meanwhile");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    Ok(())
}

#[test]
fn every_node_serves_the_crate() {
    let cluster = Setup::new().start();
    on_every_node(&cluster, |connection, name| {
        values(connection, name).expect("values");
        pipelines(connection, name).expect("pipelines");
        scans(connection, name).expect("scans");
    });
    let mut resp3 = connect(&cluster, 2, ProtocolVersion::RESP3);
    let hello: Value = cmd("HELLO").query(&mut resp3).expect("a map");
    assert!(matches!(hello, Value::Map(_)), "{hello:?}");
    let versioned: Option<(String, u64, u64)> = cmd("GETV").arg("missing").query(&mut resp3).expect("nil");
    assert_eq!(versioned, None);
    assert_eq!(cmd("CAS").arg("v").arg(0).arg("one").query::<u64>(&mut resp3).expect("created"), 1);
    let error = cmd("CAS").arg("v").arg(7).arg("two").query::<u64>(&mut resp3).expect_err("another version");
    assert_eq!(error.code(), Some("VERSIONMISMATCH"), "{error}");
}

/// Adds one by `WATCH`, `GET`, `MULTI`, `SET`, `EXEC`, again until nobody came between.
fn count_one(connection: &mut Connection) -> Result<(), RedisError> {
    redis::transaction(connection, &["counted"], |connection, pipe| {
        let old: Option<u64> = connection.get("counted")?;
        pipe.set("counted", old.unwrap_or(0) + 1).ignore().query::<Option<()>>(connection)
    })
}

#[test]
fn no_update_is_lost_between_watch_and_exec() {
    let cluster = Setup::new().start();
    thread::scope(|scope| {
        for id in cluster.ids() {
            for _ in 0..COUNTERS_PER_NODE {
                let cluster = &cluster;
                scope.spawn(move || {
                    let mut connection = connect(cluster, id, ProtocolVersion::RESP2);
                    for _ in 0..COUNTED_EACH {
                        count_one(&mut connection).expect("counted");
                    }
                });
            }
        }
    });
    let expected = cluster.ids().len() * COUNTERS_PER_NODE * COUNTED_EACH;
    on_every_node(&cluster, |connection, _| {
        assert_eq!(connection.get::<_, usize>("counted").expect("a number"), expected);
    });
}

#[test]
fn a_client_reconnects_to_a_node_that_comes_back() {
    let mut cluster = Setup::new().start();
    for id in cluster.ids() {
        let mut connection = connect(&cluster, id, ProtocolVersion::RESP2);
        let key = format!("kept:{id}");
        let _: () = connection.set(&key, "yes").expect("written");
        cluster.kill(id);
        let error = connection.get::<_, String>(&key).expect_err("the node is dead");
        assert!(error.is_connection_dropped() || error.is_io_error(), "{error}");
        let other = cluster.ids().into_iter().find(|other| *other != id).expect("three nodes");
        let mut elsewhere = connect(&cluster, other, ProtocolVersion::RESP2);
        assert_eq!(elsewhere.get::<_, String>(&key).expect("the others go on"), "yes");
        cluster.restart(id);
        let addr = cluster.node(id).addr.clone();
        let mut again = eventually("the node takes connections again", || {
            try_connect(&addr, ProtocolVersion::RESP2).ok()
        });
        assert_eq!(again.get::<_, String>(&key).expect("it has caught up before it answers"), "yes");
        assert_eq!(again.del::<_, usize>(&key).expect("deleted"), 1);
    }
}
