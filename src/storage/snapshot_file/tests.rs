//! Snapshots on a real file system.

use super::super::disk::RealDisk;
use super::*;
use crate::limits::FREED_AT_ONCE_BYTES;
use std::fs::File;
use std::time::{Duration, Instant};

const CHUNK_BYTES: usize = 1 << 20;

fn write(store: &SnapshotFiles, index: u64, chunks: u64) {
    let mut meta = Meta::new();
    meta.set_group(1);
    meta.set_index(index);
    let mut writer = store.begin(&meta).unwrap();
    (0..chunks).for_each(|chunk| writer.append(&vec![chunk as u8; CHUNK_BYTES]).unwrap());
    writer.finish().unwrap();
}

#[test]
fn what_was_replaced_is_whole_for_who_reads_it_and_then_freed() {
    let directory = tempfile::tempdir().unwrap();
    let store = SnapshotFiles::open(Arc::new(RealDisk::new(directory.path().to_owned()))).unwrap();
    let names = || store.disk.list().unwrap();
    let chunks = 3 * FREED_AT_ONCE_BYTES / CHUNK_BYTES as u64;
    write(&store, 1, chunks);
    // Seen as a file, not as a snapshot.
    let replaced = File::open(directory.path().join(names().remove(0))).unwrap();
    let len = replaced.metadata().unwrap().len();
    let mut reader = store.open_latest(1).unwrap().unwrap();
    write(&store, 2, 1);
    assert_eq!(names().len(), 1);
    for chunk in 0..chunks {
        assert_eq!(reader.next_chunk().unwrap().unwrap(), vec![chunk as u8; CHUNK_BYTES]);
    }
    assert!(reader.next_chunk().unwrap().is_none());
    assert_eq!(replaced.metadata().unwrap().len(), len);
    drop(reader);
    let deadline = Instant::now() + Duration::from_secs(30);
    while replaced.metadata().unwrap().len() > 0 {
        assert!(Instant::now() < deadline, "it is not freed");
        std::thread::yield_now();
    }
    let latest = store.open_latest(1).unwrap().unwrap();
    assert_eq!(latest.meta().get_index(), 2);
}
