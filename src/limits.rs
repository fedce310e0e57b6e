//! Every bound of the server, in one place: each names what it bounds and what happens
//! when it is reached. This module must never hold anything but constants.

mod io;
mod long;
mod migrate;
mod pace;
mod scripts;
mod stress;
mod values;

pub use io::*;
pub use long::*;
pub use migrate::*;
pub use pace::*;
pub use scripts::*;
pub use stress::*;
pub use values::*;

use std::time::Duration;

/// Longest bulk string of a request (`proto-max-bulk-len`). Beyond: Redis's protocol error,
/// then the connection is closed.
pub const MAX_BULK_BYTES: usize = 128 << 20;

/// Most arguments of a request. Beyond: `Protocol error: invalid multibulk length`.
pub const MAX_MULTIBULK: usize = i32::MAX as usize;

/// Longest inline command, and longest line of a request (Redis's PROTO_INLINE_MAX_SIZE).
pub const MAX_INLINE_BYTES: usize = 64 << 10;

/// Before authentication: most arguments and longest bulk string, as in Redis.
pub const UNAUTHENTICATED_MAX_MULTIBULK: usize = 10;
/// See [`UNAUTHENTICATED_MAX_MULTIBULK`].
pub const UNAUTHENTICATED_MAX_BULK_BYTES: usize = 16 << 10;

/// Bytes of requests held for one connection (`client-query-buffer-limit`). Beyond: closed.
pub const MAX_QUERY_BUFFER_BYTES: usize = 1 << 30;

/// Bytes of replies held for one connection that does not read. Beyond: closed.
pub const MAX_OUTPUT_BUFFER_BYTES: usize = 256 << 20;

/// Commands of one connection under way at once; more wait, unparsed, in its query buffer.
pub const MAX_PIPELINE_COMMANDS: usize = 4096;

/// Bytes of commands of one connection under way at once.
pub const MAX_PIPELINE_BYTES: usize = 1 << 20;

/// Bytes of replies not yet read by a client at which its next commands wait, unparsed.
pub const OUTPUT_HIGH_WATER_BYTES: usize = 4 << 20;

/// Bytes of replies that one job of a connection is planned to give, by the mean of its last.
pub const JOB_OUTPUT_BYTES: usize = 16 << 20;

/// Bytes read from a connection ahead of the job that is under way, to notice that the client
/// left. Beyond: left in the kernel's buffers.
pub const READ_AHEAD_BYTES: usize = 1 << 20;

/// Bytes of one read from a connection, at most; it starts with [`IDLE_BUFFER_BYTES`].
pub const MAX_READ_BYTES: usize = 64 << 10;

/// Bytes of a connection's buffer while it is silent.
pub const IDLE_BUFFER_BYTES: usize = 1 << 10;

/// A connection's buffer above this is given back as soon as it is empty.
pub const KEPT_BUFFER_BYTES: usize = 64 << 10;

/// Bytes of the commands queued since `MULTI`. Beyond: an error, and `EXEC` is refused.
pub const MAX_TRANSACTION_BYTES: usize = 256 << 20;

/// Bytes of one command that writes: it is one entry of the log, and has to fit into a frame.
/// Beyond: an error, nothing is done.
pub const MAX_WRITE_BYTES: usize = 512 << 20;

/// Bytes of messages held for a subscriber that does not read (`client-output-buffer-limit
/// pubsub`). Beyond: closed.
pub const MAX_SUBSCRIBER_BUFFER_BYTES: usize = 32 << 20;

/// The same for a subscriber that stays above it for [`SUBSCRIBER_PATIENCE_S`].
pub const SUBSCRIBER_SOFT_BUFFER_BYTES: usize = 8 << 20;

/// See [`SUBSCRIBER_SOFT_BUFFER_BYTES`].
pub const SUBSCRIBER_PATIENCE_S: u64 = 60;

/// Replicas of Redis's protocol that are attached to a node at a time. Beyond: an error.
pub const MAX_REDIS_REPLICAS: usize = 32;

/// Bytes of commands held for a replica that does not read, or has not been sent the keys yet
/// (`client-output-buffer-limit slave`). Beyond: closed; it begins anew.
pub const MAX_REPLICA_BUFFER_BYTES: usize = 256 << 20;

/// The same for a replica that stays above it for [`REPLICA_PATIENCE_S`].
pub const REPLICA_SOFT_BUFFER_BYTES: usize = 64 << 20;

/// See [`REPLICA_SOFT_BUFFER_BYTES`].
pub const REPLICA_PATIENCE_S: u64 = 60;

/// Between two signs of life to replicas of Redis's protocol, at first.
pub const REPLICA_PING_PERIOD_S: i64 = 10;

/// Silence of a replica that acknowledges, after which it is closed (`repl-timeout`).
pub const REPLICA_TIMEOUT_S: u64 = 60;

/// Subscriptions of all clients of a node. Beyond: an error, nothing is subscribed to.
pub const MAX_SUBSCRIPTIONS: usize = 1_000_000;

/// Bytes of the names of all subscriptions of a node. Beyond: as with [`MAX_SUBSCRIPTIONS`].
pub const MAX_SUBSCRIPTIONS_BYTES: usize = 256 << 20;

/// Patterns that clients of a node listen to: every message is compared with all of them.
/// Beyond: as with [`MAX_SUBSCRIPTIONS`].
pub const MAX_PATTERNS: usize = 10_000;

/// Bytes held for a client in `MONITOR` that does not read. Beyond: closed.
pub const MAX_MONITOR_OUTPUT_BYTES: usize = 32 << 20;

/// Longest name of an upstream (`REPLICAOF`), as of any host. Beyond: an error, nothing is done.
pub const MAX_UPSTREAM_HOST_BYTES: usize = 253;

/// Bytes of keys or commands of an upstream that one unit of the log holds, about; the next is sent
/// when it is applied. What waits meanwhile is left in the kernel's buffers.
pub const UPSTREAM_BATCH_BYTES: usize = 1 << 20;

/// Bytes of a collection in an RDB file from which on it is taken up in pieces of about that length.
pub const LOADED_PIECE_BYTES: usize = 1 << 20;

/// Bytes of a transaction of an upstream's. Beyond: the link ends with an error, and begins anew.
pub const MAX_UPSTREAM_TRANSACTION_BYTES: usize = 256 << 20;

/// Longest line of an upstream's answers. Beyond: the link ends with an error.
pub const MAX_UPSTREAM_LINE_BYTES: usize = 16 << 10;

/// Longest `WAIT`; a timeout of 0 means this.
pub const MAX_WAIT_MS: u64 = 60_000;

/// Most members of a cluster. Beyond: an error, nothing is done.
pub const MAX_MEMBERS: usize = 32;

/// Longest wait of a change of the members for its effect: for a node to catch up, mostly.
/// Beyond: the reply says that it was accepted, and the cluster goes on with it by itself.
pub const MEMBERSHIP_WAIT_MS: u64 = 5_000;

/// Longest wait of `RAFT SNAPSHOT` for the disk. Beyond: an error; the snapshot may come later.
pub const SNAPSHOT_WAIT_MS: u64 = 60_000;

/// How long `--join` asks nodes that do not answer, besides the time that they may keep a
/// command. Beyond: the node gives up, with a sentence.
pub const JOIN_PATIENCE_MS: u64 = 15_000;

/// Longest reply that `--join` reads. Beyond: whoever sends it is no node to join.
pub const MAX_JOIN_REPLY_BYTES: usize = 1 << 20;

/// Highest id of a node. Beyond: an error, nothing is done.
pub const MAX_NODE_ID: u64 = u32::MAX as u64;

/// Entries that a learner may lack when it gets its vote: it has them within moments, and no
/// commit has to wait for it.
pub const MAX_PROMOTION_LAG_ENTRIES: u64 = 1000;

/// Election timeouts for which a node that was removed goes on answering Raft: long enough for
/// the others to elect and commit what lets them do without it, should the leader die just then.
pub const REMOVED_LINGERS_ELECTIONS: u64 = 5;

/// For how long a node that heard of its removal from a peer goes on: its clients hear of it.
pub const REMOVED_TELLS_MS: u64 = 500;

/// Default of `maxclients`. Beyond: `ERR max number of clients reached`, then closed.
pub const MAX_CLIENTS: usize = 10_000;

/// Bytes of commands that a node holds before they are in its log. Beyond: `-TRYAGAIN`.
pub const MAX_PENDING_BYTES: usize = 512 << 20;

/// Bytes of forwarded batches that wait on a leader. Beyond: dropped, their origins repeat them.
pub const MAX_INTAKE_BYTES: usize = 512 << 20;

/// Bytes of entries proposed and not yet committed. Beyond: batches wait.
pub const MAX_UNCOMMITTED_BYTES: u64 = 256 << 20;

/// Bytes of one origin batch; what waits beyond goes into the next.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// Bytes of entries in one append message (raft-rs sends at least one entry).
pub const MAX_APPEND_BYTES: u64 = 1 << 20;

/// Append messages sent to a follower before its answer.
pub const MAX_INFLIGHT_APPENDS: usize = 256;

/// Bytes of committed entries applied in one turn.
pub const MAX_APPLY_BYTES: u64 = 4 << 20;

/// Longest frame accepted from a peer. Beyond: the connection is closed.
pub const MAX_FRAME_BYTES: usize = 1 << 30;

/// Bytes queued to one peer on the control lane. Beyond: the message is dropped.
pub const MAX_CONTROL_QUEUE_BYTES: usize = 1 << 20;

/// Bytes queued to one peer on the data lane. Beyond: the message is dropped, Raft repeats it.
pub const MAX_DATA_QUEUE_BYTES: usize = 320 << 20;

/// Longest frame of a peer connection whose handshake is not over. Beyond: it is closed.
pub const MAX_HANDSHAKE_FRAME_BYTES: usize = 64 << 10;

/// Accepted peer connections whose handshake is not over. Beyond: the oldest is closed.
pub const MAX_UNGREETED_PEERS: usize = 64;

/// Capacity of a peer connection's buffers; what grew beyond a few of these is given back.
pub const PEER_BUFFER_BYTES: usize = 64 << 10;

/// Bytes of the in-memory log, at most. A follower that is away and lacks more gets a snapshot.
pub const LOG_CACHE_BYTES: usize = 64 << 20;

/// The same at a leader while a follower that answers lacks some of it, or a snapshot is on its way to one; more if
/// the state's snapshot is larger than this. Beyond: it gets a newer snapshot.
pub const LOG_HELD_BYTES: usize = 512 << 20;

/// Election timeouts after which a leader holds no log for a follower that does not answer. One that takes a
/// snapshot's place may be silent for longer than one.
pub const LOG_HELD_ELECTIONS: u64 = 10;

/// Pieces of an RDB file, each as long as a snapshot chunk, that a replica has not taken yet.
/// Beyond: its reader waits.
pub const RDB_PARTS_IN_FLIGHT: usize = 4;

/// Log written since the last snapshot that makes a new one due, at least.
pub const SNAPSHOT_MIN_LOG_BYTES: u64 = 64 << 20;

/// Bytes of a snapshot chunk, about: what the node's loop serializes in one turn, for which its
/// clients wait (a tenth of a millisecond).
pub const SNAPSHOT_CHUNK_BYTES: usize = 32 << 10;

/// By how much nicer threads are that write, send or take in snapshots.
pub const SNAPSHOT_THREAD_NICENESS: i32 = 10;

/// Snapshot chunks handed to the snapshot thread and not yet written; at a start, those read and not yet
/// restored. Beyond: the one that makes them waits.
pub const SNAPSHOT_CHUNKS_IN_FLIGHT: usize = 64;

/// Expired keys removed by one entry.
pub const EXPIRE_PER_ENTRY: usize = 200;

/// Candidates for eviction that wait for their turn. Beyond: the least promising is forgotten.
pub const EVICTION_POOL_KEYS: usize = 16;

/// Keys that one unit of the log evicts, at most. What is still too much goes with the next one.
pub const EVICTION_BATCH_KEYS: usize = 1024;

/// Bytes of such a unit, at most, unless its only key is longer.
pub const EVICTION_BATCH_BYTES: usize = 256 << 10;

/// A node that was over its `maxmemory` and evicts goes on to this part of it below, so that not
/// every write has to wait for an eviction of its own.
pub const EVICTION_HEADROOM_PART: u64 = 200;

/// The same in bytes, at most.
pub const EVICTION_HEADROOM_BYTES: u64 = 1 << 20;

/// A write waits for memory that long; then it is carried out as long as keys are being evicted.
pub const EVICTION_PATIENCE_MS: u64 = 500;

/// A batch is chosen for longer the further memory is over its bound, up to so many times as long.
pub const EVICTION_HURRY_MOST: u64 = 20;

/// Tables of flushed keys freed when memory is short, for each command that finds it so.
pub const EVICTION_RELEASE_TABLES: usize = 256;

/// Longest name of a client session of `ONCE`. Beyond: an error, nothing is done.
pub const MAX_SESSION_NAME_BYTES: usize = 256;

/// Client sessions of `ONCE`. Beyond: `-SESSIONSFULL`, nothing is done, until some end.
pub const MAX_SESSIONS: usize = 100_000;

/// Bytes of all sessions, with the replies that they keep. Beyond: `-SESSIONSFULL`, nothing is
/// done, until some end.
pub const MAX_SESSIONS_BYTES: usize = 512 << 20;

/// Replies that a session keeps: numbers that a client may have under way at once. Beyond: the
/// oldest is let go of, and its number is answered with `-STALESEQ`.
pub const SESSION_REPLIES: usize = 64;

/// Bytes of the replies that a session keeps. Beyond: as with [`SESSION_REPLIES`].
pub const SESSION_REPLIES_BYTES: usize = 64 << 10;

/// Longest reply that a session keeps. Beyond: the command runs, its repetition is answered
/// with `-REPLYTOOLONG`.
pub const SESSION_REPLY_BYTES: usize = 16 << 10;

/// Milliseconds of the log's clock without a command after which a session ends.
pub const SESSION_IDLE_MS: u64 = 3_600_000;

/// Ended sessions removed by one entry. The rest count as gone until their turn.
pub const SESSIONS_ENDED_PER_ENTRY: usize = 200;

/// Bytes of a log segment file.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Used-up log segments kept for use again, as many as were in use at a time: what is written between two
/// snapshots, which of a large state is a GiB. Beyond: the file is removed. To make one holds up the log.
pub const SPARE_SEGMENTS: usize = 64;

/// Longest snapshot chunk: a partition of keys that are as long as they may be is one chunk.
/// Beyond: the snapshot is refused, when written and when read.
pub const MAX_SNAPSHOT_CHUNK_BYTES: usize = 2 << 30;

/// Seconds of silence after which the kernel probes a client (`tcp-keepalive`).
pub const TCP_KEEPALIVE_S: u64 = 300;

/// Seconds that a stopping server waits for answers under way. Beyond: closed.
pub const DRAIN_S: u64 = 5;

/// Congestion control of connections within the machine: the cheapest, for there is nothing
/// to control (the system's default may pace every packet with a timer).
pub const LOOPBACK_CONGESTION: &[u8] = b"reno";

/// Users of access control. Beyond: an error, nothing is done.
pub const MAX_USERS: usize = 10_000;

/// Bytes of a key, channel or name in `ACL LOG`. Beyond: cut off.
pub const ACL_LOG_OBJECT_BYTES: usize = 1 << 10;

/// Bytes of all users and their rules, about. Beyond: an error, nothing is done.
pub const MAX_USERS_BYTES: usize = 64 << 20;

/// Databases that `SELECT` knows, as many as Redis has.
pub const DATABASES: usize = 16;

/// Commands that the slow log holds at first (`slowlog-max-len`). Beyond: the oldest goes.
pub const SLOWLOG_ENTRIES: i64 = 128;

/// Entries of `ACL LOG` at first (`acllog-max-len`). Beyond: the oldest goes.
pub const ACL_LOG_ENTRIES: i64 = 128;

/// Keys that clients are told of when they change, at first (`tracking-table-max-keys`). Beyond:
/// one is told as if it had changed.
pub const TRACKED_KEYS: i64 = 1_000_000;

/// Arguments of a command that the slow log shows. Beyond: how many more there were.
pub const SLOWLOG_ARGS: usize = 32;

/// Bytes of an argument that the slow log shows. Beyond: how many more there were.
pub const SLOWLOG_ARG_BYTES: usize = 128;

/// Slow commands and events that wait to be written down within a turn. Beyond: the oldest goes.
pub const SLOW_UNTOLD: usize = 1024;

/// Different codes of errors that are counted. Beyond: errors of new codes are not.
pub const ERROR_CODES: usize = 128;

/// Events of a kind that `LATENCY` keeps, one a second. Beyond: the oldest goes.
pub const LATENCY_SAMPLES: usize = 160;
/// The same keys, each counted for every client that may have it. Beyond: as there.
pub const MAX_TRACKING_ITEMS: usize = 32 << 20;

/// Keys let go of at once when there are more than [`TRACKED_KEYS`]: the next ones follow
/// within a tenth of a second.
pub const TRACKING_KEYS_EVICTED_AT_ONCE: usize = 10_000;

/// Prefixes that the clients of a node track. Beyond: an error, nothing is tracked.
pub const MAX_TRACKING_PREFIXES: usize = 100_000;

/// Elements that `PFSELFTEST` counts: it holds up its connection, and the core under it.
pub const HLL_SELFTEST_ELEMENTS: u64 = 100_000;

/// Below so many allocated bytes `MEMORY DOCTOR` finds nothing out of proportion.
pub const DOCTOR_LEAST_BYTES: usize = 5 << 20;

/// Pages that were freed stay with the process that long, for what is allocated next (the allocator's
/// own choice is ten seconds).
pub const FREED_PAGES_KEPT_MS: isize = 1000;

/// Longest text of `MEMORY MALLOC-STATS`. Beyond: cut off.
pub const MAX_MALLOC_STATS_BYTES: usize = 1 << 20;

/// Most `*` in a pattern that mean anything, as in Redis. Beyond: nothing matches.
pub const MAX_PATTERN_STARS: usize = 1000;

/// Longest `DEBUG SLEEP`.
pub const MAX_DEBUG_SLEEP: Duration = Duration::from_secs(3600);

/// Keys that one `DEBUG POPULATE` makes: it holds up every node until it is done. Beyond: an error.
pub const MAX_POPULATED_KEYS: usize = 1_000_000;

/// Bytes of their values.
pub const MAX_POPULATED_BYTES: usize = 512 << 20;

/// Keys that the clients of a node wait for, counted for each. Beyond: an error to whoever wants to wait.
pub const MAX_AWAITED_KEYS: usize = 1 << 20;
/// Clients of a node that try at once because of one command on its way to the log that may bring them something, or
/// whose tries under way are passed over for that. The others are told when it is applied.
pub const EXPECTED_TRIES: usize = 64;

/// After a snapshot that `save` asked for has failed, when the next is tried.
pub const SAVE_TRIED_AGAIN: Duration = Duration::from_secs(5);
