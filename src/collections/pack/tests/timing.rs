//! What it costs, for a look at it: `cargo test --profile mutants --lib collections::pack -- --ignored costs --nocapture`.

use super::*;
use std::hint::black_box;
use std::time::Instant;

#[test]
#[ignore = "prints times"]
fn costs() {
    for len in [10, 128, 512] {
        let names: Vec<String> = (0..len).map(|n| format!("field:{n:06}")).collect();
        let numbers: Vec<String> = (0..len).map(|n| (n * 1000).to_string()).collect();
        let both =
            names.iter().zip(&numbers).flat_map(|pair| [pair.0.clone(), pair.1.clone()]).take(len).collect();
        for (what, elements) in [("strings of 12", &names), ("numbers", &numbers), ("both", &both)] {
            print!("{len:3} {what:13}");
            let full = packed(elements);
            let (last, absent) = (elements[len - 1].as_bytes(), &b"field:nobody"[..]);
            show("push_back", len, || {
                black_box(packed(black_box(elements)));
            });
            show("push_front", len, || {
                let mut pack = Pack::new();
                black_box(elements).iter().for_each(|element| pack.push_front(element.as_bytes()));
                black_box(&pack);
            });
            show("find last", 1, || {
                black_box(full.find(full.first(), black_box(last), 0));
            });
            show("find no one", 1, || {
                black_box(full.find(full.first(), black_box(absent), 0));
            });
            show("seek middle, get", 1, || {
                black_box(full.seek(black_box(len as isize / 2)).map(|at| full.get(at)));
            });
            show("iterate", len, || {
                full.iter().for_each(|element| {
                    black_box(element);
                })
            });
            show("and back", len, || {
                full.iter().rev().for_each(|element| {
                    black_box(element);
                })
            });
            show("from_bytes", len, || {
                black_box(Pack::from_bytes(full.as_bytes().to_vec()));
            });
            println!();
        }
    }
}

/// The shortest of some rounds.
fn show(what: &str, parts: usize, mut act: impl FnMut()) {
    const TIMES: u32 = 2000;
    let round = |act: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..TIMES).for_each(|_| act());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(TIMES)
    };
    let shortest = (0..20).map(|_| round(&mut act)).fold(f64::MAX, f64::min);
    print!(" | {what} {:.1} ns", shortest / parts as f64);
}
