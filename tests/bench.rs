//! The benchmark's parts: the load generator counts and sends what it says, the floor answers each write,
//! and the report says what was measured. How fast anything is, is no test.

#[allow(dead_code, reason = "a test does not run its main function")]
#[path = "../examples/floor/main.rs"]
mod floor;
#[allow(dead_code, reason = "a test does not run its main function")]
#[path = "../examples/load/main.rs"]
mod load;

use std::process::Command;

#[test]
fn the_report_says_what_was_measured() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench/test_report.py");
    // -B: nothing is left in the source tree.
    let done = Command::new("python3").args(["-B", script]).output().expect("python3 is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
