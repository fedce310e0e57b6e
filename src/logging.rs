//! Log messages: to standard error, as lines for people or as JSON, written by a thread of
//! their own so that a slow terminal never holds up the node. The channel to that thread is
//! bounded; messages beyond it are dropped, and their number is reported. Nothing here may
//! decide anything: a node works the same with its log thrown away.

use crate::config::{Config, LogFormat};
use slog::{Drain, Level, LevelFilter, Logger, Never, o};
use slog_async::{Async, AsyncGuard, OverflowStrategy};
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// Messages waiting for the writing thread. Beyond: dropped and counted.
const CHANNEL_MESSAGES: usize = 4096;

/// Keeps the writing thread; when dropped, waits until every message is written. Hold it in
/// `main` and let it drop before the process exits: `process::exit` skips it.
#[must_use = "messages are lost at exit unless the guard is dropped"]
pub struct LogGuard {
    _thread: AsyncGuard,
}

/// The process's logger, as `config` asks for it.
pub fn start(config: &Config) -> (Logger, LogGuard) {
    start_with(io::stderr(), config.log_format, config.verbose)
}

/// A logger that writes to `out`.
pub fn start_with(out: impl Write + Send + 'static, format: LogFormat, verbose: bool) -> (Logger, LogGuard) {
    let (drain, thread) = match format {
        LogFormat::Text => {
            let decorator = slog_term::PlainDecorator::new(io::LineWriter::new(out));
            let lines = slog_term::FullFormat::new(decorator)
                .use_custom_timestamp(|to: &mut dyn Write| write!(to, "{}", timestamp(SystemTime::now())))
                .use_original_order()
                .build();
            in_background(lines.ignore_res())
        }
        LogFormat::Json => {
            let lines = slog_json::Json::new(io::LineWriter::new(out))
                .add_key_value(o!(
                    "ts" => slog::FnValue(|_| timestamp(SystemTime::now())),
                    "level" => slog::FnValue(|record| record.level().as_short_str()),
                    "msg" => slog::PushFnValue(|record, serializer| serializer.emit(record.msg())),
                ))
                .build();
            in_background(lines.ignore_res())
        }
    };
    let level = if verbose { Level::Debug } else { Level::Info };
    (Logger::root(LevelFilter::new(drain, level).ignore_res(), o!()), LogGuard { _thread: thread })
}

/// What raft-rs gets: it reports every step of an election as `info`, which is for those who
/// asked for it (`--verbose`, or `narrate` of `--timing demo`). Others see its warnings.
pub fn raft_logger(logger: &Logger, config: &Config) -> Logger {
    if config.verbose {
        return logger.clone();
    }
    let level = if config.timing.narrate { Level::Info } else { Level::Warning };
    Logger::root(LevelFilter::new(logger.clone(), level).ignore_res(), o!())
}

fn in_background(drain: impl Drain<Ok = (), Err = Never> + Send + 'static) -> (Async, AsyncGuard) {
    Async::new(drain)
        .chan_size(CHANNEL_MESSAGES)
        .overflow_strategy(OverflowStrategy::DropAndReport)
        .thread_name("log".to_owned())
        .build_with_guard()
}

/// UTC, as RFC 3339 with milliseconds. The calendar is Howard Hinnant's `civil_from_days`.
fn timestamp(time: SystemTime) -> String {
    // A clock before 1970 is wrong anyway; the log must not fail over it.
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second_of_day) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let shifted = days + 719_468; // days since 0000-03-01
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    let ms = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use slog::{debug, info, warn};
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    /// Collects what is written; a closed gate blocks the writer.
    #[derive(Clone, Default)]
    struct Sink {
        bytes: Arc<Mutex<Vec<u8>>>,
        gate: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.bytes.lock().expect("no writer panicked").clone()).expect("UTF-8")
        }

        fn set_closed(&self, closed: bool) {
            *self.gate.0.lock().expect("no writer panicked") = closed;
            self.gate.1.notify_all();
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let closed = self.gate.0.lock().expect("no writer panicked");
            drop(self.gate.1.wait_while(closed, |closed| *closed).expect("no writer panicked"));
            self.bytes.lock().expect("no writer panicked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn at(since_1970_ms: u64) -> String {
        timestamp(UNIX_EPOCH + Duration::from_millis(since_1970_ms))
    }

    #[test]
    fn timestamps_are_utc_with_milliseconds() {
        assert_eq!(at(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(at(951_782_400_001), "2000-02-29T00:00:00.001Z");
        assert_eq!(at(951_868_799_999), "2000-02-29T23:59:59.999Z");
        assert_eq!(at(1_709_251_200_000), "2024-03-01T00:00:00.000Z");
        assert_eq!(at(1_767_225_599_999), "2025-12-31T23:59:59.999Z");
        assert_eq!(at(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }

    #[test]
    fn everything_logged_is_written_when_the_guard_drops() {
        let sink = Sink::default();
        let (log, guard) = start_with(sink.clone(), LogFormat::Text, false);
        for n in 0..1000 {
            info!(log, "became leader"; "term" => n);
        }
        drop(log);
        drop(guard);
        let text = sink.text();
        assert_eq!(text.lines().count(), 1000, "{text}");
        let last = text.lines().last().expect("a line");
        assert!(last.ends_with("INFO became leader, term: 999"), "{last}");
        assert_eq!(last.as_bytes()[23], b'Z', "a time stamp comes first: {last}");
    }

    #[test]
    fn json_lines_are_objects() {
        let sink = Sink::default();
        let (log, guard) = start_with(sink.clone(), LogFormat::Json, false);
        warn!(log, "a \"quoted\"\nmessage"; "peer" => 2, "addr" => "127.0.0.1:1");
        drop((log, guard));
        let text = sink.text();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with('{') && text.ends_with("}\n"), "{text}");
        for part in [r#""level":"WARN""#, r#""msg":"a \"quoted\"\nmessage""#, r#""peer":2"#, r#""ts":"2"#] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }

    #[test]
    fn debug_messages_need_verbose() {
        for (verbose, lines) in [(false, 1), (true, 2)] {
            let sink = Sink::default();
            let (log, guard) = start_with(sink.clone(), LogFormat::Text, verbose);
            debug!(log, "chatter");
            info!(log, "news");
            drop((log, guard));
            assert_eq!(sink.text().lines().count(), lines, "verbose: {verbose}");
        }
    }

    #[test]
    fn raft_speaks_of_its_elections_only_when_asked() {
        let cases: [(&[&str], &[&str]); 3] = [
            (&[], &["alarm"]),
            (&["--timing", "demo"], &["election", "alarm"]),
            (&["--verbose"], &["chatter", "election", "alarm"]),
        ];
        for (args, expected) in cases {
            let cli = clap::Parser::parse_from(std::iter::once(&"bowline").chain(args));
            let config = Config::load(cli).expect("valid");
            let sink = Sink::default();
            let (log, guard) = start_with(sink.clone(), LogFormat::Text, config.verbose);
            let raft = raft_logger(&log, &config);
            debug!(raft, "chatter");
            info!(raft, "election");
            warn!(raft, "alarm");
            drop((raft, log, guard));
            let text = sink.text();
            let said: Vec<&str> = text.lines().filter_map(|l| l.rsplit(' ').next()).collect();
            assert_eq!(said, expected, "{args:?}");
        }
    }

    #[test]
    fn a_stuck_writer_loses_messages_and_counts_them() {
        let sink = Sink::default();
        sink.set_closed(true);
        let (log, guard) = start_with(sink.clone(), LogFormat::Text, false);
        let sent = CHANNEL_MESSAGES * 2;
        for n in 0..sent {
            info!(log, "flood"; "n" => n);
        }
        sink.set_closed(false);
        // The report goes out with the first message that finds room again.
        while !sink.text().contains("overflow") {
            info!(log, "after");
            std::thread::yield_now();
        }
        drop((log, guard));
        let kept = sink.text().lines().filter(|l| l.contains(" flood")).count();
        assert!((CHANNEL_MESSAGES..sent).contains(&kept), "{kept} of {sent} were written");
    }
}
