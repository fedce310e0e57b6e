//! What a process holds that nobody needs: of silent connections, and of keys that are gone.

use crate::harness::{Client, Cluster, Setup, eventually};

const CONNECTIONS: usize = 500;
/// The aim is 20 KiB. It is mostly the connection's task and its smallest buffer.
const MOST_BYTES_A_CONNECTION: u64 = 8 << 10;

fn number(client: &mut Client, field: &str) -> u64 {
    let text = client.info(field).expect("a reply").expect("the field");
    text.parse().expect("a number")
}

/// As the system tells it, without asking the node.
fn resident_kib(cluster: &Cluster, id: u64) -> u64 {
    let pid = cluster.node(id).pid().expect("a running node");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("the field");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn silent_connections_give_their_buffers_back() {
    let cluster = Setup::new().nodes(1).start();
    let id = cluster.leader();
    let mut client = cluster.client(id);
    client.set("k", vec![b'x'; 20_000]);
    let before = number(&mut client, "used_memory");
    let mut held: Vec<Client> = (0..CONNECTIONS).map(|_| cluster.client(id)).collect();
    for one in &mut held {
        // Long in both directions, and nothing that the log would hold.
        one.call(&["STRLEN", &"k".repeat(20_000)]);
        one.get("k");
    }
    let mut each = 0;
    eventually("little is held for silent connections", || {
        each = number(&mut client, "used_memory").saturating_sub(before) / CONNECTIONS as u64;
        (each <= MOST_BYTES_A_CONNECTION).then_some(())
    });
    assert!(each > 500, "{each} bytes cannot be all: the measurement is wrong");
}

#[test]
fn memory_of_keys_that_are_gone_goes_back_to_the_system() {
    let cluster = Setup::new().nodes(1).start();
    let id = cluster.leader();
    let mut client = cluster.client(id);
    for key in 0..1000 {
        client.set(&format!("key:{key}"), vec![b'x'; 100_000]);
    }
    let full_kib = resident_kib(&cluster, id);
    assert!(full_kib > 100 << 10, "{full_kib} KiB hold 100 MB");
    client.call(&["FLUSHALL"]);
    // The node is asked nothing meanwhile that would make the allocator look: it has to do so by itself.
    eventually("what was freed is not resident any more", || {
        (resident_kib(&cluster, id) + (50 << 10) < full_kib).then_some(())
    });
}
