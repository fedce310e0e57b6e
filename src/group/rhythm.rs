//! How a leader's entries follow each other. Either they overlap: what waits is proposed as soon as it is as large as
//! what is under way, and the followers have work while the leader applies and answers. Or they go one at a time: an
//! entry is applied and answered first, and who was answered may join the next one with what he asks then. Entries
//! hold nearly twice as many commands that way, and each has its cost, but followers rest while the leader works.
//!
//! Which of the two is more depends on what nobody can ask for: whether the nodes share processors, how long a disk
//! and a way take, how many clients there are. So it is measured: now and then the other rhythm is tried for a while,
//! and compared with what was just before and just after. This module must never decide what is committed.

use super::Group;
use crate::limits;

/// How much more the other rhythm has to be.
const WORTH_IT: f64 = 1.03;
/// Trials before anything is concluded, one after another.
const FIRST_TRIALS: u32 = 6;
/// Of so many trials is the mean that counts.
const MEMORY: u32 = 8;

/// What a stretch of time is for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stretch {
    /// To be compared with nothing; so many more follow.
    Rest(u32),
    /// Before a trial.
    Before,
    /// The other rhythm; units a microsecond before.
    Trial { before: f64 },
    /// After the trial; units a microsecond before, and in it.
    After { before: f64, tried: f64 },
}

/// The leader's account, of its present term.
#[derive(Debug)]
pub struct Rhythm {
    one_at_a_time: bool,
    stretch: Stretch,
    began_us: u64,
    entries: u32,
    units: u64,
    /// Units since entries were last applied.
    fresh: u64,
    /// Units a microsecond with the other rhythm, to those with this one: a mean.
    gain: f64,
    trials: u32,
}

impl Rhythm {
    pub(super) fn new(one_at_a_time: bool) -> Self {
        Self {
            one_at_a_time,
            stretch: Stretch::Before,
            began_us: 0,
            entries: 0,
            units: 0,
            fresh: 0,
            gain: 1.0,
            trials: 0,
        }
    }

    /// Whether entries now go one at a time.
    pub(super) fn one_at_a_time(&self) -> bool {
        self.one_at_a_time != matches!(self.stretch, Stretch::Trial { .. })
    }

    /// A unit was applied. A follower counts as well; that is forgotten when it leads.
    pub(super) fn unit(&mut self) {
        self.fresh += 1;
    }

    /// The leader has applied all of these entries. So many units were in them.
    pub(super) fn applied(&mut self, entries: usize, now_us: u64) -> u64 {
        let fresh = std::mem::take(&mut self.fresh);
        self.units += fresh;
        self.entries = self.entries.saturating_add(u32::try_from(entries).unwrap_or(u32::MAX));
        let took_us = now_us.saturating_sub(self.began_us);
        if took_us >= limits::RHYTHM_US {
            self.turn_over(took_us);
            (self.began_us, self.entries, self.units) = (now_us, 0, 0);
        }
        fresh
    }

    fn turn_over(&mut self, took_us: u64) {
        // With few entries, nothing in them, or pauses, it does not matter, and the next stretch may be quite another.
        let was_busy =
            self.entries >= limits::RHYTHM_ENTRIES && self.units > 0 && took_us < 4 * limits::RHYTHM_US;
        let rate = self.units as f64 / took_us as f64;
        self.stretch = if was_busy { self.next(rate) } else { Stretch::Before };
    }

    fn next(&mut self, rate: f64) -> Stretch {
        match self.stretch {
            Stretch::Rest(0) | Stretch::Before => Stretch::Trial { before: rate },
            Stretch::Rest(more) => Stretch::Rest(more - 1),
            Stretch::Trial { before } => Stretch::After { before, tried: rate },
            Stretch::After { before, tried } => {
                self.conclude(2.0 * tried / (before + rate));
                if self.trials < FIRST_TRIALS {
                    Stretch::Trial { before: rate }
                } else {
                    Stretch::Rest(limits::RHYTHM_REST)
                }
            }
        }
    }

    fn conclude(&mut self, gain: f64) {
        self.trials = (self.trials + 1).min(MEMORY);
        // A client that came or went, or a pause of the machine, is no more than one doubtful trial.
        self.gain += (gain.clamp(0.5, 2.0) - self.gain) / f64::from(self.trials);
        if self.trials >= FIRST_TRIALS && self.gain >= WORTH_IT {
            self.one_at_a_time = !self.one_at_a_time;
            self.gain = 1.0 / self.gain;
        }
    }
}

impl Group {
    /// Whether what waits is to wait for more. It would be committed after what is under way anyway, and shares an
    /// entry with what arrives meanwhile: consensus costs by the entry. A few clients do not wait for each other
    /// that way, and a large backlog goes out at once.
    pub(super) fn holds_back(&self) -> bool {
        let waiting_bytes = self.intake.size_bytes();
        let under_way_bytes = self.raft.raft.uncommitted_size();
        let is_due = if self.rhythm.one_at_a_time() {
            under_way_bytes == 0 && self.committed.is_empty() && !self.effects.look_again
        } else {
            waiting_bytes >= under_way_bytes
        };
        !is_due && waiting_bytes < limits::HOLD_BACK_BYTES
    }

    /// These entries were applied: whoever gets his answer may ask again before the next one is made.
    pub(super) fn entries_applied(&mut self, entries: usize) {
        if !self.is_leader() {
            return;
        }
        let units = self.rhythm.applied(entries, self.now.mono_us);
        // A client that is alone is not waited for: his is the next entry.
        let are_many = units > 1 || !self.intake.is_empty();
        self.effects.look_again |= are_many && self.rhythm.one_at_a_time();
    }
}
