//! Real processes, real sockets, and faults: what clients saw of it has to be explained by
//! some order of their operations. `scripts/nemesis.sh` runs the long ones.

mod harness;

#[path = "nemesis/availability.rs"]
mod availability;
#[path = "nemesis/failover.rs"]
mod failover;
#[path = "nemesis/faults.rs"]
mod faults;
#[path = "nemesis/judge.rs"]
mod judge;
#[path = "nemesis/kind.rs"]
mod kind;
#[path = "nemesis/machine.rs"]
mod machine;
#[path = "nemesis/members.rs"]
mod members;
#[path = "nemesis/objects.rs"]
mod objects;
#[path = "nemesis/relay.rs"]
mod relay;
#[path = "nemesis/run.rs"]
mod run;
#[path = "nemesis/summary.rs"]
mod summary;
#[path = "nemesis/typed.rs"]
mod typed;
#[path = "nemesis/wire.rs"]
mod wire;
#[path = "nemesis/workload.rs"]
mod workload;

use run::Plan;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use summary::Summary;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    number_from("BOWLINE_SEED").unwrap_or(u64::from(now.subsec_nanos()) % 1_000_000)
}

/// What any checker can do: the binary judges the file.
fn judge_file(path: &PathBuf) -> (Option<i32>, String) {
    let output = Command::new(harness::binary()).arg("check").arg(path).output().expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A run has the machine to itself.
static MACHINE: Mutex<()> = Mutex::new(());

fn run(plan: &Plan) -> Summary {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let summary = run::run(plan);
    println!("{summary}");
    summary
}

#[test]
fn a_short_run_of_all_faults_leaves_a_linearizable_history() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("history.jsonl");
    let plan = Plan {
        seed: seed(),
        duration: Duration::from_secs(25),
        rate: 1500,
        most_hold: Duration::from_secs(1),
        stale: false,
        mutant: None,
        history: Some(path.clone()),
    };
    let summary = run(&plan);
    assert!(summary.is_good(), "see above; again with BOWLINE_SEED={}", plan.seed);
    assert!(summary.operations() > 2000 && summary.faults() > 3, "there was little to judge");
    assert!(summary.has_all_typed(), "see above what of values with elements is missing");
    let (status, said) = judge_file(&path);
    assert_eq!(status, Some(0), "{said}");

    // The same with one reply that nobody can have got.
    let mut text = std::fs::read_to_string(&path).expect("a history");
    let is_counted = |line: &&str| {
        [r#""op":"incrby""#, r#""key":"counter:"#, r#""value":"#].iter().all(|part| line.contains(part))
    };
    let line = text.lines().find(is_counted);
    let line = line.expect("a counter").to_owned();
    text.push_str(&line.replace(r#""client":"#, r#""client":77"#));
    std::fs::write(&path, text).expect("written");
    let (status, said) = judge_file(&path);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("not linearizable: counter:"), "{said}");
}

/// What is to be found, is it found? A read that may be old is sooner or later too old.
#[test]
fn a_run_with_stale_reads_is_found_out() {
    let plan = Plan {
        seed: seed(),
        duration: Duration::from_secs(15),
        rate: 1500,
        most_hold: Duration::from_secs(1),
        stale: true,
        mutant: None,
        history: None,
    };
    assert!(!run(&plan).is_linearizable(), "old values were read, and nobody noticed");
}

/// The same with those who wait: each takes two elements, and tells of one.
#[cfg(feature = "mutants")]
#[test]
fn mutants_that_take_twice_are_found_out() {
    let plan = Plan {
        seed: seed(),
        duration: Duration::from_secs(10),
        rate: 1500,
        most_hold: Duration::from_secs(1),
        stale: false,
        mutant: Some("TryTwice"),
        history: None,
    };
    assert!(!run(&plan).is_linearizable(), "elements are gone, and nobody noticed");
}

/// `scripts/nemesis.sh SECONDS`.
#[test]
#[ignore = "takes as long as BOWLINE_NEMESIS_SECONDS says"]
fn a_long_run_of_all_faults_leaves_a_linearizable_history() {
    let plan = Plan {
        seed: seed(),
        duration: Duration::from_secs(number_from("BOWLINE_NEMESIS_SECONDS").unwrap_or(60)),
        rate: number_from("BOWLINE_NEMESIS_RATE").unwrap_or(3000),
        most_hold: Duration::from_secs(4),
        stale: false,
        mutant: None,
        history: std::env::var_os("BOWLINE_NEMESIS_HISTORY").map(PathBuf::from),
    };
    let summary = run(&plan);
    assert!(summary.is_good(), "see above; again with BOWLINE_SEED={}", plan.seed);
}

/// `scripts/nemesis.sh --failover KILLS`.
#[test]
#[ignore = "kills as many leaders as BOWLINE_NEMESIS_KILLS says"]
fn survivors_of_killed_leaders_see_no_error_and_a_short_gap() {
    let kills = number_from("BOWLINE_NEMESIS_KILLS").unwrap_or(50) as usize;
    let gaps = failover::kill_leaders(kills);
    println!("{}; errors on surviving nodes: 0", gaps.summary());
    assert!(gaps.percentile(50) <= Duration::from_millis(500), "the median is too long");
    assert!(gaps.percentile(99) <= Duration::from_secs(1), "p99 is too long");
}
