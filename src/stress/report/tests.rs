//! The page: all that it has to show is there, and nothing that was read can do anything there.

use super::super::record::{Check, Finding, Judged, Verdict};
use super::super::{sample, verdict};
use super::*;

fn not_ok() -> Verdict {
    let text = "<script>alert(1)</script> is gone".to_owned();
    Verdict {
        findings: vec![Finding { check: "versions".into(), text }],
        checks: vec![Check { name: "versions".into(), counted: "7".into(), judged: Judged::NotOk }],
    }
}

#[test]
fn the_verdict_and_all_that_happened_are_on_the_page() {
    let run = sample::rich();
    let page = page(&run, &verdict::judge(&run));
    for part in [
        "<header class=\"ok\">",
        "<strong>ok</strong>",
        "Throughput",
        "Latency",
        "class=\"mark fault\"",
        "4.0 s: node 1 killed",
        "node 2 leads, after node 1",
        "class=\"errors\"",
        "client5",
        "linearizability",
        "3 nodes of its own on file",
        "2023-11-14 22:13 UTC",
        "120,",
    ] {
        assert!(page.contains(part), "{part:?} is not on the page");
    }
    // It needs nothing from elsewhere.
    for part in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(part), "{part:?} is on the page");
    }
    // A second without a reply is a gap in the curves.
    assert_eq!(page.matches("<polyline class=\"p50\"").count(), 2);
}

#[test]
fn what_was_read_stays_text() {
    let page = page(&sample::rich(), &not_ok());
    assert!(page.contains("<header class=\"bad\">") && page.contains("<strong>not ok</strong>"));
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
    assert!(page.contains("stress:7:&lt;key&gt;") && page.contains("a&amp;b"));
}

#[test]
fn a_run_without_a_single_reply_has_a_page_too() {
    let run = sample::run(Vec::new(), Vec::new());
    let page = page(&run, &verdict::judge(&run));
    assert!(page.contains("not decided") && !page.contains("NaN") && !page.contains("inf"), "{page}");
}

#[test]
fn dates_and_numbers_are_those_of_calendars() {
    assert_eq!(tables::utc(0), "1970-01-01 00:00 UTC");
    assert_eq!(tables::utc(951_868_799_000), "2000-02-29 23:59 UTC");
    assert_eq!(tables::utc(4_107_542_400_000), "2100-03-01 00:00 UTC");
    assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
}

#[test]
#[ignore = "writes a page to look at to the file that BOWLINE_REPORT names"]
fn a_page_to_look_at() {
    let path = std::env::var_os("BOWLINE_REPORT").expect("a path");
    let run = sample::rich();
    let is_bad = path.to_string_lossy().contains("bad");
    std::fs::write(path, page(&run, &if is_bad { not_ok() } else { verdict::judge(&run) })).expect("written");
}
