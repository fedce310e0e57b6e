//! Users across nodes: one that is made on any node can log in on all, also after they were killed and
//! after a snapshot, and one that is removed is thrown out everywhere. A cluster with a password lets
//! nobody in without, from its first moment.

use crate::harness::{Client, Cluster, PATIENCE, Setup, Value, binary, eventually, free_ports, own_address};
use std::process::{Command, Stdio};

const PASSWORD: &str = "tell-nobody";

fn disk_holds(cluster: &Cluster, id: u64, text: &str) -> bool {
    let holds = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    cluster.node(id).files("").iter().any(|path| std::fs::read(path).is_ok_and(holds))
}

fn log_in(addr: &str, user: &str, password: &str) -> Option<Client> {
    let mut client = Client::try_connect(addr, PATIENCE).ok()?;
    let reply = client.try_call(&["AUTH", user, password]).ok()?;
    (reply == Value::ok()).then_some(client)
}

#[track_caller]
fn everywhere(cluster: &Cluster, user: &str, password: &str) -> Vec<Client> {
    let addrs = cluster.addrs();
    let in_time = |addr: &String| eventually("the user can log in", || log_in(addr, user, password));
    addrs.iter().map(in_time).collect()
}

#[track_caller]
fn assert_denied(reply: &Value) {
    assert!(reply.error().is_some_and(|error| error.starts_with("NOPERM ")), "{reply:?}");
}

#[test]
fn a_user_is_the_same_on_all_nodes_and_survives_them() {
    let mut cluster = Setup::new().start();
    let (leader, follower) = (cluster.leader(), cluster.follower());
    let mut admin = cluster.client(follower);
    admin.call(&["ACL", "SETUSER", "alice", "on", &format!(">{PASSWORD}"), "~alice:*", "+@all", "-@admin"]);
    admin.call(&["ACL", "SETUSER", "bob", "on", &format!(">{PASSWORD}"), "allkeys", "+get"]);
    let of_alice = admin.call(&["ACL", "GETUSER", "alice"]);
    for mut client in everywhere(&cluster, "alice", PASSWORD) {
        client.set("alice:1", "hers");
        assert_denied(&client.try_call(&["SET", "bob:1", "his"]).expect("a reply"));
        assert_denied(&client.try_call(&["ACL", "SETUSER", "alice", "allkeys"]).expect("a reply"));
    }
    cluster.client(leader).call(&["RAFT", "SNAPSHOT"]);
    cluster.client(leader).call(&["ACL", "SETUSER", "bob", "+strlen"]);
    for id in cluster.ids() {
        assert!(!disk_holds(&cluster, id, PASSWORD), "a password stands on the disk of node {id}");
        assert!(disk_holds(&cluster, id, "alice:1"), "as keys do");
        cluster.kill(id);
    }
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
    let mut alices = everywhere(&cluster, "alice", PASSWORD);
    for client in &mut everywhere(&cluster, "bob", PASSWORD) {
        eventually("the change after the snapshot", || {
            client.try_call(&["STRLEN", "alice:1"]).ok()?.error().is_none().then_some(())
        });
    }
    let mut admin = cluster.client(follower);
    assert_eq!(admin.call(&["ACL", "GETUSER", "alice"]), of_alice);
    assert_eq!(admin.call(&["ACL", "DELUSER", "alice"]), Value::Int(1));
    for client in &mut alices {
        assert!(client.read().is_err(), "it was thrown out");
    }
    for addr in cluster.addrs() {
        eventually("nobody can log in", || log_in(&addr, "alice", PASSWORD).is_none().then_some(()));
        assert!(log_in(&addr, "bob", PASSWORD).is_some());
    }
}

#[test]
fn a_cluster_with_a_password_lets_nobody_in_without() {
    let mut cluster = Setup::new().flags(&["--requirepass", "pw"]).prepare();
    for id in cluster.ids() {
        cluster.node_mut(id).start();
    }
    let asked =
        |addr: &str, command: &[&str]| Client::try_connect(addr, PATIENCE).ok()?.try_call(command).ok();
    for addr in cluster.addrs() {
        // As early as it answers at all, and with what a node that knows no users yet goes by.
        let first = eventually("an answer", || asked(&addr, &["INFO"]));
        assert_eq!(first.error(), Some("NOAUTH Authentication required."));
        assert!(log_in(&addr, "default", "wrong").is_none());
        let mut early = log_in(&addr, "default", "pw").expect("the password is known from the beginning");
        eventually("a write", || (early.try_call(&["SET", "k", "v"]).ok()? == Value::ok()).then_some(()));
    }
    let addrs = cluster.addrs();
    join_with_and_without(&addrs[0]);
    let mut admin = log_in(&addrs[0], "default", "pw").expect("the password");
    admin.call(&["CONFIG", "SET", "requirepass", "other"]);
    for addr in &addrs {
        eventually("the new password", || log_in(addr, "default", "other"));
        assert!(log_in(addr, "default", "pw").is_none());
    }
    for id in cluster.ids() {
        cluster.kill(id);
        cluster.restart(id);
        let addr = cluster.node(id).addr.clone();
        eventually("the new password, after a start with the old one", || log_in(&addr, "default", "other"));
        assert_eq!(
            asked(&addr, &["GET", "k"]).and_then(|reply| reply.error().map(str::to_owned)).as_deref(),
            Some("NOAUTH Authentication required.")
        );
        // The log is written beside what the node does.
        eventually("the warning", || {
            (cluster.logged(id, "--requirepass is not the password") > 0).then_some(())
        });
    }
}

/// A node that joins has to give a password as any client does.
fn join_with_and_without(target: &str) {
    let host = own_address();
    let ports = free_ports(&host, 2);
    let (bind, peer_bind) = (format!("{host}:{}", ports[0]), format!("{host}:{}", ports[1]));
    let dir = tempfile::tempdir().expect("a directory");
    let node = || {
        let mut command = Command::new(binary());
        command.args(["--join", target, "--bind", &bind, "--peer-bind", &peer_bind, "--data-dir"]);
        command.arg(dir.path().join("joins"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    for (password, says) in [(None, "NOAUTH"), (Some("wrong"), "WRONGPASS")] {
        let mut command = node();
        password.map(|password| command.env("BOWLINE_JOIN_PASSWORD", password));
        let output = command.output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success() && said.contains(says) && said.contains("--join-password"),
            "{said}"
        );
    }
    let mut joined =
        node().env("BOWLINE_JOIN_PASSWORD", "pw").stderr(Stdio::null()).spawn().expect("it starts");
    let mut client = eventually("it has joined", || log_in(&bind, "default", "pw"));
    eventually("it has the data", || {
        (client.try_call(&["GET", "k"]).ok()? == Value::bulk("v")).then_some(())
    });
    let mut admin = log_in(target, "default", "pw").expect("the password");
    let id = client.info("raft_node_id").expect("a reply").expect("an id");
    admin.call(&["RAFT", "REMOVE", &id]);
    joined.kill().expect("it runs");
    joined.wait().expect("it ends");
}

#[test]
fn a_user_can_log_in_on_every_node_as_soon_as_it_is_made() {
    let cluster = Setup::new().start();
    for round in 0..20 {
        let (name, maker) = (format!("user{round}"), 1 + round % 3);
        let made =
            cluster.client(maker).call(&["ACL", "SETUSER", &name, "on", &format!(">{PASSWORD}"), "+@all"]);
        assert_eq!(made, Value::ok());
        for id in cluster.ids() {
            let mut client = cluster.client(id);
            if round % 2 == 0 {
                assert_eq!(client.call(&["AUTH", &name, PASSWORD]), Value::ok(), "at node {id}");
            } else {
                let hello = client.try_call(&["HELLO", "2", "AUTH", &name, PASSWORD]).expect("a reply");
                assert_eq!(hello.error(), None, "at node {id}");
            }
            assert_eq!(client.call(&["ACL", "WHOAMI"]), Value::bulk(&name));
            let wrong = client.try_call(&["AUTH", &name, "wrong"]).expect("a reply");
            assert!(wrong.error().is_some_and(|error| error.starts_with("WRONGPASS ")), "{wrong:?}");
        }
    }
}
