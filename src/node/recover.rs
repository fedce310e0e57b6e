//! What a node finds on its disk, made into a group: the newest snapshot, and the log that
//! follows it. This module must refuse what does not fit together, and never guess.

use super::NodeError;
use super::snapshots::conf_state_of;
use crate::group::{LogPoint, Recovered, SnapshotPoint};
use crate::machine::{Machine, Restorer};
use crate::storage::{LoadedLog, LogBase, LogBatch, LogStore, SnapshotStore};
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::{ConfState, Entry};
use slog::{Logger, info};

/// Loads a group. `first_voters` is the membership of a log without a snapshot.
pub fn recover(
    log: &mut dyn LogStore,
    snapshots: &dyn SnapshotStore,
    group: GroupId,
    first_voters: &[NodeId],
    logger: &Logger,
) -> Result<Recovered, NodeError> {
    let loaded = log.load(group)?;
    let (snapshot, machine, snapshot_bytes) = restore(snapshots, group, first_voters, logger)?;
    let hard_state = loaded.hard_state.clone().unwrap_or_default();
    let (entries, must_reset) = entries_after(loaded, snapshot.point)?;
    if must_reset {
        // The node stopped between storing a leader's snapshot and starting its log anew.
        let reset = Some(LogBase { index: snapshot.point.index, term: snapshot.point.term });
        let mut hard_state = hard_state.clone();
        hard_state.commit = hard_state.commit.max(snapshot.point.index);
        hard_state.term = hard_state.term.max(snapshot.point.term);
        let batch = LogBatch { hard_state: Some(hard_state), reset, entries: Vec::new() };
        log.write(&[(group, batch)])?;
    }
    info!(logger, "state loaded"; "snapshot_index" => snapshot.point.index, "entries" => entries.len(),
        "keys" => machine.keyspace().len(), "term" => hard_state.term);
    Ok(Recovered { hard_state, snapshot, entries, machine, snapshot_bytes })
}

fn restore(
    snapshots: &dyn SnapshotStore,
    group: GroupId,
    first_voters: &[NodeId],
    logger: &Logger,
) -> Result<(SnapshotPoint, Machine, u64), NodeError> {
    let Some(mut reader) = snapshots.open_latest(group)? else {
        let conf_state = ConfState { voters: first_voters.to_vec(), ..Default::default() };
        let snapshot = SnapshotPoint { point: LogPoint::default(), conf_state };
        return Ok((snapshot, Machine::new(), 0));
    };
    let meta = reader.meta();
    let point = LogPoint { index: meta.get_index(), term: meta.get_term() };
    let conf_state = conf_state_of(meta);
    info!(logger, "restoring the snapshot"; "index" => point.index);
    let mut restorer = Restorer::default();
    let mut size_bytes = 0;
    while let Some(chunk) = reader.next_chunk()? {
        size_bytes += chunk.len() as u64;
        restorer.chunk(&chunk)?;
    }
    Ok((SnapshotPoint { point, conf_state }, restorer.finish(point.index)?, size_bytes))
}

/// The entries that follow the snapshot, and whether the log on disk has to start anew.
fn entries_after(loaded: LoadedLog, snapshot: LogPoint) -> Result<(Vec<Entry>, bool), NodeError> {
    let LoadedLog { base, mut entries, .. } = loaded;
    let last_index = entries.last().map_or(base.index, |entry| entry.index);
    if base.index > snapshot.index {
        return Err(NodeError::Incoherent(format!(
            "the log starts after entry {}, but the newest snapshot ends at {}: entries between them are \
             missing. Remove the node from the cluster, empty its data directory, and let it join under a \
             new node id",
            base.index, snapshot.index
        )));
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
        return Ok((Vec::new(), last_index > 0 || snapshot.index > 0));
    }
    entries.retain(|entry| entry.index > snapshot.index);
    Ok((entries, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(base: u64, terms: &[u64]) -> LoadedLog {
        let entry = |(i, &term): (usize, &u64)| Entry { index: base + 1 + i as u64, term, ..Default::default() };
        let entries = terms.iter().enumerate().map(entry).collect();
        LoadedLog { hard_state: None, base: LogBase { index: base, term: u64::from(base > 0) }, entries }
    }

    fn after(loaded: LoadedLog, index: u64, term: u64) -> Option<(Vec<u64>, bool)> {
        let (entries, reset) = entries_after(loaded, LogPoint { index, term }).ok()?;
        Some((entries.iter().map(|entry| entry.index).collect(), reset))
    }

    #[test]
    fn only_a_log_that_agrees_with_the_snapshot_is_kept() {
        assert_eq!(after(log(0, &[]), 0, 0), Some((vec![], false)), "a new directory");
        assert_eq!(after(log(0, &[1, 1, 1]), 2, 1), Some((vec![3], false)));
        assert_eq!(after(log(2, &[1]), 2, 1), Some((vec![3], false)));
        assert_eq!(after(log(0, &[1, 1, 1]), 2, 2), Some((vec![], true)), "another course");
        assert_eq!(after(log(0, &[1, 1]), 5, 2), Some((vec![], true)), "behind it");
        assert_eq!(after(log(3, &[1]), 2, 1), None, "a gap");
    }
}
