//! What was measured, and how it is printed. Must never count what was answered during the warm-up
//! among the results.

use super::histogram::Histogram;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An interval of a timeline.
struct Point {
    ops: u64,
    errors: u64,
    p99_ns: Option<u64>,
}

struct Timeline {
    interval: Duration,
    end: Instant,
    latencies: Histogram,
    errors: u64,
    points: Vec<Point>,
}

impl Timeline {
    /// Closes all intervals that are over.
    fn roll(&mut self, now: Instant) {
        while now >= self.end {
            let p99_ns = self.latencies.percentile(0.99);
            self.points.push(Point { ops: self.latencies.total(), errors: self.errors, p99_ns });
            self.latencies.clear();
            self.errors = 0;
            self.end += self.interval;
        }
    }
}

pub struct Measure {
    begin: Instant,
    begin_unix_ms: u64,
    latencies: Histogram,
    /// With those of the warm-up: what the servers' CPU time is divided by.
    ops_all: u64,
    errors: u64,
    first_error: Option<String>,
    reconnects: u64,
    timeline: Option<Timeline>,
}

fn us(ns: Option<u64>) -> Value {
    ns.map_or(Value::Null, |ns| json!((ns as f64 / 100.0).round() / 10.0))
}

impl Measure {
    /// Begins to count after `warm_up`; with a timeline, in intervals of `interval`.
    pub fn new(now: Instant, warm_up: Duration, interval: Option<Duration>) -> Self {
        let begin = now + warm_up;
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + warm_up;
        let timeline = interval.map(|interval| Timeline {
            interval,
            end: begin + interval,
            latencies: Histogram::new(),
            errors: 0,
            points: Vec::new(),
        });
        Self {
            begin,
            begin_unix_ms: unix.as_millis() as u64,
            latencies: Histogram::new(),
            ops_all: 0,
            errors: 0,
            first_error: None,
            reconnects: 0,
            timeline,
        }
    }

    /// `times` requests that were sent at `sent` have been answered.
    pub fn answered(&mut self, sent: Instant, now: Instant, times: u64) {
        self.ops_all += times;
        if now < self.begin {
            return;
        }
        let latency_ns = now.duration_since(sent).as_nanos() as u64;
        self.latencies.record(latency_ns, times);
        if let Some(timeline) = &mut self.timeline {
            timeline.roll(now);
            timeline.latencies.record(latency_ns, times);
        }
    }

    /// `times` requests came to nothing, or to nobody knows what. Those of the warm-up count.
    pub fn failed(&mut self, now: Instant, times: u64, why: &str) {
        self.errors += times;
        self.first_error.get_or_insert_with(|| why.to_owned());
        if let Some(timeline) = &mut self.timeline {
            timeline.roll(now);
            timeline.errors += times;
        }
    }

    pub fn reconnected(&mut self) {
        self.reconnects += 1;
    }

    /// One object, of what was measured until `now`.
    pub fn report(mut self, now: Instant) -> Value {
        let seconds = now.saturating_duration_since(self.begin).as_secs_f64();
        let ops = self.latencies.total();
        let latency = |share| us(self.latencies.percentile(share));
        let mut report = json!({
            "seconds": seconds,
            "ops": ops,
            "ops_all": self.ops_all,
            "per_second": if seconds > 0.0 { (ops as f64 / seconds).round() } else { 0.0 },
            "p50_us": latency(0.5),
            "p99_us": latency(0.99),
            "p999_us": latency(0.999),
            "max_us": us(Some(self.latencies.max())),
            "errors": self.errors,
            "first_error": self.first_error,
            "reconnects": self.reconnects,
            "begin_unix_ms": self.begin_unix_ms,
        });
        if let Some(timeline) = &mut self.timeline {
            timeline.roll(now);
            report["interval_ms"] = json!(timeline.interval.as_millis() as u64);
            let points = timeline.points.iter();
            report["timeline"] = points.map(|p| json!([p.ops, us(p.p99_ns), p.errors])).collect();
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_warm_up_is_left_out_but_of_the_sum() {
        let start = Instant::now();
        let mut measure = Measure::new(start, 100 * MS, None);
        measure.answered(start, start + 99 * MS, 7);
        measure.answered(start + 99 * MS, start + 101 * MS, 3);
        let report = measure.report(start + 200 * MS);
        assert_eq!((&report["ops"], &report["ops_all"]), (&json!(3), &json!(10)));
        assert_eq!(report["per_second"], json!(30.0));
        assert_eq!(report["max_us"], json!(2000.0));
        assert!(report.get("timeline").is_none());
    }

    #[test]
    fn a_timeline_has_an_interval_for_each_time_even_when_nothing_was_answered() {
        let start = Instant::now();
        let mut measure = Measure::new(start, Duration::ZERO, Some(10 * MS));
        measure.answered(start, start + 5 * MS, 2);
        measure.failed(start + 31 * MS, 1, "gone");
        measure.failed(start + 32 * MS, 1, "gone again");
        measure.answered(start, start + 35 * MS, 1);
        let report = measure.report(start + 40 * MS);
        assert_eq!(report["timeline"], json!([[2, 5000.0, 0], [0, null, 0], [0, null, 0], [1, 35000.0, 2]]));
        assert_eq!((&report["errors"], &report["first_error"]), (&json!(2), &json!("gone")));
    }
}
