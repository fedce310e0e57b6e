//! A run as a page of HTML that needs no other file: the verdict, throughput and latency over time with
//! faults and errors on both, and tables. This module must never judge anything, nor let what was read
//! from a server into the page as anything but text.

mod chart;
mod marks;
mod tables;
mod timeline;

use super::record::{Run, Verdict};
use super::summary::{self, quantiles};
use std::fmt::Write as _;
use timeline::Timeline;

const STYLE: &str = include_str!("report/page.css");
const SCRIPT: &str = include_str!("report/page.js");

/// Text within HTML, and within the quotes of an attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}

/// A whole number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The page.
pub fn page(run: &Run, verdict: &Verdict) -> String {
    let timeline = Timeline::of(run);
    let title = escape(&run.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}: {} - bowline stress</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        summary::word(verdict)
    );
    page += &head(run, verdict);
    page += &tiles(run);
    page += &findings(verdict);
    page += &chart::throughput(run, &timeline);
    page += &chart::latency(run, &timeline);
    page += &marks::legend(run);
    page += &tables::all(run, verdict);
    let _ = write!(
        page,
        "</main>\n<div id=\"tip\" hidden></div>\n<script>\nconst timeline = {};\n{SCRIPT}</script>\n</body>\n</html>\n",
        timeline.json()
    );
    page
}

fn head(run: &Run, verdict: &Verdict) -> String {
    let word = summary::word(verdict);
    let (class, says) = match word {
        "ok" => (
            "ok",
            "Every acknowledged write is accounted for, and one order of all operations explains every reply.",
        ),
        "not ok" => ("bad", "The clients saw what no correct server shows. See the findings below."),
        _ => ("open", "Not everything could be decided, which is no yes. See the checks below."),
    };
    format!(
        "<header class=\"{class}\">\n<p class=\"product\">bowline stress</p>\n<h1>{}</h1>\n\
         <p class=\"verdict\"><strong>{word}</strong></p>\n<p class=\"says\">{says}</p>\n\
         <p class=\"meta\">{} &middot; {} &middot; seed {} &middot; {}</p>\n</header>\n",
        escape(&run.name),
        escape(&summary::heading(run)),
        tables::utc(run.began_unix_ms),
        run.seed,
        escape(&run.ended.to_string()),
    )
}

fn tiles(run: &Run) -> String {
    let total = summary::total(run);
    let [p50, p99, max] = quantiles(&total.latency).map(|text| format!("{text} ms"));
    let tiles = [
        ("operations", grouped(total.ok + total.conflicts)),
        ("a second", grouped(summary::per_second(run, &total).round() as u64)),
        ("p50", p50),
        ("p99", p99),
        ("longest", max),
        ("errors", grouped(total.errors)),
        ("recovered", grouped(total.recovered)),
        ("unknown", grouped(total.unknown)),
    ];
    let mut text = "<section class=\"tiles\">\n".to_owned();
    for (name, value) in tiles {
        let _ = writeln!(text, "<div><b>{value}</b><span>{name}</span></div>");
    }
    text + "</section>\n"
}

fn findings(verdict: &Verdict) -> String {
    if verdict.findings.is_empty() {
        return String::new();
    }
    let mut text = "<section class=\"findings\">\n<h2>Findings</h2>\n".to_owned();
    for finding in &verdict.findings {
        let _ = writeln!(text, "<h3>{}</h3>\n<pre>{}</pre>", escape(&finding.check), escape(&finding.text));
    }
    text + "</section>\n"
}

#[cfg(test)]
mod tests;
