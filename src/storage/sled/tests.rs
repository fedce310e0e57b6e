//! sled's wrapper where it differs from the other backends. A copy of the directory in mid-run
//! is a crude crash: what was acknowledged before it must be in it.

use super::super::inspect::copy_directory;
use super::*;
use raft::eraftpb::HardState;

struct Home {
    root: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(DIRECTORY)).unwrap();
        Self { root }
    }

    fn open(&self) -> Result<SledLog, StoreError> {
        SledLog::open(self.root.path(), 1)
    }

    fn copy(&self) -> Self {
        let copy = Self { root: tempfile::tempdir().unwrap() };
        copy_directory(self.root.path(), copy.root.path()).unwrap();
        copy
    }

    /// Puts back sled's files as they are in `older`, with the sentinel as it is.
    fn put_back(&self, older: &Self) {
        fs::remove_dir_all(self.root.path().join(DIRECTORY)).unwrap();
        copy_directory(&older.root.path().join(DIRECTORY), &self.root.path().join(DIRECTORY)).unwrap();
    }
}

fn entry(index: u64, size: usize) -> Entry {
    Entry { index, term: 1, data: Bytes::from(vec![index as u8; size]), ..Entry::default() }
}

fn votes(term: u64, vote: u64) -> LogBatch {
    let hard_state = HardState { term, vote, commit: term, ..HardState::default() };
    LogBatch { hard_state: Some(hard_state), ..LogBatch::default() }
}

#[test]
fn a_copy_taken_in_mid_run_has_all_that_was_acknowledged() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    let mut next = 1;
    for round in 1..=8u64 {
        for _ in 0..60 {
            let count = 1 + next % 7;
            let entries =
                (next..next + count).map(|index| entry(index, 1 + (index as usize * 977) % 9000)).collect();
            next += count;
            log.write(&[(1, LogBatch { entries, ..votes(round, 1) })]).unwrap();
        }
        log.compact(1, next - 100).unwrap();
        let found = home.copy().open().unwrap().load(1).unwrap();
        assert_eq!(found.hard_state, votes(round, 1).hard_state);
        assert_eq!(found.base.index, next - 100);
        assert_eq!(found.entries, log.load(1).unwrap().entries);
        assert_eq!(found.entries.len(), 99);
    }
}

#[test]
fn sled_that_comes_back_older_than_its_votes_is_refused() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    log.write(&[(1, votes(1, 2))]).unwrap();
    let older = home.copy();
    for later in [votes(2, 0), votes(2, 3)] {
        log.write(&[(1, later)]).unwrap();
        let now = home.copy();
        now.open().unwrap();
        now.put_back(&older);
        let error = now.open().map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Forgotten { .. }), "{error}");
        assert!(error.to_string().contains("term 1 and vote 2"), "{error}");
        assert!(error.to_string().contains("join under a new node id"), "{error}");
    }
}

#[test]
fn a_log_that_ends_before_what_was_committed_is_refused() {
    let home = Home::new();
    let mut sentinel = Sentinel::create(home.root.path(), 1).unwrap();
    let hard_state = HardState { term: 3, vote: 1, commit: 20, ..HardState::default() };
    assert!(sentinel.note(&[(1, hard_state.clone())]).unwrap());
    let sentinel = Sentinel::read(home.root.path(), 1).unwrap().expect("it was written");
    sentinel.check(1, Some(&hard_state), 20).unwrap();
    let error = sentinel.check(1, Some(&hard_state), 19).unwrap_err();
    assert!(error.to_string().contains("ends at entry 19, after entry 20 had been committed"), "{error}");
}

#[test]
fn sled_that_comes_back_empty_or_alone_is_refused() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    log.write(&[(1, votes(1, 2))]).unwrap();
    let empty = home.copy();
    empty.put_back(&Home::new());
    assert!(matches!(empty.open().map(drop), Err(StoreError::Forgotten { .. })));
    let alone = home.copy();
    fs::remove_file(alone.root.path().join(SENTINEL)).unwrap();
    assert!(matches!(alone.open().map(drop), Err(StoreError::Forgotten { .. })));
    let damaged = home.copy();
    let sentinel = damaged.root.path().join(SENTINEL);
    let mut bytes = fs::read(&sentinel).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&sentinel, bytes).unwrap();
    assert!(matches!(damaged.open().map(drop), Err(StoreError::Corrupt { .. })));
    let other = home.copy();
    assert!(matches!(SledLog::open(other.root.path(), 2).map(drop), Err(StoreError::Refused { .. })));
}

#[test]
fn what_a_crash_leaves_of_a_first_opening_is_made_again() {
    let home = Home::new();
    drop(home.open().unwrap());
    let database = home.root.path().join(DIRECTORY);
    // Of the length that it was to have, without its bytes: sled would refuse it for ever.
    fs::write(database.join("conf"), [0; 24]).unwrap();
    fs::write(database.join(DATA_FILE), vec![0xAB; 5000]).unwrap();
    let mut log = home.open().unwrap();
    log.write(&[(1, LogBatch { entries: vec![entry(1, 10)], ..LogBatch::default() })]).unwrap();
    drop(log);
    // Something was acknowledged, without a hard state: from now on nothing is made again.
    assert_eq!(home.open().unwrap().load(1).unwrap().entries, [entry(1, 10)]);
    fs::write(database.join("conf"), [0; 24]).unwrap();
    assert!(matches!(home.open().map(drop), Err(StoreError::Forgotten { .. })));
}

#[test]
fn a_snapshot_that_sled_did_not_finish_is_not_its_newest() {
    let home = Home::new();
    home.open().unwrap().write(&[(1, votes(1, 2))]).unwrap();
    drop(home.open().unwrap());
    let database = home.root.path().join(DIRECTORY);
    let names = fs::read_dir(&database).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
    let snapshot =
        names.filter(|name| name.starts_with("snap.")).max().expect("sled took one when it opened");
    fs::write(database.join(format!("{snapshot}.generating")), b"torn").unwrap();
    assert_eq!(home.open().unwrap().load(1).unwrap().hard_state, votes(1, 2).hard_state);
}

#[test]
fn the_sentinel_is_written_only_for_new_votes() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    log.write(&[(1, votes(1, 2))]).unwrap();
    let syncs = log.status().syncs;
    for index in 1..=10 {
        let mut batch = votes(1, 2);
        batch.hard_state.as_mut().unwrap().commit = index;
        batch.entries.push(entry(index, 10));
        log.write(&[(1, batch)]).unwrap();
    }
    assert_eq!(log.status().syncs, syncs + 10);
    log.write(&[(1, votes(2, 2))]).unwrap();
    assert_eq!(log.status().syncs, syncs + 12);
}

#[test]
fn a_compaction_takes_its_keys_away_little_by_little() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    for index in 1..=1000 {
        log.write(&[(1, LogBatch { entries: vec![entry(index, 10)], ..LogBatch::default() })]).unwrap();
    }
    log.compact(1, 990).unwrap();
    assert_eq!(log.db.len(), 1001 - COMPACTED_KEYS);
    // Also when the process ends before it is done.
    drop(log);
    let mut log = home.open().unwrap();
    assert_eq!(log.load(1).unwrap().entries.len(), 10);
    for index in 1001..=1040 {
        log.write(&[(1, LogBatch { entries: vec![entry(index, 10)], ..LogBatch::default() })]).unwrap();
    }
    assert_eq!(log.db.len(), 51);
    assert_eq!(log.load(1).unwrap().entries.len(), 50);
}

#[test]
fn an_entry_in_parts_can_be_compacted_in_parts() {
    let home = Home::new();
    let mut log = home.open().unwrap();
    log.write(&[(1, LogBatch { entries: vec![entry(1, 40 << 20), entry(2, 5)], ..LogBatch::default() })])
        .unwrap();
    log.compact(1, 1).unwrap();
    drop(log);
    assert_eq!(home.open().unwrap().load(1).unwrap().entries, [entry(2, 5)]);
}
