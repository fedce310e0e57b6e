//! The simulator proves that it can see: whatever is broken deliberately, in the world or, with
//! the feature `mutants`, in the product, is caught within a stated number of seeds. They are
//! about five times as many as were needed when they were measured.

use super::profile::Broken;
use super::run::{first_line, run_seed};

/// Runs seeds until one of them sees the defect.
fn is_caught(broken: Broken, within: u64) {
    let mut elections = 0;
    let caught = (0..within).find_map(|seed| {
        let run = run_seed(seed, broken, false);
        elections += run.figures.elections;
        run.outcome.err().map(|error| (seed, error))
    });
    let Some((seed, error)) = caught else {
        panic!("{broken:?} went unseen in {within} seeds with {elections} elections");
    };
    println!("{broken:?} was caught by seed {seed}, of {within}: {}", first_line(&error));
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
    is_caught(Broken::ForgedReadRounds, 250);
}

#[cfg(feature = "mutants")]
mod product {
    use super::*;
    use bowline::mutant::Mutant;

    macro_rules! mutants {
        ($($name:ident: $mutant:ident within $seeds:literal;)*) => {
            $(#[test] fn $name() {
                is_caught(Broken::Product(Mutant::$mutant), $seeds);
                whole_product_passes(Mutant::$mutant, $seeds);
            })*
        };
    }

    mutants! {
        acknowledgement_before_the_sync: AcknowledgeBeforeSync within 10;
        counted_before_the_sync: AheadIsCounted within 160;
        acknowledgement_before_the_commit: AcknowledgeBeforeCommit within 10;
        reads_without_a_quorum: ReadsWithoutQuorum within 20;
        lease_not_checked: LeaseNotChecked within 20;
        deduplication_off: DedupOff within 20;
        vote_not_persisted: VoteNotPersisted within 40;
        snapshot_without_membership: SnapshotWithoutMembership within 10;
        commit_of_a_stale_term: CommitOfStaleTerm within 400;
        compaction_off_by_one: CompactionOffByOne within 10;
        configuration_change_twice: ConfigChangeTwice within 20;
        once_every_time: OnceEveryTime within 10;
        lost_push: PushLost within 5;
        pop_twice: PopTwice within 5;
        wrong_least: WrongLeast within 5;
        lost_increment: IncrementLost within 10;
        half_a_script: ScriptHalf within 5;
        forgotten_acknowledgement: AckForgotten within 5;
        lost_order: OrderLost within 10;
        long_value_not_frozen: LongNotFrozen within 10;
    }

    /// The same seeds find nothing wrong with the product as it is.
    fn whole_product_passes(mutant: Mutant, seeds: u64) {
        for seed in 0..seeds.min(30) {
            let outcome = run_seed(seed, Broken::Provoked(mutant), false).outcome;
            assert_eq!(outcome, Ok(()), "seed {seed}, as {mutant:?} is provoked");
        }
    }
}
