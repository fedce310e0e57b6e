//! What a node finds on its disk, made into a group: the newest snapshot, and the log that
//! follows it. This module must refuse what does not fit together, and never guess.

use super::NodeError;
use super::snapshots::conf_state_of;
use crate::group::{LogPoint, Recovered, SnapshotPoint, log_after};
use crate::limits;
use crate::machine::{Machine, Restorer};
use crate::storage::{LogBase, LogBatch, LogStore, SnapshotReader, SnapshotStore, StoreError};
use crate::wire::{GroupId, NodeId};
use raft::eraftpb::ConfState;
use slog::{Logger, info};
use std::sync::mpsc;
use std::thread::{Builder, Scope};

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
    let base = LogPoint { index: loaded.base.index, term: loaded.base.term };
    let (entries, must_reset) = log_after(base, loaded.entries, snapshot.point)
        .map_err(|gap| NodeError::Incoherent(gap.to_string()))?;
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
        "keys" => machine.keyspace().total_len(), "term" => hard_state.term);
    Ok(Recovered { hard_state, snapshot, entries, machine, snapshot_bytes })
}

fn restore(
    snapshots: &dyn SnapshotStore,
    group: GroupId,
    first_voters: &[NodeId],
    logger: &Logger,
) -> Result<(SnapshotPoint, Machine, u64), NodeError> {
    let Some(reader) = snapshots.open_latest(group)? else {
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
    std::thread::scope(|scope| {
        for chunk in read_ahead(scope, reader)? {
            let chunk = chunk?;
            size_bytes += chunk.len() as u64;
            restorer.chunk(&chunk)?;
        }
        Ok::<_, NodeError>(())
    })?;
    Ok((SnapshotPoint { point, conf_state }, restorer.finish(point.index)?, size_bytes))
}

/// The chunks of a snapshot: the next ones are read, and their checksums verified, while one is restored.
fn read_ahead<'scope>(
    scope: &'scope Scope<'scope, '_>,
    mut reader: Box<dyn SnapshotReader>,
) -> Result<mpsc::Receiver<Result<Vec<u8>, StoreError>>, NodeError> {
    let (ahead, chunks) = mpsc::sync_channel(limits::SNAPSHOT_CHUNKS_IN_FLIGHT);
    let read = move || {
        while let Some(chunk) = reader.next_chunk().transpose() {
            let is_last = chunk.is_err();
            // Nobody takes it: what came before could not be restored.
            if ahead.send(chunk).is_err() || is_last {
                return;
            }
        }
    };
    let started = Builder::new().name("restore".to_owned()).spawn_scoped(scope, read);
    started.map_err(|source| NodeError::Io { what: "start a thread".to_owned(), source })?;
    Ok(chunks)
}
