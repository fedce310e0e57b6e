//! What must hold at every turn, and what must hold in the end.

use super::faults::MAX_FREEZE_US;
use super::history::{self, Action, Outcome as Answer};
use super::node::UNAVAILABLE_AFTER_MS;
use super::world::{Outcome, World};
use bowline::command::Reply;
use std::collections::BTreeMap;

/// Every so many entries the replicas' states are compared.
const HASH_EVERY: u64 = 16;
/// Until everything is answered and all replicas are equal, once nothing is wrong any more.
const RECOVERY_US: u64 = 6_000_000;

impl World {
    /// An answer may take as long as the group may wait, twice (for a leader, then for it),
    /// and as long as the node was frozen meanwhile.
    pub(super) fn slowest_answer(&self, ticket: u64) -> Outcome {
        let bound_us = 2 * 1_000 * UNAVAILABLE_AFTER_MS + 2 * MAX_FREEZE_US + 1_000_000;
        match self.clients.began_us(ticket) {
            Some(began_us) if self.now_us - began_us > bound_us => {
                Err(format!("job {ticket} waited {} us for its answer", self.now_us - began_us))
            }
            _ => Ok(()),
        }
    }

    /// After each turn of a node.
    pub(super) fn look_at(&mut self, id: u64) -> Outcome {
        let node = &mut self.nodes[id as usize - 1];
        let Some(group) = node.group.as_ref() else { return Ok(()) };
        let status = group.status();
        if status.role == "leader" {
            let leader = *self.leaders.entry(status.term).or_insert(id);
            if leader != id {
                return Err(format!("nodes {leader} and {id} both lead term {}", status.term));
            }
        }
        let clock_ms = group.machine().clock_ms();
        if clock_ms < node.clock_ms {
            return Err(format!("the log's clock ran back on node {id}: {} to {clock_ms}", node.clock_ms));
        }
        node.clock_ms = clock_ms;
        let applied = status.applied_index;
        if applied > status.commit_index || status.commit_index > status.last_index {
            return Err(format!("node {id} is out of order: {status:?}"));
        }
        // A state that a snapshot has brought is ahead of `applied` until it is persisted.
        if applied.is_multiple_of(HASH_EVERY) && applied > 0 && status.snapshot_index <= applied {
            let hash = group.machine().state_hash();
            let (first, known) = *self.hashes.entry(applied).or_insert((id, hash));
            if known != hash {
                return Err(format!("nodes {first} and {id} differ at entry {applied}"));
            }
        }
        Ok(())
    }

    /// Runs to the end, and checks all there is to check.
    pub fn run(&mut self) -> Outcome {
        self.run_until(self.profile.faulty_us)?;
        let mut recovered_us = 0;
        while recovered_us < RECOVERY_US && !(recovered_us > 500_000 && self.has_converged()) {
            recovered_us += 100_000;
            self.run_until(self.profile.faulty_us + recovered_us)?;
        }
        if !self.clients.open.is_empty() {
            let (ticket, open) = self.clients.open.iter().next().expect("it is not empty");
            return Err(format!("job {ticket} at node {} was never answered", open.node));
        }
        if !self.has_converged() {
            let states: Vec<_> =
                self.nodes.iter().filter_map(|n| n.group.as_ref()).map(|g| g.status()).collect();
            return Err(format!("the replicas did not come together: {states:#?}"));
        }
        self.every_node_serves()?;
        self.logs_are_bounded()?;
        let hash = |i: usize| self.nodes[i].group.as_ref().map(|group| group.machine().state_hash());
        if (1..self.nodes.len()).any(|i| hash(i) != hash(0)) {
            return Err("the replicas differ in the end".to_owned());
        }
        history::check(&self.clients.history, &self.final_values())
    }

    fn has_converged(&self) -> bool {
        let applied = |i: usize| {
            let status = self.nodes[i].group.as_ref()?.status();
            (status.applied_index == status.last_index).then_some(status.applied_index)
        };
        self.clients.open.is_empty()
            && applied(0).is_some()
            && (1..self.nodes.len()).all(|i| applied(i) == applied(0))
    }

    /// A write and a read through each node, without an error.
    fn every_node_serves(&mut self) -> Outcome {
        let first = self.clients.history.len();
        for node in 1..=self.profile.nodes {
            for read in [false, true] {
                let key = "n0".to_owned();
                let action = if read { Action::Get { key } } else { Action::Incr { key } };
                let job = self.clients.job_of(vec![action], usize::MAX, node, self.now_us);
                self.submit(node, job);
            }
        }
        self.run_until(self.now_us + 2_000_000)?;
        // A deadline may have passed just now, and its entry be under way.
        for _ in 0..20 {
            if !self.has_converged() {
                self.run_until(self.now_us + 50_000)?;
            }
        }
        let failed = self.clients.history[first..]
            .iter()
            .find(|o| !matches!(&o.outcome, Answer::Done(reply) if !reply.is_error()));
        match failed {
            Some(failed) => Err(format!("the cluster is well, and yet: {failed:?}")),
            None if !self.has_converged() => Err("the replicas did not come together again".to_owned()),
            None => Ok(()),
        }
    }

    fn logs_are_bounded(&self) -> Outcome {
        for node in &self.nodes {
            let snapshot_bytes = node.disk.snapshot.as_ref().map_or(0, |snapshot| snapshot.size_bytes());
            let bound = 3 * snapshot_bytes.max(self.profile.snapshot_min_log_bytes) + 65_536;
            if node.disk.log_bytes() > bound {
                return Err(format!("node {} has {} bytes of log on disk", node.id, node.disk.log_bytes()));
            }
            let held = node.group.as_ref().map_or(0, |group| group.log().size_bytes());
            if held > self.profile.log_cache_bytes + 65_536 {
                return Err(format!("node {} has {held} bytes of log in memory", node.id));
            }
        }
        Ok(())
    }

    fn final_values(&self) -> BTreeMap<String, Vec<u8>> {
        let mut values = BTreeMap::new();
        let Some(group) = self.nodes[0].group.as_ref() else { return values };
        let mut read = |key: String| {
            let args = [b"GET".as_slice(), key.as_bytes()].into_iter().collect();
            let value = match group.machine().read(&args, 0).0 {
                Reply::Bulk(bytes) => bytes.to_vec(),
                _ => return,
            };
            values.insert(key.clone(), value);
        };
        for operation in &self.clients.history {
            match &operation.action {
                Action::Append { key, .. }
                | Action::Get { key }
                | Action::Incr { key }
                | Action::GetV { key }
                | Action::Cas { key, .. }
                | Action::WatchedSet { key, .. } => read(key.clone()),
                Action::AppendPair { pair, .. } => {
                    read(format!("{pair}a"));
                    read(format!("{pair}b"));
                }
                _ => {}
            }
        }
        values
    }
}
