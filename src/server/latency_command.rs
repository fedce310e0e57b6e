//! `LATENCY`: the events that made this node slow, and the distribution of execution times. This
//! module must never advise what does nothing here.

use super::Shared;
use super::journal::{Series, now_s};
use crate::command::{self, Command, LatencyCommand as Do, Reply};
use crate::group::Histogram;
use std::fmt::Write;

const GRAPH_COLUMNS: usize = 80;
const GRAPH_ROWS: usize = 4;
const GRAPH_LETTERS: &[u8; 3] = b"_o#";

/// Carries one of its subcommands out.
pub fn run(shared: &Shared, what: Do, args: &[&[u8]]) -> Reply {
    shared.clients.write_journal();
    let named = args.get(2..).unwrap_or_default();
    let mut events = shared.clients.stats().journal.latency.events.borrow_mut();
    let event = named.first().and_then(|name| std::str::from_utf8(name).ok());
    match what {
        Do::Histogram => histogram(shared, named),
        Do::Latest => {
            let latest = |(name, series): (&&str, &Series)| {
                let (at_s, ms) = series.samples.back().copied().unwrap_or_default();
                let numbers = [at_s, ms as i64, series.max_ms as i64].map(Reply::Int);
                Reply::Array([Reply::bulk(name)].into_iter().chain(numbers).collect())
            };
            Reply::Array(events.iter().map(latest).collect())
        }
        Do::History => {
            let samples = event.and_then(|event| events.get(event)).map(|series| series.samples.iter());
            let pair = |&(at_s, ms): &(i64, u64)| Reply::Array(vec![Reply::Int(at_s), Reply::Int(ms as i64)]);
            Reply::Array(samples.into_iter().flatten().map(pair).collect())
        }
        Do::Graph => match event.and_then(|event| events.get_key_value(event)) {
            Some((name, series)) => Reply::Verbatim(graph(name, series).into()),
            None => {
                let name = crate::command::shown(named.first().copied().unwrap_or_default());
                Reply::error_owned(format!("ERR No samples available for event '{name}'"))
            }
        },
        Do::Reset if named.is_empty() => {
            let forgotten = events.len();
            events.clear();
            Reply::Int(forgotten as i64)
        }
        Do::Reset => {
            let before = events.len();
            events.retain(|event, _| !named.contains(&event.as_bytes()));
            Reply::Int((before - events.len()) as i64)
        }
        Do::Doctor => {
            let threshold_ms = shared.observer().latency_threshold_ms.get();
            Reply::Verbatim(doctor(events.iter(), threshold_ms).into())
        }
    }
}

fn histogram(shared: &Shared, named: &[&[u8]]) -> Reply {
    let observer = shared.observer();
    let pair = |row: &'static Command| {
        let histogram = observer.row(row).histogram()?;
        Some((Reply::bulk(row.full_name), distribution(histogram)))
    };
    if named.is_empty() {
        return Reply::Map(command::all().filter_map(pair).collect());
    }
    let found = named.iter().filter_map(|name| command::named(name));
    let rows = found.flat_map(|row| std::iter::once(row).chain(row.subcommands));
    Reply::Map(rows.filter_map(pair).collect())
}

fn distribution(histogram: &Histogram) -> Reply {
    let int = |number: u64| Reply::Int(number as i64);
    let steps = histogram.steps_us().into_iter().map(|(us, count)| (int(us), int(count)));
    Reply::Map(vec![
        (Reply::bulk("calls"), int(histogram.count())),
        (Reply::bulk("histogram_usec"), Reply::Map(steps.collect())),
    ])
}

fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// As Redis draws it: a column a sample, its age below it, read downwards.
fn graph(name: &str, series: &Series) -> String {
    let now = now_s();
    let values = || series.samples.iter().map(|sample| sample.1);
    let (high, low) = (values().max().unwrap_or(0), values().min().unwrap_or(0));
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", series.max_ms);
    text.push_str(&"-".repeat(GRAPH_COLUMNS));
    text.push('\n');
    let columns: Vec<(usize, String)> = series
        .samples
        .iter()
        .map(|&(at_s, ms)| (step(ms - low, (high - low).max(1)), ago(now - at_s)))
        .collect();
    for (i, part) in columns.chunks(GRAPH_COLUMNS).enumerate() {
        if i > 0 {
            text.push('\n');
        }
        draw(&mut text, part);
    }
    text
}

fn step(value: u64, range: u64) -> usize {
    let steps = GRAPH_LETTERS.len() * GRAPH_ROWS;
    ((value * steps as u64 / range) as usize).min(steps - 1)
}

fn draw(text: &mut String, columns: &[(usize, String)]) {
    for row in 0..GRAPH_ROWS {
        let base = (GRAPH_ROWS - row - 1) * GRAPH_LETTERS.len();
        let letter = |&(step, _): &(usize, String)| match step.checked_sub(base) {
            Some(above) if above < GRAPH_LETTERS.len() => char::from(GRAPH_LETTERS[above]),
            Some(_) => '|',
            None => ' ',
        };
        text.extend(columns.iter().map(letter));
        text.push('\n');
    }
    let longest = columns.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    text.push_str(&" ".repeat(columns.len()));
    text.push('\n');
    for i in 0..longest {
        text.extend(columns.iter().map(|(_, label)| label.as_bytes().get(i).map_or(' ', |b| char::from(*b))));
        text.push('\n');
    }
}

/// What can be done about events of a kind.
fn advice(event: &str) -> &'static str {
    match event {
        "command" => "SLOWLOG GET shows the commands; those that look at many keys are the usual ones.",
        "fast-command" => "the process did not get the processor: look for others that use it.",
        "expire-cycle" => "many keys had the same deadline, or large ones: spread deadlines.",
        "aof-fsync-always" => "the disk was slow to sync the log, and nothing is answered before that.",
        _ => "",
    }
}

fn doctor<'a>(events: impl Iterator<Item = (&'a &'static str, &'a Series)>, threshold_ms: i64) -> String {
    let mut text = String::new();
    for (i, (name, series)) in events.enumerate() {
        let samples = series.samples.len().max(1) as u64;
        let mean = series.samples.iter().map(|sample| sample.1).sum::<u64>() / samples;
        let deviation = series.samples.iter().map(|sample| sample.1.abs_diff(mean)).sum::<u64>() / samples;
        let first_s = series.samples.front().map_or(0, |sample| sample.0);
        let period_s = (now_s() - first_s).max(1) as f64 / samples as f64;
        let longest = series.max_ms;
        writeln!(
            text,
            "{}. {name}: {samples} spikes (mean {mean} ms, mean deviation {deviation} ms, \
             one in {period_s:.2} s, the longest ever {longest} ms): {}",
            i + 1,
            advice(name)
        )
        .expect("a String grows");
    }
    match (text.is_empty(), threshold_ms) {
        (true, 0) => {
            "Nothing is watched: CONFIG SET latency-monitor-threshold MILLISECONDS begins it.\n".to_owned()
        }
        (true, _) => format!("Nothing has taken {threshold_ms} ms since the events were last forgotten.\n"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_has_a_column_a_sample_and_its_age_below() {
        let now = now_s();
        let samples = [(now - 7200, 10), (now - 120, 20), (now - 5, 110)].into_iter().collect();
        let drawn = graph("command", &Series { samples, max_ms: 300 });
        let line = "-".repeat(80);
        let expected = format!(
            "command - high 110 ms, low 10 ms (all time high 300 ms)\n{line}\n  #\n  |\n  |\n_o|\n   \n225\nhms\n"
        );
        assert_eq!(drawn, expected);
    }

    #[test]
    fn the_doctor_says_what_is_known_and_what_can_be_done() {
        assert!(doctor([].into_iter(), 0).starts_with("Nothing is watched"));
        assert!(doctor([].into_iter(), 5).starts_with("Nothing has taken 5 ms"));
        let series =
            Series { samples: [(now_s() - 10, 4), (now_s() - 5, 8)].into_iter().collect(), max_ms: 9 };
        let text = doctor([(&"expire-cycle", &series)].into_iter(), 5);
        let expected = "1. expire-cycle: 2 spikes (mean 6 ms, mean deviation 2 ms, one in 5.";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("the longest ever 9 ms): many keys"), "{text}");
    }
}
