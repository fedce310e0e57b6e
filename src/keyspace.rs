//! One replica's keys. This module must never ask a clock or a random source: time comes
//! in with each call, and everything it does is the same on every replica.

mod blob;

pub use blob::Blob;
