//! Entries a second through `write`, on the disk of the temporary directory:
//! `cargo test --release --lib storage::bench -- --ignored --nocapture`.

use super::{DataDir, Expectations, LogBatch, StorageKind, open};
use bytes::Bytes;
use raft::eraftpb::Entry;
use std::time::{Duration, Instant};

const ENTRY_BYTES: usize = 150;
const COMPACT_EVERY: u64 = 100_000;

/// Entries a second, and the median and 99th percentile of a write.
fn measure(kind: StorageKind, per_batch: u64) -> (f64, Duration, Duration) {
    let root =
        tempfile::tempdir_in(std::env::var_os("BENCH_DIR").unwrap_or(std::env::temp_dir().into())).unwrap();
    let expected = Expectations { node: 1, storage: kind, ..Default::default() };
    let dir = DataDir::open(&root.path().join("data"), &expected).unwrap();
    let (mut log, _) = open(kind, &dir).unwrap();
    let data = Bytes::from(vec![7; ENTRY_BYTES]);
    let (mut index, mut compacted) = (0, 0);
    let mut latencies = Vec::new();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        let entry = |index| Entry { index, term: 1, data: data.clone(), ..Entry::default() };
        let entries = (index + 1..=index + per_batch).map(entry).collect();
        index += per_batch;
        let batch = LogBatch { entries, ..LogBatch::default() };
        let before = Instant::now();
        log.write(&[(1, batch)]).unwrap();
        latencies.push(before.elapsed());
        if index - compacted >= COMPACT_EVERY {
            compacted = index;
            log.compact(1, index - 1000).unwrap();
        }
    }
    let rate = index as f64 / start.elapsed().as_secs_f64();
    latencies.sort();
    (rate, latencies[latencies.len() / 2], latencies[latencies.len() * 99 / 100])
}

#[test]
#[ignore = "a measurement"]
fn appends() {
    for kind in [StorageKind::File, StorageKind::Sled] {
        for per_batch in [1, 16, 128] {
            let (rate, p50, p99) = measure(kind, per_batch);
            println!("{kind:>6} {per_batch:>4} a batch: {rate:>10.0} entries/s, p50 {p50:?}, p99 {p99:?}");
        }
    }
}
