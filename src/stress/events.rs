//! Log lines: one an event, with the time since the run began, the client and the key. They go to standard
//! output above the progress bar, to a file, or nowhere. A line must never hold a client up: standard
//! output gets many at a time.

use super::progress::Progress;
use crate::limits::STRESS_MAX_LINES_BYTES;
use std::cell::RefCell;
use std::fmt::{Arguments, Write as _};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Duration;

/// Where lines go.
pub enum Sink {
    /// Nowhere.
    Nowhere,
    /// Into a file.
    File(BufWriter<File>),
    /// To standard output, from time to time.
    Output(String),
}

/// See the module's text.
pub struct Events {
    sink: RefCell<Sink>,
}

impl Events {
    /// Lines for `sink`.
    pub fn new(sink: Sink) -> Self {
        Self { sink: RefCell::new(sink) }
    }

    /// One line. When the file cannot be written any more, no further lines are.
    pub fn line(&self, at: Duration, client: &str, key: &str, progress: &Progress, what: Arguments<'_>) {
        let mut sink = self.sink.borrow_mut();
        let at = at.as_secs_f64();
        match &mut *sink {
            Sink::Nowhere => {}
            Sink::File(file) => {
                if let Err(error) = writeln!(file, "{at:.3}s {client} {key} {what}") {
                    progress.warn(&format!("the log cannot be written any more: {error}"));
                    *sink = Sink::Nowhere;
                }
            }
            Sink::Output(lines) => {
                let _ = writeln!(lines, "{at:.3}s {client} {key} {what}");
                if lines.len() > STRESS_MAX_LINES_BYTES {
                    show(&mut sink, progress);
                }
            }
        }
    }

    /// Shows what waits.
    pub fn flush(&self, progress: &Progress) {
        let mut sink = self.sink.borrow_mut();
        match &mut *sink {
            Sink::Nowhere => {}
            Sink::File(file) => {
                if let Err(error) = file.flush() {
                    progress.warn(&format!("the log cannot be written any more: {error}"));
                    *sink = Sink::Nowhere;
                }
            }
            Sink::Output(_) => show(&mut sink, progress),
        }
    }
}

/// Standard output that nobody reads any more gets no further lines.
fn show(sink: &mut Sink, progress: &Progress) {
    let Sink::Output(lines) = sink else { return };
    if lines.is_empty() {
        return;
    }
    let shown = progress.above(|| {
        let mut out = std::io::stdout().lock();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush())
    });
    lines.clear();
    if shown.is_err() {
        *sink = Sink::Nowhere;
    }
}
