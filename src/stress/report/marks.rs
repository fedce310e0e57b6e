//! What happened to the servers, as lines through both charts and as a list.

use super::super::record::{Happening, Run};
use super::chart::{BOTTOM, TOP, x};
use super::escape;
use super::timeline::Timeline;
use std::fmt::Write as _;

/// More than these have no words in the charts.
const MOST_LABELS: usize = 60;
/// More than these are not in the list.
const MOST_LISTED: usize = 200;

/// Its class, the row of its label, and the label.
fn drawn(what: &Happening) -> (&'static str, f64, String) {
    match what {
        Happening::NodeKilled { node } => ("fault", 0.0, format!("\u{2715} {node}")),
        Happening::NodePaused { node } => ("fault", 0.0, format!("\u{2016} {node}")),
        Happening::NodeEnded { node } => ("fault", 0.0, format!("\u{2020} {node}")),
        Happening::NodeRestarted { node } | Happening::NodeResumed { node } => {
            ("back", 1.0, format!("\u{21ba} {node}"))
        }
        Happening::LeaderChanged { to, .. } => ("leader", 2.0, format!("\u{2605} {to}")),
        Happening::ServersLost => ("fault", 0.0, "no answer".to_owned()),
        Happening::ServersBack => ("back", 1.0, "answers".to_owned()),
    }
}

fn at_s(at_ms: u64) -> f64 {
    at_ms as f64 / 1000.0
}

pub(super) fn lines(run: &Run, timeline: &Timeline) -> String {
    let mut text = String::new();
    let has_labels = run.marks.len() <= MOST_LABELS;
    for mark in &run.marks {
        let (class, row, label) = drawn(&mark.what);
        let x = x(at_s(mark.at_ms), timeline);
        let label_y = 12.0 + 13.0 * row;
        let from_y = if has_labels { label_y + 3.0 } else { TOP };
        let _ = write!(
            text,
            "<g class=\"mark {class}\"><title>{:.1} s: {}</title>\
             <line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{from_y:.1}\" y2=\"{BOTTOM}\"/>",
            at_s(mark.at_ms),
            escape(&mark.what.to_string())
        );
        if has_labels {
            let _ =
                write!(text, "<text x=\"{x:.1}\" y=\"{label_y:.1}\" text-anchor=\"middle\">{label}</text>");
        }
        text += "</g>\n";
    }
    text
}

/// What the labels mean, and the list of all.
pub(super) fn legend(run: &Run) -> String {
    if run.marks.is_empty() {
        return String::new();
    }
    let mut text = "<section class=\"marks\">\n<p class=\"key\"><span class=\"fault\">\u{2715} killed, \u{2016} paused</span>\
         <span class=\"back\">\u{21ba} back</span><span class=\"leader\">\u{2605} leads</span></p>\n\
         <details><summary>What happened, in order</summary>\n<ol>\n"
        .to_owned();
    for mark in run.marks.iter().take(MOST_LISTED) {
        let (class, ..) = drawn(&mark.what);
        let _ = writeln!(
            text,
            "<li class=\"{class}\"><time>{:.1} s</time> {}</li>",
            at_s(mark.at_ms),
            escape(&mark.what.to_string())
        );
    }
    let more = run.marks.len().saturating_sub(MOST_LISTED);
    if more > 0 {
        let _ = writeln!(text, "<li>and {more} more</li>");
    }
    text + "</ol>\n</details>\n</section>\n"
}
