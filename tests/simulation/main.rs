//! Whole clusters of the real group, machine and file storage, in virtual time, under every
//! fault there is, from one seed each. `BOWLINE_SEED=n` runs one seed again, exactly;
//! `BOWLINE_SEEDS=n` runs so many, `BOWLINE_SECONDS=n` so long, `BOWLINE_THREADS=n` at a time.
//! Nothing here may depend on anything but the seed.

mod check;
mod clients;
mod disk;
mod driver;
mod faults;
mod history;
mod mutants;
mod network;
mod node;
mod operator;
mod profile;
mod queue;
mod run;
mod snapshots;
mod steps;
mod typed;
mod world;

use profile::Broken;
use run::{Figures, explain, number_from, run_many, run_seed};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[test]
fn clusters_keep_their_promises_under_faults() {
    if let Some(seed) = number_from("BOWLINE_SEED") {
        let run = run_seed(seed, Broken::Nothing, false);
        println!("seed {seed}: {:?}, digest {:x}", run.figures, run.digest);
        if let Err(error) = run.outcome {
            panic!("{}", explain(seed, &error));
        }
        return;
    }
    let Figures { runs, world, .. } = run_many();
    let typed =
        [world.snapshots_of_changing, world.long_installed, world.typed_amid_faults, world.typed_unknown];
    let happened = [
        world.crashes,
        world.disks_failed,
        world.late_syncs,
        world.looks_again,
        world.snapshots_installed,
        world.log_held,
        world.elections,
    ];
    assert!(
        runs > 0 && happened.iter().chain(&typed).all(|count| *count > 0),
        "faults must really happen: {world:?}"
    );
}

#[test]
fn a_seed_runs_the_same_again() {
    for seed in 7..12 {
        let [first, second] = [(); 2].map(|()| run_seed(seed, Broken::Nothing, false));
        assert_eq!(first.digest, second.digest);
        assert_eq!(first.figures.events, second.figures.events);
    }
}
