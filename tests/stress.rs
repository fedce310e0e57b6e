//! `bowline stress` from its command line to its verdict: on clusters that it starts itself, with loss and
//! with leader kills; on redis-server; and, with the feature `mutants`, on servers that are broken
//! deliberately, of which none may get `ok`.

mod harness;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A run has the machine to itself.
static MACHINE: Mutex<()> = Mutex::new(());

/// Longer than any of these runs takes, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn configuration(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/stress").join(name).with_extension("json")
}

fn run(mut command: Command) -> (Option<i32>, String) {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = Ended(child.expect("it starts"));
    let read = |source: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || std::io::read_to_string(source).expect("text"))
    };
    let out = read(Box::new(child.0.stdout.take().expect("piped")));
    let err = read(Box::new(child.0.stderr.take().expect("piped")));
    let status = harness::within(PATIENCE, "the run is over", || child.0.try_wait().expect("our child"));
    let said = out.join().expect("read") + &err.join().expect("read");
    (status.code(), said)
}

/// A process that does not outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stress(name: &str, seconds: u64, flags: &[&str]) -> Command {
    let mut command = Command::new(harness::binary());
    command.arg("stress").arg("--config").arg(configuration(name)).args(["--duration", &seconds.to_string()]);
    command.args(["--no-progress", "--quiet"]).args(flags);
    command
}

fn check(history: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(harness::binary());
    command.arg("check").arg(history);
    run(command)
}

#[test]
fn a_cluster_that_loses_its_leader_is_ok_and_says_how_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let (history, report) = (dir.path().join("history.jsonl"), dir.path().join("report.html"));
    let mut command = stress("file", 5, &["--spawn", "3", "--once", "--kill-leader-every", "1500ms"]);
    command.arg("--history").arg(&history).arg("--report").arg(&report);
    let (status, said) = run(command);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.trim_end().lines().last().is_some_and(|line| line.starts_with("verdict ok: ")), "{said}");
    assert!(!said.contains("killed 0 times") && !said.contains("0 requests and 0 replies"), "{said}");
    let page = std::fs::read_to_string(report).expect("a report");
    assert!(page.contains("<strong>ok</strong>") && page.contains("class=\"mark fault\""), "{page}");

    let (status, said) = check(&history);
    assert_eq!(status, Some(0), "{said}");
    // The same with one write that nobody can have been told of.
    let mut text = std::fs::read_to_string(&history).expect("a history");
    let line =
        text.lines().find(|line| line.contains(r#""op":"incrby""#) && line.contains(r#""outcome":"ok""#));
    let line = line.expect("an increment").to_owned();
    text.push_str(&line);
    std::fs::write(&history, text).expect("written");
    assert_eq!(check(&history).0, Some(1));
}

#[test]
fn a_cluster_that_loses_messages_is_ok_without_once() {
    let (status, said) = run(stress("hot-cold", 3, &["--spawn", "3", "--storage", "memory"]));
    assert_eq!(status, Some(0), "{said}");
    for part in ["recovered", "versions             ok", "counters             ok", "linearizability      ok"]
    {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

/// A redis-server of our own on a port that was free; None: there is no such program.
fn redis_server(dir: &Path) -> Option<(Ended, String)> {
    let port = harness::free_ports("127.0.0.1", 1)[0].to_string();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(dir);
    let child = Ended(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
    let address = format!("127.0.0.1:{port}");
    let started = Instant::now();
    while std::net::TcpStream::connect(&address).is_err() {
        assert!(started.elapsed() < PATIENCE, "redis-server listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some((child, address))
}

#[test]
fn a_redis_server_gets_a_verdict_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some((_server, address)) = redis_server(dir.path()) else {
        println!("there is no redis-server here");
        return;
    };
    let (status, said) = run(stress("plain", 2, &["--servers", &address]));
    assert_eq!(status, Some(0), "{said}");
    for part in ["versions             not applicable", "counters             ok", "verdict ok"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    // What it does not know is said at once.
    let (status, said) = run(stress("classic", 2, &["--servers", &address]));
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("CAS") && !said.contains("verdict ok"), "{said}");
}

/// Servers that are broken deliberately. The nodes take the defect from the environment of the tool.
#[cfg(feature = "mutants")]
mod mutants {
    use super::{run, stress};

    /// Not ok, for one of the reasons that the defect gives.
    fn is_found(mutant: &str, name: &str, seconds: u64, flags: &[&str], said_one_of: &[&str]) {
        let mut command = stress(name, seconds, &[&["--spawn", "3"], flags].concat());
        command.env("BOWLINE_MUTANT", mutant);
        let (status, said) = run(command);
        assert_eq!(status, Some(1), "{mutant} went unseen: {said}");
        assert!(said.contains("verdict not ok"), "{mutant}: {said}");
        assert!(said_one_of.iter().any(|part| said.contains(part)), "{mutant}: {said}");
        println!("{mutant}: {}", said.trim_end().lines().last().unwrap_or_default());
    }

    #[test]
    fn mutants_that_run_once_every_time_are_not_ok() {
        is_found("OnceEveryTime", "file", 4, &["--once"], &["took place more than once", "is there 2 times"]);
    }

    #[test]
    fn mutants_without_deduplication_are_not_ok() {
        let flags = ["--kill-leader-every", "1500ms"];
        is_found("DedupOff", "write-storm", 8, &flags, &["took place more than once", "is there 2 times"]);
    }

    #[test]
    fn mutants_that_answer_before_the_commit_are_not_ok() {
        let flags = ["--kill-leader-every", "1500ms"];
        let said = ["are missing", "are lost", "is not there", "is gone", "was given twice"];
        is_found("AcknowledgeBeforeCommit", "write-storm", 8, &flags, &said);
    }
}
