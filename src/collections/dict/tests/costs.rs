//! What a dictionary costs, with an optimized build:
//! `cargo test --release --lib dict -- --ignored --nocapture --test-threads 1`.

use super::SEED;
use crate::collections::Dict;
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::time::Duration;

const MEMBERS: usize = 10_000_000;

/// By the processor's time of this thread: what others do on the machine does not count.
fn now() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// How long each of many steps takes, and the worst of them.
#[derive(Default)]
struct Steps {
    all: Vec<u32>, // nanoseconds
}

impl Steps {
    fn time<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let started = now();
        let result = black_box(step());
        self.all.push((now() - started).as_nanos() as u32);
        result
    }

    fn report(mut self, what: &str) {
        let mean = self.all.iter().map(|&step| u64::from(step)).sum::<u64>() / self.all.len() as u64;
        self.all.sort_unstable();
        let worst: Vec<_> =
            self.all.iter().rev().take(5).map(|&step| Duration::from_nanos(step.into())).collect();
        println!("{what}: {} steps, {mean} ns each, the worst: {worst:?}", self.all.len());
    }
}

fn member(number: usize) -> [u8; 16] {
    let mut member = *b"member:000000000";
    itoa::Buffer::new().format(number).bytes().rev().zip(member.iter_mut().rev()).for_each(|(b, at)| *at = b);
    member
}

#[test]
#[ignore = "a measurement"]
fn no_step_is_long_with_ten_million_members() {
    let mut dict = Dict::new(SEED);
    let mut steps = Steps::default();
    for number in 0..MEMBERS {
        steps.time(|| dict.insert(&member(number)[..], ()));
    }
    steps.report("insert");
    println!("{} bytes a member", dict.heap_bytes() as f64 / MEMBERS as f64);

    // In an order that the processor does not foresee.
    let random = |number: usize| member(number.wrapping_mul(7_368_787) % MEMBERS);
    let started = now();
    (0..MEMBERS).for_each(|number| assert!(dict.contains(black_box(&random(number)))));
    println!("found in {} ns each", (now() - started).as_nanos() / MEMBERS as u128);
    let started = now();
    (0..MEMBERS).for_each(|number| assert!(!dict.contains(black_box(&member(number + MEMBERS)))));
    println!("missed in {} ns each", (now() - started).as_nanos() / MEMBERS as u128);
    let started = now();
    println!(
        "{} in order in {:?}",
        dict.iter().filter(|(member, _)| member.len() == 16).count(),
        (now() - started)
    );

    let mut steps = Steps::default();
    let mut frozen = steps.time(|| dict.freeze());
    steps.report("freeze");
    let mut steps = Steps::default();
    (0..MEMBERS / 10).for_each(|number| _ = steps.time(|| dict.remove(&random(number))));
    steps.report("remove while frozen");
    let mut steps = Steps::default();
    while steps.time(|| frozen.next_entry().is_some()) {}
    steps.report("read what is frozen");

    let mut steps = Steps::default();
    (MEMBERS / 10..MEMBERS - 1000).for_each(|number| _ = steps.time(|| dict.remove(&random(number))));
    steps.report("remove");
    println!("{} bytes for {} members", dict.heap_bytes(), dict.len());
}

#[test]
#[ignore = "a measurement"]
fn no_step_of_freeing_is_long() {
    let mut dict = Dict::new(SEED);
    (0..MEMBERS).for_each(|number| _ = dict.insert(&member(number)[..], ()));
    let mut steps = Steps::default();
    while !steps.time(|| dict.release(1000)) {}
    steps.report("release of 1000");
}
