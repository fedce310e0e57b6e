//! Everything that reads bytes of strangers, on the corpus that the coverage-guided runs have
//! found (`scripts/fuzz.sh`), and on some thousand random changes of it. A failure names the
//! input; `BOWLINE_FUZZ_INPUT=FILE` runs that one alone.
//!
//! `BOWLINE_SEED` sets the seed, `BOWLINE_MUTATIONS` the number of changes of a target.

mod memory;
mod mutate;
mod source;
mod targets;

use mutate::mutate;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use targets::{TARGETS, Target};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The inputs of a target, in the order of their names.
fn corpus(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let entries = fs::read_dir(&directory).expect("a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

#[track_caller]
fn run(name: &str, target: Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-failed"));
        let _ = fs::write(&kept, input);
        eprintln!("{name} fails on {}: BOWLINE_FUZZ_INPUT={}", input.escape_ascii(), kept.display());
        std::panic::resume_unwind(panic);
    }
}

fn replay(name: &str, mutations: u64) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    if let Some(path) = std::env::var_os("BOWLINE_FUZZ_INPUT") {
        return run(name, *target, &fs::read(path).expect("the input"));
    }
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    corpus.iter().for_each(|input| run(name, *target, input));
    let seed = number("BOWLINE_SEED", getrandom::u64().expect("Linux has random bytes"));
    println!("{name}: {} inputs, BOWLINE_SEED={seed}", corpus.len());
    let mut rng = SmallRng::seed_from_u64(seed);
    for _ in 0..number("BOWLINE_MUTATIONS", mutations) {
        let [base, other] = [(); 2].map(|()| &corpus[rng.random_range(0..corpus.len())]);
        run(name, *target, &mutate(base, other, &mut rng));
    }
}

#[test]
fn requests() {
    replay("resp", 5000);
}

#[test]
fn frames() {
    replay("frame", 5000);
}

#[test]
fn entries() {
    replay("entry", 1000);
}

#[test]
fn logs() {
    replay("log", 4000);
}

#[test]
fn copies_of_an_upstream() {
    replay("rdb", 20_000);
}

#[test]
fn snapshots() {
    replay("snapshot", 500);
}

#[test]
fn snapshot_files() {
    replay("snapshot_file", 5000);
}

/// What the corpus may cost.
#[test]
fn the_corpus_is_small() {
    let sizes: Vec<usize> =
        TARGETS.iter().flat_map(|(name, _)| corpus(name)).map(|input| input.len()).collect();
    assert!(
        sizes.len() <= 1000,
        "{} inputs: scripts/fuzz.sh --merge keeps those that are of use",
        sizes.len()
    );
    assert!(sizes.iter().sum::<usize>() < 1 << 20, "{} bytes", sizes.iter().sum::<usize>());
}
