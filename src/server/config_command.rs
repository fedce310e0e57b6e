//! `CONFIG GET` and `CONFIG SET`: the parameters that clients and tools ask for, with this
//! server's true values. This module must never pretend that a parameter was set.

use super::{Shared, consistency, info};
use crate::command::{Reply, glob_matches};
use crate::limits;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const READ_MODE: &str = "read-mode";

/// `CONFIG GET pattern ...`.
pub fn get(shared: &Shared, patterns: &[&[u8]]) -> Reply {
    let lower: Vec<_> = patterns.iter().map(|pattern| pattern.to_ascii_lowercase()).collect();
    let wanted = |name: &str| lower.iter().any(|pattern| glob_matches(pattern, name.as_bytes()));
    let found = parameters(shared).into_iter().filter(|(name, _)| wanted(name));
    Reply::Map(found.map(|(name, value)| (Reply::bulk(name), Reply::bulk(value))).collect())
}

/// `CONFIG SET name value ...`: all of them, or none.
pub fn set(shared: &Shared, args: &[&[u8]]) -> Reply {
    if !args.len().is_multiple_of(2) {
        return Reply::error("ERR syntax error");
    }
    let known = parameters(shared);
    let mut seen = BTreeSet::new();
    let mut read_mode = shared.read_mode.get();
    for pair in args.chunks_exact(2) {
        let asked = String::from_utf8_lossy(pair[0]);
        let name = asked.to_ascii_lowercase();
        if !known.contains_key(name.as_str()) {
            let reason = format!("Unknown option or number of arguments for CONFIG SET - '{asked}'");
            return Reply::error_owned(format!("ERR {reason}"));
        }
        if !seen.insert(name.clone()) {
            return failed(&asked, "duplicate parameter");
        }
        if name != READ_MODE {
            return failed(&asked, "can't set immutable config");
        }
        match consistency::read_mode(pair[1]) {
            Some(mode) => read_mode = mode,
            None => {
                let reason = "argument(s) must be one of the following: linearizable, lease";
                return failed(&asked, reason);
            }
        }
    }
    shared.read_mode.set(read_mode);
    Reply::Ok
}

fn failed(name: &str, reason: &str) -> Reply {
    Reply::error_owned(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}"))
}

/// By name. Redis's own names; a value is what this server does, not what Redis would.
fn parameters(shared: &Shared) -> BTreeMap<&'static str, String> {
    let durable = shared.backend.status().storage != "memory";
    let seconds = |duration: Option<Duration>| duration.map_or(0, |limit| limit.as_secs()).to_string();
    let fixed = [
        ("databases", "16"),
        ("maxmemory", "0"),
        ("maxmemory-policy", "noeviction"),
        ("save", ""),
        ("lazyfree-lazy-user-del", "yes"),
        ("io-threads", "1"),
        ("requirepass", ""),
    ];
    let mut all: BTreeMap<_, _> = fixed.map(|(name, value)| (name, value.to_owned())).into();
    all.extend([
        // The Raft log is an append-only file that is synced before each reply.
        ("appendonly", if durable { "yes" } else { "no" }.to_owned()),
        ("appendfsync", if durable { "always" } else { "no" }.to_owned()),
        ("cluster-enabled", if info::is_cluster(shared) { "yes" } else { "no" }.to_owned()),
        ("maxclients", shared.config.max_clients.to_string()),
        ("timeout", seconds(shared.config.idle_timeout)),
        ("tcp-keepalive", seconds(shared.config.tcp_keepalive)),
        (READ_MODE, consistency::describe(shared.read_mode.get())),
        ("port", shared.port.to_string()),
        ("proto-max-bulk-len", limits::MAX_BULK_BYTES.to_string()),
        ("client-query-buffer-limit", limits::MAX_QUERY_BUFFER_BYTES.to_string()),
        ("client-output-buffer-limit", format!("normal {} 0 0", limits::MAX_OUTPUT_BUFFER_BYTES)),
    ]);
    all
}
