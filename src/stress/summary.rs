//! The end of a run on the terminal: what the keys hold, what clients and operations came to, what was
//! looked at, and the verdict, whose line is the last one and easily read by a script. Pure text: this
//! module must never judge anything.

use super::record::{Counts, Judged, Kind, Run, Verdict};
use hdrhistogram::Histogram;
use std::fmt::Write as _;

/// Rows of keys, and of clients.
const MOST_ROWS: usize = 20;
/// Characters of a value.
const MOST_TEXT: usize = 48;

/// A table whose first columns are words, and the others numbers.
struct Table {
    rows: Vec<Vec<String>>,
    words: usize,
}

impl Table {
    fn new<const N: usize>(head: [&str; N], words: usize) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()], words }
    }

    fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    fn write(&self, text: &mut String) {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                at if at < self.words => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(text, "  {}", line.trim_end());
        }
    }
}

/// Microseconds as milliseconds, with as many digits as mean something.
pub(super) fn milliseconds(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.2}", us as f64 / 1e3),
        10_000..100_000 => format!("{:.1}", us as f64 / 1e3),
        _ => format!("{}", us / 1000),
    }
}

/// The columns of [`numbers`].
pub(super) const COLUMNS: [&str; 10] =
    ["ok", "conflicts", "refused", "unknown", "errors", "retries", "recovered", "p50 ms", "p99 ms", "max ms"];

/// A row of a table of counts.
pub(super) fn numbers(counts: &Counts) -> Vec<String> {
    let Counts { ok, conflicts, refused, unknown, errors, retries, recovered, latency } = counts;
    let counted = [ok, conflicts, refused, unknown, errors, retries, recovered].map(u64::to_string);
    counted.into_iter().chain(quantiles(latency)).collect()
}

/// p50, p99 and the longest; nothing of nothing.
pub(super) fn quantiles(latency: &Histogram<u64>) -> [String; 3] {
    if latency.is_empty() {
        return ["-", "-", "-"].map(str::to_owned);
    }
    [latency.value_at_quantile(0.5), latency.value_at_quantile(0.99), latency.max()].map(milliseconds)
}

/// All of a run's operations together.
pub(super) fn total(run: &Run) -> Counts {
    let mut total = Counts::default();
    run.counts().values().for_each(|counts| total.add(counts));
    total
}

/// Operations with a reply, each second.
pub(super) fn per_second(run: &Run, counts: &Counts) -> f64 {
    (counts.ok + counts.conflicts) as f64 / run.lasted.as_secs_f64().max(0.001)
}

/// `ok`, `not ok` or `not decided`.
pub(super) fn word(verdict: &Verdict) -> &'static str {
    let is_wrong = !verdict.findings.is_empty() || verdict.checks.iter().any(|it| it.judged == Judged::NotOk);
    match (verdict.is_ok(), is_wrong) {
        (true, _) => "ok",
        (_, true) => "not ok",
        _ => "not decided",
    }
}

/// The rows of the final state: key, value, version. The second: keys that are left out.
pub(super) fn finals(run: &Run) -> (Vec<[String; 3]>, usize) {
    let rows = run.finals.iter().take(MOST_ROWS).map(|it| {
        let value = it.value.as_deref().map_or("(none)".to_owned(), short);
        [it.key.clone(), value, it.version.map_or("-".to_owned(), |version| version.to_string())]
    });
    (rows.collect(), run.finals.len().saturating_sub(MOST_ROWS))
}

fn short(value: &str) -> String {
    let chars = value.chars().count();
    match chars > MOST_TEXT {
        true => format!("{}... ({chars} characters)", value.chars().take(MOST_TEXT / 2).collect::<String>()),
        false => value.to_owned(),
    }
}

/// Each client's name and counts; those beyond the bound as one.
pub(super) fn clients(run: &Run) -> Vec<(String, Counts)> {
    let sum = |client: &super::record::ClientRecord| {
        let mut sum = Counts::default();
        client.counts.values().for_each(|counts| sum.add(counts));
        sum
    };
    let mut rows: Vec<_> =
        run.clients.iter().take(MOST_ROWS).map(|client| (client.name.clone(), sum(client))).collect();
    if run.clients.len() > MOST_ROWS {
        let mut others = Counts::default();
        run.clients[MOST_ROWS..].iter().for_each(|client| others.add(&sum(client)));
        rows.push((format!("{} others", run.clients.len() - MOST_ROWS), others));
    }
    rows
}

/// Each kind of operation that there was, and all of them.
pub(super) fn operations(run: &Run) -> Vec<(String, Counts)> {
    let counts = run.counts();
    let rows = Kind::ALL.iter().filter_map(|kind| Some((kind.to_string(), counts.get(kind)?.clone())));
    let mut rows: Vec<_> = rows
        .filter(|(_, counts)| {
            counts.ok + counts.conflicts + counts.refused + counts.unknown + counts.errors > 0
        })
        .collect();
    rows.push(("all".to_owned(), total(run)));
    rows
}

/// What was made to go wrong, and what of it was seen.
pub(super) fn faults(run: &Run) -> String {
    let of = |what: &str| run.marks.iter().filter(|mark| mark.what.to_string().contains(what)).count();
    format!(
        "{} requests and {} replies lost; nodes killed {} times, paused {} times; {} changes of the leader seen",
        run.losses.requests,
        run.losses.replies,
        of(" killed"),
        of(" paused"),
        of(", after node"),
    )
}

/// Who was asked, and how.
pub(super) fn heading(run: &Run) -> String {
    let mut text = match &run.storage {
        Some(storage) => format!("{} nodes of its own on {storage}", run.servers.len()),
        None => run.servers.join(", "),
    };
    let _ = write!(text, "; {} clients", run.clients.len());
    text + if run.once { ", with ONCE" } else { "" }
}

/// The last line.
pub(super) fn last_line(run: &Run, verdict: &Verdict) -> String {
    let total = total(run);
    let [p50, p99, max] = quantiles(&total.latency);
    format!(
        "verdict {}: {} operations in {:.1} s, {:.0} a second, p50 {p50} ms, p99 {p99} ms, max {max} ms, {} errors",
        word(verdict),
        total.ok + total.conflicts,
        run.lasted.as_secs_f64(),
        per_second(run, &total),
        total.errors,
    )
}

/// All of it.
pub fn text(run: &Run, verdict: &Verdict) -> String {
    let mut text = format!("\n{} (seed {}): {}\n", run.name, run.seed, heading(run));
    let (rows, more) = finals(run);
    text += "\nfinal state\n";
    let mut table = Table::new(["key", "value", "version"], 2);
    rows.into_iter().for_each(|row| table.push(row.to_vec()));
    table.write(&mut text);
    if more > 0 {
        let _ = writeln!(text, "  and {more} more keys");
    }
    for (title, rows) in [("client", clients(run)), ("operation", operations(run))] {
        let _ = writeln!(text, "\nby {title}");
        let mut table = Table {
            rows: vec![[&[title], &COLUMNS[..]].concat()].into_iter().map(owned).collect(),
            words: 1,
        };
        rows.into_iter().for_each(|(name, counts)| table.push([vec![name], numbers(&counts)].concat()));
        table.write(&mut text);
    }
    let _ = writeln!(text, "\nfaults: {}\n\nchecks", faults(run));
    let mut table = Table { rows: Vec::new(), words: 3 };
    for check in &verdict.checks {
        table.push(vec![check.name.clone(), check.judged.to_string(), check.counted.clone()]);
    }
    table.write(&mut text);
    for finding in &verdict.findings {
        let _ = writeln!(text, "\n{}: {}", finding.check, finding.text);
    }
    let _ = writeln!(text, "\n{}", last_line(run, verdict));
    text
}

fn owned(row: Vec<&str>) -> Vec<String> {
    row.into_iter().map(str::to_owned).collect()
}
