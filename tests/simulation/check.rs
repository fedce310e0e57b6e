//! What must hold at every turn, and what must hold in the end.

use super::history::{self, Action, Outcome as Answer};
use super::node::UNAVAILABLE_AFTER_MS;
use super::typed;
use super::world::{Outcome, World};
use bowline::command::Reply;
use bowline::group::Group;
use bowline::history::Action as Deed;
use bowline::machine::Machine;
use raft::eraftpb::ConfState;
use std::collections::BTreeMap;

/// Every so many entries all of the replicas' states is compared; else only what is at hand.
const HASH_EVERY: u64 = 128;
/// Until everything is answered and all replicas are equal, once nothing is wrong any more.
const RECOVERY_US: u64 = 6_000_000;

/// What replicas have shown.
#[derive(Default)]
pub struct Known {
    /// Who has led each term.
    leaders: BTreeMap<u64, u64>,
    /// The terms of committed entries, by index.
    terms: Vec<u64>,
    /// By applied index.
    states: Vec<Option<Shown>>,
}

struct Shown {
    by: u64,
    light: (u64, u64, usize),
    conf_state: ConfState,
    hash: Option<u64>,
}

fn light(machine: &Machine) -> (u64, u64, usize) {
    (machine.clock_ms(), machine.keyspace().revision(), machine.keyspace().total_len())
}

impl Known {
    fn leads(&mut self, id: u64, term: u64) -> Outcome {
        let leader = *self.leaders.entry(term).or_insert(id);
        if leader == id { Ok(()) } else { Err(format!("nodes {leader} and {id} both lead term {term}")) }
    }

    /// A replica holds entries for committed: nobody ever commits others at their places.
    fn commits(&mut self, id: u64, from: u64, through: u64, group: &Group) -> Outcome {
        let end = through as usize + 1;
        self.terms.resize(self.terms.len().max(end), 0);
        for index in from.max(group.log().first())..=through {
            let Some(term) = group.log().term_at(index) else { continue };
            let known = &mut self.terms[index as usize];
            if *known != 0 && *known != term {
                return Err(format!(
                    "node {id} commits entry {index} of term {term}; it was of term {known}"
                ));
            }
            *known = term;
        }
        Ok(())
    }

    /// A replica that has applied `index` shows its state.
    fn shows(&mut self, id: u64, index: u64, group: &Group) -> Outcome {
        let at = index as usize;
        if self.states.len() <= at {
            self.states.resize_with(at + 1, || None);
        }
        let (machine, conf_state) = (group.machine(), group.log().conf_state());
        let hash = index.is_multiple_of(HASH_EVERY).then(|| machine.state_hash());
        match &self.states[at] {
            None => {
                let (light, conf_state) = (light(machine), conf_state.clone());
                self.states[at] = Some(Shown { by: id, light, conf_state, hash });
            }
            Some(known) => {
                let by = known.by;
                if known.light != light(machine) || known.hash != hash {
                    return Err(format!("nodes {by} and {id} differ at entry {index}"));
                }
                if known.conf_state != *conf_state {
                    let other = &known.conf_state;
                    return Err(format!(
                        "nodes {by} and {id} have other members at entry {index}: {other:?} and {conf_state:?}"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl World {
    /// An answer may take as long as the group may wait, twice (for a leader, then for it),
    /// and as long as the node was frozen meanwhile.
    pub(super) fn slowest_answer(&self, ticket: u64) -> Outcome {
        let Some(open) = self.clients.open.get(&ticket) else { return Ok(()) };
        let patience_us = 2 * 1_000 * UNAVAILABLE_AFTER_MS * 1000 / (1000 - self.profile.skew);
        let frozen_us = self.nodes[open.node as usize - 1].frozen_us - open.frozen_us;
        // Parts leave one after the other, and those of other jobs may come first; it is given up
        // when nothing moves any more, however long it has waited.
        let behind_us = if self.profile.splits_jobs { 10_000_000 } else { 0 };
        let waited_us = self.now_us - open.began_us;
        if waited_us > patience_us + frozen_us + behind_us + 1_000_000 {
            return Err(format!("job {ticket} waited {waited_us} us for its answer"));
        }
        Ok(())
    }

    /// After each turn of a node.
    pub(super) fn look_at(&mut self, id: u64) -> Outcome {
        let node = &mut self.nodes[id as usize - 1];
        let Some(group) = node.group.as_ref() else { return Ok(()) };
        let glance = group.glance();
        if glance.leads {
            self.known.leads(id, glance.term)?;
            let conf_state = group.log().conf_state();
            if !conf_state.voters.contains(&id) && !conf_state.voters_outgoing.contains(&id) {
                return Err(format!("node {id} leads and has no vote: {conf_state:?}"));
            }
        }
        let clock_ms = group.machine().clock_ms();
        if clock_ms < node.clock_ms {
            return Err(format!("the log's clock ran back on node {id}: {} to {clock_ms}", node.clock_ms));
        }
        node.clock_ms = clock_ms;
        if glance.applied > glance.committed || glance.committed > glance.last {
            return Err(format!("node {id} is out of order: {glance:?}"));
        }
        if glance.committed > node.compared {
            self.known.commits(id, node.compared + 1, glance.committed, group)?;
            node.compared = glance.committed;
        }
        let (log_bytes, cache_bytes) = (group.log().size_bytes(), self.profile.log_cache_bytes);
        let held_bytes = self.profile.log_held_bytes.max(group.snapshot_bytes() as usize);
        let bound = if glance.leads { cache_bytes.max(held_bytes) } else { cache_bytes };
        if glance.applied == glance.last && log_bytes > bound {
            return Err(format!("node {id} has {log_bytes} bytes of log in memory: {glance:?}"));
        }
        self.figures.log_held += u64::from(glance.leads && log_bytes > cache_bytes);
        // A state that a snapshot has brought is ahead of `applied` until it is persisted.
        if glance.applied > 0 && glance.snapshot <= glance.applied {
            self.known.shows(id, glance.applied, group)?;
        }
        Ok(())
    }

    /// Runs to the end, and checks all there is to check.
    pub fn run(&mut self) -> Outcome {
        self.run_until(self.profile.faulty_us)?;
        let mut recovered_us = 0;
        // Parts leave one after the other.
        let recovery_us = if self.profile.splits_jobs { 2 * RECOVERY_US } else { RECOVERY_US };
        while recovered_us < recovery_us && !(recovered_us > 500_000 && self.has_converged()) {
            recovered_us += 100_000;
            self.run_until(self.profile.faulty_us + recovered_us)?;
        }
        if let Some((ticket, open)) = self.clients.open.first_key_value() {
            return Err(format!("job {ticket} at node {} was never answered", open.node));
        }
        if !self.has_converged() {
            let states: Vec<_> =
                self.nodes.iter().filter_map(|n| n.group.as_ref()).map(|g| g.status()).collect();
            let why = self.wishes_are_granted().err().unwrap_or_default();
            return Err(format!("the replicas did not come together: {why}\n{states:#?}"));
        }
        self.wishes_are_granted()?;
        self.every_node_serves()?;
        self.logs_are_bounded()?;
        let hash =
            |id: u64| self.nodes[id as usize - 1].group.as_ref().map(|group| group.machine().state_hash());
        let members = self.staying();
        if members.iter().any(|&id| hash(id) != hash(members[0])) {
            return Err("the replicas differ in the end".to_owned());
        }
        self.count_wishes();
        history::check(&self.clients.history, &self.final_values())?;
        history::typed::check(&self.clients.history, self.last_looks())
    }

    /// What the values that have elements have in the end.
    fn last_looks(&self) -> Vec<(Deed, Reply)> {
        let replica = self.nodes.iter().filter_map(|node| node.group.as_ref());
        let Some(group) = replica.max_by_key(|group| group.glance().applied) else { return Vec::new() };
        let looks = history::typed::last_looks(&self.clients.history).into_iter();
        looks
            .map(|look| {
                let (db, words) = typed::request(&look);
                let args = words.iter().map(|word| word.as_bytes()).collect();
                let reply = group.machine().read(&args, db, 0, 0).0;
                (look, reply)
            })
            .collect()
    }

    fn has_converged(&self) -> bool {
        let applied = |id: u64| {
            let glance = self.nodes[id as usize - 1].group.as_ref()?.glance();
            (glance.applied == glance.last).then_some(glance.applied)
        };
        let members = self.staying();
        self.clients.open.is_empty()
            && !members.is_empty()
            && applied(members[0]).is_some()
            && members.iter().all(|&id| applied(id) == applied(members[0]))
            && self.wishes_are_granted().is_ok()
    }

    /// A write, a read, and a job that leaves in parts if any does, through each node, without an error.
    fn every_node_serves(&mut self) -> Outcome {
        let first = self.clients.history.len();
        let (read, write) = (Action::Get { key: "n@0".to_owned() }, Action::Incr { key: "n@0".to_owned() });
        for node in self.staying() {
            for actions in [vec![write.clone()], vec![read.clone()], vec![write.clone(); 12]] {
                let job = self.clients.job_of(actions, usize::MAX, node, self.now_us);
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
        for id in self.staying() {
            let node = &self.nodes[id as usize - 1];
            let Some(group) = node.group.as_ref() else { continue };
            let disk_bytes = node.disk.log_bytes();
            // Of what makes a snapshot due twice as much is kept at most, and as much again comes while one is
            // made; who began early as a follower may have half as much more before the next, as a leader.
            // And a short entry, which counts with its data and 32 bytes, takes a whole sector.
            let bound = 8 * group.snapshot_bytes().max(self.profile.snapshot_min_log_bytes);
            if disk_bytes > bound + 4 * self.profile.segment_bytes + 65_536 {
                let (glance, snapshot_bytes) = (group.glance(), group.snapshot_bytes());
                return Err(format!(
                    "node {} has {disk_bytes} bytes of log on disk, beside a snapshot of {snapshot_bytes}: {glance:?}",
                    node.id
                ));
            }
            let held = group.log().size_bytes();
            if held > self.profile.log_cache_bytes + 65_536 {
                return Err(format!("node {} has {held} bytes of log in memory", node.id));
            }
        }
        Ok(())
    }

    fn final_values(&self) -> BTreeMap<String, Vec<u8>> {
        let mut values = BTreeMap::new();
        let replica = self.nodes.iter().filter_map(|node| node.group.as_ref());
        let Some(group) = replica.max_by_key(|group| group.glance().applied) else { return values };
        for key in history::keys(&self.clients.history) {
            let (db, words) = history::read_of(&key);
            let args = words.iter().map(|word| word.as_bytes()).collect();
            let value = match group.machine().read(&args, db, 0, 0).0 {
                Reply::Bulk(bytes) => bytes.to_vec(),
                _ => continue,
            };
            values.insert(key.clone(), value);
        }
        values
    }
}
