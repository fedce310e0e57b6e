//! An operator who changes the membership while everything else goes on, and what becomes of
//! the nodes: new ones come with empty disks once the cluster knows of them, removed ones stay
//! until they hear of it, and whoever was removed never comes back.

use super::history::{Action, Outcome as Answer};
use super::node::{client_addr, peer_addr};
use super::world::{Event, Outcome, World};
use bowline::machine::{Members, Wanted};
use bowline::wire::units::Change;
use rand::Rng;

/// Most machines of a run.
const MAX_NODES: u64 = 16;
/// Most members at a time.
const MAX_MEMBERS: usize = 7;
/// How often a new node asks whether it may join.
const ASKS_EVERY_US: u64 = 50_000;

impl World {
    /// The members as known to the replica that has applied most.
    pub(super) fn members(&self) -> Option<&Members> {
        let furthest = self.nodes.iter().filter_map(|node| node.group.as_ref());
        furthest.max_by_key(|group| group.glance().applied).map(|group| group.machine().members())
    }

    /// Those that are members and are meant to stay.
    pub(super) fn staying(&self) -> Vec<u64> {
        let Some(members) = self.members() else { return Vec::new() };
        let stay = members.all().iter().filter(|(_, member)| member.wanted != Wanted::REMOVED);
        stay.map(|(id, _)| *id).collect()
    }

    pub(super) fn operator_acts(&mut self) {
        if self.calm {
            return;
        }
        let next_us = self.rng.random_range(0..2 * self.profile.operator_every_us);
        self.after(next_us, Event::Operator);
        if let Some(action) = self.wish() {
            let up: Vec<u64> = self.nodes.iter().filter(|n| n.group.is_some()).map(|n| n.id).collect();
            if up.is_empty() {
                return;
            }
            let node = up[self.rng.random_range(0..up.len())];
            self.note(|| format!("the operator asks node {node} for {action:?}"));
            let job = self.clients.job_of(vec![action], usize::MAX, node, self.now_us);
            self.submit(node, job);
        }
    }

    fn wish(&mut self) -> Option<Action> {
        let members = self.staying();
        if members.is_empty() {
            return None;
        }
        let one = members[self.rng.random_range(0..members.len())];
        let has_room = self.nodes.len() < MAX_NODES as usize;
        let (change, node, old) = match self.rng.random_range(0..10) {
            0..3 if has_room && members.len() < MAX_MEMBERS => (Change::ADD, self.new_machine(), 0),
            3..5 if has_room => (Change::REPLACE, self.new_machine(), one),
            5..7 if members.len() > 2 => (Change::REMOVE, one, 0),
            7..8 => (Change::DEMOTE, one, 0),
            _ => (Change::PROMOTE, one, 0),
        };
        Some(Action::Member { change, node, old })
    }

    fn new_machine(&mut self) -> u64 {
        let node = self.add_node();
        self.after(ASKS_EVERY_US, Event::Join { node });
        node
    }

    /// A node that nobody has let in yet asks whomever it reaches.
    pub(super) fn join(&mut self, id: u64) -> Outcome {
        let answer = self.nodes.iter().find_map(|peer| {
            let members = peer.group.as_ref()?.machine().members();
            members
                .all()
                .contains_key(&id)
                .then_some(true)
                .or(members.removed().contains(&id).then_some(false))
        });
        match answer {
            Some(true) => {
                self.node(id).has_joined = true;
                self.start(id)
            }
            Some(false) => Ok(()),
            None => {
                self.after(ASKS_EVERY_US, Event::Join { node: id });
                Ok(())
            }
        }
    }

    /// A node has heard that it was removed: it ends for good.
    pub(super) fn removed(&mut self, id: u64) -> Outcome {
        if self.staying().contains(&id) {
            return Err(format!("node {id} took itself for removed, and is a member"));
        }
        self.figures.removals += 1;
        self.crash(id, false);
        self.node(id).is_removed = true;
        Ok(())
    }

    /// In the end Raft's configuration is what was wished for.
    pub(super) fn wishes_are_granted(&self) -> Outcome {
        let Some(leader) = self.nodes.iter().find(|node| node.is_leader()) else {
            return Err("nobody leads".to_owned());
        };
        let Some(group) = leader.group.as_ref() else { return Ok(()) };
        let conf_state = group.log().conf_state();
        let is_granted = conf_state.voters_outgoing.is_empty()
            && group.machine().members().all().iter().all(|(id, member)| match member.wanted {
                Wanted::VOTER => conf_state.voters.contains(id),
                Wanted::LEARNER => conf_state.learners.contains(id),
                Wanted::REMOVED => false,
            });
        if is_granted {
            return Ok(());
        }
        let members = group.machine().members().all();
        Err(format!("{members:?} are wanted, the configuration is {conf_state:?}: {:?}", group.status()))
    }

    /// Clients never see what becomes of a wish but in the configuration.
    pub(super) fn count_wishes(&mut self) {
        let granted = |o: &&super::history::Operation| {
            matches!(o.action, Action::Member { .. })
                && matches!(&o.outcome, Answer::Done(reply) if !reply.is_error())
        };
        self.figures.wishes = self.clients.history.iter().filter(granted).count() as u64;
    }
}

/// The unit of a wish.
pub fn put_wish(body: &mut Vec<u8>, change: Change, node: u64, old: u64) {
    let is_new = matches!(change, Change::ADD | Change::REPLACE);
    let (client_addr, peer_addr) =
        if is_new { (client_addr(node), peer_addr(node)) } else { Default::default() };
    let wish = bowline::wire::units::Membership {
        change,
        node,
        old,
        client_addr: &client_addr,
        peer_addr: &peer_addr,
    };
    bowline::wire::units::put_membership_unit(body, &wish);
}
