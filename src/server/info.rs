//! `INFO`: Redis's sections and field names where there is something true to say under
//! them, and a section about Raft. This module must never make up a value.

mod attached;
mod scripts;
mod statistics;

use super::Shared;
use super::admin_commands::{host_and_port, leader, leads, peers};
use super::stats::{THREAD, WHOLE, cpu_seconds, machine_memory_bytes, resident_bytes};
use crate::command::Reply;
use crate::config::Redirect;
use crate::limits;
use crate::node::{MemberStatus, NodeStatus};
use std::fmt::{Display, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// The version of Redis that this server behaves as, for clients that ask.
pub use crate::command::REDIS_VERSION;

// Fields that tools look for, of what does not exist here: there are none of each.
const NO_OTHER_MEMORY: &[&str] = &["mem_clients_slaves", "mem_cluster_links", "active_defrag_running"];
const NO_FORKS: &[&str] = &[
    "async_loading",
    "rdb_last_cow_size",
    "aof_rewrite_scheduled",
    "aof_last_cow_size",
    "module_fork_in_progress",
];
const NOTHING_OF_THE_KIND: &[&str] = &[
    "evicted_clients",
    "latest_fork_usec",
    "total_forks",
    "slave_expires_tracked_keys",
    "active_defrag_hits",
    "active_defrag_misses",
    "active_defrag_key_hits",
    "active_defrag_key_misses",
    "sync_partial_ok",
    "sync_partial_err",
];

type Section = fn(&mut Text, &Shared, &NodeStatus);

/// In the order that they are shown.
const SECTIONS: [(&str, Section); 14] = [
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Raft", raft),
    ("Modules", |_, _, _| {}),
    ("Commandstats", statistics::commands),
    ("Errorstats", statistics::errors),
    ("Latencystats", statistics::latencies),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

/// `INFO [section ...]`.
pub fn run(shared: &Shared, wanted: &[&[u8]]) -> Reply {
    let status = shared.backend.status();
    let asks = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()));
    let usual = wanted.is_empty() || asks("default");
    let all = asks("all") || asks("everything");
    let mut text = Text(String::with_capacity(4096));
    for (name, write) in SECTIONS {
        let by_group = match name {
            "Commandstats" | "Latencystats" => all,
            _ => usual || all,
        };
        if by_group || asks(name) {
            if !text.0.is_empty() {
                text.0.push_str("\r\n");
            }
            text.line(format_args!("# {name}"));
            write(&mut text, shared, &status);
        }
    }
    Reply::Verbatim(text.0.into())
}

pub(super) struct Text(String);

impl Text {
    fn line(&mut self, line: impl Display) {
        write!(self.0, "{line}\r\n").expect("a String grows");
    }

    pub(super) fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    fn zeros(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    fn ratio(&mut self, name: &str, whole: u64, part: u64) {
        self.field(&format!("{name}_ratio"), format_args!("{:.2}", whole as f64 / part.max(1) as f64));
        self.field(&format!("{name}_bytes"), whole as i64 - part as i64);
    }

    fn size(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.field(&format!("{name}_human"), human(bytes));
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", 100.0 * part as f64 / whole.max(1) as f64)
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.2}{}", UNITS[unit]) }
}

/// Whether this node behaves as one of a Redis Cluster: it does when it redirects. One that
/// serves every key says that it stands alone, although it answers `CLUSTER`: a client that was
/// told to use a cluster asks `CLUSTER SLOTS` without looking here, and one that decides by what
/// stands here (StackExchange.Redis) would refuse commands on keys of different slots.
pub fn is_cluster(shared: &Shared) -> bool {
    shared.config.redirect == Redirect::Moved
}

/// As `INFO` and `HELLO` name it.
pub fn mode(shared: &Shared) -> &'static str {
    if is_cluster(shared) { "cluster" } else { "standalone" }
}

fn server(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    let uptime_s = shared.clients.stats().started.elapsed().as_secs();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    text.field("redis_version", REDIS_VERSION);
    text.field("redis_git_sha1", "00000000");
    text.field("redis_git_dirty", 0);
    text.field("redis_build_id", 0);
    text.field("bowline_version", env!("CARGO_PKG_VERSION"));
    text.field("redis_mode", mode(shared));
    text.field("os", format_args!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
    text.field("arch_bits", usize::BITS);
    text.field("monotonic_clock", "POSIX clock_gettime");
    text.field("multiplexing_api", "epoll");
    text.field("process_id", std::process::id());
    text.field("process_supervised", "no");
    text.field("run_id", &shared.config.run_id);
    text.field("tcp_port", shared.addr.port());
    text.field("server_time_usec", now.as_micros());
    text.field("uptime_in_seconds", uptime_s);
    text.field("uptime_in_days", uptime_s / 86_400);
    for (field, parameter) in [("hz", "hz"), ("configured_hz", "hz")] {
        text.field(
            field,
            super::parameters::find(parameter.as_bytes()).map_or_else(String::new, |row| row.value(shared)),
        );
    }
    text.field("lru_clock", now.as_secs() & 0xff_ffff);
    text.field("executable", std::env::current_exe().unwrap_or_default().display());
    text.field("config_file", "");
    text.field("io_threads_active", u8::from(shared.clients.io().is_some()));
}

fn clients(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    let all = shared.clients.all();
    text.field("connected_clients", all.iter().filter(|client| !client.replicates.get()).count());
    text.field("cluster_connections", 0);
    text.field("maxclients", shared.parameters.max_clients.get());
    let largest = |of: &dyn Fn(&super::client::Client) -> usize| all.iter().map(|client| of(client)).max();
    text.field("client_recent_max_input_buffer", largest(&|client| client.input_capacity.get()).unwrap_or(0));
    text.field("client_recent_max_output_buffer", largest(&|client| client.unsent()).unwrap_or(0));
    text.field("blocked_clients", all.iter().filter(|client| client.blocked.get()).count());
    text.field("tracking_clients", shared.clients.tracking.clients());
    text.field("clients_in_timeout_table", 0);
}

fn memory(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    let stats = shared.clients.stats();
    let memory = stats.memory();
    let (used, resident) = (memory.allocated_bytes as u64, resident_bytes());
    text.size("used_memory", used);
    text.size("used_memory_rss", resident);
    let peak = stats.memory_peak_bytes.get() as u64;
    text.size("used_memory_peak", peak);
    text.field("used_memory_peak_perc", percent(used, peak));
    let startup = stats.memory_startup_bytes.get() as u64;
    let buffers: usize = shared
        .clients
        .all()
        .iter()
        .map(|client| client.input_capacity.get() + client.output_capacity())
        .sum();
    let overhead = (startup + buffers as u64).min(used);
    text.field("used_memory_overhead", overhead);
    text.field("used_memory_startup", startup);
    text.field("used_memory_dataset", used - overhead);
    text.field("used_memory_dataset_perc", percent(used - overhead, used.saturating_sub(startup)));
    text.field("allocator_allocated", used);
    text.field("allocator_active", memory.active_bytes);
    text.field("allocator_resident", memory.resident_bytes);
    text.size("total_system_memory", machine_memory_bytes());
    scripts::memory(text, shared);
    text.size("maxmemory", shared.clients.eviction.max_memory_bytes.get() as u64);
    let policy = super::parameters::find(b"maxmemory-policy").map(|row| row.value(shared));
    text.field("maxmemory_policy", policy.unwrap_or_default());
    let (active, allocator_resident) = (memory.active_bytes as u64, memory.resident_bytes as u64);
    text.ratio("allocator_frag", active, used);
    text.ratio("allocator_rss", allocator_resident, active);
    text.ratio("rss_overhead", resident, allocator_resident);
    text.field("mem_fragmentation_ratio", format_args!("{:.2}", resident as f64 / used.max(1) as f64));
    text.field("mem_fragmentation_bytes", resident as i64 - used as i64);
    text.field("mem_clients_normal", buffers);
    // The log that followers may still lack is what a backlog is there.
    text.field("mem_replication_backlog", shared.backend.log_bytes());
    text.field("mem_not_counted_for_evict", shared.not_counted_bytes());
    text.zeros(NO_OTHER_MEMORY);
    text.field("mem_allocator", "jemalloc");
    let mut unreleased = 0;
    shared.backend.look(&mut |machine| unreleased = machine.keyspace().unreleased());
    text.field("lazyfree_pending_objects", unreleased);
    text.field("lazyfreed_objects", super::stats::keyspace(shared)[4]);
}

fn persistence(text: &mut Text, shared: &Shared, status: &NodeStatus) {
    let durable = u8::from(status.storage != "memory");
    text.field("loading", u8::from(shared.clients.upstream.is_loading()));
    text.field("rdb_changes_since_last_save", status.unsaved_changes);
    text.field("rdb_bgsave_in_progress", u8::from(status.snapshot_in_progress));
    text.field("rdb_saves", status.snapshots_total);
    let last = if status.last_snapshot_failed { "err" } else { "ok" };
    text.field("rdb_last_bgsave_status", last);
    text.field("aof_enabled", durable);
    text.field("aof_rewrite_in_progress", u8::from(status.snapshot_in_progress));
    text.field("aof_last_bgrewrite_status", last);
    text.zeros(NO_FORKS);
    text.field("aof_last_write_status", "ok"); // after a failed write there is no server
    text.field("aof_current_size", status.log_bytes);
    text.field("storage_engine", status.storage);
    text.field("disk_syncs_total", status.disk_syncs_total);
}

fn stats(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    shared.clients.count_io();
    let stats = shared.clients.stats();
    let [commands, input, output] = stats.rates();
    text.field("total_connections_received", stats.connections_received.get());
    text.field("total_commands_processed", stats.commands_processed.get());
    text.field("instantaneous_ops_per_sec", commands.round() as u64);
    text.field("total_net_input_bytes", stats.net_input_bytes.get());
    text.field("total_net_output_bytes", stats.net_output_bytes.get());
    text.field("instantaneous_input_kbps", format_args!("{:.2}", input / 1024.0));
    text.field("instantaneous_output_kbps", format_args!("{:.2}", output / 1024.0));
    text.field("rejected_connections", stats.connections_rejected.get());
    let [expired, hits, misses, evicted, _] = super::stats::keyspace(shared);
    text.field("expired_keys", expired);
    text.field("evicted_keys", evicted);
    let [all, this_time] = shared.clients.eviction.times_over();
    text.field("total_eviction_exceeded_time", all.as_millis());
    text.field("current_eviction_exceeded_time", this_time.as_millis());
    text.field("keyspace_hits", hits);
    text.field("keyspace_misses", misses);
    let [channels, patterns, sharded] = shared.clients.pubsub().counts();
    text.field("pubsub_channels", channels);
    text.field("pubsub_patterns", patterns);
    text.field("pubsubshard_channels", sharded);
    text.zeros(NOTHING_OF_THE_KIND);
    text.field("sync_full", shared.clients.replicas.full_syncs());
    text.field("migrate_cached_sockets", shared.migrations.len());
    let tracking = &shared.clients.tracking;
    text.field("tracking_total_keys", tracking.total_keys());
    text.field("tracking_total_items", tracking.total_items());
    text.field("tracking_total_prefixes", tracking.total_prefixes());
    text.field("total_error_replies", stats.observer.errors().values().sum::<u64>());
    text.field("unexpected_error_replies", 0);
    text.field("io_threaded_reads_processed", stats.io_reads.get());
    text.field("io_threaded_writes_processed", stats.io_writes.get());
    text.field("max_pending_bytes", limits::MAX_PENDING_BYTES);
}

fn replication(text: &mut Text, shared: &Shared, status: &NodeStatus) {
    if leads(status) {
        text.field("role", "master");
        text.field("connected_slaves", peers(status).filter(|member| member.connected).count());
        for (i, member) in peers(status).filter(|member| member.connected).enumerate() {
            let (host, port) = host_and_port(&member.client_addr);
            let offset = member.match_index.unwrap_or(0);
            let state = if member.progress == Some("replicate") { "online" } else { "wait_bgsave" };
            text.field(
                &format!("slave{i}"),
                format_args!("ip={host},port={port},state={state},offset={offset},lag=0"),
            );
        }
    } else {
        let leader = leader(status);
        let (host, port) = leader.map_or(("", 0), |member| host_and_port(&member.client_addr));
        let up = leader.is_some_and(|member| member.connected);
        text.field("role", "slave");
        text.field("master_host", host);
        text.field("master_port", port);
        text.field("master_link_status", if up { "up" } else { "down" });
        text.field("slave_read_only", 0); // any node takes writes
        text.field("slave_read_repl_offset", status.last_index);
        text.field("connected_slaves", 0);
        text.field("slave_repl_offset", status.applied_index);
    }
    attached::attached(text, shared);
    super::upstream::info(text, shared);
    let id = status.cluster_id.map_or(0, u128::from_be_bytes);
    text.field("master_failover_state", "no-failover");
    text.field("master_replid", format_args!("{id:040x}"));
    text.field("master_replid2", format_args!("{:040x}", 0));
    text.field("master_repl_offset", status.last_index);
    text.field("second_repl_offset", -1);
    text.field("repl_backlog_active", 1);
    text.field("repl_backlog_size", limits::LOG_CACHE_BYTES);
    text.field("repl_backlog_first_byte_offset", status.first_index);
    text.field("repl_backlog_histlen", (status.last_index + 1).saturating_sub(status.first_index));
}

fn cpu(text: &mut Text, _: &Shared, _: &NodeStatus) {
    let no_children = (0.0, 0.0);
    let parts = [("", cpu_seconds(WHOLE)), ("_children", no_children), ("_main_thread", cpu_seconds(THREAD))];
    for (part, (system, user)) in parts {
        text.field(&format!("used_cpu_sys{part}"), format_args!("{system:.6}"));
        text.field(&format!("used_cpu_user{part}"), format_args!("{user:.6}"));
    }
}

fn raft(text: &mut Text, _: &Shared, status: &NodeStatus) {
    text.field("raft_node_id", status.node_id);
    text.field("raft_role", status.role.name());
    text.field("raft_term", status.term);
    text.field("raft_leader_id", status.leader_id);
    text.field("raft_leader_addr", leader(status).map_or("", |member| &member.client_addr));
    text.field("raft_commit_index", status.commit_index);
    text.field("raft_applied_index", status.applied_index);
    text.field("raft_persisted_index", status.persisted_index);
    text.field("raft_last_index", status.last_index);
    text.field("raft_first_index", status.first_index);
    text.field("raft_snapshot_index", status.snapshot_index);
    text.field("raft_one_at_a_time", u8::from(status.one_at_a_time));
    let ids = |keep: fn(&&MemberStatus) -> bool| {
        let ids: Vec<_> = status.members.iter().filter(keep).map(|member| member.id.to_string()).collect();
        ids.join(",")
    };
    text.field("raft_voters", ids(|member| member.voter));
    text.field("raft_members", ids(|_| true));
    for member in peers(status) {
        text.field(&format!("raft_peer{}", member.id), peer(member, status.last_index));
    }
}

fn peer(member: &MemberStatus, last_index: u64) -> String {
    let mut line = format!("addr={}", member.client_addr);
    if let Some(index) = member.match_index {
        line += &format!(",match={index},lag={}", last_index.saturating_sub(index));
    }
    if let Some(progress) = member.progress {
        line += &format!(",state={progress}");
    }
    line + &format!(",connected={}", u8::from(member.connected))
}

fn cluster(text: &mut Text, shared: &Shared, _: &NodeStatus) {
    text.field("cluster_enabled", u8::from(is_cluster(shared)));
}

fn keyspace(text: &mut Text, _: &Shared, status: &NodeStatus) {
    for (db, (keys, expires)) in status.keys.iter().enumerate().filter(|(_, (keys, _))| *keys > 0) {
        text.field(&format!("db{db}"), format_args!("keys={keys},expires={expires},avg_ttl=0"));
    }
}
