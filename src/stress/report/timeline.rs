//! A run's seconds, put together to as many points as a chart can show.

use super::super::record::{Run, Second, latencies};
use hdrhistogram::Histogram;
use serde_json::json;

/// Points of a chart.
const MOST_POINTS: usize = 400;
/// A last point of less says nothing.
const LEAST_S: f64 = 0.3;

/// Some seconds together.
pub(super) struct Point {
    /// Its middle.
    pub(super) at_s: f64,
    pub(super) per_second: f64,
    /// A second.
    pub(super) errors: f64,
    /// p50, p99 and the longest in milliseconds; None: nothing ended.
    pub(super) latency_ms: Option<[f64; 3]>,
}

pub(super) struct Timeline {
    pub(super) points: Vec<Point>,
    pub(super) lasted_s: f64,
    /// Seconds a point.
    pub(super) step_s: usize,
}

impl Timeline {
    pub(super) fn of(run: &Run) -> Self {
        let lasted_s = run.lasted.as_secs_f64();
        let step_s = run.seconds.len().div_ceil(MOST_POINTS).max(1);
        let points = run.seconds.chunks(step_s).enumerate().filter_map(|(at, seconds)| {
            let from_s = (at * step_s) as f64;
            let span_s = (lasted_s - from_s).min(seconds.len() as f64);
            (span_s >= LEAST_S).then(|| point(from_s, span_s, seconds))
        });
        Self { points: points.collect(), lasted_s: lasted_s.max(1.0), step_s }
    }

    /// For the script of the page: [at, a second, errors, p50, p99, longest].
    pub(super) fn json(&self) -> String {
        let round = |number: f64| (number * 1000.0).round() / 1000.0;
        let points = self.points.iter().map(|it| {
            let latency = it.latency_ms.map_or([None; 3], |latency| latency.map(|ms| Some(round(ms))));
            json!([
                round(it.at_s),
                round(it.per_second),
                round(it.errors),
                latency[0],
                latency[1],
                latency[2]
            ])
        });
        json!({ "seconds": self.lasted_s, "points": points.collect::<Vec<_>>() }).to_string()
    }
}

fn point(from_s: f64, span_s: f64, seconds: &[Second]) -> Point {
    let mut latency: Histogram<u64> = latencies();
    for second in seconds {
        // Of the same bounds: nothing can be left out.
        let _ = latency.add(&second.latency);
    }
    let ms = |us: u64| us as f64 / 1000.0;
    let of = |quantile| ms(latency.value_at_quantile(quantile));
    Point {
        at_s: from_s + span_s / 2.0,
        per_second: seconds.iter().map(|second| second.done).sum::<u64>() as f64 / span_s,
        errors: seconds.iter().map(|second| second.errors).sum::<u64>() as f64 / span_s,
        latency_ms: (!latency.is_empty()).then(|| [of(0.5), of(0.99), ms(latency.max())]),
    }
}
