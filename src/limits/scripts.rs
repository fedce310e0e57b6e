//! Bounds of scripts. What a script may use up is counted, never timed: all replicas stop it at the
//! same instruction. This module must never hold anything but constants.

/// Instructions between two looks at what a script has used up.
pub const SCRIPT_TICK: u32 = 500;

/// What a millisecond of `lua-time-limit` allows, in instructions of Lua's machine; a script that needs more is
/// stopped there, on all replicas.
pub const SCRIPT_INSTRUCTIONS_PER_MS: u64 = 20_000;

/// The most that any limit allows, none included: some minutes.
pub const SCRIPT_TIME_LIMIT_MAX_MS: u64 = 120_000;

/// What a command that a script asks for counts as.
pub const SCRIPT_INSTRUCTIONS_PER_CALL: u64 = 50;

/// Bytes of reply to a script's command that count as one instruction.
pub const SCRIPT_BYTES_PER_INSTRUCTION: u64 = 64;

/// Memory that a script may take in the machine that all scripts share. Beyond: it is carried out in one of
/// its own, from the beginning (see `command::scripts`).
pub const SCRIPT_SHARED_BYTES: usize = 16 << 20;

/// Memory in use from which on a script's own machine collects garbage. More than what the shared one offers.
pub const SCRIPT_GARBAGE_BYTES: usize = 2 * SCRIPT_SHARED_BYTES;

/// Memory of a script's own machine. Beyond: `not enough memory`, an error that the script may catch.
pub const SCRIPT_MEMORY_BYTES: usize = 256 << 20;

/// Garbage of earlier scripts in the shared machine that is collected before the next begins.
pub const SCRIPT_LEFT_BEHIND_BYTES: usize = 4 << 20;

/// Compiled scripts and libraries that the shared machine keeps; one more, and it is made anew.
pub const SCRIPTS_COMPILED: usize = 1000;

/// Tables within tables that a script may return. Beyond: an error in their place.
pub const SCRIPT_REPLY_DEPTH: usize = 1000;

/// Texts that `EVAL` has left in the cache of scripts; the oldest goes for one more.
pub const SCRIPTS_EVALUATED: usize = 500;

/// Bytes of the texts in the cache of scripts. What `EVAL` has left goes first; `SCRIPT LOAD` of more is refused.
pub const SCRIPT_CACHE_BYTES: usize = 16 << 20;

/// Bytes of the code of all libraries. `FUNCTION LOAD` of more is refused.
pub const LIBRARIES_BYTES: usize = 16 << 20;
