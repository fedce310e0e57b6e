//! Memory that is bounded: a node that is over its `maxmemory` has keys thrown away on all nodes
//! alike, takes every write, and stays near its bound.

use crate::harness::{Client, Cluster, Setup, Value, eventually};

const VALUE_BYTES: usize = 2000;
const ROOM_BYTES: u64 = 4 << 20;
const OLD_KEYS: usize = 300;

fn number(client: &mut Client, field: &str) -> u64 {
    let text = client.info(field).expect("a reply").expect("the field");
    text.parse().expect("a number")
}

fn counted_bytes(client: &mut Client) -> u64 {
    number(client, "used_memory").saturating_sub(number(client, "mem_not_counted_for_evict"))
}

fn digests(cluster: &Cluster) -> Vec<String> {
    let digest = |id: &u64| match cluster.client(*id).call(&["DEBUG", "DIGEST"]) {
        Value::Simple(digest) => digest,
        other => panic!("{other:?}"),
    };
    cluster.ids().iter().map(digest).collect()
}

#[test]
fn a_follower_that_is_short_of_memory_has_old_keys_thrown_away_everywhere() {
    let mut cluster = Setup::new().flags(&["--enable-debug-command", "yes"]).start();
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let mut client = cluster.client(follower);
    client.call(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let bound_bytes = counted_bytes(&mut client) + ROOM_BYTES;
    client.call(&["CONFIG", "SET", "maxmemory", &bound_bytes.to_string()]);
    client.set("k", "v");
    let Value::Bulk(payload) = client.call(&["DUMP", "k"]) else { panic!("no payload") };
    for i in 0..OLD_KEYS {
        let name = format!("old:{i}");
        client.call(&[b"RESTORE", name.as_bytes(), b"0", &payload, b"IDLETIME", b"100000"]);
    }
    // Some three times what there is room for, from both sides.
    let mut other = cluster.client(leader);
    let keys = 3 * ROOM_BYTES as usize / VALUE_BYTES;
    let mut most_bytes = 0;
    for i in 0..keys {
        let writer = if i % 2 == 0 { &mut client } else { &mut other };
        writer.set(&format!("key:{i}"), vec![b'x'; VALUE_BYTES]);
        if i % 100 == 0 {
            most_bytes = most_bytes.max(counted_bytes(&mut client));
        }
    }
    let over = (most_bytes.max(bound_bytes) - bound_bytes) * 100 / bound_bytes;
    assert!(over <= 3, "{over} % over the bound of {bound_bytes}");
    let mut is_left = |i: &usize| other.call(&["EXISTS", &format!("old:{i}")]) == Value::Int(1);
    let old = (0..OLD_KEYS).filter(|i| is_left(i)).count();
    assert!(old <= OLD_KEYS / 50, "{old} of those are left that nobody has used for a day");
    let left = client.call(&["DBSIZE"]).int() as usize;
    let evicted = number(&mut client, "evicted_keys") as usize;
    assert!(left > keys / 6 && left < keys / 2, "{left} of {keys} keys are left");
    eventually("the same keys on all nodes", || {
        let digests = digests(&cluster);
        digests.iter().all(|digest| *digest == digests[0]).then_some(())
    });
    let all = keys + OLD_KEYS + 1;
    assert!(evicted + left >= all, "{evicted} went and {left} are left, of {all}");
    assert_eq!(number(&mut other, "maxmemory"), 0, "a bound is its own node's");
    assert_eq!(other.info("maxmemory_policy").unwrap().unwrap(), "allkeys-lru");

    // What is set lower takes effect at once, and the policy survives the nodes.
    client.call(&["CONFIG", "SET", "maxmemory", &(bound_bytes - ROOM_BYTES / 2).to_string()]);
    eventually("half of the keys are gone", || {
        ((other.call(&["DBSIZE"]).int() as usize) < left * 2 / 3).then_some(())
    });
    cluster.client(leader).call(&["RAFT", "SNAPSHOT"]);
    cluster.kill(follower);
    cluster.restart(follower);
    cluster.await_ready();
    let mut client = cluster.client(follower);
    assert_eq!(client.info("maxmemory_policy").unwrap().unwrap(), "allkeys-lru");
}
