//! Whole clusters of the real `Group`, in virtual time, under every fault there is, from one
//! seed each. `BOWLINE_SEED=n` runs one seed again, exactly; `BOWLINE_SEEDS=n` runs so many.
//! Nothing here may depend on anything but the seed.

mod check;
mod clients;
mod disk;
mod faults;
mod history;
mod network;
mod node;
mod profile;
mod snapshots;
mod world;

use profile::Defect;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use world::{Figures, World};

struct Run {
    outcome: Result<(), String>,
    figures: Figures,
    digest: u64,
    trace: Vec<String>,
}

fn run_seed(seed: u64, defect: Defect, traced: bool) -> Run {
    let mut world = match World::new(seed, defect, traced) {
        Ok(world) => world,
        Err(error) => {
            return Run { outcome: Err(error), figures: Figures::default(), digest: 0, trace: vec![] };
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    let trace = world.trace.take().map_or_else(Vec::new, Vec::from);
    Run { outcome, figures: world.figures, digest: world.digest, trace }
}

/// Runs it once more to tell how it came about.
fn explain(seed: u64, error: &str) -> String {
    let again = run_seed(seed, Defect::None, true);
    let last = again.trace.join("\n");
    format!("{last}\nseed {seed}: {error}\nRun it again with BOWLINE_SEED={seed}")
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn clusters_keep_their_promises_under_faults() {
    if let Some(seed) = number_from("BOWLINE_SEED") {
        let run = run_seed(seed, Defect::None, false);
        println!("seed {seed}: {:?}, digest {:x}", run.figures, run.digest);
        if let Err(error) = run.outcome {
            panic!("{}", explain(seed, &error));
        }
        return;
    }
    let seeds = number_from("BOWLINE_SEEDS");
    let limit = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 70 });
    let base = u64::from(std::process::id()) << 32 | u64::from(Instant::now().elapsed().subsec_nanos());
    let base = if seeds.is_some() { 0 } else { base };
    println!("seeds from {base}");
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let total = Mutex::new((Figures::default(), 0u64));
    let failure = Mutex::new(None);
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let is_over = seeds.map_or_else(|| started.elapsed() > limit, |seeds| number >= seeds);
        if is_over || failure.lock().expect("no panic while held").is_some() {
            break;
        }
        let run = run_seed(base + number, Defect::None, false);
        if let Err(error) = run.outcome {
            *failure.lock().expect("no panic while held") = Some((base + number, error));
            break;
        }
        let mut total = total.lock().expect("no panic while held");
        add(&mut total.0, run.figures);
        total.1 += 1;
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    if let Some((seed, error)) = failure.into_inner().expect("no panic while held") {
        panic!("{}", explain(seed, &error));
    }
    let (sum, runs) = *total.lock().expect("no panic while held");
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{runs} seeds in {seconds:.0} s: {:.0} virtual seconds a second, {:.0} operations a second; {sum:?}",
        sum.virtual_us as f64 / 1e6 / seconds,
        sum.operations as f64 / seconds
    );
    assert!(runs > 0 && sum.snapshots_installed > 0 && sum.crashes > 0, "faults must really happen");
}

fn add(sum: &mut Figures, run: Figures) {
    sum.events += run.events;
    sum.operations += run.operations;
    sum.virtual_us += run.virtual_us;
    sum.crashes += run.crashes;
    sum.snapshots_stored += run.snapshots_stored;
    sum.snapshots_installed += run.snapshots_installed;
    sum.elections += run.elections;
}

#[test]
fn a_seed_runs_the_same_again() {
    let [first, second] = [(); 2].map(|()| run_seed(7, Defect::None, false));
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.figures.events, second.figures.events);
}

fn is_caught(defect: Defect, within: u64) {
    let caught = (0..within).find_map(|seed| run_seed(seed, defect, false).outcome.err().map(|e| (seed, e)));
    let (seed, error) = caught.unwrap_or_else(|| panic!("{defect:?} went unseen in {within} seeds"));
    println!("{defect:?} was caught by seed {seed}: {error}");
}

#[test]
fn early_acknowledgements_are_caught() {
    is_caught(Defect::EarlyPersist, 50);
}

#[test]
fn a_wiped_disk_that_claims_to_be_settled_is_caught() {
    is_caught(Defect::SettledButWiped, 50);
}

#[test]
fn forged_read_rounds_are_caught() {
    is_caught(Defect::ForgedReadRounds, 50);
}

#[test]
fn a_forgotten_vote_is_caught() {
    is_caught(Defect::ForgottenVote, 100);
}
