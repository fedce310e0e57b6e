//! Lets go of the log bit by bit: a segment is taken out durably, and its file may be removed, which
//! takes milliseconds each, and a large log has many of them. Writes that wait come in between. It must
//! never hold the log for longer than one of them takes.

use crate::storage::{LogStore, StoreError};
use crate::wire::GroupId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// After a step the log belongs to writes for so many times as long as the step took.
const REST: u32 = 9;
const LONGEST_REST: Duration = Duration::from_millis(100);

/// What of the log is not needed, and is still there.
#[derive(Default)]
pub struct Compactions {
    waiting: VecDeque<(GroupId, u64)>,
    rests_until: Option<Instant>,
}

impl Compactions {
    /// What is up to `through` is to go.
    pub fn add(&mut self, group: GroupId, through: u64) {
        // Who lets go of more lets go of that as well: one of each group is enough.
        self.waiting.retain(|(other, _)| *other != group);
        self.waiting.push_back((group, through));
    }

    /// How long until the next step; `None`: there is none.
    pub fn due_in(&self) -> Option<Duration> {
        self.waiting.front()?;
        Some(self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now())))
    }

    /// Does some of it, if it is time.
    pub fn step(&mut self, store: &mut dyn LogStore) -> Result<(), StoreError> {
        let Some(&(group, through)) = self.waiting.front() else { return Ok(()) };
        let begun = Instant::now();
        if self.rests_until.is_some_and(|until| begun < until) {
            return Ok(());
        }
        if !store.compact_some(group, through)? {
            self.waiting.pop_front();
        }
        let now = Instant::now();
        self.rests_until = Some(now + ((now - begun) * REST).min(LONGEST_REST));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::disk::{Disk, Written};
    use super::*;
    use crate::group::LogWrite;
    use crate::storage::{LoadedLog, LogBatch, StoreStatus};
    use std::sync::mpsc::{Receiver, Sender, channel};

    const STEPS: usize = 5;

    /// Says what it does; a step ends when it is told to.
    struct Told {
        does: Sender<&'static str>,
        goes_on: Receiver<()>,
        steps: usize,
    }

    impl LogStore for Told {
        fn load(&mut self, _: GroupId) -> Result<LoadedLog, StoreError> {
            Ok(LoadedLog::default())
        }

        fn write(&mut self, _: &[(GroupId, LogBatch)]) -> Result<(), StoreError> {
            self.does.send("write").unwrap();
            Ok(())
        }

        fn compact(&mut self, _: GroupId, _: u64) -> Result<(), StoreError> {
            unreachable!("all at once")
        }

        fn compact_some(&mut self, _: GroupId, _: u64) -> Result<bool, StoreError> {
            self.does.send("step").unwrap();
            self.goes_on.recv().unwrap();
            self.steps += 1;
            Ok(self.steps < STEPS)
        }

        fn status(&self) -> StoreStatus {
            StoreStatus::default()
        }

        fn close(self: Box<Self>) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_write_that_waits_comes_before_the_next_step() {
        let (does, doing) = channel();
        let (go_on, goes_on) = channel();
        let (mut disk, mut written) = Disk::start(Box::new(Told { does, goes_on, steps: 0 })).unwrap();
        disk.compact(1, 7);
        for number in 1..=STEPS as u64 {
            assert_eq!(doing.recv().unwrap(), "step");
            let hard_state = Some(raft::eraftpb::HardState { term: number, ..Default::default() });
            disk.write(number, 1, LogWrite { hard_state, ..LogWrite::default() });
            go_on.send(()).unwrap();
            assert_eq!(doing.recv().unwrap(), "write");
            assert!(matches!(written.recv().await, Some(Written::Through(through)) if through == number));
        }
        disk.close();
        assert_eq!(doing.try_iter().count(), 0, "that was all");
    }
}
