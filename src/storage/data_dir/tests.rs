//! Data directories: made, opened again, in use, foreign, damaged.

use super::super::{LogBatch, open};
use super::*;
use crate::wire::{entry, units};
use raft::eraftpb::{Entry, HardState};

fn expected(node: NodeId, storage: StorageKind) -> Expectations {
    let first_members = vec![FirstMember { node: 1, client_addr: "a:1".into(), peer_addr: "a:\"2\"".into() }];
    Expectations { node, storage, first_members, ..Default::default() }
}

fn refusal(path: &Path, node: NodeId, storage: StorageKind) -> String {
    let Err(error) = DataDir::open(path, &expected(node, storage)) else { panic!("it was not refused") };
    error.to_string()
}

/// A path for a data directory that is not there yet, two levels down.
fn fresh() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("some/data");
    (root, path)
}

#[test]
fn a_directory_is_made_once_and_counts_its_starts() {
    let (_root, path) = fresh();
    let mut incarnation = None;
    for boot in 1..=3 {
        let mut wanted = expected(3, StorageKind::File);
        if boot > 1 {
            wanted.first_members.clear();
        }
        let mut dir = DataDir::open(&path, &wanted).unwrap();
        assert_eq!((dir.boot(), dir.node(), dir.is_new()), (boot, 3, boot == 1));
        assert_eq!(*incarnation.get_or_insert(dir.incarnation()), dir.incarnation());
        assert_eq!(dir.first_members(), expected(3, StorageKind::File).first_members);
        assert_eq!(dir.cluster_id(), (boot > 1).then_some([8; 16]));
        dir.set_cluster_id([8; 16]).unwrap();
        assert_eq!(dir.cluster_id(), Some([8; 16]));
        let error = dir.set_cluster_id([9; 16]).unwrap_err().to_string();
        assert!(error.contains(&"08".repeat(16)) && error.contains("empty data directory"), "{error}");
    }
    let (_root, other) = fresh();
    let other = DataDir::open(&other, &expected(3, StorageKind::File)).unwrap();
    assert_ne!(Some(other.incarnation()), incarnation);
}

#[test]
fn the_directory_of_a_node_that_joined_knows_its_cluster_from_the_beginning() {
    let (_root, path) = fresh();
    assert_eq!(DataDir::owner(&path).unwrap(), None, "it is not there");
    assert!(!path.exists(), "looking makes nothing");
    let joined = Expectations {
        first_voters: vec![1, 2, 3],
        cluster_id: Some([7; 16]),
        ..expected(9, StorageKind::File)
    };
    drop(DataDir::open(&path, &joined).unwrap());
    assert_eq!(DataDir::owner(&path).unwrap(), Some(Owner { node: 9, cluster_id: Some([7; 16]) }));
    let dir = DataDir::open(&path, &expected(9, StorageKind::File)).unwrap();
    assert_eq!((dir.first_voters(), dir.cluster_id()), (vec![1, 2, 3], Some([7; 16])), "they stay");
    let (root, path) = fresh();
    assert_eq!(DataDir::open(&path, &expected(1, StorageKind::File)).unwrap().first_voters(), [1]);
    fs::write(root.path().join("dump.rdb"), b"REDIS").unwrap();
    let error = DataDir::owner(root.path()).unwrap_err().to_string();
    assert!(error.contains("not empty"), "{error}");
}

#[test]
fn what_does_not_fit_is_refused_and_told_what_to_do() {
    let (_root, path) = fresh();
    let open = DataDir::open(&path, &expected(3, StorageKind::File)).unwrap();
    let error = refusal(&path, 3, StorageKind::File);
    assert!(
        error.contains(&format!("(process {})", std::process::id())) && error.contains("stop that"),
        "{error}"
    );
    drop(open);
    let error = refusal(&path, 4, StorageKind::File);
    assert!(
        error.contains("belongs to node 3") && error.contains("node 4: start it with the right id"),
        "{error}"
    );
    for kind in [StorageKind::Sled, StorageKind::Memory] {
        let error = refusal(&path, 3, kind);
        assert!(error.contains("made for storage file") && error.contains("start it with file"), "{error}");
    }
    let mut identity = read_identity(&path).unwrap().unwrap();
    identity.set_format(9);
    write_identity(&path, &identity).unwrap();
    let error = refusal(&path, 3, StorageKind::File);
    assert!(error.contains("format 9") && error.contains("of the version that wrote it"), "{error}");
}

#[test]
fn a_refused_start_is_not_counted() {
    let (_root, path) = fresh();
    drop(DataDir::open(&path, &expected(3, StorageKind::File)).unwrap());
    refusal(&path, 4, StorageKind::File);
    assert_eq!(DataDir::open(&path, &expected(3, StorageKind::File)).unwrap().boot(), 2);
}

#[test]
fn a_damaged_identity_is_refused_at_every_byte() {
    let (_root, path) = fresh();
    drop(DataDir::open(&path, &expected(3, StorageKind::File)).unwrap());
    let name = path.join(IDENTITY);
    let good = fs::read(&name).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&name, &bad).unwrap();
        let error = refusal(&path, 3, StorageKind::File);
        assert!(
            error.contains(if at < 8 { "another program" } else { "damaged at byte 0" }),
            "{at}: {error}"
        );
        fs::write(&name, &good[..at]).unwrap();
        refusal(&path, 3, StorageKind::File);
    }
}

#[test]
fn a_foreign_directory_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("dump.rdb"), "x").unwrap();
    let error = refusal(root.path(), 1, StorageKind::File);
    assert!(error.contains("dump.rdb") && error.contains("use an empty directory"), "{error}");
    assert!(!root.path().join(IDENTITY).exists());
}

#[test]
fn a_log_without_an_identity_is_refused_and_a_half_made_directory_is_not() {
    for kind in [StorageKind::File, StorageKind::Sled] {
        let (_root, path) = fresh();
        let dir = DataDir::open(&path, &expected(1, kind)).unwrap();
        fs::remove_file(path.join(IDENTITY)).unwrap();
        drop(dir);
        fs::write(path.join("identity.tmp"), "torn").unwrap();
        let dir = DataDir::open(&path, &expected(1, kind)).unwrap();
        drop(open(kind, &dir).unwrap());
        drop(dir);
        fs::remove_file(path.join(IDENTITY)).unwrap();
        let error = refusal(&path, 1, kind);
        assert!(error.contains("no identity") && error.contains("a new node id"), "{error}");
    }
}

#[test]
fn a_lost_log_directory_is_not_made_again() {
    let (_root, path) = fresh();
    let dir = DataDir::open(&path, &expected(1, StorageKind::File)).unwrap();
    fs::remove_dir(path.join(file::LOG_DIRECTORY)).unwrap();
    assert!(open(StorageKind::File, &dir).is_err());
}

#[test]
fn memory_leaves_no_trace_and_is_a_new_node_each_time() {
    let (_root, path) = fresh();
    let first = DataDir::open(&path, &expected(1, StorageKind::Memory)).unwrap();
    let mut second = DataDir::open(&path, &expected(1, StorageKind::Memory)).unwrap();
    assert_ne!(first.incarnation(), second.incarnation());
    second.set_cluster_id([1; 16]).unwrap();
    assert!(!path.exists());
}

#[test]
fn inspect_prints_json_lines_while_the_directory_is_in_use() {
    for kind in [StorageKind::File, StorageKind::Sled] {
        let (_root, path) = fresh();
        let dir = DataDir::open(&path, &expected(1, kind)).unwrap();
        let (mut log, snapshots) = open(kind, &dir).unwrap();
        let mut body = Vec::new();
        units::put_command_unit(&mut body, &[b"set", b"k", b"v"], 0);
        units::put_command_unit(&mut body, &[b"we\"ird\n"], 0);
        units::put_bootstrap_unit(&mut body, &[1; 16], &[2; 16], &[1], "");
        let batch = entry::Batch { origin: 1, boot: 2, seq: 3, body: body.into() };
        let data = entry::encode(1_700_000_000_000, &[batch]).into();
        let hard_state = HardState { term: 4, vote: 1, commit: 1, ..HardState::default() };
        let entries = vec![
            Entry { index: 1, term: 4, data, ..Entry::default() },
            Entry { index: 2, term: 4, data: "garbage".into(), ..Entry::default() },
        ];
        log.write(&[(1, LogBatch { hard_state: Some(hard_state), entries, ..LogBatch::default() })]).unwrap();
        let mut meta = crate::wire::proto::snapshot::Meta::default();
        meta.set_group(1);
        meta.set_index(7);
        meta.set_voters(vec![1, 2]);
        let mut writer = snapshots.begin(&meta).unwrap();
        writer.append(&[0; 33]).unwrap();
        writer.finish().unwrap();

        let mut out = Vec::new();
        super::super::inspect(&path, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 6, "{out}");
        assert!(lines[0].contains(r#""boot":1"#) && lines[0].contains(r#""in_use":true"#), "{out}");
        assert!(lines[0].contains(r#""peer_addr":"a:\"2\"""#), "{out}");
        assert!(lines[1].contains(r#""index":7"#) && lines[1].contains(r#""chunk_bytes":[33]"#), "{out}");
        assert_eq!(lines[2], r#"{"hard_state":{"group":1,"term":4,"vote":1,"commit":1}}"#);
        assert_eq!(lines[3], r#"{"base":{"group":1,"index":0,"term":0}}"#);
        assert!(lines[4].contains(r#""units":["SET","WE\"IRD\u000a","bootstrap"]"#), "{out}");
        assert!(lines[5].contains("malformed"), "{out}");
    }
}
