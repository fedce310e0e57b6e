//! The leader's intake: which batches it proposes next. Each origin's batches are proposed
//! in their order and once a term, so that a gap or a repetition costs a message, not an
//! entry. The machine checks again, and has the last word.

use crate::machine::Machine;
use crate::mutant::{self, Mutant};
use crate::wire::NodeId;
use crate::wire::entry::Batch;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What became of a batch that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    /// It will be proposed.
    Taken,
    /// It was already.
    Known,
    /// Another one has to come first: its origin is to be told.
    Missing { expected: u64 },
    /// Another one has to come first, and its origin was told.
    StillMissing,
}

/// See the module's text. Valid for one term of leadership.
#[derive(Debug, Default)]
pub struct Intake {
    /// Per origin: its boot, and the number expected next.
    expected: BTreeMap<NodeId, (u64, u64)>,
    /// Origins that were told where to begin, and have not yet: everything behind one gap is
    /// refused once, not each batch, for each refusal is answered with the whole tail.
    told: BTreeSet<NodeId>,
    queue: VecDeque<Batch>,
    size_bytes: usize,
}

impl Intake {
    /// Offers a batch. The machine must have applied everything of earlier terms.
    pub fn offer(&mut self, machine: &Machine, batch: Batch) -> Offered {
        if machine.members().removed().contains(&batch.origin) {
            return Offered::Known; // the machine would not have it
        }
        let known = self.expected.get(&batch.origin).copied();
        let (boot, expected) = match known {
            Some((boot, expected)) if boot >= batch.boot => (boot, expected),
            _ if machine.origin_boot(batch.origin) > batch.boot => return Offered::Known,
            _ => (batch.boot, machine.applied_seq(batch.origin, batch.boot) + 1),
        };
        if batch.boot < boot || (batch.seq < expected && !mutant::is(Mutant::DedupOff)) {
            return Offered::Known;
        }
        if batch.seq > expected {
            self.expected.insert(batch.origin, (boot, expected));
            let is_news = self.told.insert(batch.origin);
            return if is_news { Offered::Missing { expected } } else { Offered::StillMissing };
        }
        self.expected.insert(batch.origin, (boot, expected.max(batch.seq + 1)));
        self.told.remove(&batch.origin);
        self.size_bytes += batch.body.len();
        self.queue.push_back(batch);
        Offered::Taken
    }

    /// Whether something is to be proposed.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of all that is to be proposed.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// Takes what the next entry holds: everything, but no more than `max_bytes` after the first.
    pub fn take(&mut self, max_bytes: usize) -> Vec<Batch> {
        let mut taken = Vec::with_capacity(self.queue.len());
        let mut bytes = 0;
        while let Some(batch) = self.queue.pop_front() {
            bytes += batch.body.len();
            if bytes > max_bytes && !taken.is_empty() {
                self.queue.push_front(batch);
                break;
            }
            self.size_bytes -= batch.body.len();
            taken.push(batch);
        }
        taken
    }

    /// Raft would not have them now: they stay first.
    pub fn put_back(&mut self, batches: Vec<Batch>) {
        for batch in batches.into_iter().rev() {
            self.size_bytes += batch.body.len();
            self.queue.push_front(batch);
        }
    }

    /// A batch's own node has given it up: what is proposed in its place is empty.
    pub fn empty(&mut self, origin: NodeId, seq: u64) {
        if let Some(batch) = self.queue.iter_mut().find(|batch| batch.origin == origin && batch.seq == seq) {
            self.size_bytes -= batch.body.len();
            batch.body = bytes::Bytes::new();
        }
    }

    /// Leadership is over: the origins send again, to the next leader.
    pub fn clear(&mut self) {
        self.expected.clear();
        self.told.clear();
        self.queue.clear();
        self.size_bytes = 0;
    }

    /// The machine refused a batch of this origin: begin from what it has applied.
    pub fn forget(&mut self, origin: NodeId) {
        self.expected.remove(&origin);
        self.told.remove(&origin);
        self.queue.retain(|batch| batch.origin != origin);
        self.size_bytes = self.queue.iter().map(|batch| batch.body.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(boot: u64, seq: u64) -> Batch {
        Batch { origin: 2, boot, seq, body: vec![0; 10].into() }
    }

    #[test]
    fn each_number_is_taken_once_and_in_order() {
        let machine = Machine::new();
        let mut intake = Intake::default();
        assert_eq!(intake.offer(&machine, batch(1, 2)), Offered::Missing { expected: 1 });
        assert_eq!(intake.offer(&machine, batch(1, 3)), Offered::StillMissing);
        assert_eq!(intake.offer(&machine, batch(1, 1)), Offered::Taken);
        assert_eq!(intake.offer(&machine, batch(1, 1)), Offered::Known);
        assert_eq!(intake.offer(&machine, batch(1, 3)), Offered::Missing { expected: 2 }, "another gap");
        assert_eq!(intake.offer(&machine, batch(1, 2)), Offered::Taken);
        assert_eq!(intake.offer(&machine, batch(2, 1)), Offered::Taken, "a new life begins at 1");
        assert_eq!(intake.offer(&machine, batch(1, 3)), Offered::Known, "an old life is over");
        assert_eq!(intake.take(25).iter().map(|b| (b.boot, b.seq)).collect::<Vec<_>>(), [(1, 1), (1, 2)]);
        intake.empty(2, 2);
        intake.empty(2, 1);
        assert_eq!(intake.size_bytes(), 0);
        assert_eq!(intake.take(0), [Batch { body: bytes::Bytes::new(), ..batch(2, 1) }]);
    }

    #[test]
    fn what_the_machine_has_applied_is_known_to_a_new_leader() {
        let mut machine = Machine::new();
        machine.accept(2, 1, 1);
        let mut intake = Intake::default();
        assert_eq!(intake.offer(&machine, batch(1, 1)), Offered::Known);
        assert_eq!(intake.offer(&machine, batch(1, 2)), Offered::Taken);
        machine.accept(2, 4, 1);
        intake.clear();
        assert_eq!(intake.offer(&machine, batch(1, 3)), Offered::Known);
    }
}
