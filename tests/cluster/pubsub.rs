//! Messages across nodes: whoever listens, and wherever, hears the same ones in the same order,
//! whatever becomes of the leader.

use crate::harness::{Client, Cluster, PATIENCE, Setup, Value, eventually};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

const END: &str = "end";

fn listener(addr: &str, channel: &str) -> Client {
    eventually("a node that lets clients listen", || {
        let mut client = Client::try_connect(addr, PATIENCE).ok()?;
        client.send(&["SUBSCRIBE", channel]).ok()?;
        client.read().is_ok().then_some(client)
    })
}

fn hear(client: &mut Client) -> Option<String> {
    let Ok(Value::Array(items)) = client.read() else { return None };
    assert_eq!(items[0], Value::bulk("message"));
    Some(items[2].text())
}

/// All that comes until the end, or until the node is gone.
fn listen(addr: &str) -> JoinHandle<Vec<String>> {
    let mut client = listener(addr, "news");
    std::thread::spawn(move || {
        std::iter::from_fn(|| hear(&mut client)).take_while(|text| text != END).collect()
    })
}

/// Publishes through one node as long as that lives; what was acknowledged.
fn publish(
    addr: String,
    heard_here: i64,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicU64>,
) -> JoinHandle<Vec<String>> {
    let mut client = Client::connect(&addr);
    std::thread::spawn(move || {
        let mut acknowledged = Vec::new();
        for i in 0.. {
            let text = format!("{addr} {i}");
            match client.try_call(&["PUBLISH", "news", &text]) {
                Ok(Value::Int(receivers)) => {
                    assert_eq!(receivers, heard_here, "listeners of the node");
                    acknowledged.push(text);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Value::Error(text)) => {
                    let codes = ["UNKNOWN", "CLUSTERDOWN", "TRYAGAIN"];
                    assert!(codes.iter().any(|code| text.starts_with(code)), "{text}");
                }
                Ok(reply) => panic!("{reply:?}"),
                Err(_) => break,
            }
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        acknowledged
    })
}

#[track_caller]
fn await_more(count: &AtomicU64, more: u64) {
    let goal = count.load(Ordering::Relaxed) + more;
    eventually("messages are published", || (count.load(Ordering::Relaxed) >= goal).then_some(()));
}

/// What the listeners of living nodes heard is one list, with all that was acknowledged in it,
/// each once and in its publisher's order.
#[track_caller]
fn check(heard: &[Vec<String>], acknowledged: &[Vec<String>]) {
    assert!(heard.iter().all(|list| *list == heard[0]), "one order on all nodes");
    let all: BTreeSet<&String> = heard[0].iter().collect();
    assert_eq!(all.len(), heard[0].len(), "each message once");
    for own in acknowledged {
        assert!(own.iter().all(|text| all.contains(text)), "what was acknowledged is heard");
        let own_set: BTreeSet<&String> = own.iter().collect();
        let in_order: Vec<&String> = heard[0].iter().filter(|text| own_set.contains(text)).collect();
        assert!(in_order.iter().copied().eq(own), "a publisher's messages in their order");
    }
}

#[test]
fn all_nodes_tell_the_same_messages_in_the_same_order_while_the_leader_dies() {
    let mut cluster = Setup::new().start();
    let ids = cluster.ids();
    let listeners: Vec<_> = ids.iter().map(|id| (*id, listen(&cluster.node(*id).addr))).collect();
    let (stop, count) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let publishers: Vec<_> = ids
        .iter()
        .map(|id| publish(cluster.node(*id).addr.clone(), 1, Arc::clone(&stop), Arc::clone(&count)))
        .collect();
    await_more(&count, 300);
    let leader = cluster.leader();
    cluster.kill(leader);
    await_more(&count, 300);
    stop.store(true, Ordering::Relaxed);
    let acknowledged: Vec<_> =
        publishers.into_iter().map(|publisher| publisher.join().expect("sound replies")).collect();
    let survivor = cluster.follower();
    assert_eq!(cluster.client(survivor).call(&["PUBLISH", "news", END]), Value::Int(1));
    let mut heard = Vec::new();
    let mut cut_off = Vec::new();
    for (id, listener) in listeners {
        let list = listener.join().expect("sound messages");
        if id == leader { cut_off = list } else { heard.push(list) }
    }
    check(&heard, &acknowledged);
    assert!(heard[0].starts_with(&cut_off), "a dead node's listeners miss the end, and nothing else");
    assert!(cut_off.len() >= 100, "it told them something");
}

/// A node that starts reads its log back, with all messages that were ever in it.
#[test]
fn a_node_that_comes_back_does_not_repeat_what_was_said() {
    let mut cluster = Setup::new().start();
    for i in 0..200 {
        cluster.client(1).call(&["PUBLISH", "news", &format!("old {i}")]);
    }
    for round in 0..3 {
        // What a node has not read yet, or not on its disk, is new to it, and to who listens there.
        cluster.await_caught_up();
        cluster.await_on_disk();
        for id in cluster.ids() {
            cluster.kill(id);
        }
        for id in cluster.ids() {
            cluster.restart(id);
        }
        let mut listeners: Vec<Client> = cluster.addrs().iter().map(|addr| listener(addr, "news")).collect();
        let fresh = format!("fresh {round}");
        say(&cluster, &fresh);
        for client in &mut listeners {
            assert_eq!(hear(client).as_deref(), Some(&*fresh), "the first to be heard");
        }
    }
}

/// Publishes once, as soon as there is a leader.
fn say(cluster: &Cluster, text: &str) {
    let mut client = cluster.client(2);
    eventually("a leader for the message", || match client.try_call(&["PUBLISH", "news", text]) {
        Ok(Value::Int(_)) => Some(()),
        Ok(Value::Error(text)) if text.starts_with("CLUSTERDOWN") => None,
        other => panic!("{other:?}"),
    });
}
