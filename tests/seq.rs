//! What operations on sequences of many elements take: measurements, and the bound of a single step, with
//! the allocator of the server, kept as the server keeps it: what is freed goes back to the system by a thread
//! of its own. The system's own allocator puts free pieces together for milliseconds at a time.

use bowline::collections::{Blob, Seq, Weigh};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What a sorted set keeps in order.
#[derive(Clone)]
struct Scored {
    score: f64,
    member: Blob,
}

impl Weigh for Scored {
    fn heap_bytes(&self) -> usize {
        self.member.heap_bytes()
    }

    fn rank(&self) -> u64 {
        self.score.to_bits() // in order, as long as no score is negative
    }
}

fn scored(score: f64) -> Scored {
    Scored { score, member: Blob::new(b"member:0123456789") }
}

/// What this thread has used of a processor: who else was running does not count.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("less than a second"))
}

fn each(what: &str, times: usize, mut step: impl FnMut(usize)) {
    let start = Instant::now();
    (0..times).for_each(&mut step);
    println!("{what}: {:.1} ns", start.elapsed().as_nanos() as f64 / times as f64);
}

/// What steps took, of those of each name; the least of several runs that did the same, since what else a
/// processor does to a thread is not the same twice.
type Steps = BTreeMap<&'static str, Vec<u32>>;

fn run(steps: &mut Steps, what: &'static str, is_first: bool, times: usize, mut step: impl FnMut(usize)) {
    let taken = (0..times).map(|number| {
        let start = used();
        step(number);
        u32::try_from((used() - start).as_nanos()).unwrap_or(u32::MAX)
    });
    if is_first {
        steps.entry(what).or_default().extend(taken);
    } else {
        let least = steps.get_mut(what).expect("the first run did the same");
        assert_eq!(least.len(), times);
        least.iter_mut().zip(taken).for_each(|(least, ns)| *least = ns.min(*least));
    }
}

#[test]
#[ignore = "a measurement: cargo test --release --test seq -- --ignored --nocapture"]
fn what_a_million_elements_take() {
    const COUNT: usize = 1_000_000;
    let mut rng = SmallRng::seed_from_u64(13);
    let mut seq = Seq::new();
    each("insert at a random place, from none to a million", COUNT, |_| {
        seq.insert(rng.random_range(0..=seq.len()), scored(0.0));
    });
    println!("bytes an element: {:.1}", seq.heap_bytes() as f64 / COUNT as f64);
    let places: Vec<usize> = (0..COUNT).map(|_| rng.random_range(0..COUNT)).collect();
    each("insert and remove at random places", COUNT, |n| {
        seq.insert(places[n], scored(0.0));
        seq.remove(places[COUNT - 1 - n]);
    });
    let mut sum = 0.0;
    each("get", COUNT, |n| sum += seq.get(places[n]).unwrap().score);
    let start = Instant::now();
    sum += seq.iter().map(|item| item.score).sum::<f64>();
    println!("iterate: {:.2} ns", start.elapsed().as_nanos() as f64 / COUNT as f64);
    assert_eq!(sum, 0.0);
    let sorted: Seq<Scored> = (0..COUNT).map(|n| scored(n as f64)).collect();
    each("partition_point", COUNT, |n| {
        assert_eq!(sorted.partition_point(|item| item.score < places[n] as f64), places[n]);
    });
    each("partition_point_of", COUNT, |n| {
        let score = places[n] as f64;
        assert_eq!(sorted.partition_point_of(score.to_bits(), |item| item.score < score), places[n]);
    });
    each("push_back", COUNT, |_| seq.push_back(scored(0.0)));
    each("push_front", COUNT, |_| seq.push_front(scored(0.0)));
    each("pop_back", COUNT, |_| drop(seq.pop_back()));
    each("pop_front", COUNT, |_| drop(seq.pop_front()));
    each("push_back and pop_front of a thousand", COUNT, {
        let mut queue: Seq<Scored> = (0..1_000).map(|_| scored(0.0)).collect();
        move |_| {
            queue.push_back(scored(0.0));
            queue.pop_front();
        }
    });
}

#[test]
#[ignore = "a measurement: cargo test --release --test seq -- --ignored --nocapture"]
fn no_step_takes_long_with_ten_million_elements() {
    const COUNT: usize = 10_000_000;
    tikv_jemalloc_ctl::background_thread::write(true).expect("the allocator has such a thread");
    let mut steps = Steps::new();
    for is_first in [true, false, false] {
        let mut rng = SmallRng::seed_from_u64(14);
        let mut worst =
            |what, times, step: &mut dyn FnMut(usize)| run(&mut steps, what, is_first, times, step);
        let mut seq = Seq::new();
        worst("push_back", COUNT, &mut |_| seq.push_back(scored(0.0)));
        worst("insert", 1_000_000, &mut |_| seq.insert(rng.random_range(0..=seq.len()), scored(0.0)));
        worst("remove", 1_000_000, &mut |_| drop(seq.remove(rng.random_range(0..seq.len()))));
        let mut clones = Vec::with_capacity(1_000);
        worst("clone", 1_000, &mut |_| clones.push(seq.clone()));
        worst("insert beside a clone", 200_000, &mut |_| {
            seq.insert(rng.random_range(0..=seq.len()), scored(0.0));
        });
        clones.truncate(1);
        let mut taken = Vec::with_capacity(4);
        worst("take_range of a quarter", 4, &mut |_| {
            let quarter = seq.len() / 4;
            taken.push(seq.take_range(quarter..2 * quarter));
        });
        drop(taken);
        let all = seq.len() / 1_000 + 1;
        worst("release of a thousand beside a clone", all, &mut |_| _ = seq.release(1_000));
        let mut last = clones.pop().expect("it was kept");
        worst("release of a thousand", last.len() / 1_000 + 1, &mut |_| _ = last.release(1_000));
        assert!(seq.is_empty() && last.is_empty());
    }
    for (what, least_ns) in &steps {
        let longest = Duration::from_nanos(least_ns.iter().copied().max().unwrap_or(0).into());
        println!("{what}: at most {longest:?}");
        assert!(longest < Duration::from_millis(1), "{what}: {longest:?}");
    }
}
