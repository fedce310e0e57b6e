//! The two charts, as SVG whose colours come from the page's style.

use super::super::record::Run;
use super::marks;
use super::timeline::Timeline;
use super::{escape, grouped};
use std::fmt::Write as _;

/// The whole picture.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 304.0;
/// Where the curves are.
pub(super) const LEFT: f64 = 58.0;
pub(super) const RIGHT: f64 = 988.0;
pub(super) const TOP: f64 = 46.0;
pub(super) const BOTTOM: f64 = 246.0;
/// The row of errors below them.
const ERRORS_TOP: f64 = 257.0;
const ERRORS_HEIGHT: f64 = 12.0;

/// Where a moment stands.
pub(super) fn x(at_s: f64, timeline: &Timeline) -> f64 {
    LEFT + (RIGHT - LEFT) * (at_s / timeline.lasted_s).clamp(0.0, 1.0)
}

/// A scale, from its bottom to its top.
struct Scale {
    least: f64,
    most: f64,
    is_logarithmic: bool,
}

impl Scale {
    fn y(&self, value: f64) -> f64 {
        let share = if self.is_logarithmic {
            (value.max(self.least).log10() - self.least.log10()) / (self.most.log10() - self.least.log10())
        } else {
            (value - self.least) / (self.most - self.least)
        };
        BOTTOM - (BOTTOM - TOP) * share.clamp(0.0, 1.0)
    }
}

/// 1, 2 or 5 times a power of ten: the step of some five lines up to `most`.
fn step(most: f64) -> f64 {
    let rough = most / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    steps.into_iter().find(|step| *step >= rough).unwrap_or(steps[3])
}

/// Operations a second.
pub(super) fn throughput(run: &Run, timeline: &Timeline) -> String {
    let most = timeline.points.iter().map(|point| point.per_second).fold(1.0, f64::max);
    let step = step(most);
    let scale = Scale { least: 0.0, most: (most / step).ceil() * step, is_logarithmic: false };
    let lines = (0..).map(|n| f64::from(n) * step).take_while(|value| *value <= scale.most + step / 2.0);
    let lines = lines.map(|value| (value, grouped(value.round() as u64)));
    let points: Vec<_> = timeline
        .points
        .iter()
        .map(|point| Some((x(point.at_s, timeline), scale.y(point.per_second))))
        .collect();
    let body = area(&points) + &curve(&points, "rate");
    let key = [("rate", "operations a second")];
    picture("Throughput", &key, run, timeline, &grid(&scale, lines), &body)
}

/// p50, p99 and the longest, on a scale of powers of ten.
pub(super) fn latency(run: &Run, timeline: &Timeline) -> String {
    let all = || timeline.points.iter().filter_map(|point| point.latency_ms).flatten();
    let least = 10f64.powf(all().fold(10.0, f64::min).max(0.001).log10().floor());
    let most = 10f64.powf(all().fold(least * 10.0, f64::max).log10().ceil());
    let scale = Scale { least, most, is_logarithmic: true };
    let lines = std::iter::successors(Some(least), |value| Some(value * 10.0));
    let lines = lines.take_while(|value| *value <= most * 1.01).map(|value| (value, duration(value)));
    let mut body = String::new();
    for (which, class) in [(2, "max"), (1, "p99"), (0, "p50")] {
        let points: Vec<_> = timeline
            .points
            .iter()
            .map(|point| Some((x(point.at_s, timeline), scale.y(point.latency_ms?[which]))))
            .collect();
        body += &curve(&points, class);
    }
    let key = [("p50", "p50"), ("p99", "p99"), ("max", "longest")];
    picture("Latency", &key, run, timeline, &grid(&scale, lines), &body)
}

fn duration(ms: f64) -> String {
    match ms {
        ms if ms >= 999.0 => format!("{} s", (ms / 1000.0).round()),
        ms if ms >= 0.99 => format!("{} ms", ms.round()),
        ms => format!("{} \u{b5}s", (ms * 1000.0).round()),
    }
}

fn grid(scale: &Scale, lines: impl Iterator<Item = (f64, String)>) -> String {
    let mut text = String::new();
    for (value, label) in lines {
        let y = scale.y(value);
        let _ =
            writeln!(text, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        let _ = writeln!(
            text,
            "<text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 8.0,
            y + 4.0
        );
    }
    text
}

type Points = [Option<(f64, f64)>];

/// A line, with a gap where nothing is known; a lone point is a dot.
fn curve(points: &Points, class: &str) -> String {
    let mut text = String::new();
    for part in points.split(Option::is_none).filter(|part| !part.is_empty()) {
        let coordinates: Vec<String> = part.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = match part {
            [Some((x, y))] => {
                writeln!(text, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>")
            }
            _ => writeln!(text, "<polyline class=\"{class}\" points=\"{}\"/>", coordinates.join(" ")),
        };
    }
    text
}

fn area(points: &Points) -> String {
    let known: Vec<_> = points.iter().flatten().collect();
    let (Some(first), Some(last)) = (known.first(), known.last()) else { return String::new() };
    let coordinates: Vec<String> = known.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    format!(
        "<polygon class=\"area\" points=\"{:.1},{BOTTOM} {} {:.1},{BOTTOM}\"/>\n",
        first.0,
        coordinates.join(" "),
        last.0
    )
}

/// Times below the picture.
fn times(timeline: &Timeline) -> String {
    let step = step(timeline.lasted_s * 0.6).max(1.0);
    let mut text = String::new();
    for n in 0..=(timeline.lasted_s / step) as u64 {
        let at_s = n as f64 * step;
        let x = x(at_s, timeline);
        let _ = writeln!(
            text,
            "<line class=\"tick\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{BOTTOM}\" y2=\"{:.1}\"/>\
             <text class=\"axis\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{at_s} s</text>",
            BOTTOM + 4.0,
            HEIGHT - 12.0
        );
    }
    text
}

/// The darker, the more.
fn errors(timeline: &Timeline) -> String {
    let most = timeline.points.iter().map(|point| point.errors).fold(0.0, f64::max);
    let mut text = format!(
        "<rect class=\"errors-row\" x=\"{LEFT}\" y=\"{ERRORS_TOP}\" width=\"{:.1}\" height=\"{ERRORS_HEIGHT}\"/>\n\
         <text class=\"axis\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">errors</text>\n",
        RIGHT - LEFT,
        LEFT - 8.0,
        ERRORS_TOP + 10.0
    );
    let half_s = timeline.step_s as f64 / 2.0;
    for point in timeline.points.iter().filter(|point| point.errors > 0.0) {
        let (from, to) = (x(point.at_s - half_s, timeline), x(point.at_s + half_s, timeline));
        let _ = writeln!(
            text,
            "<rect class=\"errors\" x=\"{from:.1}\" y=\"{ERRORS_TOP}\" width=\"{:.1}\" height=\"{ERRORS_HEIGHT}\" \
             opacity=\"{:.2}\"/>",
            (to - from - 1.0).max(1.0),
            0.35 + 0.65 * point.errors / most
        );
    }
    text
}

fn picture(
    title: &str,
    key: &[(&str, &str)],
    run: &Run,
    timeline: &Timeline,
    grid: &str,
    curves: &str,
) -> String {
    let mut text = format!("<section class=\"chart\">\n<h2>{title}</h2>\n<p class=\"key\">");
    for (class, name) in key {
        let _ = write!(text, "<span class=\"{class}\"><i></i>{}</span>", escape(name));
    }
    let _ = write!(
        text,
        "</p>\n<div class=\"wide\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title} over time\" \
         data-left=\"{LEFT}\" data-right=\"{RIGHT}\">\n{grid}{}{}{curves}{}\
         <line class=\"cursor\" x1=\"0\" x2=\"0\" y1=\"{TOP}\" y2=\"{BOTTOM}\" visibility=\"hidden\"/>\n</svg></div>\n</section>\n",
        times(timeline),
        errors(timeline),
        marks::lines(run, timeline),
    );
    text
}
