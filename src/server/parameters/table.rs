//! All parameters, by name, an alias beside its other name. What a row says must be what the
//! server does; why one cannot be set is said here, once for all that share the reason.

use super::{Grammar, Holder, Row, Source};
use crate::limits;
use crate::server::io::IoThreads;
use crate::server::{Shared, consistency, info, upstream};

const NOT_HERE: &str = "bowline has nothing that it would concern";
const COPY: &str = "a copy that clients change is none: REPLICAOF NO ONE ends it first";
const RAFT: &str = "bowline replicates by Raft, which has no such parameter";
const MAJORITY: &str = "a majority of the nodes holds every write before it is answered, always";
const LOG: &str = "bowline's log is synced before every reply, and nothing weaker can be chosen";
const SNAPSHOTS: &str = "bowline takes snapshots by itself, as its log grows";
const FOLLOWING: &str = "a cluster that follows another Redis keeps what that one keeps";
const CLIENTS: &str = "the memory of each client is bounded, that of all together is not";
const DEFRAG: &str =
    "DISABLED: bowline leaves memory where it is, and gives back what its allocator finds free";
const LOGLEVEL: &str = "the level of the log is chosen when a node is started";
const SANITIZED: &str = "what RESTORE is given is always checked as a whole";
const SIGNALS: &str = "a signal makes a node hand over and stop; everything acknowledged is on disk before";
const ADDRESSES: &str = "where a node is found is chosen when it is started";
const PORT: &str = "Unable to listen on this port: a node listens where it was told when it was started";
const DRAIN: &str = "how long a node waits for answers under way when it stops is not a matter of choice";
const TIMING: &str = "it follows from --timing, which is chosen when a node is started";
const LIMIT: &str = "the bounds of a connection are the same at all times";
const REPLICAS: &str = "all nodes have to agree on it at every moment";

const fn row(name: &'static str, grammar: Grammar, holder: Holder) -> Row {
    Row { name, grammar, holder, is_hidden: false }
}

fn appendonly(shared: &Shared) -> String {
    if is_durable(shared) { "yes" } else { "no" }.to_owned()
}

fn appendfsync(shared: &Shared) -> String {
    if is_durable(shared) { "always" } else { "no" }.to_owned()
}

/// As Redis counts them: the thread that carries commands out is one of them.
fn io_threads(shared: &Shared) -> String {
    (1 + shared.clients.io().map_or(0, IoThreads::len)).to_string()
}

fn io_threads_do_reads(shared: &Shared) -> String {
    if shared.clients.io().is_some() { "yes" } else { "no" }.to_owned()
}

fn is_durable(shared: &Shared) -> bool {
    shared.backend.status().storage != "memory"
}

fn cluster_enabled(shared: &Shared) -> String {
    if info::is_cluster(shared) { "yes" } else { "no" }.to_owned()
}

fn databases(_: &Shared) -> String {
    limits::DATABASES.to_string()
}

fn enable_debug(shared: &Shared) -> String {
    shared.config.enable_debug.name().to_owned()
}

fn directory(shared: &Shared) -> String {
    shared.config.directory.clone()
}

fn port(shared: &Shared) -> String {
    shared.addr.port().to_string()
}

fn bind(shared: &Shared) -> String {
    shared.addr.ip().to_string()
}

fn shutdown_timeout(shared: &Shared) -> String {
    shared.config.drain_timeout.as_secs().to_string()
}

fn election_timeout_ms(shared: &Shared) -> String {
    shared.config.election_timeout.as_millis().to_string()
}

fn max_bulk(_: &Shared) -> String {
    limits::MAX_BULK_BYTES.to_string()
}

fn max_query_buffer(_: &Shared) -> String {
    limits::MAX_QUERY_BUFFER_BYTES.to_string()
}

fn output_buffer(_: &Shared) -> String {
    let hard = limits::MAX_OUTPUT_BUFFER_BYTES;
    let (most, soft) = (limits::MAX_SUBSCRIBER_BUFFER_BYTES, limits::SUBSCRIBER_SOFT_BUFFER_BYTES);
    let seconds = limits::SUBSCRIBER_PATIENCE_S;
    let [of_replicas, soft_of_replicas] =
        [limits::MAX_REPLICA_BUFFER_BYTES, limits::REPLICA_SOFT_BUFFER_BYTES];
    let patience = limits::REPLICA_PATIENCE_S;
    format!(
        "normal {hard} 0 0 slave {of_replicas} {soft_of_replicas} {patience} pubsub {most} {soft} {seconds}"
    )
}

fn percentiles(shared: &Shared) -> String {
    let percentiles = shared.parameters.latency_percentiles.borrow();
    percentiles.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
}

fn set_percentiles(shared: &Shared, value: &str) {
    let numbers = value.split(' ').filter_map(|number| number.parse().ok());
    *shared.parameters.latency_percentiles.borrow_mut() = numbers.collect();
}

fn tracked_keys(shared: &Shared) -> String {
    shared.clients.tracking.max_keys().to_string()
}

fn set_tracked_keys(shared: &Shared, value: &str) {
    shared.clients.tracking.set_max_keys(value.parse().unwrap_or(usize::MAX));
    shared.clients.evict();
    shared.clients.flush_told();
}

fn read_mode(shared: &Shared) -> String {
    consistency::describe(shared.parameters.read_mode.get())
}

fn set_read_mode(shared: &Shared, value: &str) {
    if let Some(mode) = consistency::read_mode(value.as_bytes()) {
        shared.parameters.read_mode.set(mode);
    }
}

/// Sorted by name.
#[rustfmt::skip] // a line a row
pub static ROWS: &[Row] = &[
    row("acl-pubsub-default", Grammar::OneOf(&["allchannels", "resetchannels"]), Holder::Cluster),
    row("aclfile", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("acllog-max-len", Grammar::Int(0, i64::MAX), Holder::Number(|node| &node.clients.acl_log.max_len)),
    row("active-defrag-cycle-max", Grammar::Int(1, 99), Holder::Hint("25")),
    row("active-defrag-cycle-min", Grammar::Int(1, 99), Holder::Hint("1")),
    row("active-defrag-ignore-bytes", Grammar::Size(0, i64::MAX as u64), Holder::Hint("104857600")),
    row("active-defrag-max-scan-fields", Grammar::Int(1, i64::MAX), Holder::Hint("1000")),
    row("active-defrag-threshold-lower", Grammar::Int(0, 1000), Holder::Hint("10")),
    row("active-defrag-threshold-upper", Grammar::Int(0, 1000), Holder::Hint("100")),
    row("active-expire-effort", Grammar::Int(1, 10), Holder::Hint("1")),
    row("activedefrag", Grammar::YesNo, Holder::Fixed(Source::Text("no"), DEFRAG)),
    row("activerehashing", Grammar::YesNo, Holder::Hint("yes")),
    row("always-show-logo", Grammar::YesNo, Holder::Immutable(Source::Text("no"))),
    row("aof-disable-auto-gc", Grammar::YesNo, Holder::Fixed(Source::Text("no"), LOG)),
    row("aof-load-truncated", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), LOG)),
    row("aof-rewrite-incremental-fsync", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), LOG)),
    row("aof-timestamp-enabled", Grammar::YesNo, Holder::Fixed(Source::Text("no"), LOG)),
    row("aof-use-rdb-preamble", Grammar::YesNo, Holder::Hint("yes")),
    row("aof_rewrite_cpulist", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("appenddirname", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("appendfilename", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("appendfsync", Grammar::OneOf(&["everysec", "always", "no"]), Holder::Fixed(Source::Of(appendfsync), LOG)),
    row("appendonly", Grammar::YesNo, Holder::Fixed(Source::Of(appendonly), LOG)),
    row("auto-aof-rewrite-min-size", Grammar::Memory(0, i64::MAX), Holder::Fixed(Source::Text("67108864"), LOG)),
    row("auto-aof-rewrite-percentage", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("100"), LOG)),
    row("bgsave_cpulist", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("bind", Grammar::Text, Holder::Fixed(Source::Of(bind), ADDRESSES)),
    row("bind-source-addr", Grammar::Text, Holder::Fixed(Source::Text(""), ADDRESSES)),
    row("bio_cpulist", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("busy-reply-threshold", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("client-output-buffer-limit", Grammar::BufferLimits, Holder::Fixed(Source::Of(output_buffer), LIMIT)),
    row("client-query-buffer-limit", Grammar::Size(1 << 20, i64::MAX as u64), Holder::Fixed(Source::Of(max_query_buffer), LIMIT)),
    row("cluster-allow-pubsubshard-when-down", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("cluster-allow-reads-when-down", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("cluster-allow-replica-migration", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("cluster-announce-bus-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), ADDRESSES)),
    row("cluster-announce-hostname", Grammar::Text, Holder::Fixed(Source::Text(""), ADDRESSES)),
    row("cluster-announce-ip", Grammar::Text, Holder::Fixed(Source::Text(""), ADDRESSES)),
    row("cluster-announce-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), ADDRESSES)),
    row("cluster-announce-tls-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), ADDRESSES)),
    row("cluster-config-file", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("cluster-enabled", Grammar::YesNo, Holder::Immutable(Source::Of(cluster_enabled))),
    row("cluster-link-sendbuf-limit", Grammar::Size(0, u64::MAX), Holder::Fixed(Source::Text("0"), RAFT)),
    row("cluster-migration-barrier", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("1"), RAFT)),
    row("cluster-node-timeout", Grammar::Int(0, i64::MAX), Holder::Fixed(Source::Of(election_timeout_ms), TIMING)),
    row("cluster-port", Grammar::Int(0, 65535), Holder::Immutable(Source::Text("0"))),
    row("cluster-preferred-endpoint-type", Grammar::OneOf(&["ip", "hostname", "unknown-endpoint"]), Holder::Fixed(Source::Text("ip"), ADDRESSES)),
    row("cluster-replica-no-failover", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("cluster-replica-validity-factor", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("10"), RAFT)),
    row("cluster-require-full-coverage", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), RAFT)),
    row("cluster-slave-no-failover", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("cluster-slave-validity-factor", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("10"), RAFT)),
    row("crash-log-enabled", Grammar::YesNo, Holder::Fixed(Source::Text("no"), NOT_HERE)),
    row("crash-memcheck-enabled", Grammar::YesNo, Holder::Fixed(Source::Text("no"), NOT_HERE)),
    row("daemonize", Grammar::YesNo, Holder::Immutable(Source::Text("no"))),
    row("databases", Grammar::Int(1, i32::MAX as i64), Holder::Immutable(Source::Of(databases))),
    row("dbfilename", Grammar::Text, Holder::Protected(Source::Text(""))),
    row("dir", Grammar::Text, Holder::Protected(Source::Of(directory))),
    row("disable-thp", Grammar::YesNo, Holder::Immutable(Source::Text("no"))),
    row("dynamic-hz", Grammar::YesNo, Holder::Hint("yes")),
    row("enable-debug-command", Grammar::OneOf(&["no", "yes", "local"]), Holder::Immutable(Source::Of(enable_debug))),
    row("enable-module-command", Grammar::OneOf(&["no", "yes", "local"]), Holder::Immutable(Source::Text("no"))),
    row("enable-protected-configs", Grammar::OneOf(&["no", "yes", "local"]), Holder::Immutable(Source::Text("no"))),
    row("hash-max-listpack-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("hash-max-listpack-value", Grammar::Size(0, i64::MAX as u64), Holder::Cluster),
    row("hash-max-ziplist-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("hash-max-ziplist-value", Grammar::Size(0, i64::MAX as u64), Holder::Cluster),
    row("hll-sparse-max-bytes", Grammar::Size(0, i64::MAX as u64), Holder::Fixed(Source::Text("3000"), REPLICAS)),
    row("hz", Grammar::Int(0, i32::MAX as i64), Holder::Hint("10")),
    row("ignore-warnings", Grammar::Text, Holder::Hint("")),
    row("io-threads", Grammar::Int(1, 128), Holder::Immutable(Source::Of(io_threads))),
    row("io-threads-do-reads", Grammar::YesNo, Holder::Immutable(Source::Of(io_threads_do_reads))),
    row("jemalloc-bg-thread", Grammar::YesNo, Holder::Hint("yes")),
    Row { is_hidden: true, ..row("key-load-delay", Grammar::Int(i32::MIN as i64, i32::MAX as i64), Holder::Fixed(Source::Text("0"), NOT_HERE)) },
    row("latency-monitor-threshold", Grammar::Int(0, i64::MAX), Holder::Number(|node| &node.observer().latency_threshold_ms)),
    row("latency-tracking", Grammar::YesNo, Holder::Switch(|node| &node.observer().tracking)),
    row("latency-tracking-info-percentiles", Grammar::Percentiles, Holder::Own { get: percentiles, set: set_percentiles }),
    row("lazyfree-lazy-eviction", Grammar::YesNo, Holder::Hint("yes")),
    row("lazyfree-lazy-expire", Grammar::YesNo, Holder::Hint("yes")),
    row("lazyfree-lazy-server-del", Grammar::YesNo, Holder::Hint("yes")),
    row("lazyfree-lazy-user-del", Grammar::YesNo, Holder::Hint("yes")),
    row("lazyfree-lazy-user-flush", Grammar::YesNo, Holder::Hint("yes")),
    row("lfu-decay-time", Grammar::Int(0, i32::MAX as i64), Holder::Number(|node| &node.clients.eviction.decay_minutes)),
    row("lfu-log-factor", Grammar::Int(0, i32::MAX as i64), Holder::Number(|node| &node.clients.eviction.log_factor)),
    row("list-compress-depth", Grammar::Int(0, i32::MAX as i64), Holder::Cluster),
    row("list-max-listpack-size", Grammar::Int(i32::MIN as i64, i32::MAX as i64), Holder::Cluster),
    row("list-max-ziplist-size", Grammar::Int(i32::MIN as i64, i32::MAX as i64), Holder::Cluster),
    row("logfile", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("loglevel", Grammar::OneOf(&["debug", "verbose", "notice", "warning"]), Holder::Fixed(Source::Text("notice"), LOGLEVEL)),
    row("lua-time-limit", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("masterauth", Grammar::Text, Holder::Cluster),
    row("masteruser", Grammar::Text, Holder::Cluster),
    row("maxclients", Grammar::Int(1, u32::MAX as i64), Holder::Number(|node| &node.parameters.max_clients)),
    row("maxmemory", Grammar::Size(0, u64::MAX), Holder::Number(|node| &node.clients.eviction.max_memory_bytes)),
    row("maxmemory-clients", Grammar::MemoryOrPercent, Holder::Fixed(Source::Text("0"), CLIENTS)),
    row("maxmemory-eviction-tenacity", Grammar::Int(0, 100), Holder::Number(|node| &node.clients.eviction.tenacity)),
    row("maxmemory-policy", Grammar::OneOf(&["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl", "allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"]), Holder::Cluster),
    row("maxmemory-samples", Grammar::Int(1, i32::MAX as i64), Holder::Number(|node| &node.clients.eviction.samples)),
    row("min-replicas-max-lag", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("10"), MAJORITY)),
    row("min-replicas-to-write", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("0"), MAJORITY)),
    row("min-slaves-max-lag", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("10"), MAJORITY)),
    row("min-slaves-to-write", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("0"), MAJORITY)),
    row("no-appendfsync-on-rewrite", Grammar::YesNo, Holder::Fixed(Source::Text("no"), LOG)),
    row("notify-keyspace-events", Grammar::Events, Holder::Cluster),
    row("oom-score-adj", Grammar::OneOf(&["no", "yes", "relative", "absolute"]), Holder::Fixed(Source::Text("no"), NOT_HERE)),
    row("oom-score-adj-values", Grammar::OomScores, Holder::Fixed(Source::Text("0 200 800"), NOT_HERE)),
    row("pidfile", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("port", Grammar::Int(0, 65535), Holder::Fixed(Source::Of(port), PORT)),
    row("proc-title-template", Grammar::Text, Holder::Fixed(Source::Text(""), NOT_HERE)),
    row("propagation-error-behavior", Grammar::OneOf(&["ignore", "panic", "panic-on-replicas"]), Holder::Fixed(Source::Text("panic"), RAFT)),
    row("protected-mode", Grammar::YesNo, Holder::Fixed(Source::Text("no"), NOT_HERE)),
    row("proto-max-bulk-len", Grammar::Memory(1 << 20, i64::MAX), Holder::Fixed(Source::Of(max_bulk), LIMIT)),
    row("rdb-del-sync-files", Grammar::YesNo, Holder::Fixed(Source::Text("no"), SNAPSHOTS)),
    Row { is_hidden: true, ..row("rdb-key-save-delay", Grammar::Int(i32::MIN as i64, i32::MAX as i64), Holder::Fixed(Source::Text("0"), NOT_HERE)) },
    row("rdb-save-incremental-fsync", Grammar::YesNo, Holder::Fixed(Source::Text("no"), SNAPSHOTS)),
    row("rdbchecksum", Grammar::YesNo, Holder::Immutable(Source::Text("yes"))),
    row("rdbcompression", Grammar::YesNo, Holder::Fixed(Source::Text("no"), SNAPSHOTS)),
    row("read-mode", Grammar::OneOf(&["linearizable", "lease"]), Holder::Own { get: read_mode, set: set_read_mode }),
    row("repl-backlog-size", Grammar::Memory(1, i64::MAX), Holder::Hint("1048576")),
    row("repl-backlog-ttl", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("3600"), RAFT)),
    row("repl-disable-tcp-nodelay", Grammar::YesNo, Holder::Fixed(Source::Text("no"), RAFT)),
    row("repl-diskless-load", Grammar::OneOf(&["disabled", "on-empty-db", "swapdb"]), Holder::Fixed(Source::Text("disabled"), RAFT)),
    row("repl-diskless-sync", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), RAFT)),
    row("repl-diskless-sync-delay", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("5"), RAFT)),
    row("repl-diskless-sync-max-replicas", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("0"), RAFT)),
    row("repl-ping-replica-period", Grammar::Int(1, i32::MAX as i64), Holder::Number(|node| &node.parameters.repl_ping_period_s)),
    row("repl-ping-slave-period", Grammar::Int(1, i32::MAX as i64), Holder::Number(|node| &node.parameters.repl_ping_period_s)),
    row("repl-timeout", Grammar::Int(1, i32::MAX as i64), Holder::Fixed(Source::Text("60"), RAFT)),
    row("replica-announce-ip", Grammar::Text, Holder::Fixed(Source::Text(""), ADDRESSES)),
    row("replica-announce-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), ADDRESSES)),
    row("replica-announced", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), RAFT)),
    row("replica-ignore-disk-write-errors", Grammar::YesNo, Holder::Fixed(Source::Text("no"), LOG)),
    row("replica-ignore-maxmemory", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), FOLLOWING)),
    row("replica-lazy-flush", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), RAFT)),
    row("replica-priority", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("100"), RAFT)),
    row("replica-read-only", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), COPY)),
    row("replica-serve-stale-data", Grammar::YesNo, Holder::Cluster),
    row("replicaof", Grammar::Text, Holder::Immutable(Source::Of(upstream::place))),
    row("requirepass", Grammar::Text, Holder::Cluster),
    row("sanitize-dump-payload", Grammar::OneOf(&["no", "yes", "clients"]), Holder::Fixed(Source::Text("yes"), SANITIZED)),
    row("save", Grammar::Save, Holder::Own { get: |node| node.parameters.save.text(), set: |node, value| node.parameters.save.set(value) }),
    row("server_cpulist", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("set-max-intset-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("set-proc-title", Grammar::YesNo, Holder::Immutable(Source::Text("no"))),
    row("shutdown-on-sigint", Grammar::SomeOf(&["default", "save", "nosave", "now", "force"]), Holder::Fixed(Source::Text("default"), SIGNALS)),
    row("shutdown-on-sigterm", Grammar::SomeOf(&["default", "save", "nosave", "now", "force"]), Holder::Fixed(Source::Text("default"), SIGNALS)),
    row("shutdown-timeout", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Of(shutdown_timeout), DRAIN)),
    row("slave-announce-ip", Grammar::Text, Holder::Fixed(Source::Text(""), ADDRESSES)),
    row("slave-announce-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), ADDRESSES)),
    row("slave-ignore-maxmemory", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), FOLLOWING)),
    row("slave-lazy-flush", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), RAFT)),
    row("slave-priority", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("100"), RAFT)),
    row("slave-read-only", Grammar::YesNo, Holder::Fixed(Source::Text("yes"), COPY)),
    row("slave-serve-stale-data", Grammar::YesNo, Holder::Cluster),
    row("slaveof", Grammar::Text, Holder::Immutable(Source::Of(upstream::place))),
    row("slowlog-log-slower-than", Grammar::Int(-1, i64::MAX), Holder::Number(|node| &node.observer().slower_than_us)),
    row("slowlog-max-len", Grammar::Int(0, i64::MAX), Holder::Number(|node| &node.clients.stats().journal.slow.max_len)),
    row("socket-mark-id", Grammar::Text, Holder::Immutable(Source::Text("0"))),
    row("stop-writes-on-bgsave-error", Grammar::YesNo, Holder::Fixed(Source::Text("no"), SNAPSHOTS)),
    row("stream-node-max-bytes", Grammar::Size(0, i64::MAX as u64), Holder::Cluster),
    row("stream-node-max-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("supervised", Grammar::OneOf(&["upstart", "systemd", "auto", "no"]), Holder::Immutable(Source::Text("no"))),
    row("syslog-enabled", Grammar::YesNo, Holder::Immutable(Source::Text("no"))),
    row("syslog-facility", Grammar::OneOf(&["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"]), Holder::Immutable(Source::Text("local0"))),
    row("syslog-ident", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("tcp-backlog", Grammar::Int(0, i32::MAX as i64), Holder::Immutable(Source::Text("1024"))),
    row("tcp-keepalive", Grammar::Int(0, i32::MAX as i64), Holder::Number(|node| &node.parameters.tcp_keepalive_s)),
    row("timeout", Grammar::Int(0, i32::MAX as i64), Holder::Number(|node| &node.parameters.timeout_s)),
    row("tls-port", Grammar::Int(0, 65535), Holder::Fixed(Source::Text("0"), PORT)),
    row("tracking-table-max-keys", Grammar::Int(0, i64::MAX), Holder::Own { get: tracked_keys, set: set_tracked_keys }),
    row("unixsocket", Grammar::Text, Holder::Immutable(Source::Text(""))),
    row("unixsocketperm", Grammar::Text, Holder::Immutable(Source::Text("0"))),
    Row { is_hidden: true, ..row("watchdog-period", Grammar::Int(0, i32::MAX as i64), Holder::Fixed(Source::Text("0"), NOT_HERE)) },
    row("zset-max-listpack-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("zset-max-listpack-value", Grammar::Size(0, i64::MAX as u64), Holder::Cluster),
    row("zset-max-ziplist-entries", Grammar::Int(0, i64::MAX), Holder::Cluster),
    row("zset-max-ziplist-value", Grammar::Size(0, i64::MAX as u64), Holder::Cluster),
];
