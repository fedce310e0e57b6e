//! Which part of a log on disk is still good next to the newest snapshot. This module must
//! refuse what does not fit together, and never guess.

use super::LogPoint;
use raft::eraftpb::Entry;

/// Entries between the newest snapshot and the log are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log starts after entry {log_base}, but the newest snapshot ends at {snapshot}: entries between \
     them are missing. Remove the node from the cluster, empty its data directory, and let it join under a \
     new node id"
)]
pub struct LogGap {
    /// The log starts after this index.
    pub log_base: u64,
    /// The snapshot's last index.
    pub snapshot: u64,
}

/// The entries that follow the snapshot, and whether the log on disk has to start anew there.
/// `base` is the point after which the log on disk starts.
pub fn log_after(
    base: LogPoint,
    mut entries: Vec<Entry>,
    snapshot: LogPoint,
) -> Result<(Vec<Entry>, bool), LogGap> {
    if base.index > snapshot.index {
        return Err(LogGap { log_base: base.index, snapshot: snapshot.index });
    }
    let term_there = if base.index == snapshot.index {
        Some(base.term)
    } else {
        let offset = (snapshot.index - base.index - 1) as usize;
        entries.get(offset).map(|entry| entry.term)
    };
    if term_there != Some(snapshot.term) {
        // It ends before the snapshot, or took another course: what the snapshot holds is
        // committed, so nothing of that log ever was.
        return Ok((Vec::new(), true));
    }
    entries.retain(|entry| entry.index > snapshot.index);
    Ok((entries, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(base: u64, terms: &[u64], index: u64, term: u64) -> Option<(Vec<u64>, bool)> {
        let entry =
            |(i, &term): (usize, &u64)| Entry { index: base + 1 + i as u64, term, ..Default::default() };
        let entries = terms.iter().enumerate().map(entry).collect();
        let base = LogPoint { index: base, term: u64::from(base > 0) };
        let (entries, reset) = log_after(base, entries, LogPoint { index, term }).ok()?;
        Some((entries.iter().map(|entry| entry.index).collect(), reset))
    }

    #[test]
    fn only_a_log_that_agrees_with_the_snapshot_is_kept() {
        assert_eq!(after(0, &[], 0, 0), Some((vec![], false)), "a new directory");
        assert_eq!(after(0, &[1, 1, 1], 2, 1), Some((vec![3], false)));
        assert_eq!(after(2, &[1], 2, 1), Some((vec![3], false)));
        assert_eq!(after(0, &[1, 1, 1], 2, 2), Some((vec![], true)), "another course");
        assert_eq!(after(0, &[1, 1], 5, 2), Some((vec![], true)), "behind it");
        assert_eq!(after(3, &[1], 2, 1), None, "a gap");
    }
}
