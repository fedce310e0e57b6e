//! One Raft group: what is proposed, replicated, applied and read. Inputs in, effects out;
//! this module must never do IO, nor ask a clock or a random source.

mod job;

pub use job::{Job, ReadTransaction, Step};
