//! What is fuzzed. A target takes any bytes, and panics when a promise is broken. Blind bytes
//! find little: a target builds something valid from its input, cuts it up or damages it,
//! and compares two ways of reading it. This module must never read a clock, a file or a
//! random source: the same bytes do the same again.

mod entry;
mod frame;
mod log;
mod rdb;
mod resp;
mod snapshot;
mod snapshot_file;

/// What reads bytes that others have written.
pub type Target = fn(&[u8]);

/// All targets, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("resp", resp::run),                   // requests of clients
    ("frame", frame::run),                 // messages of peers
    ("entry", entry::run),                 // the replicated entry, and the units in it
    ("log", log::run),                     // segments and records on disk
    ("rdb", rdb::run),                     // the copy that an upstream sends
    ("snapshot", snapshot::run),           // a state in chunks
    ("snapshot_file", snapshot_file::run), // the file that holds them
];
