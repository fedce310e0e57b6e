//! Keys that have expired, that no entry removes because `DEBUG SET-ACTIVE-EXPIRE` is off, and that a
//! read has met. A read changes nothing; what it met is removed through the log, before it is answered.
//! Nothing here may cost anything while entries remove what is due, which is always but for tests.

use super::{Group, Job, Step};
use crate::wire::units::put_command_unit;

/// Nobody's ticket: the reply is for nobody.
const NOBODY: u64 = 0;
/// The version of no key: `CAD` looks at the key, which removes it if it has expired, and does no more.
const NO_VERSION: &[u8] = b"9223372036854775807";

impl Group {
    /// Submits the removal of what reads have met, if there is any.
    pub(super) fn purge_met(&mut self) -> bool {
        if self.machine.settings().active_expire {
            return false;
        }
        let met = self.machine.take_met_expired();
        let mut job = Job { ticket: NOBODY, ..Job::default() };
        for (db, key) in &met {
            put_command_unit(&mut job.body, &[b"CAD", key, NO_VERSION], *db);
            job.steps.push(Step::Write);
        }
        if !met.is_empty() {
            self.stream.submit(job, self.now.mono_us);
        }
        !met.is_empty()
    }
}
