//! What a run came to.

use super::availability::Gap;
use super::kind::Kind;
use super::workload::Shared;
use bowline::history::Report;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Gaps that are listed.
const SHOWN_GAPS: usize = 5;
const SHOWN_COMPLAINTS: usize = 10;

/// Faults at the same time, from the first to the moment when all was well again.
pub struct Episode {
    pub from_ns: u64,
    pub to_ns: u64,
    pub what: String,
    pub kinds: Vec<Kind>,
}

/// See the module's text.
pub struct Summary {
    seed: u64,
    lasted: Duration,
    episodes: Vec<Episode>,
    outcomes: [u64; 3],
    typed: String,
    has_all_typed: bool,
    gaps: Vec<Gap>,
    complaints: Vec<String>,
    /// Of the whole history, last reads included.
    report: Report,
    /// Of the history so far, if it was wrong already; else the same.
    violations: Report,
    history: Option<PathBuf>,
}

impl Summary {
    pub fn new(
        seed: u64,
        lasted: Duration,
        episodes: Vec<Episode>,
        shared: &Shared,
        report: Report,
        violations: Report,
        history: Option<PathBuf>,
    ) -> Self {
        let outcomes =
            [&shared.ok, &shared.failed, &shared.unknown].map(|count| count.load(Ordering::Relaxed));
        let (gaps, complaints) = (shared.writes.gaps(), shared.complaints());
        let (typed, has_all_typed) = (shared.typed.to_string(), shared.typed.has_all());
        Self {
            seed,
            lasted,
            episodes,
            outcomes,
            typed,
            has_all_typed,
            gaps,
            complaints,
            report,
            violations,
            history,
        }
    }

    pub fn operations(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    pub fn faults(&self) -> usize {
        self.episodes.iter().map(|episode| episode.kinds.len()).sum()
    }

    /// Whether values that have elements were used in all the ways there are.
    pub fn has_all_typed(&self) -> bool {
        self.has_all_typed
    }

    pub fn is_linearizable(&self) -> bool {
        self.report.is_linearizable() && self.violations.is_linearizable()
    }

    /// Whether nothing was seen that must not be.
    pub fn is_good(&self) -> bool {
        self.is_linearizable() && self.complaints.is_empty()
    }

    /// What was done while nothing could be written.
    fn cause(&self, gap: &Gap) -> &str {
        let during = |episode: &&Episode| episode.from_ns < gap.to_ns && gap.from_ns < episode.to_ns;
        self.episodes.iter().find(during).map_or("nothing that was done", |episode| &episode.what)
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for kind in self.episodes.iter().flat_map(|episode| &episode.kinds) {
            *kinds.entry(*kind).or_default() += 1;
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind:?} {count}")).collect();
        let combined = self.episodes.iter().filter(|episode| episode.kinds.len() > 1).count();
        let [ok, failed, unknown] = self.outcomes;
        writeln!(f, "seed {}, {:.0} s", self.seed, self.lasted.as_secs_f64())?;
        writeln!(f, "faults: {} ({combined} times several at once): {}", self.faults(), kinds.join(", "))?;
        writeln!(f, "operations: {} ok, {failed} refused, {unknown} of unknown outcome", ok)?;
        writeln!(f, "of these, {}", self.typed)?;
        let without: u64 = self.gaps.iter().map(Gap::len_ms).sum();
        writeln!(
            f,
            "times of more than 150 ms without a successful write: {}, {without} ms in all",
            self.gaps.len()
        )?;
        for gap in self.gaps.iter().take(SHOWN_GAPS) {
            let at = gap.from_ns as f64 / 1e9;
            writeln!(f, "  {} ms at {at:.2} s: {}", gap.len_ms(), self.cause(gap))?;
        }
        for complaint in self.complaints.iter().take(SHOWN_COMPLAINTS) {
            writeln!(f, "WRONG: {complaint}")?;
        }
        if let Some(path) = &self.history {
            writeln!(f, "history: {}", path.display())?;
        }
        if !self.violations.is_linearizable() {
            writeln!(f, "{}", self.violations)?;
        }
        write!(f, "{}", self.report)
    }
}
