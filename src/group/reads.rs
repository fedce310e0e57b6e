//! Linearizable reads (Raft thesis, section 6.4): all that wait share one round. The leader
//! takes its commit index, asks just enough followers whether they still follow it in this
//! term, and once a quorum has said so, whoever asked may answer when it has applied that
//! far. This module decides who waits for what; it must never confirm a round without a
//! quorum that spoke after the round began.

use super::job::Job;
use crate::wire::NodeId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who waits for a read index.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would cost every job an allocation")]
pub enum Asker {
    /// A connection of this node.
    Here(Job),
    /// A follower's own round of reads.
    Follower { node: NodeId, context: u64 },
}

/// A round that followers have been asked to confirm.
#[derive(Debug)]
struct Round {
    number: u64,
    index: u64,
    askers: Vec<Asker>,
}

/// What this follower has asked its leader.
#[derive(Debug)]
struct Asked {
    context: u64,
    jobs: Vec<Job>,
    age_ticks: u32,
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Reads {
    waiting: Vec<Asker>,
    round: Option<Round>,
    last_round: u64,
    /// The newest round that each follower has confirmed, in the present term of leadership.
    acks: BTreeMap<NodeId, u64>,
    asked: Option<Asked>,
    last_context: u64,
    /// May be answered once this node has applied the index.
    confirmed: VecDeque<(u64, Vec<Job>)>,
}

impl Reads {
    pub fn submit(&mut self, asker: Asker) {
        self.waiting.push(asker);
    }

    /// Whether a round would have something to do.
    pub fn wants_round(&self) -> bool {
        self.round.is_none() && !self.waiting.is_empty()
    }

    /// Begins a round at the leader, whose commit index is `index`; gives its number.
    pub fn begin_round(&mut self, index: u64) -> u64 {
        self.last_round += 1;
        let askers = std::mem::take(&mut self.waiting);
        self.round = Some(Round { number: self.last_round, index, askers });
        self.last_round
    }

    /// The followers to ask first: those who answered last, `enough` of them.
    pub fn first_choice(&self, followers: &[NodeId], enough: usize) -> Vec<NodeId> {
        let mut ranked: Vec<_> = followers.to_vec();
        ranked.sort_by_key(|node| std::cmp::Reverse(self.acks.get(node).copied().unwrap_or(0)));
        ranked.truncate(enough);
        ranked
    }

    /// The round that has no quorum yet: when it is late, all followers are asked.
    pub fn open_round(&self) -> Option<u64> {
        self.round.as_ref().map(|round| round.number)
    }

    /// A follower of this term has confirmed a round, and with it those before.
    pub fn ack(&mut self, from: NodeId, number: u64) {
        let newest = self.acks.entry(from).or_insert(0);
        *newest = (*newest).max(number);
    }

    /// Who has confirmed the present round.
    pub fn confirmers(&self) -> Option<BTreeSet<NodeId>> {
        let round = self.round.as_ref()?;
        Some(self.acks.iter().filter(|(_, ack)| **ack >= round.number).map(|(node, _)| *node).collect())
    }

    /// The present round has its quorum. Local jobs move on; followers are to be answered:
    /// (node, context, index).
    pub fn finish_round(&mut self) -> Vec<(NodeId, u64, u64)> {
        let Some(round) = self.round.take() else { return Vec::new() };
        let mut jobs = Vec::new();
        let mut answers = Vec::new();
        for asker in round.askers {
            match asker {
                Asker::Here(job) => jobs.push(job),
                Asker::Follower { node, context } => answers.push((node, context, round.index)),
            }
        }
        if !jobs.is_empty() {
            self.confirmed.push_back((round.index, jobs));
        }
        answers
    }

    /// What a follower asks its leader now: a context, if something waits and nothing is asked.
    pub fn ask(&mut self) -> Option<u64> {
        if self.asked.is_some() || self.waiting.is_empty() {
            return None;
        }
        let mut jobs = Vec::with_capacity(self.waiting.len());
        for asker in self.waiting.drain(..) {
            // A follower that took this node for the leader asks again by itself.
            if let Asker::Here(job) = asker {
                jobs.push(job);
            }
        }
        if jobs.is_empty() {
            return None;
        }
        self.last_context += 1;
        self.asked = Some(Asked { context: self.last_context, jobs, age_ticks: 0 });
        Some(self.last_context)
    }

    /// The leader's answer.
    pub fn answered(&mut self, context: u64, index: u64) {
        if let Some(asked) = self.asked.take_if(|asked| asked.context == context) {
            self.confirmed.push_back((index, asked.jobs));
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
        self.acks.clear();
        let round = self.round.take().map_or_else(Vec::new, |round| round.askers);
        self.waiting.extend(round);
        // Followers ask again when they know the new leader.
        self.waiting.retain(|asker| matches!(asker, Asker::Here(_)));
    }

    /// The jobs that may be answered from a state that has applied `applied`.
    pub fn take_ready(&mut self, applied: u64) -> Vec<Job> {
        let mut ready = Vec::new();
        self.confirmed.retain_mut(|(index, jobs)| {
            let is_ready = *index <= applied;
            if is_ready {
                ready.append(jobs);
            }
            !is_ready
        });
        ready
    }

    /// There has been no leader for too long: gives up on everything that waits for one.
    pub fn give_up(&mut self) -> Vec<Job> {
        self.ask_again();
        let round = self.round.take().map_or_else(Vec::new, |round| round.askers);
        let all = self.waiting.drain(..).chain(round);
        all.filter_map(|asker| match asker {
            Asker::Here(job) => Some(job),
            Asker::Follower { .. } => None,
        })
        .collect()
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.round.is_none() && self.asked.is_none() && self.confirmed.is_empty()
    }
}
