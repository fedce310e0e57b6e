//! Bad days of a cluster of real processes: what is killed, paused, cut off, filled up,
//! damaged or told nonsense, and what clients see of it. `FAILURES` in a test's text names
//! failures of other systems that it would have caught.

mod harness;

#[path = "cluster/blocked.rs"]
mod blocked;
#[path = "cluster/calls.rs"]
mod calls;
#[path = "cluster/command_line.rs"]
mod command_line;
#[path = "cluster/disk.rs"]
mod disk;
#[path = "cluster/eviction.rs"]
mod eviction;
#[path = "cluster/identity.rs"]
mod identity;
#[path = "cluster/join.rs"]
mod join;
#[path = "cluster/leader.rs"]
mod leader;
#[path = "cluster/membership.rs"]
mod membership;
#[path = "cluster/memory.rs"]
mod memory;
#[path = "cluster/once.rs"]
mod once;
#[path = "cluster/pubsub.rs"]
mod pubsub;
#[path = "cluster/reads.rs"]
mod reads;
#[path = "cluster/restart.rs"]
mod restart;
#[path = "cluster/rows.rs"]
mod rows;
#[path = "cluster/scripts.rs"]
mod scripts;
#[path = "cluster/snapshots.rs"]
mod snapshots;
#[path = "cluster/strangers.rs"]
mod strangers;
#[path = "cluster/tracking.rs"]
mod tracking;
#[path = "cluster/users.rs"]
mod users;
