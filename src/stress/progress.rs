//! The progress bar, on standard error if that is a terminal. It must never be in the way of what is
//! printed: lines go above it.

use super::recorder::Recorder;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::Duration;

/// See the module's text.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a run that is to last so long; hidden if nobody wants it.
    pub fn new(lasts: Duration, is_wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(lasts.as_millis() as u64), ProgressDrawTarget::hidden());
        if is_wanted {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let style = ProgressStyle::with_template("{bar:15} {wide_msg}").expect("a template of ours");
        bar.set_style(style);
        Self { bar }
    }

    /// Runs `print` with the bar out of the way.
    pub fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// A line on standard error.
    pub fn warn(&self, text: &str) {
        self.above(|| eprintln!("bowline stress: {text}"));
    }

    /// Says something instead of numbers.
    pub fn say(&self, text: &str) {
        self.bar.set_message(text.to_owned());
        self.bar.tick();
    }

    /// Shows how far the run is, and how fast.
    pub fn show(&self, recorder: &Recorder, lasts: Duration) {
        let at = recorder.elapsed().min(lasts);
        self.bar.set_position(at.as_millis() as u64);
        let (done, errors) = recorder.totals();
        let speed = match recorder.last_second() {
            None => "starting".to_owned(),
            Some((done, latency)) => format!(
                "{done}/s, p50 {:.1} ms, p99 {:.1} ms",
                latency.value_at_quantile(0.5) as f64 / 1000.0,
                latency.value_at_quantile(0.99) as f64 / 1000.0
            ),
        };
        self.bar.set_message(format!(
            "{} of {} s, {speed}, {done} done, {errors} errors",
            at.as_secs(),
            lasts.as_secs()
        ));
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
