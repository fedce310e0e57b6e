//! The tables of the page: checks, operations, clients, and what the keys hold.

use super::super::record::{Counts, Judged, Kind, Run, Verdict};
use super::super::summary::{self, COLUMNS};
use super::escape;
use std::fmt::Write as _;

pub(super) fn all(run: &Run, verdict: &Verdict) -> String {
    let mut text = checks(verdict);
    text += &counts("By operation", "operation", summary::operations(run));
    text += &counts("By client", "client", summary::clients(run));
    text += &finals(run);
    text + &plan(run)
}

/// Of a table of words or of numbers.
fn section(title: &str, class: &str, head: &[&str], rows: &str) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!(
        "<section>\n<h2>{title}</h2>\n<div class=\"wide\"><table class=\"{class}\">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n\
         </table></div>\n</section>\n"
    )
}

fn checks(verdict: &Verdict) -> String {
    let mut rows = String::new();
    for check in &verdict.checks {
        let class = match check.judged {
            Judged::Ok => "ok",
            Judged::NotOk => "bad",
            Judged::NotDecided => "open",
            Judged::NotApplicable => "none",
        };
        let _ = writeln!(
            rows,
            "<tr><th>{}</th><td><span class=\"badge {class}\">{}</span></td><td class=\"text\">{}</td></tr>",
            escape(&check.name),
            check.judged,
            escape(&check.counted)
        );
    }
    section("Checks", "words", &["", "", "what was looked at"], &rows)
}

fn counts(title: &str, of: &str, table: Vec<(String, Counts)>) -> String {
    let mut rows = String::new();
    for (name, counts) in table {
        let cells: String =
            summary::numbers(&counts).iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        let _ = writeln!(rows, "<tr><th>{}</th>{cells}</tr>", escape(&name));
    }
    section(title, "numbers", &[&[of], &COLUMNS[..]].concat(), &rows)
}

fn finals(run: &Run) -> String {
    let (finals, more) = summary::finals(run);
    let mut rows = String::new();
    for [key, value, version] in finals {
        let (key, value) = (escape(&key), escape(&value));
        let _ = writeln!(
            rows,
            "<tr><th>{key}</th><td class=\"text\"><code>{value}</code></td><td>{version}</td></tr>"
        );
    }
    if more > 0 {
        let _ = writeln!(rows, "<tr><th>and {more} more</th><td></td><td></td></tr>");
    }
    section("Final state", "words", &["key", "value", "version"], &rows)
}

fn plan(run: &Run) -> String {
    let plan = &run.plan;
    let mix: Vec<String> = Kind::ALL
        .iter()
        .filter(|kind| plan.workload.mix.has(**kind))
        .map(|kind| format!("{kind} {}", plan.workload.mix.weight(*kind)))
        .collect();
    let losses = plan.clients.iter().map(|client| client.client_packet_loss_rate);
    let rows = [
        ("clients", format!("{} on {} names of keys", plan.clients.len(), plan.keys().len())),
        ("operations, by weight", mix.join(", ")),
        ("replies lost on purpose", format!("{} % ({})", plan.server_packet_loss_rate, run.losses.replies)),
        (
            "requests lost on purpose",
            format!("up to {} % ({})", losses.fold(0.0, f64::max), run.losses.requests),
        ),
        ("servers", run.servers.join(", ")),
        ("faults", summary::faults(run)),
    ];
    let rows: String = rows
        .iter()
        .map(|(name, text)| format!("<tr><th>{name}</th><td class=\"text\">{}</td></tr>\n", escape(text)))
        .collect();
    section("The run", "words", &["", ""], &rows)
}

/// A date (Hinnant's `civil_from_days`), in UTC.
pub(super) fn utc(unix_ms: u64) -> String {
    let (days, seconds) = (unix_ms / 86_400_000, unix_ms / 1000 % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60)
}
