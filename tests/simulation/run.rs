//! Runs of seeds: one, or many on some threads.

use super::profile::Broken;
use super::world::{self, Outcome, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub struct Run {
    pub outcome: Outcome,
    pub figures: world::Figures,
    pub digest: u64,
    pub trace: Vec<String>,
}

/// The sum of many runs.
#[derive(Debug, Default, Clone, Copy)]
pub struct Figures {
    pub runs: u64,
    pub world: world::Figures,
}

pub fn run_seed(seed: u64, broken: Broken, traced: bool) -> Run {
    break_product(broken);
    let mut world = World::new(seed, broken, traced);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    });
    break_product(Broken::Nothing);
    let trace = world.trace.take().map_or_else(Vec::new, Vec::from);
    Run { outcome, figures: world.figures, digest: world.digest, trace }
}

#[cfg(feature = "mutants")]
fn break_product(broken: Broken) {
    let mutant = if let Broken::Product(mutant) = broken { Some(mutant) } else { None };
    bowline::mutant::set(mutant);
}

#[cfg(not(feature = "mutants"))]
fn break_product(_: Broken) {}

/// Runs it once more to tell how it came about.
pub fn explain(seed: u64, error: &str) -> String {
    let again = run_seed(seed, Broken::Nothing, true);
    let last = again.trace.join("\n");
    format!("{last}\nseed {seed}: {error}\nRun it again with BOWLINE_SEED={seed}")
}

pub fn first_line(error: &str) -> String {
    error.lines().next().unwrap_or_default().chars().take(300).collect()
}

pub fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Runs as many seeds, or as long, as the environment asks for.
pub fn run_many() -> Figures {
    let seeds = number_from("BOWLINE_SEEDS");
    let seconds = number_from("BOWLINE_SECONDS").unwrap_or(if cfg!(debug_assertions) { 30 } else { 60 });
    let limit = Duration::from_secs(seconds);
    let threads = number_from("BOWLINE_THREADS").unwrap_or(2);
    // So many seeds are the same ones every time; so long a run looks at others.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let base =
        number_from("BOWLINE_FROM").unwrap_or(if seeds.is_some() { 0 } else { now.as_micros() as u64 });
    println!("seeds from {base}");
    let (next, started) = (AtomicU64::new(0), Instant::now());
    let total = Mutex::new(Figures::default());
    // With `BOWLINE_ALL` the rest is looked at as well.
    let most_failures = if number_from("BOWLINE_ALL").is_some() { usize::MAX } else { 1 };
    let failures = Mutex::new(Vec::new());
    let work = || loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let is_over = seeds.map_or_else(|| started.elapsed() > limit, |seeds| number >= seeds);
        if is_over || failures.lock().expect("no panic while held").len() >= most_failures {
            break;
        }
        let run = run_seed(base + number, Broken::Nothing, false);
        if let Err(error) = run.outcome {
            println!("seed {}: {}", base + number, first_line(&error));
            failures.lock().expect("no panic while held").push((base + number, error));
        }
        add(&mut total.lock().expect("no panic while held"), run.figures);
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let figures = *total.lock().expect("no panic while held");
    tell(&figures, started.elapsed().as_secs_f64(), threads);
    let failures = failures.into_inner().expect("no panic while held");
    if let Some((seed, error)) = failures.first() {
        panic!("{}\n{} of {} seeds failed", explain(*seed, error), failures.len(), figures.runs);
    }
    figures
}

fn tell(figures: &Figures, seconds: f64, threads: u64) {
    let a_core = seconds * threads as f64;
    println!(
        "{} seeds in {seconds:.0} s; on each of {threads} threads {:.0} virtual seconds, {:.0} operations and \
         {:.0} events a second; {:?}",
        figures.runs,
        figures.world.virtual_us as f64 / 1e6 / a_core,
        figures.world.operations as f64 / a_core,
        figures.world.events as f64 / a_core,
        figures.world
    );
}

fn add(sum: &mut Figures, run: world::Figures) {
    sum.runs += 1;
    let world = &mut sum.world;
    world.events += run.events;
    world.operations += run.operations;
    world.virtual_us += run.virtual_us;
    world.crashes += run.crashes;
    world.disks_failed += run.disks_failed;
    world.late_syncs += run.late_syncs;
    world.looks_again += run.looks_again;
    world.snapshots_stored += run.snapshots_stored;
    world.snapshots_installed += run.snapshots_installed;
    world.log_held += run.log_held;
    world.snapshots_of_changing += run.snapshots_of_changing;
    world.long_installed += run.long_installed;
    world.typed += run.typed;
    world.typed_amid_faults += run.typed_amid_faults;
    world.typed_unknown += run.typed_unknown;
    world.elections += run.elections;
    world.wishes += run.wishes;
    world.removals += run.removals;
}
