//! The simulator proves that it can see: everything that is broken deliberately is caught
//! within a stated number of seeds.

use super::profile::Broken;
use super::run::{first_line, run_seed};

/// Runs seeds until one of them sees the defect.
fn is_caught(broken: Broken, within: u64) {
    let caught = (0..within).find_map(|seed| run_seed(seed, broken, false).outcome.err().map(|e| (seed, e)));
    let (seed, error) = caught.unwrap_or_else(|| panic!("{broken:?} went unseen in {within} seeds"));
    let error = first_line(&error);
    println!("{broken:?} was caught by seed {seed}, of {within}: {error}");
}

#[test]
fn disks_that_lie_are_caught() {
    is_caught(Broken::LyingDisk, 20);
}

#[test]
fn a_wiped_disk_that_claims_to_be_settled_is_caught() {
    is_caught(Broken::SettledButWiped, 50);
}

#[test]
fn forged_read_rounds_are_caught() {
    is_caught(Broken::ForgedReadRounds, 50);
}
