//! `--join`: repeated, interrupted, and against what cannot be joined. FAILURES: redisraft 187
//! (a failed join leaves the node unusable).

use crate::harness::{Cluster, Setup, Value, binary, eventually, free_ports, own_address};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Runs a node that has to give up by itself.
fn run(dir: &Path, join: &str, host: &str) -> Output {
    let ports = free_ports(host, 2);
    let (bind, peer_bind) = (format!("{host}:{}", ports[0]), format!("{host}:{}", ports[1]));
    let mut command = Command::new(binary());
    command.args(["--join", join, "--bind", &bind, "--peer-bind", &peer_bind, "--data-dir"]).arg(dir);
    command.stdin(Stdio::null()).output().expect("it starts")
}

#[track_caller]
fn assert_refused(output: &Output, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in parts {
        assert!(said.contains(part), "without {part:?}: {said}");
    }
}

fn members(cluster: &Cluster) -> usize {
    cluster.node(1).info("raft_members").map_or(0, |members| members.split(',').count())
}

/// Killed at any moment and started again, it becomes one member, with one id.
#[test]
fn a_join_that_is_interrupted_is_repeated() {
    let mut cluster = Setup::new().start();
    let host = cluster.node(1).addr.rsplit_once(':').expect("host:port").0.to_owned();
    for (id, pauses_ms) in [(4, &[0, 5, 10, 20, 40, 80][..]), (5, &[15, 30, 60, 120, 240])] {
        let ports = free_ports(&host, 2);
        let addrs = ports.iter().map(|port| format!("{host}:{port}")).collect::<Vec<_>>();
        cluster.prepare_joining_at(id, addrs[0].clone(), addrs[1].clone());
        for pause_ms in pauses_ms {
            cluster.restart(id);
            std::thread::sleep(Duration::from_millis(*pause_ms)); // what is tested
            cluster.kill(id);
        }
        cluster.restart(id);
        let voters: Vec<u64> = (1..=id).collect();
        cluster.await_voters(&voters);
        assert_eq!(cluster.raft(id, "raft_node_id"), Some(id), "no id was used up");
        assert_eq!(members(&cluster), id as usize);
    }
    // Once more, when it is a member already; and with nobody there to ask.
    cluster.kill(4);
    cluster.restart(4);
    cluster.await_ready();
    for id in cluster.ids() {
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
    cluster.client(5).set("all", "back");
}

/// Added by hand, and the machine gets its node later.
#[test]
fn a_place_that_was_made_before_is_taken() {
    let mut cluster = Setup::new().start();
    let node = cluster.prepare_joining(4);
    let addr = format!("{}@{}", node.addr, node.peer_addr.rsplit_once(':').expect("host:port").1);
    let mut client = cluster.client(3);
    assert_eq!(client.call(&["RAFT", "ADD", "*", &addr]), Value::Int(4));
    assert_eq!(client.call(&["RAFT", "ADD", "4", &addr]), Value::ok(), "again");
    cluster.restart(4);
    cluster.await_voters(&[1, 2, 3, 4]);
    // A node on every address of its machine says where it is.
    let host = own_address();
    let ports = free_ports("0.0.0.0", 2); // a client's port, anywhere on the machine, is in the way
    let node = cluster.prepare_joining_at(5, format!("{host}:{}", ports[0]), format!("{host}:{}", ports[1]));
    let at = |flags: &[String], name: &str| flags.iter().position(|flag| flag == name).expect("a flag") + 1;
    let (bind, peer_bind) = (at(&node.flags, "--bind"), at(&node.flags, "--peer-bind"));
    node.flags[bind] = format!("0.0.0.0:{}", ports[0]);
    node.flags[peer_bind] = format!("0.0.0.0:{}", ports[1]);
    node.flags.extend(["--advertise".to_owned(), format!("{host}:{}@{}", ports[0], ports[1])]);
    node.start();
    cluster.await_voters(&[1, 2, 3, 4, 5]);
    cluster.client(5).set("advertised", "yes");
}

/// Answers everything with `reply`.
fn impostor(reply: &'static [u8]) -> String {
    let listener = TcpListener::bind((own_address().as_str(), 0)).expect("a free port");
    let addr = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut request = [0; 1024];
            while stream.read(&mut request).is_ok_and(|read| read > 0) {
                if stream.write_all(reply).is_err() {
                    break;
                }
            }
        }
    });
    addr
}

#[test]
fn what_cannot_be_joined_is_named_and_leaves_nothing_behind() {
    let mut cluster = Setup::new().start();
    let foreign = Setup::new().nodes(1).beside().start();
    let host = own_address();
    let dir = cluster.dir().join("n4");
    let (ours, theirs) = (cluster.node(1).addr.clone(), foreign.node(1).addr.clone());
    let redis = impostor(b"-ERR unknown command 'RAFT', with args beginning with: 'STATUS' \r\n");
    assert_refused(
        &run(&dir, &redis, &host),
        &[&redis, "is no node of a bowline cluster", "unknown command"],
    );
    let web = impostor(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let said = run(&dir, &format!("{web},{redis}"), &host);
    assert_refused(&said, &[&web, &redis, "does not speak the Redis protocol"]);
    let deep = impostor(&[b'*'; 100_000]);
    assert_refused(&run(&dir, &deep, &host), &[&deep, "is no node of a bowline cluster"]);
    assert!(!dir.exists(), "nothing is made");

    // A directory of somebody else is found before anybody is asked.
    let redis_dir = cluster.dir().join("redis");
    std::fs::create_dir(&redis_dir).expect("a directory");
    std::fs::write(redis_dir.join("dump.rdb"), b"REDIS0009").expect("a file");
    assert_refused(&run(&redis_dir, &ours, &host), &["dump.rdb"]);
    assert_eq!(members(&cluster), 3);

    // A member of one cluster does not stray into another.
    cluster.prepare_joining(4).start();
    cluster.await_voters(&[1, 2, 3, 4]);
    cluster.kill(4);
    assert_refused(&run(&dir, &theirs, &host), &["is of a node of cluster", &theirs]);
    cluster.restart(4);
    cluster.await_ready();
    assert_eq!(members(&foreign), 1);
}

/// Both at once, because they take as long as the patience of a node that joins.
#[test]
fn a_cluster_that_does_not_answer_is_given_up_on_and_joined_later() {
    let mut cluster = Setup::new().start();
    let host = own_address();
    let dead = format!("{host}:{}", free_ports(&host, 1)[0]);
    let dir = cluster.dir().join("dead");
    let to_nobody = std::thread::spawn({
        let (dir, host, dead) = (dir.clone(), host.clone(), dead.clone());
        move || run(&dir, &dead, &host)
    });
    for id in [2, 3] {
        cluster.kill(id);
    }
    let said = cluster.prepare_joining(4).start_refused();
    assert!(said.contains("no node that was asked let this one in"), "{said}");
    assert!(said.contains("CLUSTERDOWN") || said.contains("UNKNOWN"), "{said}");
    assert!(!cluster.node(4).data_dir.exists(), "nothing is made");
    assert_refused(&to_nobody.join().expect("it ends"), &[&dead, "Connection refused"]);
    assert!(!dir.exists(), "nothing is made");
    for id in [2, 3] {
        cluster.restart(id);
    }
    cluster.restart(4);
    eventually("node 4 is let in", || (members(&cluster) == 4).then_some(()));
    cluster.await_voters(&[1, 2, 3, 4]);
}

/// It has a place, and nobody listens to it; once it knows the secret, it takes its place.
#[test]
fn a_node_with_another_secret_stays_outside_until_it_has_the_right_one() {
    let mut cluster = Setup::new().flags(&["--secret", "ours"]).start();
    let node = cluster.prepare_joining(4);
    let at = node.flags.iter().position(|flag| flag == "ours").expect("a secret");
    node.flags[at] = "theirs".to_owned();
    node.start();
    eventually("it is told why", || cluster.node(4).read_log().contains("shared secret").then_some(()));
    let mut client = cluster.client(1);
    client.set("meanwhile", "yes");
    assert_eq!(cluster.node(1).info("raft_voters").as_deref(), Some("1,2,3"));
    cluster.kill(4);
    cluster.node_mut(4).flags[at] = "ours".to_owned();
    cluster.restart(4);
    cluster.await_voters(&[1, 2, 3, 4]);
    assert_eq!(cluster.client(4).get("meanwhile"), Value::bulk("yes"));
}

#[test]
fn a_cluster_that_is_full_says_so() {
    let mut cluster = Setup::new().nodes(1).start();
    let mut client = cluster.client(1);
    for id in 2..=32 {
        let added = client.call(&["RAFT", "ADD", "*", &format!("127.0.0.2:{id}")]);
        assert_eq!(added, Value::Int(id));
    }
    let said = cluster.prepare_joining(33).start_refused();
    assert!(said.contains("at most 32 members"), "{said}");
    assert_eq!(client.call(&["RAFT", "REMOVE", "7"]), Value::ok());
    cluster.restart(33);
    cluster.await_voters(&[1, 33]);
}
