//! Keys that have expired, that no entry removes because `DEBUG SET-ACTIVE-EXPIRE` is off, and that a
//! read has met. A read changes nothing; what it met is removed through the log, before it is answered.
//! Nothing here may cost anything while entries remove what is due, which is always but for tests.

use super::{Group, Job, Step};
use crate::wire::units::put_command_unit;

/// The version of no key: `CAD` looks at the key, which removes it if it has expired, and does no more.
const NO_VERSION: &[u8] = b"9223372036854775807";

impl Group {
    /// Puts the removal of what reads have met before the steps of `job`, if there is any: whoever
    /// asked hears of it as of a change of its own, after the reply.
    pub(super) fn purge_met(&mut self, job: &mut Job) -> bool {
        if self.machine.settings().active_expire {
            return false;
        }
        let met = self.machine.take_met_expired();
        for (db, key) in &met {
            put_command_unit(&mut job.body, &[b"CAD", key, NO_VERSION], *db);
        }
        job.steps.insert_many(0, met.iter().map(|_| Step::Purge));
        !met.is_empty()
    }

    /// The same for what was met where nobody can wait for it any more.
    pub(super) fn purge_rest(&mut self) {
        let mut job = Job::default(); // of nobody
        if self.purge_met(&mut job) {
            self.stream.submit(job, self.now.mono_us);
        }
    }
}
