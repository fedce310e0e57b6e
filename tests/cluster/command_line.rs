//! Starts that cannot succeed: a sentence, an exit status, no process left.

use crate::harness::{Setup, binary, free_ports, own_address};
use std::net::TcpListener;
use std::process::{Command, Stdio};

/// Runs the binary, which has to end by itself: its status and what it said.
fn run(args: &[&str]) -> (Option<i32>, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(binary());
    let output = command.args(args).current_dir(dir.path()).stdin(Stdio::null()).output().expect("it starts");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let refused = [
        ("--cluster 127.0.0.1:7001,127.0.0.1:7002 --bind 127.0.0.1:7003", "does not contain"),
        ("--cluster 127.0.0.1:7001,127.0.0.1:7002", "which of them this node is"),
        ("--cluster 127.0.0.1:7001,127.0.0.1:7002 --node-id 3", "--node-id 3 is beyond --cluster"),
        ("--cluster 127.0.0.1:7001,127.0.0.1:7002 --node-id 1 --bind 127.0.0.1:7002", "contradict"),
        ("--cluster 127.0.0.1:7001,127.0.0.1:7001 --node-id 1", "twice"),
        ("--storage memory --data-dir d", "--storage memory keeps nothing"),
        ("--node-id 2", "without --cluster"),
        ("--snapshot-log-mib 0", "out of range"),
        ("--no-such-flag", "--no-such-flag"),
        ("--bind nonsense", "has no port"),
        ("--config missing.toml", "missing.toml"),
    ];
    for (args, sentence) in refused {
        let (status, said) = run(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(status, Some(2), "{args}: {said}");
        assert!(said.contains(sentence), "{args}: {said}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let host = own_address();
    let free = format!("{host}:{}", free_ports(&host, 1)[0]);
    let holder = TcpListener::bind((host.as_str(), 0)).expect("a free port");
    let taken = holder.local_addr().expect("bound").to_string();
    for (flag, other) in [("--bind", "--peer-bind"), ("--peer-bind", "--bind")] {
        let (status, said) = run(&[flag, &taken, other, &free]);
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains(&taken) && said.contains("in use"), "{flag}: {said}");
    }
}

#[test]
fn a_second_process_on_a_data_directory_is_refused() {
    let mut cluster = Setup::new().nodes(1).start();
    let dir = cluster.node(1).data_dir.display().to_string();
    let host = cluster.node(1).addr.rsplit_once(':').expect("host:port").0.to_owned();
    let pid = cluster.node(1).pid().expect("it runs").to_string();
    let (status, said) =
        run(&["--bind", &format!("{host}:1"), "--peer-bind", &format!("{host}:2"), "--data-dir", &dir]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("another process is using it") && said.contains(&pid), "{said}");
    cluster.assert_running(&[1]);
    cluster.client(1).set("still", "there");
}
