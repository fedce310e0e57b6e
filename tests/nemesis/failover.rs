//! How long nobody can write after the leader was killed, and what clients of the others see:
//! nothing but the time that it takes.

use crate::harness::load::Load;
use crate::harness::{Setup, eventually};
use std::time::{Duration, Instant};

/// Gaps from the leader's death to the first write that was sent later, sorted.
pub struct Gaps(Vec<Duration>);

impl Gaps {
    /// The smallest gap that so many hundredths of all do not exceed.
    pub fn percentile(&self, hundredths: usize) -> Duration {
        let place = (self.0.len() * hundredths).div_ceil(100).max(1);
        self.0[place.min(self.0.len()) - 1]
    }

    pub fn summary(&self) -> String {
        let [median, p99, max] = [50, 99, 100].map(|hundredths| self.percentile(hundredths).as_millis());
        format!(
            "{} kills of the leader: no write for {median} ms (median), {p99} ms (p99), {max} ms (most)",
            self.0.len()
        )
    }
}

/// Kills the leader so often, under load. Panics when a client of another node sees an error
/// or a broken connection, or when something acknowledged is missing.
pub fn kill_leaders(kills: usize) -> Gaps {
    let mut cluster = Setup::new().flags(&["--timing", "fast"]).start();
    let mut gaps = Vec::new();
    for round in 0..kills {
        let leader = cluster.leader();
        let load = Load::start(&cluster, &format!("failover{round}"), 2, 10);
        load.await_writes(200); // under load, not in the beginning of it
        let killed = Instant::now();
        cluster.kill(leader);
        eventually("another leader", || cluster.leader_now().filter(|now| *now != leader));
        load.await_writes(100);
        let outcomes = load.stop();
        outcomes.assert_no_errors();
        for id in cluster.running() {
            assert_eq!(outcomes.breaks(id), 0, "connections to node {id}, which lives");
        }
        gaps.push(outcomes.first_after(killed, leader).expect("writes go on"));
        outcomes.check(&mut cluster);
        cluster.restart(leader);
        cluster.await_ready();
    }
    gaps.sort();
    Gaps(gaps)
}
