//! Counts and times by row, with a clock that the test moves.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering};

fn row(name: &str) -> &'static Command {
    command::lookup(name.as_bytes()).expect("a command")
}

fn args<'a>(words: &[&'a str]) -> Args<'a> {
    words.iter().map(|word| word.as_bytes()).collect()
}

#[test]
fn every_row_has_a_number_of_its_own() {
    let numbers = RowNumbers::new();
    let found: Vec<usize> = command::all().map(|row| numbers.of(row)).collect();
    assert_eq!(found, (0..command::all().count()).collect::<Vec<_>>());
}

#[test]
fn the_end_of_a_command_is_the_beginning_of_the_next() {
    static NOW: AtomicU64 = AtomicU64::new(0);
    let observer = Observer::new(Some(|| NOW.load(Ordering::Relaxed)));
    let pass = |ns| NOW.fetch_add(ns, Ordering::Relaxed);
    observer.begin();
    pass(3000);
    observer.record(row("get"), 1, &args(&["GET", "k"]), false);
    pass(500);
    observer.record(row("get"), 1, &args(&["GET", "k"]), true);
    pass(1_000_000);
    observer.begin();
    pass(11_000_000);
    observer.record(row("set"), 7, &args(&["SET", "k", "v"]), false);
    let get = observer.row(row("get"));
    assert_eq!((get.calls.get(), get.total_ns.get(), get.failed.get()), (2, 3500, 1));
    let set = observer.row(row("set"));
    assert_eq!((set.calls.get(), set.total_ns.get()), (1, 11_000_000));
    let logged = vec![b"SET".to_vec(), b"k".to_vec(), b"v".to_vec()];
    let slow = Slow::Command { ticket: 7, duration_us: 11_000, args: logged };
    assert_eq!(observer.take_slow(), [slow]);
    assert!(!observer.has_slow());
    observer.reject(row("del"));
    let seen: Vec<_> = observer.rows().map(|(row, _)| row.name).collect();
    assert_eq!(seen, ["del", "get", "set"]);
    observer.reset();
    assert_eq!(observer.rows().count(), 0);
    assert!(observer.row(row("get")).histogram().is_none());
}

#[test]
fn what_is_logged_is_cut_and_holds_no_secret() {
    let long = "x".repeat(130);
    let mut words = vec!["MSET", &long];
    words.resize(34, "k");
    let logged = shown(row("mset"), &args(&words));
    assert_eq!(logged.len(), 32);
    assert_eq!(logged[1], format!("{}... (2 more bytes)", "x".repeat(128)).into_bytes());
    assert_eq!(logged[31], b"... (3 more arguments)");
    let text = |words: &[&str], row| shown(row, &args(words)).join(&b' ');
    assert_eq!(text(&["AUTH", "u", "p"], row("auth")), b"AUTH (redacted) (redacted)");
    let hello = text(&["HELLO", "3", "auth", "u", "p", "SETNAME", "n"], row("hello"));
    assert_eq!(hello, b"HELLO 3 auth (redacted) (redacted) SETNAME n");
    let set = row("config").subcommand(b"set").expect("a subcommand");
    let set = text(&["config", "set", "RequirePass", "p", "timeout", "1"], set);
    assert_eq!(set, b"config set RequirePass (redacted) timeout 1");
}

#[test]
fn events_are_told_from_the_threshold_on_and_never_pile_up() {
    let observer = Observer::new(None);
    observer.event("expire-cycle", 9_000_000);
    assert!(!observer.has_slow(), "nobody asked");
    observer.latency_threshold_ms.set(5);
    observer.event("expire-cycle", 4_999_999);
    assert!(!observer.has_slow());
    for _ in 0..2 * limits::SLOW_UNTOLD {
        observer.event("expire-cycle", 5_000_000);
    }
    let told = observer.take_slow();
    assert_eq!(told.len(), limits::SLOW_UNTOLD);
    assert_eq!(told[0], Slow::Event { name: "expire-cycle", duration_ms: 5 });
}

#[test]
fn errors_are_counted_by_their_code_and_the_codes_are_bounded() {
    let observer = Observer::new(None);
    observer.count_error("ERR one");
    observer.count_error("WRONGTYPE");
    observer.count_error("ERR two");
    let counted: Vec<_> = observer.errors().into_iter().collect();
    assert_eq!(counted, [("ERR".to_owned(), 2), ("WRONGTYPE".to_owned(), 1)]);
    for i in 0..2 * limits::ERROR_CODES {
        observer.count_error(&format!("E{i} x"));
    }
    assert_eq!(observer.errors().len(), limits::ERROR_CODES);
}

#[test]
fn a_histogram_is_exact_below_256_and_to_two_digits_above() {
    let histogram = Histogram::new();
    for ns in 1..=1000 {
        histogram.record(ns);
    }
    assert_eq!(histogram.percentile_ns(10.0), 100);
    assert_eq!(histogram.percentile_ns(50.0), 501);
    assert_eq!(histogram.percentile_ns(100.0), 1003);
    assert_eq!(histogram.percentile_ns(0.0), 1);
    assert_eq!(histogram.steps_us(), [(1, 1000)]);
    histogram.record(5_000_000);
    histogram.record(u64::MAX);
    assert_eq!(histogram.steps_us()[1..], [(8454, 1001), (1_073_741, 1002)]);
}
