//! Bounds of `bowline stress`.

/// Length of a configuration. Beyond: refused.
pub const STRESS_MAX_PLAN_BYTES: u64 = 1 << 20;

/// Clients of a run. Beyond: the configuration is refused.
pub const STRESS_MAX_CLIENTS: usize = 10_000;

/// Keys of a run, by their names. Beyond: the configuration is refused.
pub const STRESS_MAX_KEYS: usize = 10_000;

/// Length of the name of a client or a key. Beyond: the configuration is refused.
pub const STRESS_MAX_NAME_BYTES: usize = 64;

/// How long a run may last. Beyond: the configuration, or the command line, is refused.
pub const STRESS_MAX_DURATION_S: u64 = 6 * 3600;

/// Times that a client tries to find out how an operation ended. Beyond: the configuration is refused.
pub const STRESS_MAX_RETRIES: u32 = 1000;

/// Longest pause of a client, and longest time that it waits for a reply. Beyond: the configuration is
/// refused.
pub const STRESS_MAX_SLEEP_MS: u64 = 600_000;

/// Longest value that clients write. Beyond: the configuration is refused.
pub const STRESS_MAX_VALUE_BYTES: usize = 16 << 20;

/// Operations that are recorded, some 200 bytes each. Beyond: the run ends, is judged, and says so.
pub const STRESS_MAX_OPERATIONS: usize = 1_000_000;

/// Appends to one key. Beyond: the clients go on with the next generation of the key.
pub const STRESS_LOG_APPENDS: u64 = 100;

/// Writes to one key that is deleted now and then. Beyond: the clients go on with the next generation of the
/// key, since that many can still be judged: which deletion a reader saw cannot be told.
pub const STRESS_DELETED_WRITES: u64 = 500;

/// `CAS` in a row that find another version than was read. Beyond: the client chooses anew.
pub const STRESS_MAX_CONFLICTS: u32 = 20;

/// Nodes of a cluster that is spawned. Beyond: the command line is refused.
pub const STRESS_MAX_SPAWN: u64 = 9;

/// Bytes of log lines that wait to be shown. Beyond: they are shown at once.
pub const STRESS_MAX_LINES_BYTES: usize = 64 << 10;
