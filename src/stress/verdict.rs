//! Judges a run by what its clients saw: that nothing that was acknowledged is lost, that nothing
//! took place twice, and that some order of all operations explains every reply. The checks that
//! count are there for readers: what they find, the history proves too, and it sees far more. This
//! module must never take for a yes what was not decided.

mod keys;
mod logs;
#[cfg(test)]
mod tests;
mod writes;

use super::record::{Check, Ended, Finding, Judged, Run, Verdict};
use crate::history::{self, Bounds, Operation, Outcome};
use keys::Keys;

/// Findings of one check that are shown; others are counted.
const MOST_SHOWN: usize = 5;

/// The work that the history of one key may be: some seconds.
const BOUNDS: Bounds = Bounds { memory_bytes: 512 << 20, steps: 8_000_000 };

/// What one check came to.
struct Outcomes {
    name: &'static str,
    counted: String,
    /// What is wrong.
    wrong: Vec<String>,
    /// What is left open.
    open: Vec<String>,
    /// Whether there was anything to look at.
    is_applicable: bool,
}

impl Outcomes {
    fn new(name: &'static str) -> Self {
        Self { name, counted: String::new(), wrong: Vec::new(), open: Vec::new(), is_applicable: true }
    }

    fn not_applicable(name: &'static str, why: &str) -> Self {
        Self { counted: why.to_owned(), is_applicable: false, ..Self::new(name) }
    }

    fn judged(&self) -> Judged {
        match () {
            () if !self.wrong.is_empty() => Judged::NotOk,
            () if !self.open.is_empty() => Judged::NotDecided,
            () if !self.is_applicable => Judged::NotApplicable,
            () => Judged::Ok,
        }
    }

    fn into(mut self, verdict: &mut Verdict) {
        let judged = self.judged();
        let more = self.wrong.len().saturating_sub(MOST_SHOWN);
        if more > 0 {
            self.wrong.truncate(MOST_SHOWN);
            self.wrong.push(format!("and {more} more of this kind"));
        }
        let found = self.wrong.into_iter().map(|text| Finding { check: self.name.to_owned(), text });
        verdict.findings.extend(found);
        let counted = std::iter::once(self.counted).chain(self.open.into_iter().take(MOST_SHOWN));
        let counted = counted.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ");
        verdict.checks.push(Check { name: self.name.to_owned(), counted, judged });
    }
}

/// Judges a run.
pub fn judge(run: &Run) -> Verdict {
    let mut verdict = Verdict::default();
    let keys = Keys::of(run);
    writes::acknowledged(&keys).into(&mut verdict);
    writes::versions(run, &keys).into(&mut verdict);
    logs::counters(&keys).into(&mut verdict);
    logs::appends(&keys).into(&mut verdict);
    linearizability(run).into(&mut verdict);
    whole(run, &keys).into(&mut verdict);
    verdict
}

/// Whether the run says anything: it came to its end, and has operations and a final state.
fn whole(run: &Run, keys: &Keys<'_>) -> Outcomes {
    let mut whole = Outcomes::new("the run");
    whole.counted = format!("{}, {:.1} s", run.ended, run.lasted.as_secs_f64());
    if let Ended::BrokeOff(_) = run.ended {
        whole.open.push("what was not done cannot be judged".to_owned());
    }
    if !run.history.iter().any(|operation| matches!(operation.outcome, Outcome::Ok(_))) {
        whole.open.push("no operation ended with a reply: there is nothing to judge".to_owned());
    }
    let unread = keys.without_final();
    if !unread.is_empty() {
        let shown = unread.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        whole.open.push(format!("the final state of {} keys could not be read ({shown})", unread.len()));
    }
    whole
}

fn linearizability(run: &Run) -> Outcomes {
    let mut checked = Outcomes::new("linearizability");
    let finals = run.finals.iter().map(|it| &it.read);
    let history: Vec<Operation> = run.history.iter().chain(finals).cloned().collect();
    let report = history::check(&history, BOUNDS);
    checked.counted = format!("{} operations on {} keys", report.operations, report.components);
    checked.wrong = report.violations.iter().map(ToString::to_string).collect();
    checked.open = report.undecided.iter().map(ToString::to_string).collect();
    checked
}
