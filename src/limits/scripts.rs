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

/// Bytes that a script's commands and functions read or write and that count as one instruction.
pub const SCRIPT_BYTES_PER_INSTRUCTION: u64 = 64;

/// Memory that a script may take in the machine that all scripts share. Beyond: it is carried out in one of
/// its own, from the beginning (see `command::scripts`).
pub const SCRIPT_SHARED_BYTES: usize = 16 << 20;

/// Memory in use from which on a script's own machine collects garbage. More than what the shared one offers.
pub const SCRIPT_GARBAGE_BYTES: usize = 2 * SCRIPT_SHARED_BYTES;

/// Bytes that a script's own machine allocates, once it collects garbage, and that count as one instruction.
pub const SCRIPT_ALLOCATED_PER_INSTRUCTION: usize = 256;

/// Steps of a search by a pattern that count as one instruction.
pub const SCRIPT_STEPS_PER_INSTRUCTION: u64 = 4;

/// Memory of a script's own machine; bytes of a command of it, of its reply, and of what a function makes. Beyond:
/// `not enough memory`, which ends the script, whatever it catches.
pub const SCRIPT_MEMORY_BYTES: usize = 256 << 20;

/// Memory that scripts have taken in the shared machine since garbage was collected there, before it is again (or as much
/// as was left then).
pub const SCRIPT_LEFT_BEHIND_BYTES: usize = 4 << 20;

/// Compiled scripts and libraries that the shared machine keeps; one more, and it is made anew.
pub const SCRIPTS_COMPILED: usize = 1000;

/// Bytes of a script's commands that `MONITOR` shows. Beyond: those that follow are not shown.
pub const SCRIPT_SHOWN_BYTES: usize = 4 << 20;

/// Commands that one script was denied and that `ACL LOG` hears of. Beyond: it does not.
pub const SCRIPT_DENIALS_TOLD: usize = 128;

/// Tables within tables that a script may return. Beyond: an error in their place.
pub const SCRIPT_REPLY_DEPTH: usize = 1000;

/// Texts that `EVAL` has left in the cache of scripts; the oldest goes for one more.
pub const SCRIPTS_EVALUATED: usize = 500;

/// Bytes of the texts in the cache of scripts. What `EVAL` has left goes first; `SCRIPT LOAD` of more is refused.
pub const SCRIPT_CACHE_BYTES: usize = 16 << 20;

/// Bytes of the code of all libraries. `FUNCTION LOAD` of more is refused.
pub const LIBRARIES_BYTES: usize = 16 << 20;

/// Arguments of one call of a function that scripts get from us, and values that it returns. Beyond: an error.
/// Lua 5.1's stack, and what mlua holds for Rust, end at 8,000.
pub const SCRIPT_ARGUMENTS: usize = 7900;

/// Keys and arguments of a script that are pushed onto Lua's stack. More are put into tables one by one, which is slower.
pub const SCRIPT_WORDS_PUSHED: usize = 100;

/// Texts whose SHA-1 a node remembers; one more takes the place of the oldest.
pub const SCRIPTS_RECENT: usize = 8;

/// Bytes of such a text. Of longer ones it is computed each time.
pub const SCRIPT_RECENT_BYTES: usize = 64 << 10;
