//! Golden scripts: `testscripts/*.script` hold commands for a small cluster and, under `---`,
//! what they must print. `BOWLINE_UPDATE=1` writes down what they print now.

mod cluster;
mod rhythm;
mod strikes;
mod urgent;

use crate::machine::{Machine, Restorer};
use cluster::Cluster;
use std::fmt::Write as _;
use std::path::Path;

fn run(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut out = String::new();
    for block in script.split("\n\n").map(|block| block.trim_matches('\n')).filter(|block| !block.is_empty())
    {
        let (commands, _) = block.split_once("\n---").unwrap_or((block, ""));
        let mut printed = String::new();
        for line in commands.lines() {
            if !line.starts_with('#') {
                cluster.command(line, &mut printed);
            }
        }
        let _ = writeln!(out, "{commands}");
        if commands.lines().any(|line| !line.starts_with('#')) {
            let _ = write!(out, "---\n{printed}");
        }
        out.push('\n');
    }
    out
}

fn golden(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/group/testscripts").join(name);
    let script = std::fs::read_to_string(&path).unwrap();
    let printed = run(&script);
    if std::env::var_os("BOWLINE_UPDATE").is_some() {
        std::fs::write(&path, printed).unwrap();
        return;
    }
    let line = script.lines().zip(printed.lines()).position(|(expected, found)| expected != found);
    if let Some(line) = line {
        let (expected, found) = (script.lines().nth(line), printed.lines().nth(line));
        panic!("{name}:{}: expected {expected:?}, found {found:?}\n{printed}", line + 1);
    }
    assert_eq!(script.trim_end(), printed.trim_end(), "{name}");
}

macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test] fn $name() { golden(concat!(stringify!($name), ".script")); })*

        #[test]
        fn every_script_is_run() {
            let known = [$(stringify!($name)),*];
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/group/testscripts");
            for file in std::fs::read_dir(dir).unwrap() {
                let name = file.unwrap().file_name().into_string().unwrap();
                assert!(known.contains(&name.trim_end_matches(".script")), "{name} is not run");
            }
        }
    };
}

scripts! {
    election
    forwarding
    leader_change leader_disk_last
    long_jobs
    duplicates_and_gaps
    reads
    reads_after_restart
    leases
    lease_promises
    bounded_staleness
    stale_leader
    transactions
    expiry
    slow_disk
    snapshots
    snapshots_apart
    snapshot_for_who_returns
    installed_not_synced
    no_majority
    no_touch
    notices
    observed
    outcomes
    etcd_failpoints
    wiped_node
    whole_cluster_restart
    grow_and_shrink
    replace_node
    replace_only_voter
    demote_and_promote
    remove_leader
    remove_held_back
    removed_node_returns
    removed_node_lingers
    reads_without_the_removed
    members_in_snapshots
    joint_snapshot
    newcomer_by_snapshot
    newcomer_forgets
}

fn restored(index: u64, chunks: &[Vec<u8>]) -> Machine {
    let mut restorer = Restorer::default();
    for chunk in chunks {
        restorer.chunk(chunk).unwrap();
    }
    restorer.finish(index).unwrap()
}
