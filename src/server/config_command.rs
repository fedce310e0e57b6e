//! `CONFIG`: the parameters that clients and tools ask for, with this server's true values.
//! This module must never pretend that a parameter was set.

use super::connection::Connection;
use super::{Shared, glob};
use crate::command::Reply;
use crate::limits;
use crate::wire::units::Args;
use std::collections::BTreeMap;
use std::time::Duration;

const HELP: &[&str] = &[
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "HELP",
    "    Prints this help.",
];

pub fn run(connection: &Connection, args: &Args<'_>) -> Reply {
    let subcommand = args.get(1).map(|arg| arg.to_ascii_uppercase()).unwrap_or_default();
    match (subcommand.as_slice(), args.get(2..).unwrap_or_default()) {
        (b"GET", []) => Reply::error("ERR wrong number of arguments for 'config|get' command"),
        (b"GET", patterns) => {
            let found = parameters(&connection.shared)
                .into_iter()
                .filter(|(name, _)| patterns.iter().any(|pattern| glob::matches(pattern, name.as_bytes())));
            Reply::Map(found.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect())
        }
        (b"SET", [_, _, ..]) => Reply::error("ERR CONFIG SET is not supported: start the server with other options"),
        (b"RESETSTAT", []) => Reply::error("ERR CONFIG RESETSTAT is not supported"),
        (b"REWRITE", []) => Reply::error("ERR The server is running without a config file"),
        (b"HELP", []) => Reply::Array(HELP.iter().map(|line| Reply::Simple(line)).collect()),
        _ => {
            let given = String::from_utf8_lossy(args.get(1).copied().unwrap_or_default());
            Reply::error_owned(format!("ERR unknown subcommand '{given:.128}'. Try CONFIG HELP."))
        }
    }
}

/// By name. Redis's own names; a value is what this server does, not what Redis would.
fn parameters(shared: &Shared) -> BTreeMap<&'static str, String> {
    let durable = shared.backend.status().storage != "memory";
    let seconds = |duration: Option<Duration>| duration.map_or(0, |limit| limit.as_secs()).to_string();
    let fixed = [
        ("databases", "1"),
        ("maxmemory", "0"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        ("cluster-enabled", "no"),
        ("lazyfree-lazy-user-del", "yes"),
        ("io-threads", "1"),
        ("requirepass", ""),
    ];
    let mut all: BTreeMap<_, _> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    all.extend([
        // The Raft log is an append-only file that is synced before each reply.
        ("appendonly", if durable { "yes" } else { "no" }.to_owned()),
        ("appendfsync", if durable { "always" } else { "no" }.to_owned()),
        ("maxclients", shared.config.max_clients.to_string()),
        ("timeout", seconds(shared.config.idle_timeout)),
        ("tcp-keepalive", seconds(shared.config.tcp_keepalive)),
        ("port", shared.port.to_string()),
        ("proto-max-bulk-len", limits::MAX_BULK_BYTES.to_string()),
        ("client-query-buffer-limit", limits::MAX_QUERY_BUFFER_BYTES.to_string()),
        ("client-output-buffer-limit", format!("normal {} 0 0", limits::MAX_OUTPUT_BUFFER_BYTES)),
    ]);
    all
}
