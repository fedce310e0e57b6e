//! What is to be carried out, one after the other; the machine hears some time before of the keys
//! that will be asked for, so that memory brings them together. This module must never change what
//! is carried out, nor its order.

use super::job::{Job, Step};
use crate::limits;
use crate::machine::Machine;
use crate::wire::WireError;
use crate::wire::units::{Unit, Units};

/// The units of a body.
pub(super) struct UnitsAhead<'a> {
    units: Units<'a>,
    /// Units until the machine hears of more.
    heard: usize,
}

impl<'a> UnitsAhead<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { units: Units::new(body), heard: 0 }
    }

    pub(super) fn next(&mut self, machine: &Machine) -> Option<Result<Unit<'a>, WireError>> {
        if self.heard == 0 {
            machine.look_ahead(self.units.likely_keys());
            self.heard = limits::LOOK_AHEAD;
        }
        self.heard -= 1;
        self.units.next()
    }
}

/// Jobs that read.
pub(super) struct JobsAhead {
    jobs: std::vec::IntoIter<Job>,
    /// Steps until the machine hears of more.
    heard: usize,
}

impl JobsAhead {
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        Self { jobs: jobs.into_iter(), heard: 0 }
    }

    pub(super) fn next(&mut self, machine: &Machine) -> Option<Job> {
        if self.heard == 0 {
            let steps = self.jobs.as_slice().iter().flat_map(|job| &job.steps);
            machine.look_ahead(steps.take(limits::LOOK_AHEAD).filter_map(likely_key));
            self.heard = limits::LOOK_AHEAD;
        }
        let job = self.jobs.next()?;
        self.heard = self.heard.saturating_sub(job.steps.len());
        Some(job)
    }
}

/// What is likely to be a key in database 0.
fn likely_key(step: &Step) -> Option<&[u8]> {
    match step {
        Step::Read(request) if request.db == 0 => request.arg(1),
        _ => None,
    }
}
