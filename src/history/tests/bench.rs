//! How long it takes, with an optimized build:
//! `cargo test --release --lib history -- --ignored --nocapture`.

use super::super::{Action, Bounds, Operation, check};
use super::random::{Shape, appends, generate};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use std::time::Instant;

fn move_keys(operation: &mut Operation, part: usize) {
    let keys = match &mut operation.action {
        Action::One(call) => vec![&mut call.key],
        Action::Transaction(calls) => calls.iter_mut().map(|call| &mut call.key).collect(),
        Action::MGet(keys) => keys.iter_mut().collect(),
    };
    for key in keys {
        *key = format!("{part}:{key}").into();
    }
}

#[test]
#[ignore = "a measurement"]
fn a_hundred_thousand_operations_of_ten_clients_a_key() {
    for (keys, clients, unknown_percent, transactions) in
        [(100, 10, 0, false), (100, 10, 1, false), (10, 10, 0, false), (100, 10, 1, true)]
    {
        let mut rng = SmallRng::seed_from_u64(7);
        // Each key, or each three that transactions connect, has its own ten clients.
        let apart = if transactions { keys / 3 } else { keys };
        let mut history = Vec::new();
        for part in 0..apart {
            let shape = Shape {
                operations: 100_000 / apart,
                clients,
                keys: keys / apart,
                unknown_percent,
                transactions,
                deadlines: false,
            };
            let mut of_part = generate(&mut rng, &shape);
            for operation in &mut of_part {
                move_keys(operation, part);
            }
            history.extend(of_part);
        }
        let started = Instant::now();
        let report = check(&history, Bounds::default());
        println!(
            "{report}; {clients} clients a key, {unknown_percent} % unknown, {} keys in a set: {:?}",
            keys / apart,
            started.elapsed()
        );
        assert!(report.is_linearizable());
    }
    let history = appends(&mut SmallRng::seed_from_u64(7), 10_000, 50);
    let started = Instant::now();
    let report = check(&history, Bounds::default());
    println!("{report}; appends: {:?}", started.elapsed());
}
