//! Snapshots of the scripts' clusters: stored and carried at once.

use super::{Cluster, Node, restored};
use crate::group::Input;
use raft::eraftpb::Message;
use std::fmt::Write as _;

impl Cluster {
    pub(super) fn walk_snapshots(&mut self, out: &mut String) -> bool {
        let goes_on = |node: &Node| node.walking.is_some() && !node.is_paused && !node.walk_is_off;
        let walking = self.nodes.iter().find(|(_, node)| goes_on(node));
        let Some(id) = walking.map(|(id, _)| *id) else { return false };
        let node = self.node(id);
        let (Some(at), Some(group)) = (node.walking.take(), node.group.as_mut()) else { return false };
        let chunks: Vec<_> = std::iter::from_fn(|| group.snapshot_chunk(100)).collect();
        let index = at.point.index;
        let _ = writeln!(out, "{id}: snapshot {index} stored");
        let size_bytes = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        node.disk.snapshot = Some((at, chunks));
        self.input(id, Input::SnapshotStored { index, size_bytes }, out);
        true
    }

    pub(super) fn carry_snapshot(&mut self, from: u64, to: u64, message: Message, out: &mut String) {
        let snapshot = self.node(from).disk.snapshot.clone();
        let ok = !self.cuts.contains(&(from, to)) && self.group(to).is_some();
        if let Some((at, chunks)) = snapshot.filter(|_| ok) {
            let machine = Box::new(restored(at.point.index, &chunks));
            self.node(to).disk.snapshot = Some((at, chunks));
            self.input(to, Input::SnapshotFetched { message, machine, size_bytes: 1 }, out);
        }
        self.input(from, Input::SnapshotSent { to, ok }, out);
    }
}
