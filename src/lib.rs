//! bowline: a Redis-protocol key-value server whose data is replicated by Raft.
//! docs/ARCHITECTURE.md draws the modules and the arrows between them; `tests/tidy.rs`
//! holds them.

pub mod collections;
pub mod command;
pub mod config;
pub mod group;
pub mod history;
pub mod keyspace;
pub mod limits;
pub mod logging;
pub mod machine;
pub mod mutant;
pub mod node;
pub mod resp;
pub mod server;
pub mod storage;
pub mod stress;
pub mod transport;
pub mod wire;
