//! Entries that overlap, and entries that go one at a time: what a turn does with them, and which of the two a leader
//! settles on.

use super::cluster::Cluster;
use crate::group::rhythm::Rhythm;
use crate::group::{Effects, Group, Input, Job, Now, Step};
use crate::limits;
use crate::wire::units;

const NOW: Now = Now { wall_ms: 1_700_000_100_000, mono_us: 100_000_000 };

fn leader(cluster: &mut Cluster, one_at_a_time: bool) -> &mut Group {
    ["cluster 1", "elect 1", "run 5"].iter().for_each(|line| cluster.command(line, &mut String::new()));
    let group = cluster.group_mut(1);
    group.rhythm = Rhythm::new(one_at_a_time);
    group
}

fn submit(group: &mut Group, ticket: u64) {
    let mut job = Job { ticket, ..Job::default() };
    units::put_command_unit(&mut job.body, &[b"SET".as_slice(), b"key", b"value"], 0);
    job.steps.push(Step::Write);
    group.step(Input::Submit(job), NOW);
}

/// The number of the only write, and how many entries are in it.
fn write_of(effects: &Effects) -> Option<(u64, usize)> {
    let persist = effects.persists.iter().find(|persist| !persist.log.entries.is_empty())?;
    Some((persist.number, persist.log.entries.len()))
}

fn answered(effects: &Effects) -> Vec<u64> {
    effects.replies.iter().map(|(ticket, _)| *ticket).collect()
}

#[test]
fn one_at_a_time_who_is_answered_may_join_the_next_entry() {
    let mut cluster = Cluster::default();
    let group = leader(&mut cluster, true);
    submit(group, 1);
    let (first, _) = write_of(&group.take_urgent_effects()).expect("nothing is under way");
    group.take_effects();
    submit(group, 2);
    assert!(write_of(&group.take_urgent_effects()).is_none(), "the first is under way");
    group.take_effects();

    group.step(Input::Persisted(first), NOW);
    assert!(write_of(&group.take_urgent_effects()).is_none(), "nobody is answered yet");
    let effects = group.take_effects();
    assert_eq!((answered(&effects), effects.look_again), (vec![1], true));
    assert!(write_of(&effects).is_none(), "who was answered has not asked again");

    submit(group, 3);
    let (second, entries) = write_of(&group.take_urgent_effects()).expect("now it is time");
    assert_eq!(entries, 1);
    group.step(Input::Persisted(second), NOW);
    let effects = group.take_effects();
    assert_eq!((answered(&effects), effects.look_again), (vec![2, 3], true), "in one entry");
}

#[test]
fn what_waits_goes_in_the_turn_after_the_answers_though_nobody_asks_again() {
    let mut cluster = Cluster::default();
    let group = leader(&mut cluster, true);
    submit(group, 1);
    let (first, _) = write_of(&group.take_effects()).unwrap();
    submit(group, 2);
    group.step(Input::Persisted(first), NOW);
    assert!(group.take_effects().look_again);
    let (second, _) = write_of(&group.take_urgent_effects()).expect("no input, and yet");
    group.step(Input::Persisted(second), NOW);
    let effects = group.take_effects();
    assert_eq!(
        (answered(&effects), effects.look_again),
        (vec![2], false),
        "one that is alone is not waited for"
    );
}

#[test]
fn entries_that_overlap_leave_before_the_answers() {
    let mut cluster = Cluster::default();
    let group = leader(&mut cluster, false);
    submit(group, 1);
    let (first, _) = write_of(&group.take_effects()).unwrap();
    submit(group, 2);
    submit(group, 3);
    assert!(write_of(&group.take_urgent_effects()).is_some(), "more than is under way");
    group.step(Input::Persisted(first), NOW);
    let effects = group.take_effects();
    assert_eq!((answered(&effects), effects.look_again), (vec![1], false));
}

/// A leader whose entries take as long as `units_a_ms` says of the rhythm that they go in, for so many milliseconds;
/// the part of them in which they went one at a time.
fn run(rhythm: &mut Rhythm, now_us: &mut u64, ms: u64, units_a_ms: impl Fn(bool, u64) -> u64) -> f64 {
    let mut one_at_a_time = 0;
    for ms in 0..ms {
        for _ in 0..units_a_ms(rhythm.one_at_a_time(), ms) {
            rhythm.unit();
        }
        *now_us += 1_000;
        rhythm.applied(1, *now_us);
        one_at_a_time += u64::from(rhythm.one_at_a_time());
    }
    one_at_a_time as f64 / ms as f64
}

#[test]
fn the_rhythm_is_the_one_that_was_measured_to_be_more() {
    let (mut rhythm, mut now_us) = (Rhythm::new(false), 1_000_000);
    let first = 15 * limits::RHYTHM_US / 1_000;
    run(&mut rhythm, &mut now_us, first, |one, _| if one { 60 } else { 50 });
    assert!(rhythm.one_at_a_time(), "settled within {first} ms");
    let part = run(&mut rhythm, &mut now_us, 5_000, |one, _| if one { 60 } else { 50 });
    assert!(part > 0.9, "{part}: trials are rare");
    // More clients, or another machine: the other one is more now.
    run(&mut rhythm, &mut now_us, 20_000, |one, _| if one { 80 } else { 100 });
    let part = run(&mut rhythm, &mut now_us, 5_000, |one, _| if one { 80 } else { 100 });
    assert!(part < 0.1, "{part}");
}

#[test]
fn a_rhythm_that_is_no_more_than_the_other_stays() {
    for one_at_a_time in [false, true] {
        let (mut rhythm, mut now_us) = (Rhythm::new(one_at_a_time), 1_000_000);
        let part = run(&mut rhythm, &mut now_us, 20_000, |_, ms| 100 + ms * 7919 % 23);
        assert!((part - f64::from(u8::from(one_at_a_time))).abs() < 0.1, "{part}");
    }
}

#[test]
fn entries_with_nothing_in_them_say_nothing() {
    let (mut rhythm, mut now_us) = (Rhythm::new(false), 1_000_000);
    run(&mut rhythm, &mut now_us, 2_000, |_, _| 0);
    run(&mut rhythm, &mut now_us, 5_000, |one, _| if one { 60 } else { 50 });
    let part = run(&mut rhythm, &mut now_us, 5_000, |one, _| if one { 60 } else { 50 });
    assert!(part > 0.9, "{part}: what was measured before does not matter");
}

#[test]
fn a_leader_with_little_to_do_tries_nothing() {
    let mut rhythm = Rhythm::new(false);
    let few = limits::RHYTHM_US / u64::from(limits::RHYTHM_ENTRIES) + 1_000;
    for at in 0..1_000 {
        rhythm.unit();
        rhythm.applied(1, at * few);
        assert!(!rhythm.one_at_a_time());
    }
}
