//! What went wrong elsewhere, tried here.
mod harness;

#[path = "failures/clients.rs"]
mod clients;
#[path = "failures/faults.rs"]
mod faults;
#[path = "failures/leaders.rs"]
mod leaders;
#[path = "failures/membership.rs"]
mod membership;
#[path = "failures/restarts.rs"]
mod restarts;
#[path = "failures/snapshots.rs"]
mod snapshots;
