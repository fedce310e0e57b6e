//! Disks that fill up or lie.

use crate::harness::load::Load;
use crate::harness::{Cluster, PATIENCE, Setup, Value, eventually};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A small file system of its own, gone at the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this process may not mount.
    fn mount(path: &Path, mib: u64) -> Option<Self> {
        fs::create_dir_all(path).expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(path)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then(|| Self(path.to_owned()))
    }

    #[track_caller]
    fn grow(&self, mib: u64) {
        let option = format!("remount,size={mib}m");
        let grown = Command::new("mount").args(["-o", &option]).arg(&self.0).status().expect("mount exists");
        assert!(grown.success(), "a remount");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Makes `id` the leader by stopping whoever else leads.
#[track_caller]
fn make_leader(cluster: &mut Cluster, id: u64) {
    for _ in 0..30 {
        let leader = cluster.leader();
        if leader == id {
            return;
        }
        cluster.node(leader).signal("TERM");
        cluster.node_mut(leader).wait_end(PATIENCE);
        cluster.restart(leader);
        cluster.await_ready();
    }
    panic!("node {id} never led");
}

fn fill_a_disk(of_leader: bool) {
    let mut cluster = Setup::new().prepare();
    let Some(disk) = SmallDisk::mount(&cluster.node(3).data_dir, 70) else {
        eprintln!("skipped: mounting a small file system needs root");
        return;
    };
    for id in cluster.ids() {
        cluster.restart(id);
    }
    cluster.await_ready();
    if of_leader {
        make_leader(&mut cluster, 3);
    }
    let load = Load::start(&cluster, "full", 1, 100_000);
    let status = cluster.node_mut(3).wait_end(Duration::from_secs(60));
    assert_eq!(status.code(), Some(1), "the exit status of a node whose disk is full");
    let said = cluster.node(3).read_log();
    assert!(said.contains("No space left on device") && said.contains("cannot "), "{said}");
    load.await_writes(200);
    let outcomes = load.stop();
    outcomes.assert_no_errors();
    for id in [1, 2] {
        assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, whose disk is fine");
    }
    outcomes.check(&mut cluster);
    disk.grow(1000);
    cluster.restart(3);
    cluster.await_ready();
    outcomes.check(&mut cluster);
    cluster.kill(3);
}

#[test]
fn a_follower_whose_disk_is_full_stops_and_comes_back() {
    fill_a_disk(false);
}

#[test]
fn a_leader_whose_disk_is_full_stops_and_comes_back() {
    fill_a_disk(true);
}

#[track_caller]
fn flip_in_the_middle_of_data(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    // Not in the zeroes behind the data: those may be anything.
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("some data");
    bytes[used / 2] ^= 0x10;
    fs::write(path, bytes).expect("written");
}

/// Changes a file of a stopped node, sees it refused, and restores the file.
#[track_caller]
fn refused_with(cluster: &mut Cluster, path: &Path, change: impl Fn(&Path)) -> String {
    let kept = fs::read(path).expect("a file");
    change(path);
    let said = cluster.node_mut(1).start_refused();
    fs::write(path, kept).expect("written");
    let name = path.file_name().expect("a file").to_string_lossy().into_owned();
    assert!(said.contains(&name), "which file is it? {name}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn damaged_files_are_refused_and_named() {
    let mut cluster = Setup::new().nodes(1).flags(&["--snapshot-log-mib", "1"]).start();
    let mut client = cluster.client(1);
    let value = "x".repeat(300 << 10);
    let snapshots = |cluster: &Cluster| cluster.node(1).files("/snapshots/");
    for write in 0..200 {
        client.set(&format!("key:{}", write % 5), &value);
    }
    eventually("a finished snapshot", || {
        snapshots(&cluster).iter().any(|path| path.extension().is_some_and(|e| e == "snapshot")).then_some(())
    });
    client.set("key:0", "the last");
    cluster.kill(1);
    // The first start tidies up: what it leaves is what counts.
    cluster.restart(1);
    cluster.await_ready();
    cluster.kill(1);

    let segments = cluster.node(1).files(".segment");
    let live: Vec<_> =
        segments.into_iter().filter(|path| !path.display().to_string().contains("spare")).collect();
    let last = live.last().expect("a segment").clone();
    let said = refused_with(&mut cluster, &last, flip_in_the_middle_of_data);
    assert!(said.contains("is damaged at byte"), "{said}");
    let snapshot =
        snapshots(&cluster).into_iter().find(|path| path.extension().is_some_and(|e| e == "snapshot"));
    let snapshot = snapshot.expect("a snapshot");
    let said = refused_with(&mut cluster, &snapshot, flip_in_the_middle_of_data);
    assert!(said.contains("is damaged at byte"), "{said}");
    let said = refused_with(&mut cluster, &snapshot, |path| {
        let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
        file.set_len(file.metadata().expect("a length").len() / 2).expect("cut");
    });
    assert!(said.contains("is damaged"), "{said}");
    let identity = cluster.node(1).files("identity").pop().expect("an identity");
    let said = refused_with(&mut cluster, &identity, flip_in_the_middle_of_data);
    assert!(said.contains("identity"), "{said}");
    let said = refused_with(&mut cluster, &identity, |path| fs::write(path, "").expect("written"));
    assert!(said.contains("identity"), "{said}");
    let said = refused_with(&mut cluster, &identity, |path| fs::remove_file(path).expect("removed"));
    assert!(said.contains("identity"), "{said}");

    cluster.restart(1);
    cluster.await_ready();
    assert_eq!(cluster.client(1).get("key:0"), Value::bulk("the last"), "whole again");
    assert_eq!(cluster.client(1).get("key:4"), Value::bulk(&value));
}

#[test]
fn a_damaged_sled_is_refused() {
    let mut cluster = Setup::new().nodes(1).storage("sled").start();
    let mut client = cluster.client(1);
    for write in 0..50 {
        client.set(&format!("key:{}", write % 5), "x".repeat(20 << 10));
    }
    // How much was committed is noted once a second, when something is written.
    std::thread::sleep(Duration::from_millis(1100));
    client.set("key:0", "noted");
    cluster.kill(1);
    let db = cluster.node(1).data_dir.join("sled").join("db");
    assert!(db.is_file(), "where sled keeps its log: {:?}", cluster.node(1).files(""));
    let kept = fs::read(&db).expect("a file");
    let mut bytes = kept.clone();
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("some data");
    for at in (used / 4..used).step_by(997) {
        bytes[at] ^= 0x55;
    }
    fs::write(&db, bytes).expect("written");
    let said = cluster.node_mut(1).start_refused();
    assert!(said.contains("sled"), "{said}");
    fs::write(&db, b"").expect("written");
    let said = cluster.node_mut(1).start_refused();
    assert!(said.contains("sled"), "{said}");
}
