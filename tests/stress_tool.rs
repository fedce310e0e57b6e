//! `bowline stress` as its user meets it: what it says to a wrong configuration and to servers that are not
//! what it needs, how it ends when they die or it is told to, and what it leaves behind. Whether
//! its verdicts are right is not tested here.

mod harness;
#[path = "stress_tool/server.rs"]
mod server;

use harness::{PATIENCE, Setup, binary, eventually, turn, within};
use server::{Manners, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory with a configuration.
struct Bench {
    dir: TempDir,
}

/// One client that does `mix` on two keys, until somebody ends it.
fn plan(mix: &str, more: &str) -> String {
    format!(
        r#"{{"test_duration_seconds": 600, "workload": {{"mix": {mix}}}, {more}
             "clients": [{{"name": "anna", "keys": ["k1", "k2"], "error_sleep_ms": 20}}]}}"#
    )
}

impl Bench {
    fn new(plan: &str) -> Self {
        let dir = TempDir::new().expect("a directory");
        fs::write(dir.path().join("plan.json"), plan).expect("room for a file");
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(["stress", "--config"]).arg(self.path("plan.json")).args(args);
        // Whatever it makes for a time is made here, so that it can be seen whether it is gone.
        command.current_dir(self.dir.path()).env("TMPDIR", self.path("tmp"));
        fs::create_dir_all(self.path("tmp")).expect("room for a directory");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end: its exit status, and all that it said.
    #[track_caller]
    fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let began = Instant::now();
        let Output { status, stdout, stderr } = self.command(args).output().expect("it starts");
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(began.elapsed() < 2 * PATIENCE, "it took {:?}:\n{text}", began.elapsed());
        (status.code(), text)
    }

    /// Starts it; it says everything into files.
    fn start(&self, args: &[&str]) -> Tool {
        let file = |name| fs::File::create(self.path(name)).expect("room for a file");
        Tool(self.command(args).stdout(file("out")).stderr(file("err")).spawn().expect("it starts"))
    }
}

/// The tool at work. It does not outlive the test.
struct Tool(Child);

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Tool {
    /// Its exit status, when it has ended.
    #[track_caller]
    fn ended(&mut self, patience: Duration) -> Option<i32> {
        let status = within(patience, "the tool ends", || self.0.try_wait().expect("a child"));
        status.code()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill exists").success());
    }

    /// The processes that it has started.
    fn nodes(&self) -> Vec<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.0.id());
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().map(str::to_owned).collect()
    }
}

#[track_caller]
fn says(text: &str, expected: &str) {
    assert!(text.contains(expected), "{expected:?} is not in:\n{text}");
}

#[test]
fn a_wrong_configuration_or_command_line_is_refused_at_once() {
    let bench = Bench::new("{\n  \"test_duration_seconds\": 1,\n  \"clients\": [{\"name\": \"a\"}]\n}");
    let (status, text) = bench.run(&[]);
    assert_eq!(status, Some(2));
    says(&text, "plan.json, line 3, column 15: clients[0]: missing field `keys`");
    let bench = Bench::new(&plan(r#"{"set": 1}"#, ""));
    for (args, expected) in [
        (&["--servers", "nowhere"][..], "has no port"),
        (&["--kill-leader-every", "5s"], "--spawn"),
        (&["--spawn", "0"], "--spawn"),
        (&["--spawn", "1", "--kill-leader-every", "soon"], "5s"),
        (&["--spawn", "1", "--servers", "127.0.0.1:1"], "--servers"),
        (&["--history", "no/such/dir"], "cannot write no/such/dir"),
    ] {
        let (status, text) = bench.run(args);
        assert_eq!(status, Some(2), "{args:?}: {text}");
        says(&text, expected);
    }
}

#[test]
fn a_server_that_cannot_be_used_is_an_error_and_not_a_wait() {
    let bench = Bench::new(&plan(r#"{"set": 1}"#, r#""reply_timeout_ms": 300,"#));
    let nobody = Server::nobody();
    let (status, text) = bench.run(&["--servers", &nobody]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, &format!("no server can be used: {nobody}: Connection refused"));

    let silent = Server::start(Manners::Silent);
    let (status, text) = bench.run(&["--servers", &silent.addr]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, &format!("no server can be used: {}: ", silent.addr));

    let strange = Server::start(Manners::Strange);
    let (status, text) = bench.run(&["--servers", &strange.addr]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, &format!("no server can be used: {}: ", strange.addr));
}

#[test]
fn a_server_without_versions_is_told_from_one_with_them() {
    let server = Server::start(Manners::Plain);
    let cas = Bench::new(&plan(r#"{"cas": 1}"#, ""));
    let (status, text) = cas.run(&["--servers", &server.addr]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, "does not know CAS");
    let set = Bench::new(&plan(r#"{"get": 2, "set": 1, "del": 1}"#, ""));
    let (status, text) = set.run(&["--servers", &server.addr, "--once"]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, "does not know ONCE");
    let lease = Bench::new(&plan(r#"{"set": 1}"#, r#""read_mode": "lease","#));
    let (status, text) = lease.run(&["--servers", &server.addr]);
    assert_eq!(status, Some(1), "{text}");
    says(&text, "does not know the read_mode");

    let args = ["--servers", &server.addr, "--seed", "7", "--duration", "1", "--log", "log"];
    let (status, text) = set.run(&args);
    assert_eq!(status, Some(0), "{text}");
    says(&text, "stress:7:k1");
    says(&set.read("log"), " anna k2 SET\n");
    assert!(server.keys().iter().all(|key| key.starts_with("stress:7:k")), "{:?}", server.keys());
}

#[test]
fn when_all_servers_are_gone_for_good_the_run_ends_and_is_reported() {
    let server = Server::start(Manners::Plain);
    let bench = Bench::new(&plan(r#"{"get": 1, "set": 1}"#, ""));
    let args = ["--servers", &server.addr, "--history", "history", "--report", "page.html"];
    let mut tool = bench.start(&args);
    eventually("it is at work", || bench.read("out").contains(" SET\n").then_some(()));
    drop(server);
    assert_eq!(tool.ended(2 * PATIENCE), Some(1));
    let text = bench.read("out");
    says(&text, "NETWORK ERROR");
    says(&text, "- - NO SERVER ANSWERS");
    says(&text, "broken off: no server has answered for 1");
    assert!(bench.read("history").lines().count() > 0);
    says(&bench.read("page.html"), "</html>");
}

#[test]
fn a_run_can_be_interrupted_in_the_middle_of_a_retry() {
    let _turn = turn::take();
    let cluster = Setup::new().nodes(1).start();
    for once in [&[][..], &["--once"]] {
        // No reply ever arrives, so the client is always at some retry.
        let more = r#""server_packet_loss_rate": 100, "max_retries_server_packet_loss": 1000,"#;
        let bench = Bench::new(&plan(r#"{"cas": 1}"#, more).replace("20}", "100000}"));
        let addrs = cluster.addrs().join(",");
        let mut tool = bench.start(&[&["--servers", &addrs], once].concat());
        eventually("a second retry", || bench.read("out").contains("retry 2").then_some(()));
        tool.signal("INT");
        tool.ended(PATIENCE);
        let text = bench.read("out");
        says(&text, "anna k");
        says(&text, " CANCELLED\n");
        says(&text, "interrupted");
    }
}

#[test]
fn a_number_is_sent_again_until_it_has_a_reply() {
    let _turn = turn::take();
    let bench = Bench::new(&plan(r#"{"incr": 1}"#, r#""server_packet_loss_rate": 30,"#));
    let args = ["--spawn", "3", "--storage", "memory", "--once", "--duration", "2", "--history", "history"];
    let (status, text) = bench.run(&args);
    assert_eq!(status, Some(0), "{text}");
    says(&text, "RECOVERED after 1 retries: number ");
    let history = bench.read("history");
    assert!(history.lines().count() > 5, "{text}");
    assert!(!history.contains(r#""outcome":"unknown""#), "{text}");
}

fn is_alive(pid: &str) -> bool {
    // One that has ended stays as a zombie until its parent has asked for it.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).expect("a directory").next().is_none()
}

#[test]
fn leaders_are_killed_and_started_again_and_nothing_is_left_of_the_cluster() {
    let _turn = turn::take();
    let bench = Bench::new(&plan(r#"{"get": 1, "cas": 1}"#, ""));
    let mut tool = bench.start(&["--spawn", "3", "--kill-leader-every", "1s"]);
    let killed_twice = || bench.read("out").matches(" KILLED\n").count() >= 2;
    eventually("two leaders have been killed", || killed_twice().then_some(()));
    let nodes = tool.nodes();
    assert!(nodes.len() >= 2, "{nodes:?}");
    tool.signal("TERM");
    assert_eq!(tool.ended(PATIENCE), Some(0), "{}", bench.read("out"));
    let text = bench.read("out");
    says(&text, " RESTARTED\n");
    says(&text, " LEADS, AFTER NODE ");
    assert!(!nodes.iter().any(|pid| is_alive(pid)), "{nodes:?}");
    assert!(is_empty(&bench.path("tmp")), "the nodes' directory is still there");
}

#[test]
fn a_node_that_ends_by_itself_ends_the_run() {
    let _turn = turn::take();
    let bench = Bench::new(&plan(r#"{"get": 1, "cas": 1}"#, ""));
    let mut tool = bench.start(&["--spawn", "3", "--data-dir", "data"]);
    eventually("it is at work", || bench.read("out").contains(" UPDATE ").then_some(()));
    let nodes = tool.nodes();
    assert_eq!(nodes.len(), 3);
    assert!(Command::new("kill").args(["-s", "KILL", &nodes[0]]).status().expect("kill exists").success());
    assert_eq!(tool.ended(PATIENCE), Some(1));
    says(&bench.read("out"), "broken off: node 1 ended by itself (signal: 9 (SIGKILL))");
    says(&bench.read("out"), "stress:");
    says(&bench.read("err"), "and said last:\n  ");
    assert!(!nodes.iter().any(|pid| is_alive(pid)), "{nodes:?}");
    assert!(bench.path("data/n1.log").is_file(), "a directory that was named stays");
    let (status, text) = bench.run(&["--spawn", "3", "--data-dir", "data"]);
    assert_eq!(status, Some(1));
    says(&text, "cannot use the directory data: it is not empty");
}

#[test]
fn nodes_do_not_outlive_a_tool_that_is_killed() {
    let _turn = turn::take();
    let bench = Bench::new(&plan(r#"{"get": 1, "cas": 1}"#, ""));
    let tool = bench.start(&["--spawn", "2", "--storage", "memory"]);
    eventually("it is at work", || bench.read("out").contains(" UPDATE ").then_some(()));
    let nodes = tool.nodes();
    assert_eq!(nodes.len(), 2);
    drop(tool);
    eventually("its nodes have ended", || (!nodes.iter().any(|pid| is_alive(pid))).then_some(()));
}
