//! Snapshots of the simulated nodes: walked a chunk at a time while entries go on being
//! applied, stored after a while, and streamed to followers that lag.

use super::disk::StoredSnapshot;
use super::world::{Event, World};
use bowline::group::Input;
use raft::eraftpb::Message;
use rand::Rng;
use std::rc::Rc;

impl World {
    pub(super) fn walk_on(&mut self, id: u64) {
        let target_bytes = self.rng.random_range(50..2_000);
        let delay_us = self.rng.random_range(20..3_000);
        let node = self.node(id);
        let walk = node.walks;
        let (Some(group), Some(walking)) = (node.group.as_mut(), node.walk.as_mut()) else { return };
        if let Some(chunk) = group.snapshot_chunk(target_bytes) {
            walking.chunks.push(chunk);
            return self.after(delay_us, Event::WalkOn { node: id, walk });
        }
        if !self.calm && self.rng.random_bool(0.05) {
            self.node(id).walk = None;
            self.node(id).walks += 1;
            return self.input(id, Input::SnapshotFailed);
        }
        if let Some(snapshot) = self.node(id).finished_walk() {
            let delay_us = self.rng.random_range(500..100_000);
            self.after(delay_us, Event::Stored { node: id, walk, snapshot });
        }
    }

    /// What is newest on disk is sent, and announced as such.
    pub(super) fn send_snapshot(&mut self, from: u64, to: u64, mut message: Message) {
        let life = self.node(from).life;
        let snapshot = self.node(from).disk.snapshot.clone();
        let Some(snapshot) = snapshot.filter(|_| !self.network.is_cut(from, to)) else {
            return self.after(1_000, Event::SnapshotSent { from, life, to, ok: false });
        };
        let metadata = message.mut_snapshot().mut_metadata();
        metadata.index = snapshot.at.point.index;
        metadata.term = snapshot.at.point.term;
        metadata.set_conf_state(snapshot.at.conf_state.clone());
        let delay_us = self.rng.random_range(1_000..50_000);
        self.after(delay_us, Event::SnapshotArrives { from, life, to, message, snapshot });
    }

    pub(super) fn snapshot_arrives(
        &mut self,
        from: u64,
        life: u64,
        to: u64,
        message: Message,
        snapshot: Rc<StoredSnapshot>,
    ) {
        let is_cut = self.network.is_cut(from, to) || self.network.is_cut(to, from);
        let node = self.node(to);
        let refused =
            node.group.is_none() || node.receiving || snapshot.at.point.index <= node.applied() || is_cut;
        if refused {
            return self.after(1_000, Event::SnapshotSent { from, life, to, ok: false });
        }
        node.receiving = true;
        let to_life = node.life;
        let delay_us = self.rng.random_range(500..50_000);
        self.after(delay_us, Event::Fetched { from, life, to, to_life, message, snapshot });
    }
}
