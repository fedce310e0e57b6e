//! Snapshots of the simulated nodes: walked a chunk at a time while entries go on being
//! applied, written to the node's disk, and streamed to followers that lag.

use super::disk::StoredSnapshot;
use super::node::Walk;
use super::world::{Event, Outcome, World};
use bowline::group::{Input, SnapshotPoint};
use bowline::machine::{Machine, Restorer};
use bowline::node::{conf_state_of, meta_of};
use bowline::wire::FIRST_GROUP;
use bowline::wire::proto::snapshot as proto;
use protobuf::Message as _;
use raft::eraftpb::Message;
use rand::Rng;
use std::rc::Rc;

impl World {
    pub(super) fn begin_walk(&mut self, id: u64, at: SnapshotPoint) {
        self.note(|| format!("node {id} begins a snapshot at {:?}", at.point));
        let node = self.node(id);
        let meta = meta_of(FIRST_GROUP, at.point.index, at.point.term, &at.conf_state);
        node.walks += 1;
        match node.disk.stores().1.begin(&meta) {
            Ok(writer) => {
                node.disk.own = Some(writer);
                node.walk = Some(Walk { at, size_bytes: 0, piece_at: None, changed_between: false });
                let walk = node.walks;
                self.after(100, Event::WalkOn { node: id, walk });
            }
            Err(_) => self.give_walk_up(id),
        }
    }

    pub(super) fn walk_on(&mut self, id: u64) {
        let target_bytes = self.rng.random_range(50..4_000);
        let delay_us = self.rng.random_range(20..3_000);
        let gives_up = !self.calm && self.rng.random_bool(0.0005);
        let node = self.node(id);
        let walk = node.walks;
        let (Some(group), Some(walking)) = (node.group.as_mut(), node.walk.as_mut()) else { return };
        let Some(chunk) = group.snapshot_chunk(target_bytes).filter(|_| !gives_up) else {
            if gives_up {
                return self.give_walk_up(id);
            }
            let delay_us = self.rng.random_range(500..100_000);
            return self.after(delay_us, Event::Stored { node: id, walk });
        };
        walking.size_bytes += chunk.len() as u64;
        if has_pieces(&chunk) {
            let revision = group.machine().keyspace().revision();
            walking.changed_between |= *walking.piece_at.get_or_insert(revision) < revision;
        }
        match node.disk.own.as_mut().map(|writer| writer.append(&chunk)) {
            Some(Ok(())) => self.after(delay_us, Event::WalkOn { node: id, walk }),
            _ => self.give_walk_up(id),
        }
    }

    /// It is whole, and becomes the newest.
    pub(super) fn stored(&mut self, id: u64) {
        let node = self.node(id);
        let (Some(walk), Some(writer)) = (node.walk.take(), node.disk.own.take()) else { return };
        if writer.finish().is_err() {
            return self.give_walk_up(id);
        }
        self.figures.snapshots_stored += 1;
        self.figures.snapshots_of_changing += u64::from(walk.changed_between);
        self.input(id, Input::SnapshotStored { index: walk.at.point.index, size_bytes: walk.size_bytes });
    }

    fn give_walk_up(&mut self, id: u64) {
        self.abort_walk(id);
        self.input(id, Input::SnapshotFailed);
    }

    pub(super) fn abort_walk(&mut self, id: u64) {
        let node = self.node(id);
        (node.walk, node.disk.own) = (None, None);
        node.walks += 1;
    }

    /// What is newest on disk is sent, and announced as such.
    pub(super) fn send_snapshot(&mut self, from: u64, to: u64, mut message: Message) -> Outcome {
        let life = self.node(from).life;
        let is_cut = self.network.is_cut(from, to);
        let snapshot = self.node(from).disk.newest_snapshot()?;
        let Some(snapshot) = snapshot.filter(|_| !is_cut) else {
            self.after(1_000, Event::SnapshotSent { from, life, to, ok: false });
            return Ok(());
        };
        let metadata = message.mut_snapshot().mut_metadata();
        metadata.index = snapshot.meta.get_index();
        metadata.term = snapshot.meta.get_term();
        metadata.set_conf_state(conf_state_of(&snapshot.meta));
        let delay_us = self.rng.random_range(1_000..50_000);
        self.after(delay_us, Event::SnapshotArrives { from, life, to, message, snapshot });
        Ok(())
    }

    pub(super) fn snapshot_arrives(
        &mut self,
        (from, life): (u64, u64),
        to: u64,
        message: Message,
        snapshot: Rc<StoredSnapshot>,
    ) {
        let is_cut = self.network.is_cut(from, to) || self.network.is_cut(to, from);
        let delay_us = self.rng.random_range(500..50_000);
        let refused = Event::SnapshotSent { from, life, to, ok: false };
        let Some(node) = self.nodes.get_mut(to as usize - 1).filter(|node| node.group.is_some()) else {
            return self.after(1_000, refused);
        };
        if node.disk.incoming.is_some() || snapshot.meta.get_index() <= node.applied() || is_cut {
            return self.after(1_000, refused);
        }
        let begun = node.disk.stores().1.begin(&snapshot.meta);
        let Ok(mut writer) = begun else { return self.after(1_000, refused) };
        // The rest comes later: a crash finds it half written.
        let _ = snapshot.chunks.first().map(|chunk| writer.append(chunk));
        node.disk.incoming = Some(writer);
        let to_life = node.life;
        self.after(delay_us, Event::Fetched { from, life, to, to_life, message, snapshot });
    }

    pub(super) fn fetched(
        &mut self,
        to: u64,
        message: Message,
        snapshot: &StoredSnapshot,
    ) -> Result<bool, String> {
        let Some(mut writer) = self.node(to).disk.incoming.take() else { return Ok(false) };
        let written = snapshot.chunks.iter().skip(1).try_for_each(|chunk| writer.append(chunk));
        // Only a snapshot that can be restored becomes the latest.
        let machine = restore(snapshot)?;
        if written.is_err() || writer.finish().is_err() {
            return Ok(false);
        }
        self.figures.long_installed += u64::from(snapshot.chunks.iter().any(|chunk| has_pieces(chunk)));
        let size_bytes = snapshot.chunks.iter().map(|chunk| chunk.len() as u64).sum();
        self.input(to, Input::SnapshotFetched { message, machine: Box::new(machine), size_bytes });
        Ok(true)
    }
}

fn restore(stored: &StoredSnapshot) -> Result<Machine, String> {
    let mut restorer = Restorer::default();
    for chunk in &stored.chunks {
        restorer.chunk(chunk).map_err(|error| error.to_string())?;
    }
    restorer.finish(stored.meta.get_index()).map_err(|error| error.to_string())
}

/// Whether a part of a collection stands in it.
fn has_pieces(chunk: &[u8]) -> bool {
    let chunk = proto::Chunk::parse_from_bytes(chunk);
    chunk.is_ok_and(|chunk| chunk.has_keys() && !chunk.get_keys().get_collection_pieces().is_empty())
}
