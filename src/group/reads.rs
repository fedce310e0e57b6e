//! Linearizable reads (Raft thesis, section 6.4): all that wait share one round. The leader
//! takes its commit index, asks just enough followers whether they still follow it in this
//! term, and once a quorum has said so, whoever asked may answer when it has applied that
//! far. While the leader holds a lease, it answers at once those who are content with that. This
//! module decides who waits for what; it must never confirm a round without a quorum that spoke
//! after the round began.

use super::job::{Consistency, Job};
use crate::wire::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A connection of this node waits.
#[derive(Debug)]
pub struct Local {
    pub job: Job,
    pub since_us: u64,
}

impl Local {
    /// Whether only a round will do.
    fn wants_quorum(&self) -> bool {
        self.job.consistency == Consistency::Linearizable
    }
}

/// Who waits for a read index.
#[derive(Debug)]
pub enum Asker {
    /// A connection of this node.
    Here(Local),
    /// A follower's own round of reads.
    Follower { node: NodeId, context: u64, lease: bool },
}

impl Asker {
    fn wants_quorum(&self) -> bool {
        match self {
            Self::Here(local) => local.wants_quorum(),
            Self::Follower { lease, .. } => !lease,
        }
    }
}

/// What a follower is told: with its context, the index.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub node: NodeId,
    pub context: u64,
    pub index: u64,
}

/// A round that followers have been asked to confirm.
#[derive(Debug)]
struct Round {
    number: u64,
    begun_us: u64,
    index: u64,
    askers: Vec<Asker>,
}

/// What a follower has confirmed.
#[derive(Debug, Clone, Copy, Default)]
struct Ack {
    round: u64,
    promise_us: u64,
}

/// What this follower has asked its leader.
#[derive(Debug)]
struct Asked {
    context: u64,
    asked_us: u64,
    jobs: Vec<Local>,
    age_ticks: u32,
}

/// A state with this index applied holds everything that finished before `as_of_us`.
#[derive(Debug)]
struct Confirmed {
    index: u64,
    as_of_us: u64,
    jobs: Vec<Local>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Reads {
    waiting: Vec<Asker>,
    round: Option<Round>,
    last_round: u64,
    /// The newest round that each follower has confirmed, in the present term of leadership.
    acks: BTreeMap<NodeId, Ack>,
    asked: Option<Asked>,
    last_context: u64,
    /// May be answered once this node has applied the index.
    confirmed: VecDeque<Confirmed>,
    /// What this node has applied holds everything that finished before.
    fresh_as_of_us: Option<u64>,
    /// A lease or a bound of staleness is in use, and about to be over.
    renewal_wanted: bool,
}

impl Reads {
    /// `boot` sets the questions of this life of the node apart from those of its earlier ones,
    /// whose answers may still come: they are too old.
    pub fn new(boot: u64) -> Self {
        Self { last_context: boot << 32, ..Self::default() }
    }

    pub fn submit(&mut self, asker: Asker) {
        self.waiting.push(asker);
    }

    /// Whether a round would have something to do.
    pub fn wants_round(&self) -> bool {
        self.round.is_none() && (self.renewal_wanted || !self.waiting.is_empty())
    }

    /// A round is to be begun, or the leader asked, although nobody waits.
    pub fn want_renewal(&mut self) {
        self.renewal_wanted = true;
    }

    /// How long ago this node's state was surely that of the group.
    pub fn age_us(&self, now_us: u64) -> Option<u64> {
        self.fresh_as_of_us.map(|as_of_us| now_us.saturating_sub(as_of_us))
    }

    /// Whether somebody waits for whom a lease will do.
    pub fn wants_lease(&self) -> bool {
        self.waiting.iter().any(|asker| !asker.wants_quorum())
    }

    /// The leader holds a lease now, and its commit index is `index`: whom that will do need not
    /// wait for a round. Followers are to be answered.
    pub fn take_by_lease(&mut self, index: u64, now_us: u64) -> Vec<Answer> {
        let (quorum, lease): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(Asker::wants_quorum);
        self.waiting = quorum;
        self.confirm(lease, index, now_us)
    }

    /// Local jobs move on; followers are to be answered.
    fn confirm(&mut self, askers: Vec<Asker>, index: u64, as_of_us: u64) -> Vec<Answer> {
        let mut jobs = Vec::with_capacity(askers.len());
        let mut answers = Vec::new();
        for asker in askers {
            match asker {
                Asker::Here(job) => jobs.push(job),
                Asker::Follower { node, context, .. } => answers.push(Answer { node, context, index }),
            }
        }
        self.confirmed.push_back(Confirmed { index, as_of_us, jobs });
        answers
    }

    /// Begins a round at the leader, whose commit index is `index`; gives its number.
    pub fn begin_round(&mut self, index: u64, begun_us: u64) -> u64 {
        self.renewal_wanted = false;
        self.last_round += 1;
        let askers = std::mem::take(&mut self.waiting);
        self.round = Some(Round { number: self.last_round, begun_us, index, askers });
        self.last_round
    }

    /// The followers to ask first: those who answered last, `enough` of them.
    pub fn first_choice(&self, followers: &[NodeId], enough: usize) -> Vec<NodeId> {
        let mut ranked: Vec<_> = followers.to_vec();
        ranked.sort_by_key(|node| std::cmp::Reverse(self.acks.get(node).map_or(0, |ack| ack.round)));
        ranked.truncate(enough);
        ranked
    }

    /// The round that has no quorum yet: when it is late, all followers are asked.
    pub fn open_round(&self) -> Option<u64> {
        self.round.as_ref().map(|round| round.number)
    }

    /// A follower of this term has confirmed a round, and with it those before; it stands by
    /// this node for `promise_us`.
    pub fn ack(&mut self, from: NodeId, round: u64, promise_us: u64) {
        let newest = self.acks.entry(from).or_default();
        if round >= newest.round {
            *newest = Ack { round, promise_us };
        }
    }

    /// Who has confirmed the present round, and the shortest of their promises.
    pub fn confirmers(&self) -> Option<(BTreeSet<NodeId>, Option<u64>)> {
        let round = self.round.as_ref()?;
        let acks = self.acks.iter().filter(|(_, ack)| ack.round >= round.number);
        let shortest_us = acks.clone().map(|(_, ack)| ack.promise_us).min();
        Some((acks.map(|(node, _)| *node).collect(), shortest_us))
    }

    /// The present round has its quorum: when it began, and which followers are to be answered.
    pub fn finish_round(&mut self) -> Option<(u64, Vec<Answer>)> {
        let Round { begun_us, index, askers, .. } = self.round.take()?;
        Some((begun_us, self.confirm(askers, index, begun_us)))
    }

    /// What a follower asks its leader now, if something waits and nothing is asked: a context,
    /// and whether the answer may come from a lease.
    pub fn ask(&mut self, now_us: u64) -> Option<(u64, bool)> {
        if self.asked.is_some() || !self.renewal_wanted && self.waiting.is_empty() {
            return None;
        }
        let mut jobs = Vec::with_capacity(self.waiting.len());
        for asker in self.waiting.drain(..) {
            // A follower that took this node for the leader asks again by itself.
            if let Asker::Here(job) = asker {
                jobs.push(job);
            }
        }
        if jobs.is_empty() && !self.renewal_wanted {
            return None;
        }
        self.renewal_wanted = false;
        self.last_context += 1;
        let lease = !jobs.iter().any(Local::wants_quorum);
        self.asked = Some(Asked { context: self.last_context, asked_us: now_us, jobs, age_ticks: 0 });
        Some((self.last_context, lease))
    }

    /// The leader's answer.
    pub fn answered(&mut self, context: u64, index: u64) {
        if let Some(asked) = self.asked.take_if(|asked| asked.context == context) {
            self.confirmed.push_back(Confirmed { index, as_of_us: asked.asked_us, jobs: asked.jobs });
        }
    }

    /// A tick has passed; what was asked `patience_ticks` ago is asked again.
    pub fn tick(&mut self, patience_ticks: u32) {
        if let Some(asked) = &mut self.asked {
            asked.age_ticks += 1;
            if asked.age_ticks >= patience_ticks {
                self.ask_again();
            }
        }
    }

    fn ask_again(&mut self) {
        if let Some(asked) = self.asked.take() {
            self.waiting.extend(asked.jobs.into_iter().map(Asker::Here));
        }
    }

    /// The term or the leader has changed: rounds and questions of before are void.
    pub fn leader_changed(&mut self) {
        self.ask_again();
        self.renewal_wanted = false;
        self.acks.clear();
        let round = self.round.take().map_or_else(Vec::new, |round| round.askers);
        self.waiting.extend(round);
        // Followers ask again when they know the new leader.
        self.waiting.retain(|asker| matches!(asker, Asker::Here(_)));
    }

    /// The jobs that may be answered from a state that has applied `applied`.
    pub fn take_ready(&mut self, applied: u64) -> Vec<Job> {
        let mut ready = Vec::new();
        let fresh_as_of_us = &mut self.fresh_as_of_us;
        self.confirmed.retain_mut(|confirmed| {
            let is_ready = confirmed.index <= applied;
            if is_ready {
                *fresh_as_of_us = (*fresh_as_of_us).max(Some(confirmed.as_of_us));
                ready.extend(confirmed.jobs.drain(..).map(|local| local.job));
            }
            !is_ready
        });
        ready
    }

    /// Gives up on everything that has been waiting since before `before_us`.
    pub fn give_up(&mut self, before_us: u64) -> Vec<Job> {
        let mut late = Vec::new();
        let mut keep = |local: Local| {
            if local.since_us < before_us {
                late.push(local.job);
                return None;
            }
            Some(local)
        };
        let mut keep_asker = |asker: Asker| match asker {
            Asker::Here(local) => keep(local).map(Asker::Here),
            follower => Some(follower),
        };
        self.waiting = self.waiting.drain(..).filter_map(&mut keep_asker).collect();
        if let Some(round) = &mut self.round {
            round.askers = round.askers.drain(..).filter_map(&mut keep_asker).collect();
        }
        let asked = self.asked.iter_mut().map(|asked| &mut asked.jobs);
        for jobs in asked.chain(self.confirmed.iter_mut().map(|confirmed| &mut confirmed.jobs)) {
            *jobs = jobs.drain(..).filter_map(&mut keep).collect();
        }
        late
    }

    /// Whether nobody waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.round.as_ref().is_none_or(|round| round.askers.is_empty())
            && self.asked.as_ref().is_none_or(|asked| asked.jobs.is_empty())
            && self.confirmed.iter().all(|confirmed| confirmed.jobs.is_empty())
    }
}
